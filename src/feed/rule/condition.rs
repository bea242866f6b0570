//! When a rule applies. Conditions look at an event as its source sent it, whatever earlier rules have made of it, so
//! the order of rules never changes what a condition means.

use std::sync::Arc;

use chrono::{Datelike, Duration, NaiveDate, NaiveDateTime, Timelike};
use chrono_tz::Tz;
use regex::Regex;

use super::draft::is_alarm;
use super::field::{Field, without_mailto};
use crate::calendar::{ContentLine, Entry, Form, Moment, Property, Zone, Zones, parse_duration};

/// The part of a text that patterns look at, in bytes. No title or agenda is longer, and no pattern takes longer than a
/// moment for it.
pub(super) const MAX_SUBJECT: usize = 64 << 10;

/// A condition on an event.
#[derive(Debug, Clone)]
pub enum Condition {
    /// Every one holds.
    All(Vec<Condition>),
    /// At least one holds.
    Any(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// What is looked at.
    Is(Test),
}

/// One thing to look at. Lists mean: any of these.
#[derive(Debug, Clone)]
pub enum Test {
    /// A pattern matches a value of the property.
    Text(Field, Vec<Arc<Regex>>),
    /// The property is one of these words; the word it stands for when it is missing counts.
    Word(Field, Vec<String>),
    /// My own answer: the PARTSTAT of one of my addresses.
    Partstat(Vec<String>),
    /// It takes whole days.
    AllDay(bool),
    /// It is a series, or an instance of one.
    Recurring(bool),
    /// It is a changed instance of a series.
    Override(bool),
    /// It has one of these.
    Has(Vec<Thing>),
    /// How long it takes.
    Length(Vec<(Comparison, Duration)>),
    /// It starts on one of these weekdays, Monday first.
    Weekdays([bool; 7], Option<Tz>),
    /// It starts at or after the first minute of the day and before the second. A whole day covers all hours.
    Hours(Vec<(u32, u32)>, Option<Tz>),
    /// It starts on this day or later.
    StartsFrom(Date, Option<Tz>),
    /// It starts before this day.
    StartsBefore(Date, Option<Tz>),
    /// It comes from one of these sources.
    Source(Vec<Arc<str>>),
}

/// What an event can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thing {
    /// A `VALARM`.
    Alarm,
    /// A meeting address.
    Conference,
    /// An `ATTACH`.
    Attachment,
    /// An `ATTENDEE`.
    Attendees,
}

/// How two lengths compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `=`
    Equal,
    /// `>=`
    AtLeast,
    /// `>`
    More,
}

/// A day, be it that very one or one so many days from today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Date {
    /// That one.
    On(NaiveDate),
    /// So many days after today.
    FromToday(i64),
}

impl Date {
    /// The day it is when today is `today`.
    pub fn when(self, today: NaiveDate) -> NaiveDate {
        match self {
            Self::On(date) => date,
            Self::FromToday(days) => {
                let there = Duration::try_days(days).and_then(|by| today.checked_add_signed(by));
                there.unwrap_or(if days < 0 { NaiveDate::MIN } else { NaiveDate::MAX })
            }
        }
    }
}

/// What conditions know beside the event itself.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// The source it comes from.
    pub source: &'a str,
    /// What the TZIDs of its calendar mean.
    pub zones: &'a Zones,
    /// Where days and hours are counted if a condition names no zone.
    pub zone: Option<Tz>,
    /// My addresses, lower case.
    pub me: &'a [String],
    /// The hosts whose addresses are meetings.
    pub hosts: &'a crate::feed::MeetingHosts,
    /// The day it is.
    pub today: NaiveDate,
}

impl Condition {
    /// Whether it holds for `entry`.
    pub fn holds(&self, entry: &Entry<'_, '_>, around: &Surroundings<'_>) -> bool {
        match self {
            Self::All(all) => all.iter().all(|condition| condition.holds(entry, around)),
            Self::Any(any) => any.iter().any(|condition| condition.holds(entry, around)),
            Self::Not(condition) => !condition.holds(entry, around),
            Self::Is(test) => test.holds(entry, around),
        }
    }

    /// Whether it asks what day it is.
    pub fn asks_for_today(&self) -> bool {
        match self {
            Self::All(conditions) | Self::Any(conditions) => conditions.iter().any(Self::asks_for_today),
            Self::Not(condition) => condition.asks_for_today(),
            Self::Is(Test::StartsFrom(date, _) | Test::StartsBefore(date, _)) => matches!(date, Date::FromToday(_)),
            Self::Is(_) => false,
        }
    }
}

