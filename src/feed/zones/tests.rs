//! What unifying zones changes, and what it leaves alone.

use proptest::prelude::*;

use super::*;
use crate::calendar::Limits;

const OUTLOOK_BERLIN: &str = "BEGIN:VTIMEZONE\r\nTZID:W. Europe Standard Time\r\nBEGIN:STANDARD\r\n\
    DTSTART:16010101T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\n\
    RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10\r\nEND:STANDARD\r\nBEGIN:DAYLIGHT\r\n\
    DTSTART:16010101T020000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n\
    RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\n";

/// A zone that has shown one offset ever since.
fn fixed(tzid: &str, offset: &str) -> String {
    format!(
        "BEGIN:VTIMEZONE\r\nTZID:{tzid}\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:{offset}\r\n\
         TZOFFSETTO:{offset}\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
    )
}

fn event(lines: &str) -> String {
    format!("BEGIN:VEVENT\r\nUID:1@example.com\r\n{lines}END:VEVENT\r\n")
}

fn calendar(inner: &[&str]) -> String {
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{}END:VCALENDAR\r\n", inner.concat())
}

fn unify(texts: &[&str], names: ZoneNames) -> Vec<Option<String>> {
    let calendars: Vec<_> =
        texts.iter().map(|text| Calendar::scan(text.as_bytes(), &Limits::default()).unwrap()).collect();
    let unified = unify_zones(&calendars.iter().collect::<Vec<_>>(), names);
    unified.into_iter().map(|text| text.map(|text| String::from_utf8(text).unwrap())).collect()
}

fn unify_one(text: &str) -> Option<String> {
    unify(&[text], ZoneNames::Iana).remove(0)
}

/// Everything outside VTIMEZONEs, and the names of these.
fn parts(text: &str) -> (String, Vec<&str>) {
    let mut inside = false;
    let (mut rest, mut declared) = (String::new(), Vec::new());
    for line in text.split_inclusive("\r\n") {
        inside |= line == "BEGIN:VTIMEZONE\r\n";
        if !inside {
            rest.push_str(line);
        } else if let Some(tzid) = line.strip_prefix("TZID:") {
            declared.push(tzid.trim_end());
        }
        inside &= line != "END:VTIMEZONE\r\n";
    }
    (rest, declared)
}

#[test]
fn windows_names_become_iana_names_wherever_they_are_used() {
    let users = "DTSTART;TZID=\"W. Europe Standard Time\":20261005T090000\r\n\
        DTEND;TZID=W. Europe Standard Time;X-A=\"TZID=W. Europe Standard Time:\":20261005T093000\r\n\
        EXDATE;X-B=1;tzid=W. Europe Standard Time:20261026T090000,20261228T090000\r\n\
        X-THING;TZID=W. Europe Stan\r\n dard Time 1:20261026T090000\r\n\
        RECURRENCE-ID;TZID=W. Europe Standard Time:20261123T090000\r\n\
        DESCRIPTION:DTSTART;TZID=W. Europe Standard Time:20261005T090000\r\n";
    let text = calendar(&[OUTLOOK_BERLIN, &event(users)]);
    let unified = unify_one(&text).unwrap();
    let (rest, declared) = parts(&unified);
    let expected = "DTSTART;TZID=Europe/Berlin:20261005T090000\r\n\
        DTEND;TZID=Europe/Berlin;X-A=\"TZID=W. Europe Standard Time:\":20261005T09300\r\n 0\r\n\
        EXDATE;X-B=1;tzid=Europe/Berlin:20261026T090000,20261228T090000\r\n\
        X-THING;TZID=Europe/Berlin:20261026T090000\r\n\
        RECURRENCE-ID;TZID=Europe/Berlin:20261123T090000\r\n\
        DESCRIPTION:DTSTART;TZID=W. Europe Standard Time:20261005T090000\r\n";
    assert_eq!(rest, calendar(&[&event(expected)]));
    assert_eq!(declared, ["Europe/Berlin"]);
    assert_eq!(unify_one(&unified), None, "nothing is left to do");
}

