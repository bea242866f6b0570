//! The contract of `GET /<token>.ics`, line by line.

use std::io::Read;

use super::harness::client::{raw, request, send};
use super::harness::program::{Program, path};
use super::harness::upstream::{Upstream, answer, calendar};
use super::harness::{self, eventually};

async fn program(upstream: &Upstream, more: &str) -> Program {
    let url = upstream.url("/a/basic.ics");
    let toml = format!(
        "[fetch]\nallow_private = true\n[source.work]\nurl = \"{url}\"\n[feed.me]\nname = \"工作, 日历\"\nsources = [\"work\"]\n\
         devices = [\"iphone\", \"ipad\"]\nrevoked = [\"old\"]\n{more}"
    );
    let program = Program::start(&toml).await;
    eventually("the first copy", async || program.source("work").await["events"] == 3).await;
    program
}

async fn usual() -> (Upstream, Program) {
    let upstream = Upstream::start().await;
    upstream.on("/a/basic.ics", calendar(harness::calendar(3, "meeting")));
    let program = program(&upstream, "").await;
    (upstream, program)
}

#[tokio::test]
async fn a_subscriber_gets_the_calendar_with_every_header_of_the_contract() {
    let (_upstream, program) = usual().await;
    let reply = program.get(&program.path("me"), &[]).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), "text/calendar; charset=utf-8");
    assert_eq!(
        reply.header("content-disposition"),
        "inline; filename=\"me.ics\"; filename*=UTF-8''%E5%B7%A5%E4%BD%9C%2C%20%E6%97%A5%E5%8E%86.ics"
    );
    assert_eq!(reply.header("cache-control"), "private, no-cache");
    assert_eq!(reply.header("vary"), "Accept-Encoding");
    assert_eq!(reply.header("referrer-policy"), "no-referrer");
    assert_eq!(reply.header("x-robots-tag"), "noindex, nofollow");
    assert_eq!(reply.header("x-content-type-options"), "nosniff");
    assert!(reply.header("cache-status").starts_with("calferry; hit; ttl=1"), "{}", reply.header("cache-status"));
    let published = httpdate::parse_http_date(reply.header("last-modified")).unwrap();
    assert!(published <= httpdate::parse_http_date(reply.header("date")).unwrap());
    assert!(reply.header("etag").starts_with('"') && reply.header("set-cookie").is_empty());
    let text = reply.text();
    assert!(text.starts_with("BEGIN:VCALENDAR\r\n") && text.ends_with("END:VCALENDAR\r\n"));
    assert!(text.contains("\r\nX-WR-CALNAME:工作\\, 日历\r\nNAME:工作\\, 日历\r\n"));
    assert!(text.contains("\r\nREFRESH-INTERVAL;VALUE=DURATION:PT15M\r\nX-PUBLISHED-TTL:PT15M\r\n"));
    assert!(!text.contains("METHOD") && !text.contains("lin.demo") && !text.contains("20261122T070312Z"));
    assert_eq!(text.matches("DTSTAMP:20261118T081122Z").count(), 3);
}

/// What hyper writes by itself would be the machine's, and after that was set back, the latest it has written.
#[tokio::test]
async fn the_date_is_what_the_programs_clock_says() {
    let upstream = Upstream::start().await;
    upstream.on("/a.ics", calendar(harness::calendar(3, "meeting")));
    let toml = format!(
        "[fetch]\nallow_private = true\n[source.work]\nurl = \"{}\"\n[feed.me]\nsources = [\"work\"]",
        upstream.url("/a.ics")
    );
    let then = calferry::clock::Timestamp::from_secs(1_000_000_000);
    let clock = calferry::clock::Clock::simulated(then);
    let program = Program::start_in(tempfile::tempdir().unwrap(), &toml, clock).await;
    for path in ["/healthz", "/wrong.ics"] {
        let date = httpdate::parse_http_date(program.get(path, &[]).await.header("date")).unwrap();
        let late = calferry::clock::Timestamp::from(date).since(then);
        assert!(date >= then.system_time() && late.as_secs() < 600, "{path}: {late:?}");
    }
}

#[tokio::test]
async fn head_has_the_headers_of_get_and_no_body() {
    let (_upstream, program) = usual().await;
    let path = program.path("me");
    let mut get = program.get(&path, &[("accept-encoding", "gzip")]).await;
    let mut head = send(program.address(), request("HEAD", &path, &[("accept-encoding", "gzip")])).await;
    assert!(head.body.is_empty() && !get.body.is_empty());
    assert_eq!(head.header("content-length"), get.body.len().to_string());
    // A second may pass between the two.
    for moving in ["date", "cache-status"] {
        get.headers.remove(moving);
        head.headers.remove(moving);
    }
    assert_eq!(head.headers, get.headers);
}

