//! Files with secrets that everybody on this machine can read. calferry works with them all the same, so it is a warning.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::Problem;

/// Where systemd and container engines put what they hand over. Who reads it there is their business.
const HANDED_OVER: [&str; 2] = ["/run/credentials", "/run/secrets"];

/// What there is to say of the secrets in `path`, which the settings name `at` some place.
pub(super) fn warning(at: String, path: &Path) -> Option<Problem> {
    let handed_over = HANDED_OVER.iter().any(|folder| path.starts_with(folder));
    (!handed_over && is_open(path).unwrap_or(false)).then(|| Problem { path: at, message: words(path) })
}

fn words(path: &Path) -> String {
    format!(
        "{0} holds secrets, and everybody on this machine can read it; close it with chmod o-r {0} (the user that \
         calferry runs as must be its owner or in its group), or let systemd hand it over (LoadCredential=)",
        path.display()
    )
}

/// Whether nothing keeps anybody off: neither the file's mode, nor that of a folder on the way to it.
fn is_open(path: &Path) -> std::io::Result<bool> {
    let path = path.canonicalize()?;
    if path.metadata()?.mode() & 0o004 == 0 {
        return Ok(false);
    }
    for folder in path.ancestors().skip(1) {
        if folder.metadata()?.mode() & 0o001 == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}
