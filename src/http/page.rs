//! The page that a browser gets: what it asked for, and the headers that keep the page to itself.

use std::sync::{Arc, LazyLock};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, USER_AGENT, VARY,
    X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;

use super::answer::Answer;
use super::negotiate;
use crate::calendar::iana;
use crate::clock::Timestamp;
use crate::feed::Coding;
use crate::page::{Device, Language, Pages, SCRIPT, STYLE, Visit, gone};
use crate::publisher::{Published, Served, protect};

const ACCEPT_CH: HeaderName = HeaderName::from_static("accept-ch");
const SEC_CH_UA_MODEL: HeaderName = HeaderName::from_static("sec-ch-ua-model");
const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// Nothing is loaded from anywhere, and nothing runs but the one script and the one style that we wrote.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(digest(&SHA256, text.as_bytes())));
    let policy = format!(
        "default-src 'none'; script-src {}; style-src {}; img-src data:; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'",
        hash(SCRIPT),
        hash(STYLE)
    );
    HeaderValue::try_from(policy).expect("built of visible ASCII")
});

/// What `request` asks of the page of the subscription at `url`.
fn visit<B>(request: &Request<B>, url: String) -> Visit {
    let query = request.uri().query().unwrap_or_default().as_bytes();
    let asked = |name: &str| url::form_urlencoded::parse(query).find(|(key, _)| key == name).map(|(_, value)| value);
    let header = |name| request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or("");
    Visit {
        url,
        language: asked("lang")
            .and_then(|tag| Language::of_tag(&tag))
            .unwrap_or_else(|| Language::of_header(header(ACCEPT_LANGUAGE))),
        zone: asked("tz").and_then(|name| iana(&name)),
        device: Device::of_agent(header(USER_AGENT), header(SEC_CH_UA_MODEL)),
        is_in_wechat: header(USER_AGENT).contains("MicroMessenger"),
    }
}

/// The page of `served`, to whom `request` was sent with `token`.
pub(super) async fn page<B>(
    pages: &Pages,
    (served, published): (&Served, Option<Arc<Published>>),
    request: &Request<B>,
    url: String,
    now: Timestamp,
) -> std::io::Result<Answer> {
    let coding = negotiate::coding_of_page(request.headers());
    let body = pages.page(served, published.as_ref(), visit(request, url), coding, now).await?;
    let mut answer = document(StatusCode::OK, coding, body);
    // Chrome on Android calls every phone `K` unless it was asked, and answers from the next page on.
    answer.headers_mut().insert(ACCEPT_CH, HeaderValue::from_static("Sec-CH-UA-Model"));
    Ok(answer)
}

/// The page of a subscription that was revoked, for who asked for the page.
pub(super) fn revoked<B>(request: &Request<B>) -> Answer {
    let language = visit(request, String::new()).language;
    document(StatusCode::GONE, Coding::Identity, gone(language).into())
}

/// A page as an answer.
pub(super) fn document(status: StatusCode, coding: Coding, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    *answer.headers_mut() = head(coding);
    answer
}

fn head(coding: Coding) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(16);
    protect(&mut headers);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding, Accept-Language, User-Agent"));
    headers.insert(CONTENT_SECURITY_POLICY, POLICY.clone());
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(CROSS_ORIGIN_OPENER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(PERMISSIONS_POLICY, HeaderValue::from_static("camera=(), geolocation=(), microphone=()"));
    if coding != Coding::Identity {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.as_str()));
    }
    headers
}
