//! From a feed to its current edition.
//!
//! Editions are cache: they live in a budget of bytes, are made once however many ask at the same time, and are keyed by
//! everything that shows in them, so what is found is right; but for its date, if another was published since, and then it
//! is published anew. Memory is bounded by the budget, not by the number of feeds.

mod head;
mod latest;
mod render;
mod served;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::LAST_MODIFIED;
use moka::future::Cache;
use rustc_hash::FxBuildHasher;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::error;

use self::head::Heads;
pub use self::head::{CACHE_STATUS, protect};
use self::latest::{Date, Latest};
use self::render::{Unrendered, render};
use self::served::Key;
pub use self::served::{FeedsByUpstream, Served};
use crate::clock::{Clock, Timestamp};
use crate::feed::{Coding, Edition, Feed, Tally};
use crate::refresh::{Change, Refresher};
use crate::store::{Store, UpstreamId};

/// Editions made at once: each may need several times its size of memory.
const RENDERERS: usize = 2;
/// How long the refresher may take to say what is in the store by now, and how often it is looked at until then.
const CATCHES_UP_IN: Duration = Duration::from_secs(10);
const CATCH_UP_EVERY: Duration = Duration::from_millis(5);

/// An edition and when it was first published.
#[derive(Debug)]
pub struct Published {
    /// The edition.
    pub edition: Edition,
    /// `Last-Modified`: when these bytes first replaced others; no two editions of a feed have the same. Stored, because
    /// iOS compares it with its own clock.
    pub at: Timestamp,
    /// How often each rule was of use.
    pub tally: Tally,
    heads: Heads,
    latest: Arc<Date>,
}

impl Published {
    /// `edition` of `feed`, which is its `latest` by having been made.
    fn new(feed: &Feed, edition: Edition, tally: Tally, at: Timestamp, latest: Arc<Date>) -> Self {
        latest.set(at);
        Self { heads: Heads::new(feed, &edition, at), edition, tally, at, latest }
    }

    /// The head of a 200 in `coding`, sent `now`.
    pub fn found(&self, coding: Coding, now: Timestamp) -> HeaderMap {
        self.dated(self.heads.found(coding), now)
    }

    /// The head of a 304, sent `now`, for who would have got `coding`.
    pub fn not_modified(&self, coding: Coding, now: Timestamp) -> HeaderMap {
        self.dated(self.heads.not_modified(coding), now)
    }

    /// An edition that follows another within a second has its date ahead, as has every one after the clock was set back.
    /// `Last-Modified` must not be later than `Date`. To replace it by that, as RFC 9110 §8.8.2.1 knows it, would tell the
    /// date of another edition, and another one each second: until its own has come there is none, and the tag alone says
    /// what it is.
    fn dated(&self, mut head: HeaderMap, now: Timestamp) -> HeaderMap {
        if now < self.at {
            head.remove(LAST_MODIFIED);
        }
        head
    }

    fn size(&self) -> usize {
        self.edition.size() + Heads::SIZE
    }
}

/// Why there is no edition.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Unavailable {
    /// The source has no copy yet.
    #[error("the source has no copy yet")]
    NoCopy,
    /// The copy cannot be read; it is being fetched again.
    #[error("the stored copy cannot be read")]
    Unreadable,
}

/// Makes editions and keeps them while there is room.
#[derive(Debug)]
pub struct Publisher {
    store: Arc<Store>,
    refresher: Refresher,
    clock: Clock,
    // Keys are halves of digests, which spread by themselves.
    editions: Cache<Key, Arc<Published>, FxBuildHasher>,
    latest: Latest,
    renderers: Arc<Semaphore>,
}

impl Publisher {
    /// A publisher that keeps at most `budget` bytes of editions.
    pub fn new(store: Arc<Store>, refresher: Refresher, clock: Clock, budget: u64) -> Self {
        let editions = Cache::builder()
            .max_capacity(budget)
            .weigher(|_, published: &Arc<Published>| u32::try_from(published.size()).unwrap_or(u32::MAX))
            .build_with_hasher(FxBuildHasher);
        Self {
            store,
            refresher,
            clock,
            editions,
            latest: Latest::default(),
            renderers: Arc::new(Semaphore::new(RENDERERS)),
        }
    }

