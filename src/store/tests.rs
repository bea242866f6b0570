//! The store through restarts, damage and strangers' files.

use std::os::unix::fs::PermissionsExt;

use super::*;

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(1_790_000_000 + secs)
}

fn copy(text: &[u8]) -> Snapshot {
    Snapshot {
        digest: *blake3::hash(text).as_bytes(),
        entries: 3,
        size: text.len(),
        changed_at: at(0),
        confirmed_at: at(0),
        validators: Validators { etag: Some("\"x\"".into()), last_modified: None },
        inherited: false,
    }
}

const A: UpstreamId = [1; 32];
const B: UpstreamId = [2; 32];

#[test]
fn what_was_accepted_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    {
        let store = Store::open(dir.path(), Access::Serve).unwrap();
        store.bind([("work", &A)].into_iter()).unwrap();
        store.accept(&A, &copy(b"one"), b"one").unwrap();
        store.accept(&A, &copy(b"two"), b"two").unwrap();
    }
    let store = Store::open(dir.path(), Access::Serve).unwrap();
    assert_eq!(store.known().unwrap().snapshots[&A], copy(b"two"));
    assert_eq!(store.text(&A).unwrap().unwrap(), b"two");
    assert_eq!(store.text(&B).unwrap(), None);
    let mode = std::fs::metadata(dir.path().join("calferry.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_file_that_others_could_read_is_made_private() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path(), Access::Serve).unwrap());
    let path = dir.path().join("calferry.db");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let _store = Store::open(dir.path(), Access::Serve).unwrap();
    for file in ["calferry.db", "calferry.db-wal", "calferry.db-shm"] {
        let mode = std::fs::metadata(dir.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

/// A power cut cannot be had in a test; what it asks for can.
#[test]
fn a_commit_waits_for_the_disk_and_the_reader_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Access::Serve).unwrap();
    let synchronous = |of: &Mutex<Connection>| locked(of).pragma_query_value(None, "synchronous", |row| row.get(0));
    assert_eq!((synchronous(&store.writer), synchronous(store.reader.as_ref().unwrap())), (Ok(2), Ok(2)));
    assert!(store.reader().execute("DELETE FROM snapshot", []).is_err());
}

#[test]
fn a_new_address_serves_the_old_copy_until_it_has_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Access::Serve).unwrap();
    store.bind([("work", &A)].into_iter()).unwrap();
    store.accept(&A, &copy(b"old"), b"old").unwrap();
    store.bind([("work", &B)].into_iter()).unwrap();
    let known = store.known().unwrap();
    assert!(known.snapshots[&B].inherited);
    assert_eq!(known.snapshots[&B].validators, Validators::default());
    assert_eq!(store.text(&B).unwrap().unwrap(), b"old");
    assert_eq!(store.text(&A).unwrap().unwrap(), b"old", "it may still be read by the settings before");
    store.sweep().unwrap();
    assert!(!store.known().unwrap().snapshots.contains_key(&A), "a copy that no source leads to is deleted");
    assert_eq!(store.text(&A).unwrap(), None);
    store.accept(&B, &copy(b"new"), b"new").unwrap();
    assert!(!store.known().unwrap().snapshots[&B].inherited);
}

#[test]
fn what_is_kept_aside_takes_the_place_of_the_copy_when_it_is_released() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Access::Serve).unwrap();
    store.bind([("work", &A)].into_iter()).unwrap();
    store.accept(&A, &copy(b"full"), b"full").unwrap();
    let kept = Quarantine { snapshot: copy(b"thin"), since: at(5), agreed: 2 };
    store.quarantine(&A, &kept, b"thin").unwrap();
    assert_eq!(store.known().unwrap().quarantined[&A], kept);
    assert_eq!(store.text(&A).unwrap().unwrap(), b"full");

    let visitor = Store::open(dir.path(), Access::Visit).unwrap();
    let before = store.foreign_changes().unwrap();
    assert!(visitor.release(&A).unwrap());
    assert_ne!(store.foreign_changes().unwrap(), before);
    assert_eq!(store.text(&A).unwrap().unwrap(), b"thin");
    assert!(store.known().unwrap().quarantined.is_empty());
    assert!(!visitor.release(&A).unwrap(), "nothing is left to release");
}

