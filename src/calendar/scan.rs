//! One linear pass from bytes to spans.
//!
//! Everything hostile is refused here, before any other code sees the text: there is no recursion, no copy of a line,
//! and every count has a cap. (A parser that recurses per `BEGIN:` dies of 1,600 unclosed ones, and a stack overflow
//! takes the whole process with it.)

use std::borrow::Cow;

use super::line::{self, unfold};
use super::property::{Property, PropertySet};
use super::spans::{CUT, Calendar, Component, FOLDED, Kind, LOOSE_END, Line, NOT_UTF8, Stamps, line_number};

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
    /// Whether a text is refused that is mostly not UTF-8. Of a text that has passed, mending may leave the worse half.
    pub charset: bool,
}

impl Limits {
    /// For text that has passed the limits before: a copy that is held is never refused because they have changed.
    pub const NONE: Self = Self {
        size: usize::MAX,
        lines: usize::MAX,
        line: usize::MAX,
        depth: usize::MAX,
        components: usize::MAX,
        properties: usize::MAX,
        charset: false,
    };
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
            charset: true,
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
            notable: Vec::new(),
            open: Vec::new(),
            beyond_ascii: 0,
            not_utf8: 0,
            loose: 0,
            blank: (0, false),
        };
        scan.run(body_start)?;
        Ok(Self { text, body_start, lines: scan.lines, components: scan.components, notable: scan.notable })
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
struct Open<'text> {
    component: usize,
    name: Cow<'text, [u8]>,
    properties: usize,
    stamps: Stamps,
    present: PropertySet,
}

/// Whether `property` is read and written by this program as the calendar's own.
fn is_of_calendar(property: Property) -> bool {
    matches!(
        property,
        Property::Method
            | Property::Name
            | Property::XWrCalname
            | Property::XWrCaldesc
            | Property::XWrTimezone
            | Property::XAppleCalendarColor
            | Property::RefreshInterval
            | Property::XPublishedTtl
    )
}

struct Scan<'text, 'limits> {
    text: &'text [u8],
    limits: &'limits Limits,
    /// The whole text is UTF-8, so no line needs a look.
    utf8: bool,
    lines: Vec<Line>,
    components: Vec<Component>,
    notable: Vec<u32>,
    open: Vec<Open<'text>>,
    beyond_ascii: usize,
    not_utf8: usize,
    /// Line ends that are not CRLF: by so much the text grows when it is mended.
    loose: usize,
    /// Where the latest run of empty lines ends, and whether what is behind it goes on with what was before.
    blank: (usize, bool),
}

