//! Settings that change while the program runs.

use super::harness::program::{Program, path, settings};
use super::harness::upstream::{Upstream, calendar};
use super::harness::{self, eventually};

fn toml(upstream: &Upstream, rest: &str) -> String {
    format!("[fetch]\nallow_private = true\n[source.work]\nurl = \"{}\"\n{rest}", upstream.url("/a.ics"))
}

#[tokio::test]
async fn a_reload_changes_names_devices_and_sources_and_keeps_what_is_the_same() {
    let upstream = Upstream::start().await;
    upstream.on("/a.ics", calendar(harness::calendar(3, "one")));
    upstream.on("/b.ics", calendar(harness::calendar(4, "two")));
    let mut program =
        Program::start(&toml(&upstream, "[feed.me]\nsources = [\"work\"]\ndevices = [\"a\", \"b\"]")).await;
    eventually("the first copy", async || program.source("work").await["events"] == 3).await;
    let (a, b) = (path(&program.app, "me", 0), path(&program.app, "me", 1));
    let before = program.get(&a, &[]).await;

    let more = format!(
        "[feed.me]\nname = \"新\"\nsources = [\"work\"]\ndevices = [\"a\"]\nrevoked = [\"b\"]\n[source.other]\nurl = \"{}\"\n[feed.other]\nsources = [\"other\"]",
        upstream.url("/b.ics")
    );
    let changed = settings(program.dir.path(), &toml(&upstream, &more));
    program.app.reload(changed).await.unwrap();
    let after = program.get(&a, &[]).await;
    assert_eq!(after.status, 200);
    assert!(after.text().contains("X-WR-CALNAME:新\r\n"));
    assert_ne!(after.header("etag"), before.header("etag"), "a change of the settings is a change");
    assert_eq!(program.get(&b, &[]).await.status, 410);
    eventually("the new source", async || program.source("other").await["events"] == 4).await;
    assert_eq!(program.get(&path(&program.app, "other", 0), &[]).await.status, 200);
    assert_eq!(upstream.hits("/a.ics"), 1, "what has not changed is not fetched again");

    let back =
        settings(program.dir.path(), &toml(&upstream, "[feed.me]\nsources = [\"work\"]\ndevices = [\"a\", \"b\"]"));
    program.app.reload(back).await.unwrap();
    assert_eq!(program.get(&b, &[]).await.status, 200);
    assert!(program.source("other").await.is_null());
}

#[tokio::test]
async fn a_new_address_of_a_source_is_fetched_at_once_and_the_old_copy_served_until_then() {
    let upstream = Upstream::start().await;
    upstream.on("/a.ics", calendar(harness::calendar(30, "old")));
    let feed = "[feed.me]\nsources = [\"work\"]";
    let mut program = Program::start(&toml(&upstream, feed)).await;
    eventually("the first copy", async || program.source("work").await["events"] == 30).await;
    let me = program.path("me");

    let moved = toml(&upstream, feed).replace("/a.ics", "/moved.ics");
    program.app.reload(settings(program.dir.path(), &moved)).await.unwrap();
    let reply = program.get(&me, &[]).await;
    assert!(reply.status == 200 && reply.text().contains("old 29"));
    eventually("the failure", async || program.source("work").await["trouble"]["reason"] == "not_found").await;
    assert_eq!(program.source("work").await["inherited"], true);
    assert!(program.get(&me, &[]).await.text().contains("old 29"));

    // Far fewer events, but it is another calendar: nothing has collapsed.
    upstream.on("/new.ics", calendar(harness::calendar(2, "new")));
    let moved = toml(&upstream, feed).replace("/a.ics", "/new.ics");
    program.app.reload(settings(program.dir.path(), &moved)).await.unwrap();
    eventually("the new copy", async || program.source("work").await["events"] == 2).await;
    assert!(program.get(&me, &[]).await.text().contains("new 1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_answered_while_addresses_change_again_and_again() {
    let upstream = Upstream::start().await;
    upstream.on("/a.ics", calendar(harness::calendar(30, "old")));
    // Nothing is kept: every answer is made from the copy on the disk.
    let feed = "[feed.me]\nsources = [\"work\"]";
    let toml = format!("edition_budget = \"1 B\"\n{}", toml(&upstream, feed));
    let mut program = Program::start(&toml).await;
    eventually("the first copy", async || program.source("work").await["events"] == 30).await;
    let (me, to) = (program.path("me"), program.address());
    let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (me, done) = (me.clone(), std::sync::Arc::clone(&done));
            tokio::spawn(async move {
                let mut answers = Vec::new();
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    answers.push(harness::client::send(to, harness::client::request("GET", &me, &[])).await);
                }
                answers
            })
        })
        .collect();
    for turn in 0..60 {
        let moved = toml.replace("/a.ics", &format!("/moved-{turn}.ics"));
        program.app.reload(settings(program.dir.path(), &moved)).await.unwrap();
    }
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    for reader in readers {
        let answers = reader.await.unwrap();
        assert!(!answers.is_empty());
        assert!(answers.iter().all(|answer| answer.status == 200 && answer.text().contains("old 29")));
    }
}