#[test]
fn publication_times_never_go_backwards() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Access::Serve).unwrap();
    let publish = |feed, digest, now| {
        let before = store.publication(feed).unwrap();
        store.publish(feed, &[digest; 32], now, before).unwrap().unwrap()
    };
    assert_eq!(publish("me", 1, at(10)), at(10));
    assert_eq!(publish("me", 1, at(20)), at(10), "the same edition keeps its time");
    assert_eq!(publish("me", 2, at(5)), at(11), "the clock was set back");
    assert_eq!(publish("me", 1, at(30)), at(30), "what comes back is a change");
    assert_eq!(publish("you", 1, at(5)), at(5));
}

#[test]
fn nothing_is_published_after_what_was_published_while_it_was_made() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Access::Serve).unwrap();
    store.publish("me", &[1; 32], at(10), None).unwrap();
    let before = store.publication("me").unwrap();
    let (of_older_copies, of_newer_copies) = ([2; 32], [3; 32]);
    assert_eq!(store.publish("me", &of_newer_copies, at(20), before).unwrap(), Some(at(20)));
    assert_eq!(store.publish("me", &of_older_copies, at(20), before).unwrap(), None);
    assert_eq!(store.publish("me", &of_newer_copies, at(21), before).unwrap(), Some(at(20)), "it is the same edition");
}

#[test]
fn a_text_is_read_only_as_the_copy_that_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Access::Serve).unwrap();
    store.bind([("work", &A)].into_iter()).unwrap();
    store.accept(&A, &copy(b"one"), b"one").unwrap();
    store.accept(&A, &copy(b"two"), b"two").unwrap();
    assert_eq!(store.text_of(&A, &copy(b"two").digest).unwrap().unwrap(), b"two");
    assert_eq!(store.text_of(&A, &copy(b"one").digest).unwrap(), None);
    assert_eq!(store.text_of(&B, &copy(b"two").digest).unwrap(), None);
    let other = Connection::open(dir.path().join("calferry.db")).unwrap();
    other.execute("DELETE FROM text", []).unwrap();
    assert!(matches!(store.text_of(&A, &copy(b"two").digest), Err(StoreError::DamagedCopy)));
}

#[test]
fn only_one_process_serves_from_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let _first = Store::open(dir.path(), Access::Serve).unwrap();
    assert!(matches!(Store::open(dir.path(), Access::Serve), Err(StoreError::InUse(_))));
    assert!(Store::open(dir.path(), Access::Visit).is_ok());
}

#[test]
fn a_file_that_is_not_ours_is_refused_and_left_as_it_is() {
    for content in [&b"my diary, not a database, and long enough to be read as a header......................................................"[..], &[0xFF; 5000]] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("calferry.db");
        std::fs::write(&path, content).unwrap();
        assert!(matches!(Store::open(dir.path(), Access::Serve), Err(StoreError::Foreign(_))));
        assert_eq!(std::fs::read(&path).unwrap(), content);
    }
    let dir = tempfile::tempdir().unwrap();
    let other = Connection::open(dir.path().join("calferry.db")).unwrap();
    other.execute_batch("CREATE TABLE notes (text)").unwrap();
    assert!(matches!(Store::open(dir.path(), Access::Serve), Err(StoreError::Foreign(_))));
}

#[test]
fn a_later_schema_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path(), Access::Serve).unwrap());
    let later = Connection::open(dir.path().join("calferry.db")).unwrap();
    later.pragma_update(None, "user_version", 99).unwrap();
    drop(later);
    let refused = Store::open(dir.path(), Access::Serve).unwrap_err();
    assert!(matches!(refused, StoreError::Newer { found: 99, .. }), "{refused}");
}

#[test]
fn a_file_of_the_first_schema_is_brought_up_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("calferry.db");
    let store = Store::open(dir.path(), Access::Serve).unwrap();
    store.bind([("work", &A)].into_iter()).unwrap();
    store.accept(&A, &copy(b"one"), b"one").unwrap();
    drop(store);
    // As the first version left it.
    let first = Connection::open(&path).unwrap();
    first
        .execute_batch(
            "DROP TABLE acme_account; DROP TABLE acme_certificate; DROP TABLE acme_setback; PRAGMA user_version = 1;",
        )
        .unwrap();
    drop(first);
    let store = Store::open(dir.path(), Access::Serve).unwrap();
    assert_eq!(store.text(&A).unwrap().unwrap(), b"one");
    assert_eq!(store.issued().unwrap(), None);
    store.keep_issued(&issued("a.example", b"key")).unwrap();
    drop(store);
    let store = Store::open(dir.path(), Access::Serve).unwrap();
    assert_eq!(store.issued().unwrap(), Some(issued("a.example", b"key")));
    let version: i64 =
        Connection::open(&path).unwrap().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, schema::SCHEMA);
}

