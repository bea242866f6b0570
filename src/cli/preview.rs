//! `calferry preview`: what a feed's rules make of its events. `calferry explain`: the same for one event, rule by rule.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::ensure;
use serde::Serialize;

use super::copies::{Look, OwnCopy, circumstances};
use super::counted;
use crate::calendar::Property;
use crate::feed::{Reason, Rules, Seen};
use crate::settings::{Feed, Settings};

#[derive(Debug, Serialize)]
struct Preview {
    feed: String,
    events: usize,
    kept: usize,
    changed: usize,
    dropped: usize,
    rules: Vec<RuleTally>,
    list: Vec<Event>,
}

#[derive(Debug, Serialize)]
struct RuleTally {
    rule: String,
    applied: usize,
}

#[derive(Debug, Serialize)]
struct Event {
    /// Where it stands in its source.
    #[serde(skip)]
    at: usize,
    source: String,
    uid: String,
    recurrence_id: Option<String>,
    start: String,
    title: String,
    fate: &'static str,
    /// What left it out.
    by: Option<String>,
    /// The rules that applied to it.
    rules: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    diff: Vec<String>,
}

/// Lists what the rules of a feed make of every event; with `diff`, the lines that change.
pub(super) async fn preview(look: &Look, diff: bool) -> anyhow::Result<ExitCode> {
    let settings = look.settings()?;
    let (feed, texts) = look.feed(&settings).await?;
    let mut list = Vec::new();
    let tally = watch(&settings, feed, &texts, |seen| list.push(event(seen, &feed.recipe.rules, diff)))?;
    // Series are settled behind all others; a reader wants the order of the source.
    let place = |event: &Event| feed.sources.iter().position(|source| **source == *event.source);
    list.sort_by_key(|event| (place(event), event.at));
    let count = |fate: &str| list.iter().filter(|event| event.fate == fate).count();
    let names = feed.recipe.rules.rules.iter().map(|rule| rule.name.to_string());
    let preview = Preview {
        feed: feed.id.to_string(),
        events: list.len(),
        kept: count("kept"),
        changed: count("changed"),
        dropped: count("dropped"),
        rules: names.zip(tally).map(|(rule, applied)| RuleTally { rule, applied }).collect(),
        list,
    };
    look.print(&preview, Preview::words)
}

impl Preview {
    fn words(&self) -> String {
        let mut out = format!(
            "feed {}: {}; {} kept as they are, {} changed, {} dropped\n",
            self.feed,
            counted(self.events, "event"),
            self.kept,
            self.changed,
            self.dropped
        );
        for rule in &self.rules {
            let _ = writeln!(out, "  {}: applied to {}", rule.rule, rule.applied);
        }
        for event in &self.list {
            let instance = event.recurrence_id.as_ref().map_or(String::new(), |id| format!(" (instance of {id})"));
            let by = match (&event.by, event.rules.is_empty()) {
                (Some(by), _) => format!("  ← {by}"),
                (None, false) => format!("  ← {}", event.rules.join(", ")),
                (None, true) => String::new(),
            };
            let _ = writeln!(out, "{:8}{}  {}  {}{instance}{by}", event.fate, event.source, event.start, event.title);
            for line in &event.diff {
                let _ = writeln!(out, "        {line}");
            }
        }
        out
    }
}

#[derive(Debug, Serialize)]
struct Explanation {
    #[serde(flatten)]
    event: Event,
    steps: Vec<Step>,
}

#[derive(Debug, Serialize)]
struct Step {
    rule: String,
    applied: bool,
    conditions: Vec<Condition>,
    /// Not asked any more, since an earlier rule ended the matter.
    asked: bool,
}

#[derive(Debug, Serialize)]
struct Condition {
    condition: String,
    holds: bool,
}

/// Tells for the event `uid`, master and changed instances, what each rule says of it.
pub(super) async fn explain(look: &Look, uid: &str) -> anyhow::Result<ExitCode> {
    let settings = look.settings()?;
    let (feed, texts) = look.feed(&settings).await?;
    let mut explanations = Vec::new();
    let rules = &feed.recipe.rules;
    watch(&settings, feed, &texts, |seen| {
        if seen.entry.uid().is_some_and(|known| *known == *uid.as_bytes()) {
            explanations.push(Explanation { event: event(seen, rules, true), steps: steps(seen, rules) });
        }
    })?;
    ensure!(
        !explanations.is_empty(),
        "no event of feed {} has the UID {uid:?}; `calferry preview {} --json` lists them",
        feed.id,
        feed.id
    );
    look.print(&explanations, |explanations| explanations.iter().map(Explanation::words).collect())
}

