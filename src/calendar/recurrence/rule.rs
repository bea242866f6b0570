//! One rule (RFC 5545 §3.3.10), and the way through its instances: the plainest are counted off, all others are read by
//! `icalendar`'s recurrence feature.

use chrono::{Datelike, Days, Duration, Months, NaiveDate, NaiveDateTime, TimeZone, Weekday};
use icalendar::{RRule, RRuleSet, Tz, UnvalidatedRRule};

use super::super::time::{Moment, Zones};
use super::cycle::Cycle;
use super::{NotUnderstood, Patience, Recurrence, local_to};

/// Instances looked at in one series before it counts as not understood.
const MAX_INSTANCES: usize = 20_000;
/// What beginning with a rule that is not plain costs, in instances.
const A_RULE: usize = 100;
/// The longest rule that is read; the longest sensible ones have some 150 letters.
const MAX_RULE: usize = 1_000;
/// Times of day that one rule may name: all of a period's instances are made at once, and there are 31 million seconds in
/// a year.
const MAX_TIMES_OF_DAY: usize = 24;
/// What a rule may speak of (RFC 5545 §3.3.10); of nothing twice. One with `RSCALE` or `SKIP` (RFC 7529) is not followed.
const PARTS: [&str; 14] = [
    "FREQ",
    "INTERVAL",
    "COUNT",
    "UNTIL",
    "WKST",
    "BYSECOND",
    "BYMINUTE",
    "BYHOUR",
    "BYDAY",
    "BYMONTHDAY",
    "BYYEARDAY",
    "BYWEEKNO",
    "BYMONTH",
    "BYSETPOS",
];

#[derive(Debug, Clone)]
pub(super) struct Rule {
    course: Course,
    frequency: Frequency,
    interval: u32,
    count: Option<u32>,
    until: Option<NaiveDateTime>,
    /// In every period there is an instance, and never more than this many days between two.
    gap: Option<i64>,
}

