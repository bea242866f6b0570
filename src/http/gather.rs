//! Writing once what was written piece by piece.
//!
//! h2 writes and flushes every frame by itself, and each is a call of the system. While a connection gathers, what is
//! written stays with TLS, which keeps as much as it likes to; then all of it goes out together.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

use super::listener::Stream;

/// A connection that can gather what is written.
pub(super) trait Gather {
    /// Begins or ends it. What has been gathered by then goes out with the next flush. In clear text nothing keeps what
    /// is written, and it goes out at once.
    fn gather(&mut self, _whether: bool) {}
}

/// Below TLS: takes nothing while the connection gathers.
#[derive(Debug)]
pub(super) struct Gate<IO> {
    io: IO,
    closed: bool,
}

impl<IO> Gate<IO> {
    pub(super) fn new(io: IO) -> Self {
        Self { io, closed: false }
    }
}

impl<IO> Gather for TlsStream<Gate<IO>> {
    fn gather(&mut self, whether: bool) {
        self.get_mut().0.closed = whether;
    }
}

impl Gather for Stream {}

impl<G: Gather> Gather for Box<G> {
    fn gather(&mut self, whether: bool) {
        G::gather(self, whether);
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Gate<IO> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

/// A closed gate wakes nobody: who gathers opens it, and flushes.
impl<IO: AsyncWrite + Unpin> AsyncWrite for Gate<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.closed {
            return Poll::Pending;
        }
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.closed {
            return Poll::Pending;
        }
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, BufWriter, DuplexStream};

    use super::*;

    impl Gather for DuplexStream {}
    impl Gather for BufWriter<DuplexStream> {}

    #[tokio::test]
    async fn a_closed_gate_takes_nothing_and_lets_in_what_comes() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let mut gate = Gate { io: ours, closed: true };
        theirs.write_all(b"in").await.unwrap();
        let mut heard = [0; 2];
        gate.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"in");
        assert!(tokio::time::timeout(Duration::ZERO, gate.write(b"kept")).await.is_err());
        gate.closed = false;
        gate.write_all(b"out").await.unwrap();
        drop(gate);
        let mut heard = Vec::new();
        theirs.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"out");
    }
}
