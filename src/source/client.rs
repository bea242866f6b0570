//! One fetch, from the order to a calendar or an error.

use std::future::Future;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LOCATION,
    RETRY_AFTER, USER_AGENT,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::RootCertStore;

use super::address::Address;
use super::body;
use super::connect::{ConnectTimeout, Connector, Forbidden, Unresolved};
use super::error::FetchError;
use super::guard::Reach;

/// Who asks; an operator of the other side can see what this is.
const AGENT: &str =
    concat!("calferry/", env!("CARGO_PKG_VERSION"), " (calendar relay for one subscriber's own calendar)");
/// How much of an error's body is looked at.
const ERROR_PEEK: usize = 64 << 10;
/// Longest validator that is kept.
const VALIDATOR_MAX: usize = 512;

/// What to fetch.
#[derive(Debug, Clone)]
pub struct Order {
    /// The calendar's address.
    pub address: Address,
    /// How far it may lead.
    pub reach: Reach,
    /// What the upstream said of the copy that is held.
    pub validators: Validators,
}

/// What an upstream says of its answer, to be sent back with the next question. Values are short and printable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validators {
    /// `ETag`, as it came.
    pub etag: Option<String>,
    /// `Last-Modified`, as it came.
    pub last_modified: Option<String>,
}

impl Validators {
    fn of(headers: &HeaderMap) -> Self {
        let value = |name: HeaderName| {
            let text = headers.get(name)?.to_str().ok()?;
            (!text.is_empty() && text.len() <= VALIDATOR_MAX).then(|| text.to_owned())
        };
        Self { etag: value(ETAG), last_modified: value(LAST_MODIFIED) }
    }

    fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }
}

/// What an upstream answered.
#[derive(Debug)]
pub enum Fetched {
    /// 304: the copy that is held is the current one.
    NotModified,
    /// A body at 2xx, decoded. Whether it is a calendar is for the caller to see.
    Body {
        /// The decoded bytes.
        text: Vec<u8>,
        /// What to send with the next question.
        validators: Validators,
    },
}

/// Whatever can carry out an [`Order`].
pub trait Fetch: Send + Sync + 'static {
    /// Carries out `order`. Dropping the future gives the fetch up.
    fn fetch(&self, order: Order) -> impl Future<Output = Result<Fetched, FetchError>> + Send;
}

/// Bounds of one fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// For resolving, connecting and TLS.
    pub connect_timeout: Duration,
    /// Until the head of an answer is there, connecting included; for each hop.
    pub header_timeout: Duration,
    /// For the whole fetch.
    pub timeout: Duration,
    /// Bytes of a body, before and after decoding.
    pub max_size: usize,
    /// How many redirects are followed.
    pub max_redirects: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(30),
            timeout: Duration::from_mins(2),
            max_size: 64 << 20,
            max_redirects: 5,
        }
    }
}

type HyperClient = legacy::Client<Connector, Empty<Bytes>>;

/// Fetches over the network: HTTP/1.1 or HTTP/2, as the host prefers. Connections are shared between the sources of a
/// host, but never between sources that may reach the private network and those that may not.
#[derive(Debug)]
pub struct Client {
    public: HyperClient,
    private: HyperClient,
    options: Options,
}

impl Client {
    /// A client that trusts `roots`.
    pub fn new(options: Options, roots: &RootCertStore) -> Self {
        let client = |reach| {
            legacy::Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .timer(TokioTimer::new())
                .pool_idle_timeout(Duration::from_mins(1))
                .pool_max_idle_per_host(4)
                .http1_max_buf_size(64 << 10)
                .http2_max_header_list_size(32 << 10)
                .build(Connector::new(reach, options.connect_timeout, roots.clone()))
        };
        Self { public: client(Reach::Public), private: client(Reach::Private), options }
    }

    async fn follow(&self, order: Order) -> Result<Fetched, FetchError> {
        let mut address = order.address;
        for _ in 0..=self.options.max_redirects {
            let response = self.ask(&address, order.reach, &order.validators).await?;
            if !is_redirect(response.status()) {
                return self.answer(response, !order.validators.is_empty()).await;
            }
            let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
            let next = location.and_then(|location| address.join(location)).ok_or(FetchError::BadRedirect)?;
            if is_sign_in(next.host()) {
                return Err(FetchError::SignIn);
            }
            if next.uri().path().starts_with("/sorry/") {
                return Err(FetchError::Captcha);
            }
            if address.is_encrypted() && !next.is_encrypted() {
                return Err(FetchError::Downgrade);
            }
            address = next;
        }
        Err(FetchError::Redirects(self.options.max_redirects))
    }

