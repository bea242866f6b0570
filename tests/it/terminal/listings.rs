//! What scripts and manuals read.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use tokio::io::{AsyncBufReadExt, BufReader};

use super::{Desk, done};
use crate::harness::upstream::{Upstream, calendar};

#[tokio::test]
async fn urls_and_findings_are_listed_as_json_too() {
    let desk = Desk::new("devices = [\"iphone\", \"xiaomi\"]");
    let listed: serde_json::Value = serde_json::from_str(&desk.run(&["url", "--json"]).await.out).unwrap();
    assert_eq!((&listed[1]["feed"], &listed[1]["device"]), (&"me".into(), &"xiaomi".into()));
    let url = desk.run(&["url", "me", "--device", "xiaomi"]).await.out;
    assert_eq!(listed[1]["url"], url.trim());

    let checked: serde_json::Value = serde_json::from_str(&desk.run(&["check", "--json"]).await.out).unwrap();
    assert_eq!(checked["devices"], 2);
    assert_eq!(checked["problems"], serde_json::json!([]));
    let text = desk.read("calferry.toml") + "\nbogus = 1\n[server]\nwrong = 2\n";
    std::fs::write(desk.path("calferry.toml"), text).unwrap();
    let refused = desk.run(&["check", "--json"]).await;
    let told: serde_json::Value = serde_json::from_str(&refused.out).unwrap();
    let paths: Vec<_> = told["problems"].as_array().unwrap().iter().map(|problem| &problem["path"]).collect();
    assert_eq!((refused.code, refused.said.as_str()), (1, ""));
    assert_eq!(paths, ["server.wrong", "feed.me.bogus"]);
}

#[tokio::test]
async fn a_check_of_sources_shows_its_progress_on_a_terminal_only() {
    let upstream = Upstream::start().await;
    upstream.on("/a.ics", calendar(crate::harness::calendar(3, "one")));
    let desk = Desk::empty();
    let source = |name: &str, path: &str| format!("[source.{name}]\nurl = \"{}\"\n", upstream.url(path));
    let text = format!(
        "[fetch]\nallow_private = true\n{}{}[feed.me]\nsources = [\"a\", \"b\"]",
        source("a", "/a.ics"),
        source("b", "/b.ics")
    );
    std::fs::write(desk.path("calferry.toml"), text).unwrap();
    let plain = desk.run(&["check", "--online"]).await;
    assert!(plain.code == 1 && plain.said.is_empty(), "{}", plain.said);
    assert!(plain.out.contains("source a: 3 events") && plain.out.contains("source b: not_found: "), "{}", plain.out);
    let listed = desk.run(&["check", "--online", "--json"]).await;
    let listed: serde_json::Value = serde_json::from_str(&listed.out).unwrap();
    assert_eq!((&listed["fetched"][0]["error"], &listed["fetched"][1]["error"]), (&().into(), &"not_found".into()));
    let shown = done(desk.on_terminal(&["check", "--online"]).wait_with_output().await.unwrap());
    assert!(shown.out.contains("source b (2 of 2)"), "{}", shown.out);
}

#[tokio::test]
async fn what_is_fetched_to_be_looked_at_shows_its_progress_on_a_terminal_only() {
    let upstream = Upstream::start().await;
    upstream.on("/a.ics", calendar(crate::harness::calendar(3, "one")));
    let desk = Desk::empty();
    let source = format!("[source.a]\nurl = \"{}\"\nallow_private = true\n", upstream.url("/a.ics"));
    std::fs::write(desk.path("calferry.toml"), format!("{source}[feed.me]\nsources = [\"a\"]\n")).unwrap();
    for command in ["agenda", "preview"] {
        let plain = desk.run(&[command, "me"]).await;
        assert_eq!((plain.code, plain.said.as_str()), (0, ""));
        let shown = done(desk.on_terminal(&[command, "me"]).wait_with_output().await.unwrap());
        assert!(shown.out.contains("source a has no stored copy: fetching from 127.0.0.1"), "{}", shown.out);
    }
}

#[tokio::test]
async fn exit_codes_and_commands_are_in_the_help_and_the_manual() {
    let desk = Desk::empty();
    let help = desk.run(&["--help"]).await.out;
    assert!(help.contains("Exit codes: 0 done; 1 it went wrong"), "{help}");
    let page = desk.run(&["man"]).await.out;
    let version = env!("CARGO_PKG_VERSION");
    let opens = |page: &str, name: &str| page.contains(&format!(".TH {name} 1  \"calferry {version}\""));
    let exits = |page: &str| page.contains(".SH \"EXIT STATUS\"") && page.contains("The command line itself is wrong");
    assert!(opens(&page, "calferry") && exits(&page) && !page.contains("Exit codes:"), "{page}");
    let page = desk.run(&["man", "device"]).await.out;
    assert!(opens(&page, "calferry-device") && exits(&page) && page.contains("revoke"), "{page}");
    assert!(opens(&desk.run(&["man", "device-rotate"]).await.out, "calferry-device-rotate"));
    assert!(desk.run(&["man", "rotate"]).await.said.contains("no command named \"rotate\"; the commands are: serve, "));
    std::fs::create_dir(desk.path("man")).unwrap();
    assert_eq!(desk.run(&["man", "--dir", "man"]).await.code, 0);
    assert!(desk.read("man/calferry-qr.1").contains("\\-\\-svg"));
    for entry in std::fs::read_dir(desk.path("man")).unwrap().flatten() {
        let page = std::fs::read_to_string(entry.path()).unwrap();
        let name = entry.path().file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(opens(&page, &name) && exits(&page), "{page}");
    }
    assert!(desk.path("man/calferry-device-rotate.1").exists());
}

