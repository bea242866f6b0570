//! What is always put right, and nothing else: a byte order mark or blank lines before the calendar, line ends, folds
//! that cut a character, request-time `DTSTAMP`s, `METHOD`, and lines that are no content line or hold the secret
//! address the calendar came from.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use memchr::memmem;

use super::edit::{Edits, Patch};
use super::line::{self, trim_returns, unfold};
use super::property::Property;
use super::spans::{CUT, Calendar, Component, FOLDED, Kind, LOOSE_END, Line};

/// The edits that mend a calendar, and what they leave out.
#[derive(Debug)]
pub struct Mended {
    /// What comes out differently.
    pub edits: Edits,
    /// Indexes of the lines left out because they are no content line.
    pub junk: Vec<usize>,
    /// Indexes of the lines left out because they hold one of the secrets.
    pub secret: Vec<usize>,
}

/// Says what has to be put right in `calendar`.
///
/// `earlier` is of the mended copy of the same calendar that is being served, if there is one: an event without
/// `LAST-MODIFIED` and `CREATED` keeps the `DTSTAMP` it was first seen with for as long as nothing else in it changes.
/// `secrets` are texts that must not come out; a property line that holds one is left out whole.
pub fn mend(calendar: &Calendar<'_>, earlier: Option<&FirstSeen>, secrets: &[Vec<u8>]) -> Mended {
    let mut mended = Mended { edits: Edits::default(), junk: Vec::new(), secret: Vec::new() };
    if calendar.body_start() > 0 {
        mended.edits.drop(0..calendar.body_start());
    }
    let rewritten = mend_stamps(calendar, earlier, &mut mended.edits);
    mend_lines(calendar, secrets, &rewritten, &mut mended);
    mended
}

/// `rewritten` are the indexes of lines that come out new as a whole.
fn mend_lines(calendar: &Calendar<'_>, secrets: &[Vec<u8>], rewritten: &HashSet<usize>, mended: &mut Mended) {
    for (index, line) in calendar.notable() {
        let whole = line.span().start..calendar.next_start(index);
        match line.property() {
            Property::Junk => {
                mended.junk.push(index);
                mended.edits.drop(whole);
            }
            // With METHOD, DTSTAMP means "when this answer was made" (RFC 5545 §3.8.7.2) and ATTENDEE is forbidden
            // (RFC 5546 §3.2.1); without it, both are right as they stand.
            Property::Method | Property::Blank => mended.edits.drop(whole),
            _ if rewritten.contains(&index) => {}
            _ => mend_ends(calendar, line, whole, &mut mended.edits),
        }
    }
    drop_secrets(calendar, secrets, mended);
}

fn drop_secrets(calendar: &Calendar<'_>, secrets: &[Vec<u8>], mended: &mut Mended) {
    let secrets = Secrets::new(secrets);
    if secrets.finders.is_empty() {
        return;
    }
    for (index, line) in calendar.lines().iter().enumerate() {
        let goes_anyway = matches!(line.property(), Property::Junk | Property::Blank | Property::Method);
        let structure = matches!(line.property(), Property::Begin | Property::End);
        if !goes_anyway && !structure && secrets.in_line(calendar.raw(line), line.has(FOLDED)) {
            mended.secret.push(index);
            mended.edits.drop(line.span().start..calendar.next_start(index));
        }
    }
}

/// Line ends and folds of one line that stays.
fn mend_ends(calendar: &Calendar<'_>, line: &Line, whole: Range<usize>, edits: &mut Edits) {
    if line.has(CUT) {
        let mut folded = Vec::with_capacity(whole.len() + 8);
        line::fold(&unfold(calendar.raw(line)), &mut folded);
        edits.replace(whole, Patch::Text(folded));
    } else if line.has(LOOSE_END) {
        let text = calendar.text();
        let mut from = line.span().start;
        for newline in memchr::memchr_iter(b'\n', text.get(whole.clone()).unwrap_or_default()) {
            let at = whole.start + newline;
            let end = from + trim_returns(text.get(from..at).unwrap_or_default()).len();
            if end == from {
                // An empty line before a fold.
                edits.drop(from..at + 1);
            } else if at - end != 1 {
                edits.replace(end..at + 1, Patch::LineEnd);
            }
            from = at + 1;
        }
        // The last line of a text may have no line end at all, or half of one.
        if from < whole.end {
            edits.replace(line.span().end..whole.end, Patch::LineEnd);
        }
    }
}

/// Returns the indexes of the lines that it writes anew as a whole.
fn mend_stamps(calendar: &Calendar<'_>, earlier: Option<&FirstSeen>, edits: &mut Edits) -> HashSet<usize> {
    let mut rewritten = HashSet::new();
    for component in calendar.components() {
        if !matches!(component.kind, Kind::Event | Kind::Entry) {
            continue;
        }
        let Some(line) = calendar.stamp(component.stamps.dtstamp) else { continue };
        let index = component.stamps.dtstamp as usize;
        let now = Value::of(calendar, line);
        let time = if let Some(revised) = revised(calendar, component) {
            now.later_than(&revised).then(|| revised.patch())
        } else {
            let seen = earlier.and_then(|earlier| earlier.stamp(calendar, component));
            seen.filter(|seen| **seen != *now.text).map(|seen| Patch::Text(seen.to_vec()))
        };
        let Some(time) = time else { continue };
        // Nearly always the time stands alone on its line, and only the time is replaced.
        if now.span.start == line.span().start + calendar.name(line).len() + 1 && !line.has(FOLDED) {
            edits.replace(now.span, time);
        } else {
            let whole = line.span().start..calendar.next_start(index);
            edits.replace(whole, Patch::Text(restamped(calendar, line, time.bytes(calendar.text()))));
            rewritten.insert(index);
        }
    }
    rewritten
}