    async fn ask(
        &self,
        address: &Address,
        reach: Reach,
        validators: &Validators,
    ) -> Result<Response<Incoming>, FetchError> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = address.uri().clone();
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        headers.insert(ACCEPT, HeaderValue::from_static("text/calendar, */*;q=0.1"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        if let Some(credentials) = address.credentials() {
            headers.insert(AUTHORIZATION, credentials.clone());
        }
        for (name, value) in [(IF_NONE_MATCH, &validators.etag), (IF_MODIFIED_SINCE, &validators.last_modified)] {
            if let Some(value) = value.as_ref().and_then(|value| HeaderValue::from_str(value).ok()) {
                headers.insert(name, value);
            }
        }
        let client = match reach {
            Reach::Public => &self.public,
            Reach::Private => &self.private,
        };
        let limit = self.options.header_timeout;
        let asked = tokio::time::timeout(limit, client.request(request)).await;
        asked.map_err(|_| FetchError::Timeout { phase: "answer", limit })?.map_err(|error| self.diagnose(&error))
    }

    async fn answer(&self, response: Response<Incoming>, conditional: bool) -> Result<Fetched, FetchError> {
        let (head, incoming) = response.into_parts();
        match head.status {
            StatusCode::NOT_MODIFIED if conditional => Ok(Fetched::NotModified),
            StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT => Err(FetchError::Empty),
            StatusCode::PARTIAL_CONTENT => Err(FetchError::Partial),
            status if status.is_success() => {
                let text = body::read(&head.headers, incoming, self.options.max_size).await?;
                recognise(&text)?;
                Ok(Fetched::Body { text, validators: Validators::of(&head.headers) })
            }
            status => {
                let said = body::peek(&head.headers, incoming, ERROR_PEEK).await;
                Err(refusal(status, retry_after(&head.headers), &said))
            }
        }
    }

    fn diagnose(&self, error: &legacy::Error) -> FetchError {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(error) = cause {
            if error.is::<Forbidden>() {
                return FetchError::PrivateAddress;
            }
            if error.is::<ConnectTimeout>() {
                return FetchError::Timeout { phase: "connection", limit: self.options.connect_timeout };
            }
            if let Some(Unresolved(error)) = error.downcast_ref() {
                return FetchError::Dns(std::io::Error::from(error.kind()));
            }
            if let Some(io) = error.downcast_ref::<std::io::Error>() {
                return self.diagnose_io(io);
            }
            if let Some(hyper) = error.downcast_ref::<hyper::Error>()
                && (hyper.is_parse() || hyper.is_parse_too_large())
            {
                return FetchError::NotHttp;
            }
            cause = error.source();
        }
        FetchError::Interrupted
    }
}

impl Client {
    fn diagnose_io(&self, error: &std::io::Error) -> FetchError {
        // An io::Error that wraps another skips it in its own chain of sources.
        let inner = error.get_ref();
        if let Some(tls) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return FetchError::Tls(tls.to_string());
        }
        if let Some(wrapped) = inner.and_then(|inner| inner.downcast_ref::<std::io::Error>()) {
            return self.diagnose_io(wrapped);
        }
        match error.kind() {
            std::io::ErrorKind::TimedOut => {
                FetchError::Timeout { phase: "connection", limit: self.options.connect_timeout }
            }
            kind => connection_error(kind),
        }
    }
}

fn connection_error(kind: std::io::ErrorKind) -> FetchError {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    match kind {
        BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof => FetchError::Interrupted,
        kind => FetchError::Connect(kind.to_string()),
    }
}

impl Fetch for Client {
    async fn fetch(&self, order: Order) -> Result<Fetched, FetchError> {
        let limit = self.options.timeout;
        match tokio::time::timeout(limit, self.follow(order)).await {
            Ok(fetched) => fetched,
            Err(_) => Err(FetchError::Timeout { phase: "whole answer", limit }),
        }
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn is_sign_in(host: &str) -> bool {
    matches!(host, "accounts.google.com" | "login.microsoftonline.com" | "login.live.com" | "idmsa.apple.com")
}

/// Tells a page from something that may be a calendar, by its first bytes: a captcha and a sign-in page come at 200.
fn recognise(text: &[u8]) -> Result<(), FetchError> {
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

fn refusal(status: StatusCode, retry_after: Option<Duration>, said: &[u8]) -> FetchError {
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
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
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
