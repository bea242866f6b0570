//! What strangers can bring about as often as they like is counted each time, and said seldom.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tokio::time::Instant;

/// How often it is said at most.
const SAY_EVERY: Duration = Duration::from_mins(1);

/// A count, and what of it was said.
#[derive(Debug, Default)]
pub(super) struct Sparing {
    count: Counter,
    /// When it was said last, and how often it had happened by then.
    said: Mutex<Option<(Instant, u64)>>,
}

impl Sparing {
    /// It has happened once more. If that is to be said: how often it has, since it was said last.
    pub(super) fn note(&self, now: Instant) -> Option<u64> {
        let count = self.count.inc() + 1;
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_some_and(|(at, _)| now.duration_since(at) < SAY_EVERY) {
            return None;
        }
        let before = said.replace((now, count)).map_or(0, |(_, count)| count);
        Some(count.saturating_sub(before))
    }

    /// Its count, for the metrics.
    pub(super) fn counter(&self) -> Counter {
        self.count.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_said_at_once_and_those_after_it_together_a_minute_later() {
        let (sparing, start) = (Sparing::default(), Instant::now());
        let note = |secs| sparing.note(start + Duration::from_secs(secs));
        assert_eq!(note(0), Some(1));
        assert_eq!([1, 2, 59].map(note), [None; 3]);
        assert_eq!(note(60), Some(4));
        assert_eq!((note(61), note(500)), (None, Some(2)));
        assert_eq!(sparing.counter().get(), 7, "each of them counts");
    }
}
