//! Devices that come, go and get new URLs by a change of the settings file.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Duration;

use calferry::clock::{Clock, Timestamp};

use super::super::harness::client::{request, send};
use super::super::harness::program::{Program, path, settings};
use super::super::harness::upstream::{Upstream, calendar};
use super::super::harness::{self, eventually};
use super::{Desk, mode};

#[tokio::test]
async fn a_device_is_added_and_the_rest_of_the_file_stays() {
    let desk = Desk::new("devices = [\"iphone\"] # 我的\n# the end\n");
    std::fs::set_permissions(desk.path("calferry.toml"), std::fs::Permissions::from_mode(0o640)).unwrap();
    let before = desk.read("calferry.toml");
    let done = desk.run(&["device", "add", "me", "ipad"]).await;
    assert_eq!(done.said, "calferry: the settings file is changed; a running server follows within seconds\n");
    assert_eq!(desk.read("calferry.toml"), before.replace("[\"iphone\"]", "[\"iphone\", \"ipad\"]"));
    assert_eq!(mode(&desk.path("calferry.toml")), 0o640);
    let url = desk.run(&["url", "me", "--device", "ipad"]).await.out;
    assert_eq!(done.out, format!("feed me  device ipad  {url}"));
    let others = std::fs::read_dir(desk.dir.path()).unwrap().flatten();
    assert!(others.into_iter().all(|entry| !entry.file_name().to_string_lossy().starts_with(".calferry")));
}

#[tokio::test]
async fn a_revoked_device_is_gone_for_good() {
    let desk = Desk::new("devices = [\"iphone\", \"ipad\"]\n");
    let done = desk.run(&["device", "revoke", "me", "ipad"]).await;
    assert_eq!((done.code, done.out.as_str()), (0, ""));
    assert!(done.said.ends_with("; the URL of ipad answers 410\n"), "{}", done.said);
    assert!(desk.read("calferry.toml").ends_with("devices = [\"iphone\"]\nrevoked = [\"ipad\"]\n"));
    let again = desk.run(&["device", "add", "me", "ipad"]).await;
    assert!(again.code == 1 && again.said.contains("was revoked"), "{}", again.said);
}

#[tokio::test]
async fn what_would_make_no_sense_or_not_load_leaves_the_file_as_it_was() {
    let desk = Desk::new("devices = [\"iphone\"]\n[feed.me.device.old]\ntoken_file = \"old-token\"\n");
    std::fs::write(desk.path("old-token"), "0123456789abcdefghijklmn\n").unwrap();
    let before = desk.read("calferry.toml");
    for (arguments, says) in [
        (&["add", "me", "iphone"][..], "has a device iphone already"),
        (&["add", "you", "ipad"], "no feed named \"you\"; the feeds are: me"),
        (&["add", "me", "a b"], "feed.me.devices[1]: a name has letters"),
        (&["revoke", "me", "ipad"], "no device named \"ipad\"; its devices are: iphone, old"),
        (&["rotate", "me", "old"], "old has a token of its own"),
    ] {
        let done = desk.run(&[&["device"], arguments].concat()).await;
        assert!(done.code == 1 && done.said.contains(says), "{}", done.said);
        assert_eq!(desk.read("calferry.toml"), before);
    }
    let refused = desk.run(&["device", "add", "me", "a b"]).await.said;
    assert!(
        refused.ends_with("calferry: nothing was changed, since the settings would be refused then\n"),
        "{refused}"
    );
    let mut command = desk.command(env!("CARGO_BIN_EXE_calferry"));
    command.args(["device", "add", "me", "ipad"]).env("CALFERRY__FEED__ME__DEVICES", "iphone");
    let done = super::done(command.output().await.unwrap());
    assert!(done.said.contains("nothing was changed: the environment has other devices"), "{}", done.said);
    assert_eq!(desk.read("calferry.toml"), before);

    std::fs::write(desk.path("calferry.toml"), before.clone() + "bogus = 1\n[server]\nwrong = 2\n").unwrap();
    let done = desk.run(&["device", "add", "me", "ipad"]).await;
    assert!(done.said.contains("bogus") && done.said.contains("server.wrong"), "all of it: {}", done.said);

    let only = Desk::new("");
    let done = only.run(&["device", "revoke", "me", "phone"]).await;
    assert!(done.code == 1 && done.said.contains("only device"), "{}", done.said);
}

