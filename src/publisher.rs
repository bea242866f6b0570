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

use chrono::NaiveDate;

use crate::clock::{Clock, Timestamp};
use crate::feed::{Circumstances, Coding, Copy, Edition, Feed, Tally};
use crate::refresh::{Change, Refresher, Upstream};
use crate::store::{Store, StoreError, UpstreamId};

/// Editions made at once: each may need several times its size of memory.
const RENDERERS: usize = 2;

/// A feed with where it comes from.
#[derive(Debug)]
pub struct Served {
    /// The feed as the settings have it.
    pub feed: Feed,
    /// The upstreams of its sources, in their order.
    pub upstreams: Vec<Arc<Upstream>>,
    /// What hashes in its editions are keyed with.
    hash_key: [u8; 32],
    /// Digest of the feed's name and of all in its settings that shows in an edition.
    key: [u8; 16],
    /// Nothing but the copies decides what comes out: neither the day nor when they were confirmed.
    is_plain: bool,
}

impl Served {
    /// Ties `feed` to `upstreams`, those of its sources in their order.
    pub fn new(feed: Feed, upstreams: Vec<Arc<Upstream>>, hash_key: [u8; 32]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&feed.recipe.digest()).update(feed.id.as_bytes()).update(&hash_key);
        for source in &feed.sources {
            hasher.update(&(source.len() as u64).to_le_bytes()).update(source.as_bytes());
        }
        let is_plain = !feed.recipe.asks_for_today() && !feed.recipe.tells_freshness();
        Self { key: half(hasher.finalize().as_bytes()), feed, upstreams, hash_key, is_plain }
    }

    fn plain_key(&self, digest: &[u8; 32]) -> Key {
        Key { feed: self.key, ingredients: half(digest) }
    }

    /// What its edition is made of now; `None` while no source has a copy.
    fn ingredients(&self, now: Timestamp) -> Option<Ingredients> {
        let copies: Vec<_> = self.upstreams.iter().map(|upstream| Ingredient::of(upstream)).collect();
        let any = copies.iter().any(|copy| copy.digest.is_some());
        any.then(|| Ingredients { copies, today: now.date() })
    }
}

/// What an edition is made of: the copies, and the day it is.
#[derive(Debug, Clone)]
struct Ingredients {
    copies: Vec<Ingredient>,
    today: NaiveDate,
}

#[derive(Debug, Clone)]
struct Ingredient {
    id: UpstreamId,
    digest: Option<[u8; 32]>,
    confirmed: NaiveDate,
    failing: bool,
}

impl Ingredient {
    fn of(upstream: &Upstream) -> Self {
        let (digest, confirmed, failing) = upstream.copy();
        Self { id: upstream.id, digest, confirmed: confirmed.date(), failing }
    }
}

impl Ingredients {
    /// What the edition made of them for `served` is called in the cache.
    fn key(&self, served: &Served) -> Key {
        if let ([Ingredient { digest: Some(digest), .. }], true) = (self.copies.as_slice(), served.is_plain) {
            return served.plain_key(digest);
        }
        let recipe = &served.feed.recipe;
        let mut hasher = blake3::Hasher::new();
        for copy in &self.copies {
            hasher
                .update(copy.digest.as_ref().map_or(&[][..], |digest| digest))
                .update(&[u8::from(copy.digest.is_some())]);
            if recipe.tells_freshness() {
                hasher.update(copy.confirmed.to_string().as_bytes()).update(&[u8::from(copy.failing)]);
            }
        }
        if recipe.asks_for_today() {
            hasher.update(self.today.to_string().as_bytes());
        }
        Key { feed: served.key, ingredients: half(hasher.finalize().as_bytes()) }
    }
}

/// An edition and when it was first published.
#[derive(Debug)]
pub struct Published {
    /// The edition.
    pub edition: Edition,
    /// `Last-Modified`: when these bytes first replaced others. Stored, because iOS compares it with its own clock.
    pub at: Timestamp,
    /// How often each rule was of use.
    pub tally: Tally,
    heads: Heads,
}

