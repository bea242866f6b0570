//! What scripts and manuals read.

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
async fn exit_codes_and_commands_are_in_the_help_and_the_manual() {
    let desk = Desk::empty();
    let help = desk.run(&["--help"]).await.out;
    assert!(help.contains("Exit codes: 0 done; 1 it went wrong"), "{help}");
    let page = desk.run(&["man"]).await.out;
    assert!(page.contains(".TH calferry 1") && page.contains("Exit codes: 0 done"), "{page}");
    assert!(desk.run(&["man", "device"]).await.out.contains("revoke"));
    std::fs::create_dir(desk.path("man")).unwrap();
    assert_eq!(desk.run(&["man", "--dir", "man"]).await.code, 0);
    assert!(desk.read("man/calferry-qr.1").contains("\\-\\-svg"));
    assert!(desk.path("man/calferry-device-rotate.1").exists());
}
