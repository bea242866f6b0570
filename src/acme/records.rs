//! The store, for calls that go on to their end whatever becomes of who made them: a program that stops just when a
//! certificate has come must not lose it.

use std::sync::Arc;

use tokio_util::task::TaskTracker;

use crate::store::{Store, StoreError};

/// What the authority has given, on the disk.
#[derive(Debug)]
pub(super) struct Records {
    store: Arc<Store>,
    under_way: TaskTracker,
}

impl Records {
    pub(super) fn new(store: Arc<Store>) -> Self {
        Self { store, under_way: TaskTracker::new() }
    }

    /// Does what blocks on a thread where that is allowed.
    pub(super) async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = Arc::clone(&self.store);
        match self.under_way.spawn_blocking(move || work(&store)).await {
            Ok(done) => done,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Waits for what is under way.
    pub(super) async fn finish(&self) {
        self.under_way.close();
        self.under_way.wait().await;
    }
}
