//! Deadlines of a connection. hyper's automatic builder has none before the first bytes: a socket that is opened and
//! says nothing, or sends half a preface, is held for ever. So the bytes are watched as they pass, and one deadline per
//! connection is enough for all that a client can do slowly.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::gather::Gather;

/// How long a client may take. A connection is looked at every few seconds, five by default, so it may be cut by as much
/// later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// From the connection to its first byte.
    pub first_byte: Duration,
    /// From a request's first byte to the end of its head.
    pub head: Duration,
    /// Between two requests.
    pub idle: Duration,
    /// While an answer is held up by the client: in this time it must take all of it, or 1 KiB for each second of it at least.
    pub stuck: Duration,
}

/// Bytes of an answer that a client must take in a second while it holds it up. Far below what the slowest phone does.
const LEAST_PACE: u64 = 1 << 10;

impl Default for Patience {
    fn default() -> Self {
        Self {
            first_byte: Duration::from_secs(5),
            head: Duration::from_secs(10),
            // Cloudflare keeps connections to an origin; this is longer than a browser's idea of idle.
            idle: Duration::from_secs(75),
            stuck: Duration::from_secs(30),
        }
    }
}

/// What one connection is doing. Shared by the bytes, the requests and the deadline.
///
/// Moments are milliseconds since the connection began, plus one; 0 is "not", and [`JUST_NOW`] is "since the last look":
/// a look comes every few seconds, and a request that is over in a millisecond need not ask for the time.
#[derive(Debug)]
pub(super) struct Vigil {
    began: Instant,
    patience: Patience,
    /// The last moment at which something good happened: an answer was begun, or some of it was taken.
    good: AtomicU64,
    /// Since when a request's head has been coming in.
    reading: AtomicU64,
    /// Since when the client holds up what it is sent, without having taken [`Vigil::fair_share`] of it.
    stuck: AtomicU64,
    /// Bytes it has taken since the last fair share, or since it holds things up.
    taken: AtomicU64,
    /// Requests being answered.
    answering: AtomicU32,
    spoken: AtomicBool,
    /// HTTP/2: bytes between requests may be pings.
    multiplexed: AtomicBool,
    /// It has been there for long enough.
    old: AtomicBool,
}

const JUST_NOW: u64 = u64::MAX;

/// What is to become of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ruling {
    /// It may go on, and is to be looked at again at this moment.
    GoOn(Instant),
    /// It has been idle since the last look at least, and may be until this moment.
    Idle(Instant),
    /// It has taken too long.
    Cut,
}

impl Vigil {
    pub(super) fn new(patience: Patience) -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            patience,
            good: AtomicU64::new(1),
            reading: AtomicU64::new(0),
            stuck: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            answering: AtomicU32::new(0),
            spoken: AtomicBool::new(false),
            multiplexed: AtomicBool::new(false),
            old: AtomicBool::new(false),
        })
    }

    /// Judges the connection at `now`.
    pub(super) fn rule(&self, now: Instant) -> Ruling {
        let patience = &self.patience;
        let at = |moment: &AtomicU64| {
            let seen = self.moment(now);
            // Between the load and this, something newer may have been said; then it stays as it is.
            match moment.compare_exchange(JUST_NOW, seen, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => seen,
                Err(known) => known,
            }
        };
        let idle = || at(&self.good) < self.moment(now);
        let (since, allowed) = if at(&self.stuck) > 0 {
            (at(&self.stuck), patience.stuck)
        } else if self.answering.load(Ordering::Relaxed) > 0 {
            // The answer's own deadlines hold.
            return Ruling::GoOn(now + patience.idle);
        } else if at(&self.reading) > 0 {
            (at(&self.reading), patience.head)
        } else if self.spoken.load(Ordering::Relaxed) {
            if idle() && self.deadline(at(&self.good), patience.idle) > now {
                return Ruling::Idle(self.deadline(at(&self.good), patience.idle));
            }
            (at(&self.good), patience.idle)
        } else {
            (at(&self.good), patience.first_byte)
        };
        let deadline = self.deadline(since, allowed);
        if deadline <= now {
            return Ruling::Cut;
        }
        // What happens from now on has at least the shortest patience to go.
        let soonest = now + patience.first_byte.min(patience.head).min(patience.stuck);
        Ruling::GoOn(deadline.min(soonest))
    }

    /// A request's head is complete. The connection counts as answering until the guard is dropped.
    pub(super) fn answering(self: &Arc<Self>) -> Answering {
        self.reading.store(0, Ordering::Relaxed);
        self.answering.fetch_add(1, Ordering::Relaxed);
        Answering(Arc::clone(self))
    }

    /// A request is coming in, or none has come in yet.
    pub(super) fn expects_request(&self) -> bool {
        let reading = self.reading.load(Ordering::Relaxed) > 0;
        self.answering.load(Ordering::Relaxed) == 0 && (reading || !self.spoken.load(Ordering::Relaxed))
    }

    fn deadline(&self, since: u64, allowed: Duration) -> Instant {
        self.began + Duration::from_millis(since.saturating_sub(1)) + allowed
    }

    fn moment(&self, now: Instant) -> u64 {
        u64::try_from(now.duration_since(self.began).as_millis()).unwrap_or(u64::MAX - 2) + 1
    }

    /// It speaks HTTP/2.
    pub(super) fn is_multiplexed(&self) {
        self.multiplexed.store(true, Ordering::Relaxed);
    }

    /// It has been there for long enough. By HTTP/1.1 its next answer is its last: closed between two, it could meet a
    /// request that is on its way.
    pub(super) fn grows_old(&self) {
        self.old.store(true, Ordering::Relaxed);
    }

    /// It is old, and can be told to end without losing a request (RFC 9113 §6.8).
    pub(super) fn is_over(&self) -> bool {
        self.old.load(Ordering::Relaxed) && self.multiplexed.load(Ordering::Relaxed)
    }

    fn received(&self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.spoken.store(true, Ordering::Relaxed);
        let between = self.answering.load(Ordering::Relaxed) == 0 && self.reading.load(Ordering::Relaxed) == 0;
        if between && !self.multiplexed.load(Ordering::Relaxed) {
            self.reading.store(JUST_NOW, Ordering::Relaxed);
        }
    }

    /// What must be taken in the time that a client may hold things up.
    fn fair_share(&self) -> u64 {
        self.patience.stuck.as_secs() * LEAST_PACE
    }

    /// The client takes nothing more for now.
    fn held_up(&self) {
        if self.stuck.load(Ordering::Relaxed) == 0 {
            self.taken.store(0, Ordering::Relaxed);
            self.stuck.store(JUST_NOW, Ordering::Relaxed);
        }
    }

    /// The client has taken so many bytes. By HTTP/2 it can be slow without ever holding up the connection, so they
    /// count also then.
    fn took(&self, bytes: usize) {
        let taken = self.taken.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        if taken >= self.fair_share() {
            self.taken.store(0, Ordering::Relaxed);
            self.good.store(JUST_NOW, Ordering::Relaxed);
            if self.stuck.load(Ordering::Relaxed) > 0 {
                self.stuck.store(JUST_NOW, Ordering::Relaxed);
            }
        }
    }

    /// The client has taken all there was.
    fn took_all(&self) {
        if self.stuck.load(Ordering::Relaxed) > 0 {
            self.stuck.store(0, Ordering::Relaxed);
            self.good.store(JUST_NOW, Ordering::Relaxed);
        }
    }
}

