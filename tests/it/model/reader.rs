//! The instances of a calendar, by a reading that is not the program's: `icalendar` takes it apart, `rrule` follows rules.

use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use icalendar::parser::{Component, Property, read_calendar, unfold};
use icalendar::rrule::{self, RRuleSet};

use super::events::{Instance, LAST, When};

/// A time as it is written.
#[derive(Debug, Clone, Copy)]
struct Time {
    local: NaiveDateTime,
    /// `None` for a floating time or a whole day.
    zone: Option<Tz>,
    is_day: bool,
}

impl Time {
    fn of(property: &Property<'_>) -> Self {
        let zone = property.params.iter().find(|param| param.key == "TZID").and_then(|param| param.val.clone());
        Self::parse(property.val.as_str(), zone.map(|zone| zone.as_str().parse().unwrap()))
    }

    fn parse(text: &str, zone: Option<Tz>) -> Self {
        if let Ok(day) = NaiveDate::parse_from_str(text, "%Y%m%d") {
            return Self { local: day.and_time(NaiveTime::MIN), zone: None, is_day: true };
        }
        let local = NaiveDateTime::parse_from_str(text.trim_end_matches('Z'), "%Y%m%dT%H%M%S").unwrap();
        Self { local, zone: if text.ends_with('Z') { Some(Tz::UTC) } else { zone }, is_day: false }
    }

    fn utc(&self) -> Option<DateTime<Utc>> {
        Some(self.zone?.from_local_datetime(&self.local).single().unwrap().to_utc())
    }

    fn when(&self) -> When {
        match self.utc() {
            Some(utc) => When::At(utc),
            None if self.is_day => When::Day(self.local.date()),
            None => When::Floating(self.local),
        }
    }
}

fn all<'c, 'a>(event: &'c Component<'a>, name: &str) -> impl Iterator<Item = &'c Property<'a>> {
    event.properties.iter().filter(move |property| property.name == name)
}

fn first(event: &Component<'_>, name: &str) -> Option<String> {
    all(event, name).next().map(|property| property.val.as_str().to_owned())
}

/// All of them, sorted.
pub(crate) fn instances(text: &str) -> Vec<Instance> {
    let unfolded = unfold(text);
    let calendar = read_calendar(&unfolded).unwrap();
    let events: Vec<_> = calendar.components.iter().filter(|component| component.name == "VEVENT").collect();
    let uid = |event: &Component<'_>| first(event, "UID").unwrap();
    let mut instances = Vec::new();
    for event in &events {
        let start = Time::of(all(event, "DTSTART").next().unwrap());
        let end = Time::of(all(event, "DTEND").next().unwrap());
        let mut begins = starts(event, start);
        if first(event, "RECURRENCE-ID").is_none() {
            let ids =
                events.iter().filter(|other| uid(other) == uid(event)).flat_map(|other| all(other, "RECURRENCE-ID"));
            let replaced: Vec<_> = ids.map(|id| Time::of(id).when()).collect();
            begins.retain(|start| !replaced.contains(start));
        }
        instances.extend(begins.into_iter().map(|begins| Instance {
            uid: plain(&uid(event)),
            begins,
            takes: (end.local - start.local).num_minutes(),
            title: first(event, "SUMMARY").unwrap_or_default(),
        }));
    }
    instances.retain(|instance| instance.begins.is_near());
    instances.sort();
    instances
}

/// The UID as the model calls it.
fn plain(uid: &str) -> String {
    match uid.split_once("@x-") {
        _ if uid.ends_with("@calferry") => "hashed".to_owned(),
        Some((own, _)) => format!("{own}@x renamed"),
        None => uid.to_owned(),
    }
}

fn starts(event: &Component<'_>, start: Time) -> Vec<When> {
    let Some(rule) = first(event, "RRULE") else { return vec![start.when()] };
    let zone = start.zone.unwrap_or(Tz::UTC);
    // Whatever has no zone is followed as if it were in UTC.
    let parts = rule.split(';').map(|part| match part.strip_prefix("UNTIL=") {
        Some(until) => {
            let until = Time::parse(until, None);
            assert_eq!(until.zone.is_some(), start.zone.is_some(), "UNTIL is in UTC if the start has a zone: {rule}");
            assert_eq!(until.is_day, start.is_day, "UNTIL is a day if the start is one: {rule}");
            format!("UNTIL={}", until.local.format("%Y%m%dT%H%M%SZ"))
        }
        None => part.to_owned(),
    });
    let rule: rrule::RRule<rrule::Unvalidated> = parts.collect::<Vec<_>>().join(";").parse().unwrap();
    let first: DateTime<rrule::Tz> = rrule::Tz::from(zone).from_local_datetime(&start.local).single().unwrap();
    let set = RRuleSet::new(first).rrule(rule.validate(first).unwrap());
    let last = (LAST + Duration::days(20)).and_time(NaiveTime::MIN);
    let locals = set.into_iter().map(|at| at.naive_local()).take_while(|at| *at < last);
    let excluded: Vec<_> = all(event, "EXDATE").map(|property| Time::of(property).when()).collect();
    locals.map(|local| Time { local, ..start }.when()).filter(|when| !excluded.contains(when)).collect()
}
