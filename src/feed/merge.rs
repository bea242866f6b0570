//! Several sources in one calendar: what more than one of them has, and how their texts become one.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use chrono::NaiveDateTime;

use super::rule::{Field, Reason, Surroundings, start};
use super::series::Judged;
use crate::calendar::{Calendar, Edits, Entry, Form, Kind, Moment, Property};

/// Where an event is: its source, and its place there.
type Place = (usize, usize);

/// All that one source has under one UID; later, what has become of several sources'.
#[derive(Debug, Clone)]
struct Member {
    events: Vec<Place>,
}

/// The events of every source, and what is known around each.
struct Sources<'s, 'a, 'text> {
    events: &'s mut [Vec<Judged<'a, 'text>>],
    around: &'s [Surroundings<'s>],
}

/// Settles which of the events with one UID in several sources come out: of the same event the newest; different events
/// that share a UID by accident all do, the later ones under another.
pub(super) fn settle_doubles<'s>(events: &'s mut [Vec<Judged<'_, '_>>], around: &'s [Surroundings<'s>]) {
    if events.len() < 2 {
        return;
    }
    let shared = shared(events);
    let mut sources = Sources { events, around };
    for members in shared {
        let mut winners: Vec<Member> = Vec::new();
        for member in members {
            let twin = winners.iter().position(|winner| sources.are_same(winner, &member));
            if let Some(winner) = twin.and_then(|at| winners.get_mut(at)) {
                sources.unite(winner, member);
                continue;
            }
            if !winners.is_empty() {
                sources.rename(&member);
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
            let own = members.last_mut().filter(|member| member.events.first().is_some_and(|(of, _)| *of == source));
            match own {
                Some(member) => member.events.push((source, index)),
                None => members.push(Member { events: vec![(source, index)] }),
            }
        }
    }
    all.retain(|members| members.len() > 1);
    all
}

/// What makes an instance this one, however its time is written.
#[derive(Debug, PartialEq, Eq)]
enum Instance {
    Day(NaiveDateTime),
    Floating(NaiveDateTime),
    At(NaiveDateTime),
    Unread(Vec<u8>),
}

impl<'a, 'text> Sources<'_, 'a, 'text> {
    fn at(&self, (source, index): Place) -> Option<&Judged<'a, 'text>> {
        self.events.get(source)?.get(index)
    }

    fn at_mut(&mut self, (source, index): Place) -> Option<&mut Judged<'a, 'text>> {
        self.events.get_mut(source)?.get_mut(index)
    }

    fn master(&self, member: &Member) -> Option<&Judged<'a, 'text>> {
        member.events.iter().filter_map(|place| self.at(*place)).find(|event| event.recurrence_id.is_none())
    }

    /// Which instance the event at `place` stands for; `None` for a master.
    fn instance(&self, place: Place) -> Option<Instance> {
        let id = self.at(place)?.recurrence_id.as_ref()?;
        let Some(moment) = Moment::of(id) else { return Some(Instance::Unread(id.value().to_vec())) };
        Some(match moment.form {
            Form::Date => Instance::Day(moment.local),
            Form::Floating => Instance::Floating(moment.local),
            _ => {
                let utc = self.around.get(place.0)?.zones.to_utc(&moment, chrono_tz::Tz::UTC);
                utc.map_or_else(|| Instance::Unread(id.value().to_vec()), Instance::At)
            }
        })
    }

    /// Whether two sources speak of the same event. A UID is meant to be one event's in the whole world; one that is
    /// shared by accident belongs to events that have nothing in common.
    fn are_same(&self, one: &Member, other: &Member) -> bool {
        let (Some(one), Some(other)) = (self.master(one), self.master(other)) else { return true };
        let same = |property| {
            let value = |entry: &Entry<'_, '_>| entry.value(property).map(Cow::into_owned);
            value(&one.entry).is_some_and(|value_of_one| Some(value_of_one) == value(&other.entry))
        };
        let told = [Property::Summary, Property::Created, Property::Organizer].into_iter().any(same);
        told || start(&one.entry) == start(&other.entry)
    }

    /// Makes one event of two sources'. Of two masters the newer one's whole series stays: instances are named by the
    /// times of their master. A source that has only some instances adds those that the other lacks.
    fn unite(&mut self, winner: &mut Member, challenger: Member) {
        let (ages, both) = match (self.master(winner), self.master(&challenger)) {
            (Some(one), Some(other)) => (age(other) > age(one), true),
            (one, other) => (one.is_none() && other.is_some(), false),
        };
        let yields = if ages { std::mem::replace(winner, challenger) } else { challenger };
        let whole = self.master(winner).is_some();
        for place in yields.events {
            let instance = self.instance(place);
            let twin = winner.events.iter().position(|other| self.instance(*other) == instance);
            match twin.and_then(|at| winner.events.get_mut(at)) {
                _ if both => self.yield_to_newer(place),
                // Neither knows more of the series than the other.
                Some(twin) if !whole && self.at(place).map(age) > self.at(*twin).map(age) => {
                    self.yield_to_newer(std::mem::replace(twin, place));
                }
                Some(_) => self.yield_to_newer(place),
                None => winner.events.push(place),
            }
        }
        self.follow_master(winner);
    }

    fn yield_to_newer(&mut self, place: Place) {
        if let Some(event) = self.at_mut(place) {
            event.judgement.dropped = Some(Reason::Newer);
        }
    }

    /// Instances of another source than their master's follow it as its own do: to where it moves, and into hiding. What
    /// belongs together keeps one UID.
    fn follow_master(&mut self, member: &Member) {
        let hashed = |place: &Place| self.at(*place).is_some_and(|event| event.judgement.draft.hash_uid);
        if member.events.iter().any(hashed) {
            for place in &member.events {
                if let Some(event) = self.at_mut(*place) {
                    event.judgement.draft.hash_uid = true;
                }
            }
        }
        let Some(master) = self.master(member) else { return };
        let draft = &master.judgement.draft;
        let times = draft.times;
        let title = draft.is_busy().then(|| draft.text(&master.entry, &Field::SUMMARY).into_owned());
        for place in &member.events {
            let Some(event) = self.at_mut(*place).filter(|event| event.recurrence_id.is_some()) else { continue };
            let draft = &mut event.judgement.draft;
            if times != draft.times {
                draft.series_times = Some(times);
            }
            if let Some(title) = title.as_ref().filter(|_| !draft.is_busy()) {
                draft.make_busy(title);
            }
        }
    }

    /// Another UID, the same for as long as the source has its name.
    fn rename(&mut self, member: &Member) {
        for place in &member.events {
            let name = self.around.get(place.0).map_or("", |around| around.source);
            let suffix = blake3::hash(name.as_bytes()).to_hex();
            let suffix = suffix.get(..8).unwrap_or_default();
            if let Some(event) = self.at_mut(*place) {
                event.judgement.draft.uid = Some([&*event.uid, b"-", suffix.as_bytes()].concat());
            }
        }
    }
}

/// How new an event is: SEQUENCE, then LAST-MODIFIED (RFC 5546 §2.1.5).
fn age(event: &Judged<'_, '_>) -> (u64, Vec<u8>) {
    let sequence = event.entry.value(Property::Sequence);
    let sequence = sequence.and_then(|value| std::str::from_utf8(&value).ok()?.trim().parse().ok());
    let modified = event.entry.value(Property::LastModified).unwrap_or_default();
    (sequence.unwrap_or(0), modified.into_owned())
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
