//! Every example in the READMEs' tables of rules, tried: each condition on an event that it is for and on one that it is
//! not, each action on an event that it changes. An example without a trial fails, and so does a trial without an example.

use std::collections::BTreeSet;
use std::fs;

use calferry::calendar::{Calendar, Limits};
use calferry::feed::{Circumstances, Copy, mended};
use calferry::settings::{Feed, Given, Origin, Settings};

use crate::harness::TODAY;

/// A condition's example, an event that it holds for and one that it does not hold for. An event is written as its lines;
/// after `family|` it comes from that source, else from `work`.
const CONDITIONS: &[(&str, &str, &str)] = &[
    (r#"summary = "(?i)stand-?up""#, "SUMMARY:Daily Standup", "SUMMARY:Daily sync"),
    (r#"location = ["Room [AB]", "会议室"]"#, "LOCATION:三号会议室", "LOCATION:Room C"),
    (r#"status = "tentative""#, "STATUS:TENTATIVE", "STATUS:CONFIRMED"),
    (r#"class = ["private", "confidential"]"#, "CLASS:confidential", "SUMMARY:x"),
    (r#"transp = "transparent""#, "TRANSP:TRANSPARENT", "SUMMARY:x"),
    (
        r#"partstat = ["needs-action", "tentative"]"#,
        "ATTENDEE;PARTSTAT=TENTATIVE:mailto:Me@example.com",
        "ATTENDEE;PARTSTAT=TENTATIVE:mailto:you@example.com\nATTENDEE;PARTSTAT=ACCEPTED:mailto:me@example.com",
    ),
    ("all_day = true", "DTSTART;VALUE=DATE:20261124", "SUMMARY:x"),
    ("recurring = true", "RRULE:FREQ=DAILY;COUNT=3", "SUMMARY:x"),
    ("override = true", "RECURRENCE-ID:20261124T013000Z", "RRULE:FREQ=DAILY;COUNT=3"),
    (r#"has = "conference""#, "DESCRIPTION:https://meet.google.com/abc-defg-hij", "DESCRIPTION:https://example.com/"),
    (
        r#"length = ">= 15m, < 2h""#,
        "DTSTART:20261124T013000Z\nDTEND:20261124T014500Z",
        "DTSTART:20261124T013000Z\nDTEND:20261124T033000Z",
    ),
    (r#"weekdays = "mon-fri""#, "DTSTART:20261124T013000Z", "DTSTART:20261122T013000Z"),
    (r#"weekdays = ["sat", "sun"]"#, "DTSTART:20261122T013000Z", "DTSTART:20261124T013000Z"),
    (r#"hours = "08:00-20:00""#, "DTSTART:20261124T080000", "DTSTART:20261124T200000"),
    (r#"hours = "09:00-18:00", zone = "Asia/Shanghai""#, "DTSTART:20261124T010000Z", "DTSTART:20261124T100000Z"),
    (r#"from = "2026-12-01""#, "DTSTART:20261201T120000Z", "DTSTART:20261130T120000Z"),
    (r#"from = "-30d""#, "DTSTART:20261023T120000Z", "DTSTART:20261022T120000Z"),
    (r#"before = "2026-12-01""#, "DTSTART:20261130T120000Z", "DTSTART:20261201T120000Z"),
    (r#"source = "family""#, "family|SUMMARY:x", "SUMMARY:x"),
    (r#"not = { summary = "(?i)important" }"#, "SUMMARY:Lunch", "SUMMARY:Important lunch"),
    (
        r#"any = [{ summary = "lunch" }, { length = ">= 1d" }]"#,
        "DTSTART;VALUE=DATE:20261124\nDTEND;VALUE=DATE:20261126",
        "SUMMARY:dinner",
    ),
];

/// What an example does to the one event there is.
struct Trial {
    example: &'static str,
    /// Settings that it needs beside it.
    beside: &'static str,
    event: &'static str,
    /// What is then in the output, and was not before.
    comes: &'static [&'static str],
    /// What is then not in the output, and was before.
    goes: &'static [&'static str],
}

const GONE: &[&str] = &["BEGIN:VEVENT"];

const fn trial(
    example: &'static str,
    event: &'static str,
    comes: &'static [&'static str],
    goes: &'static [&'static str],
) -> Trial {
    Trial { example, beside: "", event, comes, goes }
}

/// What rules do.
const ACTIONS: &[Trial] = &[
    Trial { beside: "drop = true", ..trial(r#"name = "no lunch""#, "SUMMARY:x", &[], GONE) },
    Trial { beside: "drop = true", ..trial(r#"when = { summary = "Lunch" }"#, "SUMMARY:Lunch", &[], GONE) },
    trial("drop = true", "SUMMARY:x", &[], GONE),
    Trial { beside: "\n[feed.me]\nhide = [\"cancelled\"]", ..trial("keep = true", "STATUS:CANCELLED", GONE, &[]) },
    trial(r#"busy = "busy""#, "SUMMARY:Dentist", &["SUMMARY:busy", "@calferry"], &["SUMMARY:Dentist", "UID:one"]),
    trial("plain_text = true", "DESCRIPTION:<p>Hello<br>you</p>", &["DESCRIPTION:Hello\\nyou"], &["<p>"]),
    trial(
        r#"set = { summary = "📹 {summary}", location = "" }"#,
        "SUMMARY:Lunch\nLOCATION:Here",
        &["SUMMARY:📹 Lunch"],
        &["LOCATION"],
    ),
    trial(
        r#"set = { transp = "transparent", categories = ["Meeting", "{source}"] }"#,
        "CATEGORIES:Old\nTRANSP:OPAQUE",
        &["TRANSP:TRANSPARENT", "CATEGORIES:Meeting,work"],
        &["Old", "OPAQUE"],
    ),
    trial(
        r#"replace = { field = "description", pattern = "(?s)──.*", with = "" }"#,
        "DESCRIPTION:Agenda ──────\\nJoin: +49 30 1234",
        &["DESCRIPTION:Agenda \r\n"],
        &["Join"],
    ),
    trial(r#"prefix = "[{source}] ""#, "SUMMARY:Lunch", &["SUMMARY:[work] Lunch"], &[]),
    trial(r#"suffix = " ({location})""#, "SUMMARY:Lunch\nLOCATION:Here", &["SUMMARY:Lunch (Here)"], &[]),
    trial(
        r#"strip = ["ATTENDEE", "X-*", "VALARM"]"#,
        "ATTENDEE:mailto:a@example.com\nX-FOO:x\nBEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT5M\nDESCRIPTION:x\nEND:VALARM",
        &[],
        &["ATTENDEE", "X-FOO", "VALARM"],
    ),
    trial(r#"alarms = ["-10m", "-1m"]"#, ALARM, &["TRIGGER:-PT10M", "TRIGGER:-PT1M"], &["TRIGGER:-PT5M"]),
    trial("alarms = []", ALARM, &[], &["VALARM"]),
    trial(r#"add_alarms = ["-1d"]"#, ALARM, &["TRIGGER:-P1D"], &[]),
    trial(r#"shift = "-15m""#, "DTSTART:20261124T013000Z", &["DTSTART:20261124T011500Z"], &["T013000Z"]),
    trial(
        r#"pin = "Asia/Shanghai""#,
        "DTSTART:20261124T093000",
        &["DTSTART;TZID=Asia/Shanghai:20261124T093000"],
        &["DTSTART:2026"],
    ),
];

const ALARM: &str = "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT5M\nDESCRIPTION:x\nEND:VALARM";

/// What a feed does with all its events.
const FEED_WIDE: &[Trial] = &[
    Trial {
        beside: "hide = [\"declined\"]",
        ..trial(r#"me = ["me@example.com"]"#, "ATTENDEE;PARTSTAT=DECLINED:mailto:me@example.com", &[], GONE)
    },
    Trial {
        beside: "me = [\"me@example.com\"]",
        ..trial(r#"hide = ["declined", "cancelled"]"#, "STATUS:CANCELLED", &[], GONE)
    },
    trial(r#"window = { past = "30d", future = "400d" }"#, "DTSTART:20261020T013000Z", &[], GONE),
    trial(r#"alarms = ["-10m"]"#, "SUMMARY:x", &["TRIGGER:-PT10M"], &[]),
    trial(
        "join = true",
        "DESCRIPTION:https://meet.google.com/abc-defg-hij",
        &["URL:https://meet.google.com/abc-defg-hij", "LOCATION:https://meet.google.com/abc-defg-hij", "CONFERENCE"],
        &[],
    ),
    trial(
        r#"join = { hosts = ["meet.example.com"] }"#,
        "DESCRIPTION:https://meet.example.com/room",
        &["URL:https://meet.example.com/room"],
        &[],
    ),
    trial(
        "anonymise = true",
        "ATTENDEE;CN=Li Wei:mailto:li.wei@example.com",
        &["@anonymous.invalid"],
        &["li.wei@example.com"],
    ),
    trial(r#"prefix = { work = "[W] ", family = "🏠 " }"#, "SUMMARY:Lunch", &["SUMMARY:[W] Lunch"], &[]),
    Trial {
        beside: "[[feed.me.rule]]\nwhen = { hours = \"09:00-10:00\" }\ndrop = true",
        ..trial(r#"zone = "Asia/Shanghai""#, "DTSTART:20261124T013000Z", &[], GONE)
    },
    trial(
        r#"floating = "calendar""#,
        "DTSTART:20261124T093000",
        &["DTSTART;TZID=Europe/Berlin:20261124T093000"],
        &["DTSTART:2026"],
    ),
    trial(r#"time_zones = "keep""#, "DTSTART;TZID=Asia/Shanghai:20261124T093000", &[], &["VTIMEZONE"]),
    trial(r##"color = "#FF2968""##, "SUMMARY:x", &["X-APPLE-CALENDAR-COLOR:#FF2968"], &[]),
    trial(r#"color = "tomato""#, "SUMMARY:x", &["X-APPLE-CALENDAR-COLOR:#FF6347", "COLOR:tomato"], &[]),
    trial(r#"colour = "tomato""#, "SUMMARY:x", &["X-APPLE-CALENDAR-COLOR:#FF6347", "COLOR:tomato"], &[]),
    trial("freshness = true", "SUMMARY:x", &["X-WR-CALDESC:work: 2026-11-19 · family: 2026-11-19"], &[]),
    trial(r#"notice = "2d""#, "SUMMARY:x", &["SUMMARY:⚠ work\\, family: 2026-11-19"], &[]),
];

#[test]
fn every_example_of_a_condition_tells_events_apart() {
    assert_examples("`when`", CONDITIONS.iter().map(|(example, ..)| *example));
    for (example, hit, miss) in CONDITIONS {
        let feed = load(ME, &format!("[[feed.me.rule]]\nwhen = {{ {example} }}\ndrop = true"));
        let text = publish(&feed, &[("hit", hit), ("miss", miss)]);
        assert!(!text.contains("UID:hit\r\n"), "{example} does not hold for {hit}");
        assert!(text.contains("UID:miss\r\n"), "{example} holds for {miss}");
    }
}

#[test]
fn every_example_of_an_action_does_what_it_says() {
    assert_examples("`[[feed.NAME.rule]]`", ACTIONS.iter().map(|trial| trial.example));
    for trial in ACTIONS {
        // What stands beside it may be the feed's, whose keys come first.
        let (rule, own) = trial.beside.split_once("\n[feed.me]\n").unwrap_or((trial.beside, ""));
        let own = format!("{ME}\n{own}");
        try_it(trial, &load(&own, ""), &load(&own, &format!("[[feed.me.rule]]\n{}\n{rule}", trial.example)));
    }
    let named = load(ME, "[[feed.me.rule]]\nname = \"no lunch\"\ndrop = true");
    assert_eq!(&*named.recipe.rules.rules[0].name, "no lunch");
}

#[test]
fn every_example_of_a_feed_does_what_it_says() {
    assert_examples("`[feed.NAME]`", FEED_WIDE.iter().map(|trial| trial.example));
    for trial in FEED_WIDE {
        // Without `me` nothing can be hidden that I have declined.
        let before = if trial.beside.starts_with("hide") { "" } else { trial.beside };
        try_it(trial, &load(before, ""), &load(trial.example, trial.beside));
    }
}

#[test]
fn the_example_of_a_rule_from_the_environment_is_a_rule() {
    for readme in READMES {
        let text = fs::read_to_string(readme).unwrap();
        let value = text.split("CALFERRY__FEED__ME__RULE='").nth(1).and_then(|rest| rest.split('\'').next()).unwrap();
        let feed = load_with("", "", &[("CALFERRY__FEED__ME__RULE", value)]);
        let text = publish(&feed, &[("day", "DTSTART;VALUE=DATE:20261124"), ("hour", "SUMMARY:x")]);
        assert!(!text.contains("UID:day") && text.contains("UID:hour"), "{readme}");
    }
}

const ME: &str = "me = [\"me@example.com\"]";
const READMES: [&str; 2] = ["README.md", "README.zh-CN.md"];

fn try_it(trial: &Trial, before: &Feed, after: &Feed) {
    let [before, after] = [before, after].map(|feed| publish(feed, &[("one", trial.event)]));
    for (there, first, then) in [(trial.comes, &before, &after), (trial.goes, &after, &before)] {
        for words in there {
            assert!(!first.contains(words) && then.contains(words), "{}: {words}\n{before}\n{after}", trial.example);
        }
    }
    assert!(!(trial.comes.is_empty() && trial.goes.is_empty()), "{} is not looked at", trial.example);
}

/// Both READMEs have these examples below the heading that names `table`, and no others.
fn assert_examples<'a>(table: &str, tried: impl Iterator<Item = &'a str>) {
    let tried: BTreeSet<_> = tried.map(str::to_owned).collect();
    for readme in READMES {
        let written = examples(&fs::read_to_string(readme).unwrap(), table);
        assert!(!written.is_empty(), "{readme}: no examples below {table}");
        assert_eq!(written, tried, "{readme}: the examples below {table}, and those that are tried");
    }
}

/// What stands in backticks in the last column of the tables that have examples.
fn examples(readme: &str, table: &str) -> BTreeSet<String> {
    let section = readme.split("\n#").find(|section| section.lines().next().is_some_and(|head| head.contains(table)));
    let tables = section.unwrap_or_default().split("\n\n").filter(|part| {
        let head = part.lines().next().unwrap_or_default();
        ["| example |", "| 例子 |"].iter().any(|column| head.ends_with(column))
    });
    let mut examples = BTreeSet::new();
    for row in tables.flat_map(|table| table.lines().skip(2)) {
        let cell = row.trim_end_matches([' ', '|']).rsplit(" | ").next().unwrap();
        let found: Vec<_> = cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        assert!(!found.is_empty(), "a row without an example: {row}");
        examples.extend(found);
    }
    examples
}

/// The feed with these keys of its own, and what comes after them.
fn load(keys: &str, after: &str) -> Feed {
    load_with(keys, after, &[])
}

fn load_with(keys: &str, after: &str, environment: &[(&str, &str)]) -> Feed {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("calferry.toml");
    let sources =
        "[source.work]\nurl = \"https://example.com/w.ics\"\n[source.family]\nurl = \"https://example.com/f.ics\"";
    let toml = format!("{sources}\n[feed.me]\nsources = [\"work\", \"family\"]\n{keys}\n{after}\n");
    fs::write(&path, &toml).unwrap();
    let home = [("HOME", "/home/somebody")];
    let environment: Vec<_> =
        home.iter().chain(environment).map(|(key, value)| ((*key).into(), (*value).into())).collect();
    let loaded = Settings::load(&Origin::File(path), &Given::default(), &environment);
    let mut settings = loaded.unwrap_or_else(|problems| panic!("{problems}\n{toml}"));
    settings.feeds.remove(0)
}

/// What `feed` makes of these events, each a UID and its lines, without folds. Both sources have failed for three days.
fn publish(feed: &Feed, events: &[(&str, &str)]) -> String {
    let calendar = |source: &str| {
        let mut text = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x\nX-WR-TIMEZONE:Europe/Berlin\n".to_owned();
        for (uid, lines) in events {
            let (from, lines) = lines.split_once('|').unwrap_or(("work", lines));
            let start = if lines.contains("DTSTART") { "" } else { "DTSTART:20261124T013000Z\n" };
            if from == source {
                text += &format!("BEGIN:VEVENT\nUID:{uid}\nDTSTAMP:20261101T000000Z\n{start}{lines}\nEND:VEVENT\n");
            }
        }
        let text = (text + "END:VCALENDAR\n").replace('\n', "\r\n");
        mended(&Calendar::scan(text.as_bytes(), &Limits::default()).unwrap())
    };
    let texts = ["work", "family"].map(|source| (source, calendar(source)));
    let confirmed = TODAY - chrono::Duration::days(3);
    let copies: Vec<_> = texts.iter().map(|(source, text)| Copy { source, text, confirmed, failing: true }).collect();
    let published = feed.recipe.publish(&copies, &Circumstances { today: TODAY, key: [7; 32] }).unwrap();
    String::from_utf8(published.text).unwrap().replace("\r\n ", "")
}
