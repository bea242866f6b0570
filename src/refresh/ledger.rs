//! What of the refresher's knowledge is on the disk, and what another process has put there.

use std::collections::HashMap;
use std::sync::Arc;

use tracing::{debug, error, warn};

use crate::store::{Known, Snapshot, Store, StoreError, UpstreamId};

/// Confirmations that are not on the disk yet, and the store's last known version.
///
/// A confirmation is one number; writing each at once would wear the disk for nothing. After a crash a copy looks a
/// minute older than it is.
#[derive(Debug)]
pub(super) struct Ledger {
    store: Arc<Store>,
    confirmed: HashMap<UpstreamId, Snapshot>,
    version: Option<i64>,
}

impl Ledger {
    pub(super) fn new(store: Arc<Store>) -> Self {
        Self { store, confirmed: HashMap::new(), version: None }
    }

    /// Takes note that the copy of `upstream` is the current one.
    pub(super) fn confirmed(&mut self, upstream: UpstreamId, snapshot: Snapshot) {
        self.confirmed.insert(upstream, snapshot);
    }

    /// Forgets a note that a new copy has overtaken.
    pub(super) fn overtaken(&mut self, upstream: &UpstreamId) {
        self.confirmed.remove(upstream);
    }

    /// Writes what is noted. What cannot be written is kept and tried again the next time.
    pub(super) async fn flush(&mut self) {
        if self.confirmed.is_empty() {
            return;
        }
        let batch: Vec<_> = self.confirmed.iter().map(|(id, snapshot)| (*id, snapshot.clone())).collect();
        let store = Arc::clone(&self.store);
        match tokio::task::spawn_blocking(move || store.confirm(&batch)).await {
            Ok(Ok(())) => self.confirmed.clear(),
            Ok(Err(error)) => warn!(%error, "times of confirmation could not be stored; they are kept in memory"),
            Err(error) => error!(%error, "storing times of confirmation ended unexpectedly"),
        }
    }

    /// Everything in the store, if another process, such as `calferry accept`, has written to it since the last look.
    pub(super) async fn news(&mut self) -> Option<Known> {
        let (store, before) = (Arc::clone(&self.store), self.version);
        let looked = tokio::task::spawn_blocking(move || {
            let version = store.foreign_changes()?;
            let known = if before.is_some_and(|before| before != version) { Some(store.known()?) } else { None };
            Ok::<_, StoreError>((version, known))
        });
        match looked.await {
            Ok(Ok((version, known))) => {
                self.version = Some(version);
                known
            }
            Ok(Err(error)) => {
                debug!(%error, "the store could not be looked at");
                None
            }
            Err(error) => {
                error!(%error, "looking at the store ended unexpectedly");
                None
            }
        }
    }
}
