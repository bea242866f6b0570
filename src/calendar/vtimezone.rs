//! Declaring a zone (RFC 5545 §3.6.5) from the time zone database.
//!
//! What every client understands is what Google writes: one STANDARD and one DAYLIGHT that repeat yearly since 1970. A
//! zone comes out so whenever that is right for the years asked for; every other change of its clocks is told by its date.

mod changes;
mod declared;

use chrono::{Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, Offset, Weekday};
use chrono_tz::{OffsetComponents, OffsetName, Tz, TzOffset};

use self::changes::{Change, changes, offset_at, seconds};
use super::line::{escape_text, push_line};

pub use self::declared::Declared;

/// The last year that is told by dates where no rule does. Beyond 2037, what the database says is a guess in any case.
const LAST: i32 = 2050;
/// So many years of a rule show every day of the month that it can fall on, or nearly.
const SURE: usize = 12;

/// The VTIMEZONE that declares `tz` under the name `tzid`, right for all times from the year `from` on.
///
/// `tzid` is any text: it is escaped as RFC 5545 §3.3.11 wants it.
pub fn vtimezone(tz: Tz, tzid: &str, from: i32) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    push_line("BEGIN", "VTIMEZONE", &mut out);
    push_line("TZID", &escape_text(tzid), &mut out);
    push_line("X-LIC-LOCATION", tz.name(), &mut out);
    for observance in observances(tz, from.clamp(1850, 2037)) {
        observance.write(&mut out);
    }
    push_line("END", "VTIMEZONE", &mut out);
    out
}

/// A STANDARD or DAYLIGHT component.
struct Observance {
    /// Offset before it, in seconds.
    from: i32,
    to: TzOffset,
    /// When it begins, on clocks that still show the offset before.
    onsets: Vec<NaiveDateTime>,
    /// The last of the onsets is the first of these.
    rule: Option<Rule>,
}

/// A day in one month of every year.
#[derive(Clone, Copy)]
struct Rule {
    month: u32,
    weekday: Weekday,
    day: Day,
}

#[derive(Clone, Copy)]
enum Day {
    Nth(u8),
    Last,
    /// The one of the seven days from this one on.
    From(u32),
}

fn observances(tz: Tz, from: i32) -> Vec<Observance> {
    // A day lies between the first onset and the first change, so that they come in this order in any zone.
    let year = from - 1;
    let begin = midnight(year, 1, 1) + Days::new(1);
    let mut groups: Vec<Observance> = Vec::new();
    for Change { utc, before, after } in changes(tz, begin, midnight(LAST + 1, 1, 1)) {
        let (from, onset) = (seconds(before), utc + before.fix());
        match groups.iter_mut().find(|group| group.from == from && group.to == after) {
            Some(group) => group.onsets.push(onset),
            None => groups.push(Observance { from, to: after, onsets: vec![onset], rule: None }),
        }
    }
    let mut always = !groups.is_empty() && year >= 1970;
    for group in &mut groups {
        always &= group.find_rule(year);
    }
    if always {
        for group in &mut groups {
            group.begin_in_1970();
        }
    } else {
        let at_first = offset_at(tz, begin);
        let onsets = vec![midnight(year.min(1970), 1, 1)];
        groups.insert(0, Observance { from: seconds(at_first), to: at_first, onsets, rule: None });
    }
    groups.into_iter().flat_map(Observance::apart).collect()
}

impl Observance {
    /// Finds the rule by which the latest onsets repeat. Returns whether all of them do, from `year` on.
    fn find_rule(&mut self, year: i32) -> bool {
        let Some((start, rule)) = yearly(&self.onsets) else { return false };
        self.onsets.truncate(start + 1);
        self.rule = Some(rule);
        start == 0 && self.onsets.first().is_some_and(|onset| onset.year() == year)
    }

    fn begin_in_1970(&mut self) {
        if let (Some(onset), Some(rule)) = (self.onsets.first_mut(), self.rule) {
            *onset = rule.in_year(1970).and_time(onset.time());
        }
    }

    /// Dates and a rule in components of their own: not every reader takes both from one.
    fn apart(mut self) -> Vec<Self> {
        if self.rule.is_none() || self.onsets.len() == 1 {
            return vec![self];
        }
        let repeated = Self { onsets: self.onsets.pop().into_iter().collect(), rule: self.rule.take(), ..self };
        vec![self, repeated]
    }

