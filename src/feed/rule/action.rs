//! What a rule does.

use std::sync::Arc;

use chrono::Duration;
use chrono_tz::Tz;
use regex::Regex;

use super::alarm::Alarm;
use super::condition::subject;
use super::draft::Draft;
use super::field::Field;
use super::template::Template;
use crate::calendar::{ContentLine, Entry, Line};
use crate::feed::html::html_to_text;
use crate::feed::meeting::{bars, meet_block};

/// One thing a rule does to an event. A rule's actions are done in the order of this list, whatever their order in the
/// settings.
#[derive(Debug, Clone)]
pub enum Action {
    /// Leaves only that somebody is busy; this is the title.
    Busy(String),
    /// Makes plain text of an HTML description.
    PlainText,
    /// Gives a property these texts.
    Set(Field, Vec<Template>),
    /// Replaces what a pattern matches, `$1` standing for a group.
    Replace(Field, Arc<Regex>, String),
    /// Puts a text before the title.
    Prefix(Template),
    /// Puts a text behind the title.
    Suffix(Template),
    /// Takes out properties or inner components.
    Strip(Arc<[Strip]>),
    /// Takes every alarm out.
    ClearAlarms,
    /// Adds these alarms.
    AddAlarms(Vec<Alarm>),
    /// Moves it in time.
    Shift(Duration),
    /// Says in which zone its floating times are.
    Pin(Tz),
}

/// What is taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Strip {
    /// Properties or components of this name.
    Named(Arc<str>),
    /// All whose name begins so, but for what makes an event this event.
    Beginning(Arc<str>),
}

impl Strip {
    /// Whether `line` of `entry` is meant.
    pub fn means_line(&self, entry: &Entry<'_, '_>, line: &Line) -> bool {
        match (self, entry.calendar().name(line)) {
            (_, b"") => self.means(ContentLine::of(entry.calendar(), line).name()),
            (_, name) => self.means(name),
        }
    }

    /// Whether `name` is meant.
    pub fn means(&self, name: &[u8]) -> bool {
        let starts =
            |start: &str| name.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start.as_bytes()));
        match self {
            Self::Named(named) => name.eq_ignore_ascii_case(named.as_bytes()),
            Self::Beginning(start) => starts(start) && std::str::from_utf8(name).is_ok_and(Field::may_be_stripped),
        }
    }
}

impl Action {
    /// Writes into `draft` what this does to `entry` of `source`.
    pub fn perform(&self, entry: &Entry<'_, '_>, source: &str, draft: &mut Draft) {
        match self {
            Self::Busy(title) => draft.make_busy(title),
            Self::PlainText => {
                draft.change_each(entry, &Field::DESCRIPTION, html_to_text);
            }
            Self::Set(field, templates) => {
                let fill = |template: &Template| template.fill(source, |field| draft.texts(entry, field));
                let texts: Vec<_> = templates.iter().map(fill).collect();
                draft.set(field, texts);
            }
            Self::Replace(field, pattern, with) => {
                draft.change_each(entry, field, |text| replace(text, pattern, with));
            }
            Self::Prefix(template) => {
                let prefix = template.fill(source, |field| draft.texts(entry, field));
                draft.change_title(entry, |title| format!("{prefix}{title}"));
            }
            Self::Suffix(template) => {
                let suffix = template.fill(source, |field| draft.texts(entry, field));
                draft.change_title(entry, |title| format!("{title}{suffix}"));
            }
            Self::Strip(strips) => draft.strip(strips),
            Self::ClearAlarms => draft.clear_alarms(),
            Self::AddAlarms(alarms) => draft.add_alarms(alarms),
            Self::Shift(by) => draft.shift(*by),
            Self::Pin(zone) => draft.pin(*zone),
        }
    }
}

/// Matches replaced in one text. Finding all can take a time that grows with the square of the text, whatever the pattern.
const MAX_REPLACEMENTS: usize = 1000;

/// `text` with every match replaced, or `None` if there is none. Where that would leave half of a Google Meet block, which
/// iOS then shows as noise, the block goes as a whole.
fn replace(text: &str, pattern: &Regex, with: &str) -> Option<String> {
    let (head, rest) = text.split_at(subject(text).len());
    if !pattern.is_match(head) {
        return None;
    }
    let changed = format!("{}{rest}", pattern.replacen(head, MAX_REPLACEMENTS, with));
    if bars(&changed) != 1 || bars(text) < 2 {
        return Some(changed);
    }
    let block = meet_block(text)?;
    let without = format!("{}{}", text.get(..block.start)?, text.get(block.end..)?);
    let (head, rest) = without.split_at(subject(&without).len());
    Some(format!("{}{rest}", pattern.replacen(head, MAX_REPLACEMENTS, with)))
}
