//! From the copies of a feed's sources to the text of an edition.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use chrono::NaiveDate;

use super::merge::{self, Insert};
use super::notice;
use super::presentation::Presentation;
use super::privacy;
use super::rule::{Judgement, Reason, Rules, Surroundings};
use super::series::{self, Judged};
use super::zones::{ZoneNames, unify_zones};
use crate::calendar::{Calendar, Edits, Entry, Limits, Malformed, Zones, mend};

/// All that makes a feed out of its sources.
#[derive(Debug, Clone, Default)]
pub struct Recipe {
    /// The calendar's head.
    pub presentation: Arc<Presentation>,
    /// What is left out and changed.
    pub rules: Arc<Rules>,
    /// Which names time zones have.
    pub zones: ZoneNames,
}

/// The copy of one source.
#[derive(Debug, Clone, Copy)]
pub struct Copy<'a> {
    /// The source's name.
    pub source: &'a str,
    /// Its mended text.
    pub text: &'a [u8],
    /// The day it was last confirmed.
    pub confirmed: NaiveDate,
    /// Fetching has failed since.
    pub failing: bool,
}

/// What is neither in the recipe nor in the copies.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances {
    /// The day it is, in UTC.
    pub today: NaiveDate,
    /// What hashes are keyed with.
    pub key: [u8; 32],
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Publication {
    /// The text of the edition.
    pub text: Vec<u8>,
    /// How often each rule was of use.
    pub tally: Tally,
}

/// How often each rule was of use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Events, to-dos and journal entries in the copies.
    pub entries: usize,
    /// How many of them come out.
    pub kept: usize,
    /// To how many each rule applied.
    pub applied: Vec<usize>,
    /// How many are hidden.
    pub hidden: usize,
    /// How many are outside the window.
    pub outside: usize,
    /// How many another source has, and newer.
    pub doubles: usize,
}

/// One event on its way through, for whoever wants to see what rules do.
#[derive(Debug)]
pub struct Seen<'e, 'a, 'text> {
    /// The event as the source sent it.
    pub entry: &'e Entry<'a, 'text>,
    /// What has been said of it.
    pub judgement: &'e Judgement,
    /// What conditions know beside the event: its source, and more.
    pub around: &'e Surroundings<'e>,
}

impl Seen<'_, '_, '_> {
    /// Its text as the source sent it.
    pub fn before(&self) -> &[u8] {
        self.entry.calendar().text().get(self.entry.span()).unwrap_or_default()
    }

    /// Its text as it comes out; `None` if it does not.
    pub fn after(&self) -> Option<Cow<'_, [u8]>> {
        if self.judgement.dropped.is_some() {
            return None;
        }
        if self.judgement.draft.is_empty() {
            return Some(Cow::Borrowed(self.before()));
        }
        let mut edits = Edits::default();
        self.judgement.draft.carry_out(self.entry, &mut edits);
        Some(Cow::Owned(edits.apply_within(self.entry.calendar().text(), self.entry.span())))
    }
}

