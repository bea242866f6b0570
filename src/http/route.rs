//! What a path asks for. Pure.

/// What a path asks for. A token in it may be none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route<'a> {
    /// `/healthz`
    Alive,
    /// `/readyz`
    Ready,
    /// `/robots.txt`
    Robots,
    /// A calendar.
    Feed(&'a str),
    /// The page for a browser.
    Page(&'a str),
    /// How a feed is.
    Health(&'a str),
    /// For `calferry doctor`.
    Probe(&'a str),
}

/// Everything that is no route of its own is looked up as a token, so that a path that cannot be one takes as long as a
/// wrong one.
pub(super) fn route(path: &str) -> Route<'_> {
    let path = path.strip_prefix('/').unwrap_or(path);
    match path {
        "healthz" => Route::Alive,
        "readyz" => Route::Ready,
        "robots.txt" => Route::Robots,
        _ => match path.rsplit_once('/') {
            Some((token, "health")) => Route::Health(token),
            Some((token, "probe")) => Route::Probe(token),
            // No token has a slash in it.
            _ => match path.strip_suffix(".ics") {
                Some(token) => Route::Feed(token),
                None => Route::Page(path.strip_suffix('/').unwrap_or(path)),
            },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_asks_for_one_thing() {
        let paths = [
            ("/abc.ics", Route::Feed("abc")),
            ("/abc", Route::Page("abc")),
            ("/abc/", Route::Page("abc")),
            ("/abc//", Route::Page("abc/")),
            ("/abc.ics/", Route::Page("abc.ics")),
            ("/x/abc", Route::Page("x/abc")),
            ("/", Route::Page("")),
            ("/abc/health", Route::Health("abc")),
            ("/abc/probe", Route::Probe("abc")),
            ("/healthz", Route::Alive),
        ];
        for (path, expected) in paths {
            assert_eq!(route(path), expected, "{path}");
        }
    }
}
