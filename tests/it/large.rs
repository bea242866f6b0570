//! Large calendars come one after another, and nobody waits for them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::harness::program::{Program, settings};
use super::harness::upstream::{Act, Upstream, calendar};
use super::harness::{self, eventually};

const LARGE: [&str; 3] = ["large-0", "large-1", "large-2"];
const SMALL: [&str; 2] = ["small-0", "small-1"];
const EVENTS: usize = 4300;

/// Of 1 MiB there may be one of these at a time, and a small one has 64 KiB. Two are fetched at once, and three of a host.
fn toml(upstream: &Upstream, sources: &[&str]) -> String {
    let mut toml = "[fetch]\nallow_private = true\nmax_size = \"1MiB\"\nconcurrent = 2\nper_host = 3\n".to_owned();
    for name in sources {
        let url = upstream.url(&format!("/{name}.ics"));
        toml.push_str(&format!("[source.{name}]\nurl = \"{url}\"\n[feed.{name}]\nsources = [\"{name}\"]\n"));
    }
    toml
}

async fn has(program: &Program, name: &str, events: usize) -> bool {
    program.source(name).await["events"] == events
}

/// Half of a large calendar is there and the rest does not come. The sources beside it are small ones, which are taken
/// meanwhile, and large ones, which are not before it is over.
#[tokio::test]
async fn large_calendars_come_one_after_another_and_small_ones_meanwhile() {
    let upstream = Upstream::start().await;
    let large = harness::calendar(EVENTS, "large");
    assert!((600 << 10..700 << 10).contains(&large.len()), "{} bytes", large.len());
    let Act::Say(whole) = calendar(&large) else { panic!() };
    let gate = Arc::new(Semaphore::new(0));
    let half = whole.len() / 2;
    upstream.on("/stuck.ics", Act::SayAndWait(whole[..half].to_vec(), Arc::clone(&gate), whole[half..].to_vec()));
    for name in LARGE {
        upstream.on(&format!("/{name}.ics"), calendar(&large));
    }
    for name in SMALL {
        upstream.on(&format!("/{name}.ics"), calendar(harness::calendar(30, "small")));
    }
    let mut program = Program::start(&toml(&upstream, &["stuck"])).await;
    eventually("the half of it", async || upstream.hits("/stuck.ics") == 1).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let all = [&["stuck"][..], &LARGE, &SMALL].concat();
    program.app.reload(settings(program.dir.path(), &toml(&upstream, &all))).await.unwrap();
    for name in SMALL {
        eventually("a small one", async || has(&program, name, 30).await).await;
    }
    for name in LARGE {
        eventually("the question for a large one", async || upstream.hits(&format!("/{name}.ics")) == 1).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    for name in LARGE {
        let source = program.source(name).await;
        assert!(source["events"].is_null() && source["trouble"].is_null(), "it waits: {source}");
    }

    gate.add_permits(1);
    for name in all.iter().filter(|name| !SMALL.contains(name)) {
        eventually("a large one", async || has(&program, name, EVENTS).await).await;
        let text = program.get(&program.path(name), &[]).await;
        assert!(text.text().contains("large 4299"), "it is served whole");
    }
    for name in LARGE {
        assert_eq!(upstream.hits(&format!("/{name}.ics")), 2, "asked for again once there was space");
    }

    // Of one that was large before it is known that it needs its share: nobody is asked in vain.
    let moved = toml(&upstream, &LARGE).replace("/large-", "/moved-large-");
    for name in LARGE {
        let changed = calendar(large.replacen("large 0", "changed", 1));
        upstream.on(&format!("/moved-{name}.ics"), changed);
    }
    program.app.reload(settings(program.dir.path(), &moved)).await.unwrap();
    for name in LARGE {
        let path = program.path(name);
        eventually("the new copy", async || program.get(&path, &[]).await.text().contains("changed")).await;
        assert_eq!(upstream.hits(&format!("/moved-{name}.ics")), 1);
    }
}

#[tokio::test]
async fn a_large_calendar_is_published_when_there_is_space_and_a_small_one_at_once() {
    let upstream = Upstream::start().await;
    upstream.on("/large-0.ics", calendar(harness::calendar(EVENTS, "large")));
    upstream.on("/small-0.ics", calendar(harness::calendar(30, "small")));
    let program = Program::start(&toml(&upstream, &["large-0", "small-0"])).await;
    eventually("both", async || has(&program, "large-0", EVENTS).await && has(&program, "small-0", 30).await).await;
    let desk = program.app.refresher().desk();
    let all = desk.wait(desk.whole()).await;
    let path = program.path("large-0");
    let mut large = std::pin::pin!(program.get(&path, &[]));
    let early = tokio::time::timeout(Duration::from_millis(300), large.as_mut()).await;
    assert!(early.is_err(), "it waits");
    assert_eq!(program.get(&program.path("small-0"), &[]).await.status, 200);
    drop(all);
    assert_eq!(large.await.status, 200);
}
