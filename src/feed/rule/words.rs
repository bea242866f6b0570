//! Conditions in words, as they are written in the settings, and which of them hold for an event.

use std::fmt;

use chrono_tz::Tz;

use super::condition::{Comparison, Condition, Date, Surroundings, Test, Thing};
use crate::calendar::Entry;

/// A condition, and whether it holds for an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// `summary = "(?i)standup"`
    pub condition: String,
    /// Whether it holds.
    pub holds: bool,
}

impl Condition {
    /// Each of the conditions that must hold, and whether it does for `entry`.
    pub fn findings(&self, entry: &Entry<'_, '_>, around: &Surroundings<'_>) -> Vec<Finding> {
        let all = if let Self::All(all) = self { all.as_slice() } else { std::slice::from_ref(self) };
        let finding =
            |condition: &Self| Finding { condition: condition.to_string(), holds: condition.holds(entry, around) };
        all.iter().map(finding).collect()
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(all) => join(f, all, ", "),
            Self::Any(any) => {
                f.write_str("any = [{ ")?;
                join(f, any, " }, { ")?;
                f.write_str(" }]")
            }
            Self::Not(condition) => write!(f, "not = {{ {condition} }}"),
            Self::Is(test) => test.fmt(f),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(field, patterns) => {
                list(f, &field.name().to_lowercase(), patterns.iter().map(|pattern| pattern.as_str()))
            }
            Self::Word(field, words) => {
                list(f, &field.name().to_lowercase(), words.iter().map(|word| word.to_lowercase()))
            }
            Self::Partstat(answers) => list(f, "partstat", answers.iter().map(|answer| answer.to_lowercase())),
            Self::AllDay(yes) => write!(f, "all_day = {yes}"),
            Self::Recurring(yes) => write!(f, "recurring = {yes}"),
            Self::Override(yes) => write!(f, "override = {yes}"),
            Self::Has(things) => list(f, "has", things.iter().map(|thing| thing.as_str())),
            Self::Length(lengths) => list(
                f,
                "length",
                lengths.iter().map(|(comparison, length)| {
                    let length = length.to_std().unwrap_or_default();
                    format!("{} {}", comparison.as_str(), humantime::format_duration(length))
                }),
            ),
            Self::Weekdays(days, zone) => {
                let names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
                list(f, "weekdays", names.iter().zip(days).filter(|(_, on)| **on).map(|(name, _)| name))?;
                at(f, *zone)
            }
            Self::Hours(ranges, zone) => {
                list(
                    f,
                    "hours",
                    ranges
                        .iter()
                        .map(|(from, to)| format!("{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)),
                )?;
                at(f, *zone)
            }
            Self::StartsFrom(date, zone) => write!(f, "from = \"{date}\"").and_then(|()| at(f, *zone)),
            Self::StartsBefore(date, zone) => write!(f, "before = \"{date}\"").and_then(|()| at(f, *zone)),
            Self::Source(sources) => list(f, "source", sources.iter()),
        }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::On(date) => date.fmt(f),
            Self::FromToday(days) => write!(f, "{days}d"),
        }
    }
}

impl Thing {
    /// Its name in the settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alarm => "alarm",
            Self::Conference => "conference",
            Self::Attachment => "attachment",
            Self::Attendees => "attendees",
        }
    }
}

impl Comparison {
    /// Its sign in the settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Equal => "=",
            Self::AtLeast => ">=",
            Self::More => ">",
        }
    }
}

fn join(f: &mut fmt::Formatter<'_>, conditions: &[Condition], between: &str) -> fmt::Result {
    if conditions.is_empty() {
        return f.write_str("always");
    }
    for (index, condition) in conditions.iter().enumerate() {
        if index > 0 {
            f.write_str(between)?;
        }
        fmt::Display::fmt(condition, f)?;
    }
    Ok(())
}

fn list(f: &mut fmt::Formatter<'_>, name: &str, items: impl Iterator<Item = impl fmt::Display>) -> fmt::Result {
    let items: Vec<_> = items.map(|item| format!("{:?}", item.to_string())).collect();
    match items.as_slice() {
        [one] => write!(f, "{name} = {one}"),
        several => write!(f, "{name} = [{}]", several.join(", ")),
    }
}

fn at(f: &mut fmt::Formatter<'_>, zone: Option<Tz>) -> fmt::Result {
    zone.map_or(Ok(()), |zone| write!(f, ", zone = {:?}", zone.name()))
}
