//! One request from outside, on a connection of its own, as a phone would make it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::certificate::{Shown, Trust};
use crate::clock::{Clock, Timestamp};
use crate::source::FetchError;

/// For connecting, and for TLS.
pub(super) const CONNECT: Duration = Duration::from_secs(8);
/// For an answer. iOS gives up after 20 s, and a first calendar is waited for a little less than that.
const ANSWER: Duration = Duration::from_secs(25);
/// How much of a body is read: enough to know what it is.
const PEEK: usize = 64 << 10;

/// Where requests go.
#[derive(Debug, Clone)]
pub(super) struct Door {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) address: SocketAddr,
    /// What is trusted; none where nothing is encrypted.
    pub(super) trust: Option<Arc<Trust>>,
    pub(super) clock: Clock,
}

/// Who asks, as the User-Agent says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller {
    /// What it is called in findings.
    pub(super) name: &'static str,
    agent: &'static str,
    headers: &'static [(&'static str, &'static str)],
    /// What it can decode.
    pub(super) codings: &'static str,
}

pub(super) const IPHONE: Caller = Caller {
    name: "iPhone (dataaccessd)",
    agent: "iOS/18.0 (22A3354) dataaccessd/1.0",
    headers: &[("accept", "text/calendar"), ("accept-language", "zh-CN,zh-Hans;q=0.9")],
    codings: "gzip, deflate, br",
};
pub(super) const ANDROID: Caller = Caller {
    name: "Android (ICSx5)",
    agent: "ICSx5/2.3 (okhttp/4.12.0) Android/14",
    headers: &[("accept", "text/calendar, */*;q=0.9")],
    codings: "gzip",
};
/// What other programs are like.
pub(super) const CURL: Caller =
    Caller { name: "curl", agent: "curl/8.5.0", headers: &[("accept", "*/*")], codings: "identity" };

/// How much is asked of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Demand {
    /// That it is accepted.
    Good,
    /// Nothing: for requests without a secret.
    Any,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// Its beginning.
    pub(super) body: Vec<u8>,
    /// When the request was sent, by the own clock.
    pub(super) sent: Timestamp,
    /// When the head of the answer was there.
    pub(super) received: Timestamp,
    /// How long that took.
    pub(super) took: Duration,
    pub(super) certificate: Option<Shown>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// No connection.
    Connect(String),
    /// The other side speaks no TLS that is understood.
    Tls(String),
    /// A certificate that is not good enough.
    Certificate(Box<Shown>),
    /// A connection, and nothing on it.
    Silent(FetchError),
}

impl Reply {
    /// A header's value, as far as it is text.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(super) fn content_type(&self) -> String {
        self.header("content-type").split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// Its beginning as text, as far as it is.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Door {
    /// Asks for `path` as `caller`, with `more` headers.
    pub(super) async fn ask(
        &self,
        path: &str,
        caller: Caller,
        more: &[(HeaderName, &str)],
        demand: Demand,
    ) -> Result<Reply, Failure> {
        let stream = connect(self.address).await.map_err(|kind| Failure::Connect(kind.to_string()))?;
        let Some(trust) = &self.trust else {
            return self.converse(stream, false, None, self.request(path, caller, more, false)?).await;
        };
        let witness = trust.witness();
        let config = ClientConfig::builder_with_provider(Arc::clone(&trust.provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| Failure::Tls(error.to_string()))?;
        let mut config = config
            .dangerous()
            .with_custom_certificate_verifier(Arc::<super::certificate::Witness>::clone(&witness))
            .with_no_client_auth();
        config.alpn_protocols = [&b"h2"[..], b"http/1.1"].map(<[u8]>::to_vec).into();
        let bare = self.host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(bare).map_err(|error| Failure::Tls(error.to_string()))?;
        let shaken = TlsConnector::from(Arc::new(config)).connect(name, stream);
        let stream = match tokio::time::timeout(CONNECT, shaken).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(Failure::Tls(tls_words(&error))),
            Err(_) => return Err(Failure::Tls(std::io::ErrorKind::TimedOut.to_string())),
        };
        let shown = witness.shown();
        match shown {
            Some(shown) if demand == Demand::Good && shown.refused.is_some() => {
                Err(Failure::Certificate(Box::new(shown)))
            }
            shown => {
                let two = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                self.converse(stream, two, shown, self.request(path, caller, more, two)?).await
            }
        }
    }