#[test]
fn a_windows_zone_whose_declaration_disagrees_stays_as_it_is() {
    let user = event("DTSTART;TZID=W. Europe Standard Time:20261005T090000\r\n");
    let wrong = [
        fixed("W. Europe Standard Time", "+0300"),
        // Right until 2026, but the series goes on.
        OUTLOOK_BERLIN.replace("BYMONTH=3", "BYMONTH=3;UNTIL=20300101T000000Z"),
        OUTLOOK_BERLIN.replace("FREQ=YEARLY", "FREQ=SECONDLY"),
        OUTLOOK_BERLIN.replace("TZOFFSETTO:+0200", "TZOFFSETTO:two"),
    ];
    for declared in wrong {
        let repeats = event("DTSTART;TZID=W. Europe Standard Time:20261005T090000\r\nRRULE:FREQ=WEEKLY\r\n");
        assert_eq!(unify_one(&calendar(&[&declared, &user, &repeats])), None, "{declared}");
    }
}

#[test]
fn a_windows_name_gives_way_to_the_iana_name_that_is_declared_beside_it() {
    let users =
        event("DTSTART;TZID=China Standard Time:20261005T090000\r\nDTEND;TZID=Asia/Shanghai:20261005T093000\r\n");
    let text = calendar(&[&fixed("China Standard Time", "+0800"), &fixed("Asia/Shanghai", "+0800"), &users]);
    let expected =
        calendar(&[&fixed("Asia/Shanghai", "+0800"), &users.replace("China Standard Time", "Asia/Shanghai")]);
    assert_eq!(unify_one(&text), Some(expected));
    // But not to one that means something else.
    let text = calendar(&[&fixed("China Standard Time", "+0800"), &fixed("Asia/Shanghai", "+0900"), &users]);
    assert_eq!(unify_one(&text), None);
}

#[test]
fn what_is_used_but_not_declared_is_declared_before_the_first_component() {
    let users = "DTSTART;TZID=Asia/Shanghai:20261005T090000\r\nDTEND;TZID=Eastern Standard Time 1:20261005T093000\r\n\
        RDATE;TZID=/mozilla.org/20050126_1/Europe/Berlin:20261005T093000\r\nX-A;TZID=Customized Time Zone:20260101\r\n";
    let text = calendar(&["X-WR-CALNAME:Work\r\n", &event(users)]);
    let unified = unify_one(&text).unwrap();
    let (rest, declared) = parts(&unified);
    assert_eq!(declared, ["Asia/Shanghai", "/mozilla.org/20050126_1/Europe/Berlin", "America/New_York"]);
    assert_eq!(rest, text.replace("Eastern Standard Time 1", "America/New_York"));
    let head = unified.find("BEGIN:VTIMEZONE").unwrap();
    assert!(unified.find("X-WR-CALNAME").unwrap() < head && head < unified.find("BEGIN:VEVENT").unwrap());
}

#[test]
fn declared_iana_names_and_customized_zones_are_left_alone() {
    let users = "DTSTART;TZID=\"Asia/Shanghai\":20261005T090000\r\nDTEND;TZID=Customized Time Zone:20261005T093000\r\n";
    let zones = [fixed("Asia/Shanghai", "+0800"), fixed("Customized Time Zone", "+0545")].concat();
    assert_eq!(unify_one(&calendar(&[&zones, &event(users)])), None);
    assert_eq!(unify_one(&calendar(&[&event("DTSTART:20261005T090000Z\r\n")])), None);
}

#[test]
fn one_name_for_two_zones_becomes_two_names() {
    let user = event("DTSTART;TZID=Customized Time Zone:20261005T090000\r\n");
    let taken = event("DTSTART;TZID=Customized Time Zone 2:20261005T090000\r\n");
    let first = calendar(&[&fixed("Customized Time Zone", "+0200"), &user]);
    let same = calendar(&[&fixed("Customized Time Zone", "+0200").replace("1970", "1601"), &user]);
    let other = calendar(&[&fixed("Customized Time Zone", "+0300"), &user, &taken]);
    for names in [ZoneNames::Keep, ZoneNames::Iana] {
        let unified = unify(&[&first, &same, &other], names);
        let renamed = other.replace("Customized Time Zone\r", "Customized Time Zone 3\r");
        let renamed = renamed.replace("Customized Time Zone:", "Customized Time Zone 3:");
        assert_eq!(unified, [None, None, Some(renamed)]);
    }
}

