//! A zone as a calendar declares it (RFC 5545 §3.6.5): every onset it tells of, from 1900 to 2100.
//!
//! Rules are expanded here and not by a general engine. Zones use one form, a day in one month of every year, and for it
//! the cost is known: an engine that takes everything looks ten thousand years for a 30 February.

use std::ops::RangeInclusive;

use chrono::{Datelike, Duration, NaiveDateTime};
use chrono_tz::Tz;

use super::super::entry::Entry;
use super::super::line::{ContentLine, unescape_text};
use super::super::property::Property;
use super::super::spans::{Calendar, Component};
use super::super::time::{Form, Moment};
use super::changes::{changes, offset_at, seconds};
use super::midnight;

mod rule;

use rule::Yearly;

/// Years of which a declaration tells anything.
const YEARS: RangeInclusive<i32> = 1900..=2100;
/// Observances of one zone; Apple's longest history has some forty.
const OBSERVANCES: usize = 256;
/// Of them with a rule.
const RULES: usize = 32;
/// Onsets in all.
const ONSETS: usize = 8192;

/// A zone as a calendar declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    tzid: String,
    /// By time, never empty.
    onsets: Vec<Onset>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Onset {
    utc: NaiveDateTime,
    from: i32,
    to: i32,
}

impl Declared {
    /// Reads the VTIMEZONE at `component_index` of `calendar`'s components. `None` if anything in it is not understood:
    /// half a zone is worse than none.
    pub fn read(calendar: &Calendar<'_>, component_index: usize) -> Option<Self> {
        let (outer, behind) = calendar.components().get(component_index..)?.split_first()?;
        let tzid = tzid_of(calendar, outer)?;
        let inner = behind.iter().take_while(|inner| inner.begin < outer.end);
        let (mut onsets, mut rules) = (Vec::new(), 0);
        for (count, component) in inner.enumerate() {
            let observance = Observance::read(calendar, component)?;
            rules += usize::from(observance.rule.is_some());
            if count >= OBSERVANCES || rules > RULES || component.depth != outer.depth + 1 {
                return None;
            }
            observance.push_onsets(&mut onsets)?;
        }
        onsets.sort_unstable();
        if onsets.is_empty() { None } else { Some(Self { tzid, onsets }) }
    }

    /// Its name, unescaped.
    pub fn tzid(&self) -> &str {
        &self.tzid
    }

    /// Seconds to be added to UTC when its clocks show `local`: of two such times the first, and for one that is skipped,
    /// the offset before the gap (RFC 5545 §3.3.5). `None` after the year 2100.
    pub fn offset_at_local(&self, local: NaiveDateTime) -> Option<i32> {
        self.offset_before(local, |onset| Duration::seconds(onset.from.max(onset.to).into()))
    }

    /// Seconds to be added to UTC at `utc`. `None` after the year 2100.
    pub fn offset_at_utc(&self, utc: NaiveDateTime) -> Option<i32> {
        self.offset_before(utc, |_| Duration::zero())
    }

    /// The offset in force at `time`, on a clock that is `ahead` of UTC when an onset takes effect.
    fn offset_before(&self, time: NaiveDateTime, ahead: impl Fn(&Onset) -> Duration) -> Option<i32> {
        if time.year() > *YEARS.end() {
            return None;
        }
        let begun = self.onsets.partition_point(|onset| onset.utc + ahead(onset) <= time);
        match begun.checked_sub(1) {
            Some(latest) => self.onsets.get(latest).map(|onset| onset.to),
            // Nothing is said of earlier times; what was left at the first onset is the best guess.
            None => self.onsets.first().map(|onset| onset.from),
        }
    }

    /// Whether its clocks show the same as those of `tz` all through `years`, but for two minutes: Windows lets some
    /// zones change at 23:59:59, because it has no 24:00.
    pub fn agrees_with(&self, tz: Tz, years: RangeInclusive<i32>) -> bool {
        let (from, to) = span(&years);
        let changes = changes(tz, from, to).into_iter().map(|change| change.utc);
        self.same_around(changes, &years, |utc| Some(seconds(offset_at(tz, utc))))
    }

    /// Whether its clocks show the same as those of `other` all through `years`.
    pub fn same_rules(&self, other: &Self, years: RangeInclusive<i32>) -> bool {
        let theirs = other.onsets.iter().map(|onset| onset.utc);
        self.onsets == other.onsets || self.same_around(theirs, &years, |utc| other.offset_at_utc(utc))
    }

