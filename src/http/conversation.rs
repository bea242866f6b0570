//! One connection's requests, from its first byte to its last answer.
//!
//! hyper holds some 24 KiB for as long as it has a connection, and most connections are idle most of the time. One of
//! HTTP/1.1 that has gone idle is taken back from it, and given to it again with the first bytes of its next request.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use http::header::CONNECTION;
use http::{HeaderValue, Request};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tracing::debug;

use super::answer::Answer;
use super::caller::Peer;
use super::gather::Gather;
use super::metrics::Metrics;
use super::places::Places;
use super::probe::{Encrypted, PROBE};
use super::server::{LAST_REQUEST, Routes};
use super::turns::{Here, Turns};
use super::vigil::{Patience, Ruling, Vigil, Watched};

/// Longest head of a request: a URL and the headers of any client, many times over.
const HEAD_MAX: usize = 16 << 10;
const HEADERS_MAX: usize = 64;
/// How long a client may take to hear that the connection ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// How old a connection gets before it is told to end, and by how much that varies, or those that began together would all
/// come again together. Who may call is looked at when a connection begins: who was let in by a certificate that counts no
/// more, or by a place that is another's by now, is not let in for ever. nginx's `keepalive_time` is an hour, too.
const AGE: Duration = Duration::from_hours(1);
const AGE_SPREAD: Duration = Duration::from_mins(10);

/// What a connection needs beside its bytes.
#[derive(Debug)]
pub(super) struct Conversation<'a, R> {
    pub(super) routes: &'a Arc<R>,
    pub(super) peer: Peer,
    pub(super) tls: Option<Encrypted>,
    pub(super) patience: Patience,
    pub(super) metrics: &'a Metrics,
    pub(super) places: &'a Places,
    pub(super) stop: &'a CancellationToken,
}