/// A request is being answered.
#[derive(Debug)]
pub(super) struct Answering(Arc<Vigil>);

impl Answering {
    /// Whether the answer is to be the last one of an old connection that answers one by one.
    pub(super) fn is_last(&self) -> bool {
        self.0.old.load(Ordering::Relaxed) && !self.0.multiplexed.load(Ordering::Relaxed)
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.good.store(JUST_NOW, Ordering::Relaxed);
        self.0.answering.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection whose bytes are watched.
#[derive(Debug)]
pub(super) struct Watched<IO> {
    io: IO,
    vigil: Arc<Vigil>,
    /// What has come and is still to be read.
    unread: BytesMut,
}

/// What every client of HTTP/2 says first, or at least how it begins (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI ";

impl<IO> Watched<IO> {
    pub(super) fn new(io: IO, vigil: Arc<Vigil>) -> Self {
        Self { io, vigil, unread: BytesMut::new() }
    }

    /// Puts back what was read and not used.
    pub(super) fn unread(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
    }

    /// Whether what is unread is HTTP/2.
    pub(super) fn speaks_http2(&self) -> bool {
        self.unread.starts_with(PREFACE)
    }

    fn note(&self, written: &Poll<io::Result<usize>>) {
        match written {
            Poll::Ready(Ok(bytes)) => self.vigil.took(*bytes),
            Poll::Pending => self.vigil.held_up(),
            Poll::Ready(Err(_)) => {}
        }
    }
}

impl<IO: AsyncRead + Unpin> Watched<IO> {
    /// Waits until a request has begun, with enough of it to tell HTTP/2 from HTTP/1.1. It stays unread. `false` if none
    /// will come.
    pub(super) fn poll_begun(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        while self.unread.len() < PREFACE.len() && PREFACE.starts_with(&self.unread) {
            // On the stack: an idle connection holds nothing of it.
            let mut room = [MaybeUninit::uninit(); 1024];
            let mut buf = ReadBuf::uninit(&mut room);
            let read = std::task::ready!(Pin::new(&mut self.io).poll_read(cx, &mut buf));
            if read.is_err() || buf.filled().is_empty() {
                return Poll::Ready(false);
            }
            self.vigil.received(buf.filled());
            self.unread.extend_from_slice(buf.filled());
        }
        Poll::Ready(true)
    }
}

impl<IO: Gather> Gather for Watched<IO> {
    fn gather(&mut self, whether: bool) {
        self.io.gather(whether);
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Watched<IO> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.unread.is_empty() {
            let length = self.unread.len().min(buf.remaining());
            buf.put_slice(&self.unread.split_to(length));
            if self.unread.is_empty() {
                self.unread = BytesMut::new();
            }
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        std::task::ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        self.vigil.received(buf.filled().get(before..).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Watched<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        self.note(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.note(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        match &flushed {
            Poll::Ready(Ok(())) => self.vigil.took_all(),
            // TLS keeps a small answer to itself, and shows only here that nobody takes it.
            Poll::Pending => self.vigil.held_up(),
            Poll::Ready(Err(_)) => {}
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