impl Published {
    fn new(feed: &Feed, edition: Edition, tally: Tally, at: Timestamp, now: Timestamp) -> Self {
        Self { heads: Heads::new(feed, &edition, at, now), edition, tally, at }
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
    ingredients: [u8; 16],
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
        if let Some(published) = self.at_hand(served).await {
            return Ok(published);
        }
        let ingredients = served.ingredients(self.clock.now()).ok_or(Unavailable::NoCopy)?;
        let key = ingredients.key(served);
        // One of those who ask makes it; if that one hangs up, another takes over.
        let made = self.editions.try_get_with(key, self.render(served, ingredients)).await;
        made.map_err(|unavailable| (*unavailable).clone())
    }

    /// The current edition of `served` if it is at hand.
    pub async fn at_hand(&self, served: &Served) -> Option<Arc<Published>> {
        // Most feeds are one source as it is, and every request comes by here.
        let key = match served.upstreams.as_slice() {
            [upstream] if served.is_plain => served.plain_key(&upstream.digest()?),
            _ => served.ingredients(self.clock.now())?.key(served),
        };
        self.editions.get(&key).await
    }

    async fn render(&self, served: &Served, ingredients: Ingredients) -> Result<Arc<Published>, Unavailable> {
        let _place = self.renderers.acquire().await.expect("the semaphore is never closed");
        let (store, now) = (Arc::clone(&self.store), self.clock.now());
        let (feed, hash_key) = (served.feed.clone(), served.hash_key);
        let rendered = tokio::task::spawn_blocking(move || render(&store, &feed, &ingredients, hash_key, now)).await;
        match rendered {
            Ok(Ok(Some(published))) => Ok(Arc::new(published)),
            Ok(Ok(None)) => Err(Unavailable::NoCopy),
            Ok(Err(unmade)) => {
                error!(feed = %served.feed.id, error = %unmade.cause, "a copy for feed `{}` cannot be read; it is fetched again", served.feed.id);
                for upstream in served.upstreams.iter().filter(|upstream| Some(upstream.id) == unmade.blamed) {
                    self.refresher.lost(upstream);
                }
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

/// Why an edition could not be made.
struct Unmade {
    /// The upstream whose copy is to blame, if one is.
    blamed: Option<UpstreamId>,
    cause: Box<RenderError>,
}

impl Unmade {
    fn new(blamed: Option<UpstreamId>, cause: impl Into<RenderError>) -> Self {
        Self { blamed, cause: Box::new(cause.into()) }
    }
}

fn render(
    store: &Store,
    feed: &Feed,
    ingredients: &Ingredients,
    hash_key: [u8; 32],
    now: Timestamp,
) -> Result<Option<Published>, Unmade> {
    let mut texts = Vec::with_capacity(ingredients.copies.len());
    for (ingredient, source) in ingredients.copies.iter().zip(&feed.sources) {
        // One that has no copy yet is left out, and the feed's health says so.
        let text = match store.text(&ingredient.id) {
            // A copy that is known and whose text is gone is as damaged as one that cannot be read.
            Ok(None) if ingredient.digest.is_some() => Err(StoreError::DamagedCopy),
            text => text,
        };
        let text = text.map_err(|error| Unmade::new(Some(ingredient.id), error))?;
        texts.extend(text.map(|text| (source, ingredient, text)));
    }
    if texts.is_empty() {
        return Ok(None);
    }
    let copies: Vec<_> = texts
        .iter()
        .map(|(source, ingredient, text)| {
            let (confirmed, failing) = (ingredient.confirmed, ingredient.failing);
            Copy { source, text, confirmed, failing }
        })
        .collect();
    let circumstances = Circumstances { today: ingredients.today, key: hash_key };
    let blamed = || texts.first().map(|(_, ingredient, _)| ingredient.id);
    let published = feed.recipe.publish(&copies, &circumstances).map_err(|error| Unmade::new(blamed(), error))?;
    drop(texts);
    let edition = Edition::new(&published.text).map_err(|error| Unmade::new(None, error))?;
    let at = store.published(&feed.id, &edition.digest(), now).unwrap_or_else(|error| {
        warn!(feed = %feed.id, %error, "the publication time of feed `{}` could not be stored", feed.id);
        now
    });
    Ok(Some(Published::new(feed, edition, published.tally, at, now)))
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
