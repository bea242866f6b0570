//! The properties that rules may read and write, and how text goes into each of them. Everything a rule writes passes
//! through [`Field::line`]: no text can leave its value.

use std::borrow::Cow;

use crate::calendar::{ContentLine, Entry, Property, escape_text_to, fold_parts, unescape_text};

/// A property, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    name: Cow<'static, str>,
    property: Property,
    kind: Kind,
}

/// What a property's value is (RFC 5545 §3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    /// Texts with commas between them.
    List,
    Uri,
    /// A calendar address with a name beside it.
    Person,
    /// One of these words.
    Word(&'static [&'static str]),
    Number,
    /// What the event's identity and times are made of: read, never written.
    Structure,
}

/// Properties of RFC 5545, 7986, 9073 and 9253 that stand in an event.
const KNOWN: &[(&str, Kind)] = &[
    ("ATTACH", Kind::Uri),
    ("ATTENDEE", Kind::Person),
    ("CATEGORIES", Kind::List),
    ("CLASS", Kind::Word(&["PUBLIC", "PRIVATE", "CONFIDENTIAL"])),
    ("COLOR", Kind::Text),
    ("COMMENT", Kind::Text),
    ("COMPLETED", Kind::Structure),
    ("CONCEPT", Kind::Uri),
    ("CONFERENCE", Kind::Uri),
    ("CONTACT", Kind::Text),
    ("CREATED", Kind::Structure),
    ("DESCRIPTION", Kind::Text),
    ("DTEND", Kind::Structure),
    ("DTSTAMP", Kind::Structure),
    ("DTSTART", Kind::Structure),
    ("DUE", Kind::Structure),
    ("DURATION", Kind::Structure),
    ("EXDATE", Kind::Structure),
    ("GEO", Kind::Structure),
    ("IMAGE", Kind::Uri),
    ("LAST-MODIFIED", Kind::Structure),
    ("LINK", Kind::Uri),
    ("LOCATION", Kind::Text),
    ("ORGANIZER", Kind::Person),
    ("PERCENT-COMPLETE", Kind::Structure),
    ("PRIORITY", Kind::Number),
    ("RDATE", Kind::Structure),
    ("RECURRENCE-ID", Kind::Structure),
    ("REFID", Kind::Text),
    ("RELATED-TO", Kind::Structure),
    ("REQUEST-STATUS", Kind::Structure),
    ("RESOURCES", Kind::List),
    ("RRULE", Kind::Structure),
    ("SEQUENCE", Kind::Structure),
    ("STATUS", Kind::Word(&["TENTATIVE", "CONFIRMED", "CANCELLED"])),
    ("STRUCTURED-DATA", Kind::Uri),
    ("STYLED-DESCRIPTION", Kind::Text),
    ("SUMMARY", Kind::Text),
    ("TRANSP", Kind::Word(&["OPAQUE", "TRANSPARENT"])),
    ("UID", Kind::Structure),
    ("URL", Kind::Uri),
];

/// Without these an event is none, or another one.
const NEVER_STRIPPED: &[&str] = &[
    "BEGIN",
    "END",
    "UID",
    "DTSTAMP",
    "DTSTART",
    "DTEND",
    "DUE",
    "DURATION",
    "RRULE",
    "RDATE",
    "EXDATE",
    "EXRULE",
    "RECURRENCE-ID",
];

impl Field {
    /// The property called `name`, in any case: one of the standards, or any `X-…`.
    pub fn of(name: &str) -> Option<Self> {
        let upper = name.to_ascii_uppercase();
        let property = Property::of(upper.as_bytes());
        if let Some((name, kind)) = KNOWN.iter().find(|(known, _)| *known == upper) {
            return Some(Self { name: Cow::Borrowed(name), property, kind: *kind });
        }
        let letters = upper.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let extension = upper.len() > 2 && upper.len() <= 64 && upper.starts_with("X-") && letters;
        extension.then_some(Self { name: Cow::Owned(upper), property, kind: Kind::Text })
    }

    /// `SUMMARY`
    pub const SUMMARY: Self = Self::known("SUMMARY", Property::Summary, Kind::Text);
    /// `DESCRIPTION`
    pub const DESCRIPTION: Self = Self::known("DESCRIPTION", Property::Description, Kind::Text);
    /// `LOCATION`
    pub const LOCATION: Self = Self::known("LOCATION", Property::Location, Kind::Text);
    /// `URL`
    pub const URL: Self = Self::known("URL", Property::Url, Kind::Uri);
    /// `CONFERENCE`
    pub const CONFERENCE: Self = Self::known("CONFERENCE", Property::Conference, Kind::Uri);

    const fn known(name: &'static str, property: Property, kind: Kind) -> Self {
        Self { name: Cow::Borrowed(name), property, kind }
    }

