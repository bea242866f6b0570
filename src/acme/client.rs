//! HTTPS to the authority: every question has a deadline, every answer a cap, and what the authority says of coming back
//! later is kept.

use std::error::Error as _;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::USER_AGENT;
use http::{HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::{ClientConfig, RootCertStore};

use crate::source::retry_after;

/// For one question and its answer.
const DEADLINE: Duration = Duration::from_secs(30);
/// For connecting, of that.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest answer: a chain of certificates is some ten kilobytes.
const ANSWER_MAX: usize = 256 << 10;
/// Who asks (RFC 8555 §6.1 demands a name).
const AGENT: &str = concat!("calferry/", env!("CARGO_PKG_VERSION"), " (certificates by ACME)");

/// Why the authority gave no answer that can be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    /// No connection, or one that broke.
    #[error("it cannot be reached: {}", chain(.0))]
    Unreachable(legacy::Error),
    /// The answer broke off.
    #[error("its answer broke off")]
    Interrupted,
    /// It did not come in time.
    #[error("it did not answer within {} s", DEADLINE.as_secs())]
    Late,
    /// It is longer than any that makes sense.
    #[error("its answer is longer than {} KiB", ANSWER_MAX >> 10)]
    TooLarge,
    /// A failure without the document that says what failed: that of a proxy on the way, or of an overload.
    #[error("it answered {0} without a reason")]
    Status(StatusCode),
}

/// A client of one authority. Clones share what they remember.
#[derive(Clone)]
pub(super) struct Client {
    https: legacy::Client<HttpsConnector<HttpConnector>, BodyWrapper<Bytes>>,
    asked: Arc<Mutex<Option<Duration>>>,
}

impl Client {
    /// A client that trusts `roots`, and speaks to nobody without TLS, wherever the authority's answers point.
    pub(super) fn new(roots: RootCertStore) -> Self {
        let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has suites for TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT));
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_all_versions().wrap_connector(tcp);
        let https = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(15))
            .build(connector);
        Self { https, asked: Arc::default() }
    }

    /// How long the authority last asked to be left alone when it refused something; it is forgotten with that.
    pub(super) fn take_asked(&self) -> Option<Duration> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    async fn answer(self, mut request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, NoAnswer> {
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(AGENT));
        let response = self.https.request(request).await.map_err(NoAnswer::Unreachable)?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_MAX).collect().await.map_err(|error| {
            if error.is::<http_body_util::LengthLimitError>() { NoAnswer::TooLarge } else { NoAnswer::Interrupted }
        })?;
        let body = body.to_bytes();
        if head.status.is_client_error() || head.status.is_server_error() {
            if let Some(pause) = retry_after(&head.headers) {
                *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(pause);
            }
            // RFC 8555 §6.7: what is refused comes with a document.
            if serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&body).is_err() {
                return Err(NoAnswer::Status(head.status));
            }
        }
        Ok(BytesResponse { parts: head, body: Box::new(body) })
    }
}

impl HttpClient for Client {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let answer = self.clone().answer(request);
        Box::pin(async move {
            let answer = tokio::time::timeout(DEADLINE, answer).await.unwrap_or(Err(NoAnswer::Late));
            answer.map_err(|error| Error::Other(error.into()))
        })
    }
}

/// All that is known of an error: hyper's own words only say which step failed.
fn chain(error: &legacy::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push_str(": ");
        words.push_str(&error.to_string());
        cause = error.source();
    }
    words
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}
