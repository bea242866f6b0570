//! The properties this program looks at by name.

/// A property this program looks at. All others are [`Property::Other`] and pass through untouched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Property {
    /// Not a content line at all: neither a name nor a colon outside quotes.
    Junk,
    /// Nothing but white space.
    Blank,
    /// `BEGIN`
    Begin,
    /// `END`
    End,
    /// `ATTACH`
    Attach,
    /// `ATTENDEE`
    Attendee,
    /// `CATEGORIES`
    Categories,
    /// `CLASS`
    Class,
    /// `COLOR` (RFC 7986 §5.9)
    Color,
    /// `CONFERENCE` (RFC 7986 §5.11)
    Conference,
    /// `CREATED`
    Created,
    /// `DESCRIPTION`
    Description,
    /// `DTEND`
    Dtend,
    /// `DTSTAMP`
    Dtstamp,
    /// `DTSTART`
    Dtstart,
    /// `DUE`
    Due,
    /// `DURATION`
    Duration,
    /// `EXDATE`
    Exdate,
    /// `EXRULE` (RFC 2445, gone from RFC 5545)
    Exrule,
    /// `LAST-MODIFIED`
    LastModified,
    /// `LOCATION`
    Location,
    /// `METHOD`
    Method,
    /// `NAME` (RFC 7986 §5.1)
    Name,
    /// `ORGANIZER`
    Organizer,
    /// `RDATE`
    Rdate,
    /// `RECURRENCE-ID`
    RecurrenceId,
    /// `REFRESH-INTERVAL` (RFC 7986 §5.7)
    RefreshInterval,
    /// `RRULE`
    Rrule,
    /// `SEQUENCE`
    Sequence,
    /// `STATUS`
    Status,
    /// `STYLED-DESCRIPTION` (RFC 9073 §6.5), the description once more
    StyledDescription,
    /// `SUMMARY`
    Summary,
    /// `TRANSP`
    Transp,
    /// `TZID`
    Tzid,
    /// `UID`
    Uid,
    /// `URL`
    Url,
    /// `X-ALT-DESC`, Outlook's description once more, as HTML
    XAltDesc,
    /// `X-APPLE-CALENDAR-COLOR`
    XAppleCalendarColor,
    /// `X-GOOGLE-CONFERENCE`
    XGoogleConference,
    /// `X-MICROSOFT-SKYPETEAMSMEETINGURL`
    XSkypeTeamsMeetingUrl,
    /// `X-PUBLISHED-TTL`
    XPublishedTtl,
    /// `X-WR-CALDESC`
    XWrCaldesc,
    /// `X-WR-CALNAME`, the name every client reads
    XWrCalname,
    /// `X-WR-TIMEZONE`
    XWrTimezone,
    /// Any other property.
    Other,
}

