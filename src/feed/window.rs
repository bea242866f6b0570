//! Days around today: which series have an instance in them. Where that cannot be said, they have.

use chrono::{Duration, NaiveDateTime, NaiveTime};
use chrono_tz::Tz;

use super::rule::{Surroundings, Window, start};
use super::series::Judged;
use crate::calendar::{Entry, Form, Moment, NotUnderstood, Patience, Property, Recurrence, Zone};

/// From one instant in UTC to another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    from: NaiveDateTime,
    to: NaiveDateTime,
}

impl Span {
    pub(super) fn of(window: Window, around: &Surroundings<'_>) -> Self {
        let midnight = around.today.and_time(NaiveTime::MIN);
        let from = window.past.and_then(|past| midnight.checked_sub_signed(past));
        let to =
            window.future.and_then(|future| midnight.checked_add_signed(future)?.checked_add_signed(Duration::days(1)));
        Self { from: from.unwrap_or(NaiveDateTime::MIN), to: to.unwrap_or(NaiveDateTime::MAX) }
    }

    /// Whether `entry`, by itself, takes place in it.
    pub(super) fn holds(&self, entry: &Entry<'_, '_>, around: &Surroundings<'_>) -> bool {
        self.plainly_holds(entry).unwrap_or_else(|| self.exactly_holds(entry, around))
    }

    /// What the bare dates tell, when they are so far from the window's ends that no zone can make a difference: of most
    /// events that is enough.
    fn plainly_holds(&self, entry: &Entry<'_, '_>) -> Option<bool> {
        let day = |property| {
            let value = entry.value(property)?;
            Some(Moment::parse(value.get(..8)?, None)?.local.date())
        };
        let margin = Duration::days(2);
        let (start, end) = (day(Property::Dtstart)?, day(Property::Dtend));
        let (from, to) = (self.from.date(), self.to.date());
        let after = to.checked_add_signed(margin).is_some_and(|to| start > to);
        let before = from.checked_sub_signed(margin).zip(end).is_some_and(|(from, end)| end < from && start < from);
        let within = from.checked_add_signed(margin).is_none_or(|from| start > from)
            && to.checked_sub_signed(margin).is_none_or(|to| start < to);
        if after || before { Some(false) } else { within.then_some(true) }
    }

    fn exactly_holds(&self, entry: &Entry<'_, '_>, around: &Surroundings<'_>) -> bool {
        let Some(start) = start(entry) else { return true };
        let Some(utc) = around.zones.to_utc(&start, floating(around)) else { return true };
        let length = super::rule::length(entry, around.zones).unwrap_or_default().max(Duration::zero());
        let end = utc.checked_add_signed(length).unwrap_or(NaiveDateTime::MAX);
        utc < self.to && (end > self.from || utc >= self.from)
    }

    /// Whether an instance of `master` takes place in it, those aside in whose place one of `overrides` stands.
    pub(super) fn holds_series(
        &self,
        master: &Entry<'_, '_>,
        overrides: &[&Judged<'_, '_>],
        around: &Surroundings<'_>,
        patience: &mut Patience,
    ) -> bool {
        if [Property::Rrule, Property::Rdate].into_iter().all(|property| master.first(property).is_none()) {
            // An instance that is gone altogether has its own EXDATE or override.
            return !overrides.is_empty() || self.holds(master, around);
        }
        self.recurs(master, overrides, around, patience).unwrap_or(true)
    }

    fn recurs(
        &self,
        master: &Entry<'_, '_>,
        overrides: &[&Judged<'_, '_>],
        around: &Surroundings<'_>,
        patience: &mut Patience,
    ) -> Result<bool, NotUnderstood> {
        let start = start(master).ok_or(NotUnderstood)?;
        let Some(mut recurrence) = Recurrence::of(master, &start, around.zones)? else { return Ok(true) };
        for id in overrides.iter().filter_map(|event| event.recurrence_id.as_ref()) {
            if id.parameter("RANGE").is_some() {
                return Err(NotUnderstood);
            }
            recurrence.exclude(&start, &Moment::of(id).ok_or(NotUnderstood)?, around.zones);
        }
        let length = super::rule::length(master, around.zones).unwrap_or_default().max(Duration::zero());
        let (from, to) = (local(&start, self.from, around), local(&start, self.to, around));
        let (from, to) = (from.ok_or(NotUnderstood)?, to.ok_or(NotUnderstood)?);
        // Whatever ends after the window's beginning is in it, and what has no length if it does not start before.
        let reach = (length - Duration::seconds(1)).max(Duration::zero());
        recurrence.occurs(from.checked_sub_signed(reach).unwrap_or(from), to, patience)
    }
}

/// Where whole days and floating times are.
fn floating(around: &Surroundings<'_>) -> Tz {
    around.zone.or(around.zones.calendar()).unwrap_or(Tz::UTC)
}

/// What the clocks of `start`'s zone show at `utc`.
fn local(start: &Moment<'_>, utc: NaiveDateTime, around: &Surroundings<'_>) -> Option<NaiveDateTime> {
    // The ends of time have no clocks.
    if utc == NaiveDateTime::MIN || utc == NaiveDateTime::MAX {
        return Some(utc);
    }
    match &start.form {
        Form::Utc => Some(utc),
        Form::Date | Form::Floating => Zone::Iana(floating(around)).to_local(utc),
        Form::Zoned(tzid) => around.zones.find(tzid)?.to_local(utc),
    }
}
