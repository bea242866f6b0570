//! Ways to sources: through proxies of the operator's, in order, and never by another.

use std::time::{Duration, Instant};

use calferry::clock::{Clock, Timestamp};
use serde_json::Value;

use super::harness::program::Program;
use super::harness::proxy::{Manner, Proxy};
use super::harness::upstream::{Upstream, answer, calendar};
use super::harness::{self, eventually};

/// A name that nobody but a proxy resolves (RFC 6761 §6.4).
const NAME: &str = "cal.invalid";

async fn upstream() -> Upstream {
    let upstream = Upstream::start().await;
    upstream.on("/a.ics", calendar(harness::calendar(3, "far")));
    upstream
}

fn settings(egress: &[String]) -> String {
    let (quoted, more) = (format!("{egress:?}"), "connect_timeout = \"2s\"\nheader_timeout = \"3s\"\ntimeout = \"4s\"");
    format!(
        "[fetch]\nrefresh = \"1m\"\n{more}\negress = {quoted}\n[source.work]\nurl = \"http://{NAME}/a.ics\"\n\
         [feed.me]\nsources = [\"work\"]\n"
    )
}

fn way(scheme: &str, credentials: &str, proxy: &Proxy) -> String {
    format!("{scheme}://{credentials}{}", proxy.address)
}

async fn has_copy(program: &Program) {
    eventually("a copy", async || program.source("work").await["events"] == 3).await;
}

async fn reason(program: &Program) -> Value {
    eventually("a verdict", async || program.source("work").await["trouble"]["reason"].is_string()).await;
    program.source("work").await["trouble"]["reason"].clone()
}

async fn states(program: &Program) -> Vec<(Value, Value)> {
    let ways = program.source("work").await["ways"].clone();
    ways.as_array().unwrap().iter().map(|way| (way["kind"].clone(), way["state"].clone())).collect()
}

fn later(minutes: u64) -> Clock {
    Clock::simulated(Timestamp::from_secs(Clock::System.now().as_secs() + minutes * 60))
}

