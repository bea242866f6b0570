//! Every bad answer we could think of, and none ever takes the place of a good copy.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use calferry::clock::{Clock, Timestamp};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use super::harness::program::{Program, path};
use super::harness::upstream::{Act, Upstream, answer, calendar};
use super::harness::{self, eventually};

const ICS: (&str, &str) = ("Content-Type", "text/calendar; charset=UTF-8");
const HTML: (&str, &str) = ("Content-Type", "text/html");

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn say(text: impl AsRef<[u8]>) -> Act {
    Act::Say(text.as_ref().to_vec())
}

/// What an upstream does, and the name under which it is known afterwards.
#[expect(clippy::too_many_lines, reason = "a table")]
fn bad_answers(other: &Upstream) -> Vec<(&'static str, Act, &'static str)> {
    let good = harness::calendar(30, "new");
    let page = "<!DOCTYPE html><html><head><title>Google Calendar</title></head><body>hello</body></html>";
    let captcha = "<html><body>Our systems have detected unusual traffic from your computer network.</body></html>";
    let head =
        |length: usize| format!("HTTP/1.1 200 OK\r\nContent-Type: text/calendar\r\nContent-Length: {length}\r\n\r\n");
    let cut = |at: usize| &good[..at];
    let with = |line: &str| good.replace("END:VCALENDAR", &format!("{line}END:VCALENDAR"));
    let nested = |levels: usize| with(&"BEGIN:VEVENT\r\n".repeat(levels));
    let redirect = |to: &str| answer("302 Found", &[("Location", to)], "");
    let status = |status: &str| answer(status, &[HTML], page);
    let gb18030 = [
        &good.as_bytes()[..good.len() - 15],
        "SUMMARY:".as_bytes(),
        &[0xB9, 0xA4, 0xD7, 0xF7],
        b"\r\nEND:VCALENDAR\r\n",
    ]
    .concat();
    let utf16: Vec<u8> = [0xFF, 0xFE].into_iter().chain(good.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let bomb = gzip(&vec![b' '; 80 << 20]);
    let mut cut_gzip = gzip(good.as_bytes());
    cut_gzip.truncate(cut_gzip.len() / 2);
    let mut bad_gzip = gzip(good.as_bytes());
    let middle = bad_gzip.len() / 2;
    bad_gzip[middle] ^= 0xFF;
    vec![
        // Nothing, or not HTTP
        ("closes without a word", say(""), "interrupted"),
        ("resets without a word", Act::SayAndReset(vec![]), "interrupted"),
        ("says nothing", Act::SayAndHang(vec![]), "timeout"),
        ("hangs in the head", Act::SayAndHang(b"HTTP/1.1 200 OK\r\nContent-".to_vec()), "timeout"),
        ("speaks SMTP", say("220 mail.example.com ESMTP\r\n"), "not_http"),
        ("speaks TLS", say([0x15, 3, 1, 0, 2, 2, 70]), "not_http"),
        ("sends a body without a head", say(&good), "not_http"),
        ("sends a head without end", say(format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(200_000))), "not_http"),
        // Cut, or lying about its length
        (
            "closes in the middle of a body with a length",
            say(format!("{}{}", head(good.len()), cut(500))),
            "interrupted",
        ),
        (
            "resets in the middle of a body",
            Act::SayAndReset(format!("{}{}", head(good.len()), cut(500)).into()),
            "interrupted",
        ),
        (
            "hangs in the middle of a body",
            Act::SayAndHang(format!("{}{}", head(good.len()), cut(500)).into()),
            "timeout",
        ),
        ("says a shorter length than it sends", say(format!("{}{good}", head(good.len() - 15))), "truncated"),
        ("says a longer length than it sends", say(format!("{}{good}", head(good.len() + 20))), "interrupted"),
        (
            "ends a chunked body in the middle",
            say(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100\r\n{}\r\n", cut(256))),
            "interrupted",
        ),
        (
            "sends chunks that are none",
            say(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{good}")),
            "interrupted",
        ),
        (
            "has no length and closes in the middle of a line",
            say(format!("HTTP/1.1 200 OK\r\n\r\n{}", cut(500))),
            "truncated",
        ),
        (
            "ends before END:VCALENDAR",
            answer("200 OK", &[ICS], good.strip_suffix("END:VCALENDAR\r\n").unwrap()),
            "truncated",
        ),
        ("ends inside END:VCALENDAR", answer("200 OK", &[ICS], good.strip_suffix("DAR\r\n").unwrap()), "unbalanced"),
        // Statuses
        ("204", answer("204 No Content", &[ICS], ""), "empty"),
        ("205", answer("205 Reset Content", &[ICS], ""), "empty"),
        (
            "206 with a part",
            answer("206 Partial Content", &[ICS, ("Content-Range", "bytes 0-499/9999")], cut(500)),
            "partial",
        ),
        ("206 with the whole", answer("206 Partial Content", &[ICS], &good), "partial"),
        ("200 and nothing", answer("200 OK", &[ICS], ""), "empty"),
        ("200 and blank lines", answer("200 OK", &[ICS], "\r\n\r\n \r\n"), "empty"),
        ("300", status("300 Multiple Choices"), "unexpected_status"),
        ("304 though nothing was asked", answer("304 Not Modified", &[], ""), "unexpected_status"),
        ("400", status("400 Bad Request"), "refused"),
        ("401", status("401 Unauthorized"), "denied"),
        ("403", status("403 Forbidden"), "denied"),
        ("403 with a captcha", answer("403 Forbidden", &[HTML], captcha), "captcha"),
        ("404 with a calendar in it", answer("404 Not Found", &[ICS], &good), "not_found"),
        ("410", status("410 Gone"), "not_found"),
        ("418", status("418 I'm a teapot"), "refused"),
        ("429 with Retry-After", answer("429 Too Many Requests", &[("Retry-After", "120")], ""), "throttled"),
        ("429 without", status("429 Too Many Requests"), "throttled"),
        ("500 with a calendar in it", answer("500 Internal Server Error", &[ICS], &good), "server_error"),
        ("502", status("502 Bad Gateway"), "server_error"),
        (
            "503 with a date in Retry-After",
            answer("503 Unavailable", &[("Retry-After", "Sun, 22 Nov 2026 08:00:00 GMT")], ""),
            "server_error",
        ),
        ("503 with a captcha", answer("503 Unavailable", &[HTML], captcha), "captcha"),
        ("599", status("599 Odd"), "server_error"),
        // Something else at 200
        ("a web page", answer("200 OK", &[HTML], page), "web_page"),
        ("a web page that says it is a calendar", answer("200 OK", &[ICS], page), "web_page"),
        ("a captcha at 200", answer("200 OK", &[HTML], captcha), "captcha"),
        ("XML", answer("200 OK", &[ICS], "<?xml version=\"1.0\"?><error/>"), "web_page"),
        (
            "JSON",
            answer("200 OK", &[("Content-Type", "application/json")], "{\"error\": {\"code\": 403}}"),
            "not_calendar",
        ),
        ("words", answer("200 OK", &[ICS], "Calendar not found"), "not_calendar"),
        ("a vCard", answer("200 OK", &[ICS], "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:x\r\nEND:VCARD\r\n"), "not_calendar"),
        ("a page with a calendar behind it", answer("200 OK", &[ICS], format!("{page}{good}")), "web_page"),
        ("words before the calendar", answer("200 OK", &[ICS], format!("Warning: mysql\r\n{good}")), "not_calendar"),
        (
            "an event without a calendar",
            answer("200 OK", &[ICS], "BEGIN:VEVENT\r\nUID:1\r\nEND:VEVENT\r\n"),
            "not_calendar",
        ),
        ("NUL bytes", answer("200 OK", &[ICS], vec![0; 5000]), "not_calendar"),
        // Charsets
        ("GB 18030", answer("200 OK", &[ICS], gb18030), "wrong_charset"),
        ("UTF-16", answer("200 OK", &[ICS], utf16), "wrong_charset"),
        // Codings
        (
            "brotli that was not asked for",
            answer("200 OK", &[ICS, ("Content-Encoding", "br")], &good),
            "unknown_coding",
        ),
        (
            "gzip twice",
            answer("200 OK", &[ICS, ("Content-Encoding", "gzip, gzip")], gzip(&gzip(good.as_bytes()))),
            "unknown_coding",
        ),
        ("gzip that is none", answer("200 OK", &[ICS, ("Content-Encoding", "gzip")], &good), "bad_coding"),
        ("gzip that is cut", answer("200 OK", &[ICS, ("Content-Encoding", "gzip")], cut_gzip), "bad_coding"),
        ("gzip that is damaged", answer("200 OK", &[ICS, ("Content-Encoding", "gzip")], bad_gzip), "bad_coding"),
        ("gzip that is not announced", answer("200 OK", &[ICS], gzip(good.as_bytes())), "not_calendar"),
        ("a gzip bomb", answer("200 OK", &[ICS, ("Content-Encoding", "gzip")], bomb), "too_large"),
        ("more than the cap", answer("200 OK", &[ICS], format!("{}{}", cut(100), " ".repeat(5 << 20))), "too_large"),
        // Structure
        ("an END too many", answer("200 OK", &[ICS], with("END:VEVENT\r\n")), "unbalanced"),
        (
            "components crossed",
            answer("200 OK", &[ICS], with("BEGIN:VEVENT\r\nBEGIN:VALARM\r\nEND:VEVENT\r\nEND:VALARM\r\n")),
            "unbalanced",
        ),
        ("1,600 unclosed components", answer("200 OK", &[ICS], nested(1600)), "too_much"),
        ("100,000 unclosed components", answer("200 OK", &[ICS], nested(100_000)), "too_much"),
        ("a line of 2 MB", answer("200 OK", &[ICS], with(&format!("X-LONG:{}\r\n", "x".repeat(2 << 20)))), "too_much"),
        (
            "a folded line of 2 MB",
            answer("200 OK", &[ICS], with(&format!("X-LONG:{}\r\n", "x\r\n ".repeat(500_000)))),
            "too_much",
        ),
        (
            "30,000 properties",
            answer("200 OK", &[ICS], with(&format!("BEGIN:VEVENT\r\n{}END:VEVENT\r\n", "X-A:b\r\n".repeat(30_000)))),
            "too_much",
        ),
        // Redirects
        ("a ring", redirect("?ring"), "redirects"),
        ("a redirect to itself", redirect(""), "redirects"),
        ("a redirect without Location", answer("302 Found", &[], ""), "bad_redirect"),
        ("a redirect to another scheme", redirect("ftp://example.com/a.ics"), "bad_redirect"),
        ("a redirect to javascript", redirect("javascript:alert(1)"), "bad_redirect"),
        ("a redirect to Google's sign-in", redirect("https://accounts.google.com/ServiceLogin?continue=x"), "sign_in"),
        ("a redirect to Google's captcha", redirect("/sorry/index?continue=x"), "captcha"),
        ("a redirect to another host that has nothing", redirect(&other.url("/nothing")), "not_found"),
        // Suddenly almost empty
        ("no events at all", calendar(harness::calendar(0, "new")), "collapsed"),
        ("a fifth of the events less one", calendar(harness::calendar(5, "new")), "collapsed"),
    ]
}

fn is_refusal(name: &str) -> bool {
    matches!(name, "throttled" | "captcha")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_bad_answer_ever_replaces_a_good_copy() {
    let (upstream, other) = (Upstream::start().await, Upstream::start().await);
    let cases = bad_answers(&other);
    // A host that refuses is left alone as a whole, so each refusal has a host of its own.
    let mut refusing = Vec::new();
    for _ in cases.iter().filter(|(_, _, name)| is_refusal(name)) {
        let last = u8::try_from(10 + refusing.len()).unwrap();
        refusing.push(Upstream::start_with([127, 0, 0, last], None).await);
    }
    let mut refusing = refusing.iter();
    let hosts: Vec<_> =
        cases.iter().map(|(_, _, name)| if is_refusal(name) { refusing.next().unwrap() } else { &upstream }).collect();
    assert!(cases.len() >= 60, "{} cases", cases.len());
    let mut toml = String::from(
        "[fetch]\nallow_private = true\nrefresh = \"1m\"\nmax_size = \"4MiB\"\ntimeout = \"3s\"\nheader_timeout = \"2s\"\n\
         concurrent = 100\nper_host = 100\nper_host_minute = 100000\n",
    );
    for (index, upstream) in hosts.iter().enumerate() {
        let path = format!("/{index}.ics");
        upstream.on(&path, calendar(harness::calendar(30, &format!("good{index}"))));
        toml.push_str(&format!(
            "[source.s{index}]\nurl = \"{}\"\n[feed.f{index}]\nsources = [\"s{index}\"]\n",
            upstream.url(&path)
        ));
    }
    let program = Program::start(&toml).await;
    let good = async |program: &Program| {
        let sources = program.admin("/status.json").await.json()["sources"].clone();
        (0..cases.len()).all(|index| sources[format!("s{index}")]["events"] == 30)
    };
    eventually("the good copies", async || good(&program).await).await;
    let dir = program.stop().await;

    for (index, ((_, act, _), upstream)) in cases.iter().zip(&hosts).enumerate() {
        upstream.on(&format!("/{index}.ics"), act.clone());
        upstream.on(&format!("/{index}.ics?ring"), answer("302 Found", &[("Location", &format!("/{index}.ics"))], ""));
    }
    // An hour later all are due.
    let later = Timestamp::from_secs(Clock::System.now().as_secs() + 3600);
    let program = Program::start_in(dir, &toml, Clock::simulated(later)).await;
    eventually("a verdict on every answer", async || {
        let sources = program.admin("/status.json").await.json()["sources"].clone();
        (0..cases.len()).all(|index| sources[format!("s{index}")]["trouble"]["reason"].is_string())
    })
    .await;
    let mut wrong = Vec::new();
    for (index, (name, _, expected)) in cases.iter().enumerate() {
        let reason = program.source(&format!("s{index}")).await["trouble"]["reason"].clone();
        if reason != *expected {
            wrong.push(format!("{name}: {reason}, not {expected}"));
        }
        let reply = program.get(&path(&program.app, &format!("f{index}"), 0), &[]).await;
        assert_eq!(reply.status, 200, "{name}");
        assert!(reply.text().contains(&format!("SUMMARY:good{index} 29\r\n")), "{name}: the good copy is gone");
        assert_eq!(reply.text().matches("BEGIN:VEVENT").count(), 30, "{name}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A server certificate for `name`, and an acceptor that shows it.
fn certificate(name: &str, valid_until: i32) -> (String, TlsAcceptor) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(valid_until, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    (certificate.pem(), TlsAcceptor::from(Arc::new(config)))
}

#[tokio::test]
async fn tls_must_be_right_and_never_leads_back_to_plain_text() {
    let (trusted, acceptor) = certificate("localhost", 2050);
    let (expired, expired_acceptor) = certificate("localhost", 2020);
    let (elsewhere, elsewhere_acceptor) = certificate("elsewhere.example", 2050);
    let (_, unknown_acceptor) = certificate("localhost", 2050);
    let right = Upstream::start_with([127, 0, 0, 1], Some(acceptor)).await;
    let plain = Upstream::start().await;
    right.on("/good.ics", calendar(harness::calendar(3, "secure")));
    right.on("/down.ics", answer("301 Moved", &[("Location", &plain.url("/a.ics"))], ""));
    plain.on("/a.ics", calendar(harness::calendar(3, "plain")));
    let with_acceptor = async |acceptor| {
        let upstream = Upstream::start_with([127, 0, 0, 1], Some(acceptor)).await;
        upstream.on("/good.ics", calendar(harness::calendar(3, "secure")));
        upstream
    };
    let (expired_host, elsewhere_host, unknown_host) = (
        with_acceptor(expired_acceptor).await,
        with_acceptor(elsewhere_acceptor).await,
        with_acceptor(unknown_acceptor).await,
    );
    let dir = tempfile::tempdir().unwrap();
    let ca_file = dir.path().join("ca.pem");
    std::fs::write(&ca_file, format!("{trusted}{expired}{elsewhere}")).unwrap();
    let mut toml = format!("[fetch]\nallow_private = true\nca_file = \"{}\"\n", ca_file.display());
    let hosts = [
        ("right", &right, "good"),
        ("down", &right, "down"),
        ("expired", &expired_host, "good"),
        ("elsewhere", &elsewhere_host, "good"),
        ("unknown", &unknown_host, "good"),
    ];
    for (name, upstream, file) in hosts {
        toml.push_str(&format!(
            "[source.{name}]\nurl = \"https://localhost:{}/{file}.ics\"\n[feed.{name}]\nsources = [\"{name}\"]\n",
            upstream.address.port()
        ));
    }
    let program = Program::start_in(dir, &toml, Clock::System).await;
    for (name, expected) in [("down", "downgrade"), ("expired", "tls"), ("elsewhere", "tls"), ("unknown", "tls")] {
        eventually(name, async || program.source(name).await["trouble"]["reason"].is_string()).await;
        assert_eq!(program.source(name).await["trouble"]["reason"], expected, "{name}");
    }
    eventually("the right one", async || program.source("right").await["events"] == 3).await;
    assert_eq!(plain.hits("/a.ics"), 0, "nothing was asked in plain text");
}

#[tokio::test]
async fn a_host_on_a_private_network_is_not_asked_unless_the_settings_say_so() {
    let upstream = Upstream::start().await;
    upstream.on("/a.ics", calendar(harness::calendar(3, "private")));
    let port = upstream.address.port();
    let toml = format!(
        "[source.named]\nurl = \"http://localhost:{port}/a.ics\"\nports = [{port}]\n[feed.named]\nsources = [\"named\"]\n\
         [source.meant]\nurl = \"http://localhost:{port}/a.ics\"\nallow_private = true\n[feed.meant]\nsources = [\"meant\"]\n"
    );
    let program = Program::start(&toml).await;
    eventually("the refusal", async || program.source("named").await["trouble"]["reason"] == "private_address").await;
    eventually("the one that is meant", async || program.source("meant").await["events"] == 3).await;
    assert_eq!(upstream.hits("/a.ics"), 1);
}

#[tokio::test]
async fn a_collapsed_calendar_is_served_once_somebody_accepts_it() {
    let upstream = Upstream::start().await;
    upstream.on("/a.ics", calendar(harness::calendar(30, "full")));
    let toml = format!(
        "[fetch]\nallow_private = true\nrefresh = \"1m\"\n[source.work]\nurl = \"{}\"\n[feed.me]\nsources = [\"work\"]\n",
        upstream.url("/a.ics")
    );
    let program = Program::start(&toml).await;
    eventually("the first copy", async || program.source("work").await["events"] == 30).await;
    let dir = program.stop().await;
    upstream.on("/a.ics", calendar(harness::calendar(1, "thin")));
    let later = Timestamp::from_secs(Clock::System.now().as_secs() + 3600);
    let program = Program::start_in(dir, &toml, Clock::simulated(later)).await;
    eventually("the quarantine", async || program.source("work").await["state"] == "quarantine").await;
    assert_eq!(program.source("work").await["quarantine"]["events"], 1);
    let calferry = env!("CARGO_BIN_EXE_calferry");
    let accepted = tokio::process::Command::new(calferry)
        .args(["accept", "work", "--config"])
        .arg(program.dir.path().join("calferry.toml"))
        .arg("--state-dir")
        .arg(program.dir.path().join("state"))
        .output()
        .await
        .unwrap();
    assert!(accepted.status.success(), "{accepted:?}");
    eventually("the accepted copy", async || program.source("work").await["events"] == 1).await;
    let reply = tokio::time::timeout(Duration::from_secs(5), program.get(&program.path("me"), &[])).await.unwrap();
    assert!(reply.text().contains("thin 0") && !reply.text().contains("full"));
}

/// Without its text, a copy looks sound from outside: its source answers, and says that nothing has changed.
#[tokio::test]
async fn a_copy_whose_text_is_gone_from_the_disk_is_fetched_again() {
    let upstream = Upstream::start().await;
    upstream.on("/a.ics", calendar(harness::calendar(3, "meeting")));
    let toml = format!(
        "[fetch]\nallow_private = true\n[source.work]\nurl = \"{}\"\n[feed.me]\nsources = [\"work\"]\n",
        upstream.url("/a.ics")
    );
    let program = Program::start(&toml).await;
    eventually("the first copy", async || program.source("work").await["events"] == 3).await;
    let database = rusqlite::Connection::open(program.dir.path().join("state/calferry.db")).unwrap();
    assert_eq!(database.execute("DELETE FROM text", []).unwrap(), 1);
    let path = program.path("me");
    eventually("the calendar", async || program.get(&path, &[]).await.status == 200).await;
    assert_eq!(upstream.hits("/a.ics"), 2);
}
