//! Calendars of every kind through the calendar layer, judged by readers that we did not write.

use calferry::calendar::{Calendar, Limits, unescape_text, unfold};
use calferry::feed::{Recipe, ZoneNames, mended};
use icalendar::parser::{read_calendar, unfold as icalendar_unfold};
use proptest::prelude::*;

use super::harness;

const FIXTURES: [(&str, &[u8]); 3] = [
    ("google", include_bytes!("../fixtures/google_zoom.ics")),
    ("icloud", include_bytes!("../fixtures/icloud_shared.ics")),
    ("outlook", include_bytes!("../fixtures/outlook_published.ics")),
];

fn published(text: &[u8]) -> Vec<u8> {
    harness::published(&[("one", text)], &Recipe { zones: ZoneNames::Keep, ..Recipe::default() })
}

/// The unfolded lines of `text`, by a reading of RFC 5545 §3.1 that is not the program's.
fn lines(text: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for physical in text.split(|byte| *byte == b'\n') {
        let physical = physical.strip_suffix(b"\r").unwrap_or(physical);
        match (physical.first(), lines.last_mut()) {
            (Some(b' ' | b'\t'), Some(line)) => line.extend_from_slice(&physical[1..]),
            _ => lines.push(physical.to_vec()),
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}

#[test]
fn of_the_fixtures_only_method_request_times_and_cut_characters_change() {
    for (name, text) in FIXTURES {
        let (before, after) = (lines(text), lines(&published(text)));
        let before: Vec<_> = before.into_iter().filter(|line| !line.starts_with(b"METHOD:")).collect();
        assert_eq!(before.len(), after.len(), "{name}");
        for (before, after) in before.iter().zip(&after) {
            let stamp = before.starts_with(b"DTSTAMP:") && after.starts_with(b"DTSTAMP:");
            assert!(
                before == after || stamp,
                "{name}: {} → {}",
                String::from_utf8_lossy(before),
                String::from_utf8_lossy(after)
            );
        }
        for physical in published(text).split(|byte| *byte == b'\n') {
            assert!(std::str::from_utf8(physical).is_ok(), "{name}: a fold cuts a character");
            assert!(physical.is_empty() || physical.ends_with(b"\r") && physical.len() <= 76, "{name}");
        }
    }
}

#[test]
fn request_time_stamps_become_the_time_of_the_last_change() {
    let google = String::from_utf8(published(FIXTURES[0].1)).unwrap();
    assert!(!google.contains("DTSTAMP:20261122T070312Z"));
    let events: Vec<_> = google.split("BEGIN:VEVENT").skip(1).collect();
    for event in events {
        let value = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        assert_eq!(value("DTSTAMP:"), value("LAST-MODIFIED:"));
    }
    let icloud = lines(&published(FIXTURES[1].1));
    let stamps =
        |lines: &[Vec<u8>]| lines.iter().filter(|line| line.starts_with(b"DTSTAMP")).cloned().collect::<Vec<_>>();
    assert_eq!(stamps(&icloud), stamps(&lines(FIXTURES[1].1)), "Apple's stamps are true ones");
}

#[test]
fn publishing_what_was_published_changes_nothing() {
    for (name, text) in FIXTURES {
        let once = published(text);
        assert_eq!(published(&once), once, "{name}");
    }
}

/// Both read the same properties with the same values in the same order.
#[test]
fn icalendar_and_the_line_layer_agree_on_every_property() {
    fn walk(component: &icalendar::parser::Component<'_>, found: &mut Vec<(String, String)>) {
        for property in &component.properties {
            found.push((property.name.as_str().to_owned(), property.val.as_str().to_owned()));
        }
        for inner in &component.components {
            walk(inner, found);
        }
    }
    for (name, text) in FIXTURES {
        let text = String::from_utf8(published(text)).unwrap();
        let unfolded = icalendar_unfold(&text);
        let mut theirs = Vec::new();
        let read = read_calendar(&unfolded).unwrap();
        for property in &read.properties {
            theirs.push((property.name.as_str().to_owned(), property.val.as_str().to_owned()));
        }
        for component in &read.components {
            walk(component, &mut theirs);
        }
        let calendar = Calendar::scan(text.as_bytes(), &Limits::default()).unwrap();
        let mut ours: Vec<(String, String)> = Vec::new();
        for line in calendar.lines() {
            let raw = unfold(calendar.raw(line)).into_owned();
            let raw = String::from_utf8(raw).unwrap();
            let name = String::from_utf8(calendar.name(line).to_vec()).unwrap();
            if !matches!(name.as_str(), "BEGIN" | "END") {
                let colon = raw.char_indices().scan(false, |quoted, (at, char)| {
                    *quoted ^= char == '"';
                    Some((at, char, *quoted))
                });
                let colon =
                    colon.filter(|(_, char, quoted)| *char == ':' && !quoted).map(|(at, ..)| at).next().unwrap();
                ours.push((name, raw[colon + 1..].to_owned()));
            }
        }
        // Theirs has the escapes of text values undone, and components after their own properties.
        for (_, value) in theirs.iter_mut().chain(&mut ours) {
            *value = unescape_text(value);
        }
        theirs.sort();
        ours.sort();
        assert_eq!(ours.len(), theirs.len(), "{name}");
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert_eq!(ours, theirs, "{name}");
        }
    }
}

/// A line as calendars have them, and as they should not have them.
fn any_line() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "(SUMMARY|DESCRIPTION|X-A|ATTENDEE;CN=\"a:b\"|UID):\\PC{0,120}",
        1 => "DTSTAMP:2026112[0-9]T0[0-9]0000Z",
        1 => "LAST-MODIFIED:2026112[0-9]T0[0-9]0000Z",
        1 => "[a-z][a-z ]{0,19}",
        1 => Just(String::new()),
        1 => "METHOD:PUBLISH",
    ]
}

