//! The instances of events and series in a window.
//!
//! A rule is followed on its master's own clocks, and each instance is then put on the clocks of the window. What stands
//! in the place of an instance is found by the moment that it names; one that names it and all that follow
//! (`RANGE=THISANDFUTURE`) moves and changes those too.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use chrono::{Duration, NaiveDateTime};

use super::times::Time;
use super::{Found, Window};
use crate::calendar::{Calendar, ContentLine, Entry, Moment, Patience, Property, Recurrence, Zones, local_to};

/// Instances that are looked at for one agenda: some hundred milliseconds' worth, and the series of twenty years.
const PATIENCE: usize = 300_000;

/// The work on one agenda.
pub(super) struct Expansion<'a, 'text> {
    zones: &'a Zones,
    window: Window,
    patience: Patience,
    pub(super) found: Vec<Found<'a, 'text>>,
    pub(super) unfollowed: usize,
}

/// An event that stands in the place of an instance.
#[derive(Debug, Clone)]
struct Override<'a, 'text> {
    entry: Entry<'a, 'text>,
    id: Moment<'static>,
    and_future: bool,
    sequence: u64,
}

type Overrides<'a, 'text> = HashMap<Cow<'text, [u8]>, Vec<Override<'a, 'text>>>;

impl<'a, 'text> Expansion<'a, 'text> {
    pub(super) fn new(zones: &'a Zones, window: Window) -> Self {
        Self { zones, window, patience: Patience::of(PATIENCE), found: Vec::new(), unfollowed: 0 }
    }

    /// Finds everything of `calendar` that is in the window.
    pub(super) fn run(&mut self, calendar: &'a Calendar<'text>) {
        let mut overrides = overrides(calendar);
        let mut with_master = HashSet::new();
        for entry in calendar.entry_list().filter(|entry| entry.is_event() && !is_override(entry)) {
            let uid = if overrides.is_empty() { Cow::Borrowed(&b""[..]) } else { entry.uid().unwrap_or_default() };
            let own = overrides.get(&uid).map(Vec::as_slice).unwrap_or_default();
            if own.is_empty() && self.is_plainly_outside(&entry) {
                continue;
            }
            if has(&entry, Property::Rrule) || has(&entry, Property::Rdate) || !own.is_empty() {
                self.series(&entry, own);
            } else if !excludes_itself(&entry, self.zones) {
                self.single(entry);
            }
            if !own.is_empty() {
                with_master.insert(uid);
            }
        }
        // Who was invited to one instance only has no master.
        overrides.retain(|uid, _| !with_master.contains(uid));
        for one in overrides.into_values().flatten() {
            self.single(one.entry);
        }
    }

    /// What the bare dates tell of an event or a series without changed instances: of most that is enough.
    fn is_plainly_outside(&self, entry: &Entry<'_, '_>) -> bool {
        if has(entry, Property::Rdate) {
            return false;
        }
        let margin = Duration::days(2);
        let Some(start) = day(entry, Property::Dtstart) else { return true };
        if start > self.window.to() + margin {
            return true;
        }
        let end = match day(entry, Property::Dtend) {
            None if has(entry, Property::Duration) => return false,
            end => end.unwrap_or(start).max(start),
        };
        let last_start = if has(entry, Property::Rrule) { last_day(entry) } else { Some(start) };
        let last = last_start.and_then(|last| last.checked_add_signed(end - start));
        last.is_some_and(|last| last.max(end) < self.window.from() - margin)
    }

    fn single(&mut self, entry: Entry<'a, 'text>) {
        if let Some(time) = Time::of(&entry, self.zones) {
            self.add(entry, &time, time.start.local);
        }
    }

    /// Takes in what starts at `local` on the clocks of `time`, if it is in the window.
    fn add(&mut self, entry: Entry<'a, 'text>, time: &Time<'_>, local: NaiveDateTime) {
        let Some((start, end)) = time.shown(local, self.window.zone) else { return };
        if self.window.overlaps(start, end) {
            self.found.push(Found { entry, start, end, all_day: time.start.is_date() });
        }
    }

    fn series(&mut self, master: &Entry<'a, 'text>, overrides: &[Override<'a, 'text>]) {
        let Some(time) = Time::of(master, self.zones) else { return };
        let overrides = self.settled(&time.start, overrides);
        let Ok(recurrence) = Recurrence::of(master, &time.start, self.zones) else {
            self.unfollowed += 1;
            self.stand_alone(master, &time, &overrides);
            return;
        };
        let Some(mut recurrence) = recurrence else {
            self.stand_alone(master, &time, &overrides);
            return;
        };
        for (_, one) in &overrides {
            recurrence.exclude(&time.start, &one.id, self.zones);
        }
        let later: Vec<_> = overrides
            .iter()
            .filter(|(_, one)| one.and_future)
            .filter_map(|(at, one)| {
                let time = Time::of(&one.entry, self.zones)?;
                Some((*at, time.start.local - *at, one.entry, time))
            })
            .collect();
        let reach = later.iter().fold(time.length, |reach, (_, shift, _, time)| reach.max(time.length).max(*shift));
        let early = later.iter().fold(Duration::zero(), |early, (_, shift, ..)| early.max(-*shift));
        let Some((from, to)) = self.on_clocks_of(&time, reach, early) else { return };
        match recurrence.starts(from, to, &mut self.patience) {
            Err(_) => {
                self.unfollowed += 1;
                self.stand_alone(master, &time, &overrides);
                return;
            }
            Ok(starts) => {
                for at in starts {
                    match later.iter().rfind(|(id, ..)| *id <= at) {
                        Some((_, shift, entry, time)) => self.add(*entry, time, at + *shift),
                        None => self.add(*master, &time, at),
                    }
                }
            }
        }
        for (_, one) in overrides {
            self.single(one.entry);
        }
    }

