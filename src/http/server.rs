//! Accepting connections, serving HTTP/1.1 and HTTP/2 on them, and ending them in order.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::admin::Admin;
use super::answer::Answer;
use super::caller::Peer;
use super::conversation::Conversation;
use super::front::Front;
use super::gather::{Gate, Gather};
use super::limits::CLIENTS_OF_A_SITE;
use super::listener::{Listener, Stream};
use super::metrics::Metrics;
use super::network::Network;
use super::places::Places;
use super::probe::Encrypted;
use super::sparing::Sparing;
use crate::tls::{Tls, is_refused_certificate};

pub use super::vigil::Patience;

/// How long to wait before accepting again when the system has no file descriptor left.
const EXHAUSTED: Duration = Duration::from_millis(200);

/// How long a connection that was just opened may still bring its request when the server stops.
pub(super) const LAST_REQUEST: Duration = Duration::from_secs(1);

/// Something that answers requests.
pub trait Routes: Send + Sync + 'static {
    /// Answers one request of `peer`.
    fn route(&self, peer: Peer, request: Request<Incoming>) -> impl Future<Output = Answer> + Send;

    /// Whether connections of `peer` are those of one client, not a proxy's.
    fn is_one_client(&self, peer: Peer) -> bool;
}

impl Routes for Front {
    async fn route(&self, peer: Peer, request: Request<Incoming>) -> Answer {
        let answer = self.answer(peer, &request).await;
        self.dates.put_on(answer, self.clock.now())
    }

    fn is_one_client(&self, peer: Peer) -> bool {
        matches!(peer, Peer::Address(_)) && !self.trusts(peer)
    }
}

impl Routes for Admin {
    async fn route(&self, peer: Peer, request: Request<Incoming>) -> Answer {
        self.answer(peer, request).await
    }

    fn is_one_client(&self, peer: Peer) -> bool {
        self.has_password() && matches!(peer, Peer::Address(_)) && !self.front.trusts(peer)
    }
}

/// A listener with its routes.
#[derive(Debug)]
pub struct Server<R> {
    /// What answers.
    pub routes: Arc<R>,
    /// How long a client may take.
    pub patience: Patience,
    /// A place for each connection, of all listeners together. Beyond them, each listener has one wait, and the rest wait
    /// to be accepted.
    pub places: Arc<Places>,
    /// Connections of one client at once. Beyond them, its new ones are closed.
    pub connections_per_client: usize,
    /// Who has how many, as far as they have any.
    pub clients: Clients,
    /// TLS, for connections of the network. Unix sockets go without.
    pub tls: Option<Tls>,
    /// Where connections are counted.
    pub metrics: Arc<Metrics>,
}

/// How many connections every client has open, and every site of clients.
pub type Clients = Arc<Mutex<HashMap<Network, usize>>>;