fn subject(domains: &str) -> Subject {
    Subject { directory: "https://ca.example/dir".into(), domains: domains.into() }
}

fn issued(domains: &str, key: &[u8]) -> Issued {
    Issued { subject: subject(domains), chain: "chain".into(), key: Secret::new(key.into()), ordered_at: at(7) }
}

#[test]
fn a_new_certificate_takes_the_place_of_any_other_and_ends_the_setbacks_on_its_way() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Access::Serve).unwrap();
    let setback = Setback { failures: 2, refusals: 1, tried_at: at(1), next_at: at(9), words: "no".into() };
    for domains in ["a.example", "b.example"] {
        store.keep_setback(&subject(domains), &setback).unwrap();
    }
    store.keep_issued(&issued("b.example", b"1")).unwrap();
    store.keep_issued(&issued("a.example", b"2")).unwrap();
    assert_eq!(store.issued().unwrap(), Some(issued("a.example", b"2")));
    assert_eq!(store.setback(&subject("a.example")).unwrap(), None);
    store.keep_setback(&subject("c.example"), &setback).unwrap();
    assert_eq!(store.setback(&subject("c.example")).unwrap(), Some(setback));
}

#[test]
fn accounts_are_kept_for_each_authority_and_forgotten_one_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Access::Serve).unwrap();
    let account = |key: &str| Account { credentials: Secret::new(key.into()), contact: "lin@example.com".into() };
    store.keep_account("https://a.example", Some(&account("1"))).unwrap();
    store.keep_account("https://b.example", Some(&account("2"))).unwrap();
    store.keep_account("https://a.example", None).unwrap();
    assert_eq!(store.account("https://a.example").unwrap(), None);
    assert_eq!(store.account("https://b.example").unwrap(), Some(account("2")));
}

#[test]
fn keys_do_not_show_where_they_are_printed() {
    let printed = format!("{:?}", issued("a.example", b"hunter2"));
    assert!(
        printed.contains("Secret(…)") && !printed.contains("hunter2") && !printed.contains("104, 117"),
        "{printed}"
    );
}

#[test]
fn a_copy_whose_bytes_have_changed_on_the_disk_is_not_served() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Access::Serve).unwrap();
    store.bind([("work", &A)].into_iter()).unwrap();
    let text: Vec<u8> = (0..20_000u32).flat_map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    store.accept(&A, &copy(&text), &text).unwrap();
    let other = Connection::open(dir.path().join("calferry.db")).unwrap();
    let mut packed: Vec<u8> = other.query_row("SELECT text FROM text", [], |row| row.get(0)).unwrap();
    for at in [4, 8, packed.len() / 2, packed.len() - 1] {
        packed[at] ^= 0x10;
        other.execute("UPDATE text SET text = ?", [&packed]).unwrap();
        assert!(matches!(store.text(&A), Err(StoreError::DamagedCopy)));
        packed[at] ^= 0x10;
    }
}

#[test]
fn damage_that_shows_only_when_sources_are_bound_is_told_with_the_file_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("calferry.db");
    Store::open(dir.path(), Access::Serve).unwrap().bind([("work", &A)].into_iter()).unwrap();
    let other = Connection::open(&path).unwrap();
    let number = |query| other.query_row(query, [], |row| row.get::<_, usize>(0)).unwrap();
    let page = number("SELECT rootpage FROM sqlite_schema WHERE name = 'source'");
    let size = number("PRAGMA page_size");
    drop(other);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[(page - 1) * size..page * size].fill(0xFF);
    std::fs::write(&path, bytes).unwrap();
    let store = Store::open(dir.path(), Access::Serve).unwrap();
    let refused = store.bind([("work", &A)].into_iter()).unwrap_err();
    assert!(matches!(refused, StoreError::Damaged { .. }), "{refused}");
}
