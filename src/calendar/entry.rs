//! One event, to-do or journal entry with its own properties: what stands in it, without what stands in its alarms.

use std::borrow::Cow;
use std::ops::Range;

use super::line::{ContentLine, unescape_text};
use super::property::Property;
use super::spans::{Calendar, Component, Kind, Line};

/// A component of a calendar, to be read.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a, 'text> {
    calendar: &'a Calendar<'text>,
    component: &'a Component,
}

impl<'text> Calendar<'text> {
    /// The events, to-dos, journal and free-busy entries, in their order.
    pub fn entry_list(&self) -> impl Iterator<Item = Entry<'_, 'text>> {
        let entries = self.components().iter().filter(|component| component.depth == 1);
        entries
            .filter(|component| matches!(component.kind, Kind::Event | Kind::Entry))
            .map(|component| Entry { calendar: self, component })
    }
}

impl<'a, 'text> Entry<'a, 'text> {
    /// `component` of `calendar`.
    pub fn new(calendar: &'a Calendar<'text>, component: &'a Component) -> Self {
        Self { calendar, component }
    }

    /// The calendar it stands in.
    pub fn calendar(&self) -> &'a Calendar<'text> {
        self.calendar
    }

    /// Whether it is a `VEVENT`.
    pub fn is_event(&self) -> bool {
        self.component.kind == Kind::Event
    }

    /// Its own content lines with their indexes, in order: without `BEGIN`, `END` and inner components.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &'a Line)> + use<'a, 'text> {
        self.lines_if(true)
    }

    fn lines_if(&self, wanted: bool) -> impl Iterator<Item = (usize, &'a Line)> + use<'a, 'text> {
        let (first, calendar) = (self.component.begin + 1, self.calendar);
        let end = if wanted { self.component.end } else { first };
        let lines = calendar.lines().get(first..end).unwrap_or_default();
        let mut depth = 0u32;
        lines.iter().enumerate().filter_map(move |(at, line)| {
            match line.property() {
                Property::Begin => depth += 1,
                Property::End => depth = depth.saturating_sub(1),
                Property::Junk | Property::Blank => {}
                _ if depth == 0 => return Some((first + at, line)),
                _ => {}
            }
            None
        })
    }

    /// The lines of `property`, with their indexes.
    pub fn all(&self, property: Property) -> impl Iterator<Item = (usize, &'a Line)> + use<'a, 'text> {
        self.lines_if(self.component.present.has(property)).filter(move |(_, line)| line.property() == property)
    }

    /// The first line of `property`.
    pub fn first(&self, property: Property) -> Option<&'a Line> {
        // Whatever stands in an alarm stands behind the entry's own lines nearly always; the filter makes it always.
        self.all(property).map(|(_, line)| line).next()
    }

    /// The first line of `property` in its parts.
    pub fn content(&self, property: Property) -> Option<ContentLine<'text>> {
        self.first(property).map(|line| ContentLine::of(self.calendar, line))
    }

    /// The value of `property` as the text it stands for; empty if there is none.
    pub fn text(&self, property: Property) -> Cow<'text, str> {
        self.first(property).map_or(Cow::Borrowed(""), |line| self.text_of(line))
    }

    /// The value of `line`, one of its own, as the text it stands for.
    pub fn text_of(&self, line: &Line) -> Cow<'text, str> {
        let raw = self.calendar.value(line).0;
        // Nearly always there is nothing to unfold or unescape.
        match std::str::from_utf8(raw) {
            Ok(plain) if memchr::memchr2(b'\\', b'\n', raw).is_none() => Cow::Borrowed(plain),
            _ => {
                let unfolded = super::line::unfold(raw);
                let text = String::from_utf8(unfolded.into_owned());
                let text = text.unwrap_or_else(|broken| String::from_utf8_lossy(broken.as_bytes()).into_owned());
                Cow::Owned(if text.contains('\\') { unescape_text(&text) } else { text })
            }
        }
    }

    /// Whether `line`, one of its own, is called `name`, in any case.
    pub fn is_called(&self, line: &Line, name: &[u8]) -> bool {
        match self.calendar.name(line) {
            // A fold stands in it or right behind it.
            b"" => ContentLine::of(self.calendar, line).name().eq_ignore_ascii_case(name),
            written => written.eq_ignore_ascii_case(name),
        }
    }

    /// The value of `property` without folds, not unescaped; `None` if there is none.
    pub fn value(&self, property: Property) -> Option<Cow<'text, [u8]>> {
        Some(super::line::unfold(self.calendar.value(self.first(property)?).0))
    }

    /// `UID`, not unescaped.
    pub fn uid(&self) -> Option<Cow<'text, [u8]>> {
        self.value(Property::Uid)
    }

    /// Its inner components, alarms for the most part.
    pub fn inner(&self) -> impl Iterator<Item = &'a Component> + use<'a, 'text> {
        let (calendar, outer) = (self.calendar, *self.component);
        let begins = calendar.components();
        let from = begins.partition_point(|component| component.begin <= outer.begin);
        let rest = begins.get(from..).unwrap_or_default();
        rest.iter().take_while(move |inner| inner.begin < outer.end).filter(move |inner| inner.depth == outer.depth + 1)
    }

    /// The name of the inner component `inner`, as written.
    pub fn inner_name(&self, inner: &Component) -> Vec<u8> {
        let line = self.calendar.lines().get(inner.begin);
        line.map(|line| ContentLine::of(self.calendar, line).value().trim_ascii().to_vec()).unwrap_or_default()
    }

    /// Where it stands in the text, from `BEGIN` to behind the line end of `END`.
    pub fn span(&self) -> Range<usize> {
        self.calendar.span_of(self.component)
    }

    /// Where a new property belongs: behind its own lines, before its first inner component or its end.
    pub fn end_of_properties(&self) -> usize {
        let behind = self.inner().next().map_or(self.component.end, |inner| inner.begin);
        self.calendar.lines().get(behind).map_or(0, |line| line.span().start)
    }

    /// Where a new inner component belongs: before its end.
    pub fn end_of_components(&self) -> usize {
        self.calendar.lines().get(self.component.end).map_or(0, |line| line.span().start)
    }
}
