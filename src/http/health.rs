//! How a feed is, for uptime monitors: `GET /<token>/health`. The calendar itself is always served at 200; here is where
//! trouble shows.

use std::time::Duration;

use http::StatusCode;
use serde::Serialize;

use super::answer::{Answer, json};
use crate::clock::Timestamp;
use crate::refresh::Standing;

/// A feed counts as ill when its copy was last confirmed longer ago than this many intervals, and an hour at least.
const INTERVALS: u32 = 4;
const LEAST: Duration = Duration::from_hours(1);

#[derive(Debug, Serialize)]
struct Health {
    state: &'static str,
    /// Seconds since the copy was last confirmed.
    age_seconds: Option<u64>,
    last_success: Option<String>,
    failing_since: Option<String>,
    /// The latest error's name.
    reason: Option<&'static str>,
    next_fetch: Option<String>,
    events: Option<usize>,
}

/// 200 while the copy is as fresh as it should be, else 503. No name, address or token is in it.
pub(super) fn answer(standing: &Standing, now: Timestamp) -> Answer {
    let age = standing.snapshot.as_ref().map(|copy| now.since(copy.confirmed_at));
    let patience = (standing.refresh * INTERVALS).max(LEAST);
    let well = age.is_some_and(|age| age <= patience);
    let health = Health {
        state: standing.as_str(),
        age_seconds: age.map(|age| age.as_secs()),
        last_success: standing.snapshot.as_ref().map(|copy| copy.confirmed_at.to_string()),
        failing_since: standing.failing.as_ref().map(|failing| failing.since.to_string()),
        reason: standing.failing.as_ref().map(|failing| failing.reason),
        next_fetch: standing.next.map(|next| next.to_string()),
        events: standing.snapshot.as_ref().map(|copy| copy.entries),
    };
    json(if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &health)
}
