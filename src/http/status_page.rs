//! The status page as an answer: what was asked for, and the headers that keep the page to itself.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT_LANGUAGE, CONTENT_SECURITY_POLICY, REFERRER_POLICY, VARY};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use tracing::error;

use super::answer::{self, Answer};
use super::negotiate;
use super::page::document;
use crate::page::Language;
use crate::status::{STATES, Shown, TROUBLED, View, page, style};

/// What forms come to, by the words in the page's address.
pub(super) const OUTCOMES: [&str; 4] = ["accepted", "changed", "busy", "failed"];

/// Nothing is loaded from anywhere, no script runs, and forms go back to where the page came from.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = STANDARD.encode(digest(&SHA256, style().as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).expect("built of visible ASCII")
});

/// What `request` wants to look at.
pub(super) fn view<B>(request: &Request<B>) -> View {
    of_query(request.uri().query().unwrap_or_default(), liked(request.headers()))
}

fn liked(headers: &HeaderMap) -> &str {
    headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The language of a browser that sends `headers`.
pub(super) fn language(headers: &HeaderMap) -> Language {
    Language::of_header(liked(headers))
}

/// What `query` wants to look at, of a browser that likes the languages in `accept`.
pub(super) fn of_query(query: &str, accept: &str) -> View {
    let asked = |name: &str| url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name);
    let word = |name: &str| asked(name).map(|(_, value)| value.into_owned()).unwrap_or_default();
    let known = |words: &[&'static str], word: &str| words.iter().copied().find(|known| *known == word);
    let number = |name: &str| word(name).parse().unwrap_or(1);
    let state = word("state");
    View {
        language: Language::of_tag(&word("lang")).unwrap_or_else(|| Language::of_header(accept)),
        state: known(&STATES, &state).or_else(|| known(&[TROUBLED], &state)),
        sources: number("page"),
        feeds: number("feeds"),
        done: known(&OUTCOMES, &word("done")),
    }
}

/// The page that shows this.
pub(super) async fn answer<B>(request: &Request<B>, shown: Shown) -> Answer {
    let coding = negotiate::coding_of_page(request.headers());
    let made = tokio::task::spawn_blocking(move || coding.encode(page(&shown).as_bytes())).await;
    match made.map_err(std::io::Error::other).flatten() {
        Ok(body) => {
            let mut answer = document(StatusCode::OK, coding, body);
            let headers = answer.headers_mut();
            headers.insert(CONTENT_SECURITY_POLICY, POLICY.clone());
            headers.insert(VARY, HeaderValue::from_static("Accept-Encoding, Accept-Language"));
            // Without any, browsers do not say from where a form comes.
            headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
            answer
        }
        Err(cause) => {
            error!(error = %cause, "the status page cannot be made");
            answer::plain(StatusCode::INTERNAL_SERVER_ERROR, "The page cannot be shown.\n")
        }
    }
}
