//! Feeds of several sources and feeds with rules, as they are served, and what the status says of them.

use calferry::feed::{Circumstances, Copy};
use chrono::Days;

use super::harness::program::Program;
use super::harness::upstream::{Act, Upstream, answer, calendar};
use super::harness::{self, TODAY, eventually, ics, published, recipe};

fn toml(upstream: &Upstream, feed: &str) -> String {
    let (one, two) = (upstream.url("/one.ics"), upstream.url("/two.ics"));
    format!(
        "[fetch]\nallow_private = true\n[source.one]\nurl = \"{one}\"\n[source.two]\nurl = \"{two}\"\n\
         [feed.me]\nsources = [\"one\", \"two\"]\n{feed}"
    )
}

fn named(title: &str) -> Vec<u8> {
    let event = format!(
        "BEGIN:VEVENT\nUID:{title}@x\nDTSTAMP:20261101T000000Z\nDTSTART:20261124T010000Z\nSUMMARY:{title}\nEND:VEVENT"
    );
    ics(&[&event])
}

#[tokio::test]
async fn a_source_without_a_copy_is_left_out_until_it_has_one_and_health_says_so() {
    let upstream = Upstream::start().await;
    upstream.on("/one.ics", calendar(named("first")));
    upstream.on("/two.ics", answer("503 Unavailable", &[], ""));
    let program = Program::start(&toml(&upstream, "")).await;
    eventually("the second source to fail", async || program.source("two").await["state"] == "no_copy").await;
    let path = program.path("me");
    let reply = program.get(&path, &[]).await;
    assert!(reply.status == 200 && reply.text().contains("SUMMARY:first") && !reply.text().contains("second"));
    let health = program.get(&path.replace(".ics", "/health"), &[]).await;
    assert_eq!(health.status, 503);
    let told = health.json();
    assert_eq!((&told["state"], &told["sources"], &told["left_out"]), (&"no_copy".into(), &2.into(), &1.into()));
    let status = program.admin("/status.json").await.json();
    assert_eq!(status["feeds"]["me"]["left_out"], serde_json::json!(["two"]));

    upstream.on("/two.ics", calendar(named("second")));
    let dir = program.stop().await;
    let toml = std::fs::read_to_string(dir.path().join("calferry.toml")).unwrap();
    let program = Program::start_in(dir, &toml, calferry::clock::Clock::System).await;
    eventually("both", async || program.get(&path, &[]).await.text().contains("SUMMARY:second")).await;
    let reply = program.get(&path, &[]).await;
    assert!(reply.text().contains("SUMMARY:first"));
    assert_eq!(reply.text().matches("BEGIN:VCALENDAR").count(), 1);
    assert_eq!(program.get(&path.replace(".ics", "/health"), &[]).await.status, 200);
}

#[tokio::test]
async fn the_first_request_waits_for_all_sources_and_not_only_for_the_quickest() {
    let upstream = Upstream::start().await;
    let gate = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let Act::Say(second) = calendar(named("second")) else { unreachable!("it says it at once") };
    upstream.on("/one.ics", calendar(named("first")));
    upstream.on("/two.ics", Act::WaitAndSay(std::sync::Arc::clone(&gate), second));
    let program = Program::start(&toml(&upstream, "")).await;
    eventually("the first copy", async || program.source("one").await["events"] == 1).await;
    let path = program.path("me");
    let (reply, ()) = tokio::join!(program.get(&path, &[]), async {
        eventually("the second fetch", async || upstream.hits("/two.ics") == 1).await;
        gate.add_permits(1);
    });
    assert!(reply.text().contains("SUMMARY:first") && reply.text().contains("SUMMARY:second"), "{}", reply.text());
}

#[tokio::test]
async fn the_status_tells_to_how_many_events_each_rule_applies() {
    let upstream = Upstream::start().await;
    upstream.on("/one.ics", calendar(harness::calendar(5, "meeting")));
    upstream.on("/two.ics", calendar(named("second")));
    let rules = "[[feed.me.rule]]\nname = \"no meetings\"\nwhen = { summary = \"meeting [12]\" }\ndrop = true\n\
                 [[feed.me.rule]]\nwhen = { summary = \"nothing\" }\ndrop = true";
    let program = Program::start(&toml(&upstream, rules)).await;
    let reply = program.get(&program.path("me"), &[]).await;
    assert_eq!(reply.text().matches("BEGIN:VEVENT").count(), 4);
    let edition = program.admin("/status.json").await.json()["feeds"]["me"]["edition"].clone();
    let rules = serde_json::json!([{"rule": "no meetings", "applied": 2}, {"rule": "rule 2", "applied": 0}]);
    assert_eq!((&edition["events"], &edition["kept"], &edition["rules"]), (&6.into(), &4.into(), &rules));
}

