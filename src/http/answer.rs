//! What goes out, header by header.

use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_TYPE, ETAG, LAST_MODIFIED,
    REFERRER_POLICY, RETRY_AFTER, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::clock::Timestamp;
use crate::feed::Coding;
use crate::publisher::Published;

/// Every answer's body is in memory already.
pub(super) type Answer = Response<Full<Bytes>>;

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
const X_ROBOTS_TAG: HeaderName = HeaderName::from_static("x-robots-tag");

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

/// 200 with the edition in `coding`, or 304 without it.
pub(super) fn edition(
    published: &Published,
    coding: Coding,
    name: &HeaderValue,
    age: Age,
    now: Timestamp,
    not_modified: bool,
) -> Answer {
    let edition = &published.edition;
    let body = if not_modified { Bytes::new() } else { edition.body(coding) };
    let mut answer = Response::new(Full::new(body));
    let mut headers = HeaderMap::with_capacity(16);
    if not_modified {
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/calendar; charset=utf-8"));
        headers.insert(CONTENT_DISPOSITION, name.clone());
        if coding != Coding::Identity {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.as_str()));
        }
    }
    if let Ok(etag) = HeaderValue::from_maybe_shared(edition.etag(coding)) {
        headers.insert(ETAG, etag);
    }
    // Never later than Date (RFC 9110 §8.8.2.1), even after the clock was set back.
    let date = httpdate::HttpDate::from(published.at.min(now).system_time());
    headers.insert(LAST_MODIFIED, text(&date.to_string()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    let Age { freshness, confirmed, ttl } = age;
    let hit = if freshness == Freshness::Waited { "fwd=uri-miss" } else { "hit" };
    let status =
        format!("calferry; {hit}; ttl={ttl}; detail=\"{}, {} s old\"", freshness.as_str(), confirmed.as_secs());
    headers.insert(CACHE_STATUS, text(&status));
    protect(&mut headers);
    *answer.headers_mut() = headers;
    answer
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

/// 405 for anything but GET and HEAD.
pub(super) fn method_not_allowed() -> Answer {
    let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD.\n");
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    answer
}

/// 400, and the connection ends: what follows on it cannot be trusted to be a request.
pub(super) fn bad_request() -> Answer {
    let mut answer = plain(StatusCode::BAD_REQUEST, "Bad request.\n");
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// 429 or 503, with the time to come back.
pub(super) fn come_back(status: StatusCode, body: &'static str, after: Duration) -> Answer {
    let mut answer = plain(status, body);
    let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    answer
}

/// `Content-Disposition` for a feed called `name`: plain ASCII for old clients, RFC 8187 for the others. Nothing of the
/// name is left that could end the header's value.
pub(super) fn disposition(id: &str, name: Option<&str>) -> HeaderValue {
    /// Unreserved characters of RFC 3986, which all are `attr-char` of RFC 8187.
    const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    let plain: String = id.chars().filter(|char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_')).collect();
    let plain = if plain.is_empty() { "calendar" } else { &plain };
    let shown: String = name.unwrap_or(id).chars().filter(|char| !char.is_control()).take(80).collect();
    let shown = utf8_percent_encode(&shown, ENCODED);
    text(&format!("inline; filename=\"{plain}.ics\"; filename*=UTF-8''{shown}.ics"))
}

fn protect(headers: &mut HeaderMap) {
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_ROBOTS_TAG, HeaderValue::from_static("noindex, nofollow"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

fn text(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("built of visible ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calendars_name_cannot_leave_its_header_value() {
        let hostile = "工作\r\nSet-Cookie: a=b\"; filename=evil.html\u{202e}\0";
        let value = disposition("me", Some(hostile));
        let value = value.to_str().unwrap();
        assert!(value.starts_with("inline; filename=\"me.ics\"; filename*=UTF-8''%E5%B7%A5%E4%BD%9C"));
        assert_eq!(value.matches('"').count(), 2);
        assert_eq!(value.matches(';').count(), 2);
        assert!(disposition("日历", None).to_str().unwrap().contains("filename=\"calendar.ics\""));
        assert!(disposition("me", Some(&"长".repeat(10_000))).len() < 1000);
    }
}
