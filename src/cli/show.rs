//! Commands that look at the settings and the state: `url`, `accept`, `health`.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::spoken::{Say, words};
use super::{Place, counted, qr};
use crate::app::{load_key, prepare_state_dir, stored_name};
use crate::doctor::Language;
use crate::http::Listen;
use crate::settings::{Feed, Server, Settings};
use crate::store::{Access, Store};

/// A URL as `--json` has it.
#[derive(Serialize)]
struct Subscription<'a> {
    feed: &'a str,
    device: &'a str,
    url: String,
}

/// Prints the URLs of the devices of `feed`, or of all feeds.
pub(super) fn urls(
    place: &Place,
    feed: Option<&str>,
    device: Option<&str>,
    json: bool,
    language: Language,
) -> anyhow::Result<ExitCode> {
    let settings = place.settings_in(language)?;
    match feed {
        Some(feed) => {
            let feed = qr::find_feed(&settings, feed, language)?;
            device.map(|device| qr::find_device(feed, Some(device), language)).transpose()?;
        }
        None => {
            if let Some(device) = device {
                some_feed_has(&settings, device, language)?;
            }
        }
    }
    prepare_state_dir(&settings.state_dir)?;
    let key = load_key(&settings.state_dir)?;
    let mut list = Vec::new();
    for shown in settings.feeds.iter().filter(|shown| feed.is_none_or(|feed| *shown.id == *feed)) {
        for owner in shown.devices.iter().filter(|owner| device.is_none_or(|device| owner.name == device)) {
            let url = settings.subscription(&key, shown, owner);
            list.push(Subscription { feed: &shown.id, device: &owner.name, url });
        }
    }
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&list)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    for Subscription { feed: id, device: name, url } in &list {
        // A single URL is for a pipe; several need their names.
        if feed.is_some() && device.is_some() {
            writeln!(out, "{url}")?;
        } else {
            writeln!(out, "feed {id}  device {name}  {url}")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn some_feed_has(settings: &Settings, named: &str, language: Language) -> anyhow::Result<()> {
    let has = |feed: &Feed| feed.devices.iter().any(|device| device.name == named);
    if settings.feeds.iter().any(has) {
        return Ok(());
    }
    let known: Vec<_> =
        settings.feeds.iter().map(|feed| format!("{} ({})", feed.id, qr::named_devices(feed))).collect();
    let details = [("name", &*format!("{named:?}")), ("known", &known.join(", "))];
    bail!(words(Say::NoDeviceAnywhere, language, &details))
}

/// Takes over what is kept aside of `source`. A running server sees it within seconds.
pub(super) fn accept(place: &Place, source: &str) -> anyhow::Result<ExitCode> {
    let settings = place.settings()?;
    let named = settings.sources.iter().find(|named| *named.name == *source);
    let named = named.with_context(|| {
        let known: Vec<_> = settings.sources.iter().map(|source| &*source.name).collect();
        format!("no source named {source:?}; the sources are: {}", known.join(", "))
    })?;
    let upstream = stored_name(named, &settings.state_dir)?;
    let store = Store::open(&settings.state_dir, Access::Visit)?;
    let kept = store.known()?.quarantined.remove(&upstream);
    let Some(kept) = kept else { bail!("nothing is kept aside of source {source:?}") };
    ensure!(store.release(&upstream)?, "nothing is kept aside of source {source:?} any more");
    writeln!(
        std::io::stdout(),
        "source {source}: the copy of {}, first seen {}, is served from now on",
        counted(kept.snapshot.entries, "event"),
        kept.since
    )?;
    Ok(ExitCode::SUCCESS)
}

/// How long a server that is well takes at most.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks a running server whether it is ready.
pub(super) async fn health(address: Option<SocketAddr>, place: &Place) -> anyhow::Result<ExitCode> {
    let door = match address {
        Some(address) => Listen::Tcp(address),
        None => door(&place.settings()?.server)?,
    };
    let status = tokio::time::timeout(PATIENCE, ask(&door)).await;
    let status = status.with_context(|| format!("{door} does not answer within {} s", PATIENCE.as_secs()))??;
    writeln!(std::io::stdout(), "{door} answers {status}")?;
    // Whoever asks for a password is there.
    let is_there = status.is_success() || status == http::StatusCode::UNAUTHORIZED;
    Ok(if is_there { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Where the server of these settings can be asked in clear text: at a listener without TLS, or the private one.
fn door(server: &Server) -> anyhow::Result<Listen> {
    let plain = |listen: &&Listen| match listen {
        Listen::Tcp(_) => server.tls.is_none(),
        Listen::Unix(_) => true,
        Listen::Systemd(_) => false,
    };
    let private = server.admin_listen.iter().filter(|listen| !matches!(listen, Listen::Systemd(_)));
    let door = server.listen.iter().find(plain).or_else(|| private.into_iter().next()).map(reachable);
    door.context("no listener can be asked in clear text; set server.admin_listen, or give --address")
}

async fn ask(door: &Listen) -> anyhow::Result<http::StatusCode> {
    let unreachable = || format!("{door} cannot be reached");
    match door {
        Listen::Tcp(address) => {
            ask_over(TcpStream::connect(address).await.with_context(unreachable)?, address.to_string()).await
        }
        Listen::Unix(path) => {
            ask_over(UnixStream::connect(path).await.with_context(unreachable)?, "localhost".into()).await
        }
        Listen::Systemd(_) => bail!("{door} has no address that is known here; give --address"),
    }
}

async fn ask_over<IO>(stream: IO, host: String) -> anyhow::Result<http::StatusCode>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = http::Request::get("/readyz").header("host", host).body(Empty::<Bytes>::new())?;
    let asked = sender.send_request(request);
    tokio::select! {
        answer = asked => Ok(answer?.status()),
        ended = connection => {
            ended?;
            bail!("the connection was closed without an answer")
        }
    }
}

/// A server that listens everywhere is reached on this machine.
fn reachable(listen: &Listen) -> Listen {
    match listen {
        Listen::Tcp(address) => {
            let ip = match address.ip() {
                IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
                ip => ip,
            };
            Listen::Tcp(SocketAddr::new(ip, address.port()))
        }
        other => other.clone(),
    }
}
