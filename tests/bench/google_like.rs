//! A calendar in the manner of Google's secret address, of any size: `cargo run --example google_like -- 20000`.
//!
//! Every fourth event is a weekly series with exceptions, every third has a Zoom block in two languages, attendees are
//! folded as Google folds them, and `DTSTAMP` is the time of the request on every event.

use std::fmt::Write;

/// `events` events, made for a request at `stamp` (`20261122T070312Z`). About 950 bytes an event.
pub(crate) fn google_like(events: usize, stamp: &str) -> Vec<u8> {
    let mut out = String::with_capacity(events * 1000 + 2000);
    out.push_str(HEAD);
    for index in 0..events {
        event(&mut out, index, stamp);
    }
    out.push_str("END:VCALENDAR\r\n");
    out.into_bytes()
}

const HEAD: &str = "BEGIN:VCALENDAR\r\nPRODID:-//Google Inc//Google Calendar 70.9054//EN\r\nVERSION:2.0\r\n\
CALSCALE:GREGORIAN\r\nMETHOD:PUBLISH\r\nX-WR-CALNAME:lin.demo@example.com\r\nX-WR-TIMEZONE:Asia/Shanghai\r\n\
BEGIN:VTIMEZONE\r\nTZID:Asia/Shanghai\r\nX-LIC-LOCATION:Asia/Shanghai\r\nBEGIN:STANDARD\r\nTZOFFSETFROM:+0800\r\n\
TZOFFSETTO:+0800\r\nTZNAME:CST\r\nDTSTART:19700101T000000\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n";

fn event(out: &mut String, index: usize, stamp: &str) {
    let (year, month, day, hour) = (2024 + index % 4, 1 + index / 4 % 12, 1 + index % 28, index % 24);
    let date = format!("{year}{month:02}{day:02}");
    out.push_str("BEGIN:VEVENT\r\n");
    if index.is_multiple_of(4) {
        let _ = write!(
            out,
            "DTSTART;TZID=Asia/Shanghai:{date}T{hour:02}3000\r\nDTEND;TZID=Asia/Shanghai:{date}T{hour:02}5500\r\n\
             RRULE:FREQ=WEEKLY;BYDAY=FR,MO,WE\r\nEXDATE;TZID=Asia/Shanghai:{date}T{hour:02}3000\r\n"
        );
    } else {
        let _ = write!(out, "DTSTART:{date}T{hour:02}0000Z\r\nDTEND:{date}T{hour:02}4500Z\r\n");
    }
    let _ = write!(
        out,
        "DTSTAMP:{stamp}\r\nORGANIZER;CN=Mara Ellison:mailto:mara.ellison@example.com\r\n\
         UID:{:026x}@google.com\r\n",
        (index as u128 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
    );
    for guest in 0..2 + index % 2 {
        line(
            out,
            &format!(
                "ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED;CN=Guest {guest} \
             of {index};X-NUM-GUESTS=0:mailto:guest{guest}.of{index}@example.com"
            ),
        );
    }
    let _ = write!(out, "CREATED:{date}T010000Z\r\n");
    let id = 80_000_000_000 + index;
    if index.is_multiple_of(3) {
        line(
            out,
            &format!(
                "DESCRIPTION:──────────\\n\\n林演示 邀请您参加预先安排的 Zoom 会议。\\n\\n加入 Zoom 会议\\n\
             https://us06web.zoom.us/j/{id}?pwd=ZyXwVuTsRqPoNmLkJiHgFeDcBa{index}.1\\n\\n会议号: {id}\\n\
             密码: 118822\\n\\n---\\n\\n手机一键拨号\\n+862100000000\\,\\,{id}#\\,\\,\\,\\,*118822# 中国\\n\\n──────────"
            ),
        );
    } else {
        line(
            out,
            &format!("DESCRIPTION:Weekly critique {index}\\, bring <i>one</i> screen\\; notes are in the document."),
        );
    }
    let _ = write!(out, "LAST-MODIFIED:{date}T094501Z\r\n");
    line(out, &format!("LOCATION:https://us06web.zoom.us/j/{id}?pwd=ZyXwVuTsRqPoNmLkJiHgFeDcBa{index}.1"));
    let _ = write!(out, "SEQUENCE:{}\r\nSTATUS:CONFIRMED\r\n", index % 5);
    line(out, &format!("SUMMARY:🚀 每日站会 {index} — roadmap review"));
    out.push_str("TRANSP:OPAQUE\r\nEND:VEVENT\r\n");
}

/// Folds as Google does: 75 octets a physical line.
fn line(out: &mut String, text: &str) {
    let mut room = 75;
    for char in text.chars() {
        if char.len_utf8() > room {
            out.push_str("\r\n ");
            room = 74;
        }
        out.push(char);
        room -= char.len_utf8();
    }
    out.push_str("\r\n");
}
