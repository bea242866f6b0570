//! What a feed leaves out of its sources' events, and what it changes: from its settings to [`Rules`].

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::Duration;

use super::action::{actions, alarms};
use super::condition::Conditions;
use super::item::Item;
use super::pattern::Patterns;
use super::section::Section;
use super::units;
use crate::feed::{Condition, Hidden, MeetingHosts, Presentation, Rule, Rules, Verdict, Window};

/// The keys of a feed that become its rules.
const KEYS: [&str; 10] = ["alarms", "anonymise", "floating", "hide", "join", "me", "prefix", "rule", "window", "zone"];

/// A rule's name has so many letters at most.
const LONGEST_NAME: usize = 100;

/// What feeds have in common: equal patterns, equal rules and equal heads are held once.
#[derive(Debug, Default)]
pub(super) struct Shared {
    patterns: Patterns,
    rules: HashMap<[u8; 32], Arc<Rules>>,
    presentations: HashSet<Arc<Presentation>>,
}

impl Shared {
    pub(super) fn presentation(&mut self, presentation: Presentation) -> Arc<Presentation> {
        if let Some(known) = self.presentations.get(&presentation) {
            return Arc::clone(known);
        }
        let shared = Arc::new(presentation);
        self.presentations.insert(Arc::clone(&shared));
        shared
    }
}

/// Takes everything of a feed that becomes its rules; `sources` are the names of its sources.
pub(super) fn rules(feed: &mut Section, sources: &[String], shared: &mut Shared) -> Arc<Rules> {
    let written = feed.written(&KEYS);
    let digest =
        written.map_or([0; 32], |written| blake3::derive_key("calferry 2026 digest of a feed's rules", &written));
    let (join, hosts) = feed.item("join").map(join).unwrap_or_default();
    let me = me(feed);
    let hide = hide(feed, !me.is_empty());
    let zone = feed.item("zone").and_then(|item| item.note(units::zone(&item.text()?)));
    let alarms = feed.item("alarms").filter(|item| !item.is_empty_list()).map(alarms).unwrap_or_default();
    let rules = Rules {
        hide,
        window: feed.item("window").as_ref().map(window),
        alarms,
        join,
        hosts,
        anonymise: feed.flag("anonymise", false),
        prefixes: feed.item("prefix").map(|item| prefixes(item, sources)).unwrap_or_default(),
        zone,
        pin_floating: feed.item("floating").is_some_and(|item| floating(&item)),
        digest,
        rules: list(feed, Conditions { patterns: &mut shared.patterns, sources, me: !me.is_empty() }),
        me,
    };
    // What was written in the same way means the same.
    Arc::clone(shared.rules.entry(digest).or_insert_with(|| Arc::new(rules)))
}

fn me(feed: &mut Section) -> Vec<String> {
    let mut addresses = Vec::new();
    for (index, text) in feed.list("me").unwrap_or_default().iter().enumerate() {
        match units::address(text) {
            Ok(address) => addresses.push(address),
            Err(refusal) => feed.problem(&format!("me[{index}]"), refusal),
        }
    }
    addresses
}

fn hide(feed: &mut Section, me: bool) -> Vec<Hidden> {
    let mut hide = Vec::new();
    for (index, name) in feed.list("hide").unwrap_or_default().iter().enumerate() {
        let key = format!("hide[{index}]");
        let Some((_, hidden)) = Hidden::ALL.iter().find(|(known, _)| known == name) else {
            let known = Hidden::ALL.map(|(name, _)| name).join(", ");
            feed.problem(&key, format!("is none of {known}"));
            continue;
        };
        if matches!(hidden, Hidden::Declined | Hidden::Unanswered) && !me {
            feed.problem(&key, "needs to know who you are: set `me` to your addresses");
        }
        if hide.contains(hidden) {
            feed.problem(&key, "is listed twice");
        }
        hide.push(*hidden);
    }
    hide
}

