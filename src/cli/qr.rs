//! `calferry qr`: a device's URL as a QR code, on the terminal or as a picture. `serve` shows them, too.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use url::Host;

use super::{Place, private};
use crate::app::{load_key, prepare_state_dir};
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
}

/// Prints the code, or writes it to a file.
pub(super) fn show(shown: &Shown) -> anyhow::Result<ExitCode> {
    let settings = shown.place.settings()?;
    let feed = find_feed(&settings, &shown.feed)?;
    let device = find_device(feed, shown.device.as_deref())?;
    prepare_state_dir(&settings.state_dir)?;
    let url = settings.subscription(&load_key(&settings.state_dir)?, feed, device);
    let qr = Qr::new(&url)?;
    match (&shown.svg, &shown.png) {
        (Some(path), _) => write(path, qr.svg().as_bytes(), shown.force)?,
        (_, Some(path)) => write(path, &qr.png()?, shown.force)?,
        _ => {
            if let Some(narrow) = too_narrow(&qr).filter(|_| std::io::stdout().is_terminal()) {
                bail!("{narrow}");
            }
            let mut out = std::io::stdout().lock();
            writeln!(out, "{}feed {}  device {}  {url}", qr.half_blocks(), feed.id, device.name)?;
        }
    }
    if let Some(warning) = nearby(&settings) {
        eprintln!("calferry: {warning}");
    }
    Ok(ExitCode::SUCCESS)
}

/// A picture of a secret: in a file for its owner only, or where its owner leads standard output.
fn write(path: &Path, picture: &[u8], force: bool) -> anyhow::Result<()> {
    if path == Path::new("-") {
        let mut out = std::io::stdout().lock();
        return out.write_all(picture).and_then(|()| out.flush()).context("standard output");
    }
    private::write(path, picture, force)
}

/// What to say if the terminal has no room for the code: wrapped lines are none that a camera reads.
fn too_narrow(qr: &Qr) -> Option<String> {
    let (width, _) = terminal_size::terminal_size()?;
    (usize::from(width.0) < qr.columns()).then(|| {
        format!(
            "the terminal is too narrow for the QR code, which needs {} columns, and it has {}; make it wider, or have a \
             picture: calferry qr with --png FILE or --svg FILE",
            qr.columns(),
            width.0
        )
    })
}

/// The feed of this name.
pub(super) fn find_feed<'a>(settings: &'a Settings, named: &str) -> anyhow::Result<&'a Feed> {
    settings.feeds.iter().find(|feed| *feed.id == *named).with_context(|| {
        let known: Vec<_> = settings.feeds.iter().map(|feed| &*feed.id).collect();
        format!("no feed named {named:?}; the feeds are: {}", known.join(", "))
    })
}

/// The names of a feed's devices.
pub(super) fn named_devices(feed: &Feed) -> String {
    feed.devices.iter().map(|device| &*device.name).collect::<Vec<_>>().join(", ")
}

/// The device of this name, or the only one.
pub(super) fn find_device<'a>(feed: &'a Feed, named: Option<&str>) -> anyhow::Result<&'a Device> {
    let known = || named_devices(feed);
    match (named, feed.devices.as_slice()) {
        (None, [only]) => Ok(only),
        (None, _) => Err(anyhow::anyhow!("which device? name one with --device; there are: {}", known())),
        (Some(named), devices) => devices
            .iter()
            .find(|device| device.name == named)
            .with_context(|| format!("feed {} has no device named {named:?}; its devices are: {}", feed.id, known())),
    }
}

/// As many codes are shown without being asked for. More would push the URLs out of sight.
const UNASKED: usize = 3;

/// The codes below the URLs that `serve` has printed: all if they are asked for, else those of a single feed with a few
/// devices, on a terminal.
pub(super) fn beside_urls(settings: &Settings, key: &Key, asked: bool, on_terminal: bool) -> anyhow::Result<()> {
    let devices = || settings.feeds.iter().flat_map(|feed| feed.devices.iter().map(move |device| (feed, device)));
    if !asked && !on_terminal {
        return Ok(());
    }
    if !asked && (settings.feeds.len() > 1 || devices().count() > UNASKED) {
        eprintln!("calferry: QR codes: calferry serve --qr, or calferry qr FEED --device DEVICE");
        return Ok(());
    }
    let mut out = std::io::stdout().lock();
    for (feed, device) in devices() {
        let qr = Qr::new(&settings.subscription(key, feed, device))?;
        if let Some(narrow) = too_narrow(&qr).filter(|_| on_terminal) {
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
) -> anyhow::Result<()> {
    let qr = Qr::new(&settings.subscription(key, feed, device))?;
    match too_narrow(&qr) {
        Some(narrow) => eprintln!("calferry: {narrow}"),
        None => write!(out, "{}", qr.half_blocks())?,
    }
    Ok(())
}

/// What to say of URLs that lead no phone anywhere.
pub(super) fn nearby(settings: &Settings) -> Option<&'static str> {
    let here = match settings.public_url.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(ip) => ip.is_loopback() || ip.is_unspecified(),
        Host::Ipv6(ip) => ip.is_loopback() || ip.is_unspecified(),
    };
    here.then_some("this URL leads to this machine only; for phones set public_url to the name that they use")
}
