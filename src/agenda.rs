//! What takes place on some days, as the clocks of a time zone show it: every event and every instance of a series, with
//! what stands in their place. Pure: the text and the days are arguments.
//!
//! | file | holds |
//! |---|---|
//! | `times` | when an event starts and how long it lasts |
//! | `series` | a series' instances in the window, its overrides among them |
//! | `text` | what is shown of an event |

mod series;
mod text;
mod times;

#[cfg(test)]
mod tests;

use chrono::{Days, NaiveDate, NaiveDateTime, NaiveTime};
use chrono_tz::Tz;

use self::series::Expansion;
use crate::calendar::{Calendar, ContentLine, Entry, Limits, Malformed, Property, Zones, unescape_text};

/// What a calendar says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Heading {
    /// Its name.
    pub name: Option<String>,
    /// Its time zone.
    pub zone: Option<Tz>,
    /// Its colour, as `#RRGGBB`.
    pub colour: Option<String>,
}

/// Days on the calendar of a time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// The first day.
    pub first: NaiveDate,
    /// How many.
    pub days: u16,
    /// Whose clocks.
    pub zone: Tz,
}

/// How much of an agenda is made.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Instances.
    pub instances: usize,
    /// Bytes of their texts, all together.
    pub text: usize,
    /// Bytes of one description.
    pub notes: usize,
}

impl Bounds {
    /// All there is.
    pub const NONE: Self = Self { instances: usize::MAX, text: usize::MAX, notes: usize::MAX };
}

/// One event, or one instance of a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Its `UID`.
    pub uid: String,
    /// When it starts: midnight of its first day for whole days.
    pub start: NaiveDateTime,
    /// When it has ended: midnight behind its last day for whole days.
    pub end: NaiveDateTime,
    /// Whether it takes whole days.
    pub all_day: bool,
    /// Whether it was called off.
    pub cancelled: bool,
    /// What it is called.
    pub title: String,
    /// Where it takes place.
    pub place: String,
    /// Its description, as plain text.
    pub notes: String,
    /// The address of its meeting.
    pub join: Option<String>,
    /// Its own web address.
    pub url: Option<String>,
}

/// What takes place in a window, in the order of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agenda {
    /// When.
    pub window: Window,
    /// What.
    pub instances: Vec<Instance>,
    /// Further instances in the window, for which the bounds left no room.
    pub more: usize,
    /// Series whose rules are not understood. Of them only their first event and changed instances are here.
    pub unfollowed: usize,
}

impl Window {
    /// Its first moment, as its clocks show it.
    pub fn from(self) -> NaiveDateTime {
        self.first.and_time(NaiveTime::MIN)
    }

    /// The first moment behind it.
    pub fn to(self) -> NaiveDateTime {
        self.first.checked_add_days(Days::new(self.days.into())).unwrap_or(NaiveDate::MAX).and_time(NaiveTime::MIN)
    }

    /// Whether something from `start` to `end` is in it; what has no length is where it starts.
    fn overlaps(self, start: NaiveDateTime, end: NaiveDateTime) -> bool {
        start < self.to() && (end > self.from() || start >= self.from())
    }
}

impl Heading {
    /// Reads what the calendar `text` says of itself, without a look at its events.
    pub fn read(text: &[u8]) -> Self {
        // Its own properties come first (RFC 5545 §3.6), so nothing behind them is read.
        let end = [&b"\nBEGIN:V"[..], b"\nEND:V"].into_iter().find_map(|end| memchr::memmem::find(text, end));
        let head = end.and_then(|end| text.get(..=end)).unwrap_or(text);
        let head = [head, b"END:VCALENDAR\r\n"].concat();
        let Ok(calendar) = Calendar::scan(&head, &Limits::default()) else { return Self::default() };
        let value = |property| {
            let lines = calendar.lines().iter().filter(|line| line.property() == property);
            let value =
                lines.map(|line| unescape_text(&ContentLine::of(&calendar, line).text()).trim().to_owned()).next();
            value.filter(|value| !value.is_empty())
        };
        Self {
            name: value(Property::XWrCalname).or_else(|| value(Property::Name)).map(|name| text::cut(name, 200)),
            zone: value(Property::XWrTimezone).and_then(|name| crate::calendar::iana(&name)),
            colour: value(Property::XAppleCalendarColor).and_then(|colour| text::colour(&colour)),
        }
    }
}

impl Agenda {
    /// What of the calendar `text` takes place in `window`.
    ///
    /// # Errors
    /// [`Malformed`] if the text is not a calendar.
    pub fn read(text: &[u8], window: Window, bounds: Bounds) -> Result<Self, Malformed> {
        let calendar = Calendar::scan(text, &Limits::default())?;
        let zones = Zones::of(&calendar);
        let mut expansion = Expansion::new(&zones, window);
        expansion.run(&calendar);
        let Expansion { mut found, unfollowed, .. } = expansion;
        let count = found.len();
        // What takes whole days comes before what has a time on that day.
        let order = |one: &Found<'_, '_>| {
            (one.start.max(window.from()), !one.all_day, one.start, one.end, one.entry.span().start)
        };
        if bounds.instances < count {
            found.select_nth_unstable_by_key(bounds.instances, order);
            found.truncate(bounds.instances);
        }
        found.sort_by_key(order);
        let mut agenda = Self { window, instances: Vec::new(), more: 0, unfollowed };
        let mut room = bounds.text;
        for one in &found {
            let instance = one.shown(bounds.notes);
            let size = instance.text_size();
            if size > room {
                break;
            }
            room -= size;
            agenda.instances.push(instance);
        }
        agenda.more = count - agenda.instances.len();
        Ok(agenda)
    }
}

/// An instance before its texts are read.
#[derive(Debug)]
struct Found<'a, 'text> {
    entry: Entry<'a, 'text>,
    start: NaiveDateTime,
    end: NaiveDateTime,
    all_day: bool,
}

impl Found<'_, '_> {
    fn shown(&self, notes: usize) -> Instance {
        let entry = &self.entry;
        let join = crate::feed::meeting_of(entry);
        let place = text::cut(entry.text(Property::Location).trim().to_owned(), 500);
        let url = text::web_address(entry.text(Property::Url).trim()).filter(|url| join.as_ref() != Some(url));
        Instance {
            uid: String::from_utf8_lossy(&entry.uid().unwrap_or_default()).into_owned(),
            start: self.start,
            end: self.end,
            all_day: self.all_day,
            cancelled: entry.text(Property::Status).trim().eq_ignore_ascii_case("CANCELLED"),
            title: text::cut(entry.text(Property::Summary).trim().to_owned(), 500),
            place: if join.as_ref() == Some(&place) { String::new() } else { place },
            notes: text::notes(&entry.text(Property::Description), notes),
            join,
            url,
        }
    }
}

impl Instance {
    /// Bytes that its texts take on a page.
    fn text_size(&self) -> usize {
        let addresses = [&self.join, &self.url].into_iter().flatten().map(String::len);
        addresses.sum::<usize>() + self.title.len() + self.place.len() + self.notes.len()
    }

    /// The days it touches, the first and the last.
    pub fn days(&self) -> (NaiveDate, NaiveDate) {
        let first = self.start.date();
        // An end at midnight belongs to the day before.
        let last = if self.end.time() == NaiveTime::MIN { self.end.date().pred_opt() } else { Some(self.end.date()) };
        (first, last.unwrap_or(first).max(first))
    }
}
