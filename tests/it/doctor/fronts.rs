//! Fronts that do what phones cannot live with.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use tokio::net::TcpListener;

use super::super::harness::front::{Answer, Asked, Front, Manner, page};
use super::super::harness::program::Program;
use super::super::harness::upstream::{Act, Upstream, answer};
use super::{HOST, Scene};

const HTML: (&str, &str) = ("content-type", "text/html; charset=UTF-8");

/// A front that answers all who ask with this.
fn always(status: u16, headers: &'static [(&str, &str)], body: &'static str) -> Manner {
    Manner::instead(move |_| Some(page(status, headers, body)))
}

#[tokio::test]
async fn what_answers_in_the_place_of_the_program_is_told_by_name() {
    let scene = Scene::new().await;
    let challenge: &[_] = &[("cf-mitigated", "challenge"), HTML];
    for (status, headers, body, name) in [
        (403, challenge, "<title>Just a moment...</title>", "challenge_page"),
        (403, &[], "error code: 1010", "browser_integrity_check"),
        (403, &[], "error code: 1020", "blocked"),
        (429, &[], "error code: 1015", "rate_limited"),
        (502, &[HTML], "<h1>502 Bad Gateway</h1>", "origin_unreachable"),
        (521, &[HTML], "error code: 521", "origin_unreachable"),
        (522, &[HTML], "error code: 522", "origin_unreachable"),
        (524, &[HTML], "error code: 524", "origin_timeout"),
        (525, &[HTML], "error code: 525", "origin_handshake"),
        (526, &[HTML], "error code: 526", "origin_certificate"),
        (530, &[], "error code: 1033", "tunnel_down"),
        (520, &[], "error code: 520", "front_error"),
        (200, &[HTML, ("cf-cache-status", "HIT")], "<html>", "html_cached"),
        (301, &[("location", "https://www.example.com/private-c0ffee00")], "", "redirected"),
        (200, &[HTML], "<h1>Welcome to nginx!</h1>", "not_calferry"),
    ] {
        let report = scene.behind(always(status, headers, body)).await;
        report.is(&[(name, "error")]);
        let words = report.words(name);
        assert!(name != "blocked" || words.contains("(HTTP 403, 1020)"), "{words}");
        assert!(name != "redirected" || words.ends_with("HTTP 301 to https://www.example.com"), "{words}");
        assert!(name != "not_calferry" || words.contains("server: cloudflare"), "{words}");
        assert_eq!(report.words("not_checked"), "not looked at: a feed");
    }
}

#[tokio::test]
async fn who_is_turned_away_is_told_and_the_others_are_looked_after() {
    let scene = Scene::new().await;
    let by = |agent: &'static str| {
        Manner::instead(move |asked| {
            asked.header("user-agent").contains(agent).then(|| page(403, &[], "error code: 1010"))
        })
    };
    let report = scene.behind(by("dataaccessd")).await;
    report.is(&[("browser_integrity_check", "error")]);
    assert!(report.words("browser_integrity_check").ends_with("turns away: iPhone (dataaccessd)"), "{}", report.said);
    assert!(report.words("feed_arrives").starts_with("the calendar arrives whole; Android (ICSx5): gzip"));
    // Phones get through: it is the lesser evil.
    scene.behind(by("curl")).await.is(&[("browser_integrity_check", "warning")]);
    let on_calendars = Manner::instead(|asked| {
        asked
            .is_calendar()
            .then(|| page(403, &[("cf-mitigated", "challenge"), HTML], "<title>Just a moment...</title>"))
    });
    let report = scene.behind(on_calendars).await;
    report.is(&[("challenge_page", "error")]);
    assert!(report.said.contains("\"subject\": \"feed me\""), "{}", report.said);
}

/// The word `from` becomes `to` in what the probe answers.
fn probe_says(from: &'static str, to: &'static str) -> Manner {
    Manner::outwards(move |asked, answer| {
        if asked.is_probe() {
            let text = std::str::from_utf8(answer.body()).unwrap();
            assert!(text.contains(from), "{text}");
            *answer.body_mut() = Bytes::from(text.replace(from, to));
        }
    })
}

