//! Time, in one place. Decisions get `now` as an argument; only `acme`, `app`, `refresh`,
//! `publisher` and `http` hold a clock.

use std::fmt;
use std::ops::Add;
use std::time::{Duration, SystemTime};

/// A second of civil time, as it is stored and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// From seconds since 1970.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs)
    }

    /// Seconds since 1970.
    pub fn as_secs(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; nothing if it lies ahead, as it may when a clock was set back.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0))
    }

    /// The day it is in, in UTC.
    pub fn date(self) -> chrono::NaiveDate {
        let days = i32::try_from(self.0 / 86_400).ok().and_then(chrono::NaiveDate::from_epoch_days);
        days.unwrap_or(chrono::NaiveDate::MAX)
    }

    /// For HTTP dates.
    pub fn system_time(self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.0)
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.as_secs()))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        Self(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs())
    }
}

/// RFC 3339, in UTC.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A year beyond 9999 has no such form; a clock that far off is shown as the last one that has.
        let latest = Self(self.0.min(253_402_300_799));
        humantime::format_rfc3339_seconds(latest.system_time()).fmt(f)
    }
}

/// What time it is.
#[derive(Debug, Clone, Copy)]
pub enum Clock {
    /// The machine's.
    System,
    /// One that moves with tokio's clock, which can be paused and advanced: days pass in a moment.
    Simulated {
        /// What it showed in the beginning.
        origin: Timestamp,
        /// When that was.
        start: tokio::time::Instant,
    },
}

impl Clock {
    /// A clock that shows `origin` now and moves with tokio's.
    pub fn simulated(origin: Timestamp) -> Self {
        Self::Simulated { origin, start: tokio::time::Instant::now() }
    }

    /// The current second.
    pub fn now(self) -> Timestamp {
        match self {
            #[expect(clippy::disallowed_methods, reason = "this is the clock")]
            Self::System => SystemTime::now().into(),
            Self::Simulated { origin, start } => origin + start.elapsed(),
        }
    }
}
