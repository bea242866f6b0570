//! Telling systemd how it goes (`sd_notify(3)`): ready, reloading, stopping, and alive. Without systemd nothing is told.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{Interval, MissedTickBehavior};
use tracing::warn;

use crate::app::App;

/// Tells systemd, if it asked to be told.
pub(super) fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "systemd could not be told");
    }
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

    /// Says that `app` is alive, if it is. Otherwise systemd is left to find out.
    pub(super) async fn pat(&self, app: &App) {
        if tokio::time::timeout(PATIENCE, app.is_alive()).await == Ok(true) {
            tell(&[NotifyState::Watchdog]);
        } else {
            warn!("the refresher does not answer; the watchdog is not told that all is well");
        }
    }
}
