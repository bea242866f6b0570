//! How often who may ask: what is counted as whose, and what is never uncounted.

use std::num::NonZeroU32;

use calferry::app::App;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::harness::client::raw;
use super::harness::program::{Program, settings};
use super::harness::upstream::{Upstream, calendar};
use super::harness::{self, eventually};

const FEED: &str = "[feed.me]\nsources = [\"work\"]\ndevices = [\"phone\"]\nrevoked = [\"lost\"]\n";

/// A program with `server` in that section, and as many requests of each kind in a minute.
async fn program(upstream: &Upstream, server: &str, [tokens, requests]: [u32; 2]) -> Program {
    upstream.on("/a.ics", calendar(harness::calendar(3, "meeting")));
    let dir = tempfile::tempdir().unwrap();
    let mut settings = settings(dir.path(), &toml(upstream, server));
    settings.server.front.rates.tokens = NonZeroU32::new(tokens).unwrap();
    settings.server.front.rates.requests = NonZeroU32::new(requests).unwrap();
    Program { app: App::start(settings).await.unwrap(), dir }
}

fn toml(upstream: &Upstream, server: &str) -> String {
    format!(
        "[fetch]\nallow_private = true\n[server]\n{server}\n[source.work]\nurl = \"{}\"\n{FEED}",
        upstream.url("/a.ics")
    )
}

async fn statuses<const N: usize>(program: &Program, path: &str) -> [u16; N] {
    let mut statuses = [0; N];
    for status in &mut statuses {
        *status = program.get(path, &[]).await.status.as_u16();
    }
    statuses
}

#[tokio::test]
async fn a_revoked_token_spends_what_its_address_may_ask() {
    let upstream = Upstream::start().await;
    let program = program(&upstream, "", [1000, 2]).await;
    let lost = format!("/{}.ics", program.app.key().token("me", "lost", 0).reveal());
    assert_eq!(statuses(&program, &lost).await, [410, 410, 429]);
}

#[tokio::test]
async fn the_probe_has_a_budget_and_a_wrong_one_is_a_wrong_token() {
    let upstream = Upstream::start().await;
    let program = program(&upstream, "wrong_tokens_per_minute = 2", [3, 1000]).await;
    let probe = format!("/{}/probe", program.app.key().probe_token().reveal());
    assert_eq!(statuses(&program, &probe).await, [200, 200, 200, 429]);
    assert_eq!(statuses(&program, "/AAAAAAAAAAAAAAAAAAAAAAAA/probe").await, [404, 404, 429]);
    assert_eq!(statuses(&program, "/AAAAAAAAAAAAAAAAAAAAAAAA.ics").await, [429], "of the same budget");
}

/// Or a scan would only have to wait for the operator's next change of a name.
#[tokio::test]
async fn a_reload_that_changes_no_rate_forgives_nothing() {
    let upstream = Upstream::start().await;
    upstream.on("/a.ics", calendar(harness::calendar(3, "meeting")));
    let toml = toml(&upstream, "wrong_tokens_per_minute = 1");
    let mut program = Program::start(&toml).await;
    assert_eq!(statuses(&program, "/wrong.ics").await, [404, 429]);
    let renamed = format!("{toml}name = \"another\"\n");
    program.app.reload(settings(program.dir.path(), &renamed)).await.unwrap();
    assert!(program.get(&program.path("me"), &[]).await.text().contains("X-WR-CALNAME:another"));
    assert_eq!(statuses(&program, "/wrong.ics").await, [429]);
}

/// Cloudflare names one, so somebody else has written the other, and which of them is not to be seen.
#[tokio::test]
async fn a_request_whose_client_is_named_twice_is_refused() {
    let upstream = Upstream::start().await;
    let program = program(&upstream, "trusted_proxies = [\"cloudflare:127.0.0.1\"]", [1000, 1000]).await;
    let me = program.path("me");
    for twice in
        ["CF-Connecting-IP: 203.0.113.1\r\nCF-Connecting-IP: 203.0.113.2", "CF-Connecting-IP: 203.0.113.1, ::1"]
    {
        let asked = format!("GET {me} HTTP/1.1\r\nHost: a\r\n{twice}\r\n\r\n");
        assert!(raw(program.address(), asked.as_bytes()).await.starts_with(b"HTTP/1.1 400"), "{twice}");
    }
    eventually("the calendar", async || program.get(&me, &[("cf-connecting-ip", "203.0.113.1")]).await.status == 200)
        .await;
}

/// Each has a budget, and each budget takes room.
#[tokio::test]
async fn of_more_clients_than_can_be_remembered_neighbours_share_a_budget() {
    let upstream = Upstream::start().await;
    let server = "trusted_proxies = [\"127.0.0.1\"]\nwrong_tokens_per_minute = 1";
    let program = program(&upstream, server, [1000, 1000]).await;
    for first in (0..10_000).step_by(100) {
        let client = |network| format!("X-Forwarded-For: 2001:db8:{network:x}::1\r\n");
        let ask = |network| format!("GET /wrong.ics HTTP/1.1\r\nHost: a\r\n{}\r\n", client(network));
        let asked: String = (first..first + 100).map(ask).collect();
        let last = "GET /robots.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let heard = raw(program.address(), (asked + last).as_bytes()).await;
        assert_eq!(String::from_utf8_lossy(&heard).matches("HTTP/1.1 404").count(), 100);
    }
    for (client, expected, why) in [
        ("2001:db8:fffe::1", 404, "the first of those who are not remembered"),
        ("2001:db8:ffff::1", 429, "what one of them has spent, the others have not"),
        ("2001:db9::1", 404, "neighbours, not everybody"),
    ] {
        assert_eq!(program.get("/wrong.ics", &[("x-forwarded-for", client)]).await.status, expected, "{why}");
    }
}

#[tokio::test]
async fn a_client_has_so_many_connections_and_a_proxy_as_many_as_its_clients_need() {
    let upstream = Upstream::start().await;
    for (server, expected) in [("", 2), ("trusted_proxies = [\"127.0.0.1\"]", 5)] {
        let dir = tempfile::tempdir().unwrap();
        let mut settings = settings(dir.path(), &toml(&upstream, server));
        settings.server.connections_per_client = 2;
        let program = Program { app: App::start(settings).await.unwrap(), dir };
        let (mut held, mut answered) = (Vec::new(), 0);
        for _ in 0..5 {
            let mut connection = TcpStream::connect(program.address()).await.unwrap();
            let asked = connection.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await;
            let heard = connection.read(&mut [0; 1024]).await;
            answered += usize::from(asked.is_ok() && heard.is_ok_and(|length| length > 0));
            held.push(connection);
        }
        assert_eq!(answered, expected, "{server}");
    }
}
