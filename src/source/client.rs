//! One fetch by one way, from the order to a calendar or an error.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LOCATION, USER_AGENT,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::RootCertStore;

use super::address::Address;
use super::body;
use super::connect::Connector;
use super::diagnose::diagnose;
use super::error::FetchError;
use super::guard::Reach;
use super::space::Share;
use super::verdict::{ERROR_PEEK, is_permanent, is_redirect, is_sign_in, recognise, refusal, retry_after};
use super::way::Way;

/// Who asks; an operator of the other side can see what this is.
const AGENT: &str =
    concat!("calferry/", env!("CARGO_PKG_VERSION"), " (calendar relay for one subscriber's own calendar)");
/// Longest validator that is kept.
const VALIDATOR_MAX: usize = 512;

/// What to fetch.
#[derive(Debug, Clone)]
pub struct Order {
    /// The calendar's address.
    pub address: Address,
    /// How far it may lead.
    pub reach: Reach,
    /// Ports it may lead to, if its reach is public.
    pub ports: Arc<[u16]>,
    /// The way to take.
    pub way: Way,
    /// What the upstream said of the copy that is held.
    pub validators: Validators,
    /// What the answer has of the space for large ones. To be held for as long as the answer is.
    pub share: Arc<Share>,
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
    NotModified {
        /// The host to which the calendar has moved for good (301, 308), if that is another.
        moved_to: Option<Arc<str>>,
    },
    /// A body at 2xx, decoded. Whether it is a calendar is for the caller to see.
    Body {
        /// The decoded bytes.
        text: Vec<u8>,
        /// What to send with the next question.
        validators: Validators,
        /// The host to which the calendar has moved for good (301, 308), if that is another.
        moved_to: Option<Arc<str>>,
    },
    /// The answer is large and was not read: there is no space for it now. To be asked for again when there is.
    NoSpace,
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

/// Clients that are kept. More ways than these come only of settings that were read again and again; then all start anew.
const CLIENTS: usize = 256;

/// Fetches over the network: HTTP/1.1 or HTTP/2, as the host prefers. Connections and TLS sessions are shared between the
/// sources of a host, but never between two ways, nor between sources that may reach the private network and those that
/// may not.
#[derive(Debug)]
pub struct Client {
    clients: Mutex<HashMap<(Way, Reach), HyperClient>>,
    roots: RootCertStore,
    options: Options,
}

impl Client {
    /// A client that trusts `roots`.
    pub fn new(options: Options, roots: &RootCertStore) -> Self {
        Self { clients: Mutex::default(), roots: roots.clone(), options }
    }

    fn client(&self, way: &Way, reach: Reach) -> HyperClient {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&(way.clone(), reach)) {
            return client.clone();
        }
        if clients.len() >= CLIENTS {
            clients.clear();
        }
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            // Long enough for the sources of one host, which follow each other; a host of one source is asked again after
            // minutes, and many of those would hold many files.
            .pool_idle_timeout(Duration::from_secs(15))
            .pool_max_idle_per_host(4)
            .http1_max_buf_size(64 << 10)
            .http2_max_header_list_size(32 << 10)
            .build(Connector::new(way, reach, self.options.connect_timeout, self.roots.clone()));
        clients.insert((way.clone(), reach), client.clone());
        client
    }

    async fn follow(&self, order: Order) -> Result<Fetched, FetchError> {
        let client = self.client(&order.way, order.reach);
        let mut address = order.address.clone();
        let (mut for_good, mut moved_to) = (true, None);
        for _ in 0..=self.options.max_redirects {
            let port = address.port();
            if order.reach == Reach::Public && !order.ports.contains(&port) {
                return Err(FetchError::ForbiddenPort(port));
            }
            let response = self.ask(&client, &address, &order.validators).await?;
            if !is_redirect(response.status()) {
                return self.answer(response, &order, moved_to).await;
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
            for_good &= is_permanent(response.status());
            if for_good {
                moved_to = Some(next.host()).filter(|host| *host != order.address.host()).map(Arc::from);
            }
            address = next;
        }
        Err(FetchError::Redirects(self.options.max_redirects))
    }

    async fn ask(
        &self,
        client: &HyperClient,
        address: &Address,
        validators: &Validators,
    ) -> Result<Response<Incoming>, FetchError> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = address.uri();
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        headers.insert(ACCEPT, HeaderValue::from_static("text/calendar, */*;q=0.1"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        if let Some(credentials) = address.credentials() {
            headers.insert(AUTHORIZATION, credentials);
        }
        for (name, value) in [(IF_NONE_MATCH, &validators.etag), (IF_MODIFIED_SINCE, &validators.last_modified)] {
            if let Some(value) = value.as_ref().and_then(|value| HeaderValue::from_str(value).ok()) {
                headers.insert(name, value);
            }
        }
        let limit = self.options.header_timeout;
        let asked = tokio::time::timeout(limit, client.request(request)).await;
        asked
            .map_err(|_| FetchError::Timeout { phase: "answer", limit })?
            .map_err(|error| diagnose(&error, self.options.connect_timeout))
    }

    async fn answer(
        &self,
        response: Response<Incoming>,
        order: &Order,
        moved_to: Option<Arc<str>>,
    ) -> Result<Fetched, FetchError> {
        let (head, incoming) = response.into_parts();
        match head.status {
            StatusCode::NOT_MODIFIED if !order.validators.is_empty() => Ok(Fetched::NotModified { moved_to }),
            StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT => Err(FetchError::Empty),
            StatusCode::PARTIAL_CONTENT => Err(FetchError::Partial),
            status if status.is_success() => {
                let read = body::read(&head.headers, incoming, self.options.max_size, &order.share).await?;
                let Some(text) = read else { return Ok(Fetched::NoSpace) };
                recognise(&text)?;
                Ok(Fetched::Body { text, validators: Validators::of(&head.headers), moved_to })
            }
            status => {
                let said = body::peek(&head.headers, incoming, ERROR_PEEK).await;
                Err(refusal(status, retry_after(&head.headers), &said))
            }
        }
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

#[cfg(test)]
mod tests;
