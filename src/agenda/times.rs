//! When an event starts, and how long it lasts.

use std::borrow::Cow;

use chrono::{Duration, NaiveDateTime};
use chrono_tz::Tz;

use crate::calendar::{ContentLine, Entry, Form, Moment, Property, Zone, Zones, local_to, parse_duration};

/// When something starts on its own clocks, and how long that is from there.
#[derive(Debug, Clone)]
pub(super) struct Time {
    pub(super) start: Moment<'static>,
    pub(super) length: Duration,
}

impl Time {
    /// The time of `entry`; `None` if it does not say when it starts.
    pub(super) fn of(entry: &Entry<'_, '_>, zones: &Zones) -> Option<Self> {
        let start = Moment::of(&entry.content(Property::Dtstart)?)?;
        let length = length(entry, &start, zones).max(Duration::zero());
        Some(Self { start, length })
    }

    /// The same, starting at `local` on the same clocks.
    pub(super) fn at(&self, local: NaiveDateTime) -> Self {
        Self { start: Moment { local, form: self.start.form.clone() }, length: self.length }
    }

    /// From when to when it is on the clocks of `zone`.
    pub(super) fn shown(&self, zones: &Zones, zone: Tz) -> Option<(NaiveDateTime, NaiveDateTime)> {
        let end = Moment { local: self.start.local.checked_add_signed(self.length)?, form: self.start.form.clone() };
        let start = on_clocks(&self.start, zones, zone)?;
        Some((start, on_clocks(&end, zones, zone)?.max(start)))
    }
}

/// What the clocks of `zone` show at `moment`. Whole days are the same everywhere, and so are times of a zone that nobody
/// knows, and floating times of a calendar that has no zone of its own.
fn on_clocks(moment: &Moment<'_>, zones: &Zones, zone: Tz) -> Option<NaiveDateTime> {
    let utc = match &moment.form {
        Form::Date => return Some(moment.local),
        Form::Floating => match zones.calendar() {
            Some(own) => Zone::Iana(own).to_utc(moment.local)?,
            None => return Some(moment.local),
        },
        Form::Utc => moment.local,
        Form::Zoned(tzid) => match zones.find(tzid) {
            Some(known) => known.to_utc(moment.local)?,
            None => return Some(moment.local),
        },
    };
    Zone::Iana(zone).to_local(utc)
}

/// What `start`'s clocks show when those of `zone` show `local`.
pub(super) fn from_clocks(local: NaiveDateTime, zone: Tz, start: &Moment<'_>, zones: &Zones) -> Option<NaiveDateTime> {
    let there = Moment { local, form: Form::Zoned(Cow::Borrowed(zone.name())) };
    match &start.form {
        Form::Date => Some(local),
        Form::Floating => match zones.calendar() {
            Some(own) => Zone::Iana(own).to_local(Zone::Iana(zone).to_utc(local)?),
            None => Some(local),
        },
        Form::Zoned(tzid) if zones.find(tzid).is_none() => Some(local),
        _ => local_to(start, &there, zones),
    }
}

/// The difference on the clocks of the start: a night's shift ends at six also where the clocks change in it.
fn length(entry: &Entry<'_, '_>, start: &Moment<'_>, zones: &Zones) -> Duration {
    let end = || entry.content(Property::Dtend).and_then(|line| Moment::of(&line));
    let duration = || entry.content(Property::Duration).and_then(|line: ContentLine<'_>| parse_duration(line.value()));
    // One that cannot be read is none.
    if let Some(end) = end().and_then(|end| local_to(start, &end, zones)) {
        return end - start.local;
    }
    duration().unwrap_or(if start.is_date() { Duration::days(1) } else { Duration::zero() })
}
