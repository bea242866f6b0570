//! One calendar through the real path: `fetch` from the network, `publish` from a file.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, anyhow};

use super::progress::Progress;
use super::spoken::{Say, words};
use super::{Place, copies, counted};
use crate::calendar::{Limits, Malformed};
use crate::clock::Clock;
use crate::doctor::{Language, fetch_words};
use crate::feed::{Circumstances, Copy, Presentation, Recipe, ZoneNames};
use crate::refresh::{MendedAnswer, Remark, Target, fetch_once};
use crate::settings::{Origin, Settings, Source};
use crate::source::{Address, Client, Options, Reach, USUAL_PORTS, Way, roots};

/// Fetches `named`, a source of the settings or an address, and prints what would be served.
pub(super) async fn fetch(
    named: &str,
    allow_private: bool,
    place: &Place,
    language: Language,
) -> anyhow::Result<ExitCode> {
    let (client, limits, mut target, recipe) = if named.contains("://") {
        let ports = Arc::new(USUAL_PORTS);
        let target =
            Target { address: Address::parse(named)?, reach: Reach::Public, ports, ways: Arc::new([Way::Direct]) };
        (Client::new(Options::default(), &roots(None)?), Limits::default(), target, Recipe::default())
    } else {
        let settings = named_settings(place, named)?;
        let source = find(&settings, named)?;
        let feed = settings.feeds.iter().find(|feed| feed.sources.contains(&source.name));
        let recipe = feed.map(|feed| feed.recipe.clone());
        (client(&settings)?, settings.fetch.limits, source.target(), recipe.unwrap_or_default())
    };
    if allow_private {
        target.reach = Reach::Private;
    }
    let progress = Progress::of(format!("fetching from {}", target.address.host()));
    let tell = |remark: Remark| progress.say(&format!("calferry: {}", told(&remark, language)));
    let answer = fetch_once(&client, &target, &limits, tell).await;
    drop(progress);
    match answer {
        Ok(answer) => {
            for line in remarks(&answer, language) {
                eprintln!("calferry: {line}");
            }
            write_out(&published(named, &answer.text, &recipe)?)
        }
        Err(error) => Err(anyhow!(fetch_words(&error, language))),
    }
}

/// What to print, and of what.
#[derive(Debug, clap::Args)]
pub(super) struct Files {
    /// The file, or - for standard input; NAME=FILE for one source of a feed with several.
    #[arg(required = true)]
    file: Vec<String>,
    /// The calendar's name on the phone.
    #[arg(long, conflicts_with = "feed")]
    name: Option<String>,
    /// What to do with time zones that only Windows or nobody knows.
    #[arg(long, value_enum, default_value = "iana", conflicts_with = "feed")]
    time_zones: TimeZones,
    /// Publish as this feed of the settings, with its rules.
    #[arg(long)]
    feed: Option<String>,
    /// The day from which windows and relative dates are counted [default: today].
    #[arg(long, requires = "feed", value_name = "DAY", value_parser = day)]
    today: Option<chrono::NaiveDate>,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum TimeZones {
    /// Name and declare them as the IANA database does.
    Iana,
    /// Leave them as they are.
    Keep,
}

/// Prints what would be served for calendar files.
pub(super) async fn publish_files(files: &Files) -> anyhow::Result<ExitCode> {
    if let Some(named) = &files.feed {
        let settings = files.place.settings()?;
        let feed = copies::find(&settings, named)?;
        let texts = copies::gather(&settings, feed, &files.file).await?;
        let texts: Vec<_> = texts.iter().map(copies::OwnCopy::lend).collect();
        return write_out(&feed.recipe.publish(&texts, &copies::circumstances(&settings, files.today)?)?.text);
    }
    let [file] = files.file.as_slice() else {
        return Err(anyhow!("several files make one calendar only as a feed (--feed)"));
    };
    let presentation = Presentation { name: files.name.clone(), ..Presentation::default() };
    let zones = match files.time_zones {
        TimeZones::Iana => ZoneNames::Iana,
        TimeZones::Keep => ZoneNames::Keep,
    };
    let recipe = Recipe { presentation: presentation.into(), zones, ..Recipe::default() };
    write_out(&published("file", &copies::read_mended(Path::new(file))?, &recipe)?)
}

/// What `recipe` makes of one copy today.
fn published(source: &str, text: &[u8], recipe: &Recipe) -> Result<Vec<u8>, Malformed> {
    let today = Clock::System.now().date();
    // Hashes are keyed by the installation; what is only shown needs no key of its own.
    let circumstances = Circumstances { today, key: [0; 32] };
    let copy = Copy { source, text, confirmed: today, failing: false };
    Ok(recipe.publish(&[copy], &circumstances)?.text)
}

fn write_out(text: &[u8]) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    out.write_all(text).and_then(|()| out.flush()).context("standard output")?;
    Ok(ExitCode::SUCCESS)
}

fn named_settings(place: &Place, named: &str) -> anyhow::Result<Settings> {
    if place.origin() == Origin::Nothing {
        return Err(anyhow!(
            "{named:?} is no address (https://…), and there is no settings file to look it up in (--config)"
        ));
    }
    place.settings()
}

fn find<'a>(settings: &'a Settings, named: &str) -> anyhow::Result<&'a Source> {
    settings.sources.iter().find(|source| *source.name == *named).with_context(|| {
        let known: Vec<_> = settings.sources.iter().map(|source| &*source.name).collect();
        format!("no source named {named:?}; the sources are: {}", known.join(", "))
    })
}

/// A day, as a person writes it.
pub(super) fn day(text: &str) -> Result<chrono::NaiveDate, &'static str> {
    text.parse().map_err(|_| "write the day as 2026-11-26: year, month, day")
}

/// The client that the settings want.
pub(super) fn client(settings: &Settings) -> anyhow::Result<Client> {
    let roots = roots(settings.fetch.ca_file.as_deref()).context("fetch.ca_file")?;
    Ok(Client::new(settings.fetch.options, &roots))
}

/// A remark in words.
pub(super) fn told(remark: &Remark, language: Language) -> String {
    match remark {
        Remark::Moved(host) => words(Say::Moved, language, &[("host", host)]),
        Remark::Way { place, kind, error } => {
            let place = place.to_string();
            let said = error.to_string();
            words(Say::ByWay, language, &[("place", &place), ("kind", kind), ("name", error.name()), ("error", &said)])
        }
    }
}

/// What a person should know of an answer that was accepted.
pub(super) fn remarks(answer: &MendedAnswer, language: Language) -> Vec<String> {
    let of = |count: usize, one: &str| match language {
        Language::English => counted(count, one),
        Language::Chinese => count.to_string(),
    };
    let say = |say, details: &[(&str, &str)]| words(say, language, details);
    let (events, bytes) = (of(answer.entries, "event"), of(answer.text.len(), "byte"));
    let mut remarks = vec![say(Say::Came, &[("events", &events), ("bytes", &bytes)])];
    if answer.junk > 0 {
        let mut which = answer.junk_lines.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        which.push_str(if answer.junk > answer.junk_lines.len() { ", …" } else { "" });
        remarks.push(say(Say::Junk, &[("lines", &of(answer.junk, "line")), ("which", &which)]));
    }
    if answer.secret > 0 {
        remarks.push(say(Say::HeldSecret, &[("lines", &of(answer.secret, "line"))]));
    }
    if answer.broken_characters > 0 {
        remarks.push(say(Say::NotUtf8, &[("lines", &of(answer.broken_characters, "line"))]));
    }
    remarks
}
