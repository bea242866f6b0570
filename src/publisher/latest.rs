//! Which edition of each feed was made last: no other may be served.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::Timestamp;

/// The date of every feed's latest edition. Feeds that have gone keep their few bytes: they may come back, and there are
/// no more of them than the settings have ever named.
#[derive(Debug, Default)]
pub(super) struct Latest(Mutex<HashMap<Arc<str>, Arc<Date>>>);

/// When the latest edition of one feed was published.
#[derive(Debug, Default)]
pub(super) struct Date(AtomicU64);

impl Latest {
    /// The date of `feed`, shared by all of its editions.
    pub(super) fn of(&self, feed: &Arc<str>) -> Arc<Date> {
        let mut dates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(dates.entry(Arc::clone(feed)).or_default())
    }
}

impl Date {
    /// An edition published `at` has been made.
    pub(super) fn set(&self, at: Timestamp) {
        self.0.store(at.as_secs(), Ordering::Relaxed);
    }

    /// Whether the latest edition is the one published `at`.
    pub(super) fn is(&self, at: Timestamp) -> bool {
        self.0.load(Ordering::Relaxed) == at.as_secs()
    }
}