#[tokio::test]
async fn every_coding_has_its_own_strong_tag_and_the_same_text() {
    let (_upstream, program) = usual().await;
    let path = program.path("me");
    let plain = program.get(&path, &[]).await;
    let mut tags = vec![plain.header("etag").to_owned()];
    for coding in ["gzip", "br", "zstd"] {
        let reply = program.get(&path, &[("accept-encoding", coding)]).await;
        assert_eq!(reply.header("content-encoding"), coding);
        let mut text = Vec::new();
        match coding {
            "gzip" => flate2::read::GzDecoder::new(&reply.body[..]).read_to_end(&mut text).unwrap(),
            "br" => brotli::Decompressor::new(&reply.body[..], 4096).read_to_end(&mut text).unwrap(),
            _ => zstd::stream::Decoder::new(&reply.body[..]).unwrap().read_to_end(&mut text).unwrap(),
        };
        assert_eq!(text, plain.body);
        tags.push(reply.header("etag").to_owned());
    }
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 4);
    assert!(tags.iter().all(|tag| tag.starts_with('"')));
}

#[tokio::test]
async fn what_the_client_has_already_is_not_sent_again() {
    let (_upstream, program) = usual().await;
    let path = program.path("me");
    let reply = program.get(&path, &[("accept-encoding", "gzip")]).await;
    let (etag, published) = (reply.header("etag").to_owned(), reply.header("last-modified").to_owned());
    let weak = format!("W/{etag}");
    let list = format!("\"a\", {weak}");
    for tag in [etag.as_str(), &weak, &list, "*"] {
        let same = program.get(&path, &[("accept-encoding", "gzip"), ("if-none-match", tag)]).await;
        assert_eq!(same.status, 304, "{tag}");
        assert!(same.body.is_empty());
        for kept in ["etag", "last-modified", "cache-control", "vary"] {
            assert_eq!(same.header(kept), reply.header(kept), "{kept}");
        }
        assert!(!same.header("date").is_empty());
        // The rest, the client has as well (RFC 9110 §15.4.5).
        for known in ["content-type", "content-encoding", "content-disposition", "x-robots-tag", "referrer-policy"] {
            assert!(!same.headers.contains_key(known), "{known}");
        }
    }
    assert_eq!(
        program.get(&path, &[("if-none-match", "\"other\""), ("if-modified-since", &published)]).await.status,
        200
    );
    assert_eq!(program.get(&path, &[("if-modified-since", &published)]).await.status, 200, "within the margin");
}

