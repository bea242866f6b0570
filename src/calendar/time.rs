//! Dates, times and durations as they are written, and the instants they stand for.

use std::borrow::Cow;
use std::collections::HashMap;

use chrono::{Duration, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone};
use chrono_tz::Tz;

use super::entry::Entry;
use super::line::ContentLine;
use super::property::Property;
use super::spans::{Calendar, Kind};
use super::vtimezone::Declared;
use super::zone;

/// Declarations that are read in one calendar: each takes a moment.
const MAX_ZONES: usize = 256;

/// How a time is tied to the world (RFC 5545 §3.3.4, §3.3.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form<'a> {
    /// A whole day.
    Date,
    /// The same on every clock.
    Floating,
    /// In UTC.
    Utc,
    /// In the zone that a `TZID` names.
    Zoned(Cow<'a, str>),
}

/// A DATE or DATE-TIME value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment<'a> {
    /// What the clock shows there; midnight for a whole day.
    pub local: NaiveDateTime,
    /// Where.
    pub form: Form<'a>,
}

impl<'a> Moment<'a> {
    /// Reads `20261124`, `20261124T093000` or `20261124T013000Z`; `tzid` is the parameter beside it.
    pub fn parse(value: &[u8], tzid: Option<Cow<'a, str>>) -> Option<Self> {
        let value = value.trim_ascii();
        let date = date(value.get(..8)?)?;
        if value.len() == 8 {
            return Some(Self { local: date.and_time(NaiveTime::MIN), form: Form::Date });
        }
        if value.get(8)? != &b'T' {
            return None;
        }
        let local = date.and_time(time(value.get(9..15)?)?);
        match value.get(15..)? {
            b"Z" | b"z" => Some(Self { local, form: Form::Utc }),
            b"" => Some(Self { local, form: tzid.map_or(Form::Floating, Form::Zoned) }),
            _ => None,
        }
    }