/// The line with another time. Parameters that speak of the old one go: a time in UTC has no zone and is no date.
fn restamped(calendar: &Calendar<'_>, line: &Line, time: &[u8]) -> Vec<u8> {
    let unfolded = unfold(calendar.raw(line));
    let head = unfolded.get(..line::value_start(&unfolded, 0).unwrap_or_default()).unwrap_or_default();
    let lower = head.to_ascii_lowercase();
    let contradicts =
        [&b";tzid="[..], b";value=date;", b";value=date:"].iter().any(|of| memmem::find(&lower, of).is_some());
    let name_len = head.iter().position(|byte| matches!(byte, b';' | b':')).unwrap_or(head.len());
    let mut new = if contradicts { [head.get(..name_len).unwrap_or_default(), b":"].concat() } else { head.to_vec() };
    new.extend_from_slice(time);
    let mut folded = Vec::with_capacity(new.len() + 8);
    line::fold(&new, &mut folded);
    folded
}

/// The time of the last revision as the calendar itself tells it: LAST-MODIFIED, else CREATED.
fn revised<'text>(calendar: &Calendar<'text>, component: &Component) -> Option<Value<'text>> {
    [component.stamps.last_modified, component.stamps.created]
        .into_iter()
        .filter_map(|index| calendar.stamp(index))
        .map(|line| Value::of(calendar, line))
        .find(|value| is_utc_time(&value.text))
}

impl Calendar<'_> {
    /// Whether any entry has a DTSTAMP but neither LAST-MODIFIED nor CREATED, as Outlook's have.
    pub fn has_undated_entries(&self) -> bool {
        let mut entries = self.components().iter().filter(|entry| matches!(entry.kind, Kind::Event | Kind::Entry));
        entries.any(|entry| entry.stamps.dtstamp != 0 && revised(self, entry).is_none())
    }
}

/// A property's value, unfolded and unparsed, and where it stands.
struct Value<'text> {
    text: Cow<'text, [u8]>,
    span: Range<usize>,
}

impl<'text> Value<'text> {
    fn of(calendar: &Calendar<'text>, line: &Line) -> Self {
        let (raw, span) = calendar.value(line);
        Self { text: unfold(raw), span }
    }

    /// What puts it in another place.
    fn patch(self) -> Patch {
        match self.text {
            Cow::Borrowed(_) => Patch::Copy(self.span),
            Cow::Owned(unfolded) => Patch::Text(unfolded),
        }
    }

    /// `YYYYMMDDTHHMMSSZ` sorts as text. A stamp of another form cannot be compared, and counts as made on request.
    fn later_than(&self, revised: &Value<'_>) -> bool {
        !is_utc_time(&self.text) || self.text > revised.text
    }
}

fn is_utc_time(text: &[u8]) -> bool {
    text.len() == 16
        && text.iter().enumerate().all(|(at, byte)| match at {
            8 => *byte == b'T',
            15 => *byte == b'Z',
            _ => byte.is_ascii_digit(),
        })
}

/// The stamps of a copy by what else stands in their events. It holds nothing of the copy's text.
#[derive(Debug)]
pub struct FirstSeen(HashMap<[u8; 16], Box<[u8]>>);

impl FirstSeen {
    /// The stamps of `earlier`.
    pub fn of(earlier: &Calendar<'_>) -> Self {
        let entries = earlier.components().iter().filter(|entry| matches!(entry.kind, Kind::Event | Kind::Entry));
        let stamps = entries.filter_map(|entry| {
            let dtstamp = earlier.stamp(entry.stamps.dtstamp)?;
            Some((content(earlier, entry), Value::of(earlier, dtstamp).text.into()))
        });
        Self(stamps.collect())
    }

    fn stamp(&self, calendar: &Calendar<'_>, component: &Component) -> Option<&[u8]> {
        self.0.get(&content(calendar, component)).map(|stamp| &**stamp)
    }
}

/// A digest of everything in `component` but its DTSTAMP, as it reads after mending.
fn content(calendar: &Calendar<'_>, component: &Component) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    for line in calendar.lines().get(component.begin..=component.end).unwrap_or_default() {
        if !matches!(line.property(), Property::Dtstamp | Property::Junk | Property::Blank) {
            hasher.update(&unfold(calendar.raw(line)));
            hasher.update(b"\n");
        }
    }
    let mut half = [0; 16];
    hasher.finalize_xof().fill(&mut half);
    half
}

/// Looks for texts that must not come out.
struct Secrets<'a> {
    finders: Vec<memmem::Finder<'a>>,
}

impl<'a> Secrets<'a> {
    fn new(secrets: &'a [Vec<u8>]) -> Self {
        Self { finders: secrets.iter().filter(|secret| !secret.is_empty()).map(memmem::Finder::new).collect() }
    }

    fn in_line(&self, raw: &[u8], folded: bool) -> bool {
        let Some(shortest) = self.finders.iter().map(|finder| finder.needle().len()).min() else { return false };
        if raw.len() < shortest {
            return false;
        }
        let found = |text: &[u8]| self.finders.iter().any(|finder| finder.find(text).is_some());
        if folded { found(&unfold(raw)) } else { found(raw) }
    }
}
