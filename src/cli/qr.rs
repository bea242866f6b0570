//! `calferry qr`: a device's URL as a QR code, on the terminal or as a picture. `serve` shows them, too.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use url::Host;

use super::language::{Lang, language};
use super::spoken::{Say, words};
use super::{Place, private};
use crate::app::{load_key, prepare_state_dir};
use crate::doctor::Language;
use crate::feed::Key;
use crate::qr::Qr;
use crate::settings::{Device, Feed, Settings};

/// Of what, and where to.
#[derive(Debug, Clone, Args)]
pub(super) struct Shown {
    /// The feed.
    feed: String,
    /// The device; may be left out if the feed has only one.
    #[arg(long)]
    device: Option<String>,
    /// Write it to this file as SVG; - is standard output.
    #[arg(long, value_name = "FILE", conflicts_with = "png")]
    svg: Option<PathBuf>,
    /// Write it to this file as PNG; - is standard output.
    #[arg(long, value_name = "FILE")]
    png: Option<PathBuf>,
    /// Replace the file if it is there.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    place: Place,
    /// Which language to speak [default: the one of the environment].
    #[arg(long, value_enum)]
    lang: Option<Lang>,
}

/// Prints the code, or writes it to a file.
pub(super) fn show(shown: &Shown) -> anyhow::Result<ExitCode> {
    let language = language(shown.lang);
    let settings = shown.place.settings_in(language)?;
    let feed = find_feed(&settings, &shown.feed, language)?;
    let device = find_device(feed, shown.device.as_deref(), language)?;
    prepare_state_dir(&settings.state_dir)?;
    let url = settings.subscription(&load_key(&settings.state_dir)?, feed, device);
    let qr = Qr::new(&url)?;
    match (&shown.svg, &shown.png) {
        (Some(path), _) => write(path, qr.svg().as_bytes(), shown.force, language)?,
        (_, Some(path)) => write(path, &qr.png()?, shown.force, language)?,
        _ => {
            if let Some(narrow) = too_narrow(&qr, language).filter(|_| std::io::stdout().is_terminal()) {
                bail!("{narrow}");
            }
            let mut out = std::io::stdout().lock();
            writeln!(out, "{}feed {}  device {}  {url}", qr.half_blocks(), feed.id, device.name)?;
        }
    }
    warn_of_nearby(&settings, language);
    Ok(ExitCode::SUCCESS)
}

/// A picture of a secret: in a file for its owner only, or where its owner leads standard output.
fn write(path: &Path, picture: &[u8], force: bool, language: Language) -> anyhow::Result<()> {
    if path == Path::new("-") {
        let mut out = std::io::stdout().lock();
        return out.write_all(picture).and_then(|()| out.flush()).context("standard output");
    }
    private::write(path, picture, force, language)
}

/// What to say if the terminal has no room for the code: wrapped lines are none that a camera reads.
fn too_narrow(qr: &Qr, language: Language) -> Option<String> {
    let (width, _) = terminal_size::terminal_size()?;
    let details = [("needed", &*qr.columns().to_string()), ("has", &*width.0.to_string())];
    (usize::from(width.0) < qr.columns()).then(|| words(Say::Narrow, language, &details))
}

/// The feed of this name.
pub(super) fn find_feed<'a>(settings: &'a Settings, named: &str, language: Language) -> anyhow::Result<&'a Feed> {
    settings.feeds.iter().find(|feed| *feed.id == *named).with_context(|| {
        let known: Vec<_> = settings.feeds.iter().map(|feed| &*feed.id).collect();
        words(Say::NoFeed, language, &[("name", &format!("{named:?}")), ("known", &known.join(", "))])
    })
}

/// The names of a feed's devices.
pub(super) fn named_devices(feed: &Feed) -> String {
    feed.devices.iter().map(|device| &*device.name).collect::<Vec<_>>().join(", ")
}

/// The device of this name, or the only one.
pub(super) fn find_device<'a>(feed: &'a Feed, named: Option<&str>, language: Language) -> anyhow::Result<&'a Device> {
    match (named, feed.devices.as_slice()) {
        (None, [only]) => Ok(only),
        (None, _) => bail!(words(Say::WhichDevice, language, &[("known", &named_devices(feed))])),
        (Some(named), devices) => {
            devices.iter().find(|device| device.name == named).with_context(|| no_device(feed, named, language))
        }
    }
}

/// What to say where the feed has no such device.
pub(super) fn no_device(feed: &Feed, named: &str, language: Language) -> String {
    let details = [("feed", &*feed.id), ("name", &format!("{named:?}")), ("known", &named_devices(feed))];
    words(Say::NoDevice, language, &details)
}

/// As many codes are shown without being asked for. More would push the URLs out of sight.
const UNASKED: usize = 3;

/// The codes below the URLs that `serve` has printed: all if they are asked for, else those of a single feed with a few
/// devices, on a terminal.
pub(super) fn beside_urls(
    settings: &Settings,
    key: &Key,
    asked: bool,
    on_terminal: bool,
    language: Language,
) -> anyhow::Result<()> {
    let devices = || settings.feeds.iter().flat_map(|feed| feed.devices.iter().map(move |device| (feed, device)));
    if !asked && !on_terminal {
        return Ok(());
    }
    if !asked && (settings.feeds.len() > 1 || devices().count() > UNASKED) {
        eprintln!("calferry: {}", words(Say::CodesElsewhere, language, &[]));
        return Ok(());
    }
    let mut out = std::io::stdout().lock();
    for (feed, device) in devices() {
        let qr = Qr::new(&settings.subscription(key, feed, device))?;
        if let Some(narrow) = too_narrow(&qr, language).filter(|_| on_terminal) {
            eprintln!("calferry: {narrow}");
            break;
        }
        if devices().nth(1).is_some() {
            writeln!(out, "feed {}  device {}", feed.id, device.name)?;
        }
        write!(out, "{}", qr.half_blocks())?;
    }
    Ok(out.flush()?)
}

/// The code of one URL on a terminal that has room for it.
pub(super) fn if_there_is_room(
    out: &mut impl Write,
    settings: &Settings,
    key: &Key,
    feed: &Feed,
    device: &Device,
    language: Language,
) -> anyhow::Result<()> {
    let qr = Qr::new(&settings.subscription(key, feed, device))?;
    match too_narrow(&qr, language) {
        Some(narrow) => eprintln!("calferry: {narrow}"),
        None => write!(out, "{}", qr.half_blocks())?,
    }
    Ok(())
}

/// Says of URLs that lead no phone anywhere that they do not.
pub(super) fn warn_of_nearby(settings: &Settings, language: Language) {
    if is_nearby(settings) {
        eprintln!("calferry: {}", words(Say::Nearby, language, &[]));
    }
}

/// Whether the URLs lead to this machine only.
pub(super) fn is_nearby(settings: &Settings) -> bool {
    settings.public_url.host().is_some_and(|host| match host {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(ip) => ip.is_loopback() || ip.is_unspecified(),
        Host::Ipv6(ip) => ip.is_loopback() || ip.is_unspecified(),
    })
}
