//! The tables, and the statements that more than one call needs.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, params};

use super::{Publication, Snapshot, StoreError, UpstreamId};

/// `calf`: tells a calferry database from any other.
const APPLICATION_ID: i64 = 0x6361_6C66;
/// The schema this program writes. A newer one is refused; an older one is brought up by [`STEPS`].
pub(super) const SCHEMA: i64 = 2;

/// What was added to each schema to make the next one of it. A new file is made by all of them.
const STEPS: [(i64, &str); 2] = [(1, COPIES), (2, ACME)];

/// Texts have a table of their own, so that reading everything else touches few pages.
const COPIES: &str = "
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

/// Keys are in clear, as those of certificates in files are: the file is for its owner only.
const ACME: &str = "
    CREATE TABLE acme_account (directory TEXT PRIMARY KEY, credentials BLOB NOT NULL, contact TEXT NOT NULL) STRICT;
    CREATE TABLE acme_certificate (
        directory TEXT NOT NULL, domains TEXT NOT NULL, chain TEXT NOT NULL, key BLOB NOT NULL,
        ordered_at INTEGER NOT NULL, PRIMARY KEY (directory, domains)
    ) STRICT;
    CREATE TABLE acme_setback (
        directory TEXT NOT NULL, domains TEXT NOT NULL, failures INTEGER NOT NULL,
        refusals INTEGER NOT NULL, tried_at INTEGER NOT NULL, next_at INTEGER NOT NULL, words TEXT NOT NULL, PRIMARY KEY (directory, domains)
    ) STRICT;
";

/// A connection with the settings every connection has.
pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    set_up(&connection)?;
    Ok(connection)
}

fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_secs(10))?;
    // A commit is on the disk when it returns; readers are not held up by it.
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "cache_size", -4096)
}

/// A connection that needs no other: on a full disk there is no room for the file by which connections share memory. No
/// other process can read meanwhile.
pub(super) fn connect_alone(path: &Path) -> rusqlite::Result<Connection> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    // Before anything is read, or it takes no effect.
    connection.pragma_update(None, "locking_mode", "exclusive")?;
    set_up(&connection)?;
    is_readable(connection)
}

/// A connection to a file that nobody can change. What a killed program left in the log beside it is not seen: it could
/// only be read by writing.
pub(super) fn connect_read_only(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let path = percent_encoding::percent_encode(path.as_os_str().as_bytes(), percent_encoding::NON_ALPHANUMERIC);
    is_readable(Connection::open_with_flags(format!("file:{path}?immutable=1"), flags)?)
}

fn is_readable(connection: Connection) -> rusqlite::Result<Connection> {
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
    Ok(connection)
}

/// Makes the tables in an empty file, adds those that one of an earlier version lacks, and refuses a file that is not ours
/// or too new.
pub(super) fn prepare(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let damaged = |cause| StoreError::damage(path, cause);
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(damaged);
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(damaged)?;
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    let empty = tables == 0 && application == 0 && version == 0;
    if !empty && application != APPLICATION_ID {
        return Err(StoreError::Foreign(path.into()));
    }
    if version > SCHEMA {
        return Err(StoreError::Newer { path: path.into(), found: version, known: SCHEMA });
    }
    if version < SCHEMA { bring_up(connection).map_err(damaged) } else { Ok(()) }
}

/// All steps that are missing, or none.
fn bring_up(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    // Another process may have done it while this one waited for its turn.
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let steps: String = STEPS.iter().filter(|(made, _)| *made > version).map(|(_, tables)| *tables).collect();
    let head = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA};");
    let brought = connection.execute_batch(&format!("{head} {steps} COMMIT;"));
    if brought.is_err() {
        // The first error is the one to tell.
        let _ = connection.execute_batch("ROLLBACK");
    }
    brought
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
