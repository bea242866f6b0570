//! What a feed says about itself: the lines of its calendar's head that are its own.

use std::time::Duration;

use super::notice;
use super::publish::Copy;
use crate::calendar::{Calendar, ContentLine, Edits, Property, escape_text, format_duration, push_line, unescape_text};

/// What a feed says about itself in its calendar's head.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Presentation {
    /// The calendar's name on the phone; `None` leaves the upstream's.
    pub name: Option<String>,
    /// How often a client is asked to come back; `None` leaves what the upstream says.
    pub refresh: Option<Duration>,
    /// Its colour.
    pub colour: Option<Colour>,
    /// The days on which the copies were last confirmed are told in its description.
    pub freshness: bool,
    /// A copy this many days old is told by an event.
    pub notice: Option<u32>,
}

/// A colour, as clients know it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Colour {
    /// `#FF2968`, for Apple's.
    pub hex: String,
    /// The name of CSS, for those that know RFC 7986.
    pub name: Option<&'static str>,
}

impl Presentation {
    /// Adds everything here that shows in the published text to `hasher`.
    pub(super) fn digest(&self, hasher: &mut blake3::Hasher) {
        let colour = self.colour.as_ref().map(|colour| colour.hex.as_str());
        for text in [self.name.as_deref(), self.refresh.map(format_duration).as_deref(), colour] {
            let text = text.map(str::as_bytes);
            // The length keeps neighbours apart, and apart from "not set".
            hasher.update(&text.map_or(u64::MAX, |text| text.len() as u64).to_le_bytes());
            hasher.update(text.unwrap_or_default());
        }
        hasher.update(&self.notice.map_or(u64::MAX, u64::from).to_le_bytes());
        hasher.update(&[u8::from(self.freshness)]);
    }

    /// Puts the feed's own lines into the calendar's head, in the place of the upstream's.
    /// `zones` are VTIMEZONEs that come with other sources.
    pub(super) fn present(&self, calendar: &Calendar<'_>, copies: &[Copy<'_>], zones: &[u8], edits: &mut Edits) {
        let head = self.head(calendar, copies);
        let Some(root) = calendar.components().first().filter(|_| !head.is_empty() || !zones.is_empty()) else {
            return;
        };
        let inner = calendar.components().get(1).filter(|inner| inner.depth > 0).map_or(root.end, |inner| inner.begin);
        let lines = calendar.lines().iter().enumerate().take(inner).skip(root.begin + 1);
        for (index, line) in lines.chain(calendar.notable().filter(|(index, _)| (inner..root.end).contains(index))) {
            let replaced = match line.property() {
                Property::XWrCalname | Property::Name => self.name.is_some(),
                Property::RefreshInterval | Property::XPublishedTtl => self.refresh.is_some(),
                Property::XAppleCalendarColor | Property::Color => self.colour.is_some(),
                Property::XWrCaldesc => self.freshness,
                _ => false,
            };
            if replaced {
                edits.drop(calendar.span_with_end(index));
            }
        }
        // Behind the calendar's own properties: before its first component, or its end.
        if let Some(behind) = calendar.lines().get(inner) {
            edits.insert(behind.span().start, [&head, zones].concat());
        }
    }

    fn head(&self, calendar: &Calendar<'_>, copies: &[Copy<'_>]) -> Vec<u8> {
        let mut head = Vec::new();
        if let Some(name) = &self.name {
            let name = escape_text(name);
            // iOS looks for the literal text `X-WR-CALNAME:`; NAME is RFC 7986's.
            push_line("X-WR-CALNAME", &name, &mut head);
            push_line("NAME", &name, &mut head);
        }
        if let Some(refresh) = self.refresh {
            let refresh = format_duration(refresh);
            push_line("REFRESH-INTERVAL;VALUE=DURATION", &refresh, &mut head);
            push_line("X-PUBLISHED-TTL", &refresh, &mut head);
        }
        if let Some(colour) = &self.colour {
            push_line("X-APPLE-CALENDAR-COLOR", &colour.hex, &mut head);
            if let Some(name) = colour.name {
                push_line("COLOR", name, &mut head);
            }
        }
        if self.freshness {
            let mut own_words = calendar.notable().filter(|(_, line)| line.property() == Property::XWrCaldesc);
            let upstream = own_words.next().map(|(_, line)| ContentLine::of(calendar, line));
            let upstream = upstream.map(|line| unescape_text(&line.text())).filter(|words| !words.is_empty());
            let words: Vec<_> = upstream.into_iter().chain([notice::freshness(copies)]).collect();
            push_line("X-WR-CALDESC", &escape_text(&words.join("\n")), &mut head);
        }
        head
    }
}
