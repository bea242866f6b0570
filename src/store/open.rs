//! How a store is opened: as it should be, and on a disk that takes nothing any more.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Mutex;

use rusqlite::{Connection, ErrorCode};
use tracing::warn;

use super::{Access, Store, StoreError, schema};

impl Store {
    /// Opens the store in `state_dir`, and makes it if there is none. A file that is not this program's, that is
    /// damaged or that a later version wrote is left as it is.
    ///
    /// To serve from, a store that is there is opened also on a disk that is full or read-only: what was stored is better
    /// than nothing. Nothing new is stored until the disk takes it; a read-only one is asked again at the next start.
    ///
    /// # Errors
    /// [`StoreError`] says which file, what is wrong, and what to do.
    pub fn open(state_dir: &Path, access: Access) -> Result<Self, StoreError> {
        let lock = match access {
            Access::Serve => Some(lock(&state_dir.join("lock"))?),
            Access::Visit => None,
        };
        let path = state_dir.join("calferry.db");
        let (writer, reader) = match shared(&path) {
            Ok((writer, reader)) => (writer, Some(reader)),
            Err(refused) if access == Access::Serve && is_of_the_disk(&refused) && has_content(&path) => {
                let alone = alone(&path, refused)?;
                warn!("{}", words(&path));
                (alone, None)
            }
            Err(refused) => return Err(refused),
        };
        Ok(Self { path, writer: Mutex::new(writer), reader: reader.map(Mutex::new), _lock: lock })
    }
}

fn words(path: &Path) -> String {
    format!(
        "{} cannot be written: the disk is full, read-only or broken. What is stored is served; nothing new is kept \
         until there is room, and a read-only disk is asked again at the next start",
        path.display()
    )
}

/// A connection that writes, and one that reads while it does.
fn shared(path: &Path) -> Result<(Connection, Connection), StoreError> {
    private_file(path)?;
    let damaged = |cause| StoreError::damage(path, cause);
    let writer = schema::connect(path).map_err(damaged)?;
    schema::prepare(&writer, path)?;
    let reader = schema::connect(path).map_err(damaged)?;
    reader.pragma_update(None, "query_only", true).map_err(damaged)?;
    Ok((writer, reader))
}

/// One connection for everything, which needs no other file: the first that can be had. If none can, what `refused` the
/// usual ones is the thing to tell.
fn alone(path: &Path, refused: StoreError) -> Result<Connection, StoreError> {
    for connect in [schema::connect_alone, schema::connect_read_only] {
        if let Ok(connection) = connect(path) {
            schema::prepare(&connection, path)?;
            return Ok(connection);
        }
    }
    Err(refused)
}

fn is_of_the_disk(error: &StoreError) -> bool {
    match error {
        StoreError::Database(cause) => matches!(
            cause.sqlite_error_code(),
            Some(ErrorCode::SystemIoFailure | ErrorCode::DiskFull | ErrorCode::CannotOpen | ErrorCode::ReadOnly)
        ),
        StoreError::File { cause, .. } => is_full_or_read_only(cause),
        _ => false,
    }
}

fn is_full_or_read_only(cause: &std::io::Error) -> bool {
    matches!(cause.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::ReadOnlyFilesystem)
}

fn has_content(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.len() > 0)
}

fn lock(path: &Path) -> Result<File, StoreError> {
    let file = |cause| StoreError::File { path: path.into(), cause };
    let made = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
    // One that is there can be locked on a disk that takes nothing.
    let lock = match made {
        Err(cause) if is_full_or_read_only(&cause) => File::open(path).map_err(|_| file(cause))?,
        made => made.map_err(file)?,
    };
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
