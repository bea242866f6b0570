//! Feeds: what each is made of, how it looks, and who has a URL.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::fetch::Sources;
use super::resolve::{Context, DAY, MINUTE};
use super::rules::rules;
use super::section::{Section, is_name};
use super::units;
use super::{Device, Feed, Problem};
use crate::clock::Timestamp;
use crate::feed::{Colour, Presentation, Recipe, Token, ZoneNames};

/// What is said of settings in which there is nothing at all.
pub const NOTHING_TO_SERVE: &str = "there is nothing to serve: give an address (calferry serve URL) or a settings file with a [source.…] and a [feed.…]";

pub(super) fn feeds(sections: Vec<(String, Section)>, sources: &Sources, context: &mut Context<'_>) -> Vec<Feed> {
    if sections.is_empty() && context.found.borrow().is_empty() {
        context.found.borrow_mut().push(Problem { path: String::new(), message: NOTHING_TO_SERVE.into() });
    }
    let feeds =
        sections.into_iter().filter_map(|(id, section)| feed(&id, section, sources, context)).collect::<Vec<_>>();
    one_token_each(&feeds, context);
    feeds
}

/// A token that two devices have would lead to the feed of one of them, and to the other's for nobody.
fn one_token_each(feeds: &[Feed], context: &Context<'_>) {
    let all = feeds.iter().flat_map(|feed| feed.devices.iter().map(|device| (&feed.id, device)));
    let mut seen: Vec<(&Arc<str>, &Device)> = Vec::new();
    for (id, device) in all.filter(|(_, device)| device.token.is_some()) {
        if let Some((other, first)) = seen.iter().find(|(_, first)| first.token == device.token) {
            let message = format!("is the token of feed.{other}.device.{} already; each needs its own", first.name);
            let path = format!("feed.{id}.device.{}.token_file", device.name);
            context.found.borrow_mut().push(Problem { path, message });
        }
        seen.push((id, device));
    }
}

fn feed(id: &str, mut section: Section, sources: &Sources, context: &mut Context<'_>) -> Option<Feed> {
    let names = section.list("sources").unwrap_or_default();
    let mut known = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let key = format!("sources[{index}]");
        match sources.places.get(name) {
            Some(_) if names.iter().take(index).any(|other| other == name) => {
                section.problem(&key, format!("{name:?} is listed twice"));
            }
            Some(place) => known.extend(place.and_then(|place| sources.whole.get(place))),
            None => section.problem(&key, format!("no source named {name:?}")),
        }
    }
    if names.is_empty() {
        section.problem("sources", "a feed needs a source: sources = [\"name\"]");
    }
    let devices = devices(&mut section, context);
    let revoked = section.list("revoked").unwrap_or_default();
    for (index, name) in revoked.iter().enumerate() {
        if devices.iter().any(|device| device.name == *name) {
            section.problem(
                &format!("revoked[{index}]"),
                format!("{name:?} is among the devices too; take it out of one of the lists"),
            );
        }
    }
    let usual = known.iter().map(|source| source.pace.refresh).min().unwrap_or(15 * MINUTE);
    let recipe = Recipe {
        presentation: context.shared.presentation(presentation(&mut section, usual)),
        rules: rules(&mut section, &names, &mut context.shared),
        zones: zone_names(&mut section),
    };
    section.done();
    let sources: Vec<_> = known.iter().map(|source| Arc::clone(&source.name)).collect();
    (!sources.is_empty()).then(|| Feed { id: id.into(), sources, recipe, devices, revoked })
}

fn presentation(section: &mut Section, usual: Duration) -> Presentation {
    let notice = section.item("notice").and_then(|item| {
        let days = item.note(units::whole_days(&item.text()?))?;
        let days = u32::try_from(days).ok().filter(|days| *days > 0);
        item.note(days.ok_or("is less than a day"))
    });
    Presentation {
        name: section.text("name").filter(|name| !name.trim().is_empty()),
        refresh: Some(section.duration("refresh", usual, MINUTE..=7 * DAY)),
        colour: colour(section),
        freshness: section.flag("freshness", false),
        notice,
    }
}

/// In either spelling.
fn colour(section: &mut Section) -> Option<Colour> {
    let (short, long) = (section.item("color"), section.item("colour"));
    if let (Some(_), Some(again)) = (&short, &long) {
        again.problem("is color in another spelling; write one of them");
    }
    let item = short.or(long)?;
    item.note(units::colour(&item.text()?))
}

fn zone_names(section: &mut Section) -> ZoneNames {
    let Some(item) = section.item("time_zones") else { return ZoneNames::default() };
    match item.text().as_deref() {
        Some("keep") => ZoneNames::Keep,
        Some("iana") | None => ZoneNames::Iana,
        Some(_) => {
            item.problem("is neither \"iana\" nor \"keep\"");
            ZoneNames::Iana
        }
    }
}

fn devices(section: &mut Section, context: &mut Context<'_>) -> Vec<Device> {
    let mut devices = BTreeMap::new();
    let mut order = Vec::new();
    for (index, name) in section.list("devices").unwrap_or_default().into_iter().enumerate() {
        if !is_name(&name) {
            section.problem(&format!("devices[{index}]"), "a name has letters, digits, `-` and `_` only, 64 at most");
        }
        let device = Device::new(name.clone());
        if devices.insert(name.clone(), device).is_some() {
            section.problem(&format!("devices[{index}]"), format!("{name:?} is listed twice"));
        } else {
            order.push(name);
        }
    }
    for (name, mut details) in section.sections("device") {
        let rotation = u32::try_from(details.number("rotation", 0, 0..=100)).unwrap_or(0);
        let token = details.text("token_file").and_then(|file| {
            let text = context.secret(&details, "token_file", &file)?;
            let token = Token::from_user(&text);
            if token.is_none() {
                details.problem(
                    "token_file",
                    format!("a token has {} to {} letters, digits, `-` and `_`", Token::MIN, Token::MAX),
                );
            }
            token
        });
        let grace_until = grace(&mut details, rotation);
        details.done();
        let device = Device { rotation, token, grace_until, ..Device::new(name.clone()) };
        if devices.insert(name.clone(), device).is_none() {
            order.push(name);
        }
    }
    if order.is_empty() {
        return vec![Device::new("phone".into())];
    }
    order.into_iter().filter_map(|name| devices.remove(&name)).collect()
}

/// Until when the URL before `rotation` works.
fn grace(details: &mut Section, rotation: u32) -> Option<Timestamp> {
    let text = details.text("grace_until")?;
    if rotation == 0 {
        details.problem("grace_until", "there is no earlier URL: rotation is 0");
    }
    let until = humantime::parse_rfc3339(&text).ok();
    if until.is_none() {
        details.problem("grace_until", format!("{text:?} is not a time in UTC; write \"2026-12-03T00:00:00Z\""));
    }
    until.map(Timestamp::from)
}
