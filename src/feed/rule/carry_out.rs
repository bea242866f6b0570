//! Carrying a draft out: from what is going to be different to edits of single lines.

use std::borrow::Cow;

use super::action::Strip;
use super::draft::{Draft, Text, is_alarm};
use super::field::Field;
use super::times::{Times, exdate, moved_rule};
use crate::calendar::{Component, ContentLine, Edits, Entry, Line, Patch, Property, PropertySet, fold};

impl Draft {
    /// Carries the draft out.
    pub fn carry_out(&self, entry: &Entry<'_, '_>, edits: &mut Edits) {
        let mut written = vec![false; self.texts.len()];
        let touched = self.touched();
        for (index, line) in entry.lines().filter(|(_, line)| touched.has(line.property())) {
            match self.fate(entry, index, line, &mut written) {
                Fate::Stays => {}
                Fate::Goes => edits.drop(entry.calendar().span_with_end(index)),
                Fate::Becomes(new) => edits.replace(entry.calendar().span_with_end(index), Patch::Text(new)),
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
    fn touched(&self) -> PropertySet {
        let times = self.times != Times::default() || self.series_times.is_some();
        if self.busy || times || !self.lines.is_empty() {
            return PropertySet::ALL;
        }
        let mut touched = PropertySet::default();
        for strip in self.strips() {
            match strip {
                Strip::Named(name) => touched.add(Property::of(name.as_bytes())),
                Strip::Beginning(_) => return PropertySet::ALL,
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
        let property = line.property();
        for ((field, texts), written) in self.texts.iter().zip(written) {
            let known = field.is(property);
            if known && (property != Property::Other || entry.is_called(line, field.name().as_bytes())) {
                let first = !std::mem::replace(written, true);
                let mut new = Vec::with_capacity(96);
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
        if self.busy && !tells_nothing(entry, line) || self.strips().any(|strip| strip.means_line(entry, line)) {
            return Fate::Goes;
        }
        if let Some((_, new)) = self.lines.iter().find(|(at, _)| *at == index) {
            return Fate::Becomes(new.clone());
        }
        self.timed(entry, property, line)
    }

    /// What becomes of a line that says what the event is or when.
    fn timed(&self, entry: &Entry<'_, '_>, property: Property, line: &Line) -> Fate {
        let mut content = ContentLine::of(entry.calendar(), line);
        let before = content.clone();
        if self.busy {
            content = without_remarks(&content);
        }
        let own = &self.times;
        let times = if property == Property::RecurrenceId { self.series_times.as_ref().unwrap_or(own) } else { own };
        let line = match property {
            Property::Uid => match &self.uid {
                Some(uid) => [content.head(), b":", uid].concat(),
                None => content.whole().to_vec(),
            },
            Property::Rrule => moved_rule(&content, own, self.until.as_deref()),
            Property::Dtstart
            | Property::Dtend
            | Property::Due
            | Property::Rdate
            | Property::Exdate
            | Property::RecurrenceId => times.apply(&content),
            _ => content.whole().to_vec(),
        };
        if line == before.whole() {
            return Fate::Stays;
        }
        let mut new = Vec::with_capacity(line.len() + 8);
        fold(&line, &mut new);
        Fate::Becomes(new)
    }

    fn takes_out(&self, entry: &Entry<'_, '_>, inner: &Component) -> bool {
        self.busy
            || self.clear_alarms && is_alarm(entry, inner)
            || !self.stripped.is_empty() && self.strips_name(&entry.inner_name(inner))
    }

    fn write_alarms(&self, entry: &Entry<'_, '_>, edits: &mut Edits) {
        if self.alarms.is_empty() {
            return;
        }
        let uid = self.uid.as_deref().map_or_else(|| entry.uid().unwrap_or_default(), Cow::Borrowed);
        let instance = entry.value(Property::RecurrenceId).unwrap_or_default();
        let title = self.text(entry, &Field::SUMMARY);
        let mut alarms = Vec::with_capacity(192);
        for alarm in &self.alarms {
            alarm.component(&[&uid, &instance], &title, &mut alarms);
        }
        edits.insert(entry.end_of_components(), alarms);
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

/// The line without the parameters that say more than when it is: anybody may have written anything there.
fn without_remarks(line: &ContentLine<'_>) -> ContentLine<'static> {
    let mut head = line.name().to_vec();
    for (name, value) in line.parameters() {
        if [&b"TZID"[..], b"VALUE", b"RANGE"].iter().any(|known| name.eq_ignore_ascii_case(known)) {
            head.extend_from_slice(&[b";", name, b"=", value].concat());
        }
    }
    ContentLine::new(&head, line.value())
}

/// Whether a line says no more than when somebody is busy. Everything that is not known to be harmless tells.
fn tells_nothing(entry: &Entry<'_, '_>, line: &Line) -> bool {
    match line.property() {
        Property::Dtstart
        | Property::Dtend
        | Property::Due
        | Property::Duration
        | Property::Rrule
        | Property::Rdate
        | Property::Exdate
        | Property::Exrule
        | Property::RecurrenceId
        | Property::Uid
        | Property::Dtstamp
        | Property::LastModified
        | Property::Sequence
        | Property::Status
        | Property::Transp
        | Property::Class => true,
        Property::Other => {
            let harmless: [&[u8]; 2] = [b"X-MICROSOFT-CDO-BUSYSTATUS", b"X-MICROSOFT-CDO-ALLDAYEVENT"];
            harmless.iter().any(|harmless| entry.is_called(line, harmless))
        }
        _ => false,
    }
}
