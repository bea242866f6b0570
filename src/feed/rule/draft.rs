//! What is going to be different about one event. Rules write into a draft; it is carried out once, at the end, and
//! touches the lines it names and no others.

use std::borrow::Cow;

use chrono::Duration;
use chrono_tz::Tz;

use super::action::Strip;
use super::alarm::Alarm;
use super::field::Field;
use super::times::{Times, exdate, moved_rule};
use crate::calendar::{Component, ContentLine, Edits, Entry, Line, Patch, Property, fold};

/// The pending changes of one event.
#[derive(Debug, Default, Clone)]
pub struct Draft {
    texts: Vec<(Field, Vec<Text>)>,
    stripped: Vec<Strip>,
    busy: bool,
    clear_alarms: bool,
    alarms: Vec<Alarm>,
    /// How its times move.
    pub times: Times,
    /// How the times of the series move that it is an instance of; `None` if as its own do.
    pub series_times: Option<Times>,
    /// The UID must not come out as it is.
    pub hash_uid: bool,
    /// Another UID.
    pub uid: Option<Vec<u8>>,
    /// Property lines that come beside those there are.
    appended: Vec<u8>,
    /// Whole lines in the place of others, by index.
    pub lines: Vec<(usize, Vec<u8>)>,
    /// RECURRENCE-IDs of instances that are gone from the series.
    pub gone: Vec<ContentLine<'static>>,
    /// The last moment of the series, as UNTIL has it.
    pub until: Option<String>,
}

#[derive(Debug, Clone)]
struct Text {
    text: String,
    /// The name and parameters that its line had.
    head: Option<Vec<u8>>,
}

impl Draft {
    /// Nothing is going to be different.
    pub fn is_empty(&self) -> bool {
        let same = self.texts.is_empty() && self.stripped.is_empty() && self.lines.is_empty() && self.gone.is_empty();
        let same = same && !self.busy && !self.clear_alarms && self.alarms.is_empty() && self.uid.is_none();
        same && self.until.is_none() && !self.hash_uid && self.appended.is_empty() && self.times == Times::default() && self.series_times.is_none()
    }

    /// Nothing but that somebody is busy is left.
    pub fn is_busy(&self) -> bool {
        self.busy
    }

    /// Leaves only times and `title`. Alarms go, since their words tell as much as the event's.
    pub fn make_busy(&mut self, title: &str) {
        (self.busy, self.clear_alarms) = (true, true);
        self.alarms.clear();
        self.stripped.clear();
        self.appended.clear();
        self.lines.clear();
        self.texts = vec![(Field::SUMMARY, vec![Text { text: title.to_owned(), head: None }])];
    }

    /// What stands in `field` now.
    pub fn texts(&self, entry: &Entry<'_, '_>, field: &Field) -> Vec<String> {
        self.now(entry, field).into_iter().map(Cow::into_owned).collect()
    }

