//! A feed, what its edition is made of at a moment, and what that edition is called in the cache.

use std::sync::Arc;

use chrono::NaiveDate;

use crate::clock::Timestamp;
use crate::feed::Feed;
use crate::refresh::Upstream;
use crate::store::UpstreamId;

/// A feed with where it comes from.
#[derive(Debug, Clone)]
pub struct Served {
    /// The feed as the settings have it.
    pub feed: Feed,
    /// The upstreams of its sources, in their order.
    pub upstreams: Box<[Arc<Upstream>]>,
    /// What hashes in its editions are keyed with.
    pub(super) hash_key: Arc<[u8; 32]>,
    /// Digest of the feed's name and of all in its settings that shows in an edition.
    key: [u8; 16],
    /// Nothing but the copies decides what comes out: neither the day nor when they were confirmed.
    pub(super) is_plain: bool,
}

impl Served {
    /// Ties `feed` to `upstreams`, those of its sources in their order.
    pub fn new(feed: Feed, upstreams: Box<[Arc<Upstream>]>, hash_key: Arc<[u8; 32]>) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&feed.recipe.digest()).update(feed.id.as_bytes()).update(&*hash_key);
        for source in &feed.sources {
            hasher.update(&(source.len() as u64).to_le_bytes()).update(source.as_bytes());
        }
        let is_plain = !feed.recipe.asks_for_today() && !feed.recipe.tells_freshness();
        Self { key: half(hasher.finalize().as_bytes()), feed, upstreams, hash_key, is_plain }
    }

    pub(super) fn plain_key(&self, digest: &[u8; 32]) -> Key {
        Key { feed: self.key, ingredients: half(digest) }
    }

    /// What its edition is made of now; `None` while no source has a copy.
    pub(super) fn ingredients(&self, now: Timestamp) -> Option<Ingredients> {
        let copies: Vec<_> = self.upstreams.iter().map(|upstream| Ingredient::of(upstream)).collect();
        let any = copies.iter().any(|copy| copy.digest.is_some());
        any.then(|| Ingredients { copies, today: now.date() })
    }
}

/// What an edition is made of: the copies, and the day it is.
#[derive(Debug, Clone)]
pub(super) struct Ingredients {
    pub(super) copies: Vec<Ingredient>,
    pub(super) today: NaiveDate,
}

#[derive(Debug, Clone)]
pub(super) struct Ingredient {
    pub(super) id: UpstreamId,
    pub(super) digest: Option<[u8; 32]>,
    pub(super) confirmed: NaiveDate,
    pub(super) failing: bool,
}

impl Ingredient {
    fn of(upstream: &Upstream) -> Self {
        let (digest, confirmed, failing) = upstream.copy();
        Self { id: upstream.id, digest, confirmed: confirmed.date(), failing }
    }
}

impl Ingredients {
    /// What the edition made of them for `served` is called in the cache.
    pub(super) fn key(&self, served: &Served) -> Key {
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

/// What an edition is called in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    feed: [u8; 16],
    ingredients: [u8; 16],
}

/// The feeds of every upstream, in the order of the upstreams' names: a table with a list for each would take thrice as
/// much.
#[derive(Debug)]
pub struct FeedsByUpstream(Box<[(Arc<Upstream>, Arc<Served>)]>);

impl FeedsByUpstream {
    /// Finds out which of `feeds` are made of which upstream.
    pub fn new<'a>(feeds: impl Iterator<Item = &'a Arc<Served>>) -> Self {
        let pair = |served: &Arc<Served>, upstream: &Arc<Upstream>| (Arc::clone(upstream), Arc::clone(served));
        let pairs = feeds.flat_map(|served| served.upstreams.iter().map(move |upstream| pair(served, upstream)));
        let mut pairs: Box<[_]> = pairs.collect();
        pairs.sort_by_key(|(upstream, _)| upstream.id);
        Self(pairs)
    }

    /// The feeds of `upstream`.
    pub fn of(&self, upstream: &UpstreamId) -> impl Iterator<Item = &Arc<Served>> {
        let begin = self.0.partition_point(|(known, _)| known.id < *upstream);
        let behind = self.0.iter().skip(begin);
        behind.take_while(|(known, _)| known.id == *upstream).map(|(_, served)| served)
    }
}

fn half(digest: &[u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(digest.split_at(16).0);
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    /// There may be a hundred thousand of them: what feeds have in common is shared.
    #[test]
    fn a_feed_takes_little() {
        assert!(size_of::<Served>() <= 112, "{} bytes", size_of::<Served>());
    }
}
