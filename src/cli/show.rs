//! Commands that look at the settings and the state: `url`, `accept`, `health`.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http_body_util::Empty;
use hyper_util::rt::TokioIo;

use super::Place;
use crate::app::{load_key, prepare_state_dir, stored_name};
use crate::store::{Access, Store};

/// Prints the URLs of the devices of `feed`, or of all feeds.
pub(super) fn urls(place: &Place, feed: Option<&str>, device: Option<&str>) -> anyhow::Result<ExitCode> {
    let settings = place.settings()?;
    prepare_state_dir(&settings.state_dir)?;
    let key = load_key(&settings.state_dir)?;
    let mut out = std::io::stdout().lock();
    let mut printed = 0;
    for shown in settings.feeds.iter().filter(|shown| feed.is_none_or(|feed| *shown.id == *feed)) {
        for owner in shown.devices.iter().filter(|owner| device.is_none_or(|device| owner.name == device)) {
            let url = settings.subscription(&key, shown, owner);
            // A single URL is for a pipe; several need their names.
            if feed.is_some() && device.is_some() {
                writeln!(out, "{url}")?;
            } else {
                writeln!(out, "feed {}  device {}  {url}", shown.id, owner.name)?;
            }
            printed += 1;
        }
    }
    if printed == 0 {
        let known: Vec<_> = settings.feeds.iter().map(|feed| &*feed.id).collect();
        bail!("no such feed or device; the feeds are: {}", known.join(", "));
    }
    Ok(ExitCode::SUCCESS)
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
        "source {source}: the copy of {} events, first seen {}, is served from now on",
        kept.snapshot.entries,
        kept.since
    )?;
    Ok(ExitCode::SUCCESS)
}

/// How long a server that is well takes at most.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks a running server whether it is ready.
pub(super) async fn health(address: Option<SocketAddr>, place: &Place) -> anyhow::Result<ExitCode> {
    let address = match address {
        Some(address) => address,
        None => reachable(place.settings()?.server.listen),
    };
    let status = tokio::time::timeout(PATIENCE, ask(address)).await;
    let status = status.with_context(|| format!("{address} does not answer within {} s", PATIENCE.as_secs()))??;
    writeln!(std::io::stdout(), "{address} answers {status}")?;
    Ok(if status.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn ask(address: SocketAddr) -> anyhow::Result<http::StatusCode> {
    let stream =
        tokio::net::TcpStream::connect(address).await.with_context(|| format!("{address} cannot be reached"))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = http::Request::get("/readyz").header("host", address.to_string()).body(Empty::<Bytes>::new())?;
    let asked = sender.send_request(request);
    tokio::select! {
        answer = asked => Ok(answer?.status()),
        ended = connection => {
            ended?;
            bail!("{address} closed the connection without an answer")
        }
    }
}

/// A server that listens everywhere is reached on this machine.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
