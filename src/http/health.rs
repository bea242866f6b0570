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
    /// Of a feed with several sources: how many it has, and how many are left out because they have no copy yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    sources: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<usize>,
}

/// 200 while every copy is as fresh as it should be, else 503. Of several sources the one that is worst off speaks. No
/// name, address or token is in it.
pub(super) fn answer(standings: &[Standing], now: Timestamp) -> Answer {
    let well = |standing: &Standing| {
        let age = standing.snapshot.as_ref().map(|copy| now.since(copy.confirmed_at));
        age.is_some_and(|age| age <= (standing.refresh * INTERVALS).max(LEAST))
    };
    let confirmed = |standing: &Standing| standing.snapshot.as_ref().map(|copy| copy.confirmed_at);
    let worst =
        standings.iter().min_by_key(|standing| (well(standing), standing.failing.is_none(), confirmed(standing)));
    let Some(standing) = worst else { return json(StatusCode::SERVICE_UNAVAILABLE, &()) };
    let several = standings.len() > 1;
    let without = standings.iter().filter(|standing| standing.snapshot.is_none()).count();
    let events = standings.iter().filter_map(|standing| Some(standing.snapshot.as_ref()?.entries));
    let health = Health {
        state: standing.as_str(),
        age_seconds: confirmed(standing).map(|at| now.since(at).as_secs()),
        last_success: confirmed(standing).map(|at| at.to_string()),
        failing_since: standing.failing.as_ref().map(|failing| failing.since.to_string()),
        reason: standing.failing.as_ref().map(|failing| failing.reason),
        next_fetch: standing.next.map(|next| next.to_string()),
        events: (without < standings.len()).then(|| events.sum()),
        sources: several.then_some(standings.len()),
        left_out: several.then_some(without),
    };
    let all_well = standings.iter().all(well);
    json(if all_well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &health)
}
