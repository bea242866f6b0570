//! Places for connections: so many at once, of all listeners that share them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tracing::warn;

use super::sparing::Sparing;

/// As many places as there may be connections at once.
#[derive(Debug)]
pub struct Places {
    free: Arc<Semaphore>,
    /// Connections that are there and have none.
    waiting: AtomicUsize,
    most: usize,
    /// Whose they are, in the operator's words.
    whose: &'static str,
    without: Sparing,
}

impl Places {
    /// So many places. `whose` they are is said when all are taken.
    pub fn new(most: usize, whose: &'static str) -> Arc<Self> {
        let free = Arc::new(Semaphore::new(most));
        Arc::new(Self { free, waiting: AtomicUsize::new(0), most, whose, without: Sparing::default() })
    }

    /// Waits for a place, for a connection that has come. It is taken until what is returned is dropped. Cancel safe.
    pub(super) async fn take(&self) -> OwnedSemaphorePermit {
        if let Ok(place) = Arc::clone(&self.free).try_acquire_owned() {
            return place;
        }
        self.say_that_all_are_taken();
        let _waiting = Waiting::new(&self.waiting);
        Arc::clone(&self.free).acquire_owned().await.expect("the semaphore is never closed")
    }

    /// Whether a connection waits for a place, so that one which is idle is in its way.
    pub(super) fn are_wanted(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    fn say_that_all_are_taken(&self) {
        if self.without.note(Instant::now()).is_some() {
            let Self { most, whose, .. } = self;
            warn!(
                "all {most} places for connections are taken ({whose}); who comes waits, and idle connections give way"
            );
        }
    }
}

/// A connection waits until this is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn places_are_wanted_while_a_connection_has_none() {
        let places = Places::new(1, "of a test");
        let first = places.take().await;
        assert!(!places.are_wanted(), "all are taken, and nobody waits");
        let soon = Duration::from_secs(1);
        let mut second = pin!(places.take());
        assert!(tokio::time::timeout(soon, second.as_mut()).await.is_err());
        assert!(tokio::time::timeout(soon, places.take()).await.is_err());
        assert!(places.are_wanted());
        drop(first);
        let _second = second.await;
        assert!(!places.are_wanted(), "it has one, and the third has gone");
    }
}
