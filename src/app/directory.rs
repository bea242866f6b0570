//! What settings put in force for requests: the catalog, the feeds and the sources.

use std::collections::HashMap;
use std::sync::Arc;

use crate::feed::{Catalog, Feed, Found, Key};
use crate::http::Directory;
use crate::publisher::{FeedsByUpstream, Served};
use crate::refresh::Upstream;
use crate::settings::Settings;
use crate::status::{Listed, Subscription};

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
    let mut feeds: FeedsByUpstream = HashMap::new();
    let hash_key = key.derive("calferry 2026 hashes in editions");
    for feed in &settings.feeds {
        // Every feed's sources were checked to be among the sources, and every source was adopted.
        let found = feed.sources.iter().filter_map(|source| upstreams.get(source).map(Arc::clone));
        let found: Vec<_> = found.collect();
        let shown = Feed { id: Arc::clone(&feed.id), recipe: feed.recipe.clone(), sources: feed.sources.clone() };
        let served = Arc::new(Served::new(shown, found, hash_key));
        for upstream in &served.upstreams {
            feeds.entry(upstream.id).or_default().push(Arc::clone(&served));
        }
        let mut devices = Vec::with_capacity(feed.devices.len());
        for device in &feed.devices {
            let token = device.token(key, &feed.id);
            let usage = match before.map(|before| before.catalog.find(token.reveal())) {
                Some(Found::Feed(known, _)) => Arc::clone(&known.usage),
                _ => Arc::default(),
            };
            let (name, served) = (device.name.as_str().into(), Arc::clone(&served));
            let subscription = Arc::new(Subscription { device: name, served, usage });
            catalog.admit(&token, Arc::clone(&subscription));
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
    let (options, public_url) = (settings.server.front.clone(), settings.public_url.to_string());
    Directory { catalog, listed, feeds, sources, options, public_url }
}
