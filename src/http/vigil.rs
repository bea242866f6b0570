//! Deadlines of a connection. hyper's automatic builder has none before the first bytes: a socket that is opened and
//! says nothing, or sends half a preface, is held for ever. So the bytes are watched as they pass, and one deadline per
//! connection is enough for all that a client can do slowly.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

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
    /// While an answer is held up by the client: in this time it must take all of it, or [`LEAST_PACE`] at least.
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
}

const JUST_NOW: u64 = u64::MAX;

/// What is to become of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ruling {
    /// It may go on, and is to be looked at again at this moment.
    GoOn(Instant),
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
        let (since, allowed) = if at(&self.stuck) > 0 {
            (at(&self.stuck), patience.stuck)
        } else if self.answering.load(Ordering::Relaxed) > 0 {
            // The answer's own deadlines hold.
            return Ruling::GoOn(now + patience.idle);
        } else if at(&self.reading) > 0 {
            (at(&self.reading), patience.head)
        } else if self.spoken.load(Ordering::Relaxed) {
            (at(&self.good), patience.idle)
        } else {
            (at(&self.good), patience.first_byte)
        };
        let deadline = self.began + Duration::from_millis(since.saturating_sub(1)) + allowed;
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

    fn moment(&self, now: Instant) -> u64 {
        u64::try_from(now.duration_since(self.began).as_millis()).unwrap_or(u64::MAX - 2) + 1
    }

    fn received(&self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if !self.spoken.swap(true, Ordering::Relaxed) && bytes.starts_with(b"PRI ") {
            self.multiplexed.store(true, Ordering::Relaxed);
            self.reading.store(JUST_NOW, Ordering::Relaxed);
            return;
        }
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
}

impl<IO> Watched<IO> {
    pub(super) fn new(io: IO, vigil: Arc<Vigil>) -> Self {
        Self { io, vigil }
    }

    fn note(&self, written: &Poll<io::Result<usize>>) {
        match written {
            Poll::Ready(Ok(bytes)) => self.vigil.took(*bytes),
            Poll::Pending => self.vigil.held_up(),
            Poll::Ready(Err(_)) => {}
        }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Watched<IO> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
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
mod tests {
    use super::*;

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    async fn cut_after(vigil: &Vigil) -> Duration {
        let start = Instant::now();
        loop {
            match vigil.rule(Instant::now()) {
                Ruling::Cut => return start.elapsed(),
                Ruling::GoOn(next) => tokio::time::sleep_until(next).await,
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn every_way_to_be_slow_has_its_deadline() {
        let silent = Vigil::new(Patience::default());
        assert_eq!(cut_after(&silent).await, secs(5));

        let slow_head = Vigil::new(Patience::default());
        slow_head.received(b"G");
        assert_eq!(cut_after(&slow_head).await, secs(10));

        let preface_only = Vigil::new(Patience::default());
        preface_only.received(b"PRI ");
        assert_eq!(cut_after(&preface_only).await, secs(10));

        let idle = Vigil::new(Patience::default());
        idle.received(b"GET ");
        drop(idle.answering());
        assert_eq!(cut_after(&idle).await, secs(75));

        let stuck = Vigil::new(Patience::default());
        stuck.received(b"GET ");
        drop(stuck.answering());
        stuck.held_up();
        assert_eq!(cut_after(&stuck).await, secs(30));
    }

    #[tokio::test(start_paused = true)]
    async fn a_dripping_head_gains_nothing_by_each_byte() {
        let vigil = Vigil::new(Patience::default());
        for _ in 0..9 {
            vigil.received(b"x");
            assert!(matches!(vigil.rule(Instant::now()), Ruling::GoOn(_)));
            tokio::time::advance(secs(1)).await;
        }
        assert_eq!(cut_after(&vigil).await, secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_waits_for_its_answer_is_not_cut() {
        let vigil = Vigil::new(Patience::default());
        vigil.received(b"GET ");
        let answering = vigil.answering();
        tokio::time::advance(secs(60)).await;
        assert!(matches!(vigil.rule(Instant::now()), Ruling::GoOn(_)));
        drop(answering);
        assert_eq!(cut_after(&vigil).await, secs(75));
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_answer_that_is_taken_slowly_is_not_cut() {
        let vigil = Vigil::new(Patience::default());
        vigil.received(b"GET ");
        drop(vigil.answering());
        for _ in 0..100 {
            vigil.held_up();
            tokio::time::advance(secs(5)).await;
            assert!(matches!(vigil.rule(Instant::now()), Ruling::GoOn(_)));
            vigil.took(7 << 10);
        }
        vigil.took_all();
        assert_eq!(cut_after(&vigil).await, secs(75));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_a_little_now_and_then_is_cut_as_if_it_took_nothing() {
        let vigil = Vigil::new(Patience::default());
        vigil.received(b"GET ");
        drop(vigil.answering());
        for _ in 0..29 {
            vigil.held_up();
            assert!(matches!(vigil.rule(Instant::now()), Ruling::GoOn(_)));
            vigil.took(900);
            tokio::time::advance(secs(1)).await;
        }
        vigil.held_up();
        assert_eq!(cut_after(&vigil).await, secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_taken_over_http_2_without_holding_up_the_connection_counts() {
        let vigil = Vigil::new(Patience::default());
        vigil.received(b"PRI ");
        drop(vigil.answering());
        for _ in 0..100 {
            tokio::time::advance(secs(30)).await;
            assert!(matches!(vigil.rule(Instant::now()), Ruling::GoOn(_)));
            vigil.took(32 << 10);
            vigil.took_all();
        }
        assert_eq!(cut_after(&vigil).await, secs(75));
    }

    #[tokio::test]
    async fn an_answer_that_stays_in_a_buffer_below_is_held_up() {
        let (ours, _theirs) = tokio::io::duplex(16);
        let vigil = Vigil::new(Patience::default());
        // As TLS does: it takes a small answer whole, and passes it on when it is flushed.
        let mut watched = Watched::new(tokio::io::BufWriter::new(ours), Arc::clone(&vigil));
        tokio::io::AsyncWriteExt::write_all(&mut watched, &[b'x'; 100]).await.unwrap();
        assert_eq!(vigil.stuck.load(Ordering::Relaxed), 0);
        let flushed = tokio::time::timeout(Duration::ZERO, tokio::io::AsyncWriteExt::flush(&mut watched)).await;
        assert!(flushed.is_err() && vigil.stuck.load(Ordering::Relaxed) > 0);
    }
}