fn any_calendar() -> impl Strategy<Value = Vec<u8>> {
    let event = proptest::collection::vec(any_line(), 0..8);
    let ends = prop_oneof![Just("\r\n"), Just("\n")];
    (
        proptest::collection::vec(any_line(), 0..4),
        proptest::collection::vec(event, 0..5),
        ends,
        any::<bool>(),
        0usize..90,
    )
        .prop_map(|(head, events, end, mark, fold)| {
            let mut lines = vec!["BEGIN:VCALENDAR".to_owned()];
            lines.extend(head);
            for event in events {
                lines.push("BEGIN:VEVENT".into());
                lines.extend(event);
                lines.push("END:VEVENT".into());
            }
            lines.push("END:VCALENDAR".into());
            let mut text = if mark { "\u{feff}\r\n".as_bytes().to_vec() } else { Vec::new() };
            for line in lines {
                let line = line.as_bytes();
                let structure = line.starts_with(b"BEGIN:") || line.starts_with(b"END:");
                if fold > 12 && line.len() > fold && !structure {
                    // Somewhere, even inside a character.
                    text.extend_from_slice(&line[..fold]);
                    text.extend_from_slice(end.as_bytes());
                    text.push(b' ');
                    text.extend_from_slice(&line[fold..]);
                } else {
                    text.extend_from_slice(line);
                }
                text.extend_from_slice(end.as_bytes());
            }
            text
        })
}

proptest! {
    #[test]
    fn whatever_comes_in_every_line_that_is_one_comes_out(text in any_calendar()) {
        let out = published(&text);
        prop_assert!(out.starts_with(b"BEGIN:VCALENDAR\r\n") && out.ends_with(b"END:VCALENDAR\r\n"));
        prop_assert!(std::str::from_utf8(&out).is_ok());
        prop_assert_eq!(published(&out), out.clone(), "once is enough");
        let is_line = |line: &[u8]| {
            let name = line.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-').count();
            name > 0 && matches!(line.get(name), Some(b':' | b';'))
        };
        let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&text);
        let mut depth = 0;
        let mut expected: Vec<Vec<u8>> = Vec::new();
        for line in lines(text) {
            depth += i32::from(line.starts_with(b"BEGIN:")) - i32::from(line.starts_with(b"END:"));
            if is_line(&line) && !(depth == 1 && line.starts_with(b"METHOD:")) {
                expected.push(line);
            }
        }
        let came_out = lines(&out);
        prop_assert_eq!(came_out.len(), expected.len());
        for (before, after) in expected.iter().zip(&came_out) {
            prop_assert!(before == after || before.starts_with(b"DTSTAMP:") && after.starts_with(b"DTSTAMP:"));
        }
    }

    #[test]
    fn arbitrary_bytes_never_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mut text = b"BEGIN:VCALENDAR\r\n".to_vec();
        text.extend_from_slice(&bytes);
        for text in [&text[..], &bytes] {
            if let Ok(calendar) = Calendar::scan(text, &Limits::default()) {
                harness::published(&[("one", &mended(&calendar))], &Recipe::default());
            }
        }
    }
}

#[test]
fn a_text_that_has_passed_is_read_again_whatever_mending_has_left_of_it() {
    // The only good line beyond ASCII is one that mending takes out.
    let text = b"BEGIN:VCALENDAR\r\nMETHOD:\xc3\xa9\r\nX-A:\xff\r\nEND:VCALENDAR\r\n";
    assert_eq!(published(text), b"BEGIN:VCALENDAR\r\nX-A:\xff\r\nEND:VCALENDAR\r\n");
}