#[test]
fn keeping_names_adds_no_declarations() {
    let undeclared = calendar(&[&event("DTSTART;TZID=China Standard Time:20261005T090000\r\n")]);
    assert_eq!(unify(&[&undeclared, &undeclared], ZoneNames::Keep), [None, None]);
}

#[test]
fn what_nobody_understands_is_the_same_only_if_it_reads_the_same() {
    let odd = |offset: &str| fixed("X", offset).replace("END:STANDARD", "RRULE:FREQ=HOURLY\r\nEND:STANDARD");
    let user = event("DTSTART;TZID=X:20261005T090000\r\n");
    let [one, two] = ["+0100", "+0200"].map(|offset| calendar(&[&odd(offset), &user]));
    assert_eq!(unify(&[&one, &one], ZoneNames::Iana), [None, None]);
    let renamed = two.replace("TZID:X", "TZID:X 2").replace("TZID=X", "TZID=X 2");
    assert_eq!(unify(&[&one, &two], ZoneNames::Iana), [None, Some(renamed)]);
}

#[test]
fn a_zone_that_is_written_for_an_earlier_calendar_is_told_apart_from_a_later_declaration() {
    let user = event("DTSTART;TZID=Asia/Shanghai:20261005T090000\r\n");
    let texts = [calendar(&[&user]), calendar(&[&fixed("Asia/Shanghai", "+0900"), &user])];
    let unified = unify(&[&texts[0], &texts[1]], ZoneNames::Iana);
    assert_eq!(parts(unified[0].as_ref().unwrap()).1, ["Asia/Shanghai"]);
    assert_eq!(parts(unified[1].as_ref().unwrap()).1, ["Asia/Shanghai 2"]);
}

#[test]
fn each_calendar_of_a_text_gets_the_declarations_that_it_uses() {
    let one = calendar(&[&event("DTSTART;TZID=Asia/Shanghai:20261005T090000\r\n")]);
    let unified = unify_one(&[one.as_str(), &one].concat()).unwrap();
    let expected = unify_one(&one).unwrap();
    assert_eq!(unified, [expected.as_str(), &expected].concat());
}

#[test]
fn names_that_need_quotes_get_them_and_are_found_escaped_or_not() {
    let user = event("DTSTART;TZID=\"(UTC+01:00) Here, there\":20261005T090000\r\n");
    let [one, two] = ["+0100", "+0200"].map(|offset| calendar(&[&fixed("(UTC+01:00) Here\\, there", offset), &user]));
    let unified = unify(&[&one, &two], ZoneNames::Iana).pop().flatten().unwrap();
    assert!(unified.contains("TZID:(UTC+01:00) Here\\, there 2\r\n"));
    assert!(unified.contains("DTSTART;TZID=\"(UTC+01:00) Here, there 2\":20261005T090000\r\n"));
}

proptest! {
    #[test]
    fn nothing_that_stands_in_a_calendar_makes_it_fail(
        lines in prop::collection::vec("(DTSTART|X-A|RRULE|RDATE|TZID|TZOFFSETTO|TZOFFSETFROM)[;:](TZID=)?[ -~]{0,24}:?[0-9TZ]{0,16}", 0..12),
        zone in prop::sample::select(vec!["", "W. Europe Standard Time", "Europe/Berlin", "X"]),
    ) {
        let inside = format!(
            "BEGIN:VTIMEZONE\r\nTZID:{zone}\r\nBEGIN:STANDARD\r\n{}\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n",
            lines.join("\r\n")
        );
        let user = event(&format!("{}\r\nDTSTART;TZID={zone}:20261005T090000\r\n", lines.join("\r\n")));
        let text = calendar(&[&inside, &user]);
        prop_assume!(Calendar::scan(text.as_bytes(), &Limits::default()).is_ok());
        for unified in unify(&[&text, &text.replace("2026", "2025")], ZoneNames::Iana).into_iter().flatten() {
            prop_assert!(Calendar::scan(unified.as_bytes(), &Limits::default()).is_ok());
        }
    }
}