#[tokio::test]
async fn proxies_rates_and_the_edge_cache_change_without_a_restart() {
    let upstream = Upstream::start().await;
    upstream.on("/a.ics", calendar(harness::calendar(3, "one")));
    let feed = "[feed.me]\nsources = [\"work\"]";
    let mut program = Program::start(&toml(&upstream, feed)).await;
    eventually("the first copy", async || program.source("work").await["events"] == 3).await;
    let wrong = async |program: &Program, client: &str| {
        program.get("/nothing.ics", &[("x-forwarded-for", client)]).await.status.as_u16()
    };
    for _ in 0..10 {
        assert_eq!(wrong(&program, "203.0.113.1").await, 404);
    }
    assert_eq!(wrong(&program, "203.0.113.2").await, 429, "nobody is believed, so all are one client");

    let believed = toml(&upstream, feed) + "\n[server]\ntrusted_proxies = [\"127.0.0.1\"]\nedge_cache = \"1m\"\n";
    program.app.reload(settings(program.dir.path(), &believed)).await.unwrap();
    assert_eq!(wrong(&program, "203.0.113.2").await, 404);
    assert!(program.get(&program.path("me"), &[]).await.header("cdn-cache-control").starts_with("max-age=60,"));

    let generous = believed.replace("edge_cache = \"1m\"", "wrong_tokens_per_minute = 1000");
    program.app.reload(settings(program.dir.path(), &generous)).await.unwrap();
    for _ in 0..50 {
        assert_eq!(wrong(&program, "203.0.113.1").await, 404);
    }
    assert!(program.get(&program.path("me"), &[]).await.headers.get("cdn-cache-control").is_none());
}

#[tokio::test]
async fn cloudflares_ranges_may_come_from_a_file() {
    let upstream = Upstream::start().await;
    upstream.on("/a.ics", calendar(harness::calendar(3, "one")));
    let feed = "[feed.me]\nsources = [\"work\"]";
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("ranges.txt"), "# copied 2026-11-22\n127.0.0.0/8\n").unwrap();
    let server = "[server]\ntrusted_proxies = [\"cloudflare\"]\ncloudflare_ranges_file = \"ranges.txt\"\nwrong_tokens_per_minute = 1\n";
    let toml = toml(&upstream, feed) + "\n" + server;
    std::fs::write(dir.path().join("calferry.toml"), &toml).unwrap();
    let program = Program::start_in(dir, &toml, calferry::clock::Clock::System).await;
    let wrong = async |client: &str| program.get("/nothing.ics", &[("cf-connecting-ip", client)]).await.status.as_u16();
    assert_eq!((wrong("203.0.113.1").await, wrong("203.0.113.1").await), (404, 429));
    assert_eq!(wrong("203.0.113.2").await, 404, "Cloudflare is at 127.0.0.1, the file says");
}
