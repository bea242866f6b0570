//! Forms of the status page: what they ask for, and whether it was this page that asked.
//!
//! Any page in the administrator's browser can send a form here, with the browser's password if there is one. Three things
//! keep it from being heard: the browser says from where a form comes; the form holds a proof that only a page of this
//! program can have; and without a password the name by which the browser came must not be one that somebody else may
//! have pointed here.

use std::net::IpAddr;
use std::time::Duration;

use http::header::{HOST, LOCATION, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Body;
use tracing::{error, warn};

use super::admin::Admin;
use super::answer::{self, Answer};
use super::status_page::{language, of_query};
use crate::page::Language;
use crate::refresh::Accepted;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Largest form, and how long it may take to come.
const LARGEST: usize = 4 << 10;
const ARRIVES_IN: Duration = Duration::from_secs(10);

/// Makes and checks proofs.
pub(super) struct Forms {
    secret: [u8; 32],
}

impl std::fmt::Debug for Forms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Forms(…)")
    }
}

impl Forms {
    pub(super) fn new(secret: [u8; 32]) -> Self {
        Self { secret }
    }

    /// Proves that a form about this copy of `source` comes of a page that shows it. Good until the program ends.
    pub(super) fn proof(&self, source: &str, digest: &[u8; 32]) -> String {
        self.hash(source, digest).to_hex().to_string()
    }

    fn hash(&self, source: &str, digest: &[u8; 32]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.secret);
        hasher.update(b"accept").update(digest).update(source.as_bytes());
        hasher.finalize()
    }

    /// In the same time whatever is wrong with it.
    fn proves(&self, proof: &str, source: &str, digest: &[u8; 32]) -> bool {
        blake3::Hash::from_hex(proof).is_ok_and(|proof| proof == self.hash(source, digest))
    }
}

impl Admin {
    /// Takes over what is kept aside of a source, as a form of the status page asks.
    pub(super) async fn accept<B: Body<Error: Into<Box<dyn std::error::Error + Send + Sync>>>>(
        &self,
        request: Request<B>,
    ) -> Answer {
        if request.method() != Method::POST {
            return only_post();
        }
        let headers = request.headers();
        let language = language(headers);
        if !is_own_form(headers) || !(self.has_password() || is_named_safely(headers)) {
            warn!("a form for the status page came from elsewhere, and was refused");
            return refused(language);
        }
        let body = Limited::new(request.into_body(), LARGEST).collect();
        let Ok(Ok(body)) = tokio::time::timeout(ARRIVES_IN, body).await else { return answer::bad_request() };
        let body = body.to_bytes();
        let field = |name: &str| {
            let mut fields = url::form_urlencoded::parse(&body);
            fields.find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
        };
        let (source, back) = (field("source"), field("back"));
        let copy = blake3::Hash::from_hex(field("copy")).map(|copy| *copy.as_bytes());
        let Some(copy) = copy.ok().filter(|copy| self.forms.proves(&field("proof"), &source, copy)) else {
            warn!("a form for the status page had no proof that it comes from there, and was refused");
            return refused(language);
        };
        let directory = self.front.directory();
        let upstream = directory.sources.iter().find(|(name, _)| **name == *source).map(|(_, found)| found);
        let accepted = match upstream {
            Some(upstream) => self.front.refresher.accept(upstream, copy).await,
            None => Ok(Accepted::Changed),
        };
        let outcome = match accepted {
            Ok(Accepted::Done) => "accepted",
            Ok(Accepted::Changed) => "changed",
            Ok(Accepted::Busy) => "busy",
            Err(cause) => {
                error!(%source, error = %cause, "what is kept aside of source `{source}` cannot be accepted");
                "failed"
            }
        };
        // Written anew: what the form brings leads nowhere else.
        let view = of_query(back.trim_start_matches('?'), "");
        let mut answer = answer::plain(StatusCode::SEE_OTHER, "");
        let place = HeaderValue::try_from(format!("/{}&done={outcome}", view.query()));
        answer.headers_mut().insert(LOCATION, place.expect("numbers and words of our own"));
        answer
    }
}

fn only_post() -> Answer {
    let mut answer = answer::plain(StatusCode::METHOD_NOT_ALLOWED, "Only POST.\n");
    answer.headers_mut().insert(http::header::ALLOW, HeaderValue::from_static("POST"));
    answer
}

/// 403, and the connection ends: the form has not been read.
fn refused(language: Language) -> Answer {
    let mut answer = answer::said(StatusCode::FORBIDDEN, language, "form-elsewhere");
    answer.headers_mut().insert(http::header::CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// Whether the browser says that a form comes from the page it goes to. Programs say nothing, and have the proof.
fn is_own_form(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        return site == "same-origin";
    }
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
    authority.is_some_and(|origin| headers.get(HOST).is_some_and(|host| origin == host))
}

/// Whether the host is named by its address, or as this machine is to itself: another name may be a stranger's, who lets
/// it lead here to pass for this page.
fn is_named_safely(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).and_then(|host| host.parse::<Authority>().ok());
    host.is_some_and(|authority| {
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        list.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_form_of_another_page_is_known_by_what_the_browser_says() {
        for (list, own) in [
            (&[][..], true),
            (&[("sec-fetch-site", "same-origin"), ("origin", "https://front.example"), ("host", "127.0.0.1")], true),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("origin", "http://127.0.0.1:9090"), ("host", "127.0.0.1:9090")], true),
            (&[("origin", "http://127.0.0.1:8080"), ("host", "127.0.0.1:9090")], false),
            (&[("origin", "null"), ("host", "127.0.0.1:9090")], false),
            (&[("origin", "http://127.0.0.1:9090")], false),
        ] {
            assert_eq!(is_own_form(&headers(list)), own, "{list:?}");
        }
    }

    #[test]
    fn a_name_may_be_a_strangers_and_an_address_may_not() {
        for (host, safe) in [
            ("127.0.0.1:9090", true),
            ("[::1]:9090", true),
            ("localhost:9090", true),
            ("10.0.0.7", true),
            ("rebound.example:9090", false),
            ("127.0.0.1.example", false),
            ("", false),
        ] {
            assert_eq!(is_named_safely(&headers(&[("host", host)])), safe, "{host}");
        }
    }

    #[test]
    fn a_proof_is_of_one_copy_of_one_source() {
        let (forms, digest) = (Forms::new([1; 32]), [2; 32]);
        let proof = forms.proof("work", &digest);
        assert!(forms.proves(&proof, "work", &digest));
        assert!(!forms.proves(&proof, "home", &digest) && !forms.proves(&proof, "work", &[3; 32]));
        assert!(!forms.proves("", "work", &digest) && !Forms::new([4; 32]).proves(&proof, "work", &digest));
    }
}
