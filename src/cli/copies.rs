//! The copies that a feed is made of, for commands that look at one: from files, from the store, or fetched now.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};
use chrono::NaiveDate;
use serde::Serialize;

use super::Place;
use super::fetch::client;
use super::progress::Progress;
use crate::app::{load_key, stored_name};
use crate::calendar::{Calendar, Limits};
use crate::clock::{Clock, Timestamp};
use crate::feed::{Circumstances, Copy, mended};
use crate::refresh::fetch_once;
use crate::settings::{Feed, Settings, Source};
use crate::store::{Access, Store};

/// A feed to look at, and how.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Look {
    /// The feed.
    feed: String,
    /// Look at this calendar file in the place of the stored copies; NAME=FILE for one source of several.
    #[arg(long, value_name = "FILE")]
    source_file: Vec<String>,
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

impl Look {
    /// The settings of the feed.
    pub(super) fn settings(&self) -> anyhow::Result<Settings> {
        self.place.settings()
    }

    /// The feed, and the texts of its sources.
    pub(super) async fn feed<'a>(&self, settings: &'a Settings) -> anyhow::Result<(&'a Feed, Vec<OwnCopy>)> {
        let feed = find(settings, &self.feed)?;
        Ok((feed, gather(settings, feed, &self.source_file).await?))
    }

    /// Prints what was found, as JSON or in words.
    pub(super) fn print<T: Serialize>(&self, found: &T, words: impl FnOnce(&T) -> String) -> anyhow::Result<ExitCode> {
        let out = if self.json { serde_json::to_string_pretty(found)? + "\n" } else { words(found) };
        std::io::stdout().lock().write_all(out.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The copy of one source.
pub(super) struct OwnCopy {
    source: String,
    mended: Vec<u8>,
    confirmed: Timestamp,
}

impl OwnCopy {
    /// As publishing wants it.
    pub(super) fn lend(&self) -> Copy<'_> {
        Copy { source: &self.source, text: &self.mended, confirmed: self.confirmed.date(), failing: false }
    }
}

/// What day it is, `today` if that is given, and what hashes are keyed with.
pub(super) fn circumstances(settings: &Settings, today: Option<NaiveDate>) -> anyhow::Result<Circumstances> {
    // Where nothing has been served yet there is no key, and what is only shown needs none.
    let key = if settings.state_dir.join("key").exists() {
        load_key(&settings.state_dir)?.derive("calferry 2026 hashes in editions")
    } else {
        [0; 32]
    };
    Ok(Circumstances { today: today.unwrap_or_else(|| Clock::System.now().date()), key })
}

/// The feed called `named`.
pub(super) fn find<'a>(settings: &'a Settings, named: &str) -> anyhow::Result<&'a Feed> {
    settings.feeds.iter().find(|feed| *feed.id == *named).ok_or_else(|| {
        let known: Vec<_> = settings.feeds.iter().map(|feed| &*feed.id).collect();
        anyhow!("no feed named {named:?}; the feeds are: {}", known.join(", "))
    })
}

/// The texts of a feed's sources: from the files that are given, else the stored copies, else fetched now.
pub(super) async fn gather(settings: &Settings, feed: &Feed, files: &[String]) -> anyhow::Result<Vec<OwnCopy>> {
    let files = files.iter().map(|file| named_file(feed, file)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut texts = Vec::with_capacity(feed.sources.len());
    for name in &feed.sources {
        let Some(source) = settings.sources.iter().find(|source| source.name == *name) else { continue };
        let file = files.iter().find(|(named, _)| **named == **name);
        texts.push(match file {
            Some((_, path)) => from_file(source, path)?,
            None if !files.is_empty() => continue,
            None => match from_store(settings, source)? {
                Some(text) => text,
                None => from_upstream(settings, source).await?,
            },
        });
    }
    Ok(texts)
}

fn named_file(feed: &Feed, given: &str) -> anyhow::Result<(String, PathBuf)> {
    if let Some((name, path)) =
        given.split_once('=').filter(|(name, _)| feed.sources.iter().any(|known| **known == **name))
    {
        return Ok((name.to_owned(), path.into()));
    }
    match feed.sources.as_slice() {
        [one] => Ok((one.to_string(), given.into())),
        _ => bail!("--source-file {given}: feed {} has several sources; write NAME=FILE", feed.id),
    }
}

fn from_file(source: &Source, path: &Path) -> anyhow::Result<OwnCopy> {
    Ok(OwnCopy { source: source.name.to_string(), mended: read_mended(path)?, confirmed: Clock::System.now() })
}

/// The calendar in `path`, or on standard input for `-`, mended as it would be when it is fetched.
pub(super) fn read_mended(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut text = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut text).context("standard input")?;
    } else {
        text = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    }
    let calendar = Calendar::scan(&text, &Limits::default());
    let calendar = calendar.map_err(|malformed| anyhow!("{} would not be served: {malformed}", path.display()))?;
    Ok(mended(&calendar))
}

fn from_store(settings: &Settings, source: &Source) -> anyhow::Result<Option<OwnCopy>> {
    if !settings.state_dir.join("calferry.db").exists() {
        return Ok(None);
    }
    let (store, id) = (Store::open(&settings.state_dir, Access::Visit)?, stored_name(source, &settings.state_dir)?);
    let confirmed = store.known()?.snapshots.remove(&id).map(|copy| copy.confirmed_at);
    let text = store.text(&id)?;
    Ok(text.zip(confirmed).map(|(mended, confirmed)| OwnCopy { source: source.name.to_string(), mended, confirmed }))
}

async fn from_upstream(settings: &Settings, source: &Source) -> anyhow::Result<OwnCopy> {
    let target = source.target();
    let progress =
        Progress::of(format!("source {} has no stored copy: fetching from {}", source.name, target.address.host()));
    let answer = fetch_once(&client(settings)?, &target, &settings.fetch.limits, |_| ()).await;
    drop(progress);
    let answer = answer.map_err(|error| anyhow!("source {}: {error}. {}", source.name, error.advice()))?;
    Ok(OwnCopy { source: source.name.to_string(), mended: answer.text, confirmed: Clock::System.now() })
}
