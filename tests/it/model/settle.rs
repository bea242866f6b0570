//! What becomes of series, and of several sources with the same events; and the instances that are then left.

use chrono::{Duration, NaiveDateTime};

use super::events::{Event, Every, Form, Instance, Source, When};
use super::rules::{Feed, Gone, NAMES, Verdict};

/// An event with what has been said of it.
#[derive(Debug, Clone)]
struct Judged<'a> {
    event: &'a Event,
    verdict: Verdict,
    /// Its UID must not be told.
    hashed: bool,
    /// Another source has a different event of its UID.
    renamed: bool,
    source: usize,
}

impl Judged<'_> {
    fn stands(&self) -> bool {
        self.verdict.gone.is_none()
    }

    /// The instance in whose place it stands: in other sources it may be called by another zone's clocks.
    fn replaces(&self) -> Option<When> {
        Some(self.event.form.when(self.event.instead_of?))
    }

    /// When it takes place, but for where one of `others` stands in its place.
    fn starts(&self, others: &[When]) -> Vec<NaiveDateTime> {
        let mut starts = self.event.starts();
        starts.retain(|start| !self.is_master() || !others.contains(&self.event.form.when(*start)));
        starts
    }

    fn is_master(&self) -> bool {
        self.event.instead_of.is_none()
    }
}

/// All that comes out, sorted; `None` if nothing says what it should be.
pub(crate) fn instances(feed: &Feed) -> Option<Vec<Instance>> {
    let mut judged: Vec<Vec<Judged<'_>>> = (0..feed.sources.len()).map(|source| judge(feed, source)).collect();
    if let [one, two] = judged.as_mut_slice() {
        merge(one, two);
    }
    for source in 0..judged.len() {
        for at in 0..judged[source].len() {
            let followed = follow(&judged[source][at], &judged.concat());
            judged[source][at] = followed;
        }
    }
    let all: Vec<_> = judged.concat();
    if all.iter().filter(|one| one.stands() && !one.is_master()).any(|one| is_torn(one, &all)) {
        return None;
    }
    let mut instances: Vec<_> = all.iter().filter(|one| one.stands()).flat_map(|one| shown(feed, one, &all)).collect();
    instances.retain(|instance| instance.begins.is_near());
    instances.sort();
    Some(instances)
}

/// An instance tells no more than its master, whosever that is, and what belongs together has one UID.
fn follow<'a>(one: &Judged<'a>, all: &[Judged<'a>]) -> Judged<'a> {
    let kin = |other: &&Judged<'_>| {
        other.stands() && other.event.uid == one.event.uid && other.renamed == one.renamed && other.source != one.source
    };
    let mut one = one.clone();
    if !one.stands() {
        return one;
    }
    one.hashed |= all.iter().filter(kin).any(|other| other.hashed);
    let master = all.iter().filter(kin).find(|other| other.is_master());
    if let Some(master) = master.filter(|master| master.verdict.busy && !one.verdict.busy && !one.is_master()) {
        (one.verdict.busy, one.verdict.title) = (true, master.verdict.title.clone());
    }
    one
}

/// Whether rules do one thing to an instance and another to its series, and the series is another source's: rules speak of
/// one source's events.
fn is_torn(instance: &Judged<'_>, all: &[Judged<'_>]) -> bool {
    let masters = all.iter().filter(|one| one.is_master() && one.event.uid == instance.event.uid);
    let masters: Vec<_> = masters.filter(|one| one.stands() || one.source == instance.source).collect();
    let done = |one: &Judged<'_>| (one.verdict.shift, one.verdict.pin);
    let abroad = masters.iter().any(|master| master.source != instance.source);
    abroad && masters.iter().any(|master| done(master) != done(instance))
}

fn judge(feed: &Feed, source: usize) -> Vec<Judged<'_>> {
    let calendar = &feed.sources[source];
    let judge = |event| {
        let mut verdict = feed.judge(event, NAMES[source], calendar);
        verdict.pin = verdict.pin.or(calendar.zone.filter(|_| feed.pins_floating));
        let hashed = verdict.busy;
        Judged { event, verdict, hashed, renamed: false, source }
    };
    let mut all: Vec<_> = calendar.events.iter().map(judge).collect();
    let mut uids: Vec<_> = calendar.events.iter().map(|event| &event.uid).collect();
    uids.sort();
    uids.dedup();
    for uid in uids {
        let (mut series, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| one.event.uid == *uid);
        settle(feed, calendar, &mut series);
        all = rest;
        all.extend(series);
    }
    all
}

