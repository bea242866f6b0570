//! Several sources in one calendar: what more than one of them has, and how their texts become one.

use std::collections::{HashMap, HashSet};

use super::rule::{Reason, start};
use super::series::Judged;
use crate::calendar::{Calendar, ContentLine, Edits, Entry, Kind, Property};

/// All that one source has under one UID.
#[derive(Debug, Clone)]
struct Member {
    source: usize,
    events: Vec<usize>,
}

/// Settles which of the events with one UID in several sources come out: of the same event the newest; different events
/// that share a UID by accident all do, the later ones under another.
pub(super) fn settle_doubles(sources: &mut [Vec<Judged<'_, '_>>], names: &[&str]) {
    if sources.len() < 2 {
        return;
    }
    for members in shared(sources) {
        let mut winners: Vec<Member> = Vec::new();
        for member in members {
            let twin = winners.iter().position(|winner| is_same(sources, winner, &member));
            if let Some(winner) = twin.and_then(|at| winners.get_mut(at)) {
                unite(sources, winner, &member);
                continue;
            }
            if !winners.is_empty() {
                rename(sources, &member, names);
            }
            winners.push(member);
        }
    }
}

/// The UIDs that more than one source has events of, in the order in which they first come.
fn shared(sources: &[Vec<Judged<'_, '_>>]) -> Vec<Vec<Member>> {
    let mut places: HashMap<&[u8], usize> = HashMap::new();
    let mut all: Vec<Vec<Member>> = Vec::new();
    for (source, events) in sources.iter().enumerate() {
        for (index, event) in events.iter().enumerate() {
            if event.judgement.dropped.is_some() || event.uid.is_empty() {
                continue;
            }
            let place = *places.entry(&event.uid).or_insert_with(|| {
                all.push(Vec::new());
                all.len() - 1
            });
            let Some(members) = all.get_mut(place) else { continue };
            match members.last_mut().filter(|member| member.source == source) {
                Some(member) => member.events.push(index),
                None => members.push(Member { source, events: vec![index] }),
            }
        }
    }
    all.retain(|members| members.len() > 1);
    all
}

impl Member {
    fn judged<'s, 'a, 'text>(
        &self,
        sources: &'s [Vec<Judged<'a, 'text>>],
    ) -> impl Iterator<Item = &'s Judged<'a, 'text>> + use<'s, 'a, 'text, '_> {
        let events = sources.get(self.source).map(Vec::as_slice).unwrap_or_default();
        self.events.iter().filter_map(|index| events.get(*index))
    }

    fn master<'s, 'a, 'text>(&self, sources: &'s [Vec<Judged<'a, 'text>>]) -> Option<&'s Judged<'a, 'text>> {
        self.judged(sources).find(|event| event.recurrence_id.is_none())
    }
}

/// Whether two sources speak of the same event. A UID is meant to be one event's in the whole world; one that is shared
/// by accident belongs to events that have nothing in common.
fn is_same(sources: &[Vec<Judged<'_, '_>>], one: &Member, other: &Member) -> bool {
    let (Some(one), Some(other)) = (one.master(sources), other.master(sources)) else { return true };
    let same = |property| {
        let value = |entry: &Entry<'_, '_>| entry.value(property).map(std::borrow::Cow::into_owned);
        value(&one.entry).is_some_and(|value_of_one| Some(value_of_one) == value(&other.entry))
    };
    same(Property::Summary)
        || same(Property::Created)
        || same(Property::Organizer)
        || start(&one.entry) == start(&other.entry)
}

/// How new an event is: SEQUENCE, then LAST-MODIFIED (RFC 5546 §2.1.5).
fn age(event: &Judged<'_, '_>) -> (u64, Vec<u8>) {
    let sequence = event.entry.value(Property::Sequence);
    let sequence = sequence.and_then(|value| std::str::from_utf8(&value).ok()?.trim().parse().ok());
    let modified = event.entry.value(Property::LastModified).unwrap_or_default();
    (sequence.unwrap_or(0), modified.into_owned())
}

