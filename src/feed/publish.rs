//! From a source's calendar to the text of an edition.

use std::time::Duration;

use crate::calendar::{Calendar, Edits, Property, escape_text, format_duration, mend, push_line};

/// What a feed says about itself in its calendar's head.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Presentation {
    /// The calendar's name on the phone; `None` leaves the upstream's.
    pub name: Option<String>,
    /// How often a client is asked to come back; `None` leaves what the upstream says.
    pub refresh: Option<Duration>,
}

impl Presentation {
    /// A digest of everything here that shows in the published text.
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        for text in [self.name.as_deref(), self.refresh.map(format_duration).as_deref()] {
            let text = text.map(str::as_bytes);
            // The length keeps neighbours apart, and apart from "not set".
            hasher.update(&text.map_or(u64::MAX, |text| text.len() as u64).to_le_bytes());
            hasher.update(text.unwrap_or_default());
        }
        *hasher.finalize().as_bytes()
    }
}

/// The published text of a calendar as it came from upstream: mended, then presented.
pub fn publish(calendar: &Calendar<'_>, presentation: &Presentation) -> Vec<u8> {
    let mut edits = mend(calendar, None, &[]).edits;
    present(calendar, presentation, &mut edits);
    edits.apply(calendar.text())
}

/// The published text of a calendar that was mended when it was fetched.
pub fn publish_mended(calendar: &Calendar<'_>, presentation: &Presentation) -> Vec<u8> {
    let mut edits = Edits::default();
    present(calendar, presentation, &mut edits);
    edits.apply(calendar.text())
}

/// Puts the feed's own lines into the calendar's head, in the place of the upstream's.
fn present(calendar: &Calendar<'_>, presentation: &Presentation, edits: &mut Edits) {
    let mut head = Vec::new();
    if let Some(name) = &presentation.name {
        let name = escape_text(name);
        // iOS looks for the literal text `X-WR-CALNAME:`; NAME is RFC 7986's.
        push_line("X-WR-CALNAME", &name, &mut head);
        push_line("NAME", &name, &mut head);
    }
    if let Some(refresh) = presentation.refresh {
        let refresh = format_duration(refresh);
        push_line("REFRESH-INTERVAL;VALUE=DURATION", &refresh, &mut head);
        push_line("X-PUBLISHED-TTL", &refresh, &mut head);
    }
    let Some(root) = calendar.components().first().filter(|_| !head.is_empty()) else { return };
    for (index, line) in calendar.notable().filter(|(index, _)| (root.begin..root.end).contains(index)) {
        let replaced = match line.property() {
            Property::XWrCalname | Property::Name => presentation.name.is_some(),
            Property::RefreshInterval | Property::XPublishedTtl => presentation.refresh.is_some(),
            _ => false,
        };
        if replaced {
            edits.drop(line.span().start..calendar.next_start(index));
        }
    }
    // Behind the calendar's own properties: before its first component, or its end.
    let inner = calendar.components().get(1).filter(|inner| inner.depth > 0);
    if let Some(behind) = calendar.lines().get(inner.map_or(root.end, |inner| inner.begin)) {
        edits.insert(behind.span().start, head);
    }
}