    fn request(
        &self,
        path: &str,
        caller: Caller,
        more: &[(HeaderName, &str)],
        two: bool,
    ) -> Result<Request<Empty<Bytes>>, Failure> {
        let usual = if self.trust.is_some() { 443 } else { 80 };
        let authority = if self.port == usual { self.host.clone() } else { format!("{}:{}", self.host, self.port) };
        let scheme = if self.trust.is_some() { "https" } else { "http" };
        let uri = if two { format!("{scheme}://{authority}{path}") } else { path.to_owned() };
        let mut request = Request::get(uri).header(USER_AGENT, caller.agent);
        for (name, value) in caller.headers {
            request = request.header(*name, *value);
        }
        for (name, value) in more {
            request = request.header(name, *value);
        }
        if !two {
            request = request.header(HOST, HeaderValue::try_from(authority).map_err(|_| not_http())?);
        }
        request.body(Empty::new()).map_err(|_| not_http())
    }

    async fn converse<IO>(
        &self,
        io: IO,
        two: bool,
        certificate: Option<Shown>,
        request: Request<Empty<Bytes>>,
    ) -> Result<Reply, Failure>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sent, began) = (self.clock.now(), Instant::now());
        let asked = async {
            let (response, connection) = send(io, two, request).await?;
            let (received, took) = (self.clock.now(), began.elapsed());
            let (head, body) = response.into_parts();
            let body = peek(body).await;
            connection.abort();
            Ok(Reply { status: head.status, headers: head.headers, body, sent, received, took, certificate })
        };
        match tokio::time::timeout(ANSWER, asked).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(error)) => Err(Failure::Silent(silence(&error))),
            Err(_) => Err(Failure::Silent(FetchError::Timeout { phase: "answer", limit: ANSWER })),
        }
    }
}

/// A connection to `address`, or what kind of error there is in its place.
pub(super) async fn connect(address: SocketAddr) -> Result<TcpStream, std::io::ErrorKind> {
    match tokio::time::timeout(CONNECT, TcpStream::connect(address)).await {
        Ok(connected) => connected.map_err(|error| error.kind()),
        Err(_) => Err(std::io::ErrorKind::TimedOut),
    }
}

async fn send<IO>(io: IO, two: bool, request: Request<Empty<Bytes>>) -> hyper::Result<(Response<Incoming>, AbortHandle)>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(io);
    if two {
        let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await?;
        let connection = tokio::spawn(connection).abort_handle();
        Ok((sender.send_request(request).await?, connection))
    } else {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await?;
        let connection = tokio::spawn(connection).abort_handle();
        Ok((sender.send_request(request).await?, connection))
    }
}

/// The beginning of a body; what breaks off is as long as it came.
async fn peek(mut body: Incoming) -> Vec<u8> {
    let mut read = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        if let Some(data) = frame.data_ref() {
            read.extend_from_slice(data);
        }
        if read.len() >= PEEK {
            read.truncate(PEEK);
            break;
        }
    }
    read
}

fn silence(error: &hyper::Error) -> FetchError {
    if error.is_parse() || error.is_parse_too_large() { FetchError::NotHttp } else { FetchError::Interrupted }
}

fn not_http() -> Failure {
    Failure::Silent(FetchError::NotHttp)
}

/// What rustls says; of other errors only the kind.
fn tls_words(error: &std::io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    inner.map_or_else(|| error.kind().to_string(), ToString::to_string)
}
