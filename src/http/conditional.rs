//! Is what the client holds still current? (RFC 9110 §13)

use std::time::Duration;

use http::HeaderMap;
use http::header::{IF_MODIFIED_SINCE, IF_NONE_MATCH};

use crate::clock::Timestamp;
use crate::feed::Edition;

/// Which dates of a client's own say something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Margin {
    /// Earlier than this after a publication, it may still have got the edition before.
    pub(super) behind: Duration,
    /// Later than this after now, its clock is wrong.
    pub(super) ahead: Duration,
}

/// Whether the answer is 304.
///
/// `If-None-Match` wins where both are sent. `If-Modified-Since` is compared as a date, with `margin`: iOS does not send
/// our date back but its own clock at the moment it had imported the last change, which is later than the fetch and as
/// right as the phone's clock.
pub(super) fn is_current(
    headers: &HeaderMap,
    edition: &Edition,
    published: Timestamp,
    now: Timestamp,
    margin: Margin,
) -> bool {
    let mut tags = headers.get_all(IF_NONE_MATCH).iter().peekable();
    if tags.peek().is_some() {
        return tags.any(|value| names(value.as_bytes(), edition));
    }
    let since = headers.get(IF_MODIFIED_SINCE).and_then(|value| httpdate::parse_http_date(value.to_str().ok()?).ok());
    since.map(Timestamp::from).is_some_and(|since| since >= published + margin.behind && since <= now + margin.ahead)
}

/// Weak comparison with every tag of a list; `*` is every edition.
fn names(list: &[u8], edition: &Edition) -> bool {
    let mut rest = list;
    loop {
        rest = rest.trim_ascii_start();
        if rest.first() == Some(&b'*') {
            return true;
        }
        rest = rest.strip_prefix(b"W/").or_else(|| rest.strip_prefix(b"w/")).unwrap_or(rest);
        let (tag, after) = match rest.strip_prefix(b"\"") {
            Some(quoted) => split_at_byte(quoted, b'"'),
            // Some clients send the tag back without its quotes.
            None => split_at_byte(rest, b','),
        };
        if edition.is_named(tag.trim_ascii()) {
            return true;
        }
        rest = match after.iter().position(|byte| *byte != b',' && !byte.is_ascii_whitespace()) {
            Some(next) => after.get(next..).unwrap_or_default(),
            None => return false,
        };
    }
}

fn split_at_byte(text: &[u8], byte: u8) -> (&[u8], &[u8]) {
    match memchr::memchr(byte, text) {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default()),
        None => (text, b""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::Coding;

    const MARGIN: Margin = Margin { behind: Duration::from_mins(2), ahead: Duration::from_mins(2) };

    fn edition() -> Edition {
        Edition::new(b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n").unwrap()
    }

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(1_790_000_000 + secs)
    }

    fn asked(headers: &[(http::HeaderName, String)], published: Timestamp, now: Timestamp) -> bool {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        is_current(&headers, &edition(), published, now, MARGIN)
    }

    fn date(at: Timestamp) -> String {
        httpdate::fmt_http_date(at.system_time())
    }

    #[test]
    fn tags_are_compared_weakly_in_lists_and_with_what_intermediaries_make_of_them() {
        let tag = |coding| String::from_utf8(edition().etag(coding).to_vec()).unwrap();
        let identity = tag(Coding::Identity);
        let bare = identity.trim_matches('"').to_owned();
        let matching = [
            identity.clone(),
            tag(Coding::Gzip),
            format!("W/{}", tag(Coding::Brotli)),
            format!("W/\"{bare};gzip\""),
            format!("\"{bare}--gzip\""),
            format!("\"other\", W/\"another, with a comma\",{identity}"),
            "*".to_owned(),
            bare.clone(),
        ];
        for value in matching {
            assert!(asked(&[(IF_NONE_MATCH, value.clone())], at(0), at(0)), "{value}");
        }
        for value in
            ["\"\"", "\"other\"", "", ",", "\"unclosed", &format!("\"{}\"", &bare[1..]), &format!("\"x{bare}\"")]
        {
            assert!(!asked(&[(IF_NONE_MATCH, value.to_owned())], at(0), at(0)), "{value}");
        }
    }

    #[test]
    fn a_tag_wins_over_a_date() {
        let headers = [(IF_NONE_MATCH, "\"other\"".to_owned()), (IF_MODIFIED_SINCE, date(at(1000)))];
        assert!(!asked(&headers, at(0), at(1000)));
    }

    #[test]
    fn a_phones_clock_is_believed_only_beyond_the_margin() {
        let since = |secs| asked(&[(IF_MODIFIED_SINCE, date(at(secs)))], at(1000), at(5000));
        assert!(
            !since(999) && !since(1000) && !since(1119),
            "it may have been imported before the change was published"
        );
        assert!(since(1120) && since(4000) && since(5120));
        assert!(!since(5121) && !since(500_000_000), "a clock that is far ahead says nothing");
        for nonsense in ["yesterday", "", "Sun, 99 Nov 2026 07:00:00 GMT"] {
            assert!(!asked(&[(IF_MODIFIED_SINCE, nonsense.to_owned())], at(1000), at(5000)));
        }
    }
}
