//! Accepting connections, serving HTTP/1.1 and HTTP/2 on them, and ending them in order.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::admin::Admin;
use super::answer::{self, Answer};
use super::caller::Peer;
use super::front::Front;
use super::metrics::Metrics;
use super::vigil::{Ruling, Vigil, Watched};

pub use super::vigil::Patience;

/// Longest head of a request: a URL and the headers of any client, many times over.
const HEAD_MAX: usize = 16 << 10;
const HEADERS_MAX: usize = 64;
/// How long to wait before accepting again when the system has no file descriptor left.
const EXHAUSTED: Duration = Duration::from_millis(200);

/// How long a connection that was just opened may still bring its request when the server stops.
const LAST_REQUEST: Duration = Duration::from_secs(1);

/// Something that answers requests.
pub trait Routes: Send + Sync + 'static {
    /// Answers one request of `peer`.
    fn route(&self, peer: Peer, request: Request<Incoming>) -> impl Future<Output = Answer> + Send;
}

impl Routes for Front {
    async fn route(&self, peer: Peer, request: Request<Incoming>) -> Answer {
        answer::dated(self.answer(peer, request).await, self.clock.now())
    }
}

impl Routes for Admin {
    async fn route(&self, _: Peer, request: Request<Incoming>) -> Answer {
        self.answer(&request).await
    }
}

/// A listener with its routes.
#[derive(Debug)]
pub struct Server<R> {
    /// What answers.
    pub routes: Arc<R>,
    /// How long a client may take.
    pub patience: Patience,
    /// Connections at once. Beyond them, new ones wait to be accepted.
    pub max_connections: usize,
    /// Where connections are counted.
    pub metrics: Arc<Metrics>,
}

impl<R: Routes> Server<R> {
    /// Serves `listener` until `stop` is cancelled; then no connection is accepted any more, requests under way are
    /// answered, and idle connections end. Returns when the last one has ended: bound it in time.
    pub async fn run(self, listener: TcpListener, stop: CancellationToken) {
        let server = Arc::new(self);
        let places = Arc::new(Semaphore::new(server.max_connections));
        let connections = TaskTracker::new();
        loop {
            let place = Arc::clone(&places).acquire_owned();
            // A dropped accept loses no connection, a dropped acquire no place.
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = async { (place.await, listener.accept().await) } => accepted,
            };
            match accepted {
                (Ok(place), Ok((stream, peer))) => {
                    let (server, stop) = (Arc::clone(&server), stop.clone());
                    connections.spawn(async move {
                        server.connection(stream, peer, stop).await;
                        drop(place);
                    });
                }
                (_, Err(error)) => {
                    warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(EXHAUSTED).await;
                }
                (Err(_), _) => break,
            }
        }
        drop(listener);
        connections.close();
        connections.wait().await;
    }

    async fn connection(&self, stream: TcpStream, peer: SocketAddr, stop: CancellationToken) {
        let _open = self.metrics.open();
        // Without it, a small answer may wait for the client's acknowledgement of the one before.
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "TCP_NODELAY");
        }
        let vigil = Vigil::new(self.patience);
        let io = TokioIo::new(Watched::new(stream, Arc::clone(&vigil)));
        let service = service_fn(|request| {
            let (answering, routes) = (vigil.answering(), Arc::clone(&self.routes));
            async move {
                let answer = routes.route(Peer::Address(peer.ip()), request).await;
                drop(answering);
                Ok::<_, Infallible>(answer)
            }
        });
        let builder = builder();
        let mut connection = pin!(builder.serve_connection(io, service));
        let mut look = pin!(tokio::time::sleep(self.patience.first_byte));
        let mut stopping = pin!(stop.cancelled());
        let mut stopped = false;
        let mut ending = false;
        loop {
            tokio::select! {
                biased;
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        debug!(error = &*error, "a connection ended badly");
                    }
                    return;
                }
                () = look.as_mut() => match vigil.rule(look.deadline()) {
                    Ruling::GoOn(next) => {
                        look.as_mut().reset(next);
                        if stopped && !ending {
                            ending = true;
                            connection.as_mut().graceful_shutdown();
                        }
                    }
                    Ruling::Cut => {
                        self.metrics.cut_connections.inc();
                        return;
                    }
                },
                () = stopping.as_mut(), if !stopped => {
                    stopped = true;
                    // A request that is on its way here is not left without an answer.
                    let wait = if vigil.expects_request() { LAST_REQUEST } else { Duration::ZERO };
                    look.as_mut().reset(Instant::now() + wait);
                }
            }
        }
    }
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        // The vigil's deadlines cover what hyper's would, and what they would not.
        .header_read_timeout(None)
        .max_buf_size(HEAD_MAX)
        .max_headers(HEADERS_MAX)
        .half_close(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(100)
        .max_header_list_size(16 << 10)
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(20)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10));
    builder
}