#[tokio::test]
async fn what_reaches_the_program_otherwise_than_it_should_is_told() {
    let scene = Scene::new().await;
    let report = scene.behind(Manner::inwards(|asked| drop(asked.headers.remove("cf-connecting-ip")))).await;
    report.is(&[("client_address_lost", "error")]);
    assert!(report.words("client_address_lost").contains("counts as 127.0.0.1"), "{}", report.said);
    let two = Manner::inwards(|asked| {
        asked.headers.append("cf-connecting-ip", HeaderValue::from_static("198.51.100.1"));
    });
    scene.behind(two).await.is(&[("request_mangled", "error")]);
    // The end of the connection cannot be Cloudflare's in a test, so the probe's word is changed on its way.
    scene.behind(probe_says("\"local\"", "\"cloudflare\"")).await.is(&[("ssl_flexible", "error")]);
    scene.behind(probe_says(env!("CARGO_PKG_VERSION"), "0.0.9")).await.is(&[("other_version", "warning")]);
    scene.behind(probe_says("\"instance\":\"", "\"instance\":\"x")).await.is(&[("other_instance", "error")]);
    let other = Program::start("[source.a]\nurl = \"https://cal.invalid/a.ics\"\n[feed.me]\nsources = [\"a\"]\n").await;
    let front = Front::start(other.address(), Some(scene.good_tls()), Manner::Honest).await;
    scene.look(front.address, &[]).await.is(&[("other_instance", "error")]);
}

/// Does `change` to answers with a calendar.
fn to_calendars(change: impl Fn(&Asked, &mut Answer) + Send + Sync + 'static) -> Manner {
    Manner::outwards(move |asked, answer| {
        if asked.is_calendar() {
            change(asked, answer);
        }
    })
}

#[tokio::test]
async fn what_becomes_of_a_calendar_on_its_way_is_told() {
    let scene = Scene::new().await;
    let without = |name: &'static str| Manner::inwards(move |asked| drop(asked.headers.remove(name)));
    let report = scene.behind(without("accept-encoding")).await;
    report.is(&[("compression_lost", "warning")]);
    assert!(report.words("compression_lost").ends_with("iPhone (dataaccessd), Android (ICSx5)"), "{}", report.said);
    scene.behind(without("if-none-match")).await.is(&[("not_modified_lost", "warning")]);
    let weakened = to_calendars(|_, answer| {
        let tag = format!("W/{}", answer.headers()["etag"].to_str().unwrap());
        answer.headers_mut().insert("etag", tag.parse().unwrap());
    });
    scene.behind(weakened).await.is(&[("etag_weakened", "warning")]);
    let untagged = to_calendars(|_, answer| drop(answer.headers_mut().remove("etag")));
    scene.behind(untagged).await.is(&[("etag_lost", "warning")]);
    let kept = to_calendars(|_, answer| {
        answer.headers_mut().insert("cf-cache-status", HeaderValue::from_static("HIT"));
    });
    let front = Front::start(scene.program.address(), Some(scene.good_tls()), kept).await;
    scene.look(front.address, &[]).await.is(&[("calendar_cached", "error")]);
    let resolve = format!("{HOST}:443:{}", front.address);
    let mut doctor = scene.command(&format!("https://{HOST}"), &["--json", "--resolve", &resolve]);
    let asked_for = doctor.env("CALFERRY__SERVER__EDGE_CACHE", "5m").output().await.unwrap();
    super::Report::read(asked_for).is(&[]);
    let page = Manner::instead(|asked| asked.is_calendar().then(|| page(200, &[HTML], "<html>")));
    scene.behind(page).await.is(&[("feed_damaged", "error")]);
    let changed = to_calendars(|asked, answer| {
        if asked.header("accept-encoding") == "identity" {
            *answer.body_mut() = Bytes::from_static(b"\n\nBEGIN:VCALENDAR");
        }
    });
    scene.behind(changed).await.is(&[("feed_damaged", "error")]);
}

/// A cache that keeps calendars for whoever takes the same codings. `fresh` is done to what it gives out.
fn keeping(fresh: impl Fn(&mut Answer) + Send + Sync + 'static) -> Manner {
    let kept: Mutex<HashMap<String, Answer>> = Mutex::default();
    to_calendars(move |asked, answer| {
        let mut kept = kept.lock().unwrap();
        *answer = kept.entry(asked.header("accept-encoding").to_owned()).or_insert_with(|| answer.clone()).clone();
        fresh(answer);
    })
}

