//! What goes out, header by header.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::{Bytes, BytesMut};
use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, DATE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;

use crate::clock::Timestamp;
use crate::feed::Coding;
use crate::page::Language;
use crate::publisher::{CACHE_STATUS, Published, protect};
use crate::refresh::Upstream;

/// Every answer's body is in memory already.
pub(super) type Answer = Response<Full<Bytes>>;

/// How a request for a feed was served. The same word in the access log, the metrics and `Cache-Status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Freshness {
    /// The copy was confirmed as lately as it should be.
    Fresh,
    /// It was not; it is the last good one.
    Stale,
    /// There was none when the request came.
    Waited,
}

impl Freshness {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Waited => "waited",
        }
    }
}

/// The age of what is served, for `Cache-Status` (RFC 9211). Never shown by the status: some clients switch a calendar
/// off at an error.
#[derive(Debug, Clone, Copy)]
pub(super) struct Age {
    pub(super) freshness: Freshness,
    pub(super) confirmed: Duration,
    /// What is left of the copy's freshness, or has passed since its end.
    pub(super) ttl: i64,
}

/// 200 with `body`, which is the edition in `coding`, sent `now`.
pub(super) fn found(published: &Published, coding: Coding, body: Bytes, age: Age, now: Timestamp) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.headers_mut() = published.found(coding, now);
    answer.headers_mut().insert(CACHE_STATUS, age.cache_status());
    answer
}

/// 304, sent `now`, for who would have got `coding`.
pub(super) fn not_modified(published: &Published, coding: Coding, age: Age, now: Timestamp) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::NOT_MODIFIED;
    *answer.headers_mut() = published.not_modified(coding, now);
    answer.headers_mut().insert(CACHE_STATUS, age.cache_status());
    answer
}

impl Age {
    /// How old what is served is, at `now`.
    pub(super) fn of(upstreams: &[Arc<Upstream>], waited: bool, now: Timestamp) -> Self {
        let oldest = upstreams.iter().filter_map(|upstream| upstream.freshness()).min_by_key(|(_, until)| *until);
        let (confirmed, until) = oldest.unwrap_or((now, now));
        let ttl = until.as_secs().cast_signed() - now.as_secs().cast_signed();
        let freshness = match (waited, ttl < 0) {
            (true, _) => Freshness::Waited,
            (false, true) => Freshness::Stale,
            (false, false) => Freshness::Fresh,
        };
        Self { freshness, confirmed: now.since(confirmed), ttl }
    }

    /// `calferry; hit; ttl=588; detail="fresh, 312 s old"`. Written without the formatter: it is the only header that is
    /// made anew for every answer.
    fn cache_status(self) -> HeaderValue {
        let hit =
            if self.freshness == Freshness::Waited { "calferry; fwd=uri-miss; ttl=" } else { "calferry; hit; ttl=" };
        let mut text = BytesMut::with_capacity(80);
        text.extend_from_slice(hit.as_bytes());
        text.extend_from_slice(itoa::Buffer::new().format(self.ttl).as_bytes());
        text.extend_from_slice(b"; detail=\"");
        text.extend_from_slice(self.freshness.as_str().as_bytes());
        text.extend_from_slice(b", ");
        text.extend_from_slice(itoa::Buffer::new().format(self.confirmed.as_secs()).as_bytes());
        text.extend_from_slice(b" s old\"");
        HeaderValue::from_maybe_shared(text.freeze()).expect("built of visible ASCII")
    }
}

/// A short answer in plain text that says nothing about what is served here.
pub(super) fn plain(status: StatusCode, body: &'static str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    protect(headers);
    answer
}

/// The same in the words of the message `id`.
pub(super) fn said(status: StatusCode, language: Language, id: &str) -> Answer {
    let mut answer = plain(status, "");
    *answer.body_mut() = Full::new(format!("{}\n", language.say(id)).into());
    answer
}

/// An answer in JSON.
pub(super) fn json(status: StatusCode, value: &impl serde::Serialize) -> Answer {
    let body = serde_json::to_vec(value).expect("answers are plain structures");
    let mut answer = plain(status, "");
    *answer.body_mut() = Full::new(body.into());
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// 404: byte for byte the same for a token never given out, for a path that cannot be one, and for anything else.
pub(super) fn unknown() -> Answer {
    plain(StatusCode::NOT_FOUND, "Not found.\n")
}

/// 410: iOS and Thunderbird switch the subscription off. Only ever for a device that was revoked.
pub(super) fn gone() -> Answer {
    plain(StatusCode::GONE, "This subscription was revoked.\n")
}

/// 405 for anything but GET and HEAD, and the connection ends: a front may have another idea of where such a request does.
pub(super) fn method_not_allowed() -> Answer {
    let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD.\n");
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    answer
}

/// 400, and the connection ends: what follows on it cannot be trusted to be a request.
pub(super) fn bad_request() -> Answer {
    let mut answer = plain(StatusCode::BAD_REQUEST, "Bad request.\n");
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// The `Date` of all answers of one second. hyper would write one by itself, but holds on to the latest it has written:
/// after a clock was set back, it would be wrong until the time it was set back by has passed.
#[derive(Debug)]
pub(super) struct Dates(ArcSwap<(Timestamp, HeaderValue)>);

impl Dates {
    pub(super) fn new(now: Timestamp) -> Self {
        Self(ArcSwap::from_pointee((now, date(now))))
    }

    /// `answer`, sent `now`.
    pub(super) fn put_on(&self, mut answer: Answer, now: Timestamp) -> Answer {
        let latest = self.0.load();
        let value = if latest.0 == now {
            latest.1.clone()
        } else {
            let value = date(now);
            self.0.store(Arc::new((now, value.clone())));
            value
        };
        answer.headers_mut().insert(DATE, value);
        answer
    }
}

fn date(at: Timestamp) -> HeaderValue {
    HeaderValue::try_from(httpdate::fmt_http_date(at.system_time())).expect("a date is visible ASCII")
}

/// 429 or 503, with the time to come back.
pub(super) fn come_back(status: StatusCode, body: &'static str, after: Duration) -> Answer {
    later(plain(status, body), after)
}

/// `answer`, with the time to come back.
pub(super) fn later(mut answer: Answer, after: Duration) -> Answer {
    let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_come_back_is_never_too_soon() {
        for (after, told) in [(0, "1"), (1, "1"), (999, "1"), (1000, "1"), (1001, "2"), (59_500, "60")] {
            let answer = come_back(StatusCode::TOO_MANY_REQUESTS, "", Duration::from_millis(after));
            assert_eq!(answer.headers()[RETRY_AFTER], told, "{after} ms");
        }
    }

    #[test]
    fn every_answer_in_words_is_kept_to_itself() {
        for answer in [unknown(), gone(), method_not_allowed(), bad_request(), json(StatusCode::OK, &())] {
            let headers = answer.headers();
            assert_eq!(headers[CACHE_CONTROL], "no-store");
            assert_eq!(headers["x-content-type-options"], "nosniff");
            assert_eq!(headers["referrer-policy"], "no-referrer");
        }
    }
}
