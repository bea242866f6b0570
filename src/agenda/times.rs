//! When an event starts, and how long it lasts.

use std::borrow::Cow;

use chrono::{Duration, NaiveDateTime};
use chrono_tz::Tz;

use crate::calendar::{ContentLine, Entry, Form, Moment, Property, Zone, Zones, local_to, parse_duration};

/// When something starts on its own clocks, and how long that is from there.
#[derive(Debug, Clone)]
pub(super) struct Time<'a> {
    pub(super) start: Moment<'static>,
    pub(super) length: Duration,
    /// Its own clocks. None for what is the same on all: whole days, times of a zone that nobody knows, and floating times
    /// of a calendar that has no zone of its own.
    clocks: Option<Cow<'a, Zone>>,
}

impl<'a> Time<'a> {
    /// The time of `entry`; `None` if it does not say when it starts.
    pub(super) fn of(entry: &Entry<'_, '_>, zones: &'a Zones) -> Option<Self> {
        let start = Moment::of(&entry.content(Property::Dtstart)?)?;
        let length = length(entry, &start, zones).max(Duration::zero());
        let clocks = match &start.form {
            Form::Date => None,
            Form::Floating => zones.calendar().map(|own| Cow::Owned(Zone::Iana(own))),
            Form::Utc => Some(Cow::Owned(Zone::Iana(Tz::UTC))),
            Form::Zoned(tzid) => zones.find(tzid),
        };
        Some(Self { start, length, clocks })
    }

    /// From when to when it is on the clocks of `zone` if it starts at `local` on its own.
    pub(super) fn shown(&self, local: NaiveDateTime, zone: Tz) -> Option<(NaiveDateTime, NaiveDateTime)> {
        let there = |local| match &self.clocks {
            None => Some(local),
            Some(own) => Zone::Iana(zone).to_local(own.to_utc(local)?),
        };
        let start = there(local)?;
        Some((start, there(local.checked_add_signed(self.length)?)?.max(start)))
    }

    /// What its own clocks show when those of `zone` show `local`.
    pub(super) fn on_own_clocks(&self, local: NaiveDateTime, zone: Tz) -> Option<NaiveDateTime> {
        match &self.clocks {
            None => Some(local),
            Some(own) => own.to_local(Zone::Iana(zone).to_utc(local)?),
        }
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
