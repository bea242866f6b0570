//! `calferry serve`: until it is told to stop. SIGHUP and a changed file reload the settings (SIGHUP
//! also has a failed order of a certificate tried again), SIGTERM and SIGINT stop.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info, warn};

use super::language::language;
use super::watch::{LOOK_EVERY, Marks, Watch};
use super::{Serve, environment, load, qr, systemd};
use crate::app::App;
use crate::settings::{Given, Origin, Settings};

/// Serves until a signal says stop.
pub(super) async fn serve(options: &Serve) -> anyhow::Result<ExitCode> {
    // Before anything is open: who is told to stop while it starts stops in order, too.
    let signals = Signals::heed()?;
    let (origin, given) = (origin(options), given(options)?);
    let language = language(options.lang);
    let before = marks(&origin, &[]);
    let settings = load(&origin, &given, language)?;
    // What changes while everything is started is read again.
    let watch = Watch::new(before, marks(&origin, &settings.files));
    for warning in &settings.warnings {
        warn!("{warning}");
    }
    let on_terminal = std::io::stdout().is_terminal();
    let shown = (options.url.is_some() || options.qr || on_terminal).then(|| settings.clone());
    let app = App::start(settings).await?;
    if let Some(settings) = shown {
        print_urls(&settings, &app)?;
        qr::beside_urls(&settings, app.key(), options.qr, on_terminal, language)?;
        if options.qr || on_terminal {
            qr::warn_of_nearby(&settings, language);
        }
    } else {
        info!("the URLs of the devices are shown by: calferry url");
    }
    run(app, watch, &origin, &given, signals).await
}

/// What the program is told by signals.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// From now on they end nothing by themselves.
    pub(super) fn heed() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }
}

/// Runs `app` until a signal says stop, reloading its settings from `origin` when `watch` sees that they were changed.
pub(super) async fn run(
    mut app: App,
    mut watch: Watch,
    origin: &Origin,
    given: &Given,
    signals: Signals,
) -> anyhow::Result<ExitCode> {
    for listen in app.places() {
        info!(listen, "serving on {listen}");
    }
    if let Some(admin) = app.admin_listening() {
        // Whole, so that terminals make a link of it.
        info!(listen = %admin, "status page: http://{admin}/");
    }
    let Signals { mut terminate, mut interrupt, mut hang_up } = signals;
    let mut look = tokio::time::interval(LOOK_EVERY);
    let mut watchdog = systemd::Watchdog::new();
    systemd::ready(&app);
    loop {
        let asked = tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => true,
            _ = look.tick() => false,
            () = watchdog.due() => {
                watchdog.pat(&app).await;
                continue;
            }
        };
        if asked {
            // Whoever sends a signal may have mended what an order failed for.
            app.order_again();
        }
        let now = marks(origin, &app.settings().files);
        if watch.is_due(&now) || asked {
            systemd::tell(&systemd::reloading());
            watchdog.beside(reload(&mut app, origin, given)).await;
            systemd::ready(&app);
            // Other files may be named now.
            watch = Watch::new(now, marks(origin, &app.settings().files));
        }
    }
    systemd::tell(&[NotifyState::Stopping]);
    info!("stopping");
    if !app.stop().await {
        warn!("some requests were still under way and were cut off");
    }
    Ok(ExitCode::SUCCESS)
}

async fn reload(app: &mut App, origin: &Origin, given: &Given) {
    // A mistake in the settings must not let the certificate run out.
    app.renew_certificate();
    let settings = match Settings::load(origin, given, &environment()) {
        Ok(settings) => settings,
        Err(problems) => {
            for problem in &problems.0 {
                error!("{problem}");
            }
            return error!(problems = problems.0.len(), "the settings are refused; the old ones stay in force");
        }
    };
    for warning in &settings.warnings {
        warn!("{warning}");
    }
    if let Err(cause) = app.reload(settings).await {
        error!(error = format!("{cause:#}"), "the settings could not be put in force; the old ones stay");
    }
}

/// The marks of the settings' file, and of the `files` that it names.
pub(super) fn marks(origin: &Origin, files: &[PathBuf]) -> Marks {
    let main = match origin {
        Origin::File(path) => Some(path),
        Origin::Nothing => None,
    };
    Marks::of(files.iter().chain(main).map(AsRef::as_ref))
}

/// One line for each device: `feed NAME  device NAME  URL`.
pub(super) fn print_urls(settings: &Settings, app: &App) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for (feed, device, url) in urls(settings, app) {
        writeln!(out, "feed {feed}  device {device}  {url}")?;
    }
    Ok(out.flush()?)
}

fn urls<'a>(settings: &'a Settings, app: &'a App) -> impl Iterator<Item = (&'a str, &'a str, String)> {
    settings.feeds.iter().flat_map(move |feed| {
        feed.devices
            .iter()
            .map(move |device| (&*feed.id, &*device.name, settings.subscription(app.key(), feed, device)))
    })
}

fn origin(options: &Serve) -> Origin {
    match options.url {
        Some(_) => Origin::Nothing,
        None => options.place.origin(),
    }
}

fn given(options: &Serve) -> anyhow::Result<Given> {
    let mut given = options.place.given()?;
    let mut give = |key, value: Option<String>| given.0.extend(value.map(|value| (key, value)));
    // The names stay the same whatever the address is, and so do the URLs.
    give("source.calendar.url", options.url.clone());
    give("feed.calendar.sources", options.url.as_ref().map(|_| "calendar".into()));
    give("server.listen", options.listen.map(|address| address.to_string()));
    give("server.admin_listen", options.admin_listen.map(|address| address.to_string()));
    give("public_url", options.public_url.clone());
    give("fetch.refresh", options.refresh.clone());
    give("fetch.max_backoff", options.max_backoff.clone());
    give("fetch.allow_private", options.allow_private.then(|| "true".into()));
    Ok(given)
}
