//! What settings put in force for requests: the catalog, the feeds and the sources.

use std::collections::HashMap;
use std::sync::Arc;

use crate::feed::{Catalog, Feed, Found, Key, Token};
use crate::http::Directory;
use crate::publisher::{FeedsByUpstream, Served};
use crate::refresh::Upstream;
use crate::settings::Settings;
use crate::status::{Listed, Subscription, Usage};

/// How many tokens of a revoked device answer that they are gone.
const REVOKED_ROTATIONS: u32 = 101;

/// What `settings` put in force. Devices that were there `before` keep their figures.
pub(super) fn directory(
    settings: &Settings,
    key: &Key,
    upstreams: &HashMap<Arc<str>, Arc<Upstream>>,
    before: Option<&Directory>,
) -> Directory {
    let mut listed = Vec::with_capacity(settings.feeds.len());
    let mut catalog = Catalog::new(key.derive("calferry 2026 token look-up"));
    let hash_key = Arc::new(key.derive("calferry 2026 hashes in editions"));
    for feed in &settings.feeds {
        // Every feed's sources were checked to be among the sources, and every source was adopted.
        let found = feed.sources.iter().filter_map(|source| upstreams.get(source).map(Arc::clone)).collect();
        let shown =
            Feed { id: Arc::clone(&feed.id), recipe: feed.recipe.clone(), sources: feed.sources.as_slice().into() };
        let served = Arc::new(Served::new(shown, found, Arc::clone(&hash_key)));
        let mut devices = Vec::with_capacity(feed.devices.len());
        for device in &feed.devices {
            let (token, replaced) = (device.token(key, &feed.id), device.token_before(key, &feed.id));
            let known = |token: &Token| before.and_then(|before| usage_of(&before.catalog, token));
            let usage = known(&token).or_else(|| known(&replaced.as_ref()?.0)).unwrap_or_default();
            let (name, served) = (device.name.as_str().into(), Arc::clone(&served));
            let subscription = Arc::new(Subscription { device: name, served, usage });
            catalog.admit(&token, Arc::clone(&subscription));
            if let Some((token, end)) = replaced {
                catalog.admit_until(&token, Arc::clone(&subscription), end.as_secs());
            }
            devices.push(subscription);
            for earlier in 0..device.rotation {
                catalog.revoke(&key.token(&feed.id, &device.name, earlier));
            }
        }
        listed.push(Listed { served, devices });
        for name in &feed.revoked {
            for rotation in 0..REVOKED_ROTATIONS {
                catalog.revoke(&key.token(&feed.id, name, rotation));
            }
        }
    }
    let named =
        |source: &crate::settings::Source| Some((Arc::clone(&source.name), Arc::clone(upstreams.get(&source.name)?)));
    let sources = settings.sources.iter().filter_map(named).collect();
    let feeds = FeedsByUpstream::new(listed.iter().map(|listed| &listed.served));
    let (options, public_url) = (settings.server.front.clone(), settings.public_url.to_string());
    Directory { catalog, listed, feeds, sources, options, public_url }
}

/// What the device of `token` has fetched, if it is in `catalog`.
fn usage_of(catalog: &Catalog<Subscription>, token: &Token) -> Option<Arc<Usage>> {
    // A token that is about to end is as good as any: it is its device that is asked for.
    match catalog.find(token.reveal(), 0) {
        Found::Feed(known, _) => Some(Arc::clone(&known.usage)),
        Found::Revoked | Found::Unknown => None,
    }
}
