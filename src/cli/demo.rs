//! `calferry demo`: the real server before an upstream that behaves like Google. Every answer of it has a fresh DTSTAMP,
//! and one event moves every minute.

use std::convert::Infallible;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use icalendar::{Calendar, Component, Event, EventLike, Property};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::language::language;
use super::spoken::{Say, words};
use super::watch::Watch;
use super::{qr, serve};
use crate::app::App;
use crate::clock::{Clock, Timestamp};
use crate::settings::{Given, Origin, Settings};

/// Runs the demonstration until it is told to stop. Nothing of it is left behind.
pub(super) async fn demo(listen: SocketAddr) -> anyhow::Result<ExitCode> {
    let signals = serve::Signals::heed()?;
    let state = tempfile::Builder::new().prefix("calferry-demo-").tempdir().context("a temporary folder")?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("an address for the built-in upstream")?;
    let address = format!("http://{}/calendar/ical/demo/private-{:032x}/basic.ics", listener.local_addr()?, 0xde_u128);
    let upstream = tokio::spawn(upstream(listener));
    let given = Given(vec![
        ("state_dir", state.path().to_string_lossy().into_owned()),
        ("server.listen", listen.to_string()),
        ("fetch.allow_private", "true".into()),
        ("fetch.refresh", "1m".into()),
        ("source.demo.url", address),
        ("feed.demo.sources", "demo".into()),
        ("feed.demo.name", "calferry demo 演示".into()),
    ]);
    let settings = Settings::load(&Origin::Nothing, &given, &[])?;
    let app = App::start(settings.clone()).await?;
    let language = language(None);
    eprintln!("{}", words(Say::DemoServes, language, &[]));
    serve::print_urls(&settings, &app)?;
    if std::io::stdout().is_terminal() {
        qr::beside_urls(&settings, app.key(), false, true, language)?;
        if qr::is_nearby(&settings) {
            eprintln!("calferry: {}", words(Say::NearbyDemo, language, &[]));
        }
    }
    let nothing = || serve::marks(&Origin::Nothing, &[]);
    let watch = Watch::new(nothing(), nothing());
    let ended = serve::run(app, watch, &Origin::Nothing, &given, signals).await;
    upstream.abort();
    ended
}

async fn upstream(listener: TcpListener) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
        // What goes wrong on such a connection shows on its other side, which is this program too.
        connections.spawn(async { serving.await.is_ok() });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut answer = Response::new(Full::default());
    if request.uri().path().ends_with("/basic.ics") {
        *answer.body_mut() = calendar(Clock::System.now()).into();
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/calendar; charset=UTF-8"));
    } else {
        *answer.status_mut() = StatusCode::NOT_FOUND;
    }
    Ok(answer)
}

/// The calendar as it is asked for at `now`.
fn calendar(now: Timestamp) -> String {
    let stamp = utc(now);
    let minute = Timestamp::from_secs(now.as_secs() / 60 * 60);
    let mut calendar = Calendar::new();
    calendar.append_property(Property::new("METHOD", "PUBLISH")).name("demo@example.com");
    let event = |uid: &str, summary: &str, start: Timestamp, changed: Timestamp| {
        Event::new()
            .uid(uid)
            .summary(summary)
            .add_property("DTSTART", utc(start))
            .add_property("DTEND", utc(start + Duration::from_mins(30)))
            .add_property("DTSTAMP", &stamp)
            .add_property("LAST-MODIFIED", utc(changed))
            .add_property("SEQUENCE", (changed.as_secs() / 60 % 1_000_000).to_string())
            .done()
    };
    let moved = minute + Duration::from_hours(1);
    calendar.push(event("moving@demo", "This event moves every minute 这个日程每分钟移动一次", moved, minute));
    let today = Timestamp::from_secs(now.as_secs() / 86_400 * 86_400);
    let mut zoom = event("zoom@demo", "Roadmap review 路线图评审", today + Duration::from_hours(26), today);
    zoom.location("https://us02web.zoom.us/j/80000000001?pwd=AbCdEfGhIjKlMnOpQrStUvWxYz0123.1");
    calendar.push(zoom);
    let mut daily = event("daily@demo", "Stand-up 站会", today + Duration::from_hours(2), today);
    daily.add_property("RRULE", "FREQ=DAILY");
    calendar.push(daily);
    calendar.to_string()
}

/// `20261122T070312Z`
fn utc(at: Timestamp) -> String {
    at.to_string().replace(['-', ':'], "")
}