/// Makes one event of two sources'. Of two masters the newer one's whole series stays: instances are named by the times of
/// their master. A source that has only some instances adds those that the other lacks.
fn unite(sources: &mut [Vec<Judged<'_, '_>>], winner: &mut Member, challenger: &Member) {
    let newer = match (winner.master(sources), challenger.master(sources)) {
        (Some(one), Some(other)) => Some(age(other) > age(one)),
        (None, Some(_)) => Some(true),
        _ => None,
    };
    let both_whole = winner.master(sources).is_some() && challenger.master(sources).is_some();
    let (stays, yields) =
        if newer == Some(true) { (challenger.clone(), winner.clone()) } else { (winner.clone(), challenger.clone()) };
    let mut gone = Vec::new();
    if both_whole {
        gone.extend(yields.events.iter().map(|index| (yields.source, *index)));
    } else {
        for (at, yielding) in yields.events.iter().zip(yields.judged(sources)) {
            let id = yielding.recurrence_id.as_ref().map(ContentLine::value);
            let twin = stays
                .events
                .iter()
                .zip(stays.judged(sources))
                .find(|(_, other)| other.recurrence_id.as_ref().map(ContentLine::value) == id);
            match twin {
                Some((twin, other)) if stays.master(sources).is_none() && age(yielding) > age(other) => {
                    gone.push((stays.source, *twin))
                }
                Some(_) => gone.push((yields.source, *at)),
                None => {}
            }
        }
    }
    for (source, index) in gone {
        if let Some(event) = sources.get_mut(source).and_then(|events| events.get_mut(index)) {
            event.judgement.dropped = Some(Reason::Newer);
        }
    }
    *winner = stays;
}

/// Another UID, the same for as long as the source has its name.
fn rename(sources: &mut [Vec<Judged<'_, '_>>], member: &Member, names: &[&str]) {
    let name = names.get(member.source).copied().unwrap_or_default();
    let suffix = blake3::hash(name.as_bytes()).to_hex();
    let suffix = suffix.get(..8).unwrap_or_default();
    let Some(events) = sources.get_mut(member.source) else { return };
    for index in &member.events {
        if let Some(event) = events.get_mut(*index) {
            event.judgement.draft.uid = Some([&*event.uid, b"-", suffix.as_bytes()].concat());
        }
    }
}

/// A calendar that goes into another: its VTIMEZONEs and its body, as edited.
#[derive(Debug, Default)]
pub(super) struct Insert {
    pub(super) zones: Vec<u8>,
    pub(super) body: Vec<u8>,
}

/// The TZIDs that `calendar` declares.
pub(super) fn declared(calendar: &Calendar<'_>) -> HashSet<Vec<u8>> {
    zones(calendar).map(|(_, tzid)| tzid).collect()
}

fn zones<'a>(calendar: &'a Calendar<'_>) -> impl Iterator<Item = (&'a crate::calendar::Component, Vec<u8>)> {
    let inner = calendar.components().iter().filter(|component| component.depth == 1 && component.kind == Kind::Other);
    inner.filter_map(|component| {
        let tzid = Entry::new(calendar, component).value(Property::Tzid)?;
        Some((component, tzid.into_owned()))
    })
}

/// Takes `calendar` apart for another: without its head, and without the zones that are declared there already.
pub(super) fn insert(calendar: &Calendar<'_>, mut edits: Edits, declared: &mut HashSet<Vec<u8>>) -> Insert {
    let mut insert = Insert::default();
    for (component, tzid) in zones(calendar) {
        let span = calendar.span_of(component);
        if declared.insert(tzid) {
            insert.zones.extend_from_slice(calendar.text().get(span.clone()).unwrap_or_default());
        }
        edits.drop(span);
    }
    let mut kept = 0;
    for root in calendar.components().iter().filter(|component| component.depth == 0) {
        let inner = calendar
            .components()
            .iter()
            .find(|inner| inner.depth == 1 && inner.begin > root.begin && inner.begin < root.end);
        let first = inner.map_or(root.end, |inner| inner.begin);
        let start = |index: usize| calendar.lines().get(index).map_or(calendar.text().len(), |line| line.span().start);
        edits.drop(kept..start(first));
        kept = start(root.end);
    }
    edits.drop(kept..calendar.text().len());
    insert.body = edits.apply(calendar.text());
    insert
}
