//! How fresh a feed is, told in the calendar itself: a line in its description, and an event for today when a source has
//! been failing for too long.

use chrono::NaiveDate;
use icalendar::{Component, Event, EventLike};

use super::publish::Copy;
use crate::calendar::fold;

/// `work: 2026-11-22 · family: 2026-11-21`: the day on which each copy was last confirmed.
pub(super) fn freshness(copies: &[Copy<'_>]) -> String {
    let of = |copy: &Copy<'_>| format!("{}: {}", copy.source, copy.confirmed.format("%Y-%m-%d"));
    copies.iter().map(of).collect::<Vec<_>>().join(" · ")
}

/// An event of the whole day `today` that says of which sources the copies are older than `after` days.
pub(super) fn notice(copies: &[Copy<'_>], after: i64, today: NaiveDate) -> Option<Vec<u8>> {
    let old = |copy: &&Copy<'_>| copy.failing && (today - copy.confirmed).num_days() >= after;
    let old: Vec<_> = copies.iter().filter(old).collect();
    let oldest = old.iter().map(|copy| copy.confirmed).min()?;
    let names: Vec<_> = old.iter().map(|copy| copy.source).collect();
    let day = today.format("%Y%m%d").to_string();
    let event = Event::new()
        // One event a day, and the same one at every fetch.
        .uid(&format!("notice-{day}@calferry"))
        .add_property("DTSTAMP", format!("{day}T000000Z"))
        .summary(&format!("⚠ {}: {oldest}", names.join(", ")))
        .description(&format!(
            "This calendar was last confirmed on {oldest}. {}\n日历“{}”最后一次同步成功是在 {oldest}，之后的变更可能未显示。",
            "Changes made since then may be missing.",
            names.join("、")
        ))
        .all_day(today)
        .add_property("TRANSP", "TRANSPARENT")
        .done();
    let written = event.try_into_string().ok()?;
    // `icalendar` folds by characters of its own count; here lines are folded as every other line of ours.
    let mut out = Vec::with_capacity(written.len() + 16);
    for line in written.replace("\r\n ", "").lines() {
        fold(line.as_bytes(), &mut out);
    }
    Some(out)
}