/// A series is one unit.
fn settle(feed: &Feed, calendar: &Source, series: &mut [Judged<'_>]) {
    let master = series.iter().find(|one| one.is_master()).cloned();
    if let Some(gone) = master.as_ref().and_then(|master| master.verdict.gone)
        && matches!(gone, Gone::Rule | Gone::Hidden("cancelled"))
    {
        for one in series.iter_mut().filter(|one| one.stands() && !one.verdict.kept) {
            one.verdict.gone = Some(Gone::Otherwise);
        }
    }
    if master.as_ref().is_some_and(stays_put) {
        for one in series.iter_mut() {
            one.verdict.shift = Duration::zero();
        }
    }
    let replaced: Vec<_> = series.iter().filter_map(Judged::replaces).collect();
    let inside = series.iter().filter(|one| one.stands()).any(|one| {
        let Event { form, takes, .. } = *one.event;
        one.verdict.kept || one.starts(&replaced).into_iter().any(|start| feed.shows(calendar, form, start, takes))
    });
    if feed.window.is_some() && !inside {
        series.iter_mut().filter(|one| one.stands()).for_each(|one| one.verdict.gone = Some(Gone::Otherwise));
    }
    if let Some(master) = master.filter(|master| master.stands() && master.verdict.busy) {
        for one in series.iter_mut().filter(|one| !one.verdict.busy) {
            (one.verdict.busy, one.verdict.title) = (true, master.verdict.title.clone());
        }
    }
    if series.iter().any(|one| one.stands() && one.verdict.busy) {
        for one in series.iter_mut() {
            one.hashed = true;
        }
    }
}

fn master<'a>(events: &[&mut Judged<'a>]) -> Option<Judged<'a>> {
    events.iter().find(|event| event.is_master()).map(|event| Judged::clone(event))
}

/// A series on a day of the month cannot move to another day.
fn stays_put(master: &Judged<'_>) -> bool {
    let monthly = master.event.repeat.is_some_and(|repeat| repeat.every == Every::Month);
    monthly && moved(master, master.event.start).date() != master.event.start.date()
}

/// Of the same event in both, the newest comes out; what shares no more than its UID gets another.
fn merge<'a>(one: &mut [Judged<'a>], two: &mut [Judged<'a>]) {
    let mut uids: Vec<_> = two.iter().filter(|event| event.stands()).map(|event| event.event.uid.clone()).collect();
    uids.dedup();
    for uid in uids {
        let standing = |event: &&mut Judged<'_>| event.stands() && event.event.uid == uid;
        let mut one: Vec<_> = one.iter_mut().filter(standing).collect();
        let mut two: Vec<_> = two.iter_mut().filter(standing).collect();
        if one.is_empty() || two.is_empty() {
            continue;
        }
        let age = |event: &Judged<'_>| (event.event.says.sequence, event.event.says.modified);
        match (master(&one), master(&two)) {
            (Some(first), Some(second)) => {
                let alike = first.event.title == second.event.title;
                let at = |event: &Event| (event.form, event.start);
                if !alike && at(first.event) != at(second.event) {
                    for event in &mut two {
                        event.renamed = true;
                    }
                } else {
                    let older = if age(&second) > age(&first) { &mut one } else { &mut two };
                    for event in older {
                        event.verdict.gone = Some(Gone::Otherwise);
                    }
                }
            }
            // Instances that the other lacks are added to its own.
            (Some(_), None) => yields(&mut two, &one),
            (None, Some(_)) => yields(&mut one, &two),
            (None, None) => {
                for first in &mut one {
                    let id = first.replaces();
                    for second in two.iter_mut().filter(|second| second.replaces() == id) {
                        let older = if age(second) > age(first) { &mut **first } else { &mut **second };
                        older.verdict.gone = Some(Gone::Otherwise);
                    }
                }
            }
        }
    }
}

fn yields(events: &mut [&mut Judged<'_>], to: &[&mut Judged<'_>]) {
    for event in events {
        if to.iter().any(|other| other.replaces() == event.replaces()) {
            event.verdict.gone = Some(Gone::Otherwise);
        }
    }
}

/// The instances of `one`, those aside in whose place another stands or stood.
fn shown(feed: &Feed, one: &Judged<'_>, all: &[Judged<'_>]) -> Vec<Instance> {
    let of_series = |other: &&Judged<'_>| {
        other.event.uid == one.event.uid
            && (other.source == one.source || other.stands() && other.renamed == one.renamed)
    };
    let siblings = all.iter().filter(of_series);
    let replaced: Vec<_> = siblings.filter_map(Judged::replaces).collect();
    let prefix = if feed.prefixes { ["[1] ", "[2] "][one.source] } else { "" };
    let uid = match (one.hashed, one.renamed) {
        (true, _) => "hashed".to_owned(),
        (_, true) => format!("{} renamed", one.event.uid),
        _ => one.event.uid.clone(),
    };
    let form = match (one.event.form, one.verdict.pin) {
        (Form::Floating, Some(zone)) => Form::Zoned(zone),
        (form, _) => form,
    };
    let instance = |start| Instance {
        uid: uid.clone(),
        begins: form.when(moved(one, start)),
        takes: one.event.takes.num_minutes(),
        title: format!("{prefix}{}", one.verdict.title),
    };
    one.starts(&replaced).into_iter().map(instance).collect()
}

/// Days move by whole days only.
fn moved(one: &Judged<'_>, start: NaiveDateTime) -> NaiveDateTime {
    let by = one.verdict.shift;
    let whole = by == Duration::days(by.num_days());
    if one.event.form == Form::Date && !whole { start } else { start + by }
}
