//! What an answer means for the copy that is held. A bad answer never replaces a good copy.

use std::time::Duration;

use crate::calendar::{Calendar, FirstSeen, Limits, Malformed, mend};
use crate::clock::Timestamp;
use crate::source::Validators;
use crate::store::{Quarantine, Snapshot};

/// When events count as suddenly gone: more than `percent` of them, and at least `least`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CollapseRule {
    /// Percent of the entries.
    pub percent: usize,
    /// Number of entries.
    pub least: usize,
    /// How many fetches in a row must bring the same text before it is believed…
    pub fetches: u32,
    /// …over at least this time.
    pub over: Duration,
}

impl Default for CollapseRule {
    fn default() -> Self {
        Self { percent: 80, least: 10, fetches: 3, over: Duration::from_hours(1) }
    }
}

impl CollapseRule {
    /// Whether going from `was` entries to `now` is a collapse.
    pub fn is_collapse(&self, was: usize, now: usize) -> bool {
        let gone = was.saturating_sub(now);
        gone >= self.least && gone * 100 > was * self.percent
    }
}

/// An answer, put right, with what had to be left out of it.
#[derive(Debug)]
pub struct MendedAnswer {
    /// The text to store.
    pub text: Vec<u8>,
    /// Its digest.
    pub digest: [u8; 32],
    /// Events, to-dos and journal entries in it.
    pub entries: usize,
    /// The first few lines that are no content line, by number.
    pub junk_lines: Vec<usize>,
    /// How many there are in all.
    pub junk: usize,
    /// Lines that held the source's own secret address.
    pub secret: usize,
    /// Lines with characters that are not UTF-8, kept as they are.
    pub broken_characters: usize,
}

/// How many junk lines are named by number.
const NAMED: usize = 20;

/// Reads and mends the text of an answer. `earlier` is the text of the copy that is held; it is asked for only if the
/// calendar has events that do not say when they were changed.
///
/// # Errors
/// If the text is not a whole calendar within `limits`.
pub fn mend_answer(
    text: Vec<u8>,
    limits: &Limits,
    secrets: &[Vec<u8>],
    earlier: impl FnOnce() -> Option<Vec<u8>>,
) -> Result<MendedAnswer, Malformed> {
    // A large calendar takes much memory at each step: what a step does not need is let go before it.
    let undated = Calendar::scan(&text, limits)?.has_undated_entries();
    let earlier = if undated { earlier() } else { None };
    let earlier = earlier.and_then(|earlier| Some(FirstSeen::of(&Calendar::scan(&earlier, &Limits::NONE).ok()?)));
    let calendar = Calendar::scan(&text, limits)?;
    let mended = mend(&calendar, earlier.as_ref(), secrets);
    drop(earlier);
    let named = mended.junk.iter().take(NAMED).filter_map(|index| calendar.lines().get(*index));
    let (junk_lines, junk) = (named.map(|line| calendar.line_number(line)).collect(), mended.junk.len());
    let (entries, broken_characters) = (calendar.entries(), calendar.broken_characters());
    let secret = mended.secret.len();
    drop(calendar);
    let text = if mended.edits.is_empty() { text } else { mended.edits.apply(&text) };
    // What is stored must be readable when it is published: nothing else may take the place of a good copy.
    Calendar::scan(&text, &Limits::NONE)?;
    let digest = *blake3::hash(&text).as_bytes();
    Ok(MendedAnswer { text, digest, entries, junk_lines, junk, secret, broken_characters })
}

/// What is to be done with a whole calendar.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the copy that is held: its time is confirmed.
    Same(Snapshot),
    /// It takes the copy's place.
    Accept(Snapshot),
    /// It is kept aside.
    Quarantine(Quarantine),
}