fn window(item: &Item) -> Window {
    let mut table = item.clone().section();
    let empty = item.is_table() && table.is_empty();
    let mut days = |key| {
        let item = table.item(key)?;
        item.note(units::whole_days(&item.text()?)).map(Duration::days)
    };
    let window = Window { past: days("past"), future: days("future") };
    if empty {
        item.problem("needs past, or future, or both: { past = \"30d\", future = \"400d\" }");
    }
    table.done();
    window
}

fn join(item: Item) -> (bool, MeetingHosts) {
    if !item.is_table() {
        return (item.flag().unwrap_or(false), MeetingHosts::default());
    }
    let mut table = item.section();
    let hosts = table.list("hosts").unwrap_or_default();
    for (index, host) in hosts.iter().enumerate() {
        if !MeetingHosts::is_host_name(host) {
            table.problem(&format!("hosts[{index}]"), "is no host name such as meet.example.com");
        }
    }
    if hosts.is_empty() {
        table.problem("hosts", "names no host; write join = true, or join = { hosts = [\"meet.example.com\"] }");
    }
    table.done();
    (true, MeetingHosts::with(&hosts))
}

fn prefixes(item: Item, sources: &[String]) -> Vec<(Arc<str>, String)> {
    let mut prefixes = Vec::new();
    for (name, item) in item.section().rest() {
        if !sources.contains(&name) {
            item.problem(format!("no source of this feed has this name; it has {}", sources.join(", ")));
        }
        prefixes.extend(item.text().map(|text| (name.into(), text)));
    }
    prefixes
}

fn floating(item: &Item) -> bool {
    let word = item.text();
    if word.as_ref().is_some_and(|word| word != "calendar") {
        item.problem("is not \"calendar\", the one word that may stand here");
    }
    word.is_some()
}

fn list(feed: &mut Section, mut conditions: Conditions<'_>) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    let mut names = HashSet::new();
    let mut end: Option<Arc<str>> = None;
    for (index, mut section) in feed.tables("rule").into_iter().enumerate() {
        let rule = rule(&mut section, index, &mut conditions);
        if let Some(end) = &end {
            section.problem("", format!("is never reached: {end:?} before it is for every event"));
        }
        if !names.insert(Arc::clone(&rule.name)) {
            section.problem("name", "another rule has this name");
        }
        let every = matches!(&rule.when, Condition::All(all) if all.is_empty());
        if every && rule.verdict.is_some() {
            end.get_or_insert(Arc::clone(&rule.name));
        }
        section.done();
        rules.push(rule);
    }
    rules
}

fn rule(section: &mut Section, index: usize, conditions: &mut Conditions<'_>) -> Rule {
    let name = section.text("name").map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    if name.as_ref().is_some_and(|name| name.chars().count() > LONGEST_NAME || name.contains(char::is_control)) {
        section.problem("name", format!("write {LONGEST_NAME} letters at most, on one line"));
    }
    let name = name.unwrap_or_else(|| format!("rule {}", index + 1)).into();
    let when = section.item("when").map(|item| conditions.read(item.section(), 1)).unwrap_or_default();
    let (drop, keep) = (section.flag("drop", false), section.flag("keep", false));
    let verdict = match (drop, keep) {
        (true, true) => {
            section.problem("keep", "an event is either dropped or kept");
            None
        }
        (true, false) => Some(Verdict::Drop),
        (false, true) => Some(Verdict::Keep),
        (false, false) => None,
    };
    let before = section.problems();
    let actions = actions(section, conditions.patterns);
    if drop && !actions.is_empty() {
        section.problem("drop", "the event is left out, so whatever else the rule does is for nothing");
    }
    if !drop && !keep && actions.is_empty() && section.problems() == before {
        section.problem("", "does nothing; write drop = true, keep = true or an action");
    }
    Rule { name, when: Condition::All(when), verdict, actions }
}
