//! Snapshots, publication times and certificates on disk, in one `SQLite` file.
//!
//! A snapshot is state: it is never evicted, and replaced only as a whole, in one transaction that is on the disk before
//! it returns; so is what an ACME authority has given (`acme`). Everything else in the file may be lost without harm.
//! Calls block; callers put them on a thread where that is allowed.

mod acme;
mod error;
mod open;
mod schema;
mod texts;

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, params};

pub use self::error::StoreError;
use crate::clock::Timestamp;
use crate::source::Validators;

pub use acme::{Account, Issued, Secret, Setback, Subject};

/// Names an upstream in the store without saying anything of its address.
pub type UpstreamId = [u8; 32];

/// What is known of a copy, without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Digest of the mended text.
    pub digest: [u8; 32],
    /// Events, to-dos and journal entries.
    pub entries: usize,
    /// Bytes of the mended text.
    pub size: usize,
    /// When this text came.
    pub changed_at: Timestamp,
    /// When the upstream last said that it is current.
    pub confirmed_at: Timestamp,
    /// What the upstream said of it.
    pub validators: Validators,
    /// The copy came from the address the source had before. It is served until the new address gives one.
    pub inherited: bool,
}

/// An answer that is kept aside because most events were gone from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantine {
    /// The copy that would be served.
    pub snapshot: Snapshot,
    /// When it first came.
    pub since: Timestamp,
    /// How many fetches in a row brought exactly it.
    pub agreed: u32,
}

/// An edition of a feed that was published, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publication {
    /// Its digest.
    pub digest: [u8; 32],
    /// When these bytes first replaced others.
    pub at: Timestamp,
}

/// Everything but the texts.
#[derive(Debug, Default)]
pub struct Known {
    /// The last good copies.
    pub snapshots: HashMap<UpstreamId, Snapshot>,
    /// What is kept aside.
    pub quarantined: HashMap<UpstreamId, Quarantine>,
}

/// The store: one connection that writes, one that reads while it does.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    writer: Mutex<Connection>,
    /// None on a disk that takes nothing: a second one would need memory that is shared by a file.
    reader: Option<Mutex<Connection>>,
    /// Held for as long as this process serves from the folder.
    _lock: Option<File>,
}

/// How a store is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To serve from: only one process at a time.
    Serve,
    /// Beside a process that serves.
    Visit,
}