    /// Offsets stay as they are between changes: whoever is of one mind behind each change, theirs and ours, is of one
    /// mind all the time.
    fn same_around(
        &self,
        theirs: impl Iterator<Item = NaiveDateTime>,
        years: &RangeInclusive<i32>,
        their_offset: impl Fn(NaiveDateTime) -> Option<i32>,
    ) -> bool {
        let (from, to) = span(years);
        let ours = self.onsets.iter().map(|onset| onset.utc);
        let changes = ours.chain(theirs).filter(|change| (from..to).contains(change));
        let around = |change| [-61, 61].map(|by| change + Duration::seconds(by));
        let mut near = [from].into_iter().chain(changes).flat_map(around);
        near.all(|utc| self.offset_at_utc(utc).is_some_and(|ours| their_offset(utc) == Some(ours)))
    }
}

/// `years` as instants, a day wider for zones ahead of UTC or behind it, and no wider than what can be told.
fn span(years: &RangeInclusive<i32>) -> (NaiveDateTime, NaiveDateTime) {
    let [first, last] = [*years.start(), *years.end()].map(|year| year.clamp(*YEARS.start() + 1, *YEARS.end() - 1));
    (midnight(first - 1, 12, 31), midnight(last + 1, 1, 2))
}

/// The name under which `component` declares a zone, unescaped.
fn tzid_of(calendar: &Calendar<'_>, component: &Component) -> Option<String> {
    let line = Entry::new(calendar, component).content(Property::Tzid)?;
    Some(unescape_text(&line.text()).trim().to_owned())
}

/// A STANDARD or DAYLIGHT component.
struct Observance {
    start: NaiveDateTime,
    from: i32,
    to: i32,
    rule: Option<Yearly>,
    dates: Vec<NaiveDateTime>,
}

impl Observance {
    fn read(calendar: &Calendar<'_>, component: &Component) -> Option<Self> {
        let (mut start, mut from, mut to, mut rule) = (None, None, None, None);
        let mut dates = Vec::new();
        for (_, line) in Entry::new(calendar, component).lines() {
            let line = ContentLine::of(calendar, line);
            let earlier = match line.name().to_ascii_uppercase().as_slice() {
                b"DTSTART" => start.replace(local(line.value())?).is_some(),
                b"TZOFFSETFROM" => from.replace(offset(line.value())?).is_some(),
                b"TZOFFSETTO" => to.replace(offset(line.value())?).is_some(),
                b"RRULE" => rule.replace(Yearly::parse(line.value())?).is_some(),
                b"RDATE" => {
                    for date in line.value().split(|byte| *byte == b',') {
                        dates.push(local(date)?);
                    }
                    dates.len() > ONSETS
                }
                b"EXRULE" | b"EXDATE" => true,
                _ => false,
            };
            if earlier {
                return None;
            }
        }
        Some(Self { start: start?, from: from?, to: to?, rule, dates })
    }

    fn push_onsets(&self, onsets: &mut Vec<Onset>) -> Option<()> {
        let mut repeated = match &self.rule {
            Some(rule) => rule.expand(self.start, self.from, YEARS)?,
            None => Vec::new(),
        };
        if repeated.is_empty() {
            repeated.push(self.start);
        }
        onsets.extend(repeated.iter().chain(&self.dates).map(|onset| Onset {
            utc: *onset - Duration::seconds(self.from.into()),
            from: self.from,
            to: self.to,
        }));
        (onsets.len() <= ONSETS).then_some(())
    }
}

/// A time on the clock that the observance ends: never in UTC (RFC 5545 §3.6.5).
fn local(value: &[u8]) -> Option<NaiveDateTime> {
    Moment::parse(value, None).filter(|moment| moment.form != Form::Utc).map(|moment| moment.local)
}

/// A UTC-OFFSET value (RFC 5545 §3.3.14).
fn offset(value: &[u8]) -> Option<i32> {
    let value = value.trim_ascii();
    let (sign, digits) = value.split_first()?;
    let sign = match sign {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    if !matches!(digits.len(), 4 | 6) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let parts = digits.chunks(2).map(|pair| pair.iter().fold(0, |number, digit| number * 10 + i32::from(digit - b'0')));
    let seconds = parts.zip([3600, 60, 1]).map(|(number, unit)| number * unit).sum::<i32>();
    (seconds < 86_400).then_some(sign * seconds)
}
