//! `calferry check`: what is wrong with the settings, and with `--online`, with the sources.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use super::fetch::{client, remarks, told};
use super::progress::Progress;
use super::spoken::{Say, words};
use super::{Place, counted, load};
use crate::app::{read_key, with_sound_certificates};
use crate::doctor::{Language, fetch_words};
use crate::refresh::fetch_once;
use crate::settings::{Problem, Settings, Source};
use crate::source::Client;
use crate::store::{Access, Store};

/// All that was found, as `--json` has it.
#[derive(Default, Serialize)]
struct Found {
    problems: Vec<Told>,
    warnings: Vec<Told>,
    sources: usize,
    feeds: usize,
    devices: usize,
    /// The state folder, if there is a sound database in it.
    state: Option<PathBuf>,
    /// Only with `--online`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fetched: Vec<Fetched>,
}

/// A problem of the settings.
#[derive(Serialize)]
struct Told {
    path: String,
    message: String,
}

impl From<&Problem> for Told {
    fn from(problem: &Problem) -> Self {
        Self { path: problem.path.clone(), message: problem.message.clone() }
    }
}

/// What came of fetching one source.
#[derive(Serialize)]
struct Fetched {
    source: String,
    /// The error's name; none if a calendar came.
    error: Option<&'static str>,
    words: String,
    on_the_way: Vec<String>,
}

/// Checks the settings and the state; with `online`, every source too.
pub(super) async fn check(place: &Place, online: bool, json: bool, language: Language) -> anyhow::Result<ExitCode> {
    let loaded = load(&place.origin(), &place.given()?, language);
    let settings = match loaded.and_then(with_sound_certificates) {
        Ok(settings) => settings,
        Err(problems) if json => {
            let problems = problems.0.iter().map(Told::from).collect();
            print_json(&Found { problems, ..Found::default() })?;
            return Ok(ExitCode::FAILURE);
        }
        Err(problems) => return Err(problems.into()),
    };
    let mut found = Found {
        warnings: settings.warnings.iter().map(Told::from).collect(),
        sources: settings.sources.len(),
        feeds: settings.feeds.len(),
        devices: settings.feeds.iter().map(|feed| feed.devices.len()).sum(),
        ..Found::default()
    };
    if !json {
        print_settings(&settings, &found, language)?;
    }
    if settings.state_dir.join("calferry.db").exists() {
        Store::open(&settings.state_dir, Access::Visit)?.verify()?;
        // The server refuses to start with a key that others can read.
        read_key(&settings.state_dir)?;
        if !json {
            let dir = settings.state_dir.display().to_string();
            writeln!(std::io::stdout(), "{}", words(Say::StateIsSound, language, &[("dir", &dir)]))?;
        }
        found.state = Some(settings.state_dir.clone());
    }
    if online {
        found.fetched = try_sources(&settings, json, language).await?;
    }
    if json {
        print_json(&found)?;
    }
    let failed = found.fetched.iter().any(|fetched| fetched.error.is_some());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn print_settings(settings: &Settings, found: &Found, language: Language) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for warning in &settings.warnings {
        writeln!(out, "{}", words(Say::Warning, language, &[("what", &warning.to_string())]))?;
    }
    let counts = [(found.sources, "source"), (found.feeds, "feed"), (found.devices, "device")];
    let [sources, feeds, devices] = counts.map(|(count, one)| match language {
        Language::English => counted(count, one),
        Language::Chinese => count.to_string(),
    });
    let details = [("sources", &*sources), ("feeds", &*feeds), ("devices", &*devices)];
    writeln!(out, "{}", words(Say::Counts, language, &details))
}

fn print_json(found: &Found) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{}", serde_json::to_string_pretty(found)?)?;
    Ok(())
}

async fn try_sources(settings: &Settings, json: bool, language: Language) -> anyhow::Result<Vec<Fetched>> {
    let client = client(settings)?;
    let mut list = Vec::new();
    // One after the other: a host that counts must not be asked for everything at once.
    for (index, source) in settings.sources.iter().enumerate() {
        let (at, all) = ((index + 1).to_string(), settings.sources.len().to_string());
        let details = [("name", &*source.name), ("at", &*at), ("all", &*all)];
        let progress = Progress::of(words(Say::TryingSource, language, &details));
        let fetched = try_source(&client, settings, source, language).await;
        drop(progress);
        if !json {
            fetched.print(language)?;
        }
        list.push(fetched);
    }
    Ok(list)
}

async fn try_source(client: &Client, settings: &Settings, source: &Source, language: Language) -> Fetched {
    let mut on_the_way = Vec::new();
    let tell = |remark| on_the_way.push(told(&remark, language));
    let (error, words) = match fetch_once(client, &source.target(), &settings.fetch.limits, tell).await {
        Ok(answer) => (None, remarks(&answer, language).join("; ")),
        Err(error) => (Some(error.name()), fetch_words(&error, language)),
    };
    Fetched { source: source.name.to_string(), error, words, on_the_way }
}

impl Fetched {
    fn print(&self, language: Language) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        let name = self.error.map_or(String::new(), |error| format!("{error}: "));
        let last = format!("{name}{}", self.words);
        for line in self.on_the_way.iter().chain([&last]) {
            writeln!(out, "{}", words(Say::OfSource, language, &[("name", &self.source), ("what", line)]))?;
        }
        Ok(())
    }
}