#[tokio::test]
async fn unknown_and_malformed_tokens_get_the_same_bytes_and_a_revoked_device_is_gone() {
    let (_upstream, program) = usual().await;
    let mut answers = Vec::new();
    for path in [
        "/AAAAAAAAAAAAAAAAAAAAAAAA.ics",
        "/short.ics",
        "/a/b/c.ics",
        "/",
        "/%00.ics",
        "/AAAAAAAAAAAAAAAAAAAAAAAA/health",
    ] {
        let mut reply = program.get(path, &[]).await;
        assert_eq!(reply.status, 404, "{path}");
        reply.headers.remove("date");
        answers.push((reply.headers, reply.body));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
    let gone = program.app.key().token("me", "old", 0);
    assert_eq!(program.get(&format!("/{}.ics", gone.reveal()), &[]).await.status, 410);
}

#[tokio::test]
async fn wrong_tokens_are_limited_while_right_ones_are_served() {
    let (_upstream, program) = usual().await;
    let mut statuses = Vec::new();
    for guess in 0..30 {
        let reply = program.get(&format!("/AAAAAAAAAAAAAAAAAAAAAA{guess:02}.ics"), &[]).await;
        if reply.status == 429 {
            assert!(reply.header("retry-after").parse::<u32>().unwrap() >= 1);
        }
        statuses.push(reply.status.as_u16());
    }
    assert!(statuses[..10].iter().all(|status| *status == 404) && statuses[29] == 429, "{statuses:?}");
    assert_eq!(program.get(&program.path("me"), &[]).await.status, 200);
}

#[tokio::test]
async fn a_client_that_asks_too_often_is_told_when_to_come_back() {
    let upstream = Upstream::start().await;
    upstream.on("/a/basic.ics", calendar(harness::calendar(3, "meeting")));
    let program = program(&upstream, "[server]\ntrusted_proxies = [\"127.0.0.1\"]\nwrong_tokens_per_minute = 1").await;
    let ask = async |client: &str| program.get("/nothing.ics", &[("x-forwarded-for", client)]).await.status.as_u16();
    assert_eq!([ask("203.0.113.1").await, ask("203.0.113.1").await], [404, 429]);
    assert_eq!(ask("203.0.113.2").await, 404, "another client has a budget of its own");
    assert_eq!(ask("2001:db8:1:2::1").await, 404);
    assert_eq!(ask("2001:db8:1:2::2").await, 429, "but not another address of the same IPv6 network");
}

/// Many phones share a carrier's address.
#[tokio::test]
async fn a_known_token_has_a_budget_of_its_own_wherever_it_is_used() {
    let upstream = Upstream::start().await;
    upstream.on("/a/basic.ics", calendar(harness::calendar(3, "meeting")));
    let dir = tempfile::tempdir().unwrap();
    let toml = format!(
        "[fetch]\nallow_private = true\n[server]\ntrusted_proxies = [\"127.0.0.1\"]\n[source.work]\nurl = \"{}\"\n\
         [feed.me]\nsources = [\"work\"]\ndevices = [\"iphone\", \"ipad\"]\n",
        upstream.url("/a/basic.ics")
    );
    let mut settings = harness::program::settings(dir.path(), &toml);
    let few = |count| std::num::NonZeroU32::new(count).unwrap();
    settings.server.front.rates.tokens = few(3);
    settings.server.front.rates.requests = few(2);
    let program = Program { app: calferry::app::App::start(settings).await.unwrap(), dir };
    let (iphone, ipad) = (path(&program.app, "me", 0), path(&program.app, "me", 1));
    let ask = async |path: &str, client: &str| program.get(path, &[("x-forwarded-for", client)]).await;
    // The address has spent its own budget…
    for _ in 0..4 {
        ask("/nothing.ics", "203.0.113.1").await;
    }
    assert_eq!(ask("/nothing.ics", "203.0.113.1").await.status, 429);
    // …and known tokens do not ask for it. What one of them spends, the other keeps.
    for client in ["203.0.113.1", "203.0.113.2", "203.0.113.3"] {
        assert_eq!(ask(&iphone, client).await.status, 200);
    }
    let limited = ask(&iphone, "203.0.113.4").await;
    assert_eq!(limited.status, 429);
    assert!(limited.header("retry-after").parse::<u32>().unwrap() >= 1);
    assert_eq!(ask(&ipad, "203.0.113.1").await.status, 200);
}

#[tokio::test]
async fn what_needs_no_url_has_the_same_budget_as_what_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let toml = "[server]\ntrusted_proxies = [\"127.0.0.1\"]\n[source.work]\nurl = \"https://example.com/a.ics\"\n\
                [feed.me]\nsources = [\"work\"]\n";
    let mut settings = harness::program::settings(dir.path(), toml);
    settings.server.front.rates.requests = std::num::NonZeroU32::new(2).unwrap();
    let program = Program { app: calferry::app::App::start(settings).await.unwrap(), dir };
    for (client, method, path) in (1..)
        .zip([("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/robots.txt"), ("POST", "/x")])
        .map(|(client, (method, path))| (format!("203.0.113.{client}"), method, path))
    {
        let ask = async || {
            let asked = request(method, path, &[("x-forwarded-for", &client)]);
            send(program.address(), asked).await.status.as_u16()
        };
        let fine = if method == "GET" { 200 } else { 405 };
        assert_eq!([ask().await, ask().await, ask().await], [fine, fine, 429], "{method} {path}");
    }
}

#[tokio::test]
async fn other_methods_queries_cookies_and_authorization_change_nothing() {
    let (_upstream, program) = usual().await;
    let path = program.path("me");
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PROPFIND", "TRACE"] {
        let reply = send(program.address(), request(method, &path, &[])).await;
        assert_eq!((reply.status.as_u16(), reply.header("allow")), (405, "GET, HEAD"), "{method}");
    }
    let plain = program.get(&path, &[]).await;
    let headers = [
        ("authorization", "Bearer x"),
        ("cookie", "a=b"),
        ("range", "bytes=0-3"),
        ("x-forwarded-host", "evil.example"),
        ("x-original-url", "/x"),
        ("x-http-method-override", "DELETE"),
    ];
    for headers in headers.map(|header| [header]) {
        let reply = program.get(&format!("{path}?t=1&x"), &headers).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.body, reply.header("set-cookie")),
            (200, &plain.body, ""),
            "{headers:?}"
        );
    }
}

