//! `calferry check`: what is wrong with the settings, and with `--online`, with the sources.

use std::io::Write;
use std::process::ExitCode;

use super::Place;
use super::fetch::{client, remarks, told};
use crate::refresh::fetch_once;
use crate::settings::Settings;
use crate::store::{Access, Store};

/// Checks the settings and the state; with `online`, every source too.
pub(super) async fn check(place: &Place, online: bool) -> anyhow::Result<ExitCode> {
    // A settings file with problems ends here, with all of them.
    let settings = place.settings()?;
    for warning in &settings.warnings {
        writeln!(std::io::stdout(), "warning: {warning}")?;
    }
    let devices: usize = settings.feeds.iter().map(|feed| feed.devices.len()).sum();
    writeln!(
        std::io::stdout(),
        "settings: {} sources, {} feeds, {devices} devices",
        settings.sources.len(),
        settings.feeds.len()
    )?;
    if settings.state_dir.join("calferry.db").exists() {
        Store::open(&settings.state_dir, Access::Visit)?.verify()?;
        writeln!(std::io::stdout(), "state: {} is sound", settings.state_dir.display())?;
    }
    if online { try_sources(&settings).await } else { Ok(ExitCode::SUCCESS) }
}

async fn try_sources(settings: &Settings) -> anyhow::Result<ExitCode> {
    let client = client(settings)?;
    let mut failed = 0;
    // One after the other: a host that counts must not be asked for everything at once.
    for source in &settings.sources {
        let mut on_the_way = Vec::new();
        let answer =
            fetch_once(&client, &source.target(), &settings.fetch.limits, |remark| on_the_way.push(told(&remark)))
                .await;
        for line in on_the_way {
            writeln!(std::io::stdout(), "source {}: {line}", source.name)?;
        }
        match answer {
            Ok(answer) => writeln!(std::io::stdout(), "source {}: {}", source.name, remarks(&answer).join("; "))?,
            Err(error) => {
                failed += 1;
                writeln!(std::io::stdout(), "source {}: {}: {error}. {}", source.name, error.name(), error.advice())?;
            }
        }
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
