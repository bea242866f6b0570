//! When to ask the authority for a certificate. Pure: the time is an argument.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::store::Setback;
use crate::tls::Validity;

/// Two certificates for the same names are at least so far apart, however short they hold: Let's Encrypt gives five a
/// week.
const BETWEEN_ORDERS: Duration = Duration::from_hours(12);
/// The first pause after an order that gave nothing; each further one doubles it…
const FIRST_PAUSE: Duration = Duration::from_hours(1);
/// …up to this.
const LONGEST_PAUSE: Duration = Duration::from_hours(24);
/// The first pause where the authority was not even reached: it has counted nothing. These go up to [`FIRST_PAUSE`].
const FIRST_PAUSE_UNREACHED: Duration = Duration::from_mins(1);
/// The first pause after a try whose end nobody saw, because the program ended before it: four an hour are fewer than the
/// five failed checks that Let's Encrypt allows.
const FIRST_PAUSE_INTERRUPTED: Duration = Duration::from_mins(15);
/// How soon after a try the operator, who has mended what was wrong, may have another. See [`FIRST_PAUSE_INTERRUPTED`].
const BETWEEN_WISHES: Duration = Duration::from_mins(15);
/// What an authority may ask for at most. The limits of Let's Encrypt are counted over a week.
const LONGEST_ASKED: Duration = Duration::from_hours(7 * 24);
/// Up to this share of a pause is added to it, so that programs that failed together do not come back together.
const JITTER: f64 = 0.25;

/// The certificate that is held for the names that are wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    pub(super) validity: Validity,
    pub(super) ordered_at: Timestamp,
}

/// How a try ended that gave no certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The program ended first.
    Interrupted,
    /// The authority was not reached.
    Unreached,
    /// It said no, or what it gave cannot be used.
    Refused,
}

/// When the next order is due; a time that has passed means now.
pub(super) fn due(held: Option<Held>, setback: Option<&Setback>, now: Timestamp) -> Timestamp {
    let wanted = held.map_or(now, |held| {
        // What was noted at a time that is yet to come was noted while the clock was wrong.
        let spaced = Some(held.ordered_at).filter(|at| *at <= now).map(|at| at + BETWEEN_ORDERS);
        held.validity.renewal().max(spaced.unwrap_or_default())
    });
    let allowed = setback.filter(|setback| setback.tried_at <= now).map_or(now, |setback| setback.next_at);
    wanted.max(allowed)
}

/// When the operator may have an order now; nothing if none has failed, for then there is nothing to try again. A wish
/// shortens a pause that calferry has chosen. What the authority asked for may lie behind one, too, and then it refuses
/// again, which costs nothing.
pub(super) fn grantable(setback: Option<&Setback>) -> Option<Timestamp> {
    setback.map(|setback| setback.next_at.min(setback.tried_at + BETWEEN_WISHES))
}

/// A try, counted among those in a row that gave nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Try {
    pub(super) at: Timestamp,
    /// How many there were, this one included.
    pub(super) failures: u32,
    /// How many of them the authority has counted: a week without a network is no reason to wait a day when there is one.
    pub(super) refusals: u32,
}

impl Try {
    /// The one that comes after `before`, at `now`. As long as nobody knows better, the authority has counted it.
    pub(super) fn after(before: Option<&Setback>, now: Timestamp) -> Self {
        let count = |count: fn(&Setback) -> u32| before.map_or(0, count).saturating_add(1);
        Self { at: now, failures: count(|before| before.failures), refusals: count(|before| before.refusals) }
    }

    /// What is noted of it if it ends like this, at `now`. `asked` is how long the authority asked to be left alone, and
    /// `chance`, from 0 to 1, spreads programs that failed at the same time.
    pub(super) fn setback(
        self,
        ending: Ending,
        words: String,
        now: Timestamp,
        asked: Option<Duration>,
        chance: f64,
    ) -> Setback {
        let (refusals, count) = match ending {
            Ending::Unreached => (self.refusals - 1, self.failures),
            Ending::Refused | Ending::Interrupted => (self.refusals, self.refusals),
        };
        let next_at = now + pause(ending, count, asked, chance);
        Setback { failures: self.failures, refusals, tried_at: self.at, next_at, words }
    }
}

