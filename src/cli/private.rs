//! Files that hold secrets: for their owner only, whole or not there, and never in the place of another by mistake.

use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::Path;

use anyhow::{Context, bail};
use tempfile::NamedTempFile;

use super::spoken::{Say, words};
use crate::doctor::Language;

/// Writes `path`, which others cannot read. Takes the place of what is there only with `force`.
pub(super) fn write(path: &Path, bytes: &[u8], force: bool, language: Language) -> anyhow::Result<()> {
    let cannot = || of(Say::CannotWrite, path, language);
    // The system's words with the name that was asked for, not that of the file beside it.
    let new = beside(path, bytes).map_err(|error| plain(error, language)).with_context(cannot)?;
    let put = if force { new.persist(path) } else { new.persist_noclobber(path) };
    match put {
        Ok(_) => settle(path).with_context(cannot),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {
            bail!(of(Say::IsThere, path, language))
        }
        Err(error) => Err(error.error).with_context(cannot),
    }
}

/// Whether files can be made beside `path`.
pub(super) fn can_write_beside(path: &Path, language: Language) -> anyhow::Result<()> {
    let made = tempfile::Builder::new().prefix(".calferry-").tempfile_in(folder(path));
    made.map_err(|error| plain(error, language)).with_context(|| of(Say::CannotWrite, path, language)).map(|_| ())
}

/// Waits until nobody else changes `path`, and holds others off until it is dropped. The folder is locked, since the file
/// is another one after a change.
pub(super) fn lock(path: &Path, language: Language) -> anyhow::Result<File> {
    let cannot = || of(Say::CannotLock, path, language);
    let lock = File::open(folder(&path.canonicalize().with_context(cannot)?)).with_context(cannot)?;
    lock.lock().with_context(cannot)?;
    Ok(lock)
}

/// Puts what `change` makes of the text of `path` into its place, once `check`, which is given another file with it, has
/// nothing against it. The owner, the group and the mode stay.
pub(super) fn replace(
    path: &Path,
    language: Language,
    change: impl FnOnce(&str) -> anyhow::Result<String>,
    check: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let asked = path;
    let cannot = || of(Say::CannotChange, asked, language);
    // A link goes on leading to the same file.
    let path = path.canonicalize().with_context(cannot)?;
    let text = std::fs::read_to_string(&path).with_context(cannot)?;
    let new = beside(&path, change(&text)?.as_bytes()).map_err(|error| plain(error, language)).with_context(cannot)?;
    check(new.path())?;
    put_in_place(new, &path).with_context(cannot)
}

fn put_in_place(new: NamedTempFile, path: &Path) -> std::io::Result<()> {
    let (old, now) = (std::fs::metadata(path)?, new.as_file().metadata()?);
    if (old.uid(), old.gid()) != (now.uid(), now.gid()) {
        fchown(new.as_file(), Some(old.uid()), Some(old.gid()))?;
    }
    new.as_file().set_permissions(Permissions::from_mode(old.mode() & 0o7777))?;
    new.persist(path)?;
    settle(path)
}

/// A file with `bytes` in the folder of `path`, from where it can be moved there at one stroke.
fn beside(path: &Path, bytes: &[u8]) -> std::io::Result<NamedTempFile> {
    let mut new = tempfile::Builder::new().prefix(".calferry-").tempfile_in(folder(path))?;
    new.write_all(bytes)?;
    new.as_file().sync_all()?;
    Ok(new)
}

fn of(say: Say, path: &Path, language: Language) -> String {
    words(say, language, &[("path", &path.display().to_string())])
}

/// The error without the name of a file that nobody has asked for.
fn plain(error: std::io::Error, language: Language) -> std::io::Error {
    match error.kind() {
        _ if error.raw_os_error().is_some() => error,
        std::io::ErrorKind::NotFound => std::io::Error::new(error.kind(), words(Say::NoFolder, language, &[])),
        kind => kind.into(),
    }
}

/// Makes the folder remember that a file was moved there.
fn settle(path: &Path) -> std::io::Result<()> {
    File::open(folder(path))?.sync_all()
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
