//! Publishing without rules, beside the `icalendar` crate reading and writing the same calendar in the same run:
//! `cargo bench --bench publish`.

#[path = "google_like.rs"]
mod google_like;

use std::sync::LazyLock;
use std::time::Duration;

use calferry::calendar::{Calendar, Limits};
use calferry::feed::{Presentation, publish};
use divan::counter::BytesCount;

/// The program's own.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

static FEED: LazyLock<Vec<u8>> = LazyLock::new(|| google_like::google_like(20_000, "20261122T070312Z"));

fn main() {
    println!("feed: 20,000 events, {} bytes", FEED.len());
    divan::main();
}

#[divan::bench(sample_count = 40)]
fn calferry_publish(bencher: divan::Bencher<'_, '_>) {
    let presentation = Presentation { name: Some("工作".into()), refresh: Some(Duration::from_mins(15)) };
    bencher.counter(BytesCount::new(FEED.len())).bench_local(|| {
        let calendar = Calendar::scan(&FEED, &Limits::default()).expect("the feed is a calendar");
        publish(&calendar, &presentation)
    });
}

#[divan::bench(sample_count = 40)]
fn calferry_scan_alone(bencher: divan::Bencher<'_, '_>) {
    bencher.counter(BytesCount::new(FEED.len())).bench_local(|| Calendar::scan(&FEED, &Limits::default()).is_ok());
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn icalendar_parse_and_write(bencher: divan::Bencher<'_, '_>) {
    let text = str::from_utf8(&FEED).expect("the feed is UTF-8");
    bencher.counter(BytesCount::new(FEED.len())).bench_local(|| {
        let calendar: icalendar::Calendar = text.parse().expect("the feed is a calendar");
        calendar.to_string()
    });
}
