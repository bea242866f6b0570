//! What an answer means that brings no calendar: a refusal, a page for humans, a place to ask instead.

use std::time::{Duration, SystemTime};

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};

use super::error::FetchError;

/// How much of an error's body is looked at.
pub(super) const ERROR_PEEK: usize = 64 << 10;

pub(super) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Whether the redirect is meant to be remembered.
pub(super) fn is_permanent(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 308)
}

pub(super) fn is_sign_in(host: &str) -> bool {
    matches!(host, "accounts.google.com" | "login.microsoftonline.com" | "login.live.com" | "idmsa.apple.com")
}

/// Tells a page from something that may be a calendar, by its first bytes: a captcha and a sign-in page come at 200.
pub(super) fn recognise(text: &[u8]) -> Result<(), FetchError> {
    let start = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text).trim_ascii_start();
    if start.is_empty() {
        return Err(FetchError::Empty);
    }
    if start.first() != Some(&b'<') {
        return Ok(());
    }
    Err(if is_captcha(start) { FetchError::Captcha } else { FetchError::WebPage })
}

fn is_captcha(page: &[u8]) -> bool {
    let head = page.get(..ERROR_PEEK.min(page.len())).unwrap_or_default().to_ascii_lowercase();
    [&b"captcha"[..], b"unusual traffic", b"/sorry/", b"cf-challenge", b"challenge-platform"]
        .iter()
        .any(|sign| memchr::memmem::find(&head, sign).is_some())
}

pub(super) fn refusal(status: StatusCode, retry_after: Option<Duration>, said: &[u8]) -> FetchError {
    let code = status.as_u16();
    match code {
        429 => FetchError::Throttled { status: code, retry_after },
        // Google's "sorry" page comes with 429, 403 or 503; its body tells.
        403 | 503 if is_captcha(said) => FetchError::Captcha,
        401 | 403 => FetchError::Denied(code),
        404 | 410 => FetchError::NotFound(code),
        400..=499 => FetchError::Refused(code),
        500..=599 => FetchError::Server { status: code, retry_after },
        _ => FetchError::Unexpected(code),
    }
}

/// `Retry-After` in both forms (RFC 9110 §10.2.3). A date is measured against the answer's own `Date`, so that two
/// clocks need not agree.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text: &str| httpdate::parse_http_date(text).ok();
    let then = date(text)?;
    let sent = headers.get(http::header::DATE).and_then(|sent| date(sent.to_str().ok()?));
    #[expect(clippy::disallowed_methods, reason = "an answer without Date leaves only this machine's clock")]
    let sent = sent.unwrap_or_else(SystemTime::now);
    Some(then.duration_since(sent).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let read = |retry: &str, date: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, retry.parse().unwrap());
            headers.insert(http::header::DATE, date.parse().unwrap());
            retry_after(&headers)
        };
        let date = "Sun, 22 Nov 2026 07:00:00 GMT";
        assert_eq!(read("120", date), Some(Duration::from_mins(2)));
        assert_eq!(read("Sun, 22 Nov 2026 07:10:01 GMT", date), Some(Duration::from_secs(601)));
        assert_eq!(read("Sun, 22 Nov 2026 06:00:00 GMT", date), Some(Duration::ZERO));
        assert_eq!(read("soon", date), None);
    }

    #[test]
    fn a_page_is_told_from_a_calendar_by_its_first_bytes() {
        let name = |text: &str| recognise(text.as_bytes()).err().map(|error| error.name());
        assert_eq!(name("BEGIN:VCALENDAR\r\n"), None);
        assert_eq!(name("\u{feff}\r\n<!doctype html><title>Sign in</title>"), Some("web_page"));
        assert_eq!(name("<html>Our systems have detected unusual traffic from your computer network"), Some("captcha"));
        assert_eq!(name(" \r\n\r\n"), Some("empty"));
    }
}
