//! A connection of HTTP/2 takes turns: it reads what has come, answers what it can, writes all of that at once, and only
//! then waits. As hyper and h2 do it by themselves, an answer is a task of its own that wakes the connection, whichever
//! processor that is on, and nearly every frame is a call of the system.

use std::error::Error;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};

use hyper::rt::Executor;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop;

use super::gather::Gather;

/// Runs an answer where it stands. Nearly all are ready at once; what must wait does so in a task of its own, and so does
/// what would keep the thread from others for too long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Here;

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Here {
    fn execute(&self, answering: F) {
        let mut answering = Box::pin(answering);
        let nobody = &mut Context::from_waker(Waker::noop());
        if let Poll::Ready(share) = coop::poll_proceed(nobody) {
            share.made_progress();
            // A panic ends this answer, as it would in a task, and none of the others on this connection.
            let polled = catch_unwind(AssertUnwindSafe(|| answering.as_mut().poll(nobody)));
            if !matches!(polled, Ok(Poll::Pending)) {
                return;
            }
        }
        tokio::spawn(answering);
    }
}

/// Why a connection ended badly.
type Trouble = Box<dyn Error + Send + Sync>;

/// The turns of one connection, whose bytes hyper has by [`Bytes`].
#[derive(Debug)]
pub(super) struct Turns<IO> {
    kept: Arc<Kept<IO>>,
    waker: Waker,
}

/// A connection's bytes. While it is having its turn, what is written is kept.
#[derive(Debug)]
pub(super) struct Bytes<IO>(Arc<Kept<IO>>);

#[derive(Debug)]
struct Kept<IO> {
    /// Both hold it, and only one uses it at a time.
    io: Mutex<IO>,
    gathers: AtomicBool,
    /// Something was written and has not been flushed.
    unsent: AtomicBool,
    call: Arc<Call>,
}

/// Who wakes the connection. It is apart from the bytes, which hold who is to be woken: they would hold themselves.
#[derive(Debug)]
struct Call {
    task: Mutex<Waker>,
    /// The connection is having its turn, and whoever calls it is mostly itself.
    running: AtomicBool,
    /// It was called since it last asked for bytes.
    called: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.running.load(Ordering::SeqCst) {
            self.called.store(true, Ordering::SeqCst);
            // Then whoever ends the turn sees it.
            if self.running.load(Ordering::SeqCst) {
                return;
            }
        }
        lock(&self.task).wake_by_ref();
    }
}

impl<IO: AsyncWrite + Gather + Unpin> Turns<IO> {
    pub(super) fn new(io: IO) -> (Self, Bytes<IO>) {
        let task = Mutex::new(Waker::noop().clone());
        let call = Arc::new(Call { task, running: AtomicBool::new(false), called: AtomicBool::new(false) });
        let waker = Arc::clone(&call).into();
        let (gathers, unsent) = (AtomicBool::new(false), AtomicBool::new(false));
        let kept = Arc::new(Kept { io: Mutex::new(io), gathers, unsent, call });
        (Self { kept: Arc::clone(&kept), waker }, Bytes(kept))
    }

    /// Lets `connection` do what it can.
    ///
    /// # Errors
    /// The connection's own, and if what it wrote cannot be sent.
    pub(super) fn poll<C, E>(&self, connection: Pin<&mut C>, cx: &mut Context<'_>) -> Poll<Result<(), Trouble>>
    where
        C: Future<Output = Result<(), E>>,
        E: Into<Trouble>,
    {
        let Kept { io, gathers, unsent, call } = &*self.kept;
        lock(&call.task).clone_from(cx.waker());
        call.running.store(true, Ordering::SeqCst);
        gathers.store(true, Ordering::Relaxed);
        let done = connection.poll(&mut Context::from_waker(&self.waker));
        gathers.store(false, Ordering::Relaxed);
        call.running.store(false, Ordering::SeqCst);
        let sent = if unsent.load(Ordering::Relaxed) {
            let mut io = lock(io);
            io.gather(false);
            Pin::new(&mut *io).poll_flush(cx)
        } else {
            Poll::Ready(Ok(()))
        };
        if let Poll::Ready(done) = done {
            return Poll::Ready(done.map_err(Into::into));
        }
        // What has come up in the meantime has its turn after others.
        if call.called.swap(false, Ordering::SeqCst) {
            cx.waker().wake_by_ref();
        }
        ready!(sent)?;
        unsent.store(false, Ordering::Relaxed);
        Poll::Pending
    }
}

impl<IO: AsyncWrite + Gather + Unpin> Bytes<IO> {
    fn write(
        &self,
        cx: &mut Context<'_>,
        write: impl Fn(Pin<&mut IO>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let mut io = lock(&self.0.io);
        self.0.unsent.store(true, Ordering::Relaxed);
        let gathers = self.0.gathers.load(Ordering::Relaxed);
        io.gather(gathers);
        let written = write(Pin::new(&mut *io), cx);
        if !gathers || written.is_ready() {
            return written;
        }
        // There is no room for more: from now on this turn's writing is like any other. The vigil thought for a moment that
        // the client holds things up.
        self.0.gathers.store(false, Ordering::Relaxed);
        io.gather(false);
        write(Pin::new(&mut *io), cx)
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Bytes<IO> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // h2 reads before it looks at everything else, so it has heard who called before.
        self.0.call.called.store(false, Ordering::SeqCst);
        Pin::new(&mut *lock(&self.0.io)).poll_read(cx, buf)
    }
}

impl<IO: AsyncWrite + Gather + Unpin> AsyncWrite for Bytes<IO> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.write(cx, |io, cx| io.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, |io, cx| io.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        lock(&self.0.io).is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.0.gathers.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut *lock(&self.0.io)).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut io = lock(&self.0.io);
        io.gather(false);
        Pin::new(&mut *io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
