//! What becomes of a note that cannot be written.

use crate::clock::Timestamp;
use crate::source::Validators;
use crate::store::Access;

use super::*;

#[tokio::test]
async fn a_confirmation_that_cannot_be_written_is_kept_until_it_can() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(dir.path(), Access::Serve).unwrap());
    let at = |secs| Snapshot {
        digest: *blake3::hash(b"text").as_bytes(),
        entries: 1,
        size: 4,
        changed_at: Timestamp::from_secs(1),
        confirmed_at: Timestamp::from_secs(secs),
        validators: Validators::default(),
        inherited: false,
    };
    store.accept(&[1; 32], &at(1), b"text").unwrap();
    let mut ledger = Ledger::new(Arc::clone(&store));
    ledger.confirmed([1; 32], at(2));
    // As good as a full disk.
    let other = rusqlite::Connection::open(dir.path().join("calferry.db")).unwrap();
    other.execute_batch("ALTER TABLE snapshot RENAME TO gone").unwrap();
    ledger.flush().await;
    other.execute_batch("ALTER TABLE gone RENAME TO snapshot").unwrap();
    ledger.flush().await;
    assert_eq!(store.known().unwrap().snapshots[&[1; 32]], at(2));
}
