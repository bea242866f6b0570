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
    let recipe = Recipe { presentation, ..Recipe::default() };
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

#[divan::bench(sample_count = 3, sample_size = 1)]
fn icalendar_parse_and_write(bencher: divan::Bencher<'_, '_>) {
    let text = str::from_utf8(&FEED).expect("the feed is UTF-8");
    bencher.counter(BytesCount::new(FEED.len())).bench_local(|| {
        let calendar: icalendar::Calendar = text.parse().expect("the feed is a calendar");
        calendar.to_string()
    });
}
