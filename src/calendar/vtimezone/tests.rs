//! Zones are written and read back, and held against the database and against what others write.

use chrono::{Duration, TimeZone};
use chrono_tz::TZ_VARIANTS;
use proptest::prelude::*;

use super::super::scan::Limits;
use super::super::spans::Calendar;
use super::*;

fn read(vtimezone: &str) -> Option<Declared> {
    let text = format!("BEGIN:VCALENDAR\r\n{vtimezone}END:VCALENDAR\r\n");
    let calendar = Calendar::scan(text.as_bytes(), &Limits::default()).unwrap();
    Declared::read(&calendar, 1)
}

fn text(tz: Tz, from: i32) -> String {
    String::from_utf8(vtimezone(tz, tz.name(), from)).unwrap()
}

fn time(text: &str) -> NaiveDateTime {
    NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%S").unwrap()
}

fn observance(name: &str, lines: &str) -> String {
    format!("BEGIN:{name}\r\n{lines}END:{name}\r\n")
}

fn zone(observances: &[String]) -> String {
    format!("BEGIN:VTIMEZONE\r\nTZID:X\r\n{}END:VTIMEZONE\r\n", observances.concat())
}

/// As Exchange writes Central Europe.
fn exchange() -> String {
    zone(&[
        observance(
            "STANDARD",
            "DTSTART:16010101T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\n\
             RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10\r\n",
        ),
        observance(
            "DAYLIGHT",
            "DTSTART:16010101T020000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n\
             RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3\r\n",
        ),
    ])
}

#[test]
fn every_zone_reads_back_as_the_database_has_it() {
    for tz in TZ_VARIANTS {
        let history = text(tz, 1970);
        assert!(read(&history).unwrap().agrees_with(tz, 1970..=2037), "{history}");
        // Once more without the code that looks for changes: every four or five days, at any hour.
        let text = text(tz, 2010);
        let declared = read(&text).unwrap();
        let mut at = midnight(2010, 1, 2);
        while at < midnight(2038, 1, 1) {
            let expected = tz.offset_from_utc_datetime(&at).fix().local_minus_utc();
            assert_eq!(declared.offset_at_utc(at), Some(expected), "{at}: {text}");
            at += Duration::seconds(388_885);
        }
    }
}

#[test]
fn local_times_that_are_shown_once_mean_what_the_database_says() {
    for tz in [Tz::Europe__Berlin, Tz::America__Sao_Paulo, Tz::Africa__Casablanca, Tz::Australia__Lord_Howe] {
        let declared = read(&text(tz, 1990)).unwrap();
        for step in 0..250_000 {
            let local = midnight(1990, 1, 2) + Duration::minutes(step * 101);
            if let Some(offset) = tz.offset_from_local_datetime(&local).single() {
                assert_eq!(declared.offset_at_local(local), Some(offset.fix().local_minus_utc()), "{tz} {local}");
            }
        }
    }
}

#[test]
fn a_zone_that_follows_one_rule_comes_out_as_google_writes_it() {
    // From a published Google calendar.
    let expected = "BEGIN:VTIMEZONE\r\nTZID:America/Los_Angeles\r\nX-LIC-LOCATION:America/Los_Angeles\r\n\
        BEGIN:DAYLIGHT\r\nTZOFFSETFROM:-0800\r\nTZOFFSETTO:-0700\r\nTZNAME:PDT\r\nDTSTART:19700308T020000\r\n\
        RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU\r\nEND:DAYLIGHT\r\nBEGIN:STANDARD\r\nTZOFFSETFROM:-0700\r\n\
        TZOFFSETTO:-0800\r\nTZNAME:PST\r\nDTSTART:19701101T020000\r\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU\r\n\
        END:STANDARD\r\nEND:VTIMEZONE\r\n";
    assert_eq!(text(Tz::America__Los_Angeles, 2024), expected);
    let expected = "BEGIN:VTIMEZONE\r\nTZID:Asia/Shanghai\r\nX-LIC-LOCATION:Asia/Shanghai\r\nBEGIN:STANDARD\r\n\
        TZOFFSETFROM:+0800\r\nTZOFFSETTO:+0800\r\nTZNAME:CST\r\nDTSTART:19700101T000000\r\nEND:STANDARD\r\n\
        END:VTIMEZONE\r\n";
    assert_eq!(text(Tz::Asia__Shanghai, 2024), expected);
}

