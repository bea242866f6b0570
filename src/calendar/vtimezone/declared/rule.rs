//! The recurrence rules that zones use (RFC 5545 §3.3.10): a day in one month of every year.

use std::ops::RangeInclusive;

use chrono::{Datelike, Duration, NaiveDate, NaiveDateTime, NaiveTime, Timelike};

use super::super::super::time::{Form, Moment};

/// Onsets of one rule.
const INSTANCES: usize = 600;

/// `FREQ=YEARLY`, within one month.
#[derive(Debug, Default)]
pub(super) struct Yearly {
    interval: Option<u32>,
    count: Option<u32>,
    until: Option<Moment<'static>>,
    month: Option<u32>,
    /// Weekdays, counted from Monday, each behind which of the month it is: 0 for all.
    weekdays: Vec<(i32, i32)>,
    /// Days of the month; below 0 from its end.
    days: Vec<i32>,
    hour: Option<u32>,
    minute: Option<u32>,
    second: Option<u32>,
}

impl Yearly {
    /// Reads an RRULE value. `None` for every rule of another form.
    pub(super) fn parse(value: &[u8]) -> Option<Self> {
        let value = std::str::from_utf8(value).ok()?.trim().to_ascii_uppercase();
        let (mut rule, mut yearly) = (Self::default(), false);
        for part in value.split(';').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=')?;
            match name {
                "FREQ" => yearly = value == "YEARLY",
                "INTERVAL" => rule.interval = Some(number(value, 1..=100)?),
                "COUNT" => rule.count = Some(number(value, 1..=10_000)?),
                "UNTIL" => rule.until = Some(Moment::parse(value.as_bytes(), None)?),
                "BYMONTH" => rule.month = Some(number(value, 1..=12)?),
                "BYDAY" => rule.weekdays = list(value, weekday)?,
                "BYMONTHDAY" => rule.days = list(value, |day| day.parse().ok())?,
                "BYHOUR" => rule.hour = Some(number(value, 0..=23)?),
                "BYMINUTE" => rule.minute = Some(number(value, 0..=59)?),
                "BYSECOND" => rule.second = Some(number(value, 0..=59)?),
                // Weeks are of no account where no part counts them.
                "WKST" => {}
                _ => return None,
            }
        }
        // Without a month, days are counted from the year's ends.
        let of_month = rule.month.is_some() || (rule.weekdays.is_empty() && rule.days.is_empty());
        (yearly && of_month).then_some(rule)
    }

    /// The onsets within `years` of an observance that begins at `start`, on clocks `offset` seconds ahead of UTC. `None`
    /// if they are too many, or counted from before these years.
    pub(super) fn expand(
        &self,
        start: NaiveDateTime,
        offset: i32,
        years: RangeInclusive<i32>,
    ) -> Option<Vec<NaiveDateTime>> {
        let interval = i32::try_from(self.interval.unwrap_or(1)).ok()?;
        // Outlook's begin in 1601, and go on to this day; to count from there would cost more than it is worth.
        let missed = (years.start() - start.year()).max(0);
        if missed > 0 && self.count.is_some() {
            return None;
        }
        let first = start.year() + missed / interval * interval;
        let steps = (first..=*years.end()).step_by(usize::try_from(interval).ok()?);
        let time = self.time(start.time())?;
        let mut onsets = Vec::new();
        for date in steps.flat_map(|year| self.days_in(year, start.date())) {
            let onset = date.and_time(time);
            if onset < start {
                continue;
            }
            let all = self.count.is_some_and(|count| onsets.len() >= count as usize);
            if all || self.ended(onset, offset) {
                break;
            }
            onsets.push(onset);
            if onsets.len() > INSTANCES {
                return None;
            }
        }
        Some(onsets)
    }

    fn time(&self, start: NaiveTime) -> Option<NaiveTime> {
        let hour = self.hour.unwrap_or(start.hour());
        NaiveTime::from_hms_opt(hour, self.minute.unwrap_or(start.minute()), self.second.unwrap_or(start.second()))
    }

    fn ended(&self, onset: NaiveDateTime, offset: i32) -> bool {
        let Some(until) = &self.until else { return false };
        match until.form {
            // As the RFC wants it; local times are seen too.
            Form::Utc => onset - Duration::seconds(offset.into()) > until.local,
            Form::Date => onset.date() > until.local.date(),
            _ => onset > until.local,
        }
    }

    /// Its days in `year`. On numbers: this runs for every year of every rule.
    fn days_in(&self, year: i32, start: NaiveDate) -> impl Iterator<Item = NaiveDate> {
        let first = NaiveDate::from_ymd_opt(year, self.month.unwrap_or(start.month()), 1).unwrap_or_default();
        let (length, weekday) = (i32::from(first.num_days_in_month()), first.weekday());
        let plain = self.weekdays.is_empty() && self.days.is_empty();
        let days = (1..=length).filter(move |day| {
            let from_end = length - day + 1;
            let of_week = (weekday.num_days_from_monday().cast_signed() + day - 1) % 7;
            let nth = [0, (day - 1) / 7 + 1, -((from_end - 1) / 7 + 1)];
            let on = |(n, weekday): &(i32, i32)| *weekday == of_week && nth.contains(n);
            (!plain || *day == start.day().cast_signed())
                && (self.weekdays.is_empty() || self.weekdays.iter().any(on))
                && (self.days.is_empty() || self.days.contains(day) || self.days.contains(&-from_end))
        });
        days.filter_map(move |day| first.with_day(day.cast_unsigned()))
    }
}