#[tokio::test]
async fn both_kinds_of_proxy_lead_to_a_name_that_only_they_resolve() {
    let upstream = upstream().await;
    for scheme in ["http", "socks5h"] {
        let proxy = Proxy::start(Manner::Guarded(upstream.address, "lin", "p@ss:word")).await;
        let program = Program::start(&settings(&[way(scheme, "lin:p%40ss%3Aword@", &proxy)])).await;
        has_copy(&program).await;
        assert_eq!(proxy.targets(), [format!("{NAME}:80")], "{scheme}");
        assert_eq!(states(&program).await, [(scheme.into(), "works".into())]);
        let metrics = program.admin("/metrics").await.text().to_owned();
        assert!(
            metrics.contains(&format!("calferry_tries_total{{way=\"{scheme}\",word=\"answered\"}} 1")),
            "{metrics}"
        );
    }
    let head = upstream.heads("/a.ics").concat().to_lowercase();
    assert!(head.contains(&format!("host: {NAME}\r\n")) && !head.contains("proxy-authorization"), "{head}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_proxy_does_wrong_is_told_by_its_name_and_in_time() {
    let upstream = upstream().await;
    for (manner, http, socks) in [
        (Manner::Refuse, "proxy_refused", "proxy_refused"),
        (Manner::Guarded(upstream.address, "lin", "right"), "proxy_auth", "proxy_auth"),
        (Manner::Hang, "timeout", "timeout"),
        (Manner::Reset, "proxy_unreachable", "proxy_unreachable"),
        (Manner::Garbage, "proxy_refused", "proxy_unreachable"),
        (Manner::Endless, "proxy_unreachable", "proxy_unreachable"),
    ] {
        for (scheme, expected) in [("http", http), ("socks5h", socks)] {
            for credentials in ["", "lin:wrong-secret@"] {
                let proxy = Proxy::start(manner).await;
                let began = Instant::now();
                let program = Program::start(&settings(&[way(scheme, credentials, &proxy)])).await;
                let reason = reason(&program).await;
                let status = program.admin("/status.json").await.text().to_owned();
                let port = proxy.address.port().to_string();
                assert!(!status.contains("wrong-secret") && !status.contains(&port), "{status}");
                let asked_otherwise = scheme == "socks5h" && !credentials.is_empty();
                // Here SOCKS answers a question about credentials that was not asked.
                let expected = match manner {
                    Manner::Refuse | Manner::Endless if asked_otherwise => "proxy_auth",
                    _ => expected,
                };
                assert_eq!(reason, expected, "{scheme} {credentials} {manner:?}");
                assert!(began.elapsed() < Duration::from_secs(20), "{manner:?}");
            }
        }
    }
    assert_eq!(upstream.hits("/a.ics"), 0);
    let gone = Proxy::start(Manner::Hang).await.address;
    let program = Program::start(&settings(&[format!("socks5h://{gone}")])).await;
    assert_eq!(reason(&program).await, "proxy_unreachable");
}

#[tokio::test]
async fn the_next_way_is_taken_when_one_fails_and_the_failed_one_rests() {
    let upstream = upstream().await;
    let (bad, good) = (Proxy::start(Manner::Refuse).await, Proxy::start(Manner::LeadTo(upstream.address)).await);
    let toml = settings(&[way("http", "", &bad), way("socks5h", "", &good)]);
    let program = Program::start(&toml).await;
    has_copy(&program).await;
    let known = [("http", "proxy_refuses"), ("socks5h", "works")].map(|(kind, state)| (kind.into(), state.into()));
    assert_eq!(states(&program).await, known);
    assert_eq!((bad.targets().len(), good.targets().len()), (1, 1));
    assert!(program.source("work").await["trouble"].is_null(), "a fetch that came through is no trouble");
    let dir = program.stop().await;

    // A program that starts anew asks by the preferred way again, which is well by then.
    bad.now(Manner::LeadTo(upstream.address));
    let program = Program::start_in(dir, &toml, later(10)).await;
    eventually("the second fetch", async || upstream.hits("/a.ics") == 2).await;
    assert_eq!((bad.targets().len(), good.targets().len()), (2, 1));
    drop(program);
}

#[tokio::test]
async fn a_host_that_refuses_whoever_comes_by_one_way_is_asked_by_the_next() {
    let (refusing, upstream) = (Upstream::start().await, upstream().await);
    refusing.on("/a.ics", answer("429 Too Many Requests", &[("Retry-After", "3600")], ""));
    let (tired, fresh) =
        (Proxy::start(Manner::LeadTo(refusing.address)).await, Proxy::start(Manner::LeadTo(upstream.address)).await);
    let program = Program::start(&settings(&[way("http", "", &tired), way("http", "", &fresh)])).await;
    has_copy(&program).await;
    let states: Vec<_> = states(&program).await.into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, ["throttled", "works"]);
    assert_eq!((refusing.hits("/a.ics"), upstream.hits("/a.ics")), (1, 1));
}

#[tokio::test]
async fn what_the_host_answers_is_not_asked_again_by_another_way() {
    let upstream = Upstream::start().await;
    let (first, second) =
        (Proxy::start(Manner::LeadTo(upstream.address)).await, Proxy::start(Manner::LeadTo(upstream.address)).await);
    let program = Program::start(&settings(&[way("http", "", &first), way("socks5h", "", &second)])).await;
    assert_eq!(reason(&program).await, "not_found");
    assert_eq!((first.targets().len(), second.targets().len()), (1, 0));
    let states: Vec<_> = states(&program).await.into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, ["secret_reset", "untried"]);
}