impl<R: Routes> Conversation<'_, R> {
    /// Answers requests until the client, a deadline or the program's end ends it.
    pub(super) async fn run<IO>(&self, stream: IO)
    where
        IO: AsyncRead + AsyncWrite + Gather + Unpin + Send + 'static,
    {
        let vigil = Vigil::new(self.patience);
        let mut watch = Watch::new(Arc::clone(&vigil), self);
        let mut io = Watched::new(stream, Arc::clone(&vigil));
        if !watch.first_bytes(&mut io).await {
            return end(io).await;
        }
        if io.speaks_http2() {
            vigil.is_multiplexed();
            return Box::pin(self.multiplexed(io, watch)).await;
        }
        // In a box, so that an idle one holds nothing of it.
        while let Some(idle) = Box::pin(self.one_by_one(io, &mut watch)).await {
            io = idle;
            if !watch.first_bytes(&mut io).await {
                return end(io).await;
            }
        }
    }

    /// HTTP/1.1. Returns the bytes when it has gone idle.
    async fn one_by_one<IO>(&self, io: Watched<IO>, watch: &mut Watch<'_>) -> Option<Watched<IO>>
    where
        IO: AsyncRead + AsyncWrite + Gather + Unpin + Send + 'static,
    {
        let vigil = Arc::clone(&watch.vigil);
        let service = service_fn(|request| self.answer(&vigil, request));
        let mut connection = http1().serve_connection(TokioIo::new(io), service);
        loop {
            let call = tokio::select! {
                biased;
                ended = &mut connection => {
                    if let Err(error) = ended {
                        debug!(%error, "a connection ended badly");
                    }
                    return None;
                }
                call = watch.call() => call,
            };
            match call {
                Call::Cut => return None,
                Call::Stop => Pin::new(&mut connection).graceful_shutdown(),
                // hyper has just been asked, and had nothing left to do.
                Call::Idle => {
                    let parts = connection.into_parts();
                    let mut io = parts.io.into_inner();
                    io.unread(&parts.read_buf);
                    return Some(io);
                }
                Call::Busy => {}
            }
        }
    }

    /// HTTP/2.
    async fn multiplexed<IO>(&self, io: Watched<IO>, mut watch: Watch<'_>)
    where
        IO: AsyncRead + AsyncWrite + Gather + Unpin + Send + 'static,
    {
        let vigil = Arc::clone(&watch.vigil);
        // hyper moves what is to answer from hand to hand before it runs, and it is large.
        let service = service_fn(|request| Box::pin(self.answer(&vigil, request)));
        let (turns, bytes) = Turns::new(io);
        let mut connection = pin!(http2().serve_connection(TokioIo::new(bytes), service));
        loop {
            tokio::select! {
                biased;
                ended = poll_fn(|cx| turns.poll(connection.as_mut(), cx)) => {
                    if let Err(error) = ended {
                        debug!(%error, "a connection ended badly");
                    }
                    return;
                }
                call = watch.call() => match call {
                    Call::Cut => return,
                    Call::Stop => connection.as_mut().graceful_shutdown(),
                    Call::Idle | Call::Busy => watch.look_soon(),
                },
            }
        }
    }

    fn answer(
        &self,
        vigil: &Arc<Vigil>,
        mut request: Request<Incoming>,
    ) -> impl Future<Output = Result<Answer, Infallible>> + Send + use<R> {
        let (answering, routes, peer) = (vigil.answering(), Arc::clone(self.routes), self.peer);
        // Only there does anybody ask for it, and it is not free.
        if let Some(mark) = self.tls.filter(|_| request.uri().path().ends_with(PROBE)) {
            request.extensions_mut().insert(mark);
        }
        async move {
            let mut answer = routes.route(peer, request).await;
            if answering.is_last() {
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            drop(answering);
            Ok(answer)
        }
    }
}

/// Says goodbye, as TLS wants it.
async fn end<IO: AsyncRead + AsyncWrite + Unpin>(mut io: Watched<IO>) {
    if let Ok(Err(error)) = tokio::time::timeout(FAREWELL, io.shutdown()).await {
        debug!(%error, "a connection ended badly");
    }
}

/// What ends a connection that does not end by itself.
struct Watch<'a> {
    vigil: Arc<Vigil>,
    look: Pin<Box<Sleep>>,
    soon: Duration,
    /// One for all the connection's time: to queue anew whenever it is polled would take a lock each time.
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
    stopping: bool,
    /// When it is old.
    old: Instant,
    metrics: &'a Metrics,
    places: &'a Places,
}

/// What is to be done about a connection.
enum Call {
    /// Nothing.
    Busy,
    /// Nothing; it has been idle for a while.
    Idle,
    /// It is to end after what it is doing. Said once, or again and again.
    Stop,
    /// It is to end now.
    Cut,
}

impl<'a> Watch<'a> {
    fn new<R>(vigil: Arc<Vigil>, of: &'a Conversation<'_, R>) -> Self {
        let soon = of.patience.first_byte;
        let look = Box::pin(tokio::time::sleep(soon));
        let stop = Box::pin(of.stop.clone().cancelled_owned());
        let old = Instant::now() + AGE + AGE_SPREAD.mul_f32(fastrand::f32());
        Self { vigil, look, soon, stop, stopping: false, old, metrics: of.metrics, places: of.places }
    }

    /// Waits until it is time to look at the connection, or until the program is to end. Cancel safe.
    async fn call(&mut self) -> Call {
        loop {
            tokio::select! {
                () = self.look.as_mut() => {
                    let now = self.look.deadline();
                    let (next, call) = match self.vigil.rule(now) {
                        Ruling::GoOn(next) => (next, Call::Busy),
                        // Unless somebody waits for its place: a few clients could keep all others out by nothing but
                        // staying.
                        Ruling::Idle(until) if !self.places.are_wanted() => {
                            (until.min(now + self.soon), Call::Idle)
                        }
                        Ruling::Idle(_) | Ruling::Cut => {
                            self.metrics.cut_connections.inc();
                            return Call::Cut;
                        }
                    };
                    self.look.as_mut().reset(next);
                    if now >= self.old {
                        self.vigil.grows_old();
                    }
                    return if self.stopping || self.vigil.is_over() { Call::Stop } else { call };
                }
                () = self.stop.as_mut(), if !self.stopping => {
                    self.stopping = true;
                    // A request that is on its way here is not left without an answer.
                    let wait = if self.vigil.expects_request() { LAST_REQUEST } else { Duration::ZERO };
                    self.look.as_mut().reset(Instant::now() + wait);
                }
            }
        }
    }

    /// Waits for a request's first bytes, which stay unread. `false` if none will come.
    async fn first_bytes<IO: AsyncRead + Unpin>(&mut self, io: &mut Watched<IO>) -> bool {
        loop {
            let call = tokio::select! {
                biased;
                begun = poll_fn(|cx| io.poll_begun(cx)) => {
                    self.look_soon();
                    return begun;
                }
                call = self.call() => call,
            };
            match call {
                Call::Cut | Call::Stop => return false,
                Call::Busy | Call::Idle => {}
            }
        }
    }

    /// Something is going on again: it is not left alone as long as while it is idle.
    fn look_soon(&mut self) {
        let soon = Instant::now() + self.soon;
        if self.look.deadline() > soon {
            self.look.as_mut().reset(soon);
        }
    }
}

fn http1() -> http1::Builder {
    let mut builder = http1::Builder::new();
    // The vigil's deadlines cover what hyper's would, and what they would not.
    builder.header_read_timeout(None).max_buf_size(HEAD_MAX).max_headers(HEADERS_MAX).half_close(false);
    builder
}

fn http2() -> http2::Builder<Here> {
    let mut builder = http2::Builder::new(Here);
    builder
        .max_concurrent_streams(100)
        .max_header_list_size(16 << 10)
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(20);
    builder
}

#[cfg(test)]
mod tests;
