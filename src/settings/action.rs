//! What a rule does, as it is written in the settings.

use url::Url;

use super::item::Item;
use super::pattern::Patterns;
use super::section::Section;
use super::units;
use crate::feed::{Action, Alarm, Field, Strip, Template};

/// Properties that an event has once (RFC 5545 §3.6.1, RFC 7986 §4).
const ONCE: [&str; 8] = ["CLASS", "COLOR", "DESCRIPTION", "LOCATION", "PRIORITY", "STATUS", "SUMMARY", "TRANSP"];
/// Properties whose value is an address on the web.
const ADDRESSES: [&str; 6] = ["ATTACH", "CONCEPT", "CONFERENCE", "IMAGE", "LINK", "URL"];
/// What stands inside an event (RFC 5545, RFC 9073).
const COMPONENTS: [&str; 4] = ["VALARM", "VLOCATION", "VRESOURCE", "PARTICIPANT"];

/// Takes all that a rule does, in the order in which it is done.
pub(super) fn actions(rule: &mut Section, patterns: &mut Patterns) -> Vec<Action> {
    let mut actions = Vec::new();
    actions.extend(rule.item("busy").and_then(|item| busy(&item)));
    if rule.item("plain_text").and_then(|item| item.flag()) == Some(true) {
        actions.push(Action::PlainText);
    }
    actions.extend(rule.item("set").iter().flat_map(set));
    actions.extend(rule.item("replace").into_iter().flat_map(Item::each).filter_map(|item| replace(item, patterns)));
    actions.extend(rule.item("prefix").and_then(|item| addition(&item)).map(Action::Prefix));
    actions.extend(rule.item("suffix").and_then(|item| addition(&item)).map(Action::Suffix));
    let strip = rule.item("strip").map(|item| item.each_word().iter().filter_map(strip).collect());
    actions.extend(strip.map(|strip: Vec<Strip>| Action::Strip(strip.into())));
    if let Some(item) = rule.item("alarms") {
        actions.push(Action::ClearAlarms);
        if !item.is_empty_list() {
            actions.push(Action::AddAlarms(alarms(item)));
        }
    }
    actions.extend(rule.item("add_alarms").map(|item| Action::AddAlarms(alarms(item))));
    let shift = rule.item("shift").and_then(|item| item.note(units::shift(&item.text()?)));
    actions.extend(shift.map(Action::Shift));
    let pin = rule.item("pin").and_then(|item| item.note(units::zone(&item.text()?)));
    actions.extend(pin.map(Action::Pin));
    actions
}

/// Alarms, each once.
pub(super) fn alarms(item: Item) -> Vec<Alarm> {
    let mut alarms = Vec::new();
    for item in item.each_word() {
        let Some(alarm) = item.text().and_then(|text| item.note(text.parse::<Alarm>())) else { continue };
        if alarms.contains(&alarm) {
            item.problem("is listed twice");
        }
        alarms.push(alarm);
    }
    alarms
}

fn busy(item: &Item) -> Option<Action> {
    let title = item.text()?;
    if title.trim().is_empty() {
        item.problem("is empty; write the title that is to be seen, such as \"busy\"");
    } else if title.contains(['{', '}']) {
        item.problem("stands as it is; places such as {summary} would tell what is hidden");
    }
    Some(Action::Busy(title))
}

fn set(item: &Item) -> Vec<Action> {
    let mut section = item.clone().section();
    if item.is_table() && section.is_empty() {
        item.problem("is empty; name a property in it");
    }
    let mut actions = Vec::new();
    for (name, item) in section.rest() {
        let Some(field) = writable(&name, &item) else { continue };
        if item.is_list() && ONCE.contains(&field.name()) {
            item.problem("an event has this once; write one text");
        }
        let texts = item.each().into_iter().filter_map(|item| value(&field, &item));
        actions.push(Action::Set(field.clone(), texts.collect()));
    }
    actions
}