/// How its instances are found.
#[derive(Debug, Clone)]
enum Course {
    CountedOff(Cycle),
    /// By a reader of rules, of this text, which is without `UNTIL`.
    Read(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Frequency {
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

impl Rule {
    pub(super) fn parse(text: &str, start: &Moment<'_>, zones: &Zones) -> Result<Self, NotUnderstood> {
        // The reader of rules cuts BYDAY's values by bytes, and dies of other letters.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'=' | b';' | b',' | b'+' | b'-');
        if text.len() > MAX_RULE || !text.bytes().all(plain) {
            return Err(NotUnderstood);
        }
        let parts = parts(text).ok_or(NotUnderstood)?;
        let part = |name| parts.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        let frequency = part("FREQ").and_then(Frequency::parse).ok_or(NotUnderstood)?;
        let interval = part("INTERVAL").map_or(Ok(1), str::parse).ok().filter(|of| *of > 0).ok_or(NotUnderstood)?;
        let count = part("COUNT").map(str::parse).transpose().map_err(|_| NotUnderstood)?;
        let until = part("UNTIL").map(|value| until(value, start, zones).ok_or(NotUnderstood)).transpose()?;
        let week_start = part("WKST").map_or(Some(Weekday::Mon), weekday).ok_or(NotUnderstood)?;
        let by: Vec<_> = parts.iter().filter(|(name, _)| name.starts_with("BY")).copied().collect();
        let times = by.iter().filter(|(name, _)| ["BYHOUR", "BYMINUTE", "BYSECOND"].contains(name));
        if times.map(|(_, value)| value.split(',').count()).product::<usize>() > MAX_TIMES_OF_DAY {
            return Err(NotUnderstood);
        }
        let day = start.local.date();
        let course = if let Some(cycle) = Cycle::of(day, frequency, interval, &by, week_start) {
            Course::CountedOff(cycle)
        } else {
            let read = parts.iter().filter(|(name, _)| *name != "UNTIL");
            Course::Read(read.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(";"))
        };
        let mut rule = Self { course, frequency, interval, count, until, gap: None };
        rule.gap = rule.gap(&by, day);
        Ok(rule)
    }

    /// Whether it ends after a number of instances.
    pub(super) fn is_counted(&self) -> bool {
        self.count.is_some()
    }

    /// The longest pause between two instances in days, of a rule so plain that it has one.
    fn gap(&self, by: &[(&str, &str)], start: NaiveDate) -> Option<i64> {
        let interval = i64::from(self.interval);
        let days =
            |value: &str| value.split(',').all(|day| day.parse().is_ok_and(|day: i8| day != 0 && day.abs() <= 28));
        let ordinal = |value: &str| {
            value.split(',').all(|day| {
                let (number, name) = day.split_at_checked(day.len().saturating_sub(2)).unwrap_or(("x", ""));
                let number_fits = number.is_empty() || number.parse().is_ok_and(|of: i8| of != 0 && of.abs() <= 4);
                number_fits && weekday(name).is_some()
            })
        };
        match (self.frequency, by) {
            (Frequency::Daily, []) => Some(interval),
            (Frequency::Weekly, _) if matches!(self.course, Course::CountedOff(_)) => Some(7 * interval + 6),
            (Frequency::Monthly, []) if start.day() <= 28 => Some(31 * interval),
            (Frequency::Monthly, [("BYMONTHDAY", value)]) if days(value) => Some(31 * interval + 31),
            (Frequency::Monthly, [("BYDAY", value)]) if ordinal(value) => Some(31 * interval + 31),
            (Frequency::Yearly, []) if start.day() <= 28 => Some(366 * interval),
            _ => None,
        }
    }

    /// Whether there is an instance in the window without looking for it: a plain rule has one in every period, and the
    /// window is so long that not all of them can be excluded.
    pub(super) fn surely_occurs(&self, series: &Recurrence, from: NaiveDateTime, to: NaiveDateTime) -> bool {
        let Some(gap) = self.gap.filter(|_| !self.is_counted()) else { return false };
        let end = self.until.map_or(to, |until| until.min(to));
        let days = (end - series.start.max(from)).num_days();
        let excluded = series.excluded.len() + series.excluded_days.len();
        // One gap may pass before the first.
        days / gap > i64::try_from(excluded).unwrap_or(i64::MAX)
    }

    /// Hands every instance in the window to `visit`, until that says `false`. `start` is the series' own.
    pub(super) fn walk(
        &self,
        start: NaiveDateTime,
        from: NaiveDateTime,
        to: NaiveDateTime,
        patience: &mut Patience,
        visit: impl FnMut(NaiveDateTime) -> bool,
    ) -> Result<(), NotUnderstood> {
        if start >= to || self.until.is_some_and(|until| until < from) {
            return Ok(());
        }
        let text = match &self.course {
            Course::CountedOff(cycle) => {
                let days = cycle.days(from.max(start).date(), self.count);
                let instances = days.map(|day| day.and_time(start.time()));
                return self.show(instances, from, to, patience, visit).map(drop);
            }
            Course::Read(text) => text,
        };
        if patience.instances == 0 || patience.fruitless == 0 && self.gap.is_none() {
            return Err(NotUnderstood);
        }
        patience.instances = patience.instances.saturating_sub(A_RULE);
        let near = if self.is_counted() { start } else { self.nearer(start, from) };
        let rule: UnvalidatedRRule = text.parse().map_err(|_| NotUnderstood)?;
        let dt_start = Tz::UTC.from_utc_datetime(&near);
        let rule: RRule = rule.validate(dt_start).map_err(|_| NotUnderstood)?;
        let set = RRuleSet::new(dt_start).rrule(rule).limit();
        let seen = self.show(set.into_iter().map(|at| at.naive_utc()), from, to, patience, visit)?;
        patience.fruitless = patience.fruitless.saturating_sub(u32::from(seen == 0));
        Ok(())
    }

    /// Hands those of `instances` that are in the window to `visit`, until that says `false`. How many it has looked at.
    fn show(
        &self,
        instances: impl Iterator<Item = NaiveDateTime>,
        from: NaiveDateTime,
        to: NaiveDateTime,
        patience: &mut Patience,
        mut visit: impl FnMut(NaiveDateTime) -> bool,
    ) -> Result<usize, NotUnderstood> {
        let mut seen = 0;
        for at in instances {
            let behind = at >= to || self.until.is_some_and(|until| at > until);
            seen += 1;
            if behind {
                break;
            }
            patience.instances = patience.instances.saturating_sub(1);
            if seen > MAX_INSTANCES || patience.instances == 0 {
                return Err(NotUnderstood);
            }
            if at >= from && !visit(at) {
                break;
            }
        }
        Ok(seen)
    }

    /// A start from which the same instances follow, a little before `from`: whole periods later. Where a period can
    /// lack its day (the 31st, a leap day) the start stays.
    fn nearer(&self, start: NaiveDateTime, from: NaiveDateTime) -> NaiveDateTime {
        let days = (from - start).num_days();
        let period = match self.frequency {
            Frequency::Daily => 1,
            Frequency::Weekly => 7,
            Frequency::Monthly => 31,
            Frequency::Yearly => 366,
        };
        // Two periods early, since the first of them may be a partial one.
        let periods = days / (period * i64::from(self.interval)) - 2;
        let Ok(periods) = u32::try_from(periods) else { return start };
        let steps = periods.saturating_mul(self.interval);
        let moved = match self.frequency {
            Frequency::Daily => start.checked_add_days(Days::new(steps.into())),
            Frequency::Weekly => start.checked_add_days(Days::new(7 * u64::from(steps))),
            _ if start.day() > 28 => None,
            Frequency::Monthly => start.checked_add_months(Months::new(steps)),
            Frequency::Yearly => start.checked_add_months(Months::new(steps.saturating_mul(12))),
        };
        moved.unwrap_or(start)
    }
}

/// The parts of a rule, each with its name and its value; `None` if one is not known, or is there twice.
fn parts(text: &str) -> Option<Vec<(&'static str, &str)>> {
    let mut parts: Vec<(&str, &str)> = Vec::with_capacity(PARTS.len());
    for part in text.split(';').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=')?;
        let name = PARTS.into_iter().find(|known| name.eq_ignore_ascii_case(known))?;
        if parts.iter().any(|(before, _)| *before == name) {
            return None;
        }
        parts.push((name, value));
    }
    Some(parts)
}

impl Frequency {
    fn parse(text: &str) -> Option<Self> {
        let known =
            [("DAILY", Self::Daily), ("WEEKLY", Self::Weekly), ("MONTHLY", Self::Monthly), ("YEARLY", Self::Yearly)];
        known.into_iter().find(|(name, _)| text.eq_ignore_ascii_case(name)).map(|(_, frequency)| frequency)
    }
}

pub(super) fn weekday(name: &str) -> Option<Weekday> {
    let named = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"].iter().position(|day| name.eq_ignore_ascii_case(day))?;
    Weekday::try_from(u8::try_from(named).ok()?).ok()
}

/// The last moment of a rule as the master's clocks show it. A date counts to its end where the series has times.
fn until(value: &str, start: &Moment<'_>, zones: &Zones) -> Option<NaiveDateTime> {
    let until = Moment::parse(value.as_bytes(), None)?;
    if until.is_date() && !start.is_date() {
        return until.local.checked_add_signed(Duration::seconds(86_399));
    }
    if start.is_date() {
        return until.local.date().and_hms_opt(0, 0, 0);
    }
    local_to(start, &until, zones)
}
