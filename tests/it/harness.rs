//! What the tests share: an upstream that does as it is told, the program, and a client.

pub(crate) mod client;
pub(crate) mod front;
pub(crate) mod pebble;
pub(crate) mod program;
pub(crate) mod proxy;
pub(crate) mod upstream;
mod waiting;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use calferry::calendar::{Calendar, Limits};
use calferry::feed::{Circumstances, Copy, Recipe, mended};
use chrono::NaiveDate;
use tempfile::TempDir;

pub(crate) use self::waiting::eventually;

/// A folder that nobody else can look into, as one with secrets should be.
pub(crate) fn private_dir() -> TempDir {
    tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir().unwrap()
}

/// The day it is where a test does not say otherwise: a Sunday.
pub(crate) const TODAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 11, 22).unwrap();

/// What `recipe` makes on [`TODAY`] of sources, each a name and a text as it comes from upstream.
pub(crate) fn published(sources: &[(&str, &[u8])], recipe: &Recipe) -> Vec<u8> {
    let texts: Vec<_> = sources
        .iter()
        .map(|(name, text)| (*name, mended(&Calendar::scan(text, &Limits::default()).unwrap())))
        .collect();
    let copies: Vec<_> =
        texts.iter().map(|(source, text)| Copy { source, text, confirmed: TODAY, failing: false }).collect();
    recipe.publish(&copies, &Circumstances { today: TODAY, key: [7; 32] }).unwrap().text
}

/// What a feed of the sources `one` and `two` is made by, its settings beside `sources` being `toml`.
pub(crate) fn recipe(toml: &str) -> Recipe {
    let sources =
        "[source.one]\nurl = \"https://one.example/a.ics\"\n[source.two]\nurl = \"https://two.example/b.ics\"\n";
    let dir = tempfile::tempdir().unwrap();
    let settings = program::settings(dir.path(), &format!("{sources}[feed.me]\nsources = [\"one\", \"two\"]\n{toml}"));
    let mut recipe = settings.feeds[0].recipe.clone();
    // What tests look at is what rules do.
    Arc::make_mut(&mut recipe.presentation).refresh = None;
    recipe
}

/// A calendar with these components, each written with `\n` for its line ends.
pub(crate) fn ics(components: &[&str]) -> Vec<u8> {
    let text =
        format!("BEGIN:VCALENDAR\nPRODID:-//test//test//EN\nVERSION:2.0\n{}\nEND:VCALENDAR\n", components.join("\n"));
    text.replace('\n', "\r\n").into_bytes()
}

/// A calendar of `events` events; `salt` shows in every summary.
pub(crate) fn calendar(events: usize, salt: &str) -> String {
    let mut text = String::from(
        "BEGIN:VCALENDAR\r\nPRODID:-//Google Inc//Google Calendar 70.9054//EN\r\nVERSION:2.0\r\n\
         CALSCALE:GREGORIAN\r\nMETHOD:PUBLISH\r\nX-WR-CALNAME:lin.demo@example.com\r\n",
    );
    for event in 0..events {
        text.push_str(&format!(
            "BEGIN:VEVENT\r\nDTSTART:20261124T0{}3000Z\r\nDTSTAMP:20261122T070312Z\r\nUID:{event}@google.com\r\n\
             LAST-MODIFIED:20261118T081122Z\r\nSUMMARY:{salt} {event}\r\nEND:VEVENT\r\n",
            event % 10
        ));
    }
    text.push_str("END:VCALENDAR\r\n");
    text
}
