//! The tables, and the statements that more than one call needs.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{Publication, Snapshot, StoreError, UpstreamId};

/// `calf`: tells a calferry database from any other.
const APPLICATION_ID: i64 = 0x6361_6C66;
/// The schema this program writes. A newer one is refused; an older one would be brought up here.
const SCHEMA: i64 = 1;

/// Texts have a table of their own, so that reading everything else touches few pages.
const TABLES: &str = "
    CREATE TABLE snapshot (
        upstream BLOB PRIMARY KEY, digest BLOB NOT NULL, entries INTEGER NOT NULL, size INTEGER NOT NULL,
        changed_at INTEGER NOT NULL, confirmed_at INTEGER NOT NULL, etag TEXT, last_modified TEXT,
        inherited INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE text (upstream BLOB PRIMARY KEY, text BLOB NOT NULL) STRICT;
    CREATE TABLE quarantine (
        upstream BLOB PRIMARY KEY, digest BLOB NOT NULL, entries INTEGER NOT NULL, size INTEGER NOT NULL,
        changed_at INTEGER NOT NULL, confirmed_at INTEGER NOT NULL, etag TEXT, last_modified TEXT,
        inherited INTEGER NOT NULL, since INTEGER NOT NULL, agreed INTEGER NOT NULL, text BLOB NOT NULL
    ) STRICT;
    CREATE TABLE source (name TEXT PRIMARY KEY, upstream BLOB NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE publication (feed TEXT PRIMARY KEY, digest BLOB NOT NULL, published_at INTEGER NOT NULL)
        STRICT, WITHOUT ROWID;
";

/// A connection with the settings every connection has.
pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    // A commit is on the disk when it returns; readers are not held up by it.
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "cache_size", -4096)?;
    Ok(connection)
}

/// Makes the tables in an empty file, and refuses one that is not ours or too new.
pub(super) fn prepare(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let damaged = |cause| StoreError::damage(path, cause);
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(damaged);
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(damaged)?;
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    if tables == 0 && application == 0 && version == 0 {
        let head = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA};");
        connection.execute_batch(&format!("BEGIN IMMEDIATE; {head} {TABLES} COMMIT;")).map_err(damaged)?;
        return Ok(());
    }
    if application != APPLICATION_ID {
        return Err(StoreError::Foreign(path.into()));
    }
    if version > SCHEMA {
        return Err(StoreError::Newer { path: path.into(), found: version, known: SCHEMA });
    }
    Ok(())
}

pub(super) fn put_snapshot(to: &Transaction<'_>, upstream: &UpstreamId, at: &Snapshot) -> rusqlite::Result<()> {
    to.prepare_cached(
        "INSERT OR REPLACE INTO snapshot
         (upstream, digest, entries, size, changed_at, confirmed_at, etag, last_modified, inherited)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
        at.inherited,
    ])?;
    Ok(())
}

pub(super) fn bind<'a>(
    writer: &mut Connection,
    sources: impl Iterator<Item = (&'a str, &'a UpstreamId)>,
) -> rusqlite::Result<()> {
    let to = writer.transaction()?;
    to.execute_batch("CREATE TEMP TABLE bound (name TEXT PRIMARY KEY) WITHOUT ROWID")?;
    for (name, upstream) in sources {
        to.prepare_cached("INSERT OR REPLACE INTO bound (name) VALUES (?)")?.execute([name])?;
        let before: Option<UpstreamId> = to
            .prepare_cached("SELECT upstream FROM source WHERE name = ?")?
            .query_row([name], |row| row.get(0))
            .optional()?;
        if before.as_ref() == Some(upstream) {
            continue;
        }
        if let Some(before) = before {
            inherit(&to, &before, upstream)?;
        }
        to.prepare_cached("INSERT OR REPLACE INTO source (name, upstream) VALUES (?, ?)")?
            .execute(params![name, upstream])?;
    }
    to.execute_batch(
        "DELETE FROM source WHERE name NOT IN (SELECT name FROM bound);
         DROP TABLE temp.bound;",
    )?;
    to.commit()
}

pub(super) fn sweep(writer: &mut Connection) -> rusqlite::Result<()> {
    let of = writer.transaction()?;
    of.execute_batch(
        "DELETE FROM snapshot WHERE upstream NOT IN (SELECT upstream FROM source);
         DELETE FROM text WHERE upstream NOT IN (SELECT upstream FROM source);
         DELETE FROM quarantine WHERE upstream NOT IN (SELECT upstream FROM source);",
    )?;
    of.commit()
}

pub(super) fn publication(of: &Connection, feed: &str) -> rusqlite::Result<Option<Publication>> {
    of.prepare_cached("SELECT digest, published_at FROM publication WHERE feed = ?")?
        .query_row([feed], |row| Ok(Publication { digest: row.get(0)?, at: super::time(row, 1)? }))
        .optional()
}

fn inherit(to: &Transaction<'_>, from: &UpstreamId, heir: &UpstreamId) -> rusqlite::Result<()> {
    to.execute(
        "INSERT OR IGNORE INTO snapshot
         SELECT ?2, digest, entries, size, changed_at, confirmed_at, NULL, NULL, 1 FROM snapshot WHERE upstream = ?1",
        params![from, heir],
    )?;
    to.execute("INSERT OR IGNORE INTO text SELECT ?2, text FROM text WHERE upstream = ?1", params![from, heir])?;
    Ok(())
}