impl Explanation {
    fn words(&self) -> String {
        let event = &self.event;
        let mut out = format!("{}  {}  {}\n", event.source, event.start, event.title);
        if let Some(id) = &event.recurrence_id {
            let _ = writeln!(out, "  a changed instance: the one of {id}");
        }
        for step in &self.steps {
            let verdict = match (step.asked, step.applied) {
                (false, _) => "not asked",
                (true, true) => "applies",
                (true, false) => "does not apply",
            };
            let _ = writeln!(out, "  {}: {verdict}", step.rule);
            for condition in step.conditions.iter().filter(|_| step.asked) {
                let _ = writeln!(out, "    {} {}", if condition.holds { "yes" } else { "no " }, condition.condition);
            }
        }
        let by = event.by.as_ref().map_or(String::new(), |by| format!(" by {by}"));
        let _ = writeln!(out, "  {}{by}", event.fate);
        for line in &event.diff {
            let _ = writeln!(out, "    {line}");
        }
        out
    }
}

fn steps(seen: &Seen<'_, '_, '_>, rules: &Rules) -> Vec<Step> {
    let mut asked = true;
    let mut steps = Vec::with_capacity(rules.rules.len());
    for (index, rule) in rules.rules.iter().enumerate() {
        let applied = seen.judgement.applied.contains(&index);
        let findings = rule.when.findings(seen.entry, seen.around).into_iter();
        steps.push(Step {
            rule: rule.name.to_string(),
            applied,
            conditions: findings.map(|found| Condition { condition: found.condition, holds: found.holds }).collect(),
            asked,
        });
        asked &= !(applied && rule.verdict.is_some());
    }
    steps
}

fn event(seen: &Seen<'_, '_, '_>, rules: &Rules, diff: bool) -> Event {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let value = |property| seen.entry.value(property).map(|value| text(&value));
    let after = seen.after();
    let changed = after.as_ref().is_some_and(|after| **after != *seen.before());
    let name = |index: usize| rules.rules.get(index).map_or(String::new(), |rule| rule.name.to_string());
    Event {
        at: seen.entry.span().start,
        source: seen.around.source.to_owned(),
        uid: value(Property::Uid).unwrap_or_default(),
        recurrence_id: value(Property::RecurrenceId),
        start: value(Property::Dtstart).unwrap_or_else(|| "-".into()),
        title: seen.entry.text(Property::Summary).into_owned(),
        fate: match (&after, changed) {
            (None, _) => "dropped",
            (Some(_), true) => "changed",
            (Some(_), false) => "kept",
        },
        by: seen.judgement.dropped.map(|reason| match reason {
            Reason::Rule(index) => name(index),
            Reason::Hidden(hidden) => format!("hide = {:?}", hidden.as_str()),
            Reason::Window => "window".into(),
            Reason::Series => "its series, which is dropped".into(),
            Reason::Newer => "another source, which has it newer".into(),
        }),
        rules: seen.judgement.applied.iter().map(|index| name(*index)).collect(),
        diff: after.filter(|_| diff && changed).map(|after| lines(seen.before(), &after)).unwrap_or_default(),
    }
}

/// The lines that differ, those that go with `-` and those that come with `+`.
fn lines(before: &[u8], after: &[u8]) -> Vec<String> {
    let [before, after] =
        [before, after].map(|text| String::from_utf8_lossy(text).replace("\r\n ", "").replace("\r\n\t", ""));
    let diff = similar::TextDiff::from_lines(&before, &after);
    let differs = diff.iter_all_changes().filter(|change| change.tag() != similar::ChangeTag::Equal);
    differs.map(|change| format!("{}{}", change.tag(), change.value().trim_end())).collect()
}

fn watch(
    settings: &Settings,
    feed: &Feed,
    copies: &[OwnCopy],
    see: impl FnMut(&Seen<'_, '_, '_>),
) -> anyhow::Result<Vec<usize>> {
    let copies: Vec<_> = copies.iter().map(OwnCopy::lend).collect();
    Ok(feed.recipe.watch(&copies, &circumstances(settings, None)?, see)?.applied)
}
