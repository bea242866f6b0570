//! What must not come out: the addresses of organizers and attendees, and the UIDs of events of which only the time is told. Both are
//! replaced by a keyed hash: the same today and tomorrow, so that no phone takes an event for a new one, and nothing to
//! whoever does not have the key.

use super::rule::{Draft, without_mailto};
use crate::calendar::{ContentLine, Entry, Property, fold};

/// Parameters that hold addresses (RFC 5545 §3.2, and what calendars add).
const WITH_ADDRESSES: [&[u8]; 9] = [
    b"DELEGATED-FROM",
    b"DELEGATED-TO",
    b"DIR",
    b"EMAIL",
    b"MEMBER",
    b"SENT-BY",
    b"X-CALENDARSERVER-EMAIL",
    b"X-CALENDARSERVER-DTSTAMP",
    b"X-DIRECTORY-URI",
];

/// Gives attendees and organizers of `entry` addresses that are nobody's. Names stay, unless they are addresses.
pub(super) fn anonymise(entry: &Entry<'_, '_>, key: &[u8; 32], draft: &mut Draft) {
    if draft.is_busy() {
        return;
    }
    for (index, line) in
        entry.lines().filter(|(_, line)| matches!(line.property(), Property::Attendee | Property::Organizer))
    {
        let line = ContentLine::of(entry.calendar(), line);
        let mut new = line.name().to_vec();
        for (name, value) in line.parameters() {
            let is_address = value.contains(&b'@') || WITH_ADDRESSES.iter().any(|with| name.eq_ignore_ascii_case(with));
            if !is_address {
                new.extend_from_slice(&[b";", name, b"=", value].concat());
            }
        }
        let address = without_mailto(&line.text()).to_lowercase();
        new.extend_from_slice(format!(":mailto:{}@anonymous.invalid", name_of(key, address.as_bytes())).as_bytes());
        let mut folded = Vec::with_capacity(new.len() + 8);
        fold(&new, &mut folded);
        draft.lines.push((index, folded));
    }
}

/// What stands for the UID `uid`.
pub(super) fn uid(key: &[u8; 32], uid: &[u8]) -> Vec<u8> {
    format!("{}@calferry", name_of(key, uid)).into_bytes()
}

fn name_of(key: &[u8; 32], secret: &[u8]) -> String {
    let mut name = blake3::keyed_hash(key, secret).to_hex().to_string();
    name.truncate(32);
    name
}
