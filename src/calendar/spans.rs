//! A calendar as spans of its text: content lines and components, without a copy of either.

use std::ops::Range;

use super::line;
use super::property::{Property, PropertySet};

/// One logical content line: where it stands, and what the scan saw on its way.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) name_len: u16,
    pub(super) property: Property,
    pub(super) flags: u8,
}

/// Some line end of the line is not CRLF.
pub(super) const LOOSE_END: u8 = 1;
/// The line has at least one fold.
pub(super) const FOLDED: u8 = 2;
/// A fold cuts a UTF-8 character in two.
pub(super) const CUT: u8 = 4;
/// Even unfolded the line is not UTF-8.
pub(super) const NOT_UTF8: u8 = 8;

impl Line {
    /// Which property it is.
    pub fn property(&self) -> Property {
        self.property
    }

    /// Its bytes in the text, folds included, without the line end.
    pub fn span(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// The components this program tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `VCALENDAR`
    Calendar,
    /// `VEVENT`
    Event,
    /// `VTODO`, `VJOURNAL` or `VFREEBUSY`
    Entry,
    /// Any other component.
    Other,
}

impl Kind {
    pub(super) fn of(name: &[u8]) -> Self {
        if name.eq_ignore_ascii_case(b"VEVENT") {
            Self::Event
        } else if name.eq_ignore_ascii_case(b"VCALENDAR") {
            Self::Calendar
        } else if [&b"VTODO"[..], b"VJOURNAL", b"VFREEBUSY"].iter().any(|entry| name.eq_ignore_ascii_case(entry)) {
            Self::Entry
        } else {
            Self::Other
        }
    }
}

/// A component: its kind and the indexes of its `BEGIN` and `END` lines in [`Calendar::lines`].
#[derive(Debug, Clone, Copy)]
pub struct Component {
    /// What it is.
    pub kind: Kind,
    /// Index of its `BEGIN` line.
    pub begin: usize,
    /// Index of its `END` line.
    pub end: usize,
    /// How many components it stands in: 0 for `VCALENDAR`.
    pub depth: usize,
    /// Its properties that say when it was last changed.
    pub(super) stamps: Stamps,
    /// The properties it has.
    pub(super) present: PropertySet,
}

/// The first of each of the properties that say when a component was last changed, by the index of its line. 0 is none:
/// the first line of all is `BEGIN:VCALENDAR`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stamps {
    pub(super) dtstamp: u32,
    pub(super) last_modified: u32,
    pub(super) created: u32,
}

/// A calendar as spans of the text it was read from.
#[derive(Debug)]
pub struct Calendar<'text> {
    pub(super) text: &'text [u8],
    pub(super) body_start: usize,
    pub(super) lines: Vec<Line>,
    pub(super) components: Vec<Component>,
    pub(super) notable: Vec<u32>,
}

impl<'text> Calendar<'text> {
    /// The text it was read from.
    pub fn text(&self) -> &'text [u8] {
        self.text
    }

    /// Where `BEGIN:VCALENDAR` stands: behind a byte order mark and blank lines.
    pub(super) fn body_start(&self) -> usize {
        self.body_start
    }

    /// All logical lines in order, junk and blank ones included.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// All components in the order of their `BEGIN` lines.
    pub fn components(&self) -> &[Component] {
        &self.components
    }

    /// The lines, with their indexes, that mending or presenting may touch: the calendar's own METHOD, name and refresh
    /// interval, all that are no content line, and all whose line ends or folds are not as they should be.
    pub fn notable(&self) -> impl Iterator<Item = (usize, &Line)> {
        self.notable.iter().filter_map(|index| Some((*index as usize, self.lines.get(*index as usize)?)))
    }

    /// The line that a [`Stamps`] names.
    pub(super) fn stamp(&self, index: u32) -> Option<&Line> {
        if index == 0 { None } else { self.lines.get(index as usize) }
    }

    /// How many events, to-dos and journal entries it has: what a reader would miss.
    pub fn entries(&self) -> usize {
        self.components.iter().filter(|component| matches!(component.kind, Kind::Event | Kind::Entry)).count()
    }

    /// The bytes of `line`, folded as they are.
    pub fn raw(&self, line: &Line) -> &'text [u8] {
        self.text.get(line.span()).unwrap_or_default()
    }

    /// The property name of `line` as written; empty for a line whose name has a fold in it or behind it, or that is no
    /// content line.
    pub fn name(&self, line: &Line) -> &'text [u8] {
        self.raw(line).get(..usize::from(line.name_len)).unwrap_or_default()
    }

    /// The value of `line`, with whatever folds are in it, and its span in the text.
    pub(super) fn value(&self, line: &Line) -> (&'text [u8], Range<usize>) {
        let (raw, span) = (self.raw(line), line.span());
        let start = line::value_start(raw, usize::from(line.name_len)).unwrap_or(raw.len());
        (raw.get(start..).unwrap_or_default(), span.start + start..span.end)
    }

    /// Where `component` stands in the text, from its `BEGIN` to behind the line end of its `END`.
    pub fn span_of(&self, component: &Component) -> Range<usize> {
        let start = self.lines.get(component.begin).map_or(self.text.len(), |line| line.span().start);
        start..self.next_start(component.end)
    }

    /// Where the line at `index` stands in the text, with its line end.
    pub fn span_with_end(&self, index: usize) -> Range<usize> {
        let start = self.lines.get(index).map_or(self.text.len(), |line| line.span().start);
        start..self.next_start(index)
    }

    /// Where the line behind `index` begins: the end of this line's line end.
    pub fn next_start(&self, index: usize) -> usize {
        self.lines.get(index + 1).map_or(self.text.len(), |next| next.span().start)
    }

    /// The physical line number, from 1, at which `line` begins.
    pub fn line_number(&self, line: &Line) -> usize {
        line_number(self.text, line.span().start)
    }

    /// How many lines are not UTF-8 even when unfolded. They are kept as they are.
    pub fn broken_characters(&self) -> usize {
        self.lines.iter().filter(|line| line.has(NOT_UTF8)).count()
    }
}

/// The number, from 1, of the physical line that `at` lies in.
pub(super) fn line_number(text: &[u8], at: usize) -> usize {
    memchr::memchr_iter(b'\n', text.get(..at).unwrap_or_default()).count() + 1
}