    fn now<'a>(&'a self, entry: &Entry<'_, 'a>, field: &Field) -> Vec<Cow<'a, str>> {
        if let Some((_, texts)) = self.texts.iter().find(|(known, _)| known == field) {
            return texts.iter().map(|text| Cow::Borrowed(text.text.as_str())).collect();
        }
        if self.busy || self.strips(field.name().as_bytes()) {
            return Vec::new();
        }
        field.texts(entry)
    }

    /// The first text of `field` now; empty if there is none.
    pub fn text<'a>(&'a self, entry: &Entry<'_, 'a>, field: &Field) -> Cow<'a, str> {
        self.now(entry, field).into_iter().next().unwrap_or_default()
    }

    /// Gives `field` these texts, and no others. Empty texts alone take it out.
    pub fn set(&mut self, field: &Field, texts: Vec<String>) {
        let texts = texts.into_iter().filter(|text| !text.is_empty()).map(|text| Text { text, head: None }).collect();
        self.put(field, texts);
    }

    /// Changes each text of `field` for which `change` has another. Parameters of the line stay, but for those that
    /// lead to the old text.
    pub fn change_each(&mut self, entry: &Entry<'_, '_>, field: &Field, mut change: impl FnMut(&str) -> Option<String>) {
        let now = self.texts(entry, field);
        let changed: Vec<_> = now.iter().map(|text| change(text)).collect();
        if changed.iter().all(Option::is_none) {
            return;
        }
        let mut heads = self.heads(entry, field, now.len()).into_iter();
        let texts = now.into_iter().zip(changed).map(|(old, new)| Text {
            text: new.unwrap_or(old),
            head: heads.next().flatten(),
        });
        let texts = texts.collect();
        self.put(field, texts);
    }

    /// Changes the title, be there one or not.
    pub fn change_title(&mut self, entry: &Entry<'_, '_>, change: impl Fn(&str) -> String) {
        let text = change(&self.text(entry, &Field::SUMMARY));
        let head = self.heads(entry, &Field::SUMMARY, 1).pop().flatten();
        self.put(&Field::SUMMARY, vec![Text { text, head }]);
    }

    /// Takes out what `strips` name.
    pub fn strip(&mut self, strips: &[Strip]) {
        self.texts.retain(|(field, _)| !strips.iter().any(|strip| strip.means(field.name().as_bytes())));
        self.stripped.extend_from_slice(strips);
        if strips.iter().any(|strip| strip.means(b"VALARM")) {
            self.clear_alarms();
        }
    }

    /// Takes every alarm out, those that were added too.
    pub fn clear_alarms(&mut self) {
        self.clear_alarms = true;
        self.alarms.clear();
    }

    /// Adds these alarms.
    pub fn add_alarms(&mut self, alarms: &[Alarm]) {
        let new = alarms.iter().filter(|alarm| !self.alarms.contains(alarm)).cloned().collect::<Vec<_>>();
        self.alarms.extend(new);
    }

    /// Whether it is going to have an alarm.
    pub fn has_alarm(&self, entry: &Entry<'_, '_>) -> bool {
        !self.alarms.is_empty() || !self.clear_alarms && entry.inner().any(|inner| is_alarm(entry, inner))
    }

    /// Adds a CONFERENCE (RFC 7986 §5.11) beside those there are.
    pub fn add_conference(&mut self, link: &str) {
        let head = b"CONFERENCE;VALUE=URI;FEATURE=AUDIO,VIDEO";
        Field::CONFERENCE.line(Some(head), [link], &mut self.appended);
    }

    /// Moves it in time.
    pub fn shift(&mut self, by: Duration) {
        self.times.shift = self.times.shift.checked_add(&by).unwrap_or(by);
    }

    /// Says where its floating times are, unless that has been said.
    pub fn pin(&mut self, zone: Tz) {
        self.times.pin = self.times.pin.or(Some(zone));
    }

    fn put(&mut self, field: &Field, texts: Vec<Text>) {
        match self.texts.iter_mut().find(|(known, _)| known == field) {
            Some((_, old)) => *old = texts,
            None => self.texts.push((field.clone(), texts)),
        }
    }

    fn heads(&self, entry: &Entry<'_, '_>, field: &Field, texts: usize) -> Vec<Option<Vec<u8>>> {
        if let Some((_, old)) = self.texts.iter().find(|(known, _)| known == field) {
            return old.iter().map(|text| text.head.clone()).collect();
        }
        // The other representation is that of the old text. A bare name needs no keeping.
        let head = |line: ContentLine<'_>| {
            let keep = line.head().len() > line.name().len() && line.parameter("ALTREP").is_none();
            keep.then(|| line.head().to_vec())
        };
        let heads: Vec<_> = field.find(entry).map(|(_, line)| head(line)).collect();
        // A list's texts stand on lines of their own number.
        if heads.len() == texts { heads } else { Vec::new() }
    }

    /// Whether what `property` holds in `entry` is not going to come out.
    pub fn takes_out_line(&self, entry: &Entry<'_, '_>, property: Property) -> bool {
        self.busy || entry.first(property).is_some_and(|line| self.stripped.iter().any(|strip| strip.means_line(entry, line)))
    }

    fn strips(&self, name: &[u8]) -> bool {
        self.stripped.iter().any(|strip| strip.means(name))
    }

    /// Carries the draft out.
    pub fn carry_out(&self, entry: &Entry<'_, '_>, edits: &mut Edits) {
        let mut written = vec![false; self.texts.len()];
        let touched = self.touched();
        for (index, line) in entry.lines().filter(|(_, line)| touched.has(line.property())) {
            match self.fate(entry, index, line, &mut written) {
                Fate::Stays => {}
                Fate::Goes => edits.drop(entry.calendar().span_with_end(index)),
                Fate::Becomes(new) => edits.replace(entry.calendar().span_with_end(index), Patch::Text(new.into())),
            }
        }
        let mut properties = self.appended.clone();
        for ((field, texts), written) in self.texts.iter().zip(written) {
            if !written {
                write(field, texts, &mut properties);
            }
        }
        for gone in &self.gone {
            fold(&self.times.apply(&exdate(gone)), &mut properties);
        }
        if !properties.is_empty() {
            edits.insert(entry.end_of_properties(), properties);
        }
        for inner in entry.inner() {
            if self.takes_out(entry, inner) {
                edits.drop(entry.calendar().span_of(inner));
            }
        }
        self.write_alarms(entry, edits);
    }

    /// The properties whose lines may come out differently: of most lines, that is all that has to be known.
    fn touched(&self) -> Touched {
        let times = self.times != Times::default() || self.series_times.is_some();
        if self.busy || times || !self.lines.is_empty() {
            return Touched(u64::MAX);
        }
        let mut touched = Touched(0);
        for strip in &self.stripped {
            match strip {
                Strip::Named(name) => touched.add(Property::of(name.as_bytes())),
                Strip::Beginning(_) => return Touched(u64::MAX),
            }
        }
        for (field, _) in &self.texts {
            touched.add(field.property());
        }
        // What tells the same as the description goes with it.
        if touched.has(Property::Description) {
            touched.add(Property::XAltDesc);
            touched.add(Property::StyledDescription);
        }
        if self.uid.is_some() {
            touched.add(Property::Uid);
        }
        if self.until.is_some() {
            touched.add(Property::Rrule);
        }
        touched
    }

    fn fate(&self, entry: &Entry<'_, '_>, index: usize, line: &Line, written: &mut [bool]) -> Fate {
        if let Some((_, new)) = self.lines.iter().find(|(at, _)| *at == index) {
            return Fate::Becomes(new.clone());
        }
        let property = line.property();
        for ((field, texts), written) in self.texts.iter().zip(written) {
            let known = field.is(property);
            if known && (property != Property::Other || entry.is_called(line, field.name().as_bytes())) {
                let first = !std::mem::replace(written, true);
                let mut new = Vec::new();
                if first {
                    write(field, texts, &mut new);
                }
                return if new.is_empty() { Fate::Goes } else { Fate::Becomes(new) };
            }
            // The same text once more, in another dress.
            if matches!(property, Property::XAltDesc | Property::StyledDescription) && field.is(Property::Description) {
                return Fate::Goes;
            }
        }
        if self.busy && !tells_nothing(entry, line) || self.stripped.iter().any(|strip| strip.means_line(entry, line)) {
            return Fate::Goes;
        }
        self.timed(entry, property, line)
    }

    /// What becomes of a line that says what the event is or when.
    fn timed(&self, entry: &Entry<'_, '_>, property: Property, line: &Line) -> Fate {
        let content = || ContentLine::of(entry.calendar(), line);
        let fresh = Times::default();
        let own = &self.times;
        let of_series = self.series_times.as_ref().unwrap_or(own);
        let (times, is_time) = match property {
            Property::Dtstart | Property::Dtend | Property::Due | Property::Rdate | Property::Exdate => (own, true),
            Property::RecurrenceId => (of_series, true),
            _ => (&fresh, false),
        };
        let mut new = Vec::new();
        match property {
            Property::Uid if self.uid.is_some() => {
                let uid = self.uid.as_deref().unwrap_or_default();
                fold(&[content().head(), b":", uid].concat(), &mut new);
            }
            Property::Rrule if self.until.is_some() || *own != Times::default() => {
                fold(&moved_rule(&content(), own, self.until.as_deref()), &mut new);
            }
            _ if is_time && *times != Times::default() => {
                let line = content();
                let moved = times.apply(&line);
                if moved == [line.head(), b":", line.value()].concat() {
                    return Fate::Stays;
                }
                fold(&moved, &mut new);
            }
            _ => return Fate::Stays,
        }
        Fate::Becomes(new)
    }

    fn takes_out(&self, entry: &Entry<'_, '_>, inner: &Component) -> bool {
        self.busy
            || self.clear_alarms && is_alarm(entry, inner)
            || !self.stripped.is_empty() && self.strips(&entry.inner_name(inner))
    }

    fn write_alarms(&self, entry: &Entry<'_, '_>, edits: &mut Edits) {
        if self.alarms.is_empty() {
            return;
        }
        let uid = self.uid.as_deref().map_or_else(|| entry.uid().unwrap_or_default(), Cow::Borrowed);
        let instance = entry.value(Property::RecurrenceId).unwrap_or_default();
        let title = self.text(entry, &Field::SUMMARY);
        let mut alarms = Vec::new();
        for alarm in &self.alarms {
            alarm.component(&[&uid, &instance], &title, &mut alarms);
        }
        edits.insert(entry.end_of_components(), alarms);
    }
}

