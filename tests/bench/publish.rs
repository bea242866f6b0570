//! Publishing, without rules and with ten, beside the `icalendar` crate reading and writing the same calendar in the same run:
//! `cargo bench --bench publish`.

#[path = "google_like.rs"]
mod google_like;

use std::sync::LazyLock;
use std::time::Duration;

use calferry::calendar::{Calendar, Limits};
use calferry::feed::{
    Action, Alarm, Circumstances, Condition, Copy, Field, Presentation, Recipe, Rule, Rules, Strip, Template, Test,
    Verdict, Window, mended,
};
use chrono::NaiveDate;
use divan::counter::BytesCount;
use icalendar::{Component, EventLike};

/// The program's own.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

static FEED: LazyLock<Vec<u8>> = LazyLock::new(|| google_like::google_like(20_000, "20261122T070312Z"));

/// As it is stored, and as every edition is made of it.
static MENDED: LazyLock<Vec<u8>> =
    LazyLock::new(|| mended(&Calendar::scan(&FEED, &Limits::default()).expect("the feed is a calendar")));

fn publish(recipe: &Recipe) -> Vec<u8> {
    let today = NaiveDate::from_ymd_opt(2026, 11, 22).expect("a day");
    let copy = Copy { source: "work", text: &MENDED, confirmed: today, failing: false };
    let published = recipe.publish(&[copy], &Circumstances { today, key: [7; 32] });
    published.expect("the feed is a calendar").text
}

fn main() {
    println!("feed: 20,000 events, {} bytes", FEED.len());
    divan::main();
}

#[divan::bench(sample_count = 40)]
fn calferry_publish(bencher: divan::Bencher<'_, '_>) {
    let refresh = Some(Duration::from_mins(15));
    let presentation = Presentation { name: Some("工作".into()), refresh, ..Presentation::default() };
    let recipe = Recipe { presentation: presentation.into(), ..Recipe::default() };
    LazyLock::force(&MENDED);
    bencher.counter(BytesCount::new(MENDED.len())).bench_local(|| publish(&recipe));
}

#[divan::bench(sample_count = 40)]
fn calferry_mend(bencher: divan::Bencher<'_, '_>) {
    bencher.counter(BytesCount::new(FEED.len())).bench_local(|| {
        let calendar = Calendar::scan(&FEED, &Limits::default()).expect("the feed is a calendar");
        mended(&calendar)
    });
}

/// The fortnight of the subscription page, as if nobody had asked for it today.
#[divan::bench(sample_count = 40)]
fn calferry_agenda(bencher: divan::Bencher<'_, '_>) {
    let first = NaiveDate::from_ymd_opt(2026, 11, 22).expect("a day");
    let window = calferry::agenda::Window { first, days: 14, zone: chrono_tz::Tz::Asia__Shanghai };
    let bounds = calferry::agenda::Bounds { instances: 200, text: 36 << 10, notes: 2_000 };
    LazyLock::force(&MENDED);
    bencher
        .counter(BytesCount::new(MENDED.len()))
        .bench_local(|| calferry::agenda::Agenda::read(&MENDED, window, bounds).expect("the feed is a calendar"));
}

#[divan::bench(sample_count = 40)]
fn calferry_scan_alone(bencher: divan::Bencher<'_, '_>) {
    bencher.counter(BytesCount::new(FEED.len())).bench_local(|| Calendar::scan(&FEED, &Limits::default()).is_ok());
}

