//! What an outcome leaves behind: in the upstream's standing, in the log, and in the time of the next fetch.

use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, info, warn};

use super::day::Ending;
use super::handle::Change;
use super::lane::WayStanding;
use super::schedule::Pace;
use super::upstream::{Failing, Standing, Upstream};
use super::work::{Done, Outcome};
use crate::clock::Timestamp;
use crate::source::FetchError;
use crate::store::Snapshot;

/// What is to be done with a recorded outcome.
#[derive(Debug)]
pub(super) struct Recorded {
    /// What it counts as.
    pub(super) word: &'static str,
    /// The pause until the next fetch.
    pub(super) pause: Duration,
    /// A confirmation to note.
    pub(super) confirmed: Option<Snapshot>,
    /// A change to tell.
    pub(super) change: Option<Change>,
}

/// Writes into the standing of `upstream` how its way `number` stands after a try.
pub(super) fn record_way(upstream: &Upstream, number: Option<usize>, error: Option<&FetchError>, now: Timestamp) {
    let Some(place) = number.and_then(|number| u8::try_from(number).ok()) else { return };
    let turned = upstream.update(|standing| {
        standing.ways.get_mut(usize::from(place))?.ended(error, now);
        standing.last_way = Some(place);
        let answered = error.is_none_or(|error| !error.is_fault_of_way());
        let before = answered.then(|| std::mem::replace(&mut standing.came_by, place))?;
        let [from, to] = [before, place].map(|place| standing.ways.get(usize::from(place)).cloned());
        (before != place).then_some((before, from?, to?))
    });
    if let Some((before, from, to)) = turned {
        log_turn(&upstream.label, (before, &from), (place, &to));
    }
}

/// That a source comes by another way than before is news once, not with each fetch. Ways are told by their numbers: their
/// addresses may hold passwords.
fn log_turn(label: &str, (before, from): (u8, &WayStanding), (place, to): (u8, &WayStanding)) {
    let (number, kind) = (place + 1, to.kind);
    let instead = format!("way {} ({})", before + 1, from.kind);
    if place < before {
        info!(
            source = label,
            way = number,
            kind,
            "source `{label}` comes by way {number} ({kind}) again, and no longer by {instead}"
        );
    } else {
        let why = from.words.as_deref().unwrap_or(from.state);
        warn!(
            source = label,
            way = number,
            kind,
            "source `{label}` comes by way {number} ({kind}) now, since {instead} does not lead there: {why}"
        );
    }
}

/// A permanent redirect to another host is for the operator to judge: it is followed, and said once.
fn note_move(upstream: &Upstream, moved_to: Option<Arc<str>>) {
    let news = upstream.update(|standing| {
        let news = moved_to.clone().filter(|_| standing.moved_to != moved_to);
        standing.moved_to = moved_to;
        news
    });
    if let Some(host) = news {
        let label = &upstream.label;
        warn!(source = %label, host = &*host, "source `{label}` has moved to {host} for good; if that is right, put its new address into the settings");
    }
}

/// Writes how a refresh ended into the standing of `upstream` and into the log.
pub(super) fn record(upstream: &Upstream, done: Done, pace: &Pace, now: Timestamp, dice: f64) -> Recorded {
    let before = upstream.standing();
    let (mut confirmed, mut change) = (None, None);
    let ending = match done.outcome {
        Outcome::Confirmed(_) | Outcome::Changed { .. } => Ending::Well,
        Outcome::Quarantined(..) => Ending::Aside,
        Outcome::Failed(_) => Ending::Failed,
    };
    upstream.note(now, ending, done.took);
    if !matches!(done.outcome, Outcome::Failed(_)) {
        note_move(upstream, done.moved_to);
    }
    let (word, pause) = match done.outcome {
        Outcome::Confirmed(snapshot) => {
            confirmed = Some(snapshot.clone());
            upstream.update(|standing| standing.is_well(snapshot));
            ("unchanged", pace.after_success(dice))
        }
        Outcome::Changed { snapshot, junk } => {
            let old = before.snapshot.as_ref().map(|held| held.digest);
            change = Some(Change { upstream: upstream.id, before: old });
            info!(
                source = %upstream.label, events = snapshot.entries, size_bytes = snapshot.size, junk_lines = junk,
                "source `{}` has a new copy: {} events", upstream.label, snapshot.entries
            );
            upstream.update(|standing| {
                standing.is_well(snapshot);
                standing.junk = junk;
            });
            ("changed", pace.after_success(dice))
        }
        Outcome::Quarantined(kept, error) => {
            upstream.update(|standing| {
                standing.quarantine = Some(Box::new(kept));
                standing.fails(&error, now);
            });
            log_failure(upstream, &error, before.failing.is_none());
            (error.name(), pace.after_success(dice))
        }
        Outcome::Failed(error) => {
            let failures = upstream.update(|standing| standing.fails(&error, now));
            log_failure(upstream, &error, before.failing.is_none());
            (error.name(), pace.after_failure(&error, failures, dice))
        }
    };
    let well = upstream.update(|standing| {
        standing.fetching = false;
        standing.next = Some(now + pause);
        standing.failing.is_none()
    });
    if let (Some(failing), true) = (&before.failing, well) {
        let secs = now.since(failing.since).as_secs();
        info!(source = %upstream.label, failing_secs = secs, "source `{}` is well again", upstream.label);
    }
    Recorded { word, pause, confirmed, change }
}

impl Standing {
    fn is_well(&mut self, snapshot: Snapshot) {
        self.snapshot = Some(snapshot);
        self.failing = None;
        self.quarantine = None;
    }

    fn fails(&mut self, error: &FetchError, now: Timestamp) -> u32 {
        let (since, failures) = self.failing.as_ref().map_or((now, 0), |failing| (failing.since, failing.failures));
        let failures = failures.saturating_add(1);
        self.failing = Some(Box::new(Failing {
            since,
            last: now,
            failures,
            reason: error.name(),
            words: error.to_string(),
            advice: error.advice(),
        }));
        failures
    }
}

/// The first failure is for the operator; those that follow are the same news.
fn log_failure(upstream: &Upstream, error: &FetchError, first: bool) {
    let label = &upstream.label;
    if first {
        warn!(source = %label, reason = error.name(), "source `{label}` gave no good answer: {error}. {}", error.advice());
    } else {
        debug!(source = %label, reason = error.name(), "source `{label}` still gives no good answer: {error}");
    }
}

#[cfg(test)]
mod tests;
