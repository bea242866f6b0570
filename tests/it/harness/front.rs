//! What stands between phones and the program: it encrypts, passes requests on with the client's address, and says of
//! itself what Cloudflare says; and then it does as it is told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::client::{request, send};

pub(crate) type Answer = Response<Bytes>;

/// The client that the front names.
pub(crate) const CLIENT: &str = "203.0.113.7";

/// What is asked of the front.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn is_probe(&self) -> bool {
        self.path.ends_with("/probe")
    }

    pub(crate) fn is_calendar(&self) -> bool {
        self.path.strip_suffix(".ics").is_some()
    }
}

type Reply = Box<dyn Fn(&Asked) -> Option<Answer> + Send + Sync>;
type Change = Box<dyn Fn(&Asked, &mut Answer) + Send + Sync>;

/// What the front does.
pub(crate) enum Manner {
    /// Passes everything on.
    Honest,
    /// Passes on what this has no answer for.
    Instead(Reply),
    /// Changes what is passed on to the program.
    Inwards(Box<dyn Fn(&mut Asked) + Send + Sync>),
    /// Changes answers.
    Outwards(Change),
    /// Has what comes of the program's probe wait so long.
    Late(Duration),
}

impl Manner {
    pub(crate) fn instead(answer: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static) -> Self {
        Self::Instead(Box::new(answer))
    }

    pub(crate) fn inwards(change: impl Fn(&mut Asked) + Send + Sync + 'static) -> Self {
        Self::Inwards(Box::new(change))
    }

    pub(crate) fn outwards(change: impl Fn(&Asked, &mut Answer) + Send + Sync + 'static) -> Self {
        Self::Outwards(Box::new(change))
    }
}

#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) address: SocketAddr,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Front {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Front {
    /// Stands before `program`, encrypted if there is a way to.
    pub(crate) async fn start(program: SocketAddr, tls: Option<TlsAcceptor>, manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, manner) = (listener.local_addr().unwrap(), Arc::new(manner));
        let serving = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (manner, tls) = (Arc::clone(&manner), tls.clone());
                connections.spawn(async move {
                    match tls {
                        None => converse(stream, program, manner).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                converse(stream, program, manner).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, serving }
    }
}

/// An answer of the front's own.
pub(crate) fn page(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut answer = Response::builder().status(status).header("server", "cloudflare").header("cf-ray", "8c0ffee-HKG");
    for (name, value) in headers {
        answer = answer.header(*name, *value);
    }
    answer.body(Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

async fn converse<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    io: IO,
    program: SocketAddr,
    manner: Arc<Manner>,
) {
    let service = service_fn(|asked: http::Request<Incoming>| {
        let manner = Arc::clone(&manner);
        async move {
            let asked = Asked { path: asked.uri().path().to_owned(), headers: asked.headers().clone() };
            Ok::<_, std::convert::Infallible>(answer(asked, program, &manner).await.map(Full::new))
        }
    });
    // A client that has heard enough hangs up.
    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(io), service).await;
}

async fn answer(mut asked: Asked, program: SocketAddr, manner: &Manner) -> Answer {
    if let Manner::Instead(answer) = manner
        && let Some(answer) = answer(&asked)
    {
        return answer;
    }
    asked.headers.insert("cf-connecting-ip", CLIENT.parse().unwrap());
    if let Manner::Inwards(change) = manner {
        change(&mut asked);
    }
    let mut answer = pass_on(&asked, program).await;
    match manner {
        Manner::Outwards(change) => change(&asked, &mut answer),
        Manner::Late(wait) if asked.is_probe() => tokio::time::sleep(*wait).await,
        _ => {}
    }
    answer
}

async fn pass_on(asked: &Asked, program: SocketAddr) -> Answer {
    if asked.path == "/cdn-cgi/trace" {
        let now = calferry::clock::Clock::System.now().as_secs();
        return page(200, &[("content-type", "text/plain")], &format!("fl=1\nh=cal.example.com\nts={now}.123\n"));
    }
    let mut inward = request("GET", &asked.path, &[]);
    for (name, value) in asked.headers.iter().filter(|(name, _)| *name != "host") {
        inward.headers_mut().append(name, value.clone());
    }
    let reply = send(program, inward).await;
    let mut answer = page(reply.status.as_u16(), &[], "");
    for (name, value) in
        reply.headers.iter().filter(|(name, _)| !["connection", "content-length"].contains(&name.as_str()))
    {
        answer.headers_mut().insert(name, value.clone());
    }
    *answer.body_mut() = reply.body;
    answer
}