#[tokio::test]
async fn another_rule_is_another_edition_and_the_phone_is_told() {
    let upstream = Upstream::start().await;
    upstream.on("/one.ics", calendar(harness::calendar(5, "meeting")));
    upstream.on("/two.ics", calendar(named("second")));
    let mut program = Program::start(&toml(&upstream, "")).await;
    let path = program.path("me");
    let before = program.get(&path, &[]).await;
    let rule = "[[feed.me.rule]]\nwhen = { summary = \"meeting\" }\ndrop = true";
    let settings = harness::program::settings(program.dir.path(), &toml(&upstream, rule));
    program.app.reload(settings).await.unwrap();
    let after = program.get(&path, &[("if-none-match", before.header("etag"))]).await;
    assert_eq!(after.status, 200);
    assert_eq!(after.text().matches("BEGIN:VEVENT").count(), 1);
}

fn told_on(recipe: &calferry::feed::Recipe, days: u64, failing: bool) -> String {
    let text = named("only");
    let copy = Copy { source: "one", text: &text, confirmed: TODAY, failing };
    let today = TODAY.checked_add_days(Days::new(days)).unwrap();
    let text = recipe.publish(&[copy], &Circumstances { today, key: [7; 32] }).unwrap().text;
    String::from_utf8(text).unwrap().replace("\r\n ", "")
}

#[test]
fn freshness_is_told_to_the_day_behind_what_the_calendar_says_of_itself() {
    let fresh = recipe("freshness = true");
    assert!(told_on(&fresh, 0, false).contains("\r\nX-WR-CALDESC:one: 2026-11-22\r\n"));
    assert_eq!(told_on(&fresh, 0, false), told_on(&fresh, 5, true), "only the day of the last confirmation counts");
    let described =
        String::from_utf8(named("x")).unwrap().replace("VERSION:2.0", "VERSION:2.0\r\nX-WR-CALDESC:Ours\\, all");
    let out = String::from_utf8(published(&[("one", described.as_bytes())], &fresh)).unwrap();
    assert!(out.contains("\r\nX-WR-CALDESC:Ours\\, all\\none: 2026-11-22\r\n"), "{out}");
    assert_eq!(out.matches("CALDESC").count(), 1);
}

#[test]
fn a_source_that_fails_for_too_long_is_told_by_an_event_of_the_day() {
    let noticed = recipe("notice = \"2d\"");
    for (days, failing) in [(0, true), (1, true), (5, false)] {
        assert_eq!(told_on(&noticed, days, failing).matches("BEGIN:VEVENT").count(), 1, "{days} {failing}");
    }
    let out = told_on(&noticed, 3, true);
    assert_eq!(out.matches("BEGIN:VEVENT").count(), 2);
    let notice = out.split("BEGIN:VEVENT").nth(2).unwrap();
    for line in
        ["DTSTART;VALUE=DATE:20261125", "TRANSP:TRANSPARENT", "SUMMARY:⚠ one: 2026-11-22", "DTSTAMP:20261125T000000Z"]
    {
        assert!(notice.contains(&format!("\r\n{line}\r\n")), "{line}: {notice}");
    }
    assert_eq!(out, told_on(&noticed, 3, true), "the same at every fetch");
}

#[test]
fn anonymised_people_keep_their_names_and_answers_and_nothing_that_leads_to_them() {
    let event = "BEGIN:VEVENT\nUID:a@x\nDTSTART:20261124T010000Z\nORGANIZER;CN=Mara;SENT-BY=\"mailto:b@x.org\":mailto:Mara@X.org\n\
                 ATTENDEE;CN=\"Li; Wei\";PARTSTAT=ACCEPTED;EMAIL=li@x.org:mailto:li@x.org\nATTENDEE;CN=li@x.org:MAILTO:LI@x.org\n\
                 ATTENDEE;DELEGATED-TO=\"mailto:c@x.org\":mailto:mara@x.org\nSUMMARY:x\nEND:VEVENT";
    let out = published(&[("one", &ics(&[event]))], &recipe("anonymise = true"));
    let out = String::from_utf8(out).unwrap().replace("\r\n ", "");
    assert!(!out.to_lowercase().contains("x.org"), "{out}");
    let lines: Vec<_> =
        out.lines().filter(|line| line.starts_with("ATTENDEE") || line.starts_with("ORGANIZER")).collect();
    assert!(lines[0].starts_with("ORGANIZER;CN=Mara:mailto:"));
    assert!(lines[1].starts_with("ATTENDEE;CN=\"Li; Wei\";PARTSTAT=ACCEPTED:mailto:"));
    assert!(lines[2].starts_with("ATTENDEE:mailto:"));
    let address = |line: &str| line.rsplit("mailto:").next().unwrap().to_owned();
    assert_eq!(address(lines[1]), address(lines[2]), "one person is one person");
    assert_eq!(address(lines[0]), address(lines[3]));
    assert_ne!(address(lines[0]), address(lines[1]));
    let other = recipe("anonymise = true");
    let text = ics(&[event]);
    let copy = Copy { source: "one", text: &text, confirmed: TODAY, failing: false };
    let keyed = other.publish(&[copy], &Circumstances { today: TODAY, key: [8; 32] }).unwrap().text;
    assert!(
        !String::from_utf8(keyed).unwrap().replace("\r\n ", "").contains(&address(lines[1])),
        "the key makes the name"
    );
}