/// How long to wait after the `failures`th try in a row that ended like this. `asked` is what the authority asked for;
/// `chance`, from 0 to 1, spreads programs that failed at the same time.
fn pause(ending: Ending, failures: u32, asked: Option<Duration>, chance: f64) -> Duration {
    let (first, longest) = match ending {
        Ending::Interrupted => (FIRST_PAUSE_INTERRUPTED, LONGEST_PAUSE),
        Ending::Unreached => (FIRST_PAUSE_UNREACHED, FIRST_PAUSE),
        Ending::Refused => (FIRST_PAUSE, LONGEST_PAUSE),
    };
    let doublings = failures.saturating_sub(1).min(16);
    let pause = first.saturating_mul(1 << doublings).min(longest).mul_f64(1.0 + JITTER * chance);
    pause.max(asked.unwrap_or_default().min(LONGEST_ASKED))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);
    const DAY: Duration = Duration::from_hours(24);

    fn start() -> Timestamp {
        Timestamp::from_secs(1_790_000_000)
    }

    fn held(length: Duration) -> Held {
        Held { validity: Validity { from: start(), until: start() + length }, ordered_at: start() }
    }

    fn setback(next: Duration) -> Setback {
        Setback { failures: 1, refusals: 1, tried_at: start(), next_at: start() + next, words: String::new() }
    }

    #[test]
    fn without_a_certificate_one_is_due_at_once_and_with_one_when_a_third_is_left() {
        assert_eq!(due(None, None, start()), start());
        assert_eq!(due(Some(held(DAY * 90)), None, start()), start() + DAY * 60);
    }

    #[test]
    fn two_orders_are_twelve_hours_apart_however_short_a_certificate_holds() {
        assert_eq!(due(Some(held(HOUR)), None, start() + HOUR), start() + HOUR * 12);
    }

    #[test]
    fn after_a_failure_nothing_is_due_before_its_pause_is_over() {
        assert_eq!(due(None, Some(&setback(HOUR * 5)), start() + HOUR), start() + HOUR * 5);
        assert_eq!(due(Some(held(HOUR)), Some(&setback(DAY)), start() + HOUR * 13), start() + DAY);
    }

    #[test]
    fn what_was_noted_by_a_clock_that_ran_ahead_holds_nothing_up() {
        let before = Timestamp::from_secs(start().as_secs() - 3600);
        assert_eq!(due(None, Some(&setback(DAY * 3000)), before), before);
        let mut ahead = held(HOUR);
        ahead.ordered_at = start() + DAY * 3000;
        assert_eq!(due(Some(ahead), None, start()), held(HOUR).validity.renewal());
    }

    #[test]
    fn pauses_grow_from_an_hour_to_a_day_and_are_spread() {
        let hours = |failures| pause(Ending::Refused, failures, None, 0.0).as_secs() / 3600;
        assert_eq!([1, 2, 3, 4, 5, 6, 100, u32::MAX].map(hours), [1, 2, 4, 8, 16, 24, 24, 24]);
        assert_eq!(pause(Ending::Refused, 1, None, 1.0), HOUR * 5 / 4);
    }

    #[test]
    fn an_authority_that_was_not_reached_is_asked_again_sooner() {
        let minutes = |failures| pause(Ending::Unreached, failures, None, 0.0).as_secs() / 60;
        assert_eq!([1, 2, 3, 6, 7, 100].map(minutes), [1, 2, 4, 32, 60, 60]);
        assert_eq!(pause(Ending::Interrupted, 1, None, 0.0), Duration::from_mins(15));
    }

    #[test]
    fn a_wish_shortens_a_pause_to_a_quarter_of_an_hour() {
        assert_eq!(grantable(None), None);
        assert_eq!(grantable(Some(&setback(DAY))), Some(start() + Duration::from_mins(15)));
        assert_eq!(grantable(Some(&setback(Duration::from_mins(1)))), Some(start() + Duration::from_mins(1)));
    }

    #[test]
    fn tries_that_did_not_reach_the_authority_do_not_make_it_wait_longer() {
        let mut last = None;
        let mut step = |ending| {
            let noted = Try::after(last.as_ref(), start()).setback(ending, String::new(), start(), None, 0.0);
            let minutes = noted.next_at.since(start()).as_secs() / 60;
            last = Some(noted);
            minutes
        };
        let ends = [Ending::Unreached, Ending::Unreached, Ending::Refused, Ending::Unreached, Ending::Refused];
        assert_eq!(ends.map(&mut step), [1, 2, 60, 8, 120]);
        assert_eq!(last.map(|noted| (noted.failures, noted.refusals)), Some((5, 2)));
    }

    #[test]
    fn what_the_authority_asks_for_is_kept_to_a_week_at_most() {
        assert_eq!(pause(Ending::Refused, 1, Some(DAY * 2), 0.0), DAY * 2);
        assert_eq!(pause(Ending::Refused, 1, Some(Duration::from_secs(5)), 0.0), HOUR);
        assert_eq!(pause(Ending::Unreached, 1, Some(Duration::MAX), 0.0), DAY * 7);
    }
}