#[test]
fn ambiguous_times_are_the_first_and_skipped_ones_as_if_nothing_had_been() {
    let declared = read(&exchange()).unwrap();
    let cases = [
        ("20260329T015959", 3600),
        ("20260329T023000", 3600),
        ("20260329T030000", 7200),
        ("20261025T015959", 7200),
        ("20261025T023000", 7200),
        ("20261025T030000", 3600),
    ];
    for (local, offset) in cases {
        assert_eq!(declared.offset_at_local(time(local)), Some(offset), "{local}");
    }
    assert_eq!(declared.offset_at_utc(time("20260329T005959")), Some(3600));
    assert_eq!(declared.offset_at_utc(time("20260329T010000")), Some(7200));
}

#[test]
fn what_others_declare_is_understood() {
    let berlin = read(&exchange()).unwrap();
    assert_eq!(berlin.tzid(), "X");
    assert!(berlin.agrees_with(Tz::Europe__Berlin, 1996..=2037));
    // Until 1995 summer ended in September.
    assert!(!berlin.agrees_with(Tz::Europe__Berlin, 1995..=2037));
    assert!(!berlin.agrees_with(Tz::Europe__London, 2020..=2020));
    // Exchange, of zones whose clocks never change.
    let equal = "DTSTART:16010101T000000\r\nTZOFFSETFROM:+0800\r\nTZOFFSETTO:+0800\r\n";
    let shanghai = read(&zone(&[observance("STANDARD", equal), observance("DAYLIGHT", equal)])).unwrap();
    assert!(shanghai.agrees_with(Tz::Asia__Shanghai, 1992..=2037));
    // iCloud, with the last years of summer time.
    let icloud = zone(&[
        observance(
            "STANDARD",
            "DTSTART:19890917T020000\r\nRRULE:FREQ=YEARLY;UNTIL=19910914T170000Z;BYMONTH=9;BYDAY=3SU\r\n\
             TZNAME:GMT+8\r\nTZOFFSETFROM:+0900\r\nTZOFFSETTO:+0800\r\n",
        ),
        observance(
            "DAYLIGHT",
            "DTSTART:19910414T020000\r\nRDATE:19910414T020000\r\nTZNAME:GMT+8\r\nTZOFFSETFROM:+0800\r\n\
             TZOFFSETTO:+0900\r\n",
        ),
    ]);
    let icloud = read(&icloud).unwrap();
    assert!(icloud.agrees_with(Tz::Asia__Shanghai, 1991..=2037));
    assert!(icloud.same_rules(&shanghai, 1992..=2037) && !icloud.same_rules(&shanghai, 1991..=2037));
}

#[test]
fn a_change_at_the_last_second_of_a_day_is_one_at_midnight() {
    let late = text(Tz::Africa__Cairo, 2024).replace("20241101T000000", "20241031T235959");
    assert!(read(&late).unwrap().agrees_with(Tz::Africa__Cairo, 2024..=2037));
    let later = text(Tz::Africa__Cairo, 2024).replace("20241101T000000", "20241031T233000");
    assert!(!read(&later).unwrap().agrees_with(Tz::Africa__Cairo, 2024..=2037));
}

#[test]
fn a_zone_with_anything_unclear_in_it_is_not_read() {
    let good = "DTSTART:20200101T000000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0100\r\n";
    assert!(read(&zone(&[observance("STANDARD", good)])).is_some());
    let unclear = [
        String::new(),
        observance("STANDARD", &good.replace("T000000", "T000000Z")),
        observance("STANDARD", &good.replace("TZOFFSETTO:+0100", "TZOFFSETTO:0100")),
        observance("STANDARD", &good.replace("TZOFFSETTO:+0100\r\n", "")),
        observance("STANDARD", &format!("{good}DTSTART:20210101T000000\r\n")),
        observance("STANDARD", &format!("{good}RRULE:FREQ=SECONDLY\r\n")),
        observance("STANDARD", &format!("{good}RDATE;VALUE=PERIOD:20200101T000000/P1D\r\nEXDATE:20200101T000000\r\n")),
        observance("STANDARD", good).repeat(300),
        observance("STANDARD", &format!("{good}RRULE:FREQ=YEARLY\r\n")).repeat(40),
    ];
    for observances in unclear {
        assert_eq!(read(&zone(std::slice::from_ref(&observances))), None, "{observances}");
    }
}

proptest! {
    #[test]
    fn a_tzid_is_one_property_whatever_stands_in_it(tzid in any::<String>(), from in any::<i32>()) {
        let text = String::from_utf8(vtimezone(Tz::Europe__Berlin, &tzid, from)).unwrap();
        let declared = read(&text).unwrap();
        prop_assert!(declared.agrees_with(Tz::Europe__Berlin, from.clamp(1970, 2037)..=2037));
        let plain = read(&self::text(Tz::Europe__Berlin, from)).unwrap();
        prop_assert!(declared.same_rules(&plain, 1900..=2100));
    }
}