/// The property `name`, if rules may write it.
fn writable(name: &str, item: &Item) -> Option<Field> {
    let Some(field) = Field::of(name).filter(|_| name.to_lowercase() == name) else {
        item.problem("is no property in lower case; write summary, location, categories, or any x-…");
        return None;
    };
    if !field.is_writable() {
        item.problem("may not be written: it says who, when, or which event it is");
        return None;
    }
    Some(field)
}

/// One text of `field`. An empty one takes the property out.
fn value(field: &Field, item: &Item) -> Option<Template> {
    let text = item.text()?;
    let plain = || (!text.contains(['{', '}'])).then_some(text.as_str());
    let checked = if text.is_empty() {
        Ok(text.clone())
    } else if let Some(words) = field.words() {
        let word = words.iter().find(|word| word.eq_ignore_ascii_case(&text));
        word.map(|word| (*word).to_owned()).ok_or_else(|| format!("is none of {}", words.join(", ").to_lowercase()))
    } else if field.is_number() {
        let digit = text.len() == 1 && text.bytes().all(|byte| byte.is_ascii_digit());
        digit.then(|| text.clone()).ok_or_else(|| "is no number of 0 to 9".to_owned())
    } else if field.name() == "COLOR" {
        let name = units::css3_name(&text).map(str::to_owned);
        name.ok_or_else(|| {
            "is not the name of a CSS 3 colour, such as tomato, which is all that an event's may be".to_owned()
        })
    } else if ADDRESSES.contains(&field.name()) && plain().is_some_and(|text| Url::parse(text).is_err()) {
        Err("is no whole address; write it with https://".to_owned())
    } else {
        Ok(text.clone())
    };
    let checked = item.note(checked)?;
    item.note(Template::parse(&checked))
}

fn addition(item: &Item) -> Option<Template> {
    let text = item.text()?;
    if text.is_empty() {
        item.problem("is empty, and adds nothing");
    }
    item.note(Template::parse(&text))
}

fn replace(item: Item, patterns: &mut Patterns) -> Option<Action> {
    let mut table = item.section();
    let (field, pattern, with) = (table.item("field"), table.item("pattern"), table.item("with"));
    let field = field.or_else(|| needs(&table, "field")).and_then(|item| {
        let field = writable(&item.text()?, &item)?;
        if field.words().is_some() || field.is_number() || field.name() == "COLOR" {
            item.problem("holds one of a few words; use set");
        }
        Some(field)
    });
    let pattern = pattern.or_else(|| needs(&table, "pattern"));
    let pattern = pattern.and_then(|item| item.note(patterns.read(&item.text()?)));
    let with = with.or_else(|| needs(&table, "with"));
    let text = with.as_ref().and_then(Item::text);
    if let (Some(item), Some(pattern), Some(text)) = (&with, &pattern, &text) {
        item.note(super::pattern::check_groups(text, pattern));
    }
    table.done();
    Some(Action::Replace(field?, pattern?, text?))
}

fn needs(table: &Section, key: &str) -> Option<Item> {
    table.problem(key, "is missing; write { field = \"…\", pattern = \"…\", with = \"…\" }");
    None
}

fn strip(item: &Item) -> Option<Strip> {
    let name = item.text()?.to_ascii_uppercase();
    let Some(start) = name.strip_suffix('*') else {
        if !Field::may_be_stripped(&name) {
            item.problem("may not be taken out: without it an event is none, or another one");
        } else if Field::of(&name).is_none() && !COMPONENTS.contains(&name.as_str()) {
            item.problem(format!(
                "is no property and none of {}; end in * for all that begin so",
                COMPONENTS.join(", ")
            ));
        }
        return Some(Strip::Named(name.into()));
    };
    let extension = start.starts_with("X-") && Field::of(&format!("{start}A")).is_some();
    let mut known = Field::names().chain(COMPONENTS).filter(|name| Field::may_be_stripped(name));
    if start.is_empty() {
        item.problem("takes out everything; use busy");
    } else if !extension && !known.any(|name| name.starts_with(start)) {
        item.problem("nothing that may be taken out begins so");
    }
    Some(Strip::Beginning(start.into()))
}
