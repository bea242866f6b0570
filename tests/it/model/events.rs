//! The model's calendars: events with their times, and writing them down.

use chrono::{DateTime, Datelike, Duration, NaiveDate, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;

use crate::harness::ics;

/// What is looked at: instances that begin in these days. Series begin after the first and may go on behind the last.
pub(crate) const FIRST: NaiveDate = NaiveDate::from_ymd_opt(2026, 9, 20).unwrap();
pub(crate) const LAST: NaiveDate = NaiveDate::from_ymd_opt(2027, 1, 31).unwrap();

/// How a time is tied to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Utc,
    Zoned(Tz),
    Floating,
    Date,
}

/// When something begins, for whoever looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum When {
    At(DateTime<Utc>),
    Floating(NaiveDateTime),
    Day(NaiveDate),
}

/// An instance as a phone shows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instance {
    pub(crate) uid: String,
    pub(crate) begins: When,
    pub(crate) takes: i64,
    pub(crate) title: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Every {
    Day,
    Week,
    /// On these weekdays, Monday first.
    WeekOn([bool; 7]),
    Month,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Never,
    Count(u32),
    /// As the clocks show it where the event is.
    Until(NaiveDateTime),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Repeat {
    pub(crate) every: Every,
    pub(crate) interval: u32,
    pub(crate) end: End,
}

/// What an event says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Says {
    pub(crate) status: Option<&'static str>,
    pub(crate) partstat: Option<&'static str>,
    pub(crate) free: bool,
    pub(crate) sequence: u32,
    pub(crate) modified: u32,
}

/// A VEVENT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) uid: String,
    /// The instance in whose place it stands, as the clocks of `form` show it.
    pub(crate) instead_of: Option<NaiveDateTime>,
    pub(crate) form: Form,
    pub(crate) start: NaiveDateTime,
    pub(crate) takes: Duration,
    pub(crate) repeat: Option<Repeat>,
    pub(crate) except: Vec<NaiveDateTime>,
    pub(crate) title: String,
    pub(crate) says: Says,
}

/// A source's calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// X-WR-TIMEZONE
    pub(crate) zone: Option<Tz>,
    pub(crate) events: Vec<Event>,
}

impl Form {
    /// The instant at which its clocks show `local`; whole days and floating times are those of `floating`.
    pub(crate) fn instant(self, local: NaiveDateTime, floating: Tz) -> DateTime<Utc> {
        let zone = match self {
            Self::Utc => Tz::UTC,
            Self::Zoned(zone) => zone,
            Self::Floating | Self::Date => floating,
        };
        zone.from_local_datetime(&local).earliest().unwrap().to_utc()
    }

    pub(crate) fn when(self, local: NaiveDateTime) -> When {
        match self {
            Self::Utc | Self::Zoned(_) => When::At(self.instant(local, Tz::UTC)),
            Self::Floating => When::Floating(local),
            Self::Date => When::Day(local.date()),
        }
    }

    /// The property line.
    fn line(self, name: &str, local: NaiveDateTime) -> String {
        let (date, time) = (local.format("%Y%m%d"), local.format("%Y%m%dT%H%M%S"));
        match self {
            Self::Utc => format!("{name}:{time}Z\n"),
            Self::Zoned(zone) => format!("{name};TZID={}:{time}\n", zone.name()),
            Self::Floating => format!("{name}:{time}\n"),
            Self::Date => format!("{name};VALUE=DATE:{date}\n"),
        }
    }
}

impl When {
    /// Whether it lies in the days that are looked at.
    pub(crate) fn is_near(self) -> bool {
        let day = match self {
            Self::At(at) => at.date_naive(),
            Self::Floating(local) => local.date(),
            Self::Day(day) => day,
        };
        (FIRST..LAST).contains(&day)
    }
}

