//! Making one edition: the copies are read, published and compressed, and the time of publication is stored.

use std::sync::Arc;

use tracing::warn;

use super::Published;
use super::latest::Date;
use super::served::{Ingredient, Ingredients, Key, Served};
use crate::clock::Clock;
use crate::feed::{Circumstances, Copy, Edition};
use crate::store::{Store, StoreError, UpstreamId};

/// Why there is no edition of a key.
#[derive(Debug)]
pub(super) enum Unrendered {
    /// No source has a copy yet.
    NoCopy,
    /// What it was to be made of is not what there is any more. Where a copy has gone, whose it was.
    Overtaken(Option<UpstreamId>),
    /// It cannot be made.
    Broken {
        /// The upstream whose copy is to blame, if one is.
        blamed: Option<UpstreamId>,
        cause: Box<RenderError>,
    },
}

impl Unrendered {
    pub(super) fn broken(blamed: Option<UpstreamId>, cause: impl Into<RenderError>) -> Self {
        Self::Broken { blamed, cause: Box::new(cause.into()) }
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum RenderError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Calendar(#[from] crate::calendar::Malformed),
    #[error("compressing: {0}")]
    Compress(#[from] std::io::Error),
    #[error("the task ended: {0}")]
    Ended(#[from] tokio::task::JoinError),
}

/// Makes the edition of `served` that is called `key`. Blocks.
///
/// Two of one feed may be made at the same time, from copies before and after a change, and either may be ready first.
/// The one of older copies must never be published after the other: a client would be told a later date for it. So each
/// looks what was published last before it looks at the copies, and is published only if that is still so.
pub(super) fn render(
    store: &Store,
    served: &Served,
    key: Key,
    clock: Clock,
    latest: Arc<Date>,
) -> Result<Published, Unrendered> {
    let (feed, now) = (&served.feed, clock.now());
    let before = store.publication(&feed.id);
    let ingredients = served.ingredients(now).ok_or(Unrendered::NoCopy)?;
    if ingredients.key(served) != key {
        return Err(Unrendered::Overtaken(None));
    }
    let texts = texts(store, &feed.sources, &ingredients)?;
    let copies: Vec<_> = texts
        .iter()
        .map(|(source, ingredient, text)| {
            let (confirmed, failing) = (ingredient.confirmed, ingredient.failing);
            Copy { source, text, confirmed, failing }
        })
        .collect();
    let circumstances = Circumstances { today: ingredients.today, key: *served.hash_key };
    let blamed = || ingredients.copies.iter().find(|copy| copy.digest.is_some()).map(|copy| copy.id);
    let published = feed.recipe.publish(&copies, &circumstances);
    let published = published.map_err(|error| Unrendered::broken(blamed(), error))?;
    drop(texts);
    let edition = Edition::new(&published.text).map_err(|error| Unrendered::broken(None, error))?;
    let at = match before.and_then(|before| store.publish(&feed.id, &edition.digest(), now, before)) {
        Ok(at) => at.ok_or(Unrendered::Overtaken(None))?,
        Err(error) => {
            warn!(feed = %feed.id, %error, "the publication time of feed `{}` could not be stored", feed.id);
            now
        }
    };
    Ok(Published::new(feed, edition, published.tally, at, latest))
}

/// A source's name, what is known of its copy, and the text.
type Text<'a> = (&'a str, &'a Ingredient, Vec<u8>);

/// What there is of each source. One that has no copy yet is left out, and the feed's health says so.
fn texts<'a>(
    store: &Store,
    sources: &'a [Arc<str>],
    ingredients: &'a Ingredients,
) -> Result<Vec<Text<'a>>, Unrendered> {
    let mut texts = Vec::with_capacity(sources.len());
    for (ingredient, source) in ingredients.copies.iter().zip(sources) {
        let Some(digest) = &ingredient.digest else { continue };
        let text = store.text_of(&ingredient.id, digest);
        let text = text.map_err(|error| Unrendered::broken(Some(ingredient.id), error))?;
        let text = text.ok_or(Unrendered::Overtaken(Some(ingredient.id)))?;
        texts.push((&**source, ingredient, text));
    }
    Ok(texts)
}
