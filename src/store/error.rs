//! What can go wrong in the store, with what to do about it.

use std::path::{Path, PathBuf};

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

impl StoreError {
    pub(super) fn damage(path: &Path, cause: rusqlite::Error) -> Self {
        match cause.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => Self::Foreign(path.into()),
            Some(rusqlite::ErrorCode::DatabaseCorrupt) => Self::Damaged { path: path.into(), cause },
            _ => Self::Database(cause),
        }
    }
}