/// A connection counts as its client's, and its site's, until this is dropped.
struct Admitted(Clients, [Option<Network>; 2]);

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for counted in self.1.iter().flatten() {
            if let Some(open) = clients.get_mut(counted) {
                *open -= 1;
                if *open == 0 {
                    clients.remove(counted);
                }
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
        let failures = Sparing::default();
        loop {
            // A dropped accept loses no connection.
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let Some(admitted) = server.admit(peer) else {
                        server.metrics.crowded();
                        continue;
                    };
                    // When the program stops, idle ones end, and there may be a place yet.
                    let place = tokio::select! {
                        place = server.places.take() => place,
                        () = a_moment_after(&stop) => break,
                    };
                    let (server, stop) = (Arc::clone(&server), stop.clone());
                    connections.spawn(async move {
                        server.connection(stream, peer, stop).await;
                        drop((admitted, place));
                    });
                }
                Err(error) if is_of_one_connection(&error) => debug!(%error, "a connection ended before it began"),
                Err(error) => {
                    if failures.note(Instant::now()).is_some() {
                        warn!(%error, "connections cannot be accepted; allow more open files (LimitNOFILE, ulimit -n)");
                    }
                    tokio::time::sleep(EXHAUSTED).await;
                }
            }
        }
        drop(listener);
        connections.close();
        connections.wait().await;
    }

    async fn connection(&self, stream: Stream, peer: Peer, stop: CancellationToken) {
        let _open = self.metrics.open();
        if let Err(error) = stream.send_at_once() {
            debug!(%error, "TCP_NODELAY");
        }
        match &self.tls {
            // Each in a box of its own: a connection is idle for hours after its handshake, and must not hold the room
            // that this took.
            Some(tls) if stream.is_tcp() => {
                let shaken = Box::pin(self.shake_hands(tls, stream, &stop)).await;
                if let Some(stream) = shaken {
                    Box::pin(self.converse(Box::new(stream), peer, Some(Encrypted), stop)).await;
                }
            }
            _ => Box::pin(self.converse(stream, peer, None, stop)).await,
        }
    }

    /// The handshake, with the deadlines of a request's head. When the program stops it goes on for a moment: behind it
    /// may come a last request.
    async fn shake_hands(
        &self,
        tls: &Tls,
        stream: Stream,
        stop: &CancellationToken,
    ) -> Option<TlsStream<Gate<Stream>>> {
        let handshake = async {
            // What is wrong with the connection shows in the handshake.
            let _ = tokio::time::timeout(self.patience.first_byte, stream.first_byte()).await.ok()?;
            tokio::time::timeout(self.patience.head, tls.accept(Gate::new(stream))).await.ok()
        };
        let shaken = tokio::select! {
            shaken = handshake => shaken,
            () = a_moment_after(stop) => None,
        };
        match shaken {
            Some(Ok(Some(stream))) => return Some(stream),
            Some(Ok(None)) => {
                debug!("an authority checked a name");
                return None;
            }
            Some(Err(error)) => self.tell_of_failure(&error),
            None => {
                self.metrics.cut_connections.inc();
            }
        }
        self.metrics.failed_handshakes.inc();
        None
    }

    /// Anybody can make a handshake fail. That clients are not let in may be a mistake of the operator's.
    fn tell_of_failure(&self, error: &io::Error) {
        debug!(%error, "a handshake failed");
        if is_refused_certificate(error)
            && let Some(times) = self.metrics.refused_certificates.note(Instant::now())
        {
            warn!(times, %error, "turned away because the client showed no certificate that server.tls.client_ca accepts: {times} since this was last said");
        }
    }

    /// A place among the connections of this client and of its site; `None` if one of them has too many. A proxy's are
    /// those of many clients.
    fn admit(&self, peer: Peer) -> Option<Admitted> {
        let client = self.routes.is_one_client(peer).then(|| Network::of(peer));
        let counted = [client, client.and_then(Network::site)];
        let most = [1, CLIENTS_OF_A_SITE.get() as usize].map(|clients| clients * self.connections_per_client);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let open = |network| clients.get(&network).copied().unwrap_or_default();
        if counted.iter().zip(most).any(|(network, most)| network.is_some_and(|network| open(network) >= most)) {
            return None;
        }
        for network in counted.into_iter().flatten() {
            *clients.entry(network).or_default() += 1;
        }
        Some(Admitted(Arc::clone(&self.clients), counted))
    }

    async fn converse<IO>(&self, stream: IO, peer: Peer, tls: Option<Encrypted>, stop: CancellationToken)
    where
        IO: AsyncRead + AsyncWrite + Gather + Unpin + Send + 'static,
    {
        let (routes, patience) = (&self.routes, self.patience);
        let (metrics, places) = (&self.metrics, &*self.places);
        Conversation { routes, peer, tls, patience, metrics, places, stop: &stop }.run(stream).await;
    }
}

/// Waits until the program stops, and as long as what is new may then still bring its request.
async fn a_moment_after(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(LAST_REQUEST).await;
}

/// Whether accepting failed for the one connection that it was about, and says nothing of the next (`accept(2)`).
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests;