    /// The current edition of `served`. Never waits for an upstream.
    ///
    /// # Errors
    /// [`Unavailable`] if there is no copy, or none that can be read.
    pub async fn current(&self, served: &Served) -> Result<Arc<Published>, Unavailable> {
        let mut until = None;
        loop {
            if let Some(published) = self.at_hand(served).await {
                return Ok(published);
            }
            let ingredients = served.ingredients(self.clock.now()).ok_or(Unavailable::NoCopy)?;
            let key = ingredients.key(served);
            // One of those who ask makes it; if that one hangs up, another takes over.
            let unrendered = match self.editions.try_get_with(key, self.render(served, key)).await {
                Ok(published) => return Ok(published),
                Err(unrendered) => unrendered,
            };
            let gone = match &*unrendered {
                Unrendered::NoCopy => return Err(Unavailable::NoCopy),
                Unrendered::Broken { .. } => return Err(Unavailable::Unreadable),
                Unrendered::Overtaken(gone) => *gone,
            };
            let now = Instant::now();
            if *until.get_or_insert(now + CATCHES_UP_IN) <= now {
                error!(feed = %served.feed.id, "a copy for feed `{}` has gone; it is fetched again", served.feed.id);
                self.report_lost(served, gone);
                return Err(Unavailable::Unreadable);
            }
            // The store is ahead of what the refresher says of it: it has just written, or somebody else has.
            self.refresher.look();
            tokio::time::sleep(CATCH_UP_EVERY).await;
        }
    }

    /// The current edition of `served` if it is at hand.
    pub async fn at_hand(&self, served: &Served) -> Option<Arc<Published>> {
        // Most feeds are one source as it is, and every request comes by here.
        let key = match &*served.upstreams {
            [upstream] if served.is_plain => served.plain_key(&upstream.digest()?),
            _ => served.ingredients(self.clock.now())?.key(served),
        };
        let published = self.editions.get(&key).await?;
        if published.latest.is(published.at) {
            return Some(published);
        }
        // Settings that were changed back lead to what was published before another. By its old date, a phone that has
        // the other would keep it: it is published anew.
        self.editions.invalidate(&key).await;
        None
    }

    async fn render(&self, served: &Served, key: Key) -> Result<Arc<Published>, Unrendered> {
        let large = served.upstreams.iter().map(|upstream| upstream.size()).sum();
        let place = if self.refresher.desk().is_small(large) {
            Arc::clone(&self.renderers).acquire_owned().await.expect("the semaphore is never closed")
        } else {
            self.refresher.desk().wait(large).await
        };
        let (store, clock, whole) = (Arc::clone(&self.store), self.clock, served.clone());
        let latest = self.latest.of(&served.feed.id);
        let rendered = tokio::task::spawn_blocking(move || {
            // The work goes on when who asked for it has hung up, and its place is taken until it ends.
            let _place = place;
            render(&store, &whole, key, clock, latest)
        });
        let rendered = rendered.await;
        let rendered = rendered.unwrap_or_else(|ended| Err(Unrendered::broken(None, ended)));
        if let Err(Unrendered::Broken { blamed, cause }) = &rendered {
            error!(feed = %served.feed.id, error = %cause, "a copy for feed `{}` cannot be read; it is fetched again", served.feed.id);
            self.report_lost(served, *blamed);
        }
        rendered.map(Arc::new)
    }

    fn report_lost(&self, served: &Served, lost: Option<UpstreamId>) {
        for upstream in served.upstreams.iter().filter(|upstream| Some(upstream.id) == lost) {
            self.refresher.lost(upstream);
        }
    }

    /// The body of `published` in `coding`. Compressed ones are at hand.
    ///
    /// # Errors
    /// [`Unavailable::Unreadable`] if the text cannot be had back from its compressed form.
    pub async fn body(&self, published: &Arc<Published>, coding: Coding) -> Result<Bytes, Unavailable> {
        let made = if coding == Coding::Identity {
            let published = Arc::clone(published);
            let made = tokio::task::spawn_blocking(move || published.edition.body(coding)).await;
            made.unwrap_or_else(|ended| Err(std::io::Error::other(ended)))
        } else {
            published.edition.body(coding)
        };
        made.map_err(|cause| {
            error!(error = %cause, "an edition cannot be decompressed");
            Unavailable::Unreadable
        })
    }

    /// Makes the new editions of those feeds of a changed upstream that are being read, and lets go of the old ones.
    pub async fn follow(&self, change: Change, feeds: impl Iterator<Item = &Arc<Served>>) {
        for served in feeds {
            let Some(mut before) = served.ingredients(self.clock.now()) else { continue };
            for copy in before.copies.iter_mut().filter(|copy| copy.id == change.upstream) {
                copy.digest = change.before;
            }
            let old = before.key(served);
            if self.editions.contains_key(&old) {
                // Who asks next is told what is wrong, if anything is.
                let _ = self.current(served).await;
                self.editions.invalidate(&old).await;
            }
        }
    }

    /// Editions at hand, and the bytes they take.
    pub async fn cached(&self) -> (u64, u64) {
        self.editions.run_pending_tasks().await;
        (self.editions.entry_count(), self.editions.weighted_size())
    }
}
