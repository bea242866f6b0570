//! Rules that come round evenly: every so many days, or on the same weekdays of every so many weeks. Nearly all rules are
//! of this kind, and their instances can be counted off, from any day on, without those before it.

use chrono::{Datelike, Days, NaiveDate, Weekday};

use super::rule::{Frequency, weekday};

/// The same days of every period, from the series' start on.
#[derive(Debug, Clone)]
pub(super) struct Cycle {
    /// The day on which the first period begins, the one that has the start in it.
    begin: NaiveDate,
    /// Days from one period's beginning to the next one's.
    period: u64,
    /// The days of a period that count, as days behind its beginning, in order; never none.
    days: Vec<u8>,
    /// How many of the first period's days come before the start.
    early: u64,
}

impl Cycle {
    /// The cycle of a rule with `frequency`, `interval` and `by`, whose weeks begin on `week_start`; `None` if it is not
    /// as plain as that.
    pub(super) fn of(
        start: NaiveDate,
        frequency: Frequency,
        interval: u32,
        by: &[(&str, &str)],
        week_start: Weekday,
    ) -> Option<Self> {
        let weekdays = match (frequency, by) {
            (Frequency::Daily, []) => {
                return Some(Self { begin: start, period: interval.into(), days: vec![0], early: 0 });
            }
            (Frequency::Weekly, []) => vec![start.weekday()],
            (Frequency::Weekly, [("BYDAY", value)]) => value.split(',').map(weekday).collect::<Option<_>>()?,
            _ => return None,
        };
        let in_week = |day: Weekday| u8::try_from(day.days_since(week_start)).unwrap_or(0);
        let mut days: Vec<_> = weekdays.into_iter().map(in_week).collect();
        days.sort_unstable();
        days.dedup();
        let first = in_week(start.weekday());
        let early = days.iter().filter(|day| **day < first).count() as u64;
        let begin = start.checked_sub_days(Days::new(first.into()))?;
        Some(Self { begin, period: 7 * u64::from(interval), days, early })
    }

    /// Its days, those of the period with `from` in it and of all behind it; of all its days only the first `count`.
    pub(super) fn days(&self, from: NaiveDate, count: Option<u32>) -> impl Iterator<Item = NaiveDate> {
        let in_period = self.days.len() as u64;
        let periods = u64::try_from((from - self.begin).num_days()).unwrap_or(0) / self.period;
        let first = (periods * in_period).max(self.early);
        let end = count.map_or(u64::MAX, |count| self.early + u64::from(count));
        (first..end).map_while(move |number| {
            let day = self.days.get(usize::try_from(number % in_period).ok()?)?;
            let behind = (number / in_period).checked_mul(self.period)?.checked_add(u64::from(*day))?;
            self.begin.checked_add_days(Days::new(behind))
        })
    }
}
