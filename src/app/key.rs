//! The key file: made at the first start, read at every other. All URLs depend on it.

use std::fs::{DirBuilder, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use anyhow::{Context, bail, ensure};
use tempfile::NamedTempFile;

use crate::feed::Key;

/// Makes the state folder, for its owner only.
///
/// # Errors
/// If it cannot be made.
pub fn prepare_state_dir(dir: &Path) -> anyhow::Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.with_context(|| format!("state_dir: {} cannot be made", dir.display()))
}

/// Reads the key in `dir`, or makes one if there is none.
///
/// # Errors
/// If the file cannot be read or made, can be read by others, or holds something else. It is never replaced: with
/// another key, every URL would be another.
pub fn load_key(dir: &Path) -> anyhow::Result<Key> {
    match read_key(dir)? {
        Some(key) => Ok(key),
        None => make_key(dir, &dir.join("key")),
    }
}

/// Reads the key in `dir`; `None` if there is none, and so no server has ever run there.
///
/// # Errors
/// As [`load_key`].
pub fn read_key(dir: &Path) -> anyhow::Result<Option<Key>> {
    let path = dir.join("key");
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let for_others = std::fs::metadata(&path)?.mode() & 0o077;
            ensure!(for_others == 0, "{} can be read by others; make it private: chmod 600 {0}", path.display());
            let key = Key::from_text(&text).with_context(|| {
                format!(
                    "{} does not hold a key; restore it from a backup, or remove it to make new URLs",
                    path.display()
                )
            })?;
            Ok(Some(key))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => bail!("{} cannot be read: {error}", path.display()),
    }
}

/// Written beside its place and moved there, so that a key file is whole or not there. Of several that are made at one
/// time, the first is everybody's.
fn make_key(dir: &Path, path: &Path) -> anyhow::Result<Key> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).context("the system gives no random bytes")?;
    let key = Key::new(bytes);
    let cannot = || format!("{} cannot be made", path.display());
    let write = || -> std::io::Result<NamedTempFile> {
        let mut new = tempfile::Builder::new().prefix(".key-").tempfile_in(dir)?;
        new.write_all(key.to_text().as_bytes())?;
        new.as_file().sync_all()?;
        Ok(new)
    };
    match write().with_context(cannot)?.persist_noclobber(path) {
        Ok(_) => File::open(dir).and_then(|dir| dir.sync_all()).map(|()| key).with_context(cannot),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => read_key(dir)?.with_context(cannot),
        Err(error) => Err(error.error).with_context(cannot),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn those_who_make_a_key_at_one_time_have_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let tokens: std::collections::HashSet<_> = std::thread::scope(|scope| {
            let makers: Vec<_> = (0..8).map(|_| scope.spawn(|| load_key(dir.path()).unwrap())).collect();
            makers.into_iter().map(|maker| maker.join().unwrap().token("me", "phone", 0).reveal().to_owned()).collect()
        });
        assert_eq!(tokens.len(), 1);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_key_is_made_once_for_its_owner_only_and_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("a/b");
        prepare_state_dir(&state).unwrap();
        let token = load_key(&state).unwrap().token("me", "phone", 0);
        assert_eq!(load_key(&state).unwrap().token("me", "phone", 0), token);
        let path = state.join("key");
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(&state).unwrap().mode() & 0o777, 0o700);

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(load_key(&state).unwrap_err().to_string().contains("chmod 600"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "").unwrap();
        assert!(load_key(&state).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"");
    }
}
