//! Calendars to look at.

use calferry::clock::{Clock, Timestamp};
use chrono::{Days, NaiveDate};

pub(crate) const NAME: &str = "林伟 · Work";
pub(crate) const EVIL: &str = "</title></script><script>window.hurt=1</script><img src=//evil.example/x onerror=window.hurt=1>\" onclick=\"window.hurt=1";
/// For what may have a hundred letters.
pub(crate) const EVIL_RULE: &str = "</style><script>window.hurt=1</script><img src=x onerror=window.hurt=1>";

/// The day it is in Shanghai, whose clocks the browser has.
fn today() -> NaiveDate {
    Timestamp::from_secs(Clock::System.now().as_secs() + 8 * 3600).date()
}

/// One with an event of every kind around today.
pub(crate) fn usual() -> String {
    let (today, zoned, whole) = (today(), "DTSTART;TZID=Asia/Shanghai:", "DTSTART;VALUE=DATE:");
    let day = |later: u64| (today + Days::new(later)).format("%Y%m%d");
    let begun = (today - Days::new(20)).format("%Y%m%d");
    let (long, place, words) = ("long".repeat(40), "where".repeat(40), "what".repeat(200));
    let events = [
        format!(
            "SUMMARY:Stand-up|{zoned}{begun}T093000|DURATION:PT15M|RRULE:FREQ=DAILY|LOCATION:https://us02web.zoom.us/j/8123?pwd=abc|\
             DESCRIPTION:Short round.\\nEverybody says what is next."
        ),
        format!(
            "SUMMARY:设计评审|{zoned}{}T150000|DURATION:PT1H|LOCATION:上海市静安区南京西路 1266 号 12 楼|\
             DESCRIPTION:会议链接 https://meeting.tencent.com/dm/AbCdEfGh",
            day(0)
        ),
        format!("SUMMARY:Trip to Hangzhou|{whole}{}|DTEND;VALUE=DATE:{}|LOCATION:Hangzhou", day(1), day(4)),
        format!(
            "SUMMARY:Dinner|{zoned}{}T190000|DURATION:PT2H30M|URL:https://example.com/menu|LOCATION:Lost Heaven\\, 38 Gaoyou Rd",
            day(2)
        ),
        format!("SUMMARY:Dentist|{zoned}{}T083000|DURATION:PT45M|STATUS:CANCELLED", day(5)),
        format!("SUMMARY:Night train|{zoned}{}T214500|DURATION:PT9H35M", day(6)),
        format!("SUMMARY:{long}|{zoned}{}T100000|LOCATION:{place}|DESCRIPTION:{words}", day(7)),
        format!(
            "SUMMARY:{EVIL}|LOCATION:{EVIL}|DESCRIPTION:{EVIL}|URL:javascript:window.hurt=1|{zoned}{}T120000|\
             X-GOOGLE-CONFERENCE:javascript:window.hurt=1",
            day(3)
        ),
    ];
    let head = format!("X-WR-CALNAME:{NAME}|X-WR-TIMEZONE:Asia/Shanghai|X-APPLE-CALENDAR-COLOR:#0B8043|");
    written(&head, &events)
}

/// One that says hostile things of itself.
pub(crate) fn hostile() -> String {
    let colour = "#0B8043\" onload=\"window.hurt=1";
    written(&format!("X-WR-CALNAME:{EVIL}|X-WR-TIMEZONE:{EVIL}|X-APPLE-CALENDAR-COLOR:{colour}|"), &[])
}

/// One of `events` events.
pub(crate) fn plain(events: usize) -> String {
    let events: Vec<_> =
        (0..events).map(|number| format!("DTSTART:20991224T{number:02}0000Z|SUMMARY:{number}")).collect();
    written("", &events)
}

/// The file. What is given has `|` for its line ends.
fn written(head: &str, events: &[String]) -> String {
    let mut text = format!("BEGIN:VCALENDAR|VERSION:2.0|PRODID:-//test//EN|{head}");
    for (number, event) in events.iter().enumerate() {
        text.push_str(&format!("BEGIN:VEVENT|UID:{number}|{event}|END:VEVENT|"));
    }
    text.push_str("END:VCALENDAR|");
    text.replace('|', "\r\n")
}
