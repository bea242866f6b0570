//! Instances of events on the clocks of a zone.

use super::*;

const BERLIN: Tz = Tz::Europe__Berlin;

/// What of these events takes place in `days` days from `first` on Berlin's clocks, each as `start end title`.
fn listed_in(zone: Tz, first: &str, days: u16, events: &[&str]) -> Vec<String> {
    let agenda = read(&calendar(events), zone, first, days, Bounds::NONE);
    assert_eq!((agenda.more, agenda.unfollowed), (0, 0));
    let form = |at: NaiveDateTime| at.format("%m-%d %H:%M").to_string();
    agenda.instances.iter().map(|one| format!("{} {} {}", form(one.start), form(one.end), one.title)).collect()
}

fn listed(first: &str, days: u16, events: &[&str]) -> Vec<String> {
    listed_in(BERLIN, first, days, events)
}

fn read(text: &[u8], zone: Tz, first: &str, days: u16, bounds: Bounds) -> Agenda {
    Agenda::read(text, Window { first: first.parse().unwrap(), days, zone }, bounds).unwrap()
}

fn calendar(events: &[&str]) -> Vec<u8> {
    let events: Vec<_> = events.iter().map(|event| format!("BEGIN:VEVENT\n{event}\nEND:VEVENT\n")).collect();
    let head = "BEGIN:VCALENDAR\nVERSION:2.0\nX-WR-CALNAME:Work\\, mine\nX-WR-TIMEZONE:Asia/Shanghai\n\
                X-APPLE-CALENDAR-COLOR:#0B8043FF\n";
    format!("{head}{}END:VCALENDAR\n", events.concat()).replace('\n', "\r\n").into_bytes()
}

#[test]
fn a_calendar_says_what_it_is() {
    let heading = Heading::read(&calendar(&["DTSTART:20261124T090000Z\nX-WR-CALNAME:not this"]));
    let expected =
        Heading { name: Some("Work, mine".into()), zone: Some(Tz::Asia__Shanghai), colour: Some("#0b8043".into()) };
    assert_eq!(heading, expected);
    assert_eq!(Heading::read(&calendar(&[])), expected);
    let hostile =
        b"BEGIN:VCALENDAR\r\nX-APPLE-CALENDAR-COLOR:red\" onload=\"x\r\nX-WR-TIMEZONE:<b>\r\nEND:VCALENDAR\r\n";
    assert_eq!(Heading::read(hostile), Heading::default());
    assert_eq!(Heading::read(b"<html>"), Heading::default());
}

#[test]
fn a_series_keeps_its_time_when_the_clocks_change() {
    let weekly = "UID:a\nSUMMARY:Call\nDTSTART;TZID=Europe/Berlin:20261005T090000\nDURATION:PT30M\nRRULE:FREQ=WEEKLY";
    assert_eq!(listed("2026-10-19", 14, &[weekly]), ["10-19 09:00 10-19 09:30 Call", "10-26 09:00 10-26 09:30 Call"]);
    // Seen from where they do not change, it moves.
    assert_eq!(
        listed_in(Tz::Asia__Shanghai, "2026-10-19", 14, &[weekly]),
        ["10-19 15:00 10-19 15:30 Call", "10-26 16:00 10-26 16:30 Call"]
    );
}

