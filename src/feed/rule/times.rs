//! Moving an event in time, and saying in which zone its floating times are: on the lines as they are written, so that
//! what a time is (a date, floating, in a zone) stays what it is.

use chrono::{Datelike, Duration};
use chrono_tz::Tz;

use crate::calendar::{ContentLine, Form, Moment, Zone};

/// How times move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// By so much.
    pub shift: Duration,
    /// By that its days move by so many: rules that name weekdays follow.
    pub days: i64,
    /// By the clocks of this zone, also what is written in UTC: across a change of clocks that is another instant.
    pub clocks: Option<Tz>,
    /// Floating times are those of this zone.
    pub pin: Option<Tz>,
}

impl Default for Times {
    fn default() -> Self {
        Self { shift: Duration::zero(), days: 0, clocks: None, pin: None }
    }
}

const WEEK: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

impl Times {
    /// The line with its times moved, not folded.
    pub fn apply(&self, line: &ContentLine<'_>) -> Vec<u8> {
        let tzid = line.parameter("TZID").map(|tzid| String::from_utf8_lossy(tzid).into_owned());
        let mut pinned = false;
        let values: Vec<_> = line
            .value()
            .split(|byte| *byte == b',')
            .map(|value| {
                let ends: Vec<_> = value
                    .split(|byte| *byte == b'/')
                    .map(|end| {
                        let Some(mut moment) = Moment::parse(end, tzid.clone().map(Into::into)) else {
                            return end.to_vec();
                        };
                        pinned |= self.pin.is_some() && moment.form == Form::Floating;
                        self.shift(&mut moment);
                        moment.written().into_bytes()
                    })
                    .collect();
                ends.join(&b'/')
            })
            .collect();
        let zone = self.pin.filter(|_| pinned).map(|zone| format!(";TZID={}", zone.name())).unwrap_or_default();
        [line.head(), zone.as_bytes(), b":", &values.join(&b',')].concat()
    }

    /// A day moves by whole days only.
    fn shift(&self, moment: &mut Moment<'_>) {
        let by = if moment.is_date() { Duration::days(self.shift.num_days()) } else { self.shift };
        if !moment.is_date() || by == self.shift {
            let clocks = self.clocks.filter(|_| moment.form == Form::Utc).map(Zone::Iana);
            let moved = match &clocks {
                Some(zone) => zone.to_local(moment.local).and_then(|local| zone.to_utc(local.checked_add_signed(by)?)),
                None => moment.local.checked_add_signed(by),
            };
            // A year of five digits cannot be written.
            moment.local = moved.filter(|moved| (0..=9999).contains(&moved.year())).unwrap_or(moment.local);
        }
    }

    /// How an event moves that starts at `start` and recurs by `rules`; not at all if its rules could not follow, because
    /// they name days of the month or hours of the day.
    #[must_use]
    pub fn of_series(self, start: &Moment<'_>, clocks: Option<Tz>, rules: &[ContentLine<'_>]) -> Self {
        let mut moved = start.clone();
        self.shift(&mut moved);
        let days = (moved.local.date() - start.local.date()).num_days();
        let shift = if self.suits(days, rules) { self.shift } else { Duration::zero() };
        // Only a rule needs to know.
        let days = if rules.is_empty() || shift.is_zero() { 0 } else { days };
        Self { shift, days, clocks: clocks.filter(|_| !shift.is_zero()), ..self }
    }

    fn suits(&self, days: i64, rules: &[ContentLine<'_>]) -> bool {
        let same_day = days == 0;
        rules.iter().all(|rule| {
            let rule = rule.text().to_ascii_uppercase();
            let parts: Vec<_> = rule.split(';').filter_map(|part| part.split_once('=')).collect();
            let has = |name: &str| parts.iter().any(|(known, _)| *known == name);
            if ["BYHOUR", "BYMINUTE", "BYSECOND", "RSCALE"].into_iter().any(has) {
                return self.shift.is_zero();
            }
            let plain_days = |value: &str| value.split(',').all(|day| WEEK.contains(&day));
            same_day
                || parts.iter().all(|(name, value)| match *name {
                    "FREQ" => matches!(*value, "DAILY" | "WEEKLY"),
                    "BYDAY" => has("FREQ") && rule.contains("FREQ=WEEKLY") && plain_days(value),
                    "INTERVAL" | "COUNT" | "UNTIL" | "WKST" => true,
                    _ => false,
                })
        })
    }
}

/// The RRULE line as it reads when its series moves by `times`, and ends at `until` if that is given.
pub(super) fn moved_rule(line: &ContentLine<'_>, times: &Times, until: Option<&str>) -> Vec<u8> {
    let text = line.text();
    let mut parts = Vec::new();
    for part in text.split(';') {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        match name.to_ascii_uppercase().as_str() {
            "COUNT" | "UNTIL" if until.is_some() => {}
            "UNTIL" => parts.push(format!("UNTIL={}", moved_until(value, times))),
            // The week begins as much later as its days, or every other week would be another one.
            "BYDAY" | "WKST" if times.days != 0 => {
                let days: Vec<_> = value.split(',').map(|day| weekday_later(day, times.days)).collect();
                parts.push(format!("{name}={}", days.join(",")));
            }
            _ => parts.push(part.to_owned()),
        }
    }
    if let Some(until) = until {
        parts.push(format!("UNTIL={}", moved_until(until, times)));
    }
    let upper = text.to_ascii_uppercase();
    if times.days != 0 && upper.contains("INTERVAL=") && !upper.contains("WKST=") {
        parts.push(format!("WKST={}", weekday_later("MO", times.days)));
    }
    [line.head(), b":", parts.join(";").as_bytes()].concat()
}

fn moved_until(value: &str, times: &Times) -> String {
    let Some(mut until) = Moment::parse(value.as_bytes(), None) else { return value.to_owned() };
    times.shift(&mut until);
    // UNTIL is in UTC where the start has a zone (RFC 5545 §3.3.10).
    if let (Form::Floating, Some(zone)) = (&until.form, times.pin)
        && let Some(utc) = Zone::Iana(zone).to_utc(until.local)
    {
        until = Moment { local: utc, form: Form::Utc };
    }
    until.written()
}

/// The EXDATE line for the instance that `recurrence_id` names: of the same value type and in the same zone.
pub(super) fn exdate(recurrence_id: &ContentLine<'_>) -> ContentLine<'static> {
    let mut head = b"EXDATE".to_vec();
    for (name, value) in recurrence_id.parameters() {
        if name.eq_ignore_ascii_case(b"TZID") || name.eq_ignore_ascii_case(b"VALUE") {
            head.extend_from_slice(&[b";", name, b"=", value].concat());
        }
    }
    ContentLine::new(&head, recurrence_id.value())
}

/// A weekday as many days later.
fn weekday_later(day: &str, days: i64) -> &'static str {
    let at = WEEK.iter().position(|known| known.eq_ignore_ascii_case(day)).unwrap_or_default();
    let later = (i64::try_from(at).unwrap_or_default() + days).rem_euclid(7);
    WEEK.get(usize::try_from(later).unwrap_or_default()).copied().unwrap_or("MO")
}