    /// The overrides by the moment they name on the clocks of `start`, in order: of two of one moment, the newer.
    fn settled(
        &self,
        start: &Moment<'_>,
        overrides: &[Override<'a, 'text>],
    ) -> Vec<(NaiveDateTime, Override<'a, 'text>)> {
        let mut settled: Vec<(NaiveDateTime, Override<'a, 'text>)> = overrides
            .iter()
            .map(|one| (local_to(start, &one.id, self.zones).unwrap_or(one.id.local), one.clone()))
            .collect();
        settled.sort_by_key(|(at, one)| (*at, std::cmp::Reverse(one.sequence)));
        settled.dedup_by_key(|(at, _)| *at);
        settled
    }

    /// An event whose rule is none or is not followed, and what stands in the place of its instances.
    fn stand_alone(
        &mut self,
        master: &Entry<'a, 'text>,
        time: &Time<'_>,
        overrides: &[(NaiveDateTime, Override<'a, 'text>)],
    ) {
        let replaced = overrides.iter().any(|(at, _)| *at == time.start.local);
        if !replaced && !excludes_itself(master, self.zones) {
            self.add(*master, time, time.start.local);
        }
        for (_, one) in overrides {
            self.single(one.entry);
        }
    }

    /// The window on the clocks of `time`, long enough for what began before it. A day more on each side is for what the
    /// clocks of two zones can differ by.
    fn on_clocks_of(
        &self,
        time: &Time<'_>,
        reach: Duration,
        early: Duration,
    ) -> Option<(NaiveDateTime, NaiveDateTime)> {
        let there = |local| time.on_own_clocks(local, self.window.zone);
        let day = Duration::days(1);
        let from = there(self.window.from())?.checked_sub_signed(reach + day)?;
        Some((from, there(self.window.to())?.checked_add_signed(early + day)?))
    }
}

/// The day that `property` says, whatever its zone.
fn day(entry: &Entry<'_, '_>, property: Property) -> Option<NaiveDateTime> {
    Some(Moment::parse(entry.value(property)?.get(..8)?, None)?.local)
}

/// The last day of a series whose rule says it.
fn last_day(entry: &Entry<'_, '_>) -> Option<NaiveDateTime> {
    let rule = entry.value(Property::Rrule)?;
    let until = memchr::memmem::find(&rule, b"UNTIL=").and_then(|at| rule.get(at + 6..at + 14))?;
    // Of two rules the other may go on.
    if entry.all(Property::Rrule).count() > 1 { None } else { Some(Moment::parse(until, None)?.local) }
}

fn has(entry: &Entry<'_, '_>, property: Property) -> bool {
    entry.first(property).is_some()
}

fn is_override(entry: &Entry<'_, '_>) -> bool {
    has(entry, Property::RecurrenceId)
}

/// All that stands in the place of instances, by UID.
fn overrides<'a, 'text>(calendar: &'a Calendar<'text>) -> Overrides<'a, 'text> {
    let mut overrides = Overrides::new();
    for entry in calendar.entry_list().filter(Entry::is_event) {
        let Some(line) = entry.content(Property::RecurrenceId) else { continue };
        let Some(id) = Moment::of(&line) else { continue };
        let range = line.parameter("RANGE");
        let and_future = range.is_some_and(|range| range.eq_ignore_ascii_case(b"THISANDFUTURE"));
        let sequence = entry.text(Property::Sequence).trim().parse().unwrap_or(0);
        let one = Override { entry, id, and_future, sequence };
        overrides.entry(entry.uid().unwrap_or_default()).or_default().push(one);
    }
    overrides
}

/// Whether an event that does not recur is left out by its own `EXDATE`.
fn excludes_itself(entry: &Entry<'_, '_>, zones: &Zones) -> bool {
    let mut excluded = entry.all(Property::Exdate).map(|(_, line)| ContentLine::of(entry.calendar(), line)).peekable();
    if excluded.peek().is_none() {
        return false;
    }
    let Some(time) = Time::of(entry, zones) else { return false };
    let start = time.start;
    excluded.any(|line| {
        let moments: Vec<_> = Moment::all_of(&line).flatten().collect();
        moments.iter().any(|moment| {
            if moment.is_date() && !start.is_date() {
                moment.local.date() == start.local.date()
            } else {
                local_to(&start, moment, zones) == Some(start.local)
            }
        })
    })
}
