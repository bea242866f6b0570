//! What is known of one upstream, for whoever wants to read it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::day::{Day, Ending, QUARTERS, Quarter};
use super::lane::WayStanding;
use crate::clock::Timestamp;
use crate::store::{Quarantine, Snapshot, UpstreamId};

/// One upstream. Read by everyone, written by the refresher only.
#[derive(Debug)]
pub struct Upstream {
    /// Its name in the store.
    pub id: UpstreamId,
    /// The first source that names it: what it is called in the log.
    pub label: Arc<str>,
    /// The host that is asked for it.
    pub host: Arc<str>,
    standing: Mutex<Standing>,
    /// How its fetches went; nothing before the first.
    day: Mutex<Option<Box<Day>>>,
    /// Wakes whoever waits for a first copy, of any upstream. Rare enough to share.
    settled: Arc<Notify>,
}

/// How an upstream stands.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// The last good copy.
    pub snapshot: Option<Snapshot>,
    /// Its trouble, if the last fetch brought no good answer. Rare, as is what follows: room for it is taken when it comes.
    pub failing: Option<Box<Failing>>,
    /// An answer that is kept aside.
    pub quarantine: Option<Box<Quarantine>>,
    /// When it is fetched next.
    pub next: Option<Timestamp>,
    /// A fetch is under way.
    pub fetching: bool,
    /// The place of the way by which it was last asked.
    pub last_way: Option<u8>,
    /// The place of the way by which it last answered; of the preferred one before that.
    pub came_by: u8,
    /// Lines left out of the last answer because they are no content line.
    pub junk: usize,
    /// The interval between fetches while all is well.
    pub refresh: Duration,
    /// How each way to it stands, the preferred first.
    pub ways: Box<[WayStanding]>,
    /// The host to which it has moved for good, if the host says so.
    pub moved_to: Option<Arc<str>>,
}

/// What is wrong, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failing {
    /// The first failure since the last good answer.
    pub since: Timestamp,
    /// The latest one.
    pub last: Timestamp,
    /// How many in a row.
    pub failures: u32,
    /// The latest error's name.
    pub reason: &'static str,
    /// The latest error in words.
    pub words: String,
    /// What to do about it.
    pub advice: &'static str,
}

impl Standing {
    /// The state in one word: the word of logs, metrics and the status answer alike.
    pub fn as_str(&self) -> &'static str {
        match (&self.snapshot, &self.failing, &self.quarantine) {
            (None, None, _) => "waiting",
            (None, Some(_), _) => "no_copy",
            (Some(_), _, Some(_)) => "quarantine",
            (Some(_), Some(_), None) => "failing",
            (Some(_), None, None) => "fresh",
        }
    }
}

impl Upstream {
    pub(super) fn new(
        id: UpstreamId,
        label: Arc<str>,
        host: Arc<str>,
        settled: Arc<Notify>,
        standing: Standing,
    ) -> Self {
        Self { id, label, host, standing: Mutex::new(standing), day: Mutex::default(), settled }
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        self.lock().clone()
    }

    /// How its fetches went over the day that ends `now`, by quarters of an hour, the oldest first.
    pub fn quarters(&self, now: Timestamp) -> Option<[Option<Quarter>; QUARTERS]> {
        let day = self.day.lock().unwrap_or_else(PoisonError::into_inner);
        day.as_ref().map(|day| day.quarters(now))
    }

    pub(super) fn note(&self, now: Timestamp, ending: Ending, took: Option<Duration>) {
        let mut day = self.day.lock().unwrap_or_else(PoisonError::into_inner);
        day.get_or_insert_with(|| Box::new(Day::beginning(now))).note(now, ending, took);
    }

    /// The state in one word, without a copy of the rest.
    pub fn state(&self) -> &'static str {
        self.lock().as_str()
    }

    /// Bytes of the copy; 0 if there is none.
    pub fn size(&self) -> usize {
        self.lock().snapshot.as_ref().map_or(0, |snapshot| snapshot.size)
    }

    /// The digest of the copy.
    pub fn digest(&self) -> Option<[u8; 32]> {
        self.lock().snapshot.as_ref().map(|snapshot| snapshot.digest)
    }

    /// The digest of the copy, when it was last confirmed, and whether fetching has failed since.
    pub fn copy(&self) -> (Option<[u8; 32]>, Timestamp, bool) {
        let standing = self.lock();
        let copy = standing.snapshot.as_ref();
        let confirmed = copy.map_or_else(Timestamp::default, |copy| copy.confirmed_at);
        (copy.map(|copy| copy.digest), confirmed, standing.failing.is_some())
    }

    /// Whether there is no copy, and the first fetch has not ended yet.
    pub fn is_awaited(&self) -> bool {
        let standing = self.lock();
        standing.snapshot.is_none() && standing.failing.is_none()
    }

    /// When the copy was confirmed, and until when that counts as fresh: two intervals, since a fetch takes its time.
    pub fn freshness(&self) -> Option<(Timestamp, Timestamp)> {
        let standing = self.lock();
        let confirmed = standing.snapshot.as_ref()?.confirmed_at;
        Some((confirmed, confirmed + standing.refresh * 2))
    }

    /// When the last fetch failed, if none is under way.
    pub fn rests_since(&self) -> Option<Timestamp> {
        let standing = self.lock();
        standing.failing.as_ref().filter(|_| !standing.fetching).map(|failing| failing.last)
    }

    pub(super) fn update<R>(&self, change: impl FnOnce(&mut Standing) -> R) -> R {
        change(&mut self.lock())
    }

    /// Waits until there is a copy, or until a fetch that is under way or about to start has failed. `false` then.
    /// Cancel safe.
    pub async fn has_copy(&self) -> bool {
        let mut seen = self.failures();
        loop {
            // Made before the look, so that nothing is missed between looking and waiting.
            let settled = self.settled.notified();
            if self.lock().snapshot.is_some() {
                return true;
            }
            let failures = self.failures();
            if failures > seen {
                return false;
            }
            seen = failures;
            settled.await;
        }
    }

    fn failures(&self) -> u32 {
        self.lock().failing.as_ref().map_or(0, |failing| failing.failures)
    }

    fn lock(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
