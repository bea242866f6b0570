//! Accepting connections, serving HTTP/1.1 and HTTP/2 on them, and ending them in order.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::admin::Admin;
use super::answer::{self, Answer};
use super::caller::Peer;
use super::front::Front;
use super::limits::network;
use super::listener::{Listener, Stream};
use super::metrics::Metrics;
use super::vigil::{Ruling, Vigil, Watched};
use crate::tls::Tls;

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

    /// Whether connections of `peer` are those of one client, not a proxy's.
    fn is_one_client(&self, peer: Peer) -> bool;
}

impl Routes for Front {
    async fn route(&self, peer: Peer, request: Request<Incoming>) -> Answer {
        answer::dated(self.answer(peer, request).await, self.clock.now())
    }

    fn is_one_client(&self, peer: Peer) -> bool {
        matches!(peer, Peer::Address(_)) && !self.trusts(peer)
    }
}

impl Routes for Admin {
    async fn route(&self, _: Peer, request: Request<Incoming>) -> Answer {
        self.answer(&request).await
    }

    fn is_one_client(&self, _: Peer) -> bool {
        false
    }
}

/// A listener with its routes.
#[derive(Debug)]
pub struct Server<R> {
    /// What answers.
    pub routes: Arc<R>,
    /// How long a client may take.
    pub patience: Patience,
    /// A place for each connection, of all listeners together. Beyond them, new ones wait to be accepted.
    pub places: Arc<Semaphore>,
    /// Connections of one client at once. Beyond them, its new ones are closed.
    pub connections_per_client: usize,
    /// Who has how many, as far as they have any.
    pub clients: Clients,
    /// TLS, for connections of the network. Unix sockets go without.
    pub tls: Option<Tls>,
    /// Where connections are counted.
    pub metrics: Arc<Metrics>,
}

/// How many connections every client has open.
pub type Clients = Arc<Mutex<HashMap<Peer, usize>>>;

/// A connection counts as its client's until this is dropped.
struct Admitted<'a>(Option<(&'a Clients, Peer)>);

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        let Some((clients, client)) = &self.0 else { return };
        let mut clients = clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = clients.get_mut(client) {
            *open -= 1;
            if *open == 0 {
                clients.remove(client);
            }
        }
    }
}

impl<R: Routes> Server<R> {
    /// Serves `listener` until `stop` is cancelled; then no connection is accepted any more, requests under way are
    /// answered, and idle connections end. Returns when the last one has ended: bound it in time.
    pub async fn run(self, listener: Listener, stop: CancellationToken) {
        let server = Arc::new(self);
        let connections = TaskTracker::new();
        loop {
            let place = Arc::clone(&server.places).acquire_owned();
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

    async fn connection(&self, stream: Stream, peer: Peer, stop: CancellationToken) {
        let _open = self.metrics.open();
        let Some(_admitted) = self.admit(peer) else {
            self.metrics.crowded_connections.inc();
            return;
        };
        if let Err(error) = stream.send_at_once() {
            debug!(%error, "TCP_NODELAY");
        }
        match &self.tls {
            Some(tls) if stream.is_tcp() => {
                if let Some(stream) = self.shake_hands(tls, stream, &stop).await {
                    self.converse(stream, peer, stop).await;
                }
            }
            _ => self.converse(stream, peer, stop).await,
        }
    }

    /// The handshake, with the deadlines of a request's head. When the program stops it goes on for a moment: behind it
    /// may come a last request.
    async fn shake_hands(&self, tls: &Tls, stream: Stream, stop: &CancellationToken) -> Option<TlsStream<Stream>> {
        let handshake = async {
            // What is wrong with the connection shows in the handshake.
            let _ = tokio::time::timeout(self.patience.first_byte, stream.readable()).await.ok()?;
            tokio::time::timeout(self.patience.head, tls.accept(stream)).await.ok()
        };
        let stopped = async {
            stop.cancelled().await;
            tokio::time::sleep(LAST_REQUEST).await;
        };
        let shaken = tokio::select! {
            shaken = handshake => shaken,
            () = stopped => None,
        };
        match shaken {
            Some(Ok(Some(stream))) => return Some(stream),
            Some(Ok(None)) => {
                debug!("an authority checked a name");
                return None;
            }
            Some(Err(error)) => debug!(%error, "a handshake failed"),
            None => {
                self.metrics.cut_connections.inc();
            }
        }
        self.metrics.failed_handshakes.inc();
        None
    }

    /// A place among the connections of this client; `None` if it has too many. A proxy's are those of many clients.
    fn admit(&self, peer: Peer) -> Option<Admitted<'_>> {
        if !self.routes.is_one_client(peer) {
            return Some(Admitted(None));
        }
        let client = network(peer);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let open = clients.entry(client).or_default();
        if *open >= self.connections_per_client {
            return None;
        }
        *open += 1;
        Some(Admitted(Some((&self.clients, client))))
    }

    async fn converse<IO>(&self, stream: IO, peer: Peer, stop: CancellationToken)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let vigil = Vigil::new(self.patience);
        let io = TokioIo::new(Watched::new(stream, Arc::clone(&vigil)));
        let service = service_fn(|request| {
            let (answering, routes) = (vigil.answering(), Arc::clone(&self.routes));
            async move {
                let answer = routes.route(peer, request).await;
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
