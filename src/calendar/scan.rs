//! One linear pass from bytes to spans.
//!
//! Everything hostile is refused here, before any other code sees the text: there is no recursion, no copy of a line,
//! and every count has a cap. (A parser that recurses per `BEGIN:` dies of 1,600 unclosed ones, and a stack overflow
//! takes the whole process with it.)

use std::ops::Range;

use super::line::{self, Property, unfold};

/// How much of a calendar is looked at before it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole text.
    pub size: usize,
    /// Content lines.
    pub lines: usize,
    /// Bytes of one content line with its folds.
    pub line: usize,
    /// Components open inside one another; a real calendar has four at most.
    pub depth: usize,
    /// Components in all.
    pub components: usize,
    /// Properties of one component, without its inner components'.
    pub properties: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            size: 64 << 20,
            lines: 3_000_000,
            line: 1 << 20,
            depth: 8,
            components: 400_000,
            properties: 20_000,
        }
    }
}

/// Why a text is not taken for a calendar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The first line that is not blank is not `BEGIN:VCALENDAR`.
    #[error("it does not begin with BEGIN:VCALENDAR")]
    NotCalendar,
    /// The text ends inside a component.
    #[error("it ends inside {inside}, as if it had been cut off")]
    Truncated {
        /// The innermost component still open, if it is one of the usual ones: nothing of the text itself is repeated.
        inside: &'static str,
    },
    /// An `END` that does not close the component it stands in, or a component outside `VCALENDAR`.
    #[error("BEGIN and END do not match at line {line}")]
    Unbalanced {
        /// Line in the text, from 1, each physical line counted.
        line: usize,
    },
    /// Most text beyond ASCII is not UTF-8, or the text is UTF-16.
    #[error("its text is not UTF-8")]
    WrongCharset,
    /// One of [`Limits`] was passed.
    #[error("it has more than {limit} {what}")]
    TooMuch {
        /// What there is too much of, in words.
        what: &'static str,
        /// The limit in force.
        limit: usize,
    },
}

/// One logical content line: where it stands, and what the scan saw on its way.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    start: u32,
    end: u32,
    name_len: u16,
    property: Property,
    flags: u8,
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
    fn of(name: &[u8]) -> Self {
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
}

/// A calendar as spans of the text it was read from.
#[derive(Debug)]
pub struct Calendar<'text> {
    text: &'text [u8],
    body_start: usize,
    lines: Vec<Line>,
    components: Vec<Component>,
}

impl<'text> Calendar<'text> {
    /// Reads `text` in one pass, within `limits`.
    ///
    /// # Errors
    /// [`Malformed`] says why the text is no calendar, or not a whole one. Lines that are no content line are not an
    /// error: they are kept as [`Property::Junk`].
    pub fn scan(text: &'text [u8], limits: &Limits) -> Result<Self, Malformed> {
        let body_start = body_start(text)?;
        within(text.len(), limits.size.min(u32::MAX as usize), "bytes")?;
        let mut scan = Scan {
            text,
            limits,
            utf8: simdutf8::basic::from_utf8(text).is_ok(),
            // A real line has some 40 bytes; a wrong guess costs one reallocation.
            lines: Vec::with_capacity((text.len() / 40).min(limits.lines)),
            components: Vec::new(),
            open: Vec::new(),
            beyond_ascii: 0,
            not_utf8: 0,
        };
        scan.run(body_start)?;
        Ok(Self { text, body_start, lines: scan.lines, components: scan.components })
    }

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

    /// How many events, to-dos and journal entries it has: what a reader would miss.
    pub fn entries(&self) -> usize {
        self.components.iter().filter(|component| matches!(component.kind, Kind::Event | Kind::Entry)).count()
    }

