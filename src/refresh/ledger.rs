//! What of the refresher's knowledge is on the disk, and what another process has put there.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, error, warn};

use crate::store::{Known, Snapshot, Store, StoreError, UpstreamId};

/// How long copies that no source leads to any more are kept: requests under way may be for them.
const SWEEP_AFTER: Duration = Duration::from_mins(1);

/// Confirmations that are not on the disk yet, and the store's last known version.
///
/// A confirmation is one number; writing each at once would wear the disk for nothing. After a crash a copy looks a
/// minute older than it is.
#[derive(Debug)]
pub(super) struct Ledger {
    store: Arc<Store>,
    confirmed: HashMap<UpstreamId, Snapshot>,
    version: Option<i64>,
    /// Not everything that was news has been taken over.
    behind: bool,
    /// When copies that no source leads to may be deleted.
    sweep_at: Option<Instant>,
}

impl Ledger {
    pub(super) fn new(store: Arc<Store>) -> Self {
        Self { store, confirmed: HashMap::new(), version: None, behind: false, sweep_at: None }
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

    /// Sources were bound anew. Who reads by the settings before may do so for a while yet.
    pub(super) fn bound(&mut self, now: Instant) {
        self.sweep_at = Some(now + SWEEP_AFTER);
    }

    /// Deletes the copies that no source leads to, if it is time.
    pub(super) async fn sweep(&mut self, now: Instant) {
        if self.sweep_at.take_if(|at| *at <= now).is_none() {
            return;
        }
        let store = Arc::clone(&self.store);
        match tokio::task::spawn_blocking(move || store.sweep()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                warn!(%error, "copies that no source leads to could not be deleted; it is tried again");
                self.bound(now);
            }
            Err(error) => error!(%error, "deleting copies that no source leads to ended unexpectedly"),
        }
    }

    /// What is in the store is not what is known of it: the next look takes it for news.
    pub(super) fn is_behind(&mut self) {
        self.behind = true;
    }

    /// Everything in the store, if another process, such as `calferry accept`, has written to it since the last look.
    pub(super) async fn news(&mut self) -> Option<Known> {
        let (store, before, behind) = (Arc::clone(&self.store), self.version, std::mem::take(&mut self.behind));
        let looked = tokio::task::spawn_blocking(move || {
            let version = store.foreign_changes()?;
            let news = behind || before.is_some_and(|before| before != version);
            let known = if news { Some(store.known()?) } else { None };
            Ok::<_, StoreError>((version, known))
        });
        match looked.await {
            Ok(Ok((version, known))) => {
                self.version = Some(version);
                known
            }
            Ok(Err(error)) => {
                debug!(%error, "the store could not be looked at");
                self.behind |= behind;
                None
            }
            Err(error) => {
                error!(%error, "looking at the store ended unexpectedly");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