impl Event {
    /// When its instances begin, as its clocks show it: day by day.
    pub(crate) fn starts(&self) -> Vec<NaiveDateTime> {
        let Some(repeat) = self.repeat else { return vec![self.start] };
        let (mut starts, mut count) = (Vec::new(), 0);
        let first = self.start.date();
        let monday = first - Duration::days(first.weekday().num_days_from_monday().into());
        for day in first.iter_days().take_while(|day| *day < LAST + Duration::days(800)) {
            let days = (day - first).num_days();
            let weeks = (day - monday).num_days() / 7;
            let months = i64::from(day.year() - first.year()) * 12 + i64::from(day.month()) - i64::from(first.month());
            let every = |count: i64| count % i64::from(repeat.interval) == 0;
            let takes_place = match repeat.every {
                Every::Day => every(days),
                Every::Week => every(weeks) && day.weekday() == first.weekday(),
                Every::WeekOn(on) => every(weeks) && on[day.weekday().num_days_from_monday() as usize],
                Every::Month => every(months) && day.day() == first.day(),
            };
            if !takes_place {
                continue;
            }
            let start = day.and_time(self.start.time());
            let ended = match repeat.end {
                End::Never => false,
                End::Count(of) => count == of,
                End::Until(last) => start > last,
            };
            if ended {
                break;
            }
            count += 1;
            starts.push(start);
        }
        starts.retain(|start| !self.except.contains(start));
        starts
    }

    fn ics(&self) -> String {
        let Says { status, partstat, free, sequence, modified } = self.says;
        let mut text = format!("BEGIN:VEVENT\nUID:{}\nDTSTAMP:20260901T000000Z\nSUMMARY:{}\n", self.uid, self.title);
        text += &self.form.line("DTSTART", self.start);
        text += &self.form.line("DTEND", self.start + self.takes);
        if let Some(id) = self.instead_of {
            text += &self.form.line("RECURRENCE-ID", id);
        }
        if let Some(repeat) = self.repeat {
            text += &repeat.line(self.form);
        }
        for except in &self.except {
            text += &self.form.line("EXDATE", *except);
        }
        if let Some(status) = status {
            text += &format!("STATUS:{status}\n");
        }
        if let Some(partstat) = partstat {
            text += &format!("ATTENDEE;PARTSTAT={partstat}:mailto:me@example.com\n");
        }
        if free {
            text += "TRANSP:TRANSPARENT\n";
        }
        text + &format!("SEQUENCE:{sequence}\nLAST-MODIFIED:202609{:02}T000000Z\nEND:VEVENT", 1 + modified)
    }
}

impl Repeat {
    fn line(self, form: Form) -> String {
        let days = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
        let rule = match self.every {
            Every::Day => "FREQ=DAILY".to_owned(),
            Every::Week => "FREQ=WEEKLY".to_owned(),
            Every::Month => "FREQ=MONTHLY".to_owned(),
            Every::WeekOn(on) => {
                let days: Vec<_> = days.iter().zip(on).filter(|(_, on)| *on).map(|(day, _)| *day).collect();
                format!("FREQ=WEEKLY;BYDAY={}", days.join(","))
            }
        };
        let interval = if self.interval > 1 { format!(";INTERVAL={}", self.interval) } else { String::new() };
        let end = match (self.end, form) {
            (End::Never, _) => String::new(),
            (End::Count(count), _) => format!(";COUNT={count}"),
            (End::Until(last), Form::Date) => format!(";UNTIL={}", last.format("%Y%m%d")),
            (End::Until(last), Form::Floating) => format!(";UNTIL={}", last.format("%Y%m%dT%H%M%S")),
            (End::Until(last), _) => format!(";UNTIL={}", form.instant(last, Tz::UTC).format("%Y%m%dT%H%M%SZ")),
        };
        format!("RRULE:{rule}{interval}{end}\n")
    }
}

impl Source {
    pub(crate) fn ics(&self) -> Vec<u8> {
        let zone = self.zone.map(|zone| format!("X-WR-TIMEZONE:{}", zone.name()));
        let components: Vec<_> = zone.into_iter().chain(self.events.iter().map(Event::ics)).collect();
        ics(&components.iter().map(String::as_str).collect::<Vec<_>>())
    }
}