    /// The bytes of `line`, folded as they are.
    pub fn raw(&self, line: &Line) -> &'text [u8] {
        self.text.get(line.span()).unwrap_or_default()
    }

    /// The property name of `line` as written; empty for a line whose name is folded, or that is no content line.
    pub fn name(&self, line: &Line) -> &'text [u8] {
        self.raw(line).get(..usize::from(line.name_len)).unwrap_or_default()
    }

    /// The value of `line` and its span in the text, if the line is not folded.
    pub(super) fn plain_value(&self, line: &Line) -> Option<(&'text [u8], Range<usize>)> {
        if line.has(FOLDED) {
            return None;
        }
        let raw = self.raw(line);
        let start = line::value_start(raw, usize::from(line.name_len))?;
        Some((raw.get(start..)?, line.span().start + start..line.span().end))
    }

    /// Where the line behind `index` begins: the end of this line's line end.
    pub fn next_start(&self, index: usize) -> usize {
        self.lines.get(index + 1).map_or(self.text.len(), |next| next.span().start)
    }

    /// The lines of `component` itself, between `BEGIN` and `END`, without its inner components'.
    pub fn properties(&self, component: &Component) -> impl Iterator<Item = (usize, &Line)> {
        let mut inner = 0usize;
        (component.begin + 1..component.end).filter_map(move |index| {
            let line = self.lines.get(index)?;
            match line.property {
                Property::Begin => inner += 1,
                Property::End => inner = inner.saturating_sub(1),
                _ if inner == 0 => return Some((index, line)),
                _ => {}
            }
            None
        })
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

fn line_number(text: &[u8], at: usize) -> usize {
    memchr::memchr_iter(b'\n', text.get(..at).unwrap_or_default()).count() + 1
}

fn within(count: usize, limit: usize, what: &'static str) -> Result<(), Malformed> {
    if count > limit { Err(Malformed::TooMuch { what, limit }) } else { Ok(()) }
}

/// Skips a byte order mark and blank lines. iOS compares the first 15 bytes literally, so nothing else is forgiven.
fn body_start(text: &[u8]) -> Result<usize, Malformed> {
    // UTF-16, with a byte order mark or without.
    if [&b"\xFF\xFE"[..], b"\xFE\xFF", b"B\0", b"\0B"].iter().any(|start| text.starts_with(start)) {
        return Err(Malformed::WrongCharset);
    }
    let without_mark = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    let body = without_mark.trim_ascii_start();
    let begins = body.get(..15).is_some_and(|head| head == b"BEGIN:VCALENDAR");
    let ends_line = body.get(15..).is_some_and(|rest| rest.trim_ascii_start().len() < rest.len());
    if begins && ends_line { Ok(text.len() - body.len()) } else { Err(Malformed::NotCalendar) }
}

/// A component whose `END` has not come yet.
struct Open {
    component: usize,
    name: Range<usize>,
    properties: usize,
}

struct Scan<'text, 'limits> {
    text: &'text [u8],
    limits: &'limits Limits,
    /// The whole text is UTF-8, so no line needs a look.
    utf8: bool,
    lines: Vec<Line>,
    components: Vec<Component>,
    open: Vec<Open>,
    beyond_ascii: usize,
    not_utf8: usize,
}

impl Scan<'_, '_> {
    fn run(&mut self, body_start: usize) -> Result<(), Malformed> {
        let mut start = body_start;
        let mut flags = 0u8;
        let rest = self.text.get(body_start..).unwrap_or_default();
        // One iterator over all line ends keeps the vector unit busy; a search per line would start it anew.
        let mut line_ends = memchr::memchr_iter(b'\n', rest).map(|at| body_start + at);
        let mut physical = body_start;
        while physical < self.text.len() {
            let newline = line_ends.next();
            let stop = newline.unwrap_or(self.text.len());
            let returned = stop > physical && self.text.get(stop - 1) == Some(&b'\r');
            let loose = newline.is_none() || !returned;
            let end = if returned { stop - 1 } else { stop };
            flags |= u8::from(loose) * LOOSE_END;
            physical = stop + usize::from(newline.is_some());
            // The next physical line belongs to this one if it begins with a fold.
            if matches!(self.text.get(physical), Some(b' ' | b'\t')) {
                flags |= FOLDED;
                within(physical - start, self.limits.line, "bytes in one line")?;
                continue;
            }
            self.line(start, end, flags)?;
            start = physical;
            flags = 0;
        }
        self.finish()
    }

    fn finish(&self) -> Result<(), Malformed> {
        if let Some(open) = self.open.last() {
            let name = self.text.get(open.name.clone()).unwrap_or_default();
            return Err(Malformed::Truncated { inside: usual_name(name) });
        }
        // A stray broken byte is somebody's typo and stays; a text that is mostly broken is in another charset, and
        // every name in it would come out as rubbish.
        if self.not_utf8 * 2 > self.beyond_ascii { Err(Malformed::WrongCharset) } else { Ok(()) }
    }

    fn line(&mut self, start: usize, end: usize, mut flags: u8) -> Result<(), Malformed> {
        within(end - start, self.limits.line, "bytes in one line")?;
        within(self.lines.len() + 1, self.limits.lines, "lines")?;
        let raw = self.text.get(start..end).unwrap_or_default();
        if !self.utf8 {
            flags |= self.charset(raw);
        }
        let (property, name_len) = classify(raw, flags);
        #[expect(clippy::cast_possible_truncation, reason = "scan() refuses texts beyond u32 offsets")]
        self.lines.push(Line { start: start as u32, end: end as u32, name_len, property, flags });
        match property {
            Property::Begin => self.begin(start, end, name_len),
            Property::End => self.end(start, end, name_len),
            Property::Junk | Property::Blank => Ok(()),
            _ => match self.open.last_mut() {
                Some(open) => {
                    open.properties += 1;
                    within(open.properties, self.limits.properties, "properties in one component")
                }
                // Text around the calendar: no client reads it, and it is no part of one.
                None => {
                    if let Some(line) = self.lines.last_mut() {
                        line.property = Property::Junk;
                    }
                    Ok(())
                }
            },
        }
    }

    fn charset(&mut self, raw: &[u8]) -> u8 {
        if raw.is_ascii() {
            return 0;
        }
        self.beyond_ascii += 1;
        if std::str::from_utf8(raw).is_ok() {
            0
        } else if std::str::from_utf8(&unfold(raw)).is_ok() {
            CUT
        } else {
            self.not_utf8 += 1;
            NOT_UTF8
        }
    }

    fn begin(&mut self, start: usize, end: usize, name_len: u16) -> Result<(), Malformed> {
        let name = self.component_name(start, end, name_len);
        let kind = Kind::of(self.text.get(name.clone()).unwrap_or_default());
        let depth = self.open.len();
        if (depth == 0) != (kind == Kind::Calendar) {
            return Err(self.unbalanced(start));
        }
        within(depth + 1, self.limits.depth, "components inside one another")?;
        within(self.components.len() + 1, self.limits.components, "components")?;
        let begin = self.lines.len() - 1;
        self.open.push(Open { component: self.components.len(), name, properties: 0 });
        self.components.push(Component { kind, begin, end: begin, depth });
        Ok(())
    }

    fn end(&mut self, start: usize, end: usize, name_len: u16) -> Result<(), Malformed> {
        let name = self.component_name(start, end, name_len);
        let name = self.text.get(name).unwrap_or_default();
        let Some(open) = self.open.pop() else { return Err(self.unbalanced(start)) };
        if !self.text.get(open.name).unwrap_or_default().eq_ignore_ascii_case(name) {
            return Err(self.unbalanced(start));
        }
        if let Some(component) = self.components.get_mut(open.component) {
            component.end = self.lines.len() - 1;
        }
        Ok(())
    }

    /// The span of the component's name in a `BEGIN` or `END` line; white space around it is no part of it.
    fn component_name(&self, start: usize, end: usize, name_len: u16) -> Range<usize> {
        let value = start + usize::from(name_len) + 1;
        let text = self.text.get(value..end).unwrap_or_default();
        let lead = text.len() - text.trim_ascii_start().len();
        value + lead..value + lead + text.trim_ascii().len()
    }

    fn unbalanced(&self, at: usize) -> Malformed {
        Malformed::Unbalanced { line: line_number(self.text, at) }
    }
}

/// What kind of line `raw` is, and how long its name is where the name lies before any fold.
fn classify(raw: &[u8], flags: u8) -> (Property, u16) {
    if let Some(name_end) = line::name_end(raw) {
        let Ok(name_len) = u16::try_from(name_end) else { return (Property::Junk, 0) };
        let property = Property::of(raw.get(..name_end).unwrap_or_default());
        return (property, name_len);
    }
    if raw.trim_ascii().is_empty() {
        return (Property::Blank, 0);
    }
    // The fold may lie inside the name or the parameters' quotes.
    if flags & FOLDED != 0 && line::name_end(&unfold(raw)).is_some() {
        return (Property::Other, 0);
    }
    (Property::Junk, 0)
}

fn usual_name(name: &[u8]) -> &'static str {
    let usual = ["VCALENDAR", "VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VTIMEZONE", "VALARM", "STANDARD", "DAYLIGHT"];
    usual.into_iter().find(|usual| name.eq_ignore_ascii_case(usual.as_bytes())).unwrap_or("a component")
}
