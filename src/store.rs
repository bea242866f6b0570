//! Snapshots, publication times and certificates on disk, in one `SQLite` file.
//!
//! A snapshot is state: it is never evicted, and replaced only as a whole, in one transaction that is on the disk before
//! it returns; so is what an ACME authority has given (`acme`). Everything else in the file may be lost without harm.
//! Calls block; callers put them on a thread where that is allowed.

mod acme;
mod schema;
mod texts;

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::clock::Timestamp;
use crate::source::Validators;

pub use acme::{Account, Issued, Secret, Setback, Subject};

/// Names an upstream in the store without saying anything of its address.
pub type UpstreamId = [u8; 32];

/// Why the store cannot be used, or did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process serves from the same folder.
    #[error("{} is in use by another calferry; stop that one, or set another state_dir", .0.display())]
    InUse(PathBuf),
    /// The file is there and is not ours.
    #[error("{} is not a calferry database; it was left as it is. Move it away, or set another state_dir", .0.display())]
    Foreign(PathBuf),
    /// A later calferry wrote it.
    #[error(
        "{} was written by a later calferry (schema {found}, this one knows {known}); it was left as it is. \
         Run the later version, or set another state_dir", path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema this program knows.
        known: i64,
    },
    /// The file cannot be read as a database any more.
    #[error(
        "{} is damaged ({cause}); it was left as it is. Move it away to begin with an empty one, or restore a copy", path.display()
    )]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What `SQLite` says.
        cause: rusqlite::Error,
    },
    /// A stored copy does not match its digest.
    #[error("a stored copy is damaged")]
    DamagedCopy,
    /// Files could not be opened or made.
    #[error("{}: {cause}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// `SQLite` could not do what it was asked.
    #[error("the database: {0}")]
    Database(#[from] rusqlite::Error),
}

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
    reader: Mutex<Connection>,
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
    /// Opens the store in `state_dir`, and makes it if there is none. A file that is not this program's, that is
    /// damaged or that a later version wrote is left as it is.
    ///
    /// # Errors
    /// [`StoreError`] says which file, what is wrong, and what to do.
    pub fn open(state_dir: &Path, access: Access) -> Result<Self, StoreError> {
        let lock = match access {
            Access::Serve => Some(lock(&state_dir.join("lock"))?),
            Access::Visit => None,
        };
        let path = state_dir.join("calferry.db");
        private_file(&path)?;
        let damaged = |cause| StoreError::damage(&path, cause);
        let writer = schema::connect(&path).map_err(damaged)?;
        schema::prepare(&writer, &path)?;
        let reader = schema::connect(&path).map_err(damaged)?;
        reader.pragma_update(None, "query_only", true).map_err(damaged)?;
        Ok(Self { path, writer: Mutex::new(writer), reader: Mutex::new(reader), _lock: lock })
    }

    /// Reads everything but the texts.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if the file has been damaged.
    pub fn known(&self) -> Result<Known, StoreError> {
        self.read_known().map_err(|cause| StoreError::damage(&self.path, cause))
    }

    fn read_known(&self) -> rusqlite::Result<Known> {
        let reader = locked(&self.reader);
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
        let row: Option<(Vec<u8>, [u8; 32])> = locked(&self.reader)
            .prepare_cached("SELECT text, digest FROM text JOIN snapshot USING (upstream) WHERE upstream = ?")?
            .query_row([upstream], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        row.map(|(packed, digest)| texts::unpack(&packed, &digest)).transpose()
    }

    /// Puts `snapshot` with `text` in the place of whatever `upstream` had, and clears its quarantine. On the disk when
    /// it returns.
    ///
    /// # Errors
    /// If the database cannot be written; then nothing has changed.
    pub fn accept(&self, upstream: &UpstreamId, snapshot: &Snapshot, text: &[u8]) -> Result<(), StoreError> {
        let packed = texts::pack(text)?;
        let mut writer = locked(&self.writer);
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
        locked(&self.writer)
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
        let mut writer = locked(&self.writer);
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
        locked(&self.writer).prepare_cached("DELETE FROM quarantine WHERE upstream = ?")?.execute([upstream])?;
        Ok(())
    }

    /// Notes that copies were confirmed, with what their upstreams said of them.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn confirm(&self, confirmed: &[(UpstreamId, Snapshot)]) -> Result<(), StoreError> {
        let mut writer = locked(&self.writer);
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
    /// copy of the old one is taken over, to be served until then. Copies that no source leads to are deleted.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if the file has been damaged, or the database cannot be written; then nothing has changed.
    pub fn bind<'a>(&self, sources: impl Iterator<Item = (&'a str, &'a UpstreamId)>) -> Result<(), StoreError> {
        let mut writer = locked(&self.writer);
        schema::bind(&mut writer, sources).map_err(|cause| StoreError::damage(&self.path, cause))?;
        // Done once in a while, with as many rows as there are sources.
        Ok(writer.execute_batch("PRAGMA shrink_memory")?)
    }

    /// When `feed` was first published as `digest`: what is stored, or if that is another edition, the first second
    /// after it that is not before `now`, which is stored.
    ///
    /// # Errors
    /// If the database cannot be read or written.
    pub fn published(&self, feed: &str, digest: &[u8; 32], now: Timestamp) -> Result<Timestamp, StoreError> {
        let writer = locked(&self.writer);
        let last: Option<([u8; 32], u64)> = writer
            .prepare_cached("SELECT digest, published_at FROM publication WHERE feed = ?")?
            .query_row([feed], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let at = match last {
            Some((stored, at)) if stored == *digest => return Ok(Timestamp::from_secs(at)),
            // Never backwards: a client holds on to the latest date it has seen.
            Some((_, at)) => now.max(Timestamp::from_secs(at + 1)),
            None => now,
        };
        writer
            .prepare_cached("INSERT OR REPLACE INTO publication (feed, digest, published_at) VALUES (?, ?, ?)")?
            .execute(params![feed, digest, at.as_secs()])?;
        Ok(at)
    }

    /// A number that changes when another process has written to the store.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn foreign_changes(&self) -> Result<i64, StoreError> {
        Ok(locked(&self.writer).pragma_query_value(None, "data_version", |row| row.get(0))?)
    }

    /// Looks through the whole file for damage.
    ///
    /// # Errors
    /// If there is any, or the database cannot be read.
    pub fn verify(&self) -> Result<(), StoreError> {
        let said: String = locked(&self.reader).pragma_query_value(None, "quick_check", |row| row.get(0))?;
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

fn lock(path: &Path) -> Result<File, StoreError> {
    let file = |cause| StoreError::File { path: path.into(), cause };
    let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path).map_err(file)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(std::fs::TryLockError::WouldBlock) => Err(StoreError::InUse(path.parent().unwrap_or(path).into())),
        Err(std::fs::TryLockError::Error(cause)) => Err(file(cause)),
    }
}

/// Calendars are private: the file, and what `SQLite` makes beside it with the same mode, is for its owner only.
fn private_file(path: &Path) -> Result<(), StoreError> {
    let make = || {
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
        file.set_permissions(std::fs::Permissions::from_mode(0o600))
    };
    make().map_err(|cause| StoreError::File { path: path.into(), cause })
}

impl StoreError {
    fn damage(path: &Path, cause: rusqlite::Error) -> Self {
        match cause.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => Self::Foreign(path.into()),
            Some(rusqlite::ErrorCode::DatabaseCorrupt) => Self::Damaged { path: path.into(), cause },
            _ => Self::Database(cause),
        }
    }
}

#[cfg(test)]
mod tests;