#[test]
fn overrides_stand_in_the_place_of_instances_and_exclusions_leave_gaps() {
    let master = "UID:a\nSUMMARY:Call\nDTSTART;TZID=Europe/Berlin:20261123T090000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=6\n\
                  EXDATE;TZID=Europe/Berlin:20261125T090000\nEXDATE:20261126T080000Z";
    let moved = "UID:a\nSUMMARY:Moved\nRECURRENCE-ID:20261124T080000Z\nDTSTART;TZID=Europe/Berlin:20261124T140000\nDURATION:PT1H";
    let old = "UID:a\nSUMMARY:Old\nRECURRENCE-ID:20261127T080000Z\nDTSTART:20261127T100000Z\nSEQUENCE:1";
    let new = "UID:a\nSUMMARY:New\nRECURRENCE-ID:20261127T080000Z\nDTSTART:20261127T110000Z\nSEQUENCE:2";
    let expected = [
        "11-23 09:00 11-23 10:00 Call",
        "11-24 14:00 11-24 15:00 Moved",
        "11-27 12:00 11-27 12:00 New",
        "11-28 09:00 11-28 10:00 Call",
    ];
    assert_eq!(listed("2026-11-23", 14, &[master, moved, old, new]), expected);
    assert_eq!(listed("2026-11-24", 1, &[new, moved, master]), expected[1..2]);
    let orphan = "UID:b\nSUMMARY:Alone\nRECURRENCE-ID:20261124T080000Z\nDTSTART:20261124T090000Z";
    assert_eq!(listed("2026-11-24", 1, &[orphan]), ["11-24 10:00 11-24 10:00 Alone"]);
}

#[test]
fn an_override_moved_into_the_window_is_there_and_one_moved_out_is_not() {
    let master = "UID:a\nSUMMARY:Call\nDTSTART:20261101T090000Z\nRRULE:FREQ=MONTHLY";
    let moved = "UID:a\nSUMMARY:Moved\nRECURRENCE-ID:20261201T090000Z\nDTSTART:20261124T090000Z";
    assert_eq!(listed("2026-11-24", 1, &[master, moved]), ["11-24 10:00 11-24 10:00 Moved"]);
    assert!(listed("2026-12-01", 1, &[master, moved]).is_empty());
}

#[test]
fn this_and_all_that_follow_move_and_change() {
    let master = "UID:a\nSUMMARY:Old\nDTSTART:20261116T090000Z\nDURATION:PT1H\nRRULE:FREQ=WEEKLY";
    let later = "UID:a\nSUMMARY:New\nRECURRENCE-ID;RANGE=THISANDFUTURE:20261123T090000Z\nDTSTART:20261124T100000Z\nDURATION:PT2H";
    let expected = ["11-16 10:00 11-16 11:00 Old", "11-24 11:00 11-24 13:00 New", "12-01 11:00 12-01 13:00 New"];
    assert_eq!(listed("2026-11-16", 16, &[master, later]), expected);
    assert_eq!(listed("2026-12-01", 1, &[master, later]), expected[2..]);
}

#[test]
fn whole_days_are_the_same_on_all_clocks_and_so_are_floating_times_of_a_calendar_without_a_zone() {
    let days = "UID:a\nSUMMARY:Fair\nDTSTART;VALUE=DATE:20261122\nDTEND;VALUE=DATE:20261125";
    let day = "UID:b\nSUMMARY:Day\nDTSTART;VALUE=DATE:20261124";
    let floating = "UID:c\nSUMMARY:Lunch\nDTSTART:20261124T120000\nDURATION:PT1H";
    let at_noon = |text: &[u8], zone| {
        let agenda = read(text, zone, "2026-11-24", 1, Bounds::NONE);
        agenda
            .instances
            .iter()
            .map(|one| (one.title.clone(), one.start.format("%d %H").to_string()))
            .collect::<Vec<_>>()
    };
    let pair = |title: &str, start: &str| (title.to_owned(), start.to_owned());
    let own = calendar(&[floating, day, days]);
    let none = String::from_utf8(own.clone()).unwrap().replace("X-WR-TIMEZONE", "X-NO-TIMEZONE").into_bytes();
    for zone in [BERLIN, Tz::Pacific__Kiritimati, Tz::Pacific__Pago_Pago] {
        assert_eq!(at_noon(&none, zone), [pair("Fair", "22 00"), pair("Day", "24 00"), pair("Lunch", "24 12")]);
    }
    // Noon in Shanghai.
    assert_eq!(at_noon(&own, BERLIN), [pair("Fair", "22 00"), pair("Day", "24 00"), pair("Lunch", "24 05")]);
    assert!(listed("2026-11-25", 1, &[days, day]).is_empty(), "an end belongs to the day before");
}

