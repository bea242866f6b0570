//! When a series takes place.
//!
//! Rules are read by `icalendar`'s recurrence feature, in the time its master's clocks show: a rule speaks of wall
//! clocks, so no zone is needed to follow it. A rule that is not understood (`RSCALE`, more often than daily) is never
//! followed: who asks is told so, and keeps the series. Nothing that stands in a calendar can make this spin.

use std::collections::HashSet;

use chrono::{Datelike, Days, Duration, Months, NaiveDate, NaiveDateTime, TimeZone};
use icalendar::{RRule, RRuleSet, Tz, UnvalidatedRRule};

use super::entry::Entry;
use super::line::ContentLine;
use super::property::Property;
use super::time::{Form, Moment, Zone, Zones};

/// Instances looked at in one series before it counts as not understood.
const MAX_INSTANCES: usize = 20_000;
/// What beginning with a rule costs, in instances.
const A_RULE: usize = 100;
/// The longest rule that is read; the longest sensible ones have some 150 letters.
const MAX_RULE: usize = 1_000;
/// Times of day that one rule may name: all of a period's instances are made at once, and there are 31 million seconds in
/// a year.
const MAX_TIMES_OF_DAY: usize = 24;

/// The series cannot be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotUnderstood;

/// How much one calendar may cost. Where it is at its end, no series is followed any more.
#[derive(Debug, Clone)]
pub struct Patience {
    /// Instances that may be looked at, of all series together: some seconds' worth.
    instances: usize,
    /// Rules that describe no day at all (the 30th of February) are searched for through centuries: a few of them.
    fruitless: u32,
}

impl Patience {
    /// Patience for `instances` instances, of all series together.
    pub fn of(instances: usize) -> Self {
        Self { instances, ..Self::default() }
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self { instances: 3_000_000, fruitless: 32 }
    }
}

/// When a series takes place, in the time its master's clocks show.
#[derive(Debug, Clone)]
pub struct Recurrence {
    /// The master's `DTSTART`.
    pub start: NaiveDateTime,
    rules: Vec<Rule>,
    added: Vec<NaiveDateTime>,
    excluded: HashSet<NaiveDateTime>,
    /// Whole days whose instances are excluded, whatever their time.
    excluded_days: HashSet<NaiveDate>,
}