impl Property {
    /// Property names are case-insensitive (RFC 5545 §2).
    pub fn of(name: &[u8]) -> Self {
        // The length and one letter decide first: this runs once for every line of every feed.
        let at = |at: usize| name.get(at).map_or(0, u8::to_ascii_uppercase);
        let (known, property): (&[u8], _) = match (name.len(), at(0)) {
            (3, b'E') => (b"END", Self::End),
            (3, b'U') if at(1) == b'I' => (b"UID", Self::Uid),
            (3, b'U') => (b"URL", Self::Url),
            (3, b'D') => (b"DUE", Self::Due),
            (4, b'N') => (b"NAME", Self::Name),
            (4, b'T') => (b"TZID", Self::Tzid),
            (5, b'B') => (b"BEGIN", Self::Begin),
            (5, b'D') => (b"DTEND", Self::Dtend),
            (5, b'R') if at(1) == b'R' => (b"RRULE", Self::Rrule),
            (5, b'R') => (b"RDATE", Self::Rdate),
            (5, b'C') if at(1) == b'L' => (b"CLASS", Self::Class),
            (5, b'C') => (b"COLOR", Self::Color),
            (6, b'S') => (b"STATUS", Self::Status),
            (6, b'T') => (b"TRANSP", Self::Transp),
            (6, b'E') if at(2) == b'D' => (b"EXDATE", Self::Exdate),
            (6, b'E') => (b"EXRULE", Self::Exrule),
            (6, b'A') => (b"ATTACH", Self::Attach),
            (6, b'M') => (b"METHOD", Self::Method),
            (7, b'S') => (b"SUMMARY", Self::Summary),
            (7, b'C') => (b"CREATED", Self::Created),
            (7, b'D') if at(4) == b'A' && at(5) == b'R' => (b"DTSTART", Self::Dtstart),
            (7, b'D') => (b"DTSTAMP", Self::Dtstamp),
            (8, b'A') => (b"ATTENDEE", Self::Attendee),
            (8, b'L') => (b"LOCATION", Self::Location),
            (8, b'S') => (b"SEQUENCE", Self::Sequence),
            (8, b'D') => (b"DURATION", Self::Duration),
            (9, b'O') => (b"ORGANIZER", Self::Organizer),
            (10, b'C') if at(1) == b'A' => (b"CATEGORIES", Self::Categories),
            (10, b'C') => (b"CONFERENCE", Self::Conference),
            (10, b'X') => (b"X-ALT-DESC", Self::XAltDesc),
            (11, b'D') => (b"DESCRIPTION", Self::Description),
            (12, b'X') if at(8) == b'N' => (b"X-WR-CALNAME", Self::XWrCalname),
            (12, b'X') => (b"X-WR-CALDESC", Self::XWrCaldesc),
            (13, b'L') => (b"LAST-MODIFIED", Self::LastModified),
            (13, b'R') => (b"RECURRENCE-ID", Self::RecurrenceId),
            (13, b'X') => (b"X-WR-TIMEZONE", Self::XWrTimezone),
            (15, b'X') => (b"X-PUBLISHED-TTL", Self::XPublishedTtl),
            (16, b'R') => (b"REFRESH-INTERVAL", Self::RefreshInterval),
            (18, b'S') => (b"STYLED-DESCRIPTION", Self::StyledDescription),
            (19, b'X') => (b"X-GOOGLE-CONFERENCE", Self::XGoogleConference),
            (22, b'X') => (b"X-APPLE-CALENDAR-COLOR", Self::XAppleCalendarColor),
            (32, b'X') => (b"X-MICROSOFT-SKYPETEAMSMEETINGURL", Self::XSkypeTeamsMeetingUrl),
            _ => return Self::Other,
        };
        // Nearly everybody writes them as they stand here.
        if name == known || name.eq_ignore_ascii_case(known) { property } else { Self::Other }
    }
}

/// A set of properties: most of what is asked for is not in it, and need not be looked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct PropertySet(u64);

impl PropertySet {
    /// Every property.
    pub const ALL: Self = Self(u64::MAX);

    /// Adds `property`.
    pub fn add(&mut self, property: Property) {
        self.0 |= 1 << property as u8;
    }

    /// Whether `property` is in it.
    pub fn has(self, property: Property) -> bool {
        self.0 >> property as u8 & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_any_case_and_only_whole() {
        let names = [
            ("dtstart", Property::Dtstart),
            ("DTSTAMP", Property::Dtstamp),
            ("Exdate", Property::Exdate),
            ("EXRULE", Property::Exrule),
            ("X-WR-CALDESC", Property::XWrCaldesc),
            ("X-WR-CALNAME", Property::XWrCalname),
            ("RDATE", Property::Rdate),
            ("URL", Property::Url),
            ("UIX", Property::Other),
            ("SUMMARYX", Property::Other),
            ("X-MICROSOFT-SKYPETEAMSMEETINGURL", Property::XSkypeTeamsMeetingUrl),
            ("", Property::Other),
        ];
        for (name, property) in names {
            assert_eq!(Property::of(name.as_bytes()), property, "{name}");
        }
    }
}
