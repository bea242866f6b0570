//! Looks whether the settings' files were changed. Looking works on every file system, and through a container's mounts,
//! where being told does not.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How often they are looked at.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What tells whether a file was changed; nothing of one that is not there.
type Mark = Option<(SystemTime, u64)>;

/// The marks of some files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Marks(HashMap<PathBuf, Mark>);

impl Marks {
    /// As `files` are now.
    pub(super) fn of<'a>(files: impl Iterator<Item = &'a Path>) -> Self {
        let mark = |path: &Path| {
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        };
        Self(files.map(|path| (path.to_owned(), mark(path))).collect())
    }
}

/// Files as they were when they were read, and when they were last looked at.
pub(super) struct Watch {
    read: Marks,
    seen: Marks,
}

impl Watch {
    /// Of files that were read. `before` are their marks from just before that, `after` those of all that turned out to be
    /// named: what was changed between the two is read again.
    pub(super) fn new(before: Marks, mut after: Marks) -> Self {
        for (path, mark) in before.0 {
            after.0.entry(path).and_modify(|after| *after = mark);
        }
        Self { seen: after.clone(), read: after }
    }

    /// Whether files that are `now` like this are to be read: they were changed, and stood still from one look to the
    /// next. Many an editor empties a file and fills it again, and the first half of settings can be settings too, with
    /// half the feeds.
    pub(super) fn is_due(&mut self, now: &Marks) -> bool {
        let still = *now == self.seen;
        self.seen.clone_from(now);
        still && *now != self.read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(files: &[(&str, u64)]) -> Marks {
        Marks(files.iter().map(|&(path, length)| (path.into(), Some((SystemTime::UNIX_EPOCH, length)))).collect())
    }

    #[test]
    fn a_file_that_is_still_being_written_is_not_read() {
        let mut watch = Watch::new(marks(&[("a", 100)]), marks(&[("a", 100)]));
        assert!(!watch.is_due(&marks(&[("a", 100)])), "nothing was changed");
        assert!(!watch.is_due(&marks(&[("a", 0)])), "emptied, to be filled");
        assert!(!watch.is_due(&marks(&[("a", 60)])), "half of it");
        assert!(!watch.is_due(&marks(&[("a", 120)])), "all of it, as far as can be told");
        assert!(watch.is_due(&marks(&[("a", 120)])));
        watch = Watch::new(marks(&[("a", 120)]), marks(&[("a", 120)]));
        assert!(!watch.is_due(&marks(&[("a", 120)])), "once is enough");
    }

    #[test]
    fn what_is_changed_while_it_is_read_is_read_again() {
        let mut watch = Watch::new(marks(&[("a", 120), ("old", 1)]), marks(&[("a", 130), ("new", 5)]));
        assert!(!watch.is_due(&marks(&[("a", 130), ("new", 5)])), "it may still be written");
        assert!(watch.is_due(&marks(&[("a", 130), ("new", 5)])));
        watch = Watch::new(marks(&[("a", 130), ("new", 5)]), marks(&[("a", 130), ("new", 5)]));
        assert!(!watch.is_due(&marks(&[("a", 130), ("new", 5)])));
    }

    #[test]
    fn a_file_that_is_gone_is_a_change() {
        let mut watch = Watch::new(marks(&[("a", 100)]), marks(&[("a", 100)]));
        let gone = Marks(HashMap::from([("a".into(), None)]));
        assert!(!watch.is_due(&gone), "it may be on its way to be replaced");
        assert!(watch.is_due(&gone));
    }
}