    fn write(&self, out: &mut Vec<u8>) {
        let name = if self.to.dst_offset().is_zero() { "STANDARD" } else { "DAYLIGHT" };
        push_line("BEGIN", name, out);
        push_line("TZOFFSETFROM", &written(self.from), out);
        push_line("TZOFFSETTO", &written(seconds(self.to)), out);
        if let Some(abbreviation) = self.to.abbreviation() {
            push_line("TZNAME", &escape_text(abbreviation), out);
        }
        for (index, onset) in self.onsets.iter().enumerate() {
            let property = if index == 0 { "DTSTART" } else { "RDATE" };
            push_line(property, &onset.format("%Y%m%dT%H%M%S").to_string(), out);
        }
        if let Some(rule) = self.rule {
            push_line("RRULE", &rule.written(), out);
        }
        push_line("END", name, out);
    }
}

/// The rule that the latest of `onsets` follow, one in each year until [`LAST`], and the index of the first of them.
fn yearly(onsets: &[NaiveDateTime]) -> Option<(usize, Rule)> {
    let last = onsets.last().filter(|last| last.year() == LAST)?;
    let (mut nth, mut latest, mut low, mut high) = (true, true, last.day(), last.day());
    let (mut start, mut year, mut found) = (onsets.len(), LAST, None);
    for (index, onset) in onsets.iter().enumerate().rev() {
        let alike = (onset.month(), onset.weekday(), onset.time()) == (last.month(), last.weekday(), last.time());
        if onset.year() != year || !alike {
            break;
        }
        nth &= nth_of(onset) == nth_of(last);
        latest &= onset.date().checked_add_days(Days::new(7)).is_some_and(|next| next.month() != onset.month());
        (low, high) = (low.min(onset.day()), high.max(onset.day()));
        found = match (latest, nth, high - low) {
            (true, ..) => Some(Day::Last),
            (_, true, _) => Some(Day::Nth(nth_of(last))),
            // Before all seven days are seen, nobody knows on which they begin.
            (_, _, ..6) => None,
            (_, _, 6) => Some(Day::From(low)),
            _ => break,
        };
        (start, year) = (index, year - 1);
    }
    let rule = Rule { month: last.month(), weekday: last.weekday(), day: found? };
    (onsets.len() - start >= SURE).then_some((start, rule))
}

fn nth_of(onset: &NaiveDateTime) -> u8 {
    u8::try_from(onset.day0() / 7 + 1).unwrap_or_default()
}

impl Rule {
    fn in_year(self, year: i32) -> NaiveDate {
        let first = |day| (day..day + 7).filter_map(|day| NaiveDate::from_ymd_opt(year, self.month, day));
        let mut days: Box<dyn Iterator<Item = _>> = match self.day {
            Day::Nth(nth) => Box::new(first(u32::from(nth) * 7 - 6)),
            Day::From(low) => Box::new(first(low)),
            Day::Last => Box::new((22..32).rev().filter_map(|day| NaiveDate::from_ymd_opt(year, self.month, day))),
        };
        days.find(|day| day.weekday() == self.weekday).unwrap_or_default()
    }

    /// As an RRULE value (RFC 5545 §3.3.10).
    fn written(self) -> String {
        let weekday = match self.weekday {
            Weekday::Mon => "MO",
            Weekday::Tue => "TU",
            Weekday::Wed => "WE",
            Weekday::Thu => "TH",
            Weekday::Fri => "FR",
            Weekday::Sat => "SA",
            Weekday::Sun => "SU",
        };
        let day = match self.day {
            Day::Nth(nth) => format!("BYDAY={nth}{weekday}"),
            Day::Last => format!("BYDAY=-1{weekday}"),
            Day::From(low) => {
                let days: Vec<_> = (low..low + 7).map(|day| day.to_string()).collect();
                format!("BYMONTHDAY={};BYDAY={weekday}", days.join(","))
            }
        };
        format!("FREQ=YEARLY;BYMONTH={};{day}", self.month)
    }
}

/// A UTC-OFFSET value (RFC 5545 §3.3.14).
fn written(offset: i32) -> String {
    let (sign, offset) = (if offset < 0 { '-' } else { '+' }, offset.unsigned_abs());
    let (hours, minutes, seconds) = (offset / 3600, offset / 60 % 60, offset % 60);
    let shown = if seconds > 0 { format!("{seconds:02}") } else { String::new() };
    format!("{sign}{hours:02}{minutes:02}{shown}")
}

/// 00:00:00 on a day that exists.
fn midnight(year: i32, month: u32, day: u32) -> NaiveDateTime {
    NaiveDate::from_ymd_opt(year, month, day).unwrap_or_default().and_time(NaiveTime::MIN)
}

#[cfg(test)]
mod tests;
