//! Instances where they are expected, and patience where it must end.

use chrono::{Days, Duration, TimeZone};
use icalendar::{RRuleSet, Tz, UnvalidatedRRule};
use proptest::prelude::*;

use super::super::{Calendar, Limits};
use super::*;

fn recurrence(rule: &str, more: &str) -> Result<Option<Recurrence>, NotUnderstood> {
    recurrence_from("20240229", rule, more)
}

fn recurrence_from(day: &str, rule: &str, more: &str) -> Result<Option<Recurrence>, NotUnderstood> {
    let text = format!(
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:a\r\nDTSTART:{day}T100000Z\r\nRRULE:{rule}\r\n{more}END:VEVENT\r\nEND:VCALENDAR\r\n"
    );
    let calendar = Calendar::scan(text.as_bytes(), &Limits::default()).unwrap();
    let master = calendar.entry_list().next().unwrap();
    let start = Moment::of(&master.content(Property::Dtstart).unwrap()).unwrap();
    Recurrence::of(&master, &start, &Zones::of(&calendar))
}

fn days(rule: &str, more: &str, from: &str, to: &str) -> Result<Vec<String>, NotUnderstood> {
    let day = |text: &str| Moment::parse(text.as_bytes(), None).unwrap().local;
    let starts = recurrence(rule, more)?.unwrap().starts(day(from), day(to), &mut Patience::default())?;
    Ok(starts.iter().map(|start| start.format("%Y%m%d").to_string()).collect())
}

#[test]
fn instances_are_found_far_from_the_start() {
    assert_eq!(days("FREQ=YEARLY", "", "20300101", "20370101").unwrap(), ["20320229", "20360229"]);
    assert_eq!(days("FREQ=DAILY;INTERVAL=100", "", "20991201", "21000102").unwrap(), ["21000101"]);
    assert_eq!(
        days("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;WKST=SU", "", "20260101", "20260120").unwrap(),
        ["20260111", "20260112"]
    );
    assert_eq!(
        days("FREQ=MONTHLY;BYDAY=-1FR", "EXDATE:20260130T100000Z\r\n", "20260101", "20260301").unwrap(),
        ["20260227"]
    );
    assert_eq!(
        days("FREQ=DAILY;COUNT=3", "RDATE:20260101T100000Z\r\n", "20240301", "20270101").unwrap(),
        ["20240301", "20240302", "20260101"]
    );
    assert_eq!(
        days("FREQ=DAILY;UNTIL=20240301T100000Z", "", "20240101", "20270101").unwrap(),
        ["20240229", "20240301"]
    );
}

#[test]
fn what_cannot_be_followed_soundly_is_not_followed() {
    for rule in [
        "RSCALE=CHINESE;FREQ=YEARLY",
        "FREQ=SECONDLY",
        "FREQ=HOURLY",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=x",
        "FREQ",
        "FREQ=DAILY;BYDAY=日",
        "FREQ=MONTHLY;BYDAY=-1S\u{fffd}",
        "",
        "FREQ=WEEKLY;FREQ=DAILY",
        "FREQ=WEEKLY;WKST=X",
        "FREQ=WEEKLY;COUNT=x",
        "FREQ=WEEKLY;X-MOON=FULL",
        "FREQ=YEARLY;BYHOUR=1,2,3,4,5;BYMINUTE=0,10,20,30,40,50;BYSECOND=0,30",
    ] {
        assert_eq!(days(rule, "", "20260101", "20260201"), Err(NotUnderstood), "{rule}");
    }
    let long = format!("FREQ=DAILY;BYMONTHDAY={}", vec!["1"; 1_000].join(","));
    assert_eq!(days(&long, "", "20260101", "20260201"), Err(NotUnderstood));
}

#[test]
fn a_calendar_full_of_rules_that_lead_nowhere_ends_the_patience_with_it() {
    let never =
        recurrence("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=2", "EXDATE:20240229T100000Z\r\n").unwrap().unwrap();
    let (from, to) = (never.start + Duration::days(300), never.start + Duration::days(400));
    let mut patience = Patience { fruitless: 2, ..Patience::default() };
    assert_eq!(never.occurs(from, to, &mut patience), Ok(false));
    assert_eq!(never.occurs(from, to, &mut patience), Ok(false));
    assert_eq!(never.occurs(from, to, &mut patience), Err(NotUnderstood));
    let counted = recurrence("FREQ=DAILY;BYHOUR=10;COUNT=15000", "").unwrap().unwrap();
    let far = counted.start + Duration::days(14_000);
    let mut patience = Patience { instances: 20_000, ..Patience::default() };
    assert_eq!(counted.occurs(far, far + Duration::days(1), &mut patience), Ok(true));
    assert_eq!(counted.occurs(far, far + Duration::days(1), &mut patience), Err(NotUnderstood));
}

/// The instances on the days from `from` on, by the reader of rules, which makes them one after the other.
fn read(day: NaiveDate, rule: &str, from: NaiveDateTime, to: NaiveDateTime) -> Vec<NaiveDateTime> {
    let start = Tz::UTC.from_utc_datetime(&day.and_hms_opt(10, 0, 0).unwrap());
    let rule = rule.parse::<UnvalidatedRRule>().unwrap().validate(start).unwrap();
    let instances = RRuleSet::new(start).rrule(rule).into_iter().map(|at| at.naive_utc());
    instances.skip_while(|at| *at < from).take_while(|at| *at < to).collect()
}

proptest! {
    #[test]
    fn what_is_counted_off_is_what_a_reader_of_rules_finds(
        start in 0u64..400,
        later in 0i64..1_500,
        interval in 1u32..9,
        weekdays in proptest::sample::subsequence(vec!["MO", "TU", "WE", "TH", "FR", "SA", "SU"], 0..=7).prop_shuffle(),
        daily in proptest::bool::weighted(0.2),
        week_start in proptest::option::of(proptest::sample::select(vec!["MO", "WE", "SU"])),
        count in proptest::option::of(1u32..300),
    ) {
        let start = NaiveDate::from_ymd_opt(2023, 11, 20).unwrap() + Days::new(start);
        let mut rule = format!("FREQ={};INTERVAL={interval}", if daily { "DAILY" } else { "WEEKLY" });
        if !daily && !weekdays.is_empty() {
            rule += &format!(";BYDAY={}", weekdays.join(","));
        }
        rule.extend(week_start.map(|day| format!(";WKST={day}")));
        rule.extend(count.map(|count| format!(";COUNT={count}")));
        let series = recurrence_from(&start.format("%Y%m%d").to_string(), &rule, "").unwrap().unwrap();
        let from = series.start + Duration::days(later - 20) + Duration::hours(1);
        let to = from + Duration::days(40);
        let mut found = series.starts(from, to, &mut Patience::default()).unwrap();
        let expected = read(start, &rule, from, to);
        // The series' own start is an instance even where the rule has none.
        found.retain(|at| *at != series.start || expected.contains(at));
        prop_assert_eq!(found, expected, "{} from {}", rule, start);
    }
}