    /// The first value of the property line `line`.
    pub fn of(line: &ContentLine<'_>) -> Option<Moment<'static>> {
        Self::all_of(line).next().flatten()
    }

    /// Each value of the property line `line`; of periods, the start. `None` for what cannot be read.
    pub fn all_of(line: &ContentLine<'_>) -> impl Iterator<Item = Option<Moment<'static>>> {
        let tzid = line.parameter("TZID").map(|tzid| String::from_utf8_lossy(tzid).into_owned());
        let values = line.value().split(|byte| *byte == b',');
        values.map(move |value| {
            let start = value.split(|byte| *byte == b'/').next().unwrap_or_default();
            Moment::parse(start, tzid.clone().map(Cow::Owned))
        })
    }

    /// The value as it is written.
    pub fn written(&self) -> String {
        let format = match self.form {
            Form::Date => "%Y%m%d",
            Form::Floating | Form::Zoned(_) => "%Y%m%dT%H%M%S",
            Form::Utc => "%Y%m%dT%H%M%SZ",
        };
        self.local.format(format).to_string()
    }

    /// Whether it is a whole day.
    pub fn is_date(&self) -> bool {
        self.form == Form::Date
    }
}

fn date(digits: &[u8]) -> Option<NaiveDate> {
    let year = i32::try_from(number(digits.get(..4)?)?).ok()?;
    NaiveDate::from_ymd_opt(year, number(digits.get(4..6)?)?, number(digits.get(6..8)?)?)
}

fn time(digits: &[u8]) -> Option<NaiveTime> {
    let [hour, minute, second] = [digits.get(..2)?, digits.get(2..4)?, digits.get(4..6)?].map(number);
    // A leap second is the one before it, on clocks that know none.
    NaiveTime::from_hms_opt(hour?, minute?, second?.min(59))
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0u32, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0')))
}

/// A zone whose offsets are known.
#[derive(Debug, Clone)]
pub enum Zone {
    /// Of the time zone database.
    Iana(Tz),
    /// As the calendar itself declares it.
    Declared(Box<Declared>),
}

impl Zone {
    /// The instant in UTC at which its clocks show `local`: the first of two, and for a time that is skipped, as if it
    /// had not been (RFC 5545 §3.3.5).
    pub fn to_utc(&self, local: NaiveDateTime) -> Option<NaiveDateTime> {
        match self {
            Self::Iana(tz) => tz_to_utc(*tz, local),
            Self::Declared(declared) => {
                local.checked_sub_signed(Duration::seconds(declared.offset_at_local(local)?.into()))
            }
        }
    }

    /// What its clocks show at `utc`.
    pub fn to_local(&self, utc: NaiveDateTime) -> Option<NaiveDateTime> {
        let offset = match self {
            Self::Iana(tz) => tz.offset_from_utc_datetime(&utc).fix().local_minus_utc(),
            Self::Declared(declared) => declared.offset_at_utc(utc)?,
        };
        utc.checked_add_signed(Duration::seconds(offset.into()))
    }
}

fn tz_to_utc(tz: Tz, local: NaiveDateTime) -> Option<NaiveDateTime> {
    let offset = match tz.offset_from_local_datetime(&local) {
        LocalResult::Single(offset) | LocalResult::Ambiguous(offset, _) => offset.fix(),
        // No clock ever showed it: the offset of the day before holds on.
        LocalResult::None => tz.offset_from_utc_datetime(&local.checked_sub_signed(Duration::days(1))?).fix(),
    };
    local.checked_sub_signed(Duration::seconds(offset.local_minus_utc().into()))
}

/// What the TZIDs of one calendar mean.
#[derive(Debug, Default)]
pub struct Zones {
    declared: HashMap<String, Option<Zone>>,
    calendar: Option<Tz>,
}

impl Zones {
    /// The zones of `calendar`.
    pub fn of(calendar: &Calendar<'_>) -> Self {
        let mut zones = Self::default();
        for (index, component) in calendar.components().iter().enumerate() {
            // A calendar with more zones than the world has is up to something.
            if component.depth == 1 && component.kind == Kind::Other && zones.declared.len() < MAX_ZONES {
                let line = Entry::new(calendar, component).content(Property::Tzid);
                let Some(tzid) = line.map(|line| line.text().into_owned()) else { continue };
                zones.declared.entry(tzid.clone()).or_insert_with(|| declared(calendar, index, &tzid));
            }
        }
        let mut own = calendar.notable().filter(|(_, line)| line.property() == Property::XWrTimezone);
        let own = own.next().map(|(_, line)| ContentLine::of(calendar, line));
        zones.calendar = own.and_then(|line| zone::iana(&line.text()));
        zones
    }

    /// The zone that the calendar says is its own (`X-WR-TIMEZONE`).
    pub fn calendar(&self) -> Option<Tz> {
        self.calendar
    }

    /// The zone called `tzid`, if it can be understood.
    pub fn find(&self, tzid: &str) -> Option<Cow<'_, Zone>> {
        match self.declared.get(tzid) {
            Some(declared) => declared.as_ref().map(Cow::Borrowed),
            None => zone::iana(tzid).map(|tz| Cow::Owned(Zone::Iana(tz))),
        }
    }

    /// The instant in UTC that `moment` stands for; floating times and whole days are those of `floating`. `None` if its
    /// zone is not known.
    pub fn to_utc(&self, moment: &Moment<'_>, floating: Tz) -> Option<NaiveDateTime> {
        match &moment.form {
            Form::Utc => Some(moment.local),
            Form::Date | Form::Floating => tz_to_utc(floating, moment.local),
            Form::Zoned(tzid) => self.find(tzid)?.to_utc(moment.local),
        }
    }
}

/// A name of the database means what the database says: clients read it so, and Google's declarations begin in 1970 with
/// the rules of today.
fn declared(calendar: &Calendar<'_>, component: usize, tzid: &str) -> Option<Zone> {
    if let Ok(tz) = tzid.parse::<Tz>() {
        return Some(Zone::Iana(tz));
    }
    let declared = Declared::read(calendar, component).map(|declared| Zone::Declared(Box::new(declared)));
    declared.or_else(|| zone::iana(tzid).map(Zone::Iana))
}
