//! Rules: what a feed leaves out of its sources' events, and what it changes.
//!
//! Pure: a rule is a condition on an event and a list of actions. Judging says what becomes of each event by itself; what
//! that means for the series it belongs to is [`super::series`]' matter.
//!
//! | file | holds |
//! |---|---|
//! | `condition` | when a rule applies |
//! | `action` | what it does |
//! | `field`, `template` | properties by name, and text with places in it |
//! | `draft`, `carry_out` | what is going to be different about one event, and making it so |
//! | `times` | moving an event in time |
//! | `alarm` | alarms that rules add |
//! | `words` | conditions in words, and which of them hold |

mod action;
mod alarm;
mod carry_out;
mod condition;
mod draft;
mod field;
mod template;
mod times;
mod words;

use std::sync::Arc;

use chrono::Duration;
use chrono_tz::Tz;

pub use action::{Action, Strip};
pub use alarm::Alarm;
pub use condition::{Comparison, Condition, Date, Surroundings, Test, Thing};
pub(super) use condition::{length, my_answer, start};
pub(super) use draft::Draft;
pub use field::Field;
pub(super) use field::without_mailto;
pub use template::Template;
pub(super) use times::Times;
pub use words::Finding;

use super::meeting::MeetingHosts;
use crate::calendar::{Entry, Property};

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// What it is called in reports: its name in the settings, else `rule 3`.
    pub name: Arc<str>,
    /// When it applies.
    pub when: Condition,
    /// What becomes of the event.
    pub verdict: Option<Verdict>,
    /// What it does to the event.
    pub actions: Vec<Action>,
}

/// The end of judging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Left out.
    Drop,
    /// Kept, whatever later rules, `hide` and `window` say.
    Keep,
}

/// Events that are hidden by what they say of themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hidden {
    /// I have declined.
    Declined,
    /// STATUS is CANCELLED.
    Cancelled,
    /// STATUS is TENTATIVE.
    Tentative,
    /// I have not answered.
    Unanswered,
    /// TRANSP is TRANSPARENT.
    Free,
}

impl Hidden {
    /// All, by their names in the settings.
    pub const ALL: [(&'static str, Self); 5] = [
        ("declined", Self::Declined),
        ("cancelled", Self::Cancelled),
        ("tentative", Self::Tentative),
        ("unanswered", Self::Unanswered),
        ("free", Self::Free),
    ];

    /// Its name in the settings.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, hidden)| *hidden == self).map_or("", |(name, _)| name)
    }

    fn applies(self, entry: &Entry<'_, '_>, me: &[String]) -> bool {
        let says = |property, word: &[u8]| entry.value(property).is_some_and(|value| value.eq_ignore_ascii_case(word));
        let answer = |word: &str| my_answer(entry, me).is_some_and(|answer| answer.eq_ignore_ascii_case(word));
        match self {
            Self::Declined => answer("DECLINED"),
            Self::Cancelled => says(Property::Status, b"CANCELLED"),
            Self::Tentative => says(Property::Status, b"TENTATIVE"),
            Self::Unanswered => answer("NEEDS-ACTION"),
            Self::Free => says(Property::Transp, b"TRANSPARENT"),
        }
    }
}

/// Days around today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// How far back, from the beginning of today in UTC. `None` is without end.
    pub past: Option<Duration>,
    /// How far ahead, from the end of today.
    pub future: Option<Duration>,
}

/// All of a feed's wishes on the events of its sources.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// In the order in which they are asked.
    pub rules: Vec<Rule>,
    /// My addresses, lower case.
    pub me: Vec<String>,
    /// What is hidden.
    pub hide: Vec<Hidden>,
    /// Series without an instance in it are left out.
    pub window: Option<Window>,
    /// Alarms for every event with a time of day that has none.
    pub alarms: Vec<Alarm>,
    /// Meeting addresses are put where phones look for them.
    pub join: bool,
    /// What counts as a meeting's host.
    pub hosts: MeetingHosts,
    /// Addresses of organizers and attendees do not come out.
    pub anonymise: bool,
    /// What titles begin with, by source.
    pub prefixes: Vec<(Arc<str>, String)>,
    /// Where days and hours are counted.
    pub zone: Option<Tz>,
    /// Floating times are in the zone that their calendar names (`X-WR-TIMEZONE`).
    pub pin_floating: bool,
    /// A digest of all this, as it was written.
    pub digest: [u8; 32],
}

/// What has been said of one event.
#[derive(Debug, Default)]
pub struct Judgement {
    /// Why it is left out, if it is.
    pub dropped: Option<Reason>,
    /// A rule keeps it, whatever comes.
    pub kept: bool,
    /// What is going to be different.
    pub(super) draft: Draft,
    /// The rules that applied, by index.
    pub applied: Vec<usize>,
}

/// Why an event is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A rule says so.
    Rule(usize),
    /// It is hidden.
    Hidden(Hidden),
    /// It is not in the window.
    Window,
    /// The series it belongs to is left out.
    Series,
    /// Another source has it, and newer.
    Newer,
}

impl Rules {
    /// There is nothing to do for any event.
    pub fn is_empty(&self) -> bool {
        let no_rule = self.rules.is_empty() && self.hide.is_empty() && self.window.is_none();
        no_rule
            && self.alarms.is_empty()
            && self.prefixes.is_empty()
            && !self.join
            && !self.anonymise
            && !self.pin_floating
    }

    /// Whether what comes out depends on what day it is.
    pub fn ask_for_today(&self) -> bool {
        self.window.is_some() || self.rules.iter().any(|rule| rule.when.asks_for_today())
    }

    /// What becomes of `entry` by itself.
    pub fn judge(&self, entry: &Entry<'_, '_>, around: &Surroundings<'_>) -> Judgement {
        let mut judgement = Judgement::default();
        for (index, rule) in self.rules.iter().enumerate() {
            if !rule.when.holds(entry, around) {
                continue;
            }
            judgement.applied.push(index);
            for action in &rule.actions {
                action.perform(entry, around.source, &mut judgement.draft);
            }
            match rule.verdict {
                Some(Verdict::Drop) => judgement.dropped = Some(Reason::Rule(index)),
                Some(Verdict::Keep) => judgement.kept = true,
                None => continue,
            }
            return judgement;
        }
        let hidden = self.hide.iter().find(|hidden| hidden.applies(entry, &self.me));
        judgement.dropped = hidden.map(|hidden| Reason::Hidden(*hidden));
        judgement
    }
}
