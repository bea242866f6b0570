//! When an upstream is due again. The dice are an argument: `dice` is a number from 0 to 1.

use std::time::Duration;

use crate::source::{FetchError, Retry};

/// How often an upstream is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Between two fetches while all is well.
    pub refresh: Duration,
    /// Longest pause while it is not.
    pub max_backoff: Duration,
}

/// First pause after a failure.
const FIRST_PAUSE: Duration = Duration::from_mins(1);
/// Nobody's `Retry-After` is believed beyond this.
const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(24);

impl Pace {
    /// The pause after a good answer: the interval, give or take a twentieth, so that sources that were started together
    /// drift apart.
    pub fn after_success(&self, dice: f64) -> Duration {
        self.refresh.mul_f64(0.95 + dice / 10.0)
    }

    /// The pause after the `failures`th failure in a row: doubling, within the cap, less up to a fifth. What the host
    /// asks for is honoured to the second.
    pub fn after_failure(&self, error: &FetchError, failures: u32, dice: f64) -> Duration {
        // What only a human can mend is asked at the ordinary pace from the start.
        let first = if error.retry() == Retry::Human { self.refresh } else { self.refresh.min(FIRST_PAUSE) };
        let doubled = first.saturating_mul(1 << failures.saturating_sub(1).min(16));
        let pause = doubled.min(self.max_backoff.max(first)).mul_f64(1.0 - dice / 5.0);
        match error.retry() {
            Retry::After(asked) if failures <= 1 && !asked.is_zero() => asked.min(LONGEST_RETRY_AFTER),
            Retry::After(asked) => asked.min(LONGEST_RETRY_AFTER).max(pause),
            Retry::Later | Retry::Human => pause,
        }
    }

    /// The pause before the first fetch of this run of an upstream that was last confirmed `ago`. One that is overdue
    /// waits for a moment within the first tenth of its interval, two minutes at most.
    pub fn at_start(&self, ago: Option<Duration>, dice: f64) -> Duration {
        match ago {
            None => Duration::ZERO,
            Some(ago) => {
                let overdue = (self.refresh / 10).min(Duration::from_mins(2)).mul_f64(dice);
                self.refresh.saturating_sub(ago).max(overdue)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { refresh: Duration::from_mins(15), max_backoff: Duration::from_hours(6) };

    fn throttled(after: Option<u64>) -> FetchError {
        FetchError::Throttled { status: 429, retry_after: after.map(Duration::from_secs) }
    }

    #[test]
    fn pauses_double_up_to_the_cap() {
        let pauses: Vec<_> = (1..=12)
            .map(|failures| PACE.after_failure(&FetchError::Interrupted, failures, 0.0).as_secs() / 60)
            .collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360, 360]);
        assert_eq!(PACE.after_failure(&FetchError::Interrupted, u32::MAX, 0.0), PACE.max_backoff);
    }

    #[test]
    fn retry_after_is_honoured_to_the_second() {
        for dice in [0.0, 0.5, 1.0] {
            assert_eq!(PACE.after_failure(&throttled(Some(7)), 1, dice), Duration::from_secs(7));
            assert_eq!(PACE.after_failure(&throttled(Some(1800)), 2, dice), Duration::from_mins(30));
        }
        assert!(
            PACE.after_failure(&throttled(Some(1)), 5, 1.0) > Duration::from_mins(10),
            "a host that lies is left alone"
        );
        for failures in [1, 2, 100] {
            assert_eq!(PACE.after_failure(&throttled(Some(u64::MAX)), failures, 0.0), LONGEST_RETRY_AFTER);
        }
        assert!(PACE.after_failure(&throttled(Some(0)), 1, 1.0) >= Duration::from_secs(48));
    }

    #[test]
    fn what_only_a_human_can_mend_is_not_asked_every_minute() {
        assert_eq!(PACE.after_failure(&FetchError::NotFound(404), 1, 0.0), PACE.refresh);
    }

    #[test]
    fn sources_started_together_drift_apart_and_keep_their_pace() {
        assert_eq!(PACE.after_success(0.0).as_secs(), 855);
        assert_eq!(PACE.after_success(1.0).as_secs(), 945);
        assert_eq!(PACE.at_start(None, 0.7), Duration::ZERO);
        assert_eq!(PACE.at_start(Some(Duration::from_mins(5)), 0.7), Duration::from_mins(10));
        assert_eq!(PACE.at_start(Some(Duration::from_hours(50)), 0.5), Duration::from_secs(45));
    }
}
