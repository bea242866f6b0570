//! `calferry device`: gives a feed another device, takes one's URL away, or replaces it, by a change of the settings file.

mod edit;

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand};
use toml_edit::DocumentMut;

use super::{Place, environment, private, qr};
use crate::app::{load_key, prepare_state_dir};
use crate::clock::{Clock, Timestamp};
use crate::settings::{Device, Feed, Origin, Problem, Problems, Settings};

/// What to do with a device.
#[derive(Debug, Clone, Subcommand)]
pub(super) enum Change {
    /// Give a feed another device, and print its URL.
    Add(Whose),
    /// Take a device's URL away: it answers 410 from now on.
    Revoke(Whose),
    /// Give a device a new URL, and print it.
    Rotate {
        #[command(flatten)]
        whose: Whose,
        /// How long the old URL works beside the new one, such as 7d; else it answers 410 at once.
        #[arg(long, value_parser = grace)]
        grace: Option<Duration>,
        /// Rotate even though an earlier URL was given time that is not over; it answers 410 from now on.
        #[arg(long)]
        force: bool,
    },
}

/// Which device of which feed.
#[derive(Debug, Clone, Args)]
pub(super) struct Whose {
    /// The feed.
    feed: String,
    /// The device.
    device: String,
    #[command(flatten)]
    place: Place,
}

/// Longest time that an old URL is given.
const LONGEST_GRACE: Duration = Duration::from_hours(366 * 24);

fn grace(text: &str) -> Result<Duration, String> {
    let grace = humantime::parse_duration(text).map_err(|_| "write it as 7d or 12h".to_owned())?;
    if grace.is_zero() || grace > LONGEST_GRACE { Err("more than nothing and at most 366d".into()) } else { Ok(grace) }
}

/// Changes the settings file, unless the settings would not load then.
pub(super) fn change(change: &Change) -> anyhow::Result<ExitCode> {
    let whose = match change {
        Change::Add(whose) | Change::Revoke(whose) | Change::Rotate { whose, .. } => whose,
    };
    let Origin::File(path) = whose.place.origin() else {
        bail!("there is no settings file to change; name one with --config, or make one with calferry init");
    };
    // What is read from here on nobody changes before it is written again.
    let lock = private::lock(&path)?;
    let settings = whose.place.settings()?;
    let feed = qr::find_feed(&settings, &whose.feed)?;
    let until = change.admit(feed, &whose.device)?;
    private::replace(&path, |text| change.edited(text, &path, feed, until), |new| change.check(whose, new))?;
    drop(lock);
    whose.tell(change, feed.devices.iter().find(|device| device.name == whose.device), until)?;
    Ok(ExitCode::SUCCESS)
}

impl Change {
    /// Refuses what would make no sense. Tells until when an old URL is to work.
    fn admit(&self, feed: &Feed, named: &str) -> anyhow::Result<Option<Timestamp>> {
        let device = feed.devices.iter().find(|device| device.name == named);
        let known = || feed.devices.iter().map(|device| &*device.name).collect::<Vec<_>>().join(", ");
        let unknown = || format!("feed {} has no device named {named:?}; its devices are: {}", feed.id, known());
        match self {
            Self::Add(_) => {
                ensure!(
                    device.is_none(),
                    "feed {} has a device {named} already; calferry url shows its URL, calferry device rotate replaces it",
                    feed.id
                );
                ensure!(
                    !feed.revoked.iter().any(|revoked| revoked == named),
                    "{named} was revoked, and its old URL would work again; choose another name for the new device"
                );
            }
            Self::Revoke(_) => {
                device.with_context(unknown)?;
                ensure!(
                    feed.devices.len() > 1,
                    "{named} is the only device of feed {}; add another first, or take the feed out of the settings",
                    feed.id
                );
            }
            Self::Rotate { grace, force, .. } => {
                let device = device.with_context(unknown)?;
                ensure!(
                    device.token.is_none(),
                    "{named} has a token of its own; write another into its token_file, or take that line out"
                );
                let now = Clock::System.now();
                // Only the URL before the last rotation is given time: another rotation would end that of the one before it.
                if let Some(promised) = device.grace_until.filter(|until| *until > now && !force) {
                    bail!(
                        "{named} was given a new URL already, and the one before it works until {promised}, as was promised; \
                         after another rotation it would answer 410 at once. Wait until then, or rotate with --force"
                    );
                }
                return Ok(grace.map(|grace| now + grace));
            }
        }
        Ok(None)
    }

