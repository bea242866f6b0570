//! Commands that look at the settings and the state: `url`, `accept`.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use serde::Serialize;

use super::spoken::{Say, words};
use super::{Place, counted, qr};
use crate::app::{load_key, prepare_state_dir, stored_name};
use crate::doctor::Language;
use crate::settings::{Feed, Settings};
use crate::store::{Access, Store};

/// A URL as `--json` has it.
#[derive(Serialize)]
struct Subscription<'a> {
    feed: &'a str,
    device: &'a str,
    url: String,
}

/// Prints the URLs of the devices of `feed`, or of all feeds.
pub(super) fn urls(
    place: &Place,
    feed: Option<&str>,
    device: Option<&str>,
    json: bool,
    language: Language,
) -> anyhow::Result<ExitCode> {
    let settings = place.settings_in(language)?;
    match feed {
        Some(feed) => {
            let feed = qr::find_feed(&settings, feed, language)?;
            device.map(|device| qr::find_device(feed, Some(device), language)).transpose()?;
        }
        None => {
            if let Some(device) = device {
                some_feed_has(&settings, device, language)?;
            }
        }
    }
    prepare_state_dir(&settings.state_dir)?;
    let key = load_key(&settings.state_dir)?;
    let mut list = Vec::new();
    for shown in settings.feeds.iter().filter(|shown| feed.is_none_or(|feed| *shown.id == *feed)) {
        for owner in shown.devices.iter().filter(|owner| device.is_none_or(|device| owner.name == device)) {
            let url = settings.subscription(&key, shown, owner);
            list.push(Subscription { feed: &shown.id, device: &owner.name, url });
        }
    }
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&list)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    for Subscription { feed: id, device: name, url } in &list {
        // A single URL is for a pipe; several need their names.
        if feed.is_some() && device.is_some() {
            writeln!(out, "{url}")?;
        } else {
            writeln!(out, "feed {id}  device {name}  {url}")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn some_feed_has(settings: &Settings, named: &str, language: Language) -> anyhow::Result<()> {
    let has = |feed: &Feed| feed.devices.iter().any(|device| device.name == named);
    if settings.feeds.iter().any(has) {
        return Ok(());
    }
    let known: Vec<_> =
        settings.feeds.iter().map(|feed| format!("{} ({})", feed.id, qr::named_devices(feed))).collect();
    let details = [("name", &*format!("{named:?}")), ("known", &known.join(", "))];
    bail!(words(Say::NoDeviceAnywhere, language, &details))
}

/// Takes over what is kept aside of `source`. A running server sees it within seconds.
pub(super) fn accept(place: &Place, source: &str) -> anyhow::Result<ExitCode> {
    let settings = place.settings()?;
    let named = settings.sources.iter().find(|named| *named.name == *source);
    let named = named.with_context(|| {
        let known: Vec<_> = settings.sources.iter().map(|source| &*source.name).collect();
        format!("no source named {source:?}; the sources are: {}", known.join(", "))
    })?;
    let upstream = stored_name(named, &settings.state_dir)?;
    let store = Store::open(&settings.state_dir, Access::Visit)?;
    let kept = store.known()?.quarantined.remove(&upstream);
    let Some(kept) = kept else { bail!("nothing is kept aside of source {source:?}") };
    ensure!(store.release(&upstream)?, "nothing is kept aside of source {source:?} any more");
    writeln!(
        std::io::stdout(),
        "source {source}: the copy of {}, first seen {}, is served from now on",
        counted(kept.snapshot.entries, "event"),
        kept.since
    )?;
    Ok(ExitCode::SUCCESS)
}