#[tokio::test]
async fn a_cache_is_told_by_what_it_says_and_if_it_says_nothing_by_what_comes_twice() {
    let scene = Scene::new().await;
    for (name, value) in
        [("x-cache-status", "HIT"), ("x-cache", "HIT from squid"), ("x-varnish", "98310 65537"), ("age", "7")]
    {
        let says =
            to_calendars(move |_, answer| drop(answer.headers_mut().insert(name, HeaderValue::from_static(value))));
        let report = scene.behind(says).await;
        report.is(&[("calendar_cached", "error")]);
        assert!(report.words("calendar_cached").contains(&format!("({name}")), "{}", report.said);
    }
    // Varnish without Age, and nginx, which writes the time anew.
    let report = scene.behind(keeping(|_| ())).await;
    report.is(&[("calendar_cached", "error")]);
    assert!(report.words("calendar_cached").contains("(2x date: "), "{}", report.said);
    let nginx = keeping(|answer| {
        let now = Duration::from_secs(calferry::clock::Clock::System.now().as_secs());
        let date = httpdate::fmt_http_date(std::time::UNIX_EPOCH + now);
        answer.headers_mut().insert("date", date.parse().unwrap());
    });
    let report = scene.behind(nginx).await;
    report.is(&[("calendar_cached", "error")]);
    assert!(report.words("calendar_cached").contains("(2x cache-status: calferry; hit"), "{}", report.said);
}

#[tokio::test]
async fn a_front_that_takes_its_time_is_told() {
    let scene = Scene::new().await;
    let report = scene.behind(Manner::Late(Duration::from_millis(2100))).await;
    report.is(&[("slow_answers", "warning")]);
    assert!(report.words("slow_answers").contains(" takes 2."), "{}", report.said);
}

#[tokio::test]
async fn a_feed_that_the_running_program_does_not_have_is_told() {
    let scene = Scene::new().await;
    let front = Front::start(scene.program.address(), Some(scene.good_tls()), Manner::Honest).await;
    let settings = std::fs::read_to_string(scene.file("calferry.toml")).unwrap();
    std::fs::write(scene.file("calferry.toml"), settings.replace("\"iphone\"", "\"ipad\"")).unwrap();
    let resolve = format!("{HOST}:443:{}", front.address);
    let mut doctor = scene.command(&format!("https://{HOST}"), &["--json", "--resolve", &resolve]);
    super::Report::read(doctor.output().await.unwrap()).is(&[("feed_unknown", "error")]);
}

