//! What is going to be different about one event. Rules write into a draft; it is carried out once, at the end, and
//! touches the lines it names and no others.

use std::borrow::Cow;
use std::sync::Arc;

use chrono::Duration;
use chrono_tz::Tz;

use super::action::Strip;
use super::alarm::Alarm;
use super::field::Field;
use super::times::Times;
use crate::calendar::{Component, ContentLine, Entry, Property};

/// The pending changes of one event.
#[derive(Debug, Default, Clone)]
pub struct Draft {
    pub(super) texts: Vec<(Field, Vec<Text>)>,
    pub(super) stripped: Vec<Arc<[Strip]>>,
    pub(super) busy: bool,
    pub(super) clear_alarms: bool,
    pub(super) alarms: Vec<Alarm>,
    /// How its times move.
    pub times: Times,
    /// How the times of the series move that it is an instance of; `None` if as its own do.
    pub series_times: Option<Times>,
    /// The UID must not come out as it is.
    pub hash_uid: bool,
    /// Another UID.
    pub uid: Option<Vec<u8>>,
    /// Property lines that come beside those there are.
    pub(super) appended: Vec<u8>,
    /// Whole lines in the place of others, by index.
    pub lines: Vec<(usize, Vec<u8>)>,
    /// RECURRENCE-IDs of instances that are gone from the series.
    pub gone: Vec<ContentLine<'static>>,
    /// The last moment of the series, as UNTIL has it.
    pub until: Option<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Text {
    pub(super) text: String,
    /// The name and parameters that its line had.
    pub(super) head: Option<Vec<u8>>,
}

impl Draft {
    /// Nothing is going to be different.
    pub fn is_empty(&self) -> bool {
        let same = self.texts.is_empty() && self.stripped.is_empty() && self.lines.is_empty() && self.gone.is_empty();
        let same = same && !self.busy && !self.clear_alarms && self.alarms.is_empty() && self.uid.is_none();
        same && self.until.is_none()
            && !self.hash_uid
            && self.appended.is_empty()
            && self.times == Times::default()
            && self.series_times.is_none()
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
        if self.busy || self.strips_name(field.name().as_bytes()) {
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
    pub fn change_each(
        &mut self,
        entry: &Entry<'_, '_>,
        field: &Field,
        mut change: impl FnMut(&str) -> Option<String>,
    ) {
        let now = self.texts(entry, field);
        let changed: Vec<_> = now.iter().map(|text| change(text)).collect();
        if changed.iter().all(Option::is_none) {
            return;
        }
        let mut heads = self.heads(entry, field, now.len()).into_iter();
        let texts = now
            .into_iter()
            .zip(changed)
            .map(|(old, new)| Text { text: new.unwrap_or(old), head: heads.next().flatten() });
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
    pub fn strip(&mut self, strips: &Arc<[Strip]>) {
        self.texts.retain(|(field, _)| !strips.iter().any(|strip| strip.means(field.name().as_bytes())));
        self.stripped.push(Arc::clone(strips));
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
        self.busy || entry.first(property).is_some_and(|line| self.strips().any(|strip| strip.means_line(entry, line)))
    }

    /// All that is taken out.
    pub(super) fn strips(&self) -> impl Iterator<Item = &Strip> {
        self.stripped.iter().flat_map(|strips| strips.iter())
    }

    pub(super) fn strips_name(&self, name: &[u8]) -> bool {
        self.strips().any(|strip| strip.means(name))
    }
}

/// Whether `inner` is an alarm of `entry`.
pub(super) fn is_alarm(entry: &Entry<'_, '_>, inner: &Component) -> bool {
    entry.inner_name(inner).eq_ignore_ascii_case(b"VALARM")
}