#[tokio::test]
async fn changes_at_one_time_are_made_one_after_the_other() {
    let desk = Desk::new("devices = [\"iphone\"]\n");
    let names: Vec<_> = (0..8).map(|number| format!("phone-{number}")).collect();
    let adding = names.iter().map(|name| {
        let mut command = desk.command(env!("CARGO_BIN_EXE_calferry"));
        command.args(["device", "add", "me", name]).spawn().unwrap()
    });
    for child in adding.collect::<Vec<_>>() {
        let done = super::done(child.wait_with_output().await.unwrap());
        assert_eq!(done.code, 0, "{}", done.said);
    }
    let text = desk.read("calferry.toml");
    assert!(names.iter().all(|name| text.contains(name)), "{text}");
}

#[tokio::test]
async fn a_link_to_the_settings_goes_on_being_one() {
    let desk = Desk::new("devices = [\"iphone\"]\n");
    std::fs::create_dir(desk.path("kept")).unwrap();
    std::fs::rename(desk.path("calferry.toml"), desk.path("kept/real.toml")).unwrap();
    std::os::unix::fs::symlink("kept/real.toml", desk.path("calferry.toml")).unwrap();
    assert_eq!(desk.run(&["device", "add", "me", "ipad"]).await.code, 0);
    assert!(desk.path("calferry.toml").is_symlink());
    assert!(desk.read("kept/real.toml").contains("\"ipad\""));
}

#[tokio::test]
async fn rotating_gives_a_new_url_and_time_for_the_old_one() {
    let desk = Desk::new("devices = [\"iphone\"]\n");
    let old = desk.run(&["url", "me", "--device", "iphone"]).await.out;
    let done = desk.run(&["device", "rotate", "me", "iphone", "--grace", "7d"]).await;
    let new = desk.run(&["url", "me", "--device", "iphone"]).await.out;
    assert_ne!(old, new);
    assert_eq!(done.out, format!("feed me  device iphone  {new}"));
    assert!(done.said.contains("the old URL works until 2"), "{}", done.said);
    let text = desk.read("calferry.toml");
    assert!(text.contains("\n[feed.me.device.iphone]\nrotation = 1\ngrace_until = \"2"), "{text}");

    let done = desk.run(&["device", "rotate", "me", "iphone", "--force"]).await;
    assert!(done.said.ends_with("; the old URL answers 410; the one before it answers 410\n"), "{}", done.said);
    assert!(desk.read("calferry.toml").ends_with("\n[feed.me.device.iphone]\nrotation = 2\n"));
    let done = desk.run(&["device", "rotate", "me", "iphone"]).await;
    assert!(done.said.ends_with("; the old URL answers 410\n"), "nothing is promised by now: {}", done.said);
    let refused = desk.run(&["device", "rotate", "me", "iphone", "--grace", "400d"]).await;
    assert_eq!(refused.code, 2);
}