#[derive(Debug, Clone)]
struct Rule {
    /// Without `UNTIL`.
    text: String,
    frequency: Frequency,
    interval: u32,
    counted: bool,
    until: Option<NaiveDateTime>,
    /// In every period there is an instance, and never more than this many days between two.
    gap: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frequency {
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

impl Recurrence {
    /// The recurrence of `master`, whose start is `start`; `None` if it does not recur.
    ///
    /// # Errors
    /// [`NotUnderstood`] if it has a rule, a date or a zone that cannot be read.
    pub fn of(master: &Entry<'_, '_>, start: &Moment<'_>, zones: &Zones) -> Result<Option<Self>, NotUnderstood> {
        let mut recurrence = Self {
            start: start.local,
            rules: Vec::new(),
            added: Vec::new(),
            excluded: HashSet::new(),
            excluded_days: HashSet::new(),
        };
        for (_, line) in master.lines() {
            let property = line.property();
            if !matches!(property, Property::Rrule | Property::Rdate | Property::Exdate | Property::Exrule) {
                continue;
            }
            let line = ContentLine::of(master.calendar(), line);
            match property {
                Property::Rrule => recurrence.rules.push(Rule::parse(&line.text(), start, zones)?),
                Property::Exrule => return Err(NotUnderstood),
                Property::Rdate => {
                    for added in Moment::all_of(&line) {
                        let added = local_to(start, &added.ok_or(NotUnderstood)?, zones).ok_or(NotUnderstood)?;
                        recurrence.added.push(added);
                    }
                }
                // An exclusion that cannot be read excludes nothing.
                _ => Moment::all_of(&line).flatten().for_each(|excluded| recurrence.exclude(start, &excluded, zones)),
            }
        }
        Ok((!recurrence.rules.is_empty() || !recurrence.added.is_empty()).then_some(recurrence))
    }

    /// Leaves the instance at `moment` out, be it by an `EXDATE` or because an override stands in its place.
    pub fn exclude(&mut self, start: &Moment<'_>, moment: &Moment<'_>, zones: &Zones) {
        if moment.is_date() && !start.is_date() {
            self.excluded_days.insert(moment.local.date());
        } else if let Some(local) = local_to(start, moment, zones) {
            self.excluded.insert(local);
        }
    }

    /// Whether an instance starts at or after `from` and before `to`, as the master's clocks show them.
    ///
    /// # Errors
    /// [`NotUnderstood`] if that cannot be said.
    pub fn occurs(
        &self,
        from: NaiveDateTime,
        to: NaiveDateTime,
        patience: &mut Patience,
    ) -> Result<bool, NotUnderstood> {
        let within = |at: &NaiveDateTime| (from..to).contains(at) && !self.is_excluded(at);
        if self.added.iter().chain([&self.start]).any(within) {
            return Ok(true);
        }
        let mut understood = true;
        for rule in &self.rules {
            if rule.surely_occurs(self, from, to) {
                return Ok(true);
            }
            let mut found = false;
            let walked = rule.walk(self.start, from, to, patience, |at| {
                found = !self.is_excluded(&at);
                !found
            });
            if found {
                return Ok(true);
            }
            understood &= walked.is_ok();
        }
        if understood { Ok(false) } else { Err(NotUnderstood) }
    }

    /// The starts of all instances at or after `from` and before `to`, in order.
    ///
    /// # Errors
    /// [`NotUnderstood`] if they cannot all be said.
    pub fn starts(
        &self,
        from: NaiveDateTime,
        to: NaiveDateTime,
        patience: &mut Patience,
    ) -> Result<Vec<NaiveDateTime>, NotUnderstood> {
        let mut starts: Vec<_> = self.added.iter().chain([&self.start]).copied().collect();
        for rule in &self.rules {
            rule.walk(self.start, from, to, patience, |at| {
                starts.push(at);
                true
            })?;
        }
        starts.retain(|at| (from..to).contains(at) && !self.is_excluded(at));
        starts.sort_unstable();
        starts.dedup();
        Ok(starts)
    }

    /// The last instance that a counted rule gives, if there is one such rule and no other.
    pub fn last_counted(&self, patience: &mut Patience) -> Option<NaiveDateTime> {
        let [rule] = self.rules.as_slice() else { return None };
        let mut last = None;
        let walked = rule.walk(self.start, self.start, NaiveDateTime::MAX, patience, |at| {
            last = Some(at);
            true
        });
        walked.ok().and(last).filter(|_| rule.counted)
    }

    fn is_excluded(&self, at: &NaiveDateTime) -> bool {
        self.excluded.contains(at) || (!self.excluded_days.is_empty() && self.excluded_days.contains(&at.date()))
    }
}

/// What the clocks of `start`'s zone show at `moment`. `None` if a zone is not known.
pub fn local_to(start: &Moment<'_>, moment: &Moment<'_>, zones: &Zones) -> Option<NaiveDateTime> {
    let utc = match (&start.form, &moment.form) {
        (one, other) if one == other => return Some(moment.local),
        (Form::Date | Form::Floating, _) | (_, Form::Date | Form::Floating) => return Some(moment.local),
        (_, Form::Utc) => moment.local,
        (_, Form::Zoned(tzid)) => zones.find(tzid)?.to_utc(moment.local)?,
    };
    match &start.form {
        Form::Zoned(tzid) => zones.find(tzid).and_then(|zone: std::borrow::Cow<'_, Zone>| zone.to_local(utc)),
        _ => Some(utc),
    }
}

impl Rule {
    fn parse(text: &str, start: &Moment<'_>, zones: &Zones) -> Result<Self, NotUnderstood> {
        // The reader of rules cuts BYDAY's values by bytes, and dies of other letters.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'=' | b';' | b',' | b'+' | b'-');
        if text.len() > MAX_RULE || !text.bytes().all(plain) {
            return Err(NotUnderstood);
        }
        let mut times_of_day = 1usize;
        let mut rule = Self {
            text: String::with_capacity(text.len()),
            frequency: Frequency::Daily,
            interval: 1,
            counted: false,
            until: None,
            gap: None,
        };
        let (mut frequency, mut by) = (None, Vec::new());
        for part in text.split(';').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or(NotUnderstood)?;
            let is = |known: &str| name.eq_ignore_ascii_case(known);
            if is("FREQ") {
                frequency = Some(Frequency::parse(value).ok_or(NotUnderstood)?);
            } else if is("INTERVAL") {
                rule.interval = value.parse().ok().filter(|of| *of > 0).ok_or(NotUnderstood)?;
            } else if is("UNTIL") {
                rule.until = Some(until(value, start, zones).ok_or(NotUnderstood)?);
                continue;
            } else if is("RSCALE") || is("SKIP") {
                return Err(NotUnderstood);
            } else if is("COUNT") {
                rule.counted = true;
            } else if !is("WKST") {
                if is("BYHOUR") || is("BYMINUTE") || is("BYSECOND") {
                    times_of_day = times_of_day.saturating_mul(value.split(',').count());
                }
                by.push((name, value));
            }
            if !rule.text.is_empty() {
                rule.text.push(';');
            }
            rule.text.push_str(part);
        }
        if times_of_day > MAX_TIMES_OF_DAY {
            return Err(NotUnderstood);
        }
        rule.frequency = frequency.ok_or(NotUnderstood)?;
        rule.gap = rule.gap(&by, start.local.date());
        Ok(rule)
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
                number_fits && is_weekday(name)
            })
        };
        let plain = |value: &str| value.split(',').all(is_weekday);
        match (self.frequency, by) {
            (Frequency::Daily, []) => Some(interval),
            (Frequency::Weekly, []) => Some(7 * interval),
            (Frequency::Weekly, [("BYDAY", value)]) if plain(value) => Some(7 * interval + 6),
            (Frequency::Monthly, []) if start.day() <= 28 => Some(31 * interval),
            (Frequency::Monthly, [("BYMONTHDAY", value)]) if days(value) => Some(31 * interval + 31),
            (Frequency::Monthly, [("BYDAY", value)]) if ordinal(value) => Some(31 * interval + 31),
            (Frequency::Yearly, []) if start.day() <= 28 => Some(366 * interval),
            _ => None,
        }
    }

    /// Whether there is an instance in the window without looking for it: a plain rule has one in every period, and the
    /// window is so long that not all of them can be excluded.
    fn surely_occurs(&self, series: &Recurrence, from: NaiveDateTime, to: NaiveDateTime) -> bool {
        let Some(gap) = self.gap.filter(|_| !self.counted) else { return false };
        let end = self.until.map_or(to, |until| until.min(to));
        let days = (end - series.start.max(from)).num_days();
        let excluded = series.excluded.len() + series.excluded_days.len();
        // One gap may pass before the first.
        days / gap > i64::try_from(excluded).unwrap_or(i64::MAX)
    }

    /// Hands every instance in the window to `visit`, until that says `false`. `start` is the series' own.
    fn walk(
        &self,
        start: NaiveDateTime,
        from: NaiveDateTime,
        to: NaiveDateTime,
        patience: &mut Patience,
        mut visit: impl FnMut(NaiveDateTime) -> bool,
    ) -> Result<(), NotUnderstood> {
        if start >= to || self.until.is_some_and(|until| until < from) {
            return Ok(());
        }
        if patience.instances == 0 || patience.fruitless == 0 && self.gap.is_none() {
            return Err(NotUnderstood);
        }
        patience.instances = patience.instances.saturating_sub(A_RULE);
        let near = if self.counted { start } else { self.nearer(start, from) };
        let rule: UnvalidatedRRule = self.text.parse().map_err(|_| NotUnderstood)?;
        let dt_start = Tz::UTC.from_utc_datetime(&near);
        let rule: RRule = rule.validate(dt_start).map_err(|_| NotUnderstood)?;
        let set = RRuleSet::new(dt_start).rrule(rule).limit();
        let mut seen = 0;
        for at in &set {
            let at = at.naive_utc();
            if at >= to || self.until.is_some_and(|until| at > until) {
                return Ok(());
            }
            seen += 1;
            patience.instances = patience.instances.saturating_sub(1);
            if seen > MAX_INSTANCES || patience.instances == 0 {
                return Err(NotUnderstood);
            }
            if at >= from && !visit(at) {
                return Ok(());
            }
        }
        if seen == 0 {
            patience.fruitless = patience.fruitless.saturating_sub(1);
        }
        Ok(())
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

impl Frequency {
    fn parse(text: &str) -> Option<Self> {
        let known =
            [("DAILY", Self::Daily), ("WEEKLY", Self::Weekly), ("MONTHLY", Self::Monthly), ("YEARLY", Self::Yearly)];
        known.into_iter().find(|(name, _)| text.eq_ignore_ascii_case(name)).map(|(_, frequency)| frequency)
    }
}

fn is_weekday(name: &str) -> bool {
    ["MO", "TU", "WE", "TH", "FR", "SA", "SU"].iter().any(|day| name.eq_ignore_ascii_case(day))
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

#[cfg(test)]
mod tests;
