//! From a feed to its current edition.
//!
//! Editions are cache: they live in a budget of bytes, are made once however many ask at the same time, and are keyed by
//! everything that shows in them, so none ever has to be invalidated to be right. Memory is bounded by the budget, not by
//! the number of feeds.

mod head;

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use moka::future::Cache;
use tokio::sync::Semaphore;
use tracing::{error, warn};

use self::head::Heads;
pub use self::head::protect;

use crate::calendar::{Calendar, Limits};
use crate::clock::{Clock, Timestamp};
use crate::feed::{Coding, Edition, Feed, publish_mended};
use crate::refresh::{Change, Refresher, Upstream};
use crate::store::{Store, StoreError, UpstreamId};

/// Editions made at once: each may need several times its size of memory.
const RENDERERS: usize = 2;

/// A feed with where it comes from.
#[derive(Debug)]
pub struct Served {
    /// The feed as the settings have it.
    pub feed: Feed,
    /// The upstream of its source.
    pub upstream: Arc<Upstream>,
    /// Digest of the feed's name and of all in its settings that shows in an edition.
    key: [u8; 16],
}

impl Served {
    /// Ties `feed` to `upstream`.
    pub fn new(feed: Feed, upstream: Arc<Upstream>) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&feed.presentation.digest()).update(feed.id.as_bytes());
        Self { key: half(hasher.finalize().as_bytes()), feed, upstream }
    }
}

/// An edition and when it was first published.
#[derive(Debug)]
pub struct Published {
    /// The edition.
    pub edition: Edition,
    /// `Last-Modified`: when these bytes first replaced others. Stored, because iOS compares it with its own clock.
    pub at: Timestamp,
    heads: Heads,
}

impl Published {
    fn new(feed: &Feed, edition: Edition, at: Timestamp, now: Timestamp) -> Self {
        Self { heads: Heads::new(feed, &edition, at, now), edition, at }
    }

    /// The head of a 200 in `coding`.
    pub fn found(&self, coding: Coding) -> HeaderMap {
        self.heads.found(coding)
    }

    /// The head of a 304 for who would have got `coding`.
    pub fn not_modified(&self, coding: Coding) -> HeaderMap {
        self.heads.not_modified(coding)
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    feed: [u8; 16],
    snapshot: [u8; 16],
}

/// Makes editions and keeps them while there is room.
#[derive(Debug)]
pub struct Publisher {
    store: Arc<Store>,
    refresher: Refresher,
    clock: Clock,
    editions: Cache<Key, Arc<Published>>,
    renderers: Arc<Semaphore>,
}

impl Publisher {
    /// A publisher that keeps at most `budget` bytes of editions.
    pub fn new(store: Arc<Store>, refresher: Refresher, clock: Clock, budget: u64) -> Self {
        let editions = Cache::builder()
            .max_capacity(budget)
            .weigher(|_, published: &Arc<Published>| u32::try_from(published.size()).unwrap_or(u32::MAX))
            .build();
        Self { store, refresher, clock, editions, renderers: Arc::new(Semaphore::new(RENDERERS)) }
    }

    /// The current edition of `served`. Never waits for an upstream.
    ///
    /// # Errors
    /// [`Unavailable`] if there is no copy, or none that can be read.
    pub async fn current(&self, served: &Served) -> Result<Arc<Published>, Unavailable> {
        let digest = served.upstream.digest().ok_or(Unavailable::NoCopy)?;
        let key = Key { feed: served.key, snapshot: half(&digest) };
        if let Some(published) = self.editions.get(&key).await {
            return Ok(published);
        }
        // One of those who ask makes it; if that one hangs up, another takes over.
        let made = self.editions.try_get_with(key, self.render(served)).await;
        made.map_err(|unavailable| (*unavailable).clone())
    }

    async fn render(&self, served: &Served) -> Result<Arc<Published>, Unavailable> {
        let _place = self.renderers.acquire().await.expect("the semaphore is never closed");
        let (store, now) = (Arc::clone(&self.store), self.clock.now());
        let (feed, upstream) = (served.feed.clone(), served.upstream.id);
        let rendered = tokio::task::spawn_blocking(move || render(&store, &feed, &upstream, now)).await;
        match rendered {
            Ok(Ok(Some(published))) => Ok(Arc::new(published)),
            Ok(Ok(None)) => Err(Unavailable::NoCopy),
            Ok(Err(cause)) => {
                error!(feed = %served.feed.id, error = %cause, "the copy of feed `{}` cannot be read; it is fetched again", served.feed.id);
                self.refresher.lost(&served.upstream);
                Err(Unavailable::Unreadable)
            }
            Err(cause) => {
                error!(feed = %served.feed.id, error = %cause, "publishing feed `{}` ended unexpectedly", served.feed.id);
                Err(Unavailable::Unreadable)
            }
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
    pub async fn follow(&self, change: Change, feeds: &[Arc<Served>]) {
        let Some(before) = change.before else { return };
        for served in feeds {
            let old = Key { feed: served.key, snapshot: half(&before) };
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

fn render(store: &Store, feed: &Feed, upstream: &UpstreamId, now: Timestamp) -> Result<Option<Published>, RenderError> {
    let Some(text) = store.text(upstream)? else { return Ok(None) };
    let calendar = Calendar::scan(&text, &Limits::NONE)?;
    let published = publish_mended(&calendar, &feed.presentation);
    drop(text);
    let edition = Edition::new(&published)?;
    let at = store.published(&feed.id, &edition.digest(), now).unwrap_or_else(|error| {
        warn!(feed = %feed.id, %error, "the publication time of feed `{}` could not be stored", feed.id);
        now
    });
    Ok(Some(Published::new(feed, edition, at, now)))
}

#[derive(Debug, thiserror::Error)]
enum RenderError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Calendar(#[from] crate::calendar::Malformed),
    #[error("compressing: {0}")]
    Compress(#[from] std::io::Error),
}

/// The feeds of every upstream.
pub type FeedsByUpstream = HashMap<UpstreamId, Vec<Arc<Served>>>;

fn half(digest: &[u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(digest.split_at(16).0);
    half
}
