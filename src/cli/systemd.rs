//! Telling systemd how it goes (`sd_notify(3)`): ready, reloading, stopping, and alive. Without systemd nothing is told.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tracing::warn;

use super::counted;
use crate::app::App;

/// Tells systemd, if it asked to be told.
pub(super) fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "systemd could not be told");
    }
}

/// Says that `app` serves, and what.
pub(super) fn ready(app: &App) {
    let directory = app.front().directory();
    let (devices, sources) = (directory.catalog.devices(), directory.sources.len());
    let status = format!("Serving {} from {}", counted(devices, "device"), counted(sources, "source"));
    tell(&[NotifyState::Ready, NotifyState::Status(&status)]);
}

/// What says that a reload has begun. It holds the moment on the monotonic clock, as `Type=notify-reload` wants it.
pub(super) fn reloading() -> Vec<NotifyState<'static>> {
    let now = NotifyState::monotonic_usec_now().ok();
    std::iter::once(NotifyState::Reloading).chain(now).collect()
}

/// systemd's watchdog: told twice in its time that the program is alive, as long as it is.
pub(super) struct Watchdog {
    every: Option<Interval>,
}

/// A part that takes longer to answer is as good as dead.
const PATIENCE: Duration = Duration::from_secs(5);
/// Hundreds of thousands of feeds take their time to be put in force; but not longer.
const BUSY_AT_MOST: Duration = Duration::from_mins(10);

impl Watchdog {
    /// The one that the environment asks for, if it does.
    pub(super) fn new() -> Self {
        let every = sd_notify::watchdog_enabled().map(|allowed| {
            let mut every = tokio::time::interval((allowed / 2).max(Duration::from_millis(1)));
            every.set_missed_tick_behavior(MissedTickBehavior::Delay);
            every
        });
        Self { every }
    }

    /// Waits until it is time to say something; for ever without a watchdog. Cancel safe.
    pub(super) async fn due(&mut self) {
        match &mut self.every {
            Some(every) => {
                every.tick().await;
            }
            None => std::future::pending().await,
        }
    }

    /// Carries out `work`, which may take longer than the watchdog allows, and says meanwhile that it goes on.
    pub(super) async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let (mut work, until) = (pin!(work), Instant::now() + BUSY_AT_MOST);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = self.due() => if Instant::now() < until {
                    tell(&[NotifyState::Watchdog]);
                }
            }
        }
    }

    /// Says that `app` is alive, if it is. Otherwise systemd is left to find out.
    pub(super) async fn pat(&self, app: &App) {
        if tokio::time::timeout(PATIENCE, app.is_alive()).await == Ok(true) {
            tell(&[NotifyState::Watchdog]);
        } else {
            warn!("the refresher does not answer; the watchdog is not told that all is well");
        }
    }
}
