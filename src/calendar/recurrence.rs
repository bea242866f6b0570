//! When a series takes place.
//!
//! Rules are followed in the time its master's clocks show: a rule speaks of wall clocks, so no zone is needed for that. A
//! rule that is not understood (`RSCALE`, more often than daily) is never followed: who asks is told so, and keeps the
//! series. Nothing that stands in a calendar can make this spin.
//!
//! | file | holds |
//! |---|---|
//! | `rule` | one rule, and the way through its instances |
//! | `cycle` | the plainest rules, whose instances are counted off |

mod cycle;
mod rule;

use std::collections::HashSet;

use chrono::{NaiveDate, NaiveDateTime};

use self::rule::Rule;
use super::entry::Entry;
use super::line::ContentLine;
use super::property::Property;
use super::time::{Form, Moment, Zone, Zones};

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
        if !rule.is_counted() {
            return None;
        }
        let mut last = None;
        let walked = rule.walk(self.start, self.start, NaiveDateTime::MAX, patience, |at| {
            last = Some(at);
            true
        });
        walked.ok().and(last)
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

#[cfg(test)]
mod tests;
