//! Letting an edge cache, such as Cloudflare's, keep answers for a while.
//!
//! Off unless asked for. It is asked in headers that only such caches read (RFC 9213); what phones are told stays
//! `private, no-cache`, and `s-maxage` is never said, since any shared cache on the way would take it.

use std::time::Duration;

use http::header::LAST_MODIFIED;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::clock::Timestamp;

const CDN_CACHE_CONTROL: HeaderName = HeaderName::from_static("cdn-cache-control");
const CLOUDFLARE_CDN_CACHE_CONTROL: HeaderName = HeaderName::from_static("cloudflare-cdn-cache-control");

/// How long the edge may go on with what it has while this machine does not answer.
const STALE_IF_ERROR: Duration = Duration::from_hours(24);

/// What the edge is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeCache {
    control: HeaderValue,
    /// An answer may be this old when a phone gets it: it is fresh for as long as the settings say, and may be given out
    /// once more as long while the next is fetched.
    lag: Duration,
}

impl EdgeCache {
    /// The edge may keep an answer for `age`, which is at least a second.
    pub fn new(age: Duration) -> Self {
        let (secs, error) = (age.as_secs(), STALE_IF_ERROR.as_secs());
        let control = format!("max-age={secs}, stale-while-revalidate={secs}, stale-if-error={error}");
        Self { control: HeaderValue::from_str(&control).expect("digits and visible ASCII"), lag: age * 2 }
    }

    /// How late a phone may get an edition that has been replaced.
    pub(super) fn lag(&self) -> Duration {
        self.lag
    }

    /// Tells the edge with the answer of an edition published `at`.
    ///
    /// The edge itself compares `If-Modified-Since` with our `Last-Modified`. A phone that got the edition before by the
    /// edge, after this one was published, sends a later date than that: the date told is later by `margin`, as far as
    /// that is not in the future (RFC 9110 §8.8.2.1). So it moves on until the margin is over, while the tag stays; who has
    /// the tag is compared by that. Where no date is told, none is made up.
    pub(super) fn tell(&self, headers: &mut HeaderMap, at: Timestamp, margin: Duration, now: Timestamp) {
        headers.insert(CDN_CACHE_CONTROL, self.control.clone());
        headers.insert(CLOUDFLARE_CDN_CACHE_CONTROL, self.control.clone());
        if let Some(told) = headers.get_mut(LAST_MODIFIED) {
            let date = httpdate::fmt_http_date((at + margin).min(now).system_time());
            *told = HeaderValue::try_from(date).expect("a date is visible ASCII");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(1_790_000_000 + secs)
    }

    #[test]
    fn the_date_told_to_an_edge_is_later_by_the_margin_and_never_in_the_future() {
        let edge = EdgeCache::new(Duration::from_mins(5));
        let told = |now| {
            let mut headers = HeaderMap::from_iter([(LAST_MODIFIED, HeaderValue::from_static(""))]);
            edge.tell(&mut headers, at(0), Duration::from_mins(12), at(now));
            let date = headers[LAST_MODIFIED].to_str().unwrap();
            Timestamp::from(httpdate::parse_http_date(date).unwrap()).since(at(0)).as_secs()
        };
        assert_eq!((told(0), told(100), told(720), told(86_400)), (0, 100, 720, 720));
    }

    #[test]
    fn an_answer_may_be_as_old_as_it_is_fresh_and_as_long_again_while_the_next_is_fetched() {
        assert_eq!(EdgeCache::new(Duration::from_mins(5)).lag(), Duration::from_mins(10));
    }

    #[test]
    fn only_the_edge_is_told_and_never_by_s_maxage() {
        let mut headers = HeaderMap::new();
        EdgeCache::new(Duration::from_mins(5)).tell(&mut headers, at(0), Duration::ZERO, at(0));
        for name in ["cdn-cache-control", "cloudflare-cdn-cache-control"] {
            assert_eq!(headers[name], "max-age=300, stale-while-revalidate=300, stale-if-error=86400");
        }
        assert!(!headers.contains_key("cache-control"), "it stays what the edition says");
        assert!(!headers.contains_key(LAST_MODIFIED), "an edition whose date has not come has none here, either");
    }
}