#[tokio::test]
async fn a_feed_without_a_calendar_is_told() {
    let upstream = Upstream::start().await;
    let more = format!("[source.late]\nurl = \"{}\"\n", upstream.url("/late"));
    let scene = Scene::with(&more).await;
    let settings = std::fs::read_to_string(scene.file("calferry.toml")).unwrap();
    // The feed of the running program takes its source from the one that never answers well.
    let late = settings
        .replace("sources = [\"work\"]", "sources = [\"late\"]")
        .replace("[server]", "[server]\nfirst_wait = \"0s\"");
    let (dir, Scene { authority, .. }) = (tempfile::tempdir().unwrap(), scene);
    std::fs::write(dir.path().join("ca.pem"), authority.pem()).unwrap();
    let program = Program::start_in(dir, &late, calferry::clock::Clock::System).await;
    let scene = Scene { _upstream: upstream, program, authority };
    let front = Front::start(scene.program.address(), Some(scene.good_tls()), Manner::Honest).await;
    scene.look(front.address, &["--skip-sources"]).await.is(&[("feed_without_copy", "warning")]);
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_told_by_cloudflares_time_or_by_the_date() {
    let scene = Scene::new().await;
    let now = || calferry::clock::Clock::System.now().as_secs();
    let ahead = Manner::outwards(move |asked, answer| {
        if asked.path == "/cdn-cgi/trace" {
            *answer.body_mut() = Bytes::from(format!("ts={}.5\n", now() + 60));
        }
    });
    let report = scene.behind(ahead).await;
    report.is(&[("clock_wrong", "warning")]);
    assert!(
        report.words("clock_wrong").contains(" -5") || report.words("clock_wrong").contains(" -6"),
        "{}",
        report.said
    );
    let dated = Manner::outwards(move |_, answer| {
        let date = httpdate::fmt_http_date(std::time::UNIX_EPOCH + std::time::Duration::from_secs(now() - 3600));
        answer.headers_mut().insert("date", date.parse().unwrap());
        answer.headers_mut().remove("cf-ray");
    });
    scene.behind(dated).await.is(&[("clock_wrong", "error")]);
}

/// An address where nobody listens.
async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn where_the_name_leads_to_nobody_is_told() {
    let scene = Scene::new().await;
    let nobody = nobody().await;
    let report = scene.look(nobody, &[]).await;
    report.is(&[("unreachable", "error")]);
    assert!(report.words("unreachable").ends_with("connection refused"), "{}", report.said);
    let front = Front::start(scene.program.address(), Some(scene.good_tls()), Manner::Honest).await;
    let second = format!("{HOST}:443:{nobody}");
    scene.look(front.address, &["--resolve", &second]).await.is(&[("address_unreachable", "warning")]);
    scene.run("https://nowhere.invalid", &[]).await.is(&[("name_not_found", "error")]);
    let odd_port = [format!("https://{HOST}:8444"), format!("{HOST}:8444:104.16.0.1")];
    let report = scene.run(&odd_port[0], &["--resolve", &odd_port[1]]).await;
    report.is(&[("port_not_proxied", "error")]);
    assert_eq!(report.words("leads_to"), "cal.example.com leads to 104.16.0.1 (Cloudflare)");
}

#[tokio::test]
async fn a_name_that_leads_into_a_private_network_is_told() {
    let scene = Scene::new().await;
    let front = Front::start(
        scene.program.address(),
        Some(super::tls(&super::params("127.0.0.1"), &scene.authority, &[])),
        Manner::Honest,
    )
    .await;
    scene.run(&format!("https://{}", front.address), &[]).await.is(&[("not_public", "warning")]);
}

#[tokio::test]
async fn what_is_not_encrypted_is_told() {
    let scene = Scene::new().await;
    let front = Front::start(scene.program.address(), None, Manner::Honest).await;
    let resolve = format!("{HOST}:80:{}", front.address);
    scene.run(&format!("http://{HOST}"), &["--resolve", &resolve]).await.is(&[("not_encrypted", "warning")]);
    scene.look(front.address, &[]).await.is(&[("no_tls", "error")]);

    let encrypted = Front::start(scene.program.address(), Some(scene.good_tls()), Manner::Honest).await;
    let report = scene.look(encrypted.address, &["--resolve", &resolve]).await;
    report.is(&[]);
    assert_eq!(report.words("http_answers"), "port 80 answers in the clear (HTTP 200)");
    let leads = Manner::instead(|_| Some(page(301, &[("location", "https://cal.example.com/robots.txt")], "")));
    let front = Front::start(scene.program.address(), None, leads).await;
    let resolve = format!("{HOST}:80:{}", front.address);
    let report = scene.look(encrypted.address, &["--resolve", &resolve]).await;
    report.is(&[]);
    assert_eq!(report.words("http_redirects"), "port 80 leads to https");
}

#[tokio::test]
async fn who_answers_with_something_else_than_http_is_told() {
    let scene = Scene::new().await;
    let front = Upstream::start_with([127, 0, 0, 1], Some(scene.old_tls())).await;
    let probe = format!("/{}/probe", scene.program.app.key().probe_token().reveal());
    front.on(&probe, Act::Say(b"220 mail.example.com ESMTP\r\n".to_vec()));
    scene.look(front.address, &[]).await.is(&[("no_answer", "error")]);
    front.on(&probe, answer("200 OK", &[("Server", "imposter 1.0")], "hello"));
    let report = scene.look(front.address, &[]).await;
    report.is(&[("not_calferry", "error")]);
    assert!(report.words("not_calferry").ends_with("server: imposter)"), "{}", report.said);
}

#[tokio::test]
async fn the_probe_says_how_a_request_came_and_only_to_who_has_the_key() {
    let scene = Scene::new().await;
    let token = scene.program.app.key().probe_token().reveal().to_owned();
    let reply = scene.program.get(&format!("/{token}/probe"), &[]).await;
    assert_eq!((reply.status.as_u16(), reply.header("cache-control")), (200, "no-store"));
    let said = reply.json();
    assert_eq!((&said["client"], &said["peer"]), (&"127.0.0.1".into(), &"local".into()));
    assert_eq!((&said["believed"], &said["tls"], &said["http"]), (&false.into(), &false.into(), &"1.1".into()));
    assert_eq!(said.as_object().unwrap().len(), 8, "{said}");
    let named = scene.program.get(&format!("/{token}/probe"), &[("cf-connecting-ip", "203.0.113.9")]).await.json();
    assert_eq!((&named["client"], &named["believed"]), (&"203.0.113.9".into(), &true.into()));

    let device = scene.program.path("me").trim_end_matches(".ics").to_owned();
    let wrong = scene.program.get("/wrong.ics", &[]).await;
    for path in [
        format!("{device}/probe"),
        "/x/probe".into(),
        format!("/{token}.ics"),
        format!("/{token}/health"),
        "/probe".into(),
    ] {
        let reply = scene.program.get(&path, &[]).await;
        assert_eq!((reply.status, &reply.body), (wrong.status, &wrong.body), "{path}");
    }
    // Wrong ones count as wrong tokens do.
    let mut statuses = Vec::new();
    for _ in 0..8 {
        statuses.push(scene.program.get("/y/probe", &[]).await.status.as_u16());
    }
    assert_eq!(statuses.last(), Some(&429));
}
