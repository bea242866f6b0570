//! Files that hold secrets: for their owner only, whole or not there, and never in the place of another by mistake.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};
use tempfile::NamedTempFile;

/// Writes `path`, which others cannot read. Takes the place of what is there only with `force`.
pub(super) fn write(path: &Path, bytes: &[u8], force: bool) -> anyhow::Result<()> {
    let cannot = || format!("{} cannot be written", path.display());
    let new = beside(path, bytes).with_context(cannot)?;
    let put = if force { new.persist(path) } else { new.persist_noclobber(path) };
    match put {
        Ok(_) => settle(path).with_context(cannot),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {
            bail!("{} is there already; name another file, or replace it with --force", path.display())
        }
        Err(error) => Err(error.error).with_context(cannot),
    }
}

/// A file with `bytes` in the folder of `path`, from where it can be moved there at one stroke.
fn beside(path: &Path, bytes: &[u8]) -> std::io::Result<NamedTempFile> {
    let mut new = tempfile::Builder::new().prefix(".calferry-").tempfile_in(folder(path))?;
    new.write_all(bytes)?;
    new.as_file().sync_all()?;
    Ok(new)
}

/// Makes the folder remember that a file was moved there.
fn settle(path: &Path) -> std::io::Result<()> {
    File::open(folder(path))?.sync_all()
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