#[tokio::test]
async fn it_is_never_direct_unless_direct_is_in_the_list() {
    let upstream = upstream().await;
    let bad = Proxy::start(Manner::Reset).await;
    let source = |name: &str, egress: &str, path: &str| {
        format!(
            "[source.{name}]\nurl = \"{}\"\nallow_private = true\n{egress}\n[feed.{name}]\nsources = [\"{name}\"]\n",
            upstream.url(path)
        )
    };
    upstream.on("/closed.ics", calendar(harness::calendar(3, "closed")));
    upstream.on("/open.ics", calendar(harness::calendar(3, "open")));
    let only = format!("egress = [\"{}\"]", way("http", "", &bad));
    let either = format!("egress = [\"{}\", \"direct\"]", way("http", "", &bad));
    let program =
        Program::start(&[source("closed", &only, "/closed.ics"), source("open", &either, "/open.ics")].concat()).await;
    eventually("the one that may go direct", async || program.source("open").await["events"] == 3).await;
    eventually("the one that may not", async || program.source("closed").await["trouble"]["reason"].is_string()).await;
    assert_eq!((upstream.hits("/closed.ics"), upstream.hits("/open.ics")), (0, 1));
}

#[tokio::test]
async fn behind_a_proxy_numbers_ports_and_this_machines_name_are_still_checked_on_every_hop() {
    let upstream = upstream().await;
    let proxy = Proxy::start(Manner::LeadTo(upstream.address)).await;
    let mut toml = String::from("[fetch]\n");
    toml.push_str(&format!("egress = [\"{}\"]\n", way("socks5h", "", &proxy)));
    let cases = [
        ("number", "http://127.0.0.1/a.ics", "private_address"),
        ("number6", "http://[::ffff:10.0.0.1]/a.ics", "private_address"),
        ("name", "http://localhost./a.ics", "private_address"),
        ("subname", "http://x.localhost/a.ics", "private_address"),
        ("port", "http://elsewhere.invalid:22/a.ics", "forbidden_port"),
    ];
    for (name, to, _) in cases {
        upstream.on(&format!("/{name}"), answer("302 Found", &[("Location", to)], ""));
        toml.push_str(&format!(
            "[source.{name}]\nurl = \"http://{NAME}/{name}\"\n[feed.{name}]\nsources = [\"{name}\"]\n"
        ));
    }
    let program = Program::start(&toml).await;
    for (name, _, expected) in cases {
        eventually(name, async || program.source(name).await["trouble"]["reason"].is_string()).await;
        assert_eq!(program.source(name).await["trouble"]["reason"], expected, "{name}");
    }
    assert!(proxy.targets().iter().all(|target| *target == format!("{NAME}:80")), "{:?}", proxy.targets());
}

#[tokio::test]
async fn a_calendar_that_has_moved_for_good_is_followed_and_said() {
    let (old, new) = (Upstream::start().await, Upstream::start_with([127, 0, 0, 2], None).await);
    new.on("/b.ics", calendar(harness::calendar(3, "moved")));
    let to = new.url("/b.ics");
    let mut toml = String::from("[fetch]\nallow_private = true\n");
    for status in ["301 Moved", "308 Moved", "302 Found", "307 Found"] {
        let name = format!("s{}", &status[..3]);
        old.on(&format!("/{name}"), answer(status, &[("Location", &to)], ""));
        toml.push_str(&format!(
            "[source.{name}]\nurl = \"http://lin:secret@{}/{name}\"\n[feed.{name}]\nsources = [\"{name}\"]\n",
            old.address
        ));
    }
    let program = Program::start(&toml).await;
    for (name, expected) in
        [("s301", "127.0.0.2".into()), ("s308", "127.0.0.2".into()), ("s302", Value::Null), ("s307", Value::Null)]
    {
        eventually(name, async || program.source(name).await["events"] == 3).await;
        assert_eq!(program.source(name).await["moved_to"], expected, "{name}");
    }
    assert!(old.heads("/s301")[0].contains("authorization: Basic "));
    assert!(!new.heads("/b.ics").concat().to_lowercase().contains("authorization"), "credentials stay with their host");
}
