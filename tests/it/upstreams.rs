//! What upstreams see of us.

use std::sync::Arc;

use calferry::clock::{Clock, Timestamp};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::harness::client::{request, send};
use super::harness::program::{Program, path};
use super::harness::upstream::{Act, Upstream, answer, calendar};
use super::harness::{self, eventually};

fn one_source(url: &str, more: &str) -> String {
    format!(
        "[fetch]\nallow_private = true\nrefresh = \"1m\"\n{more}\n[source.work]\nurl = \"{url}\"\n[feed.me]\nsources = [\"work\"]\n"
    )
}

fn hours_later(hours: u64) -> Clock {
    Clock::simulated(Timestamp::from_secs(Clock::System.now().as_secs() + hours * 3600))
}

#[tokio::test]
async fn a_thousand_first_requests_cause_one_fetch_though_the_first_client_hangs_up() {
    let upstream = Upstream::start().await;
    let gate = Arc::new(Semaphore::new(0));
    let Act::Say(whole) = calendar(harness::calendar(3, "first")) else { panic!() };
    upstream.on("/a.ics", Act::WaitAndSay(Arc::clone(&gate), whole));
    let mut toml = one_source(&upstream.url("/a.ics"), "");
    for feed in 0..20 {
        toml.push_str(&format!(
            "[source.s{feed}]\nurl = \"{}\"\n[feed.f{feed}]\nsources = [\"s{feed}\"]\n",
            upstream.url("/a.ics")
        ));
    }
    let program = Arc::new(Program::start(&toml).await);
    let open = async |count: usize| {
        program.admin("/metrics").await.text().contains(&format!("calferry_open_connections {count}\n"))
    };
    let first = {
        let (address, path) = (program.address(), program.path("me"));
        tokio::spawn(async move { send(address, request("GET", &path, &[])).await })
    };
    eventually("the first client", async || upstream.hits("/a.ics") == 1 && open(1).await).await;
    first.abort();
    eventually("its hanging up", async || open(0).await).await;
    let mut clients = JoinSet::new();
    for client in 0..1000 {
        let (address, path) = (program.address(), path(&program.app, &format!("f{}", client % 20), 0));
        clients.spawn(async move { send(address, request("GET", &path, &[])).await.status });
    }
    eventually("a thousand clients", async || open(1000).await).await;
    gate.add_permits(1000);
    assert!(clients.join_all().await.iter().all(|status| *status == 200));
    assert_eq!(upstream.hits("/a.ics"), 1);
}

#[tokio::test]
async fn everybody_who_waits_for_the_first_copy_gets_it() {
    let upstream = Upstream::start().await;
    upstream.on("/a.ics", calendar(harness::calendar(3, "first")));
    let program = Program::start(&one_source(&upstream.url("/a.ics"), "")).await;
    let mut clients = JoinSet::new();
    for _ in 0..200 {
        let (address, path) = (program.address(), program.path("me"));
        clients.spawn(async move { send(address, request("GET", &path, &[("accept-encoding", "gzip")])).await.status });
    }
    assert!(clients.join_all().await.iter().all(|status| *status == 200));
    assert_eq!(upstream.hits("/a.ics"), 1);
}

#[tokio::test]
async fn without_any_copy_the_answer_is_503_with_a_time_to_come_back_and_never_an_empty_calendar() {
    let upstream = Upstream::start().await;
    upstream.on("/a.ics", answer("404 Not Found", &[], ""));
    let program = Program::start(&one_source(&upstream.url("/a.ics"), "")).await;
    let reply = program.get(&program.path("me"), &[]).await;
    assert_eq!(reply.status, 503);
    assert!(reply.header("retry-after").parse::<u32>().unwrap() >= 1);
    assert!(!reply.text().contains("VCALENDAR"));
    assert_eq!(program.source("work").await["state"], "no_copy");
}

#[tokio::test]
async fn validators_are_sent_back_and_304_confirms_the_copy() {
    let upstream = Upstream::start().await;
    let (etag, date) = ("\"abc\"", "Sat, 21 Nov 2026 00:00:00 GMT");
    upstream.on("/a.ics", answer("200 OK", &[("ETag", etag), ("Last-Modified", date)], harness::calendar(3, "kept")));
    let toml = one_source(&upstream.url("/a.ics"), "");
    let program = Program::start(&toml).await;
    eventually("the first copy", async || program.source("work").await["events"] == 3).await;
    let first = &upstream.heads("/a.ics")[0].to_lowercase();
    assert!(first.contains("accept-encoding: gzip\r\n") && !first.contains("if-none-match"));
    let dir = program.stop().await;

    upstream.on("/a.ics", answer("304 Not Modified", &[("ETag", etag)], ""));
    let program = Program::start_in(dir, &toml, hours_later(1)).await;
    eventually("the second fetch", async || upstream.hits("/a.ics") == 2).await;
    let second = &upstream.heads("/a.ics")[1];
    assert!(
        second.contains(&format!("if-none-match: {etag}\r\n"))
            && second.contains(&format!("if-modified-since: {date}\r\n"))
    );
    eventually("the confirmation", async || program.source("work").await["age_seconds"].as_u64().unwrap() < 60).await;
    assert_eq!(program.source("work").await["state"], "fresh");
}