/// Judges a mended answer against the copy that is held and what is kept aside.
pub(super) fn judge(
    answer: &MendedAnswer,
    validators: Validators,
    held: Option<&Snapshot>,
    aside: Option<&Quarantine>,
    rule: &CollapseRule,
    now: Timestamp,
) -> Verdict {
    let new = Snapshot {
        digest: answer.digest,
        entries: answer.entries,
        size: answer.text.len(),
        changed_at: now,
        confirmed_at: now,
        validators,
        inherited: false,
    };
    match held {
        // The old address's copy proves nothing of the new address.
        Some(held) if held.inherited => Verdict::Accept(new),
        Some(held) if held.digest == new.digest => Verdict::Same(Snapshot { changed_at: held.changed_at, ..new }),
        Some(held) if rule.is_collapse(held.entries, new.entries) => collapsed(new, aside, rule, now),
        _ => Verdict::Accept(new),
    }
}

fn collapsed(new: Snapshot, aside: Option<&Quarantine>, rule: &CollapseRule, now: Timestamp) -> Verdict {
    let (since, agreed) = match aside {
        Some(aside) if aside.snapshot.digest == new.digest => (aside.since, aside.agreed + 1),
        _ => (now, 1),
    };
    if agreed >= rule.fetches && now.since(since) >= rule.over {
        Verdict::Accept(new)
    } else {
        Verdict::Quarantine(Quarantine { snapshot: new, since, agreed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(entries: usize) -> MendedAnswer {
        MendedAnswer {
            text: vec![b'x'; entries],
            digest: [u8::try_from(entries).unwrap(); 32],
            entries,
            junk_lines: vec![],
            junk: 0,
            secret: 0,
            broken_characters: 0,
        }
    }

    fn held(entries: usize) -> Snapshot {
        match judge(&answer(entries), Validators::default(), None, None, &CollapseRule::default(), at(0)) {
            Verdict::Accept(snapshot) => snapshot,
            other => panic!("{other:?}"),
        }
    }

    fn at(minutes: u64) -> Timestamp {
        Timestamp::from_secs(1_790_000_000 + minutes * 60)
    }

    #[test]
    fn a_collapse_is_more_than_four_fifths_and_at_least_ten() {
        let rule = CollapseRule::default();
        for (was, now, collapse) in [
            (100, 19, true),
            (100, 20, false),
            (100, 0, true),
            (9, 0, false),
            (10, 0, true),
            (12, 2, true),
            (13, 3, false),
            (0, 0, false),
            (5, 50, false),
        ] {
            assert_eq!(rule.is_collapse(was, now), collapse, "{was} → {now}");
        }
    }

    #[test]
    fn a_collapsed_calendar_is_believed_after_three_fetches_over_an_hour() {
        let (rule, held) = (CollapseRule::default(), held(100));
        let mut aside = None;
        for (minute, believed) in [(0, false), (15, false), (30, false), (45, false), (59, false), (60, true)] {
            match judge(&answer(1), Validators::default(), Some(&held), aside.as_ref(), &rule, at(minute)) {
                Verdict::Quarantine(kept) => {
                    assert!(!believed, "minute {minute}");
                    aside = Some(kept);
                }
                Verdict::Accept(new) => assert!(believed && new.entries == 1, "minute {minute}"),
                same @ Verdict::Same(_) => panic!("{same:?}"),
            }
        }
    }

    #[test]
    fn answers_that_disagree_never_add_up() {
        let (rule, held) = (CollapseRule::default(), held(100));
        let mut aside = None;
        for fetch in 0..20 {
            let verdict = judge(
                &answer(1 + fetch % 2),
                Validators::default(),
                Some(&held),
                aside.as_ref(),
                &rule,
                at(fetch as u64 * 60),
            );
            let Verdict::Quarantine(kept) = verdict else { panic!("{verdict:?}") };
            assert_eq!(kept.agreed, 1);
            aside = Some(kept);
        }
    }

    #[test]
    fn the_copy_of_an_address_that_was_replaced_holds_nothing_back() {
        let old = Snapshot { inherited: true, ..held(100) };
        let verdict = judge(&answer(1), Validators::default(), Some(&old), None, &CollapseRule::default(), at(0));
        assert!(matches!(verdict, Verdict::Accept(_)));
    }
}
