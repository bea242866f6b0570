//! Ways to hosts. A host is refused or cut off by one way and not by another: Google refuses addresses of the network, not
//! calendars. So budgets, circuits and rests are kept for each host by each way.

use std::sync::Arc;

use tokio::time::Instant;

use crate::clock::Timestamp;
use crate::source::{FetchError, Way};

/// A host, by one way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Lane {
    pub(super) host: Arc<str>,
    pub(super) way: Way,
}

/// Whether a lane leads anywhere, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Readiness {
    /// As far as is known.
    Ready,
    /// It did not lead to the host; it is not taken until then if there is another.
    Rests(Instant),
    /// The host refuses whoever comes by it.
    Refuses(Instant),
}

/// How one way to one source stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WayStanding {
    /// `direct`, `http` or `socks5h`.
    pub kind: &'static str,
    /// `untried`, `works`, `unreachable`, `proxy_refuses`, `throttled`, or `secret_reset`: it works, and the host does
    /// not know the address any more.
    pub state: &'static str,
    /// Since when.
    pub since: Option<Timestamp>,
    /// The latest error by this way, in words.
    pub words: Option<String>,
}

impl WayStanding {
    pub(super) fn untried(way: &Way) -> Self {
        Self { kind: way.kind(), state: "untried", since: None, words: None }
    }

    /// Takes note of how a fetch by this way ended.
    pub(super) fn ended(&mut self, error: Option<&FetchError>, now: Timestamp) {
        let state = error.map_or("works", state);
        if self.state != state {
            self.since = Some(now);
        }
        self.state = state;
        self.words = error.map(ToString::to_string);
    }
}

fn state(error: &FetchError) -> &'static str {
    match error {
        FetchError::ProxyAuth | FetchError::ProxyRefused(_) => "proxy_refuses",
        FetchError::NotFound(_) => "secret_reset",
        error if error.is_refusal() => "throttled",
        error if error.is_unreached() => "unreachable",
        _ => "works",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unreachable_throttled_and_reset_are_told_apart() {
        let mut standing = WayStanding::untried(&Way::Direct);
        let at = Timestamp::from_secs;
        for (second, error, state, since) in [
            (1, Some(FetchError::Interrupted), "unreachable", 1),
            (2, Some(FetchError::ProxyUnreachable("connection refused")), "unreachable", 1),
            (3, Some(FetchError::ProxyAuth), "proxy_refuses", 3),
            (4, Some(FetchError::Throttled { status: 429, retry_after: None }), "throttled", 4),
            (5, Some(FetchError::Captcha), "throttled", 4),
            (6, Some(FetchError::NotFound(404)), "secret_reset", 6),
            (7, Some(FetchError::Empty), "works", 7),
            (8, None, "works", 7),
        ] {
            standing.ended(error.as_ref(), at(second));
            assert_eq!((standing.state, standing.since), (state, Some(at(since))), "second {second}");
            assert_eq!(standing.words.is_some(), error.is_some());
        }
    }
}