    fn edited(&self, text: &str, path: &Path, feed: &Feed, until: Option<Timestamp>) -> anyhow::Result<String> {
        // The parser's words quote the text, which may hold secrets. It was read a moment ago, so they are not missed.
        let document = text.parse::<DocumentMut>().ok();
        let mut document = document.with_context(|| format!("{} is no TOML any more; try again", path.display()))?;
        let devices: Vec<_> = feed.devices.iter().map(|device| &*device.name).collect();
        let table = edit::feed(&mut document, &feed.id).with_context(|| {
            format!("feed {} is not written in {}; change it where it is written", feed.id, path.display())
        })?;
        match self {
            Self::Add(whose) => edit::add(table, &devices, &whose.device),
            Self::Revoke(whose) => edit::revoke(table, &whose.device),
            Self::Rotate { whose, .. } => {
                let rotation = feed.devices.iter().find(|device| device.name == whose.device);
                let rotation = rotation.map_or(0, |device| device.rotation);
                edit::rotate(table, &whose.device, rotation + 1, until.map(|until| until.to_string()).as_deref())
            }
        }
        .with_context(|| format!("feed {} has no form in {} that can be changed", feed.id, path.display()))?;
        Ok(document.to_string())
    }

    /// Whether the settings load with `new` in the place of their file, and mean what they should.
    fn check(&self, whose: &Whose, new: &Path) -> anyhow::Result<()> {
        let settings = Settings::load(&Origin::File(new.to_owned()), &whose.place.given()?, &environment());
        let settings = settings.map_err(|Problems(mut found)| {
            let message = "nothing was changed, since the settings would be refused then".to_owned();
            found.push(Problem { path: String::new(), message });
            Problems(found)
        })?;
        let feed = qr::find_feed(&settings, &whose.feed)?;
        let device = feed.devices.iter().find(|device| device.name == whose.device);
        let done = match self {
            Self::Add(_) => device.is_some(),
            Self::Revoke(_) => device.is_none() && feed.revoked.contains(&whose.device),
            Self::Rotate { .. } => device.is_some_and(|device| device.rotation > 0),
        };
        ensure!(done, "nothing was changed: the environment has other devices for feed {}; change it there", feed.id);
        Ok(())
    }
}

impl Whose {
    /// Prints the URL, and says what becomes of the old one.
    fn tell(&self, change: &Change, before: Option<&Device>, until: Option<Timestamp>) -> anyhow::Result<()> {
        let settings = self.place.settings()?;
        let feed = qr::find_feed(&settings, &self.feed)?;
        if let Some(device) = feed.devices.iter().find(|device| device.name == self.device) {
            prepare_state_dir(&settings.state_dir)?;
            let key = load_key(&settings.state_dir)?;
            let mut out = std::io::stdout().lock();
            writeln!(out, "feed {}  device {}  {}", feed.id, device.name, settings.subscription(&key, feed, device))?;
            if std::io::stdout().is_terminal() {
                qr::if_there_is_room(&mut out, &settings, &key, feed, device)?;
            }
            if let Some(warning) = qr::nearby(&settings) {
                eprintln!("calferry: {warning}");
            }
        }
        let old = match (change, until) {
            (Change::Add(_), _) => None,
            // Of a token from a file nothing is left that could be remembered.
            (Change::Revoke(_), _) if before.is_some_and(|device| device.token.is_some()) => {
                Some("its URL, which came from a token_file, answers 404".to_owned())
            }
            (Change::Revoke(_), _) => Some(format!("the URL of {} answers 410", self.device)),
            (Change::Rotate { .. }, None) => Some("the old URL answers 410".to_owned()),
            (Change::Rotate { .. }, Some(until)) => {
                Some(format!("the old URL works until {until} and answers 410 then"))
            }
        };
        let broken = before.and_then(|device| device.grace_until).is_some_and(|until| until > Clock::System.now());
        let old = old.map(|old| match change {
            Change::Rotate { .. } if broken => format!("{old}; the one before it answers 410"),
            _ => old,
        });
        let old = old.map_or(String::new(), |old| format!("; {old}"));
        eprintln!("calferry: the settings file is changed; a running server follows within seconds{old}");
        Ok(())
    }
}