impl Recipe {
    /// A digest of everything here that shows in the published text.
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        self.presentation.digest(&mut hasher);
        hasher.update(&[u8::from(self.zones == ZoneNames::Keep)]);
        hasher.update(&self.rules.digest);
        *hasher.finalize().as_bytes()
    }

    /// Whether it tells when the copies were last confirmed.
    pub fn tells_freshness(&self) -> bool {
        self.presentation.freshness || self.presentation.notice.is_some()
    }

    /// Whether what comes out depends on what day it is.
    pub fn asks_for_today(&self) -> bool {
        self.presentation.notice.is_some() || self.rules.ask_for_today()
    }

    /// The published text of `copies`, each mended when it was fetched.
    ///
    /// # Errors
    /// [`Malformed`] if a copy is no calendar; one that has been stored is.
    pub fn publish(&self, copies: &[Copy<'_>], now: &Circumstances) -> Result<Publication, Malformed> {
        self.with_calendars(copies, |calendars| {
            let (edits, tally) = if self.rules.is_empty() && calendars.len() < 2 {
                let entries = calendars.iter().map(Calendar::entries).sum();
                (
                    calendars.iter().map(|_| Edits::default()).collect(),
                    Tally { entries, kept: entries, ..Tally::default() },
                )
            } else {
                self.judge(calendars, copies, now, &mut |_| ())
            };
            Publication { text: self.assemble(calendars, edits, copies, now), tally }
        })
    }

    /// Shows `see` every event on its way.
    ///
    /// # Errors
    /// As [`Recipe::publish`].
    pub fn watch(
        &self,
        copies: &[Copy<'_>],
        now: &Circumstances,
        mut see: impl FnMut(&Seen<'_, '_, '_>),
    ) -> Result<Tally, Malformed> {
        self.with_calendars(copies, |calendars| self.judge(calendars, copies, now, &mut see).1)
    }

    /// Calls `work` with the calendars of `copies`, their time zones put in order.
    fn with_calendars<R>(&self, copies: &[Copy<'_>], work: impl FnOnce(&[Calendar<'_>]) -> R) -> Result<R, Malformed> {
        let scan = |text| Calendar::scan(text, &Limits::NONE);
        let mut calendars = copies.iter().map(|copy| scan(copy.text)).collect::<Result<Vec<_>, _>>()?;
        // Rarely anything has to be done; then it is done first, and the rest sees calendars that go together.
        let unified = unify_zones(&calendars.iter().collect::<Vec<_>>(), self.zones);
        for (calendar, text) in calendars.iter_mut().zip(&unified) {
            if let Some(text) = text {
                *calendar = scan(text)?;
            }
        }
        Ok(work(&calendars))
    }

    /// What rules make of every event.
    fn judge(
        &self,
        calendars: &[Calendar<'_>],
        copies: &[Copy<'_>],
        now: &Circumstances,
        see: &mut impl FnMut(&Seen<'_, '_, '_>),
    ) -> (Vec<Edits>, Tally) {
        let names: Vec<_> = copies.iter().map(|copy| copy.source).collect();
        let entries = calendars.iter().map(Calendar::entries).sum();
        let tally = Tally { entries, applied: vec![0; self.rules.rules.len()], ..Tally::default() };
        let zones: Vec<_> = calendars.iter().map(Zones::of).collect();
        let around: Vec<_> = names.iter().zip(&zones).map(|(source, zones)| self.around(source, zones, now)).collect();
        let mut out = Outcome { recipe: self, now, tally, see };
        let mut all: Vec<_> = calendars.iter().map(|calendar| Edits::with_capacity(2 * calendar.entries())).collect();
        let mut verdicts = Vec::with_capacity(calendars.len());
        for ((calendar, around), edits) in calendars.iter().zip(&around).zip(&mut all) {
            // What no sibling and no other source has a say in is settled at once.
            let alone = |mut event: Judged<'_, '_>| out.settle(&mut event, around, edits);
            verdicts.push(series::judge(calendar, &self.rules, around, (calendars.len() == 1).then_some(alone)));
        }
        merge::settle_doubles(&mut verdicts, &around);
        for ((verdicts, around), edits) in verdicts.into_iter().zip(&around).zip(&mut all) {
            for mut event in verdicts {
                out.settle(&mut event, around, edits);
            }
        }
        (all, out.tally)
    }

    fn around<'a>(&'a self, source: &'a str, zones: &'a Zones, now: &Circumstances) -> Surroundings<'a> {
        let rules = &self.rules;
        Surroundings { source, zones, zone: rules.zone, me: &rules.me, hosts: &rules.hosts, today: now.today }
    }

    /// One text of all calendars: the first, with the others' bodies in it.
    fn assemble(
        &self,
        calendars: &[Calendar<'_>],
        edits: Vec<Edits>,
        copies: &[Copy<'_>],
        now: &Circumstances,
    ) -> Vec<u8> {
        let mut both = calendars.iter().zip(edits);
        let Some((base, mut edits)) = both.next() else { return Vec::new() };
        let mut declared = if calendars.len() > 1 { merge::declared(base) } else { HashSet::new() };
        let inserts: Vec<_> = both.map(|(calendar, edits)| merge::insert(calendar, edits, &mut declared)).collect();
        let zones: Vec<u8> = inserts.iter().flat_map(|insert: &Insert| &insert.zones).copied().collect();
        self.presentation.present(base, copies, &zones, &mut edits);
        let notice = self.presentation.notice.and_then(|after| notice::notice(copies, after.into(), now.today));
        let bodies: Vec<u8> =
            inserts.into_iter().flat_map(|insert| insert.body).chain(notice.unwrap_or_default()).collect();
        let last = base.components().iter().rev().find(|component| component.depth == 0);
        if let Some(end) = last.and_then(|root| base.lines().get(root.end)).filter(|_| !bodies.is_empty()) {
            edits.insert(end.span().start, bodies);
        }
        edits.apply(base.text())
    }
}

/// What becomes of events, one after the other.
struct Outcome<'a, S> {
    recipe: &'a Recipe,
    now: &'a Circumstances,
    tally: Tally,
    see: &'a mut S,
}

impl<S: FnMut(&Seen<'_, '_, '_>)> Outcome<'_, S> {
    /// Counts `event`, shows it, and writes down what is different about it.
    fn settle(&mut self, event: &mut Judged<'_, '_>, around: &Surroundings<'_>, edits: &mut Edits) {
        self.tally.count(event);
        self.finish(event, around.source);
        (self.see)(&Seen { entry: &event.entry, judgement: &event.judgement, around });
        if event.judgement.dropped.is_some() {
            edits.drop(event.entry.span());
        } else if !event.judgement.draft.is_empty() {
            event.judgement.draft.carry_out(&event.entry, edits);
        }
    }

    /// What the feed wants of every event that comes out.
    fn finish(&self, event: &mut Judged<'_, '_>, source: &str) {
        if event.judgement.dropped.is_some() {
            return;
        }
        let (rules, entry, draft) = (&self.recipe.rules, &event.entry, &mut event.judgement.draft);
        if draft.hash_uid {
            let uid = draft.uid.as_deref().unwrap_or(&event.uid);
            draft.uid = Some(privacy::uid(&self.now.key, uid));
        }
        if rules.join {
            super::join::join(entry, &rules.hosts, draft);
        }
        if let Some((_, prefix)) = rules.prefixes.iter().find(|(prefixed, _)| **prefixed == *source) {
            draft.change_title(entry, |title| format!("{prefix}{title}"));
        }
        if rules.anonymise {
            privacy::anonymise(entry, &self.now.key, draft);
        }
        let timed = || super::rule::start(entry).is_some_and(|start| !start.is_date());
        if !rules.alarms.is_empty() && entry.is_event() && !draft.has_alarm(entry) && timed() {
            draft.add_alarms(&rules.alarms);
        }
    }
}

impl Tally {
    fn count(&mut self, event: &Judged<'_, '_>) {
        match event.judgement.dropped {
            None => self.kept += 1,
            Some(Reason::Hidden(_)) => self.hidden += 1,
            Some(Reason::Window) => self.outside += 1,
            Some(Reason::Newer) => self.doubles += 1,
            Some(Reason::Rule(_) | Reason::Series) => {}
        }
        for rule in &event.judgement.applied {
            if let Some(count) = self.applied.get_mut(*rule) {
                *count += 1;
            }
        }
    }
}

/// A calendar as it came from upstream, mended as it would be when it is fetched.
pub fn mended(calendar: &Calendar<'_>) -> Vec<u8> {
    mend(calendar, None, &[]).edits.apply(calendar.text())
}
