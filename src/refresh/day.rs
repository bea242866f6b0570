//! How the fetches of one upstream went over a day, by quarters of an hour. Small: there may be a hundred thousand of them.

use std::time::Duration;

use crate::clock::Timestamp;

/// Quarters of a day.
pub const QUARTERS: usize = 96;

/// How a fetch ended. The worst of a quarter counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// There is a good copy.
    Well,
    /// The answer was kept aside.
    Aside,
    /// There was no good answer.
    Failed,
}

/// A quarter in which anything was fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quarter {
    /// How its worst fetch ended.
    pub worst: Ending,
    /// How long its answers took in the mean, to some hundredths; none if there were none.
    pub took: Option<Duration>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    /// 0 if there was no fetch.
    worst: u8,
    /// A logarithm, 0 if there was no answer.
    took: u8,
}

/// A ring of quarters.
#[derive(Debug, Clone)]
pub(super) struct Day {
    slots: [Slot; QUARTERS],
    /// The number of the latest quarter, since 1970.
    latest: u64,
    /// Of the latest quarter: answers, and their milliseconds together.
    answers: u32,
    millis: u32,
}

fn number(at: Timestamp) -> u64 {
    at.as_secs() / (15 * 60)
}

fn place(number: u64) -> usize {
    usize::try_from(number % QUARTERS as u64).unwrap_or_default()
}

/// Steps of an octave: what a byte can tell apart reaches beyond a minute.
const STEPS: f64 = 15.0;

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was brought between 1 and 255")]
fn packed(millis: f64) -> u8 {
    ((millis + 1.0).log2() * STEPS).round().clamp(1.0, 255.0) as u8
}

fn unpacked(took: u8) -> Option<Duration> {
    (took > 0).then(|| Duration::from_secs_f64(((f64::from(took) / STEPS).exp2() - 1.0) / 1000.0))
}

impl Day {
    pub(super) fn beginning(now: Timestamp) -> Self {
        Self { slots: [Slot::default(); QUARTERS], latest: number(now), answers: 0, millis: 0 }
    }

    /// Notes a fetch that ended `now`. `took` is given if it was answered.
    pub(super) fn note(&mut self, now: Timestamp, ending: Ending, took: Option<Duration>) {
        let current = number(now);
        if current > self.latest {
            let passed = (current - self.latest).min(QUARTERS as u64);
            for quarter in current + 1 - passed..=current {
                if let Some(slot) = self.slots.get_mut(place(quarter)) {
                    *slot = Slot::default();
                }
            }
            (self.latest, self.answers, self.millis) = (current, 0, 0);
        } else if current < self.latest {
            // The clock was set back: what is noted of a time that has yet to come says nothing.
            *self = Self::beginning(now);
        }
        let Some(slot) = self.slots.get_mut(place(current)) else { return };
        slot.worst = slot.worst.max(ending as u8 + 1);
        if let Some(took) = took {
            self.answers = self.answers.saturating_add(1);
            self.millis = self.millis.saturating_add(u32::try_from(took.as_millis()).unwrap_or(u32::MAX));
            slot.took = packed(f64::from(self.millis) / f64::from(self.answers));
        }
    }

    /// The quarters of the day that ends `now`, the oldest first.
    pub(super) fn quarters(&self, now: Timestamp) -> [Option<Quarter>; QUARTERS] {
        let current = number(now).max(self.latest);
        std::array::from_fn(|index| {
            let quarter = (current + 1 + index as u64).checked_sub(QUARTERS as u64)?;
            let known = quarter <= self.latest && quarter + QUARTERS as u64 > self.latest;
            let slot = self.slots.get(place(quarter)).filter(|_| known)?;
            let worst = match slot.worst {
                0 => return None,
                1 => Ending::Well,
                2 => Ending::Aside,
                _ => Ending::Failed,
            };
            Some(Quarter { worst, took: unpacked(slot.took) })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: u64) -> Timestamp {
        Timestamp::from_secs(1_800_000_000 + minutes * 60)
    }

    fn millis(quarter: Option<Quarter>) -> u128 {
        quarter.unwrap().took.unwrap().as_millis()
    }

    #[test]
    fn a_quarter_has_the_worst_ending_and_the_mean_time() {
        let mut day = Day::beginning(at(0));
        day.note(at(0), Ending::Well, Some(Duration::from_millis(100)));
        day.note(at(5), Ending::Failed, None);
        day.note(at(10), Ending::Well, Some(Duration::from_millis(300)));
        day.note(at(20), Ending::Aside, Some(Duration::from_mins(1)));
        let quarters = day.quarters(at(20));
        assert!(quarters[..94].iter().all(Option::is_none));
        assert_eq!(quarters[94].unwrap().worst, Ending::Failed);
        assert!((190..=210).contains(&millis(quarters[94])), "{:?}", quarters[94]);
        assert_eq!(quarters[95].unwrap().worst, Ending::Aside);
        assert!((57_000..=63_000).contains(&millis(quarters[95])), "{:?}", quarters[95]);
    }

    #[test]
    fn a_day_is_forgotten_after_a_day() {
        let mut day = Day::beginning(at(0));
        for quarter in 0..300 {
            day.note(at(quarter * 15), Ending::Well, None);
        }
        assert!(day.quarters(at(299 * 15)).iter().all(Option::is_some));
        assert_eq!(day.quarters(at((299 + 90) * 15)).iter().flatten().count(), 6);
        assert_eq!(day.quarters(at((299 + 96) * 15)).iter().flatten().count(), 0);
        day.note(at((299 + 50) * 15), Ending::Well, None);
        assert_eq!(day.quarters(at((299 + 50) * 15)).iter().flatten().count(), 47);
        day.note(at(10 * 15), Ending::Failed, None);
        assert_eq!(day.quarters(at(10 * 15)).iter().flatten().count(), 1, "the clock was set back");
        // A hundred thousand of them take 22 MB.
        assert!(size_of::<Day>() <= 224);
    }
}
