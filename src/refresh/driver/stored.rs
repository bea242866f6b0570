//! What comes to the driver by way of the store, not by a fetch.

use std::sync::Arc;

use tracing::info;

use super::super::entry::Place;
use super::super::handle::{Accepted, Change};
use super::Driver;
use crate::source::Fetch;
use crate::store::{Known, StoreError, UpstreamId};

impl<F: Fetch> Driver<F> {
    pub(super) async fn look(&mut self) {
        if let Some(known) = self.ledger.news().await {
            self.take_over(known);
        }
    }

    /// Takes over what another process has written to the store, or a refresh that the settings had dropped.
    fn take_over(&mut self, mut known: Known) {
        for (id, entry) in &self.entries {
            if matches!(entry.place, Place::Running) {
                self.ledger.is_behind();
                continue;
            }
            let (stored, quarantine) = (known.snapshots.remove(id), known.quarantined.remove(id));
            let label = &entry.upstream.label;
            let accepted = stored.filter(|stored| Some(stored.digest) != entry.upstream.digest());
            entry.upstream.update(|standing| {
                standing.quarantine = quarantine.map(Box::new);
                if let Some(accepted) = accepted {
                    info!(source = %label, "source `{label}` has another copy in the store");
                    standing.snapshot = Some(accepted);
                    standing.failing = None;
                }
            });
        }
    }
    /// Puts what is kept aside of an upstream in the place of its copy, if it is still the copy that has `digest`.
    pub(super) async fn accept(&mut self, id: UpstreamId, digest: &[u8; 32]) -> Result<Accepted, StoreError> {
        let Some(entry) = self.entries.get(&id) else { return Ok(Accepted::Changed) };
        if matches!(entry.place, Place::Running) {
            // What is being fetched is judged by the copy there was when that began.
            return Ok(Accepted::Busy);
        }
        let Some(kept) = entry.upstream.standing().quarantine.filter(|kept| kept.snapshot.digest == *digest) else {
            return Ok(Accepted::Changed);
        };
        let store = Arc::clone(&self.tools.store);
        let released = tokio::task::spawn_blocking(move || store.release(&id)).await;
        if !released.expect("writing the store does not panic")? {
            return Ok(Accepted::Changed);
        }
        let label = &entry.upstream.label;
        info!(source = %label, events = kept.snapshot.entries, "what was kept aside of source `{label}` was accepted");
        let before = entry.upstream.update(|standing| {
            standing.quarantine = None;
            standing.failing = None;
            standing.snapshot.replace(kept.snapshot).map(|held| held.digest)
        });
        self.ledger.overtaken(&id);
        self.settled.notify_waiters();
        // Rendering ahead is a kindness.
        let _ = self.changes.try_send(Change { upstream: id, before });
        Ok(Accepted::Done)
    }
}