/// A set of properties.
#[derive(Clone, Copy)]
struct Touched(u64);

impl Touched {
    fn add(&mut self, property: Property) {
        self.0 |= 1 << property as u8;
    }

    fn has(self, property: Property) -> bool {
        self.0 >> property as u8 & 1 == 1
    }
}

enum Fate {
    Stays,
    Goes,
    Becomes(Vec<u8>),
}

fn write(field: &Field, texts: &[Text], out: &mut Vec<u8>) {
    if field.is_list() && !texts.is_empty() {
        field.line(None, texts.iter().map(|text| text.text.as_str()), out);
        return;
    }
    for text in texts {
        field.line(text.head.as_deref(), [text.text.as_str()], out);
    }
}

fn is_alarm(entry: &Entry<'_, '_>, inner: &Component) -> bool {
    entry.inner_name(inner).eq_ignore_ascii_case(b"VALARM")
}

/// Whether a line says no more than when somebody is busy. Everything that is not known to be harmless tells.
fn tells_nothing(entry: &Entry<'_, '_>, line: &Line) -> bool {
    match line.property() {
        Property::Dtstart | Property::Dtend | Property::Due | Property::Duration => true,
        Property::Rrule | Property::Rdate | Property::Exdate | Property::Exrule | Property::RecurrenceId => true,
        Property::Uid | Property::Dtstamp | Property::LastModified | Property::Sequence => true,
        Property::Status | Property::Transp | Property::Class => true,
        Property::Other => {
            let harmless: [&[u8]; 2] = [b"X-MICROSOFT-CDO-BUSYSTATUS", b"X-MICROSOFT-CDO-ALLDAYEVENT"];
            harmless.iter().any(|harmless| entry.is_called(line, harmless))
        }
        _ => false,
    }
}
