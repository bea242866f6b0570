//! Each limit, at the last text that it lets through and at the first that it does not.

use std::time::{Duration, Instant};

use super::*;

/// 7 lines, the longest of which is the folded one with 28 bytes and a loose end; 2 components inside one another; 3
/// properties, two of which are stamps.
const TEXT: &[u8] =
    b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:one\r\n two\n and three\r\nDTSTAMP:20260101T000000Z\r\n\
                      LAST-MODIFIED:20260101T000000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

fn refused(text: &[u8], limits: &Limits) -> Option<&'static str> {
    match Calendar::scan(text, limits) {
        Ok(_) => None,
        Err(Malformed::TooMuch { what, .. }) => Some(what),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn every_limit_is_met_and_none_is_passed() {
    type Set = fn(usize) -> Limits;
    let limits: [(Set, usize, &str); 6] = [
        (|size| Limits { size, ..Limits::NONE }, TEXT.len() + 1, "bytes"),
        (|lines| Limits { lines, ..Limits::NONE }, 7, "lines"),
        (|line| Limits { line, ..Limits::NONE }, 30, "bytes in one line"),
        (|depth| Limits { depth, ..Limits::NONE }, 2, "components inside one another"),
        (|components| Limits { components, ..Limits::NONE }, 2, "components"),
        (|properties| Limits { properties, ..Limits::NONE }, 3, "properties in one component"),
    ];
    for (set, most, what) in limits {
        assert_eq!(refused(TEXT, &set(most)), None, "{what}");
        assert_eq!(refused(TEXT, &set(most - 1)), Some(what), "{what}");
    }
}

#[test]
fn a_line_without_folds_has_the_same_limit() {
    let limits = Limits { line: 20, ..Limits::NONE };
    let text = |line: &str| format!("BEGIN:VCALENDAR\r\n{line}\r\nEND:VCALENDAR\r\n").into_bytes();
    assert_eq!(refused(&text(&format!("X-A:{}", "x".repeat(16))), &limits), None);
    assert_eq!(refused(&text(&format!("X-A:{}", "x".repeat(17))), &limits), Some("bytes in one line"));
}

/// Stamps are properties like any other.
#[test]
fn stamps_alone_are_too_many_properties_too() {
    let limits = Limits { properties: 10, ..Limits::NONE };
    for name in ["DTSTAMP", "LAST-MODIFIED", "CREATED"] {
        let stamps = format!("{name}:20260101T000000Z\r\n").repeat(11);
        let text = format!("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n{stamps}END:VEVENT\r\nEND:VCALENDAR\r\n");
        assert_eq!(refused(text.as_bytes(), &limits), Some("properties in one component"), "{name}");
    }
}

#[test]
fn of_a_text_that_is_too_large_nothing_more_is_looked_at() {
    let text = b"BEGIN:VCALENDAR\r\nEND:VEVENT\r\n";
    let limits = Limits { size: text.len() - 1, ..Limits::NONE };
    assert_eq!(refused(text, &limits), Some("bytes"));
}

/// What is behind them was looked for anew at each: a megabyte of them would have taken minutes.
#[test]
fn empty_lines_are_passed_once_however_many_there_are() {
    let blank = "\r\n".repeat(500_000);
    for (behind, goes_on) in
        [("END:VCALENDAR\r\n", false), (" two\r\nEND:VCALENDAR\r\n", true), ("  \r\nEND:VCALENDAR\r\n", false)]
    {
        let text = format!("BEGIN:VCALENDAR\r\nX-A:one\r\n{blank}{behind}");
        let began = Instant::now();
        let calendar = Calendar::scan(text.as_bytes(), &Limits { line: usize::MAX, ..Limits::default() }).unwrap();
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        assert_eq!(calendar.lines().len() < 10, goes_on, "{behind:?}");
    }
}
