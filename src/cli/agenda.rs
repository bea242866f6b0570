//! `calferry agenda`: what of a feed takes place on the days ahead.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Context;
use chrono::NaiveDate;
use chrono_tz::Tz;
use serde::Serialize;

use super::copies::{Look, OwnCopy, circumstances};
use super::counted;
use super::fetch::day;
use crate::agenda::{Agenda as Found, Bounds, Heading, Instance, Window};
use crate::calendar::{Zone, iana};
use crate::clock::Clock;

/// What to show.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Agenda {
    #[command(flatten)]
    look: Look,
    /// The first day, such as 2026-11-24 [default: today].
    #[arg(long, value_name = "DAY", value_parser = day)]
    from: Option<NaiveDate>,
    /// How many days.
    #[arg(long, default_value_t = 14, value_parser = clap::value_parser!(u16).range(1..=3660))]
    days: u16,
    /// The time zone whose clocks are shown, such as Asia/Shanghai [default: the calendar's own, or UTC].
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    tz: Option<Tz>,
}

#[derive(Debug, Serialize)]
struct Shown<'a> {
    zone: &'static str,
    from: String,
    days: u16,
    unfollowed: usize,
    list: Vec<Item<'a>>,
}

#[derive(Debug, Serialize)]
struct Item<'a> {
    uid: &'a str,
    start: String,
    end: String,
    all_day: bool,
    cancelled: bool,
    title: &'a str,
    place: &'a str,
    join: Option<&'a str>,
}

impl<'a> From<&'a Instance> for Item<'a> {
    fn from(instance: &'a Instance) -> Self {
        let form = if instance.all_day { "%Y-%m-%d" } else { "%Y-%m-%dT%H:%M:%S" };
        Self {
            uid: &instance.uid,
            start: instance.start.format(form).to_string(),
            end: instance.end.format(form).to_string(),
            all_day: instance.all_day,
            cancelled: instance.cancelled,
            title: &instance.title,
            place: &instance.place,
            join: instance.join.as_deref(),
        }
    }
}

/// Lists what takes place, as the feed's subscribers see it.
pub(super) async fn agenda(asked: &Agenda) -> anyhow::Result<ExitCode> {
    let settings = asked.look.settings()?;
    let (feed, texts) = asked.look.feed(&settings).await?;
    let copies: Vec<_> = texts.iter().map(OwnCopy::lend).collect();
    let published = feed.recipe.publish(&copies, &circumstances(&settings, None)?)?;
    let zone = asked.tz.or_else(|| Heading::read(&published.text).zone).unwrap_or(Tz::UTC);
    let now = chrono::DateTime::from_timestamp(Clock::System.now().as_secs().cast_signed(), 0).unwrap_or_default();
    let today = Zone::Iana(zone).to_local(now.naive_utc()).context("a clock beyond all calendars")?.date();
    let window = Window { first: asked.from.unwrap_or(today), days: asked.days, zone };
    let found = Found::read(&published.text, window, Bounds::NONE)?;
    let shown = Shown {
        zone: zone.name(),
        from: window.first.to_string(),
        days: window.days,
        unfollowed: found.unfollowed,
        list: found.instances.iter().map(Item::from).collect(),
    };
    asked.look.print(&shown, |_| words(&found))
}

/// Asked before anything is fetched.
fn zone(name: &str) -> Result<Tz, &'static str> {
    iana(name).ok_or("no such time zone; write it as Asia/Shanghai or UTC")
}

fn words(agenda: &Found) -> String {
    let window = &agenda.window;
    let mut out = format!("{} from {}, {}\n", counted(window.days.into(), "day"), window.first, window.zone.name());
    for one in &agenda.instances {
        let (first, last) = one.days();
        let at = match (one.all_day, first == last) {
            (true, true) => format!("{first}"),
            (true, false) => format!("{first} – {last}"),
            (false, true) => format!("{first} {}–{}", one.start.format("%H:%M"), one.end.format("%H:%M")),
            (false, false) => format!("{} – {}", one.start.format("%F %H:%M"), one.end.format("%F %H:%M")),
        };
        let place = if one.place.is_empty() { String::new() } else { format!("  ({})", one.place) };
        let cancelled = if one.cancelled { "  cancelled" } else { "" };
        let _ = writeln!(out, "{at}  {}{place}{cancelled}", one.title);
    }
    if agenda.unfollowed > 0 {
        let _ = writeln!(out, "{} series could not be followed", agenda.unfollowed);
    }
    out
}