#[tokio::test]
async fn a_promise_to_an_old_url_is_not_broken_by_the_next_rotation() {
    let desk = Desk::new("devices = [\"iphone\"]\n");
    let first = desk.run(&["device", "rotate", "me", "iphone", "--grace", "7d"]).await;
    let promised = first.said.split("works until ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    let before = desk.read("calferry.toml");
    for again in [&["--grace", "7d"][..], &[]] {
        let refused = desk.run(&[&["device", "rotate", "me", "iphone"], again].concat()).await;
        assert_eq!((refused.code, refused.out.as_str()), (1, ""));
        for word in [&*promised, "answer 410 at once", "--force"] {
            assert!(refused.said.contains(word), "{word}: {}", refused.said);
        }
        assert_eq!(desk.read("calferry.toml"), before);
    }
    let forced = desk.run(&["device", "rotate", "me", "iphone", "--grace", "7d", "--force"]).await;
    assert!(forced.code == 0 && forced.said.ends_with("; the one before it answers 410\n"), "{}", forced.said);
    assert!(desk.read("calferry.toml").contains("rotation = 2\n"));

    let over = before.replace(&promised, "2020-01-01T00:00:00Z");
    std::fs::write(desk.path("calferry.toml"), over).unwrap();
    assert_eq!(desk.run(&["device", "rotate", "me", "iphone"]).await.code, 0, "that promise is kept by now");
}

#[tokio::test]
async fn a_running_server_follows_by_itself() {
    let upstream = Upstream::start().await;
    upstream.on("/a.ics", calendar(harness::calendar(3, "one")));
    let desk = Desk::empty();
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:18479\"\n[fetch]\nallow_private = true\n[source.work]\nurl = \"{}\"\n[feed.me]\nsources = [\"work\"]\n",
        upstream.url("/a.ics")
    );
    std::fs::write(desk.path("calferry.toml"), text).unwrap();
    let server = desk.command(env!("CARGO_BIN_EXE_calferry")).arg("serve").stderr(Stdio::null()).spawn().unwrap();
    let status = async |url: &str| {
        let path = url.trim().rsplit_once("18479").unwrap().1;
        send("127.0.0.1:18479".parse().unwrap(), request("GET", path, &[])).await.status.as_u16()
    };
    eventually("the server", async || desk.run(&["health"]).await.code == 0).await;
    let phone = desk.run(&["url", "me", "--device", "phone"]).await.out;
    eventually("the first copy", async || status(&phone).await == 200).await;

    let added = desk.run(&["device", "add", "me", "ipad"]).await.out;
    eventually("the new device", async || status(&added).await == 200).await;
    let rotated = desk.run(&["device", "rotate", "me", "phone", "--grace", "1h"]).await.out;
    eventually("the new URL", async || status(&rotated).await == 200).await;
    assert_eq!(status(&phone).await, 200, "the old one has an hour");
    assert_eq!(desk.run(&["device", "revoke", "me", "ipad"]).await.code, 0);
    eventually("the revocation", async || status(&added).await == 410).await;
    drop(server);
}

#[tokio::test(start_paused = true)]
async fn an_old_url_is_served_during_its_grace_and_is_gone_then_without_a_restart() {
    let upstream = Upstream::start().await;
    upstream.on("/a.ics", calendar(harness::calendar(3, "one")));
    let source = format!("[fetch]\nallow_private = true\n[source.work]\nurl = \"{}\"\n", upstream.url("/a.ics"));
    let feed = "[feed.me]\nsources = [\"work\"]\ndevices = [\"a\"]\n";
    let clock = Clock::simulated(Timestamp::from_secs(1_796_169_600)); // 2026-12-02T00:00:00Z
    let dir = tempfile::tempdir().unwrap();
    let mut program = Program::start_in(dir, &format!("{source}{feed}"), clock).await;
    eventually("the first copy", async || program.source("work").await["events"] == 3).await;
    let old = path(&program.app, "me", 0);
    let rotated = "[feed.me.device.a]\nrotation = 1\ngrace_until = 2026-12-03T00:00:00Z\n";
    let changed = settings(program.dir.path(), &format!("{source}{feed}{rotated}"));
    program.app.reload(changed).await.unwrap();
    let new = path(&program.app, "me", 0);
    assert_ne!(old, new);
    for path in [&old, &new] {
        assert_eq!(program.get(path, &[]).await.status, 200);
    }
    tokio::time::advance(Duration::from_hours(24)).await;
    assert_eq!(program.get(&old, &[]).await.status, 410);
    assert_eq!(program.get(&new, &[]).await.status, 200);
}
