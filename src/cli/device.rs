//! `calferry device`: gives a feed another device, takes one's URL away, or replaces it, by a change of the settings file.

mod edit;

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand};
use toml_edit::DocumentMut;

use super::language::{Lang, language};
use super::spoken::{Say, words};
use super::{Place, environment, private, qr};
use crate::app::{load_key, prepare_state_dir};
use crate::clock::{Clock, Timestamp};
use crate::doctor::Language;
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
    /// Which language to speak [default: the one of the environment].
    #[arg(long, value_enum)]
    lang: Option<Lang>,
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
    let language = language(whose.lang);
    let Origin::File(path) = whose.place.origin() else { bail!(words(Say::NothingToChange, language, &[])) };
    // What is read from here on nobody changes before it is written again.
    let lock = private::lock(&path, language)?;
    let settings = whose.place.settings_in(language)?;
    let feed = qr::find_feed(&settings, &whose.feed, language)?;
    let until = change.admit(feed, &whose.device, language)?;
    private::replace(
        &path,
        language,
        |text| change.edited(text, &path, feed, until, language),
        |new| change.check(whose, new, language),
    )?;
    drop(lock);
    whose.tell(change, feed.devices.iter().find(|device| device.name == whose.device), until, language)?;
    Ok(ExitCode::SUCCESS)
}

impl Change {
    /// Refuses what would make no sense. Tells until when an old URL is to work.
    fn admit(&self, feed: &Feed, named: &str, language: Language) -> anyhow::Result<Option<Timestamp>> {
        let device = feed.devices.iter().find(|device| device.name == named);
        let unknown = || qr::no_device(feed, named, language);
        let refusal = |say| words(say, language, &[("feed", &*feed.id), ("name", named)]);
        match self {
            Self::Add(_) => {
                ensure!(device.is_none(), refusal(Say::HasAlready));
                ensure!(!feed.revoked.iter().any(|revoked| revoked == named), refusal(Say::WasRevoked));
            }
            Self::Revoke(_) => {
                device.with_context(unknown)?;
                ensure!(feed.devices.len() > 1, refusal(Say::OnlyDevice));
            }
            Self::Rotate { grace, force, .. } => {
                let device = device.with_context(unknown)?;
                ensure!(device.token.is_none(), refusal(Say::OwnToken));
                let now = Clock::System.now();
                // Only the URL before the last rotation is given time: another rotation would end that of the one before it.
                if let Some(promised) = device.grace_until.filter(|until| *until > now && !force) {
                    let details = [("name", named), ("until", &promised.to_string())];
                    bail!(words(Say::Promised, language, &details));
                }
                return Ok(grace.map(|grace| now + grace));
            }
        }
        Ok(None)
    }

    fn edited(
        &self,
        text: &str,
        path: &Path,
        feed: &Feed,
        until: Option<Timestamp>,
        language: Language,
    ) -> anyhow::Result<String> {
        let shown = path.display().to_string();
        let refusal = |say| words(say, language, &[("feed", &*feed.id), ("path", &*shown)]);
        // The parser's words quote the text, which may hold secrets. It was read a moment ago, so they are not missed.
        let document = text.parse::<DocumentMut>().ok();
        let mut document = document.with_context(|| refusal(Say::NoToml))?;
        let devices: Vec<_> = feed.devices.iter().map(|device| &*device.name).collect();
        let table = edit::feed(&mut document, &feed.id).with_context(|| refusal(Say::WrittenElsewhere))?;
        match self {
            Self::Add(whose) => edit::add(table, &devices, &whose.device),
            Self::Revoke(whose) => edit::revoke(table, &whose.device),
            Self::Rotate { whose, .. } => {
                let rotation = feed.devices.iter().find(|device| device.name == whose.device);
                let rotation = rotation.map_or(0, |device| device.rotation);
                edit::rotate(table, &whose.device, rotation + 1, until.map(|until| until.to_string()).as_deref())
            }
        }
        .with_context(|| refusal(Say::NoForm))?;
        Ok(document.to_string())
    }

    /// Whether the settings load with `new` in the place of their file, and mean what they should.
    fn check(&self, whose: &Whose, new: &Path, language: Language) -> anyhow::Result<()> {
        let settings = Settings::load(&Origin::File(new.to_owned()), &whose.place.given()?, &environment());
        let settings = settings.map_err(|Problems(mut found)| {
            found.push(Problem { path: String::new(), message: words(Say::WouldBeRefused, language, &[]) });
            Problems(found)
        })?;
        let feed = qr::find_feed(&settings, &whose.feed, language)?;
        let device = feed.devices.iter().find(|device| device.name == whose.device);
        let done = match self {
            Self::Add(_) => device.is_some(),
            Self::Revoke(_) => device.is_none() && feed.revoked.contains(&whose.device),
            Self::Rotate { .. } => device.is_some_and(|device| device.rotation > 0),
        };
        ensure!(done, words(Say::EnvironmentWins, language, &[("feed", &feed.id)]));
        Ok(())
    }
}

impl Whose {
    /// Prints the URL, and says what becomes of the old one.
    fn tell(
        &self,
        change: &Change,
        before: Option<&Device>,
        until: Option<Timestamp>,
        language: Language,
    ) -> anyhow::Result<()> {
        let settings = self.place.settings_in(language)?;
        let feed = qr::find_feed(&settings, &self.feed, language)?;
        if let Some(device) = feed.devices.iter().find(|device| device.name == self.device) {
            prepare_state_dir(&settings.state_dir)?;
            let key = load_key(&settings.state_dir)?;
            let mut out = std::io::stdout().lock();
            writeln!(out, "feed {}  device {}  {}", feed.id, device.name, settings.subscription(&key, feed, device))?;
            if std::io::stdout().is_terminal() {
                qr::if_there_is_room(&mut out, &settings, &key, feed, device, language)?;
            }
            qr::warn_of_nearby(&settings, language);
        }
        let say = |say, details: &[(&str, &str)]| words(say, language, details);
        let mut old = match (change, until) {
            (Change::Add(_), _) => String::new(),
            // Of a token from a file nothing is left that could be remembered.
            (Change::Revoke(_), _) if before.is_some_and(|device| device.token.is_some()) => say(Say::OwnUrlGone, &[]),
            (Change::Revoke(_), _) => say(Say::UrlGone, &[("name", &self.device)]),
            (Change::Rotate { .. }, None) => say(Say::OldGone, &[]),
            (Change::Rotate { .. }, Some(until)) => say(Say::OldUntil, &[("until", &until.to_string())]),
        };
        let promised = before.and_then(|device| device.grace_until).is_some_and(|until| until > Clock::System.now());
        if promised && matches!(change, Change::Rotate { .. }) {
            old += &say(Say::EarlierGone, &[]);
        }
        eprintln!("calferry: {}", say(Say::Changed, &[("old", &old)]));
        Ok(())
    }
}