#[tokio::test]
async fn who_has_no_settings_yet_is_told_where_they_were_looked_for_and_how_to_make_them() {
    let desk = Desk::empty();
    let here = desk.dir.path().canonicalize().unwrap();
    for arguments in [&["url"][..], &["qr", "me"], &["check"], &["serve"]] {
        let refused = desk.run(arguments).await;
        assert_eq!(refused.code, 1);
        let looked = format!("neither {}/calferry.toml nor /etc/calferry/calferry.toml", here.display());
        for words in [&*looked, "calferry init", "--config"] {
            assert!(refused.said.contains(words), "{arguments:?}: {}", refused.said);
        }
    }
    // A file that is there and says nothing is another matter.
    std::fs::write(desk.path("calferry.toml"), "").unwrap();
    let refused = desk.run(&["url"]).await;
    assert!(refused.said.starts_with("calferry: there is nothing to serve"), "{}", refused.said);
}

#[tokio::test]
async fn an_unknown_feed_or_device_is_answered_with_those_there_are() {
    let desk = Desk::new("devices = [\"iphone\", \"xiaomi\"]\n[feed.home]\nsources = [\"work\"]\n");
    for (arguments, says) in [
        (
            &["url", "me", "--device", "ipad"][..],
            "feed me has no device named \"ipad\"; its devices are: iphone, xiaomi",
        ),
        (&["url", "you"], "no feed named \"you\"; the feeds are: home, me"),
        (
            &["url", "--device", "ipad"],
            "no feed has a device named \"ipad\"; the feeds and their devices are: home (phone), me (iphone, xiaomi)",
        ),
    ] {
        let done = desk.run(arguments).await;
        assert_eq!((done.code, done.said), (1, format!("calferry: {says}\n")));
    }
}

#[tokio::test]
async fn a_day_or_a_zone_that_is_none_is_told_before_anything_is_fetched() {
    let desk = Desk::new("");
    for (arguments, says) in [
        (&["agenda", "me", "--from", "x"][..], "write the day as 2026-11-26"),
        (&["agenda", "me", "--tz", "Mars"], "no such time zone; write it as Asia/Shanghai"),
    ] {
        let refused = desk.run(arguments).await;
        assert!(refused.code == 2 && refused.said.contains(says), "{}", refused.said);
    }
}

#[tokio::test]
async fn one_is_not_counted_as_several() {
    let desk = Desk::new("");
    assert_eq!(desk.run(&["check"]).await.out, "settings: 1 source, 1 feed, 1 device\n");
    std::fs::write(desk.path("one.ics"), crate::harness::calendar(1, "one")).unwrap();
    let preview = desk.run(&["preview", "me", "--source-file", "one.ics"]).await.out;
    assert!(preview.starts_with("feed me: 1 event; "), "{preview}");
}

#[tokio::test]
async fn the_status_page_is_named_as_a_link() {
    let desk = Desk::new("[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:18482\"\n");
    let mut server = desk.command(env!("CARGO_BIN_EXE_calferry")).arg("serve").spawn().unwrap();
    let mut log = BufReader::new(server.stderr.take().unwrap()).lines();
    loop {
        let line = log.next_line().await.unwrap().expect("it names the page");
        if line.contains("status page: http://127.0.0.1:18482/") {
            return assert!(line.contains("listen=127.0.0.1:18482"), "{line}");
        }
    }
}

#[tokio::test]
async fn what_is_open_to_everybody_is_told_by_a_check_and_at_the_start() {
    let desk = Desk { dir: tempfile::tempdir_in("/tmp").unwrap() };
    let text = "public_url = \"https://cal.example.com\"\n[server]\nlisten = \"127.0.0.1:0\"\ntrusted_proxies = [\"0.0.0.0/0\"]\n\
                [source.work]\nurl = \"https://calendars.invalid/0123456789abcdef.ics\"\n[feed.me]\nsources = [\"work\"]\n";
    std::fs::write(desk.path("calferry.toml"), text).unwrap();
    let set_mode = |name: &str, mode| std::fs::set_permissions(desk.path(name), Permissions::from_mode(mode)).unwrap();
    set_mode("", 0o755);
    set_mode("calferry.toml", 0o644);
    let both =
        ["everybody on this machine can read it; close it with chmod o-r calferry.toml", "0.0.0.0/0 is a large part"];
    let checked = desk.run(&["check"]).await;
    assert!(checked.code == 0 && both.iter().all(|words| checked.out.contains(words)), "{}", checked.out);
    let listed: serde_json::Value = serde_json::from_str(&desk.run(&["check", "--json"]).await.out).unwrap();
    assert_eq!(listed["warnings"].as_array().unwrap().len(), both.len(), "{listed}");
    let mut server = desk.command(env!("CARGO_BIN_EXE_calferry")).arg("serve").spawn().unwrap();
    let mut log = BufReader::new(server.stderr.take().unwrap()).lines();
    for words in ["0.0.0.0/0 is a large part", "chmod o-r calferry.toml", "serving on"] {
        while !log.next_line().await.unwrap().expect("it warns").contains(words) {}
    }
    set_mode("calferry.toml", 0o640);
    let narrower = desk.run(&["check"]).await;
    assert!(narrower.code == 0 && !narrower.out.contains("chmod"), "{}", narrower.out);
    // A key is never shared.
    set_mode(".local/state/calferry/key", 0o640);
    let refused = desk.run(&["check"]).await;
    assert!(refused.code == 1 && refused.said.contains("chmod 600"), "{}", refused.said);
}