impl<'text> Scan<'text, '_> {
    fn run(&mut self, body_start: usize) -> Result<(), Malformed> {
        let (mut start, mut physical) = (body_start, body_start);
        let (mut flags, mut loose_folds) = (0u8, 0);
        let rest = self.text.get(body_start..).unwrap_or_default();
        // One iterator over all line ends keeps the vector unit busy; a search per line would start it anew.
        let mut line_ends = memchr::memchr_iter(b'\n', rest).map(|at| body_start + at);
        while physical < self.text.len() {
            let newline = line_ends.next();
            let stop = newline.unwrap_or(self.text.len());
            let mut end = stop;
            while end > physical && self.text.get(end - 1) == Some(&b'\r') {
                end -= 1;
            }
            let loose = newline.is_none() || stop - end != 1;
            flags |= u8::from(loose) * LOOSE_END;
            physical = stop + usize::from(newline.is_some());
            // The next physical line belongs to this one if it begins with a fold.
            if matches!(self.text.get(physical), Some(b' ' | b'\t')) || self.blank_before_fold(physical) {
                flags |= FOLDED;
                loose_folds += usize::from(loose);
                continue;
            }
            self.loose += usize::from(loose);
            // Counted as it will be when it is mended.
            within(end - start + loose_folds, self.limits.line, "bytes in one line")?;
            self.line(start, end, flags)?;
            self.loose += loose_folds;
            (start, flags, loose_folds) = (physical, 0, 0);
        }
        self.finish()
    }

    /// Whether an empty line stands at `at` and, behind it or more of them, a fold with something in it: that goes on with
    /// what was before. Empty lines are passed one by one, and what is behind them is looked for once.
    fn blank_before_fold(&mut self, at: usize) -> bool {
        if !matches!(self.text.get(at), Some(b'\r' | b'\n')) {
            return false;
        }
        if at >= self.blank.0 {
            let rest = self.text.get(at..).unwrap_or_default();
            let first = rest.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(rest.len());
            let fold = rest.get(first..).unwrap_or_default();
            let fold = fold.split(|byte| *byte == b'\n').next().unwrap_or_default();
            let goes_on = matches!(fold.first(), Some(b' ' | b'\t')) && !fold.trim_ascii().is_empty();
            self.blank = (at + first, goes_on);
        }
        self.blank.1
    }

    fn finish(&self) -> Result<(), Malformed> {
        if let Some(open) = self.open.last() {
            return Err(Malformed::Truncated { inside: usual_name(&open.name) });
        }
        within(self.text.len() + self.loose, self.limits.size, "bytes")?;
        // A stray broken byte is somebody's typo and stays; a text that is mostly broken is in another charset, and
        // every name in it would come out as rubbish.
        if self.limits.charset && self.not_utf8 * 2 > self.beyond_ascii { Err(Malformed::WrongCharset) } else { Ok(()) }
    }

    fn line(&mut self, start: usize, end: usize, mut flags: u8) -> Result<(), Malformed> {
        within(self.lines.len() + 1, self.limits.lines, "lines")?;
        let raw = self.text.get(start..end).unwrap_or_default();
        let (property, name_len) = classify(raw, flags);
        let property = self.in_place(property);
        let kept = !matches!(property, Property::Junk | Property::Blank);
        if kept && !self.utf8 {
            flags |= self.charset(raw);
        }
        #[expect(clippy::cast_possible_truncation, reason = "scan() refuses texts beyond u32 offsets")]
        let (index, span) = (self.lines.len() as u32, (start as u32, end as u32));
        if !kept || flags & (LOOSE_END | CUT) != 0 || is_of_calendar(property) {
            self.notable.push(index);
        }
        self.lines.push(Line { start: span.0, end: span.1, name_len, property, flags });
        match property {
            Property::Begin => self.begin(start, component_name(raw)),
            Property::End => self.end(start, &component_name(raw)),
            _ if kept => self.property(property, index),
            _ => Ok(()),
        }
    }

    /// What `property` is where it stands.
    fn in_place(&self, property: Property) -> Property {
        match self.open.len() {
            // Text around the calendar: no client reads it, and it is no part of one.
            0 if !matches!(property, Property::Begin | Property::End | Property::Blank) => Property::Junk,
            // In another component these are others' names for something else.
            depth if depth != 1 && is_of_calendar(property) => Property::Other,
            _ => property,
        }
    }

    fn property(&mut self, property: Property, index: u32) -> Result<(), Malformed> {
        let Some(open) = self.open.last_mut() else { return Ok(()) };
        open.properties += 1;
        within(open.properties, self.limits.properties, "properties in one component")?;
        open.present.add(property);
        let stamp = match property {
            Property::Dtstamp => &mut open.stamps.dtstamp,
            Property::LastModified => &mut open.stamps.last_modified,
            Property::Created => &mut open.stamps.created,
            _ => return Ok(()),
        };
        if *stamp == 0 {
            *stamp = index;
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

    fn begin(&mut self, start: usize, name: Cow<'text, [u8]>) -> Result<(), Malformed> {
        let kind = Kind::of(&name);
        let depth = self.open.len();
        if (depth == 0) != (kind == Kind::Calendar) {
            return Err(self.unbalanced(start));
        }
        within(depth + 1, self.limits.depth, "components inside one another")?;
        within(self.components.len() + 1, self.limits.components, "components")?;
        let begin = self.lines.len() - 1;
        self.open.push(Open {
            component: self.components.len(),
            name,
            properties: 0,
            stamps: Stamps::default(),
            present: PropertySet::default(),
        });
        self.components.push(Component {
            kind,
            begin,
            end: begin,
            depth,
            stamps: Stamps::default(),
            present: PropertySet::default(),
        });
        Ok(())
    }

    fn end(&mut self, start: usize, name: &[u8]) -> Result<(), Malformed> {
        let Some(open) = self.open.pop().filter(|open| open.name.eq_ignore_ascii_case(name)) else {
            return Err(self.unbalanced(start));
        };
        if let Some(component) = self.components.get_mut(open.component) {
            component.end = self.lines.len() - 1;
            component.stamps = open.stamps;
            component.present = open.present;
        }
        Ok(())
    }

    fn unbalanced(&self, at: usize) -> Malformed {
        Malformed::Unbalanced { line: line_number(self.text, at) }
    }
}

/// The component that a `BEGIN` or `END` line names; white space around it is no part of it.
fn component_name(raw: &[u8]) -> Cow<'_, [u8]> {
    let value = |line: &[u8]| line::value_start(line, 0).unwrap_or(line.len());
    match unfold(raw) {
        Cow::Borrowed(line) => Cow::Borrowed(line.get(value(line)..).unwrap_or_default().trim_ascii()),
        Cow::Owned(line) => Cow::Owned(line.get(value(&line)..).unwrap_or_default().trim_ascii().to_vec()),
    }
}

/// What kind of line `raw` is, and how long its name is where no fold stands in it or right behind it.
fn classify(raw: &[u8], flags: u8) -> (Property, u16) {
    if let Some(name_end) = line::name_end(raw) {
        let Ok(name_len) = u16::try_from(name_end) else { return (Property::Junk, 0) };
        return (Property::of(raw.get(..name_end).unwrap_or_default()), name_len);
    }
    if raw.trim_ascii().is_empty() {
        return (Property::Blank, 0);
    }
    // The fold may lie inside the name, before the colon (old Mozilla calendars have one in every line), or inside the
    // parameters' quotes.
    if flags & FOLDED != 0 {
        let unfolded = unfold(raw);
        if let Some(name_end) = line::name_end(&unfolded) {
            return (Property::of(unfolded.get(..name_end).unwrap_or_default()), 0);
        }
    }
    (Property::Junk, 0)
}

fn usual_name(name: &[u8]) -> &'static str {
    let usual =
        ["VCALENDAR", "VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VTIMEZONE", "VALARM", "STANDARD", "DAYLIGHT"];
    usual.into_iter().find(|usual| name.eq_ignore_ascii_case(usual.as_bytes())).unwrap_or("a component")
}

#[cfg(test)]
mod tests;