impl Store {
    fn writer(&self) -> MutexGuard<'_, Connection> {
        locked(&self.writer)
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        locked(self.reader.as_ref().unwrap_or(&self.writer))
    }

    /// Reads everything but the texts.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if the file has been damaged.
    pub fn known(&self) -> Result<Known, StoreError> {
        self.read_known().map_err(|cause| StoreError::damage(&self.path, cause))
    }

    fn read_known(&self) -> rusqlite::Result<Known> {
        let reader = self.reader();
        let mut known = Known::default();
        let mut rows = reader.prepare(&format!("SELECT upstream, {COLUMNS} FROM snapshot"))?;
        for row in rows.query_map([], |row| Ok((row.get(0)?, snapshot(row, 1)?)))? {
            let (upstream, snapshot) = row?;
            known.snapshots.insert(upstream, snapshot);
        }
        let mut rows = reader.prepare(&format!("SELECT upstream, {COLUMNS}, since, agreed FROM quarantine"))?;
        let read = |row: &Row<'_>| {
            let kept = Quarantine { snapshot: snapshot(row, 1)?, since: time(row, 9)?, agreed: row.get(10)? };
            Ok((row.get(0)?, kept))
        };
        for row in rows.query_map([], read)? {
            let (upstream, kept) = row?;
            known.quarantined.insert(upstream, kept);
        }
        Ok(known)
    }

    /// The text of the copy of `upstream`, if there is one.
    ///
    /// # Errors
    /// [`StoreError::DamagedCopy`] if what is stored is not what was stored.
    pub fn text(&self, upstream: &UpstreamId) -> Result<Option<Vec<u8>>, StoreError> {
        self.read_text(upstream, None)
    }

    /// The text of the copy of `upstream` that has `digest`; `None` if its copy is another by now, or gone.
    ///
    /// # Errors
    /// [`StoreError::DamagedCopy`] if what is stored is not what was stored.
    pub fn text_of(&self, upstream: &UpstreamId, digest: &[u8; 32]) -> Result<Option<Vec<u8>>, StoreError> {
        self.read_text(upstream, Some(digest))
    }

    fn read_text(&self, upstream: &UpstreamId, digest: Option<&[u8; 32]>) -> Result<Option<Vec<u8>>, StoreError> {
        let row: Option<(Option<Vec<u8>>, [u8; 32])> = self
            .reader()
            .prepare_cached(
                "SELECT text, digest FROM snapshot LEFT JOIN text USING (upstream)
                 WHERE upstream = ?1 AND digest = ifnull(?2, digest)",
            )?
            .query_row(params![upstream, digest], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        // A copy that is known and whose text is gone is as damaged as one that cannot be read.
        row.map(|(packed, digest)| texts::unpack(&packed.ok_or(StoreError::DamagedCopy)?, &digest)).transpose()
    }

    /// Puts `snapshot` with `text` in the place of whatever `upstream` had, and clears its quarantine. On the disk when
    /// it returns.
    ///
    /// # Errors
    /// If the database cannot be written; then nothing has changed.
    pub fn accept(&self, upstream: &UpstreamId, snapshot: &Snapshot, text: &[u8]) -> Result<(), StoreError> {
        let packed = texts::pack(text)?;
        let mut writer = self.writer();
        let transaction = writer.transaction()?;
        schema::put_snapshot(&transaction, upstream, snapshot)?;
        transaction
            .prepare_cached("INSERT OR REPLACE INTO text (upstream, text) VALUES (?, ?)")?
            .execute(params![upstream, packed])?;
        transaction.prepare_cached("DELETE FROM quarantine WHERE upstream = ?")?.execute([upstream])?;
        Ok(transaction.commit()?)
    }

    /// Keeps an answer aside.
    ///
    /// # Errors
    /// If the database cannot be written; then nothing has changed.
    pub fn quarantine(&self, upstream: &UpstreamId, kept: &Quarantine, text: &[u8]) -> Result<(), StoreError> {
        let packed = texts::pack(text)?;
        let at = &kept.snapshot;
        self.writer()
            .prepare_cached(
                "INSERT OR REPLACE INTO quarantine
                 (upstream, digest, entries, size, changed_at, confirmed_at, etag, last_modified, inherited, since, agreed, text)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)",
            )?
            .execute(params![
                upstream,
                at.digest,
                at.entries,
                at.size,
                at.changed_at.as_secs(),
                at.confirmed_at.as_secs(),
                at.validators.etag,
                at.validators.last_modified,
                kept.since.as_secs(),
                kept.agreed,
                packed,
            ])?;
        Ok(())
    }

    /// Puts what is kept aside of `upstream` in the place of its copy. `false` if nothing is kept aside.
    ///
    /// # Errors
    /// If the database cannot be written; then nothing has changed.
    pub fn release(&self, upstream: &UpstreamId) -> Result<bool, StoreError> {
        let mut writer = self.writer();
        let transaction = writer.transaction()?;
        transaction.execute(
            "INSERT OR REPLACE INTO snapshot (upstream, digest, entries, size, changed_at, confirmed_at, etag, last_modified, inherited)
             SELECT upstream, digest, entries, size, changed_at, confirmed_at, etag, last_modified, 0 FROM quarantine WHERE upstream = ?",
            [upstream],
        )?;
        let released = transaction.changes() > 0;
        transaction.execute(
            "INSERT OR REPLACE INTO text (upstream, text) SELECT upstream, text FROM quarantine WHERE upstream = ?",
            [upstream],
        )?;
        transaction.execute("DELETE FROM quarantine WHERE upstream = ?", [upstream])?;
        transaction.commit()?;
        Ok(released)
    }

    /// Forgets what is kept aside of `upstream`.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn discard(&self, upstream: &UpstreamId) -> Result<(), StoreError> {
        self.writer().prepare_cached("DELETE FROM quarantine WHERE upstream = ?")?.execute([upstream])?;
        Ok(())
    }

    /// Notes that copies were confirmed, with what their upstreams said of them.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn confirm(&self, confirmed: &[(UpstreamId, Snapshot)]) -> Result<(), StoreError> {
        let mut writer = self.writer();
        let transaction = writer.transaction()?;
        for (upstream, snapshot) in confirmed {
            transaction
                .prepare_cached(
                    "UPDATE snapshot SET confirmed_at = ?, etag = ?, last_modified = ? WHERE upstream = ? AND digest = ?",
                )?
                .execute(params![
                    snapshot.confirmed_at.as_secs(),
                    snapshot.validators.etag,
                    snapshot.validators.last_modified,
                    upstream,
                    snapshot.digest,
                ])?;
        }
        Ok(transaction.commit()?)
    }

    /// Binds source names to their upstreams. Where a source's address has changed and the new one has no copy yet, the
    /// copy of the old one is taken over, to be served until then. Copies that no source leads to any more stay until
    /// [`Store::sweep`].
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if the file has been damaged, or the database cannot be written; then nothing has changed.
    pub fn bind<'a>(&self, sources: impl Iterator<Item = (&'a str, &'a UpstreamId)>) -> Result<(), StoreError> {
        let mut writer = self.writer();
        schema::bind(&mut writer, sources).map_err(|cause| StoreError::damage(&self.path, cause))?;
        // Done once in a while, with as many rows as there are sources.
        Ok(writer.execute_batch("PRAGMA shrink_memory")?)
    }

    /// Deletes the copies that no source leads to. Not to be called while somebody may still read them.
    ///
    /// # Errors
    /// If the database cannot be written; then nothing has changed.
    pub fn sweep(&self) -> Result<(), StoreError> {
        Ok(schema::sweep(&mut self.writer())?)
    }

    /// What was last published of `feed`.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn publication(&self, feed: &str) -> Result<Option<Publication>, StoreError> {
        Ok(schema::publication(&self.reader(), feed)?)
    }

    /// When `feed` was first published as `digest`: what is stored, or if that is another edition, the first second
    /// after it that is not before `now`, which is stored. `None` if something else than `before` was published last.
    ///
    /// # Errors
    /// If the database cannot be read or written.
    pub fn publish(
        &self,
        feed: &str,
        digest: &[u8; 32],
        now: Timestamp,
        before: Option<Publication>,
    ) -> Result<Option<Timestamp>, StoreError> {
        let writer = self.writer();
        let last = schema::publication(&writer, feed)?;
        let at = match last {
            Some(last) if last.digest == *digest => return Ok(Some(last.at)),
            _ if last != before => return Ok(None),
            // Never backwards: a client holds on to the latest date it has seen.
            Some(last) => now.max(last.at + Duration::from_secs(1)),
            None => now,
        };
        writer
            .prepare_cached("INSERT OR REPLACE INTO publication (feed, digest, published_at) VALUES (?, ?, ?)")?
            .execute(params![feed, digest, at.as_secs()])?;
        Ok(Some(at))
    }

    /// A number that changes when another process has written to the store.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn foreign_changes(&self) -> Result<i64, StoreError> {
        Ok(self.writer().pragma_query_value(None, "data_version", |row| row.get(0))?)
    }

    /// Looks through the whole file for damage.
    ///
    /// # Errors
    /// If there is any, or the database cannot be read.
    pub fn verify(&self) -> Result<(), StoreError> {
        let said: String = self.reader().pragma_query_value(None, "quick_check", |row| row.get(0))?;
        if said == "ok" { Ok(()) } else { Err(StoreError::DamagedCopy) }
    }
}

const COLUMNS: &str = "digest, entries, size, changed_at, confirmed_at, etag, last_modified, inherited";

fn snapshot(row: &Row<'_>, first: usize) -> rusqlite::Result<Snapshot> {
    Ok(Snapshot {
        digest: row.get(first)?,
        entries: row.get(first + 1)?,
        size: row.get(first + 2)?,
        changed_at: time(row, first + 3)?,
        confirmed_at: time(row, first + 4)?,
        validators: Validators { etag: row.get(first + 5)?, last_modified: row.get(first + 6)? },
        inherited: row.get(first + 7)?,
    })
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    row.get(column).map(Timestamp::from_secs)
}

/// A thread that panicked while it held a connection left no half-done transaction behind: `SQLite` rolls it back.
fn locked(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