impl Test {
    /// Whether it holds for `entry`.
    pub fn holds(&self, entry: &Entry<'_, '_>, around: &Surroundings<'_>) -> bool {
        match self {
            Self::Text(field, patterns) => field.any(entry, |text| {
                let subject = subject(text);
                patterns.iter().any(|pattern| pattern.is_match(subject))
            }),
            Self::Word(field, words) => is_word(field, words, entry),
            Self::Partstat(answers) => my_answer(entry, around.me)
                .is_some_and(|mine| answers.iter().any(|answer| mine.eq_ignore_ascii_case(answer))),
            Self::AllDay(yes) => start(entry).is_some_and(|start| start.is_date()) == *yes,
            Self::Recurring(yes) => {
                let recurs = [Property::Rrule, Property::Rdate, Property::RecurrenceId];
                recurs.iter().any(|property| entry.first(*property).is_some()) == *yes
            }
            Self::Override(yes) => entry.first(Property::RecurrenceId).is_some() == *yes,
            Self::Has(things) => things.iter().any(|thing| thing.is_in(entry, around)),
            Self::Length(comparisons) => length(entry, around.zones)
                .is_some_and(|length| comparisons.iter().any(|(comparison, other)| comparison.holds(length, *other))),
            Self::Weekdays(days, zone) => local_start(entry, around, *zone)
                .is_some_and(|(local, _)| days.get(local.weekday().num_days_from_monday() as usize) == Some(&true)),
            Self::Hours(ranges, zone) => local_start(entry, around, *zone).is_some_and(|(local, whole_day)| {
                let minute = local.hour() * 60 + local.minute();
                whole_day || ranges.iter().any(|range| covers(*range, minute))
            }),
            Self::StartsFrom(date, zone) => {
                local_start(entry, around, *zone).is_some_and(|(local, _)| local.date() >= date.when(around.today))
            }
            Self::StartsBefore(date, zone) => {
                local_start(entry, around, *zone).is_some_and(|(local, _)| local.date() < date.when(around.today))
            }
            Self::Source(sources) => sources.iter().any(|source| **source == *around.source),
        }
    }
}

impl Comparison {
    fn holds(self, left: Duration, right: Duration) -> bool {
        match self {
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::Equal => left == right,
            Self::AtLeast => left >= right,
            Self::More => left > right,
        }
    }
}

impl Thing {
    fn is_in(self, entry: &Entry<'_, '_>, around: &Surroundings<'_>) -> bool {
        match self {
            Self::Alarm => entry.inner().any(|inner| is_alarm(entry, inner)),
            Self::Conference => super::super::join::link(entry, around.hosts).is_some(),
            Self::Attachment => entry.first(Property::Attach).is_some(),
            Self::Attendees => entry.first(Property::Attendee).is_some(),
        }
    }
}

/// The part of `text` that patterns look at.
pub(super) fn subject(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_SUBJECT)).unwrap_or(text)
}

/// `22:00-06:00` goes over midnight.
fn covers((from, to): (u32, u32), minute: u32) -> bool {
    if from <= to { (from..to).contains(&minute) } else { minute >= from || minute < to }
}

fn is_word(field: &Field, words: &[String], entry: &Entry<'_, '_>) -> bool {
    let texts = field.texts(entry);
    // What a missing property means (RFC 5545 §3.8.1.3, §3.8.2.7).
    let missing = match field.name() {
        "CLASS" => "PUBLIC",
        "TRANSP" => "OPAQUE",
        _ => "",
    };
    let text = texts.first().map_or(missing, |text| text.trim());
    words.iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// The start: DTSTART, or what a to-do has instead.
pub(in crate::feed) fn start(entry: &Entry<'_, '_>) -> Option<Moment<'static>> {
    let line = entry.content(Property::Dtstart).or_else(|| entry.content(Property::Due))?;
    Moment::of(&line)
}

/// What I have answered, if one of my addresses is among the attendees.
pub(in crate::feed) fn my_answer(entry: &Entry<'_, '_>, me: &[String]) -> Option<String> {
    if me.is_empty() {
        return None;
    }
    entry.all(Property::Attendee).find_map(|(_, line)| {
        let line = ContentLine::of(entry.calendar(), line);
        let (value, email) = (line.text(), line.parameter("EMAIL").map(String::from_utf8_lossy));
        let mine = [Some(without_mailto(&value)), email.as_deref()].into_iter().flatten();
        let is_me = mine.map(str::to_lowercase).any(|address| me.contains(&address));
        is_me.then(|| {
            line.parameter("PARTSTAT").map_or("NEEDS-ACTION".into(), |of| String::from_utf8_lossy(of).into_owned())
        })
    })
}

/// The start as clocks in `zone` show it, else in the feed's zone, else where the event itself is, and for one in UTC,
/// where its calendar is. With it, whether it is a whole day.
fn local_start(entry: &Entry<'_, '_>, around: &Surroundings<'_>, zone: Option<Tz>) -> Option<(NaiveDateTime, bool)> {
    let start = start(entry)?;
    let zone = zone.or(around.zone);
    let local = match (&start.form, zone.or_else(|| around.zones.calendar())) {
        (Form::Utc, Some(zone)) => Zone::Iana(zone).to_local(start.local)?,
        (Form::Zoned(_), _) if zone.is_some() => {
            let zone = Zone::Iana(zone?);
            zone.to_local(around.zones.to_utc(&start, Tz::UTC)?)?
        }
        _ => start.local,
    };
    Some((local, start.is_date()))
}

/// How long it takes: from DTSTART to DTEND, DUE or by DURATION; a day for a date alone, else nothing (RFC 5545 §3.6.1).
pub(in crate::feed) fn length(entry: &Entry<'_, '_>, zones: &Zones) -> Option<Duration> {
    let start = Moment::of(&entry.content(Property::Dtstart)?)?;
    let end = entry.content(Property::Dtend).or_else(|| entry.content(Property::Due));
    if let Some(end) = end.as_ref().and_then(Moment::of) {
        if end.form == start.form && !matches!(end.form, Form::Zoned(_)) {
            return Some(end.local - start.local);
        }
        return Some(zones.to_utc(&end, Tz::UTC)? - zones.to_utc(&start, Tz::UTC)?);
    }
    let duration = entry.value(Property::Duration).and_then(|text| parse_duration(&text));
    Some(duration.unwrap_or(if start.is_date() { Duration::days(1) } else { Duration::zero() }))
}
