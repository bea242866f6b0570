//! Waiting for what comes, with a bound.

use std::time::Duration;

/// Waits until `condition` holds, and fails after half a minute with what was waited for.
pub(crate) async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let mut look = tokio::time::interval(Duration::from_millis(10));
    let waited = tokio::time::timeout(Duration::from_secs(30), async {
        while !condition().await {
            look.tick().await;
        }
    });
    assert!(waited.await.is_ok(), "waited in vain for: {what}");
}