#[tokio::test]
async fn requests_that_could_be_read_in_two_ways_are_refused() {
    let (_upstream, program) = usual().await;
    let path = program.path("me");
    let long = "x".repeat(40_000);
    let refused = [
        format!("GET {path} HTTP/1.1\r\n\r\n"),
        format!("GET {path} HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        format!("GET {path} HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"),
        format!("GET http://other.example{path} HTTP/1.1\r\nHost: cal.example.com\r\n\r\n"),
        format!("GET {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"),
        format!("GET {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("GET {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("GET {path} HTTP/1.1\r\nHost: a\r\nX-Long: {long}\r\n\r\n"),
        format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"),
        format!("GET {path} HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(64)),
        format!("GET {path} HTTP/1.1\r\nHost : a\r\n\r\n"),
    ];
    for request in refused {
        let answer = raw(program.address(), request.as_bytes()).await;
        let status = String::from_utf8_lossy(&answer).split(' ').nth(1).unwrap_or("closed").to_owned();
        assert!(
            ["400", "414", "431", "closed"].contains(&status.as_str()),
            "{status}: {}",
            &request[..request.len().min(120)]
        );
    }
    let fine = raw(
        program.address(),
        format!("GET {path} HTTP/1.1\r\nHost: cal.example.com\r\nConnection: close\r\n\r\n").as_bytes(),
    )
    .await;
    assert!(fine.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn every_device_has_a_url_of_its_own_and_they_outlive_a_restart_and_a_new_source_address() {
    let (upstream, program) = usual().await;
    let before = [path(&program.app, "me", 0), path(&program.app, "me", 1)];
    assert_ne!(before[0], before[1]);
    let dir = program.stop().await;
    upstream.on("/other.ics", answer("500 Oops", &[], "not yet"));
    let toml = format!(
        "[fetch]\nallow_private = true\n[source.work]\nurl = \"{}\"\n[feed.me]\nsources = [\"work\"]\ndevices = [\"iphone\", \"ipad\"]",
        upstream.url("/other.ics")
    );
    let program = Program::start_in(dir, &toml, calferry::clock::Clock::System).await;
    assert_eq!([path(&program.app, "me", 0), path(&program.app, "me", 1)], before);
    let reply = program.get(&before[0], &[]).await;
    assert!(
        reply.status == 200 && reply.text().contains("meeting 2"),
        "the copy of the old address is served until then"
    );
}

#[tokio::test]
async fn health_tells_uptime_monitors_what_the_calendar_does_not() {
    let (upstream, program) = usual().await;
    let health = path(&program.app, "me", 0).replace(".ics", "/health");
    let reply = program.get(&health, &[]).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, "application/json"));
    let health_now = reply.json();
    assert_eq!((health_now["state"].as_str(), health_now["reason"].as_str()), (Some("fresh"), None));
    let dir = program.stop().await;

    upstream.on("/a/basic.ics", answer("404 Not Found", &[], "reset"));
    let later = calferry::clock::Clock::simulated(
        calferry::clock::Timestamp::from(std::time::UNIX_EPOCH) + std::time::Duration::from_hours(24 * 365 * 70),
    );
    let toml = std::fs::read_to_string(dir.path().join("calferry.toml"))
        .unwrap()
        .replace("[fetch]", "[fetch]\nrefresh = \"1m\"");
    let program = Program::start_in(dir, &toml, later).await;
    eventually("a failed fetch", async || program.source("work").await["trouble"]["reason"] == "not_found").await;
    let reply = program.get(&health, &[]).await;
    assert_eq!(reply.status, 503);
    let health_now = reply.json();
    assert_eq!((health_now["state"].as_str(), health_now["reason"].as_str()), (Some("failing"), Some("not_found")));
    let calendar = program.get(&path(&program.app, "me", 0), &[]).await;
    assert_eq!(calendar.status, 200, "the calendar itself never shows it");
    assert!(calendar.header("cache-status").contains("ttl=-") && calendar.header("cache-status").contains("stale"));
}

#[tokio::test]
async fn metrics_and_status_are_on_the_private_listener_only() {
    let (_upstream, program) = usual().await;
    program.get(&program.path("me"), &[]).await;
    let metrics = program.admin("/metrics").await;
    assert!(metrics.header("content-type").starts_with("application/openmetrics-text"));
    for line in [
        "calferry_requests_total{word=\"fresh\"} 1",
        "calferry_sources{word=\"fresh\"} 1",
        "calferry_devices 2",
        "calferry_fetches_total{word=\"changed\"} 1",
        "calferry_editions 1",
        "# EOF",
    ] {
        assert!(metrics.text().contains(line), "{line} is missing in\n{}", metrics.text());
    }
    assert_eq!(program.admin("/status.json").await.json()["sources"]["work"]["state"], "fresh");
    for path in ["/metrics", "/status.json"] {
        assert_eq!(program.get(path, &[]).await.status, 404, "{path}");
        let posted = send(program.app.admin_listening().unwrap(), request("POST", path, &[])).await;
        assert_eq!(posted.status, 405, "{path}");
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(program.get(path, &[]).await.status, 200, "{path}");
    }
}
