//! Rules as users write them, wrongly.

use super::rules::{SOURCES, feed};
use super::*;

/// Wrong settings below `[feed.me]`, the path of what is told, and a word of it.
const WRONG: &[(&str, &str, &str)] = &[
    (r#"me = ["somebody"]"#, "me[0]", "me@example.com"),
    (r#"me = ["Li Wei <li@example.com>"]"#, "me[0]", "me@example.com"),
    ("me = 1", "me", "list"),
    (r#"hide = ["declined"]"#, "hide[0]", "`me`"),
    (r#"hide = ["free", "unanswered"]"#, "hide[1]", "`me`"),
    (r#"hide = ["old"]"#, "hide[0]", "declined, cancelled"),
    (r#"hide = ["free", "free"]"#, "hide[1]", "twice"),
    (r#"window = "30d""#, "window", "table"),
    ("window = {}", "window", "past"),
    (r#"window = { past = "36h" }"#, "window.past", "whole days"),
    (r#"window = { future = "x" }"#, "window.future", "whole days"),
    (r#"window = { future = "300000d" }"#, "window.future", "36600"),
    (r#"window = { paste = "1d" }"#, "window.paste", "known here: future, past"),
    (r#"alarms = ["ten"]"#, "alarms[0]", "-10m"),
    (r#"alarms = ["-10m", "-600s"]"#, "alarms[1]", "twice"),
    (r#"join = "yes""#, "join", "true or false"),
    (r#"join = { hosts = ["10.0.0.1"] }"#, "join.hosts[0]", "host name"),
    ("join = { hosts = [] }", "join.hosts", "join = true"),
    (r#"join = { host = "a.b" }"#, "join.host", "known here: hosts"),
    ("anonymise = 3", "anonymise", "true or false"),
    (r#"prefix = { wrok = "x" }"#, "prefix.wrok", "work, family"),
    (r#"prefix = "x""#, "prefix", "table"),
    (r#"zone = "Peking""#, "zone", "Asia/Shanghai"),
    (r#"floating = "local""#, "floating", "calendar"),
    (r#"time_zones = "windows""#, "time_zones", "keep"),
    (r#"freshness = "sometimes""#, "freshness", "true or false"),
    (r#"notice = "0d""#, "notice", "less than a day"),
    (r#"notice = "90m""#, "notice", "whole days"),
    (r#"color = "reddish""#, "color", "tomato"),
    (r##"color = "#12345""##, "color", "#FF2968"),
    ("color = \"red\"\ncolour = \"red\"", "colour", "another spelling"),
    (r#"rule = "x""#, "rule", "list of tables"),
    ("rule = []", "rule", "empty"),
    ("rule = [1]", "rule[0]", "table"),
];

/// Wrong rules, the path of what is told below the rule's own, and a word of it.
const WRONG_RULES: &[(&str, &str, &str)] = &[
    ("", "", "does nothing"),
    ("drop = false", "", "does nothing"),
    ("drop = true\nkeep = true", ".keep", "either"),
    ("drop = true\nprefix = \"x\"", ".drop", "for nothing"),
    ("drop = \"maybe\"", ".drop", "true or false"),
    ("bogus = 1\ndrop = true", ".bogus", "known here: add_alarms, alarms, busy"),
    ("when = \"x\"\ndrop = true", ".when", "table"),
    ("when = { summary = \"a(\" }\ndrop = true", ".when.summary", "at letter 2"),
    ("when = { summary = [\"a\", \"会议[\"] }\ndrop = true", ".when.summary[1]", "at letter 3"),
    ("when = { summary = \"\" }\ndrop = true", ".when.summary", "empty"),
    ("when = { summary = [] }\ndrop = true", ".when.summary", "empty"),
    ("when = { summary = [[\"a\"]] }\ndrop = true", ".when.summary[0]", "text"),
    ("when = { summary = { a = 1 } }\ndrop = true", ".when.summary", "text"),
    ("when = { summary = \"[a&&b]\" }\ndrop = true", ".when.summary", "never match"),
    ("when = { summary = '(?-u:\\xFF)' }\ndrop = true", ".when.summary", "no pattern"),
    ("when = { summary = \"(a{1000}){1000}\" }\ndrop = true", ".when.summary", "too long"),
    ("when = { summary = '\\p{Greek' }\ndrop = true", ".when.summary", "at letter 9"),
    ("when = { Summary = \"a\" }\ndrop = true", ".when.Summary", "lower case"),
    ("when = { sumary = \"a\" }\ndrop = true", ".when.sumary", "known here: all_day, any, before, class"),
    ("when = { duration = \">1h\" }\ndrop = true", ".when.duration", "`length`"),
    ("when = { title = \"a\" }\ndrop = true", ".when.title", "`summary`"),
    ("when = { status = \"canceled\" }\ndrop = true", ".when.status", "cancelled"),
    ("when = { class = [] }\ndrop = true", ".when.class", "empty"),
    ("when = { transp = [\"opaque\", \"x\"] }\ndrop = true", ".when.transp[1]", "transparent"),
    ("when = { partstat = \"yes\" }\ndrop = true", ".when.partstat", "accepted"),
    ("when = { all_day = \"x\" }\ndrop = true", ".when.all_day", "true or false"),
    ("when = { recurring = false, override = true }\ndrop = true", ".when.override", "never match"),
    ("when = { has = \"video\" }\ndrop = true", ".when.has", "conference"),
    ("when = { has = [] }\ndrop = true", ".when.has", "empty"),
    ("when = { length = \"2h\" }\ndrop = true", ".when.length", ">= 2h"),
    ("when = { length = \"> two\" }\ndrop = true", ".when.length", "< 15m"),
    ("when = { length = \"> 2h, < 1h\" }\ndrop = true", ".when.length", "never match"),
    ("when = { length = [\"< 0s\"] }\ndrop = true", ".when.length[0]", "never match"),
    ("when = { weekdays = \"weekend\" }\ndrop = true", ".when.weekdays", "mon-fri"),
    ("when = { weekdays = [] }\ndrop = true", ".when.weekdays", "empty"),
    ("when = { hours = \"8-20\" }\ndrop = true", ".when.hours", "08:00-20:00"),
    ("when = { hours = \"08:00-08:00\" }\ndrop = true", ".when.hours", "never match"),
    ("when = { hours = [\"08:00-24:01\"] }\ndrop = true", ".when.hours[0]", "08:00"),
    ("when = { hours = \"24:00-08:00\" }\ndrop = true", ".when.hours", "00:00"),
    ("when = { hours = \"+8:00-9:00\" }\ndrop = true", ".when.hours", "08:00"),
    ("when = { zone = \"UTC\" }\ndrop = true", ".when.zone", "changes nothing"),
    ("when = { zone = \"Peking\", hours = \"08:00-09:00\" }\ndrop = true", ".when.zone", "Asia/Shanghai"),
    ("when = { from = \"2026-13-01\" }\ndrop = true", ".when.from", "2026-12-01"),
    ("when = { from = \"36h\" }\ndrop = true", ".when.from", "seen from today"),
    ("when = { from = \"2026-12-01\", before = \"2026-12-01\" }\ndrop = true", ".when.before", "never match"),
    ("when = { from = \"7d\", before = \"-7d\" }\ndrop = true", ".when.before", "never match"),
    ("when = { source = \"wrok\" }\ndrop = true", ".when.source", "work, family"),
    ("when = { source = [\"work\", \"x\"] }\ndrop = true", ".when.source[1]", "work, family"),
    ("when = { not = {} }\ndrop = true", ".when.not", "every event"),
    ("when = { not = \"x\" }\ndrop = true", ".when.not", "table"),
    ("when = { any = [] }\ndrop = true", ".when.any", "empty"),
    ("when = { any = [{ summary = \"a\" }, {}] }\ndrop = true", ".when.any[1]", "every event"),
    ("when = { any = [{ not = [{ summary = \"(\" }] }] }\ndrop = true", ".when.any[0].not[0].summary", "at letter 1"),
    ("busy = \"\"", ".busy", "empty"),
    ("busy = \"{summary}\"", ".busy", "places"),
    ("plain_text = 1", ".plain_text", "true or false"),
    ("set = {}", ".set", "empty"),
    ("set = \"x\"", ".set", "table"),
    ("set = { dtstart = \"x\" }", ".set.dtstart", "may not be written"),
    ("set = { attendee = \"x\" }", ".set.attendee", "may not be written"),
    ("set = { foo = \"x\" }", ".set.foo", "no property"),
    ("set = { status = \"done\" }", ".set.status", "tentative, confirmed"),
    ("set = { color = \"#FF2968\" }", ".set.color", "tomato"),
    ("set = { priority = \"10\" }", ".set.priority", "0 to 9"),
    ("set = { url = \"example\" }", ".set.url", "https://"),
    ("set = { summary = [\"a\", \"b\"] }", ".set.summary", "once"),
    ("set = { categories = [] }", ".set.categories", "empty"),
    ("set = { summary = \"{nobody}\" }", ".set.summary", "position 1"),
    ("set = { categories = [\"a\", \"b}\"] }", ".set.categories[1]", "position 2"),
    ("replace = { field = \"summary\", with = \"\" }", ".replace.pattern", "missing"),
    ("replace = { pattern = \"a\", with = \"\" }", ".replace.field", "missing"),
    ("replace = { field = \"summary\", pattern = \"a\" }", ".replace.with", "missing"),
    ("replace = { field = \"uid\", pattern = \"a\", with = \"\" }", ".replace.field", "may not be written"),
    ("replace = { field = \"status\", pattern = \"a\", with = \"\" }", ".replace.field", "use set"),
    ("replace = [{ field = \"summary\", pattern = \"(\", with = \"\" }]", ".replace[0].pattern", "at letter 1"),
    ("replace = { field = \"summary\", pattern = \"(a)\", with = \"$2\" }", ".replace.with", "no group"),
    ("replace = { field = \"summary\", pattern = \"(a)\", with = \"$1b\" }", ".replace.with", "${1}a"),
    ("replace = { field = \"summary\", pattern = \"a\", with = \"5 $\" }", ".replace.with", "$$"),
    ("replace = { field = \"summary\", pattern = \"a\", with = \"\", flags = \"i\" }", ".replace.flags", "unknown key"),
    ("replace = []", ".replace", "empty"),
    ("prefix = \"\"", ".prefix", "adds nothing"),
    ("suffix = \"{\"", ".suffix", "position 1"),
    ("strip = [\"UID\"]", ".strip[0]", "may not be taken out"),
    ("strip = \"dtstart\"", ".strip", "may not be taken out"),
    ("strip = [\"ATENDEE\"]", ".strip[0]", "no property"),
    ("strip = [\"RRU*\"]", ".strip[0]", "nothing"),
    ("strip = \"*\"", ".strip", "use busy"),
    ("strip = []", ".strip", "empty"),
    ("alarms = [\"soon\"]", ".alarms[0]", "-10m"),
    ("add_alarms = []", ".add_alarms", "empty"),
    ("add_alarms = [\"-1m\", \"-60s\"]", ".add_alarms[1]", "twice"),
    ("shift = \"0m\"", ".shift", "nothing"),
    ("shift = \"-400d\"", ".shift", "366 days"),
    ("shift = \"later\"", ".shift", "-15m"),
    ("pin = \"here\"", ".pin", "Asia/Shanghai"),
];

#[test]
fn whatever_is_wrong_is_told_at_its_place() {
    let feed_wide = WRONG.iter().map(|(keys, path, word)| ((*keys).to_owned(), format!("feed.me.{path}"), word));
    let rules = WRONG_RULES
        .iter()
        .map(|(keys, path, word)| (format!("[[feed.me.rule]]\n{keys}"), format!("feed.me.rule[0]{path}"), word));
    let mut failures = Vec::new();
    for (keys, path, word) in feed_wide.chain(rules) {
        let problems = feed(&keys).err().unwrap_or_default();
        let told = problems.iter().any(|problem| problem.starts_with(&format!("{path}: ")) && problem.contains(word));
        if !told {
            failures.push(format!("{keys}\n    {path}: …{word}… is not in {problems:#?}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_slip_is_told_once() {
    for keys in [
        "hide = [\"old\"]",
        "[[feed.me.rule]]\nwhen = { summary = \"(\" }\ndrop = true",
        "[[feed.me.rule]]\nshift = \"x\"",
    ] {
        assert_eq!(feed(keys).unwrap_err().len(), 1, "{keys}");
    }
}

#[test]
fn rules_that_cannot_be_told_apart_or_reached_are_refused() {
    let rules = "[[feed.me.rule]]\nname = \"a\"\nprefix = \"x\"\n[[feed.me.rule]]\nname = \"a\"\ndrop = true\n[[feed.me.rule]]\nprefix = \"y\"";
    let problems = feed(rules).unwrap_err();
    assert_eq!(
        problems,
        [
            "feed.me.rule[1].name: another rule has this name",
            "feed.me.rule[2]: is never reached: \"a\" before it is for every event"
        ]
    );
    assert!(feed("[[feed.me.rule]]\nwhen = { all_day = true }\ndrop = true\n[[feed.me.rule]]\nprefix = \"y\"").is_ok());
}

#[test]
fn conditions_stand_eight_deep_and_no_deeper() {
    let nested = |depth: usize| {
        let inner = (1..depth).fold("summary = \"a\"".to_owned(), |inner, _| format!("not = {{ {inner} }}"));
        feed(&format!("[[feed.me.rule]]\nwhen = {{ {inner} }}\ndrop = true"))
    };
    assert!(nested(8).is_ok());
    let problems = nested(9).unwrap_err();
    assert!(problems[0].contains("deeper than 8"), "{problems:?}");
}

#[test]
fn no_message_holds_an_address_that_stands_under_the_wrong_key() {
    let secret = "private-0123456789abcdef";
    for url in [
        format!("https://calendar.google.com/calendar/ical/a/{secret}/basic.ics"),
        format!("calendar.google.com/ical/a/{secret}/basic.ics"),
        format!("https://user:{secret}@example.com"),
    ] {
        for key in [
            "sources = [\"URL\"]",
            "refresh = \"URL\"",
            "freshness = \"URL\"",
            "me = [\"URL\"]",
            "hide = [\"URL\"]",
            "zone = \"URL\"",
            "prefix = { \"URL\" = \"x\" }",
            "color = \"URL\"",
            "time_zones = \"URL\"",
            "\"URL\" = 1",
            "[[feed.me.rule]]\nwhen = { source = \"URL\", url = \"(URL\", \"URL\" = \"x\" }\ndrop = \"URL\"",
            "[[feed.me.rule]]\nset = { transp = \"URL\" }\nstrip = \"URL\"\nshift = \"URL\"\nsuffix = \"{URL}\"",
            "[[feed.me.rule]]\nreplace = { field = \"URL\", pattern = \"a\", with = \"$a\" }\nbogus = \"URL\"",
        ] {
            let keys = key.replace("URL", &url);
            let toml = if key.starts_with("sources") {
                SOURCES.replace("sources = [\"work\", \"family\"]", &keys)
            } else {
                format!("{SOURCES}{keys}")
            };
            let problems = load(&toml).unwrap_err();
            assert!(
                !problems.is_empty() && problems.iter().all(|problem| !problem.contains(secret)),
                "{keys}: {problems:?}"
            );
        }
    }
}
