//! What of an answer's head depends on nothing but the edition: prepared once, copied for every answer.

use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_TYPE, DATE, ETAG, LAST_MODIFIED, REFERRER_POLICY,
    VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::clock::Timestamp;
use crate::feed::{Coding, Edition, Feed};

/// How an answer was made (RFC 9211).
pub const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
const X_ROBOTS_TAG: HeaderName = HeaderName::from_static("x-robots-tag");

/// The heads of a 200 and a 304 of one edition. What differs by coding or by the moment has its place in them, so that a
/// copy never grows.
#[derive(Debug)]
pub(super) struct Heads {
    found: HeaderMap,
    not_modified: HeaderMap,
    etags: [HeaderValue; 4],
}

impl Heads {
    /// Prepares the heads of `edition` of `feed`, as published `at`.
    pub(super) fn new(feed: &Feed, edition: &Edition, at: Timestamp) -> Self {
        let mut not_modified = HeaderMap::new();
        let date = httpdate::HttpDate::from(at.system_time());
        not_modified.insert(LAST_MODIFIED, visible(&date.to_string()));
        not_modified.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        not_modified.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        for later in [DATE, ETAG, CACHE_STATUS] {
            not_modified.insert(later, HeaderValue::from_static(""));
        }
        let mut found = not_modified.clone();
        protect(&mut found);
        found.insert(CONTENT_TYPE, HeaderValue::from_static("text/calendar; charset=utf-8"));
        found.insert(CONTENT_ENCODING, HeaderValue::from_static(""));
        found.insert(CONTENT_DISPOSITION, disposition(&feed.id, feed.recipe.presentation.name.as_deref()));
        // A map makes room for one more before it sees that the name is there.
        not_modified.reserve(1);
        found.reserve(1);
        let etag = |coding| HeaderValue::from_maybe_shared(edition.etag(coding)).expect("a tag is visible ASCII");
        Self { found, not_modified, etags: Coding::ALL.map(etag) }
    }

    /// The head of a 200 in `coding`, still without `Date` and `Cache-Status`.
    pub(super) fn found(&self, coding: Coding) -> HeaderMap {
        let mut head = self.found.clone();
        match coding {
            Coding::Identity => head.remove(CONTENT_ENCODING),
            _ => head.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.as_str())),
        };
        head.insert(ETAG, self.etag(coding));
        head
    }

    /// The head of a 304 for who would have got `coding`, still without `Date` and `Cache-Status`.
    pub(super) fn not_modified(&self, coding: Coding) -> HeaderMap {
        let mut head = self.not_modified.clone();
        head.insert(ETAG, self.etag(coding));
        head
    }

    fn etag(&self, coding: Coding) -> HeaderValue {
        let [zstd, brotli, gzip, identity] = &self.etags;
        match coding {
            Coding::Zstd => zstd,
            Coding::Brotli => brotli,
            Coding::Gzip => gzip,
            Coding::Identity => identity,
        }
        .clone()
    }

    /// Bytes of memory they hold, roughly.
    pub(super) const SIZE: usize = 4 << 10;
}

/// What every answer says to browsers and crawlers: tell nobody where you were, and keep out. Not a 304, which leaves what
/// the client has as it is (RFC 9110 §15.4.5).
pub fn protect(headers: &mut HeaderMap) {
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_ROBOTS_TAG, HeaderValue::from_static("noindex, nofollow"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// `Content-Disposition` for a feed called `name`: plain ASCII for old clients, RFC 8187 for the others. Nothing of the
/// name is left that could end the header's value.
fn disposition(id: &str, name: Option<&str>) -> HeaderValue {
    /// Unreserved characters of RFC 3986, which all are `attr-char` of RFC 8187.
    const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    let plain: String = id.chars().filter(|char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_')).collect();
    let plain = if plain.is_empty() { "calendar" } else { &plain };
    let shown: String = name.unwrap_or(id).chars().filter(|char| !char.is_control()).take(80).collect();
    let shown = utf8_percent_encode(&shown, ENCODED);
    visible(&format!("inline; filename=\"{plain}.ics\"; filename*=UTF-8''{shown}.ics"))
}

fn visible(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("built of visible ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::Recipe;

    #[test]
    fn a_copy_of_a_head_never_grows() {
        let feed = Feed { id: "me".into(), sources: vec!["work".into()], recipe: Recipe::default() };
        let edition = Edition::new(b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n").unwrap();
        let heads = Heads::new(&feed, &edition, Timestamp::from_secs(1_790_000_000));
        for coding in Coding::ALL {
            for (mut copy, of) in [(heads.found(coding), &heads.found), (heads.not_modified(coding), &heads.not_modified)] {
                for later in [DATE, CACHE_STATUS] {
                    copy.insert(later, HeaderValue::from_static("x"));
                }
                assert_eq!(copy.capacity(), of.capacity(), "{coding:?}");
            }
        }
    }

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