/// Three patterns that drop, a window, two things stripped, a prefix, alarms and meeting addresses: ten wishes on every
/// event.
fn ten_rules() -> Recipe {
    let rule = |when: Vec<(&str, &str)>, verdict, actions| Rule {
        name: "rule".into(),
        when: Condition::All(
            when.into_iter()
                .map(|(field, pattern)| {
                    let pattern = regex::Regex::new(pattern).expect("a pattern");
                    Condition::Is(Test::Text(Field::of(field).expect("a property"), vec![pattern.into()]))
                })
                .collect(),
        ),
        verdict,
        actions,
    };
    let template = |text| Template::parse(text).expect("a template");
    let strip = |name: &str| Action::Strip([Strip::Named(name.into())].into());
    let days = |days| Some(chrono::Duration::days(days));
    Recipe {
        rules: std::sync::Arc::new(Rules {
            rules: vec![
                rule(vec![("summary", "(?i)stand-?up 7|站会 11")], Some(Verdict::Drop), vec![]),
                rule(vec![("location", r"(?i)room \d+|zoom\.us/j/8000000077")], Some(Verdict::Drop), vec![]),
                rule(vec![("organizer", "(?i)newsletter|noreply@")], Some(Verdict::Drop), vec![]),
                rule(vec![], None, vec![strip("ATTENDEE")]),
                rule(vec![], None, vec![strip("X-APPLE-STRUCTURED-LOCATION")]),
                rule(vec![("location", r"zoom\.us")], None, vec![Action::Prefix(template("📹 "))]),
                rule(
                    vec![("summary", "(?i)review")],
                    None,
                    vec![Action::AddAlarms(vec!["-10m".parse().expect("an alarm")])],
                ),
            ],
            window: Some(Window { past: days(30), future: days(400) }),
            alarms: vec!["-5m".parse::<Alarm>().expect("an alarm")],
            join: true,
            ..Rules::default()
        }),
        ..Recipe::default()
    }
}

#[divan::bench(sample_count = 40)]
fn calferry_ten_rules(bencher: divan::Bencher<'_, '_>) {
    let recipe = ten_rules();
    LazyLock::force(&MENDED);
    bencher.counter(BytesCount::new(MENDED.len())).bench_local(|| publish(&recipe));
}

/// The same wishes, carried out by `icalendar`'s own types: read, change, write. Its rules are bare patterns, its window
/// looks at single events only (a series stays), its meeting address is whatever LOCATION holds: less than what is
/// compared with it.
#[divan::bench(sample_count = 3, sample_size = 1)]
fn icalendar_ten_rules(bencher: divan::Bencher<'_, '_>) {
    let text = str::from_utf8(&MENDED).expect("the feed is UTF-8");
    let pattern = |pattern| regex::Regex::new(pattern).expect("a pattern");
    let patterns = [
        ("SUMMARY", pattern("(?i)stand-?up 7|站会 11")),
        ("LOCATION", pattern(r"(?i)room \d+|zoom\.us/j/8000000077")),
        ("ORGANIZER", pattern("(?i)newsletter|noreply@")),
    ];
    let (zoom, review) = (pattern(r"zoom\.us"), pattern("(?i)review"));
    let alarm = |minutes| icalendar::Alarm::display("x", -chrono::Duration::minutes(minutes));
    bencher.counter(BytesCount::new(MENDED.len())).bench_local(|| {
        let mut calendar: icalendar::Calendar = text.parse().expect("the feed is a calendar");
        calendar.components.retain(|component| {
            let icalendar::CalendarComponent::Event(event) = component else { return true };
            let day = event.property_value("DTSTART").and_then(|value| value.get(..8)).unwrap_or_default();
            let inside = ("20261023".."20271228").contains(&day) || event.property_value("RRULE").is_some();
            let says = |(name, pattern): &(&str, regex::Regex)| {
                event.property_value(name).is_some_and(|value| pattern.is_match(value))
            };
            inside && !patterns.iter().any(says)
        });
        for component in &mut calendar.components {
            let icalendar::CalendarComponent::Event(event) = component else { continue };
            event.remove_multi_property("ATTENDEE").remove_property("X-APPLE-STRUCTURED-LOCATION");
            let location = event.get_location().unwrap_or_default().to_owned();
            let summary = event.get_summary().unwrap_or_default().to_owned();
            if zoom.is_match(&location) {
                event.summary(&format!("📹 {summary}")).url(&location);
                event.append_property(icalendar::Property::new("CONFERENCE", &location));
            }
            event.alarm(if review.is_match(&summary) { alarm(10) } else { alarm(5) });
        }
        calendar.to_string()
    });
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn icalendar_parse_and_write(bencher: divan::Bencher<'_, '_>) {
    let text = str::from_utf8(&FEED).expect("the feed is UTF-8");
    bencher.counter(BytesCount::new(FEED.len())).bench_local(|| {
        let calendar: icalendar::Calendar = text.parse().expect("the feed is a calendar");
        calendar.to_string()
    });
}