#[test]
fn what_began_earlier_is_there_until_it_ends() {
    let long = "UID:a\nSUMMARY:Trip\nDTSTART:20261120T090000Z\nDTEND:20261125T170000Z";
    let weekly = "UID:b\nSUMMARY:Shift\nDTSTART:20261102T200000Z\nDURATION:P3D\nRRULE:FREQ=WEEKLY";
    let agenda = read(&calendar(&[long, weekly]), Tz::UTC, "2026-11-25", 1, Bounds::NONE);
    let days: Vec<_> = agenda.instances.iter().map(|one| (one.title.as_str(), one.days().0, one.days().1)).collect();
    let day = |day| NaiveDate::from_ymd_opt(2026, 11, day).unwrap();
    assert_eq!(days, [("Trip", day(20), day(25)), ("Shift", day(23), day(26))]);
}

#[test]
fn what_is_excluded_altogether_is_not_there() {
    let excluded = "UID:a\nSUMMARY:Gone\nDTSTART;TZID=Europe/Berlin:20261124T090000\nEXDATE:20261124T080000Z";
    assert!(listed("2026-11-24", 1, &[excluded]).is_empty());
    let other = "UID:a\nSUMMARY:There\nDTSTART;TZID=Europe/Berlin:20261124T090000\nEXDATE:20261124T090000Z";
    assert_eq!(listed("2026-11-24", 1, &[other]).len(), 1);
}

#[test]
fn bounds_hold_and_what_is_left_out_is_counted() {
    let events: Vec<_> = (0..50)
        .map(|at| {
            format!(
                "UID:{at}\nSUMMARY:Event {at}\nDTSTART:20261124T{:02}0000Z\nDESCRIPTION:{}",
                at % 20,
                "长".repeat(5_000)
            )
        })
        .collect();
    let events: Vec<_> = events.iter().map(String::as_str).collect();
    let text = calendar(&events);
    let of = |bounds| read(&text, Tz::UTC, "2026-11-24", 1, bounds);
    let few = of(Bounds { instances: 10, ..Bounds::NONE });
    assert_eq!((few.instances.len(), few.more), (10, 40));
    let small = of(Bounds { text: 10_000, notes: 1_000, ..Bounds::NONE });
    assert!(small.instances.len() == 9 && small.more == 41, "{} {}", small.instances.len(), small.more);
    assert!(small.instances[0].notes.ends_with('…') && small.instances[0].notes.len() < 1_010);
}

#[test]
fn only_web_addresses_and_meetings_become_links() {
    let addresses =
        ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "https://", "//example.com", "vbscript:x"];
    for address in addresses {
        let event = format!("UID:a\nDTSTART:20261124T090000Z\nURL:{address}\nLOCATION:{address}");
        let agenda = read(&calendar(&[&event]), Tz::UTC, "2026-11-24", 1, Bounds::NONE);
        assert_eq!((&agenda.instances[0].url, &agenda.instances[0].join), (&None, &None), "{address}");
    }
    let event = "UID:a\nDTSTART:20261124T090000Z\nURL:https://example.com/a\"b\nLOCATION:https://zoom.us/j/1?pwd=x\nDESCRIPTION:<b>Bold</b><br>text";
    let agenda = read(&calendar(&[event]), Tz::UTC, "2026-11-24", 1, Bounds::NONE);
    let one = &agenda.instances[0];
    assert_eq!(one.url.as_deref(), Some("https://example.com/a%22b"));
    assert_eq!((one.join.as_deref(), one.place.as_str()), (Some("https://zoom.us/j/1?pwd=x"), ""));
    assert_eq!(one.notes, "Bold\ntext");
}
