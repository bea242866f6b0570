//! What is left of a server when everything it does is taken away: hyper, sending the same two answers for ever.
//!
//! `bare_hyper LISTEN HEAD_200 HEAD_304 BODY [CERTIFICATE KEY]`: heads as `curl --dump-header` writes them, a body, and for
//! TLS two PEM files. A request with `If-None-Match` gets the 304, any other the 200. The runtime, the allocator, the TLS
//! and the socket options are calferry's, so that the difference between the two is calferry's own work. `Date` and
//! `Content-Length` are left to hyper, as there.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, DATE, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const USAGE: &str = "usage: bare_hyper LISTEN HEAD_200 HEAD_304 BODY [CERTIFICATE KEY]";

/// The two answers.
struct Answers {
    whole: (HeaderMap, Bytes),
    not_modified: HeaderMap,
}

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let ([listen, head_200, head_304, body], files) = args.split_first_chunk().context(USAGE)?;
    let tls = match files {
        [] => None,
        [certificate, key] => Some(tls(certificate, key)?),
        _ => anyhow::bail!(USAGE),
    };
    let body = std::fs::read(body).with_context(|| body.clone())?;
    let answers = Answers { whole: (head(head_200)?, body.into()), not_modified: head(head_304)? };
    let listen = listen.parse().context("LISTEN is an address with a port")?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(listen, tls, Arc::new(answers)))
}

fn tls(certificate: &str, key: &str) -> anyhow::Result<TlsAcceptor> {
    let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<_, _>>()?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = builder.with_no_client_auth().with_single_cert(chain, PrivateKeyDer::from_pem_file(key)?)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn serve(listen: SocketAddr, tls: Option<TlsAcceptor>, answers: Arc<Answers>) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (tls, answers) = (tls.clone(), Arc::clone(&answers));
        tokio::spawn(async move {
            match tls {
                None => connection(stream, answers).await,
                // A client that has seen enough cuts its connections.
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        connection(stream, answers).await;
                    }
                }
            }
        });
    }
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, answers: Arc<Answers>) {
    let service = service_fn(|request: Request<Incoming>| {
        let answer = answers.answer(&request);
        async move { Ok::<_, Infallible>(answer) }
    });
    // As above.
    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

impl Answers {
    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let (status, head, body) = if request.headers().contains_key(IF_NONE_MATCH) {
            (StatusCode::NOT_MODIFIED, &self.not_modified, Bytes::new())
        } else {
            (StatusCode::OK, &self.whole.0, self.whole.1.clone())
        };
        let mut answer = Response::new(Full::new(body));
        *answer.status_mut() = status;
        *answer.headers_mut() = head.clone();
        answer
    }
}

fn head(path: impl AsRef<Path>) -> anyhow::Result<HeaderMap> {
    let path = path.as_ref();
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let mut head = HeaderMap::new();
    for (name, value) in text.lines().filter_map(|line| line.split_once(": ")) {
        let name: HeaderName = name.parse()?;
        if name != DATE && name != CONTENT_LENGTH {
            head.append(name, HeaderValue::from_str(value)?);
        }
    }
    Ok(head)
}
