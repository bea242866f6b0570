//! Rules as users write them, rightly.

use super::*;
use crate::feed::{Action, Condition, Hidden, MeetingHosts, Rule, Verdict, Window, ZoneNames};

pub(super) const SOURCES: &str = r#"
[source.work]
url = "https://example.com/work.ics"
[source.family]
url = "https://example.com/family.ics"
[feed.me]
sources = ["work", "family"]
"#;

pub(super) fn feed(keys: &str) -> Result<Feed, Vec<String>> {
    load(&format!("{SOURCES}{keys}")).map(|mut settings| settings.feeds.remove(0))
}

fn rule(keys: &str) -> Rule {
    let feed = feed(&format!("me = [\"me@example.com\"]\n[[feed.me.rule]]\n{keys}"));
    let feed = feed.unwrap_or_else(|problems| panic!("{keys}: {problems:#?}"));
    feed.recipe.rules.rules[0].clone()
}

/// As Rust shows it, but fields and patterns in short.
fn shown(value: &impl fmt::Debug) -> String {
    let text = format!("{value:?}");
    let field = regex::Regex::new(r#"Field \{ name: "([A-Z-]+)", [^}]*\}"#).unwrap();
    let text = field.replace_all(&text, "$1");
    let text = regex::Regex::new(r#"Regex\(("(?:[^"\\]|\\.)*")\)"#).unwrap().replace_all(&text, "$1").into_owned();
    text.replace("TimeDelta { secs: ", "{").replace(", nanos: 0 }", "s}")
}

#[test]
fn every_feed_wide_key_becomes_what_it_says() {
    let feed = feed(
        r##"
        me         = ["Me@Example.com", "mailto:i@example.org"]
        hide       = ["declined", "cancelled", "tentative", "unanswered", "free"]
        window     = { past = "30d", future = "57weeks 1day" }
        alarms     = ["-10m", "0m"]
        join       = { hosts = ["meet.example.com"] }
        anonymise  = true
        color      = "#f28"
        prefix     = { work = "[W] ", family = "🏠 " }
        zone       = "Asia/Shanghai"
        floating   = "calendar"
        time_zones = "keep"
        freshness  = true
        notice     = "2d"
        "##,
    )
    .unwrap();
    let (presentation, rules) = (&feed.recipe.presentation, &feed.recipe.rules);
    assert_eq!(rules.me, ["me@example.com", "i@example.org"]);
    assert_eq!(rules.hide, Hidden::ALL.map(|(_, hidden)| hidden));
    let days = |days| Some(chrono::Duration::days(days));
    assert_eq!(rules.window, Some(Window { past: days(30), future: days(400) }));
    assert_eq!(rules.alarms.iter().map(ToString::to_string).collect::<Vec<_>>(), ["-PT10M", "PT0S"]);
    assert!(rules.join && rules.anonymise && rules.pin_floating);
    assert_eq!(rules.hosts, MeetingHosts::with(&["meet.example.com".into()]));
    assert_eq!(rules.prefixes, [("family".into(), "🏠 ".to_owned()), ("work".into(), "[W] ".to_owned())]);
    assert_eq!(rules.zone, Some(chrono_tz::Asia::Shanghai));
    assert_eq!(feed.recipe.zones, ZoneNames::Keep);
    let colour = presentation.colour.as_ref().unwrap();
    assert_eq!((colour.hex.as_str(), colour.name), ("#FF2288", None));
    assert_eq!((presentation.freshness, presentation.notice), (true, Some(2)));
}

#[test]
fn a_feed_without_wishes_has_none() {
    let feed = feed("").unwrap();
    assert!(feed.recipe.rules.is_empty() && feed.recipe.rules.digest == [0; 32]);
    assert_eq!((feed.recipe.zones, feed.recipe.presentation.colour.clone()), (ZoneNames::Iana, None));
}

#[test]
fn colours_are_told_by_number_or_by_name() {
    for (written, hex, name) in [
        ("color = \"#FF2968\"", "#FF2968", None),
        ("colour = \"tomato\"", "#FF6347", Some("tomato")),
        ("color = \"Tomato\"", "#FF6347", Some("tomato")),
        ("color = \"#ff6347\"", "#FF6347", Some("tomato")),
        ("color = \"rebeccapurple\"", "#663399", None),
    ] {
        let colour = feed(written).unwrap().recipe.presentation.colour.clone().unwrap();
        assert_eq!((colour.hex.as_str(), colour.name), (hex, name), "{written}");
    }
}

#[test]
fn joining_may_be_a_word_and_window_half_open() {
    let rules = feed("join = true\nwindow = { past = \"0d\" }").unwrap().recipe.rules;
    assert!(rules.join && rules.hosts == MeetingHosts::default());
    assert_eq!(rules.window, Some(Window { past: Some(chrono::Duration::zero()), future: None }));
}

/// Every condition, alone.
const CONDITIONS: &[(&str, &str)] = &[
    (r#"summary = "(?i)standup""#, r#"Text(SUMMARY, ["(?i)standup"])"#),
    (r#"x-foo = ["a", "b"]"#, r#"Text(X-FOO, ["a", "b"])"#),
    (r#"last-modified = "^2026""#, r#"Text(LAST-MODIFIED, ["^2026"])"#),
    (r#"status = ["cancelled", "Tentative"]"#, r#"Word(STATUS, ["CANCELLED", "TENTATIVE"])"#),
    (r#"class = "private""#, r#"Word(CLASS, ["PRIVATE"])"#),
    (r#"transp = "opaque""#, r#"Word(TRANSP, ["OPAQUE"])"#),
    (r#"partstat = "needs-action, declined""#, r#"Partstat(["NEEDS-ACTION", "DECLINED"])"#),
    ("all_day = true", "AllDay(true)"),
    ("recurring = false", "Recurring(false)"),
    ("override = true", "Override(true)"),
    (r#"has = ["alarm", "conference"]"#, "Has([Alarm, Conference])"),
    (r#"has = "attachment,attendees""#, "Has([Attachment, Attendees])"),
    (r#"weekdays = "mon-fri""#, "Weekdays([true, true, true, true, true, false, false], None)"),
    (r#"weekdays = ["sat-Mon", "Wednesday"]"#, "Weekdays([true, false, true, false, false, true, true], None)"),
    (r#"hours = ["8:00-20:00", "22:00-06:30"]"#, "Hours([(480, 1200), (1320, 390)], None)"),
    (r#"hours = "00:00-24:00", zone = "Asia/Tokyo""#, "Hours([(0, 1440)], Some(Asia/Tokyo))"),
    (r#"from = "2026-12-01""#, "StartsFrom(On(2026-12-01), None)"),
    ("before = 2026-12-01", "StartsBefore(On(2026-12-01), None)"),
    (r#"from = "-30d", zone = "China Standard Time""#, "StartsFrom(FromToday(-30), Some(Asia/Shanghai))"),
    (r#"before = "0d""#, "StartsBefore(FromToday(0), None)"),
    (r#"source = ["work", "family"]"#, r#"Source(["work", "family"])"#),
];

#[test]
fn every_condition_becomes_what_it_says() {
    for (written, expected) in CONDITIONS {
        let rule = rule(&format!("when = {{ {written} }}\ndrop = true"));
        assert_eq!(shown(&rule.when), format!("All([Is({expected})])"), "{written}");
        assert_eq!((rule.verdict, rule.actions.len(), &*rule.name), (Some(Verdict::Drop), 0, "rule 1"));
    }
}

#[test]
fn conditions_are_joined_and_nested() {
    let when = |written: &str| shown(&rule(&format!("when = {{ {written} }}\nkeep = true")).when);
    assert_eq!(
        when(r#"summary = "a", source = "work", any = [{ location = "b" }, { not = { url = "c" } }]"#),
        r#"All([Is(Source(["work"])), Is(Text(SUMMARY, ["a"])), Any([All([Is(Text(LOCATION, ["b"]))]), All([Not(All([Is(Text(URL, ["c"]))]))])])])"#
    );
    assert_eq!(
        when(r#"not = [{ summary = "a" }, { all_day = true }]"#),
        r#"All([Not(All([Is(Text(SUMMARY, ["a"]))])), Not(All([Is(AllDay(true))]))])"#
    );
    let hour = 3600;
    for (length, expected) in [
        (r#"length = ">= 2h""#, format!("All([Is(Length([(AtLeast, {{{}s}})]))])", 2 * hour)),
        (
            r#"length = ">15m, <= 1h""#,
            format!("All([Is(Length([(More, {{900s}})])), Is(Length([(AtMost, {{{hour}s}})]))])"),
        ),
        (
            r#"length = ["= 0", "<1d"]"#,
            "Any([All([Is(Length([(Equal, {0s})]))]), All([Is(Length([(Less, {86400s})]))])])".to_owned(),
        ),
    ] {
        assert_eq!(when(length), format!("All([{expected}])"));
    }
    assert!(matches!(rule("keep = true").when, Condition::All(all) if all.is_empty()));
    assert!(matches!(rule("when = {}\nkeep = true").when, Condition::All(all) if all.is_empty()));
}

/// Every action, alone.
const ACTIONS: &[(&str, &str)] = &[
    (r#"busy = "忙碌""#, r#"[Busy("忙碌")]"#),
    ("plain_text = true", "[PlainText]"),
    (r#"set = { transp = "transparent" }"#, r#"[Set(TRANSP, [Template { parts: [Text("TRANSPARENT")] }])]"#),
    ("set = { priority = 1 }", r#"[Set(PRIORITY, [Template { parts: [Text("1")] }])]"#),
    (r#"set = { location = "" }"#, r#"[Set(LOCATION, [Template { parts: [Text("")] }])]"#),
    (r#"set = { color = "Tomato" }"#, r#"[Set(COLOR, [Template { parts: [Text("tomato")] }])]"#),
    (
        r#"set = { x-foo = "a", categories = ["b", "{source}"] }"#,
        r#"[Set(CATEGORIES, [Template { parts: [Text("b")] }, Template { parts: [Text(""), Source, Text("")] }]), Set(X-FOO, [Template { parts: [Text("a")] }])]"#,
    ),
    (r#"replace = { field = "summary", pattern = "a(b)", with = "$1" }"#, r#"[Replace(SUMMARY, "a(b)", "$1")]"#),
    (
        r#"replace = [{ field = "url", pattern = "a", with = "" }, { field = "x-a", pattern = "b", with = "$$" }]"#,
        r#"[Replace(URL, "a", ""), Replace(X-A, "b", "$$")]"#,
    ),
    (r#"prefix = "! ""#, r#"[Prefix(Template { parts: [Text("! ")] })]"#),
    (r#"suffix = " ({location})""#, r#"[Suffix(Template { parts: [Text(" ("), Field(LOCATION), Text(")")] })]"#),
    (
        r#"strip = ["attendee", "X-*", "VALARM", "ATT*"]"#,
        r#"[Strip([Named("ATTENDEE"), Beginning("X-"), Named("VALARM"), Beginning("ATT")])]"#,
    ),
    (
        r#"alarms = ["-10m", "-1m"]"#,
        "[ClearAlarms, AddAlarms([Alarm { trigger: \"-PT10M\" }, Alarm { trigger: \"-PT1M\" }])]",
    ),
    ("alarms = []", "[ClearAlarms]"),
    (r#"add_alarms = "-1d""#, "[AddAlarms([Alarm { trigger: \"-P1D\" }])]"),
    (r#"shift = "-15m""#, "[Shift({-900s})]"),
    (r#"shift = "8h""#, "[Shift({28800s})]"),
    (r#"pin = "Asia/Shanghai""#, "[Pin(Asia/Shanghai)]"),
];

#[test]
fn every_action_becomes_what_it_says() {
    for (written, expected) in ACTIONS {
        let rule = rule(written);
        assert_eq!((shown(&rule.actions).as_str(), rule.verdict), (*expected, None), "{written}");
    }
}

#[test]
fn actions_are_done_in_one_order_however_they_are_written() {
    let rule = rule(
        "pin = \"UTC\"\nshift = \"1h\"\nadd_alarms = \"-1d\"\nalarms = \"-1m\"\nstrip = \"ATTACH\"\nsuffix = \"s\"\n\
         prefix = \"p\"\nreplace = { field = \"summary\", pattern = \"a\", with = \"b\" }\nset = { location = \"l\" }\n\
         plain_text = true\nbusy = \"b\"\nname = \"all\"\nkeep = true",
    );
    let names = rule.actions.iter().map(|action| {
        let shown = format!("{action:?}");
        shown.split('(').next().unwrap().to_owned()
    });
    assert_eq!(
        names.collect::<Vec<_>>().join(" "),
        "Busy PlainText Set Replace Prefix Suffix Strip ClearAlarms AddAlarms AddAlarms Shift Pin"
    );
    assert_eq!((&*rule.name, rule.verdict), ("all", Some(Verdict::Keep)));
}

#[test]
fn rules_can_come_from_the_environment() {
    let environment = [
        ("CALFERRY__FEED__ME__RULE", r#"[{ when = { summary = "a,b" }, drop = true }, { prefix = "x" }]"#),
        ("CALFERRY__FEED__ME__JOIN__HOSTS", "meet.example.com, video.example.com"),
        ("CALFERRY__FEED__ME__WINDOW__PAST", "30d"),
        ("CALFERRY__FEED__ME__PREFIX__WORK", "W "),
        ("CALFERRY__FEED__ME__HIDE", "cancelled,free"),
        ("CALFERRY__FEED__ME__ANONYMISE", "true"),
    ];
    let settings = load_with(SOURCES, &[], &environment).unwrap();
    let rules = &settings.feeds[0].recipe.rules;
    assert_eq!(shown(&rules.rules[0].when), r#"All([Is(Text(SUMMARY, ["a,b"]))])"#);
    assert_eq!((rules.rules.len(), rules.hide.len(), rules.prefixes.len(), rules.anonymise), (2, 2, 1, true));
    let wrong = load_with(SOURCES, &[], &[("CALFERRY__FEED__ME__RULE", "[{")]).unwrap_err();
    assert_eq!(wrong, ["feed.me.rule: expected a list of tables, as TOML has it"]);
}

#[test]
fn the_same_pattern_and_the_same_rules_are_held_once() {
    let sources = SOURCES.split("[feed.me]").next().unwrap();
    let rules = "[[feed.NAME.rule]]\nwhen = { summary = \"standup\" }\ndrop = true\n";
    let one =
        |name: &str, keys: &str| format!("[feed.{name}]\nsources = [\"work\"]\n{keys}{rules}").replace("NAME", name);
    let settings =
        load(&format!("{sources}{}{}{}", one("a", ""), one("b", ""), one("c", "anonymise = true\n"))).unwrap();
    let [a, b, c] = [0, 1, 2].map(|index: usize| &settings.feeds[index].recipe.rules);
    assert!(Arc::ptr_eq(a, b) && !Arc::ptr_eq(a, c));
    let pattern = |rules: &crate::feed::Rules| match &rules.rules[0].when {
        Condition::All(all) => match &all[0] {
            Condition::Is(crate::feed::Test::Text(_, patterns)) => Arc::clone(&patterns[0]),
            _ => panic!(),
        },
        _ => panic!(),
    };
    assert!(Arc::ptr_eq(&pattern(a), &pattern(c)));
}

#[test]
fn any_change_of_a_wish_changes_the_digest_and_nothing_else_does() {
    let wishes = [
        "",
        "me = [\"a@b.c\"]",
        "hide = [\"free\"]",
        "hide = [\"cancelled\"]",
        "window = { past = \"1d\" }",
        "window = { past = \"2d\" }",
        "window = { future = \"1d\" }",
        "alarms = [\"-1m\"]",
        "join = true",
        "join = { hosts = [\"a.b\"] }",
        "join = { hosts = [\"a.c\"] }",
        "anonymise = true",
        "prefix = { work = \"x\" }",
        "prefix = { family = \"x\" }",
        "zone = \"UTC\"",
        "floating = \"calendar\"",
        "[[feed.me.rule]]\ndrop = true",
        "[[feed.me.rule]]\nkeep = true",
        "[[feed.me.rule]]\ndrop = true\nname = \"a\"",
        "[[feed.me.rule]]\nwhen = { summary = \"ab\" }\ndrop = true",
        "[[feed.me.rule]]\nwhen = { summary = [\"ab\"] }\ndrop = true",
        "[[feed.me.rule]]\nwhen = { summary = [\"a\", \"b\"] }\ndrop = true",
        "[[feed.me.rule]]\nwhen = { location = \"ab\" }\ndrop = true",
        "[[feed.me.rule]]\nset = { location = \"l\" }\n[[feed.me.rule]]\nset = { url = \"\" }",
        "[[feed.me.rule]]\nset = { url = \"\" }\n[[feed.me.rule]]\nset = { location = \"l\" }",
        "[[feed.me.rule]]\nset = { location = \"l\", url = \"\" }",
    ];
    let digest = |keys: &str| feed(keys).unwrap_or_else(|problems| panic!("{keys}: {problems:?}")).recipe.rules.digest;
    let digests: Vec<_> = wishes.iter().map(|keys| digest(keys)).collect();
    for (index, one) in digests.iter().enumerate() {
        let same = digests.iter().position(|other| other == one);
        assert_eq!(same, Some(index), "{:?}", wishes[index]);
    }
    let both = [
        "zone = \"UTC\"\njoin = true\nprefix = { work = \"x\", family = \"y\" }",
        "name = \"n\"\nprefix = { family = \"y\", work = \"x\" }\njoin = true\nzone = \"UTC\"\ncolor = \"red\"",
    ];
    assert_eq!(digest(both[0]), digest(both[1]));
}

#[test]
fn sets_of_actions_do_not_depend_on_the_order_of_keys() {
    let shown_actions = |keys: &str| shown(&rule(keys).actions);
    let one = shown_actions("set = { location = \"l\", summary = \"s\" }");
    assert_eq!(one, shown_actions("set = { summary = \"s\", location = \"l\" }"));
    assert!(matches!(rule("set = { location = \"l\" }").actions[..], [Action::Set(..)]));
}