#[tokio::test]
async fn two_fetches_that_differ_only_in_the_time_of_asking_publish_the_same_bytes() {
    for undated in [false, true] {
        let upstream = Upstream::start().await;
        let text = harness::calendar(3, "same");
        let text = if undated { text.replace("LAST-MODIFIED:20261118T081122Z\r\n", "") } else { text };
        upstream.on("/a.ics", calendar(&text));
        let toml = one_source(&upstream.url("/a.ics"), "");
        let program = Program::start(&toml).await;
        eventually("the first copy", async || program.source("work").await["events"] == 3).await;
        let before = program.get(&program.path("me"), &[]).await;
        let dir = program.stop().await;

        upstream.on("/a.ics", calendar(text.replace("20261122T070312Z", "20261122T081500Z")));
        let program = Program::start_in(dir, &toml, hours_later(1)).await;
        eventually("the second fetch", async || program.source("work").await["age_seconds"].as_u64().unwrap() < 60)
            .await;
        let after = program.get(&program.path("me"), &[]).await;
        for header in ["etag", "last-modified"] {
            assert_eq!(after.header(header), before.header(header));
        }
        assert_eq!(after.body, before.body);
        let dir = program.stop().await;

        // A single EXDATE, parameter or alarm is a change.
        for line in
            ["EXDATE:20261125T003000Z", "X-A;B=c:d", "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT5M\r\nEND:VALARM"]
        {
            let changed = text.replace("SUMMARY:same 2\r\n", &format!("SUMMARY:same 2\r\n{line}\r\n"));
            upstream.on("/a.ics", calendar(changed));
        }
        let program = Program::start_in(dir, &toml, hours_later(3)).await;
        eventually("the third fetch", async || program.source("work").await["age_seconds"].as_u64().unwrap() < 60)
            .await;
        let changed = program.get(&program.path("me"), &[]).await;
        assert_ne!(changed.header("etag"), before.header("etag"));
        assert_ne!(changed.header("last-modified"), before.header("last-modified"));
        assert!(changed.text().contains("BEGIN:VALARM"));
    }
}

#[tokio::test]
async fn the_pasted_address_is_asked_for_to_the_letter_and_redirects_are_followed() {
    let upstream = Upstream::start().await;
    let pasted = "/ical/lin%40example.com/private-0123456789abcdef/a%2520b.ics?x=%7E+1&y";
    upstream.on(pasted, answer("302 Found", &[("Location", "/b/../c%40d.ics?z=%41")], ""));
    upstream.on("/c%40d.ics?z=%41", calendar(harness::calendar(3, "there")));
    let program = Program::start(&one_source(&upstream.url(pasted), "")).await;
    eventually("the copy", async || program.source("work").await["events"] == 3).await;
    assert_eq!(upstream.hits(pasted), 1);
}

#[tokio::test]
async fn a_calendar_that_holds_its_own_secret_address_is_served_without_it() {
    let upstream = Upstream::start().await;
    let secret = "/ical/lin%40example.com/private-0123456789abcdef0123456789abcdef/basic.ics";
    let url = upstream.url(secret);
    let (host, folded) = (upstream.address, &url[..20]);
    let text = harness::calendar(3, "mine").replace(
        "SUMMARY:mine 1\r\n",
        &format!(
            "SUMMARY:mine 1\r\nURL:{url}\r\nX-ORIGINAL-URL:{folded}\r\n {}\r\nSOURCE;VALUE=URI:webcal://{host}{secret}\r\n\
             DESCRIPTION:see private-0123456789abcdef01234567\r\n 89abcdef here\r\nCOMMENT:http://{host}{}\r\nX-KEPT:lin@example.com\r\n",
            &url[20..],
            secret.replace("%40", "@"),
        ),
    );
    upstream.on(secret, calendar(text));
    let program = Program::start(&one_source(&url, "")).await;
    eventually("the copy", async || program.source("work").await["events"] == 3).await;
    let reply = program.get(&program.path("me"), &[]).await;
    let unfolded = reply.text().replace("\r\n ", "");
    assert!(
        !unfolded.contains("private-0123")
            && unfolded.contains("X-KEPT:lin@example.com")
            && unfolded.contains("SUMMARY:mine 1")
    );
    for gone in ["URL:", "SOURCE", "DESCRIPTION", "COMMENT"] {
        assert!(!unfolded.contains(gone), "{gone}");
    }
}

#[tokio::test]
async fn lines_that_are_no_content_line_do_not_sink_the_calendar_and_are_counted() {
    let upstream = Upstream::start().await;
    let text = harness::calendar(3, "kept")
        .replace("SUMMARY:kept 1\r\n", "SUMMARY:kept 1\r\nthis is no line\r\n\r\n: neither\r\n");
    upstream.on("/a.ics", calendar(format!("\u{feff}\r\n{}", text.replace("\r\n", "\n"))));
    let program = Program::start(&one_source(&upstream.url("/a.ics"), "")).await;
    eventually("the copy", async || program.source("work").await["junk_lines"] == 2).await;
    let reply = program.get(&program.path("me"), &[]).await;
    assert!(reply.text().starts_with("BEGIN:VCALENDAR\r\n") && !reply.text().contains("neither"));
    assert_eq!(reply.text().matches('\n').count(), reply.text().matches("\r\n").count());
    assert_eq!(reply.text().matches("SUMMARY:kept").count(), 3);
}