    /// All that the standards know, in upper case.
    pub fn names() -> impl Iterator<Item = &'static str> {
        KNOWN.iter().map(|(name, _)| *name)
    }

    /// `SUMMARY`
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is to the calendar layer.
    pub fn property(&self) -> Property {
        self.property
    }

    /// Whether lines of `property` may hold it; the name decides among others.
    pub fn is(&self, property: Property) -> bool {
        self.property == property
    }

    /// Whether a rule may write it.
    pub fn is_writable(&self) -> bool {
        !matches!(self.kind, Kind::Structure | Kind::Person)
    }

    /// The words it may hold, if not any text.
    pub fn words(&self) -> Option<&'static [&'static str]> {
        if let Kind::Word(words) = self.kind { Some(words) } else { None }
    }

    /// Whether it holds a list of texts.
    pub fn is_list(&self) -> bool {
        self.kind == Kind::List
    }

    /// Whether a number of 0 to 9 is all it may hold.
    pub fn is_number(&self) -> bool {
        self.kind == Kind::Number
    }

    /// Whether `strip` may take `name` out: anything but what makes an event this event.
    pub fn may_be_stripped(name: &str) -> bool {
        !NEVER_STRIPPED.iter().any(|never| never.eq_ignore_ascii_case(name))
    }

    /// The lines of `entry` that hold it, with their indexes.
    pub fn find<'a, 'text>(
        &self,
        entry: &Entry<'a, 'text>,
    ) -> impl Iterator<Item = (usize, ContentLine<'text>)> + use<'_, 'a, 'text> {
        let calendar = entry.calendar();
        let lines = entry.all(self.property);
        lines.map(move |(index, line)| (index, ContentLine::of(calendar, line))).filter(|(_, content)| {
            self.property != Property::Other || content.name().eq_ignore_ascii_case(self.name.as_bytes())
        })
    }

    /// Whether `is_it` holds for one of its values in `entry`, as the texts they stand for.
    pub fn any(&self, entry: &Entry<'_, '_>, mut is_it: impl FnMut(&str) -> bool) -> bool {
        match self.kind {
            // Without a list of them: every rule asks for every event.
            Kind::Text if self.property != Property::Other => {
                entry.all(self.property).any(|(_, line)| is_it(&entry.text_of(line)))
            }
            Kind::Person => self.find(entry).any(|(_, line)| is_it(&person(&line))),
            _ => self.texts(entry).iter().any(|text| is_it(text)),
        }
    }

    /// Every value it has in `entry`, as the text it stands for.
    pub fn texts<'text>(&self, entry: &Entry<'_, 'text>) -> Vec<Cow<'text, str>> {
        if self.kind == Kind::Text && self.property != Property::Other {
            return entry.all(self.property).map(|(_, line)| entry.text_of(line)).collect();
        }
        let mut texts = Vec::new();
        for (_, line) in self.find(entry) {
            match self.kind {
                Kind::List => texts.extend(split_list(&line.text()).into_iter().map(Cow::Owned)),
                Kind::Text => texts.push(Cow::Owned(unescape_text(&line.text()))),
                Kind::Person => texts.push(Cow::Owned(person(&line))),
                _ => texts.push(Cow::Owned(line.text().into_owned())),
            }
        }
        texts
    }

    /// Appends the property line with `texts`, folded. `head` is the name and parameters to keep, else only the name.
    pub fn line<'t>(&self, head: Option<&[u8]>, texts: impl IntoIterator<Item = &'t str>, out: &mut Vec<u8>) {
        let mut value = String::with_capacity(128);
        for (index, text) in texts.into_iter().enumerate() {
            if index > 0 {
                value.push(',');
            }
            match self.kind {
                Kind::Text | Kind::List => escape_text_to(text, &mut value),
                // An address holds no white space and no line break.
                _ if text.bytes().all(|byte| byte.is_ascii_graphic()) => value.push_str(text),
                _ => value.extend(text.split(|char: char| char.is_control() || char.is_whitespace())),
            }
        }
        let head = head.unwrap_or(self.name.as_bytes());
        fold_parts(&[head, b":", value.as_bytes()], out);
    }
}

/// The texts of a list, unescaped: commas behind a backslash separate nothing.
fn split_list(value: &str) -> Vec<String> {
    let (mut texts, mut from, mut escaped) = (Vec::new(), 0, false);
    for (at, byte) in value.bytes().enumerate() {
        if byte == b',' && !escaped {
            texts.push(unescape_text(value.get(from..at).unwrap_or_default()));
            from = at + 1;
        }
        escaped = byte == b'\\' && !escaped;
    }
    texts.push(unescape_text(value.get(from..).unwrap_or_default()));
    texts
}

/// `Li Wei <li.wei@example.com>`
fn person(line: &ContentLine<'_>) -> String {
    let value = line.text();
    let address = without_mailto(&value);
    match line.parameter("CN") {
        Some(name) => format!("{} <{address}>", String::from_utf8_lossy(name)),
        None => address.to_owned(),
    }
}

/// A calendar address without its scheme.
pub(in crate::feed) fn without_mailto(address: &str) -> &str {
    let scheme = address.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("mailto:"));
    scheme.and_then(|scheme| address.get(scheme.len()..)).unwrap_or(address).trim()
}