fn number(value: &str, allowed: RangeInclusive<u32>) -> Option<u32> {
    value.parse().ok().filter(|number| allowed.contains(number))
}

/// More than a week of days is no zone's rule.
fn list<T>(value: &str, item: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    let items: Vec<_> = value.split(',').take(8).map(item).collect::<Option<_>>()?;
    (items.len() < 8).then_some(items)
}

fn weekday(text: &str) -> Option<(i32, i32)> {
    let (nth, day) = text.split_at_checked(text.len().checked_sub(2)?)?;
    let day = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"].into_iter().zip(0..).find(|(name, _)| *name == day)?.1;
    let nth = if nth.is_empty() { 0 } else { nth.parse().ok().filter(|nth: &i32| matches!(nth.abs(), 1..=5))? };
    Some((nth, day))
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use proptest::prelude::*;

    use super::*;

    fn read(rule: &str, start: &str) -> Option<Vec<String>> {
        let start = NaiveDateTime::parse_from_str(start, "%Y%m%dT%H%M%S").unwrap();
        let onsets = Yearly::parse(rule.as_bytes())?.expand(start, 3600, 1900..=2100)?;
        Some(onsets.iter().map(|onset| onset.format("%Y%m%dT%H%M%S").to_string()).collect())
    }

    #[test]
    fn an_end_is_kept_to_in_utc_local_time_and_days() {
        let rule = "FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU";
        for until in ["20270328T010000Z", "20270328T020000", "20270328"] {
            let onsets = read(&format!("{rule};UNTIL={until}"), "20260329T020000").unwrap();
            assert_eq!(onsets, ["20260329T020000", "20270328T020000"], "{until}");
        }
        assert_eq!(read(&format!("{rule};UNTIL=20270328T005959Z"), "20260329T020000").unwrap().len(), 1);
    }

    #[test]
    fn rules_that_no_zone_has_are_not_followed() {
        let rules = [
            "FREQ=SECONDLY",
            "FREQ=MONTHLY;BYDAY=1SU",
            "FREQ=YEARLY;BYDAY=1SU",
            "FREQ=YEARLY;BYMONTH=3,4;BYDAY=1SU",
            "FREQ=YEARLY;INTERVAL=0",
            "FREQ=YEARLY;BYSETPOS=1;BYMONTH=3",
            "BYMONTH=3",
            "",
            "FREQ",
        ];
        for rule in rules {
            assert!(Yearly::parse(rule.as_bytes()).is_none(), "{rule}");
        }
        assert_eq!(read("FREQ=YEARLY;BYMONTH=3;BYDAY=MO,TU,WE,TH,FR,SA,SU", "19700101T000000"), None);
        assert_eq!(read("FREQ=YEARLY;BYMONTH=3;BYDAY=1SU;COUNT=9", "16010101T000000"), None);
        assert_eq!(read("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "19700101T000000"), Some(vec![]));
    }

    proptest! {
        #[test]
        fn a_general_engine_finds_the_same_onsets(
            day in prop::sample::select(vec!["1SU", "2SU", "-1SU", "-2FR", "5SA", "TH"]),
            days in prop::sample::select(vec!["", ";BYMONTHDAY=2,3,4,5,6,7,8", ";BYMONTHDAY=-7,-6,-5,-4,-3,-2,-1"]),
            end in prop::sample::select(vec!["", ";COUNT=20"]),
            (month, interval, year) in (1u32..=12, 1u32..4, 1960i32..2030),
        ) {
            // Every Thursday of a month for more than a century is more than is read.
            prop_assume!(day != "TH" || year > 1985);
            let rule = format!("FREQ=YEARLY;INTERVAL={interval};BYMONTH={month};BYDAY={day}{days}{end}");
            let start = NaiveDate::from_ymd_opt(year, 6, 15).unwrap().and_hms_opt(2, 0, 0).unwrap();
            let ours = Yearly::parse(rule.as_bytes()).unwrap().expand(start, 0, 1900..=2100).unwrap();
            let engine: icalendar::UnvalidatedRRule = rule.parse().unwrap();
            let begin = icalendar::Tz::UTC.from_utc_datetime(&start);
            let theirs = engine.build(begin).unwrap().all(600).dates;
            let theirs = theirs.into_iter().map(|date| date.naive_utc()).filter(|date| date.year() <= 2100);
            prop_assert_eq!(ours, theirs.collect::<Vec<_>>());
        }
    }
}
