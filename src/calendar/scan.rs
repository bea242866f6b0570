//! One linear pass from bytes to spans.
//!
//! Everything hostile is refused here, before any other code sees the text: there is no recursion, no copy of a line,
//! and every count has a cap. (A parser that recurses per `BEGIN:` dies of 1,600 unclosed ones, and a stack overflow
//! takes the whole process with it.)

use std::ops::Range;

use super::line::{self, Property, unfold};
use super::spans::{CUT, Calendar, Component, FOLDED, Kind, LOOSE_END, Line, NOT_UTF8, line_number};

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
        Self { size: 64 << 20, lines: 3_000_000, line: 1 << 20, depth: 8, components: 400_000, properties: 20_000 }
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
            _ => self.property(),
        }
    }

    fn property(&mut self) -> Result<(), Malformed> {
        if let Some(open) = self.open.last_mut() {
            open.properties += 1;
            return within(open.properties, self.limits.properties, "properties in one component");
        }
        // Text around the calendar: no client reads it, and it is no part of one.
        if let Some(line) = self.lines.last_mut() {
            line.property = Property::Junk;
        }
        Ok(())
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
    let usual =
        ["VCALENDAR", "VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VTIMEZONE", "VALARM", "STANDARD", "DAYLIGHT"];
    usual.into_iter().find(|usual| name.eq_ignore_ascii_case(usual.as_bytes())).unwrap_or("a component")
}
