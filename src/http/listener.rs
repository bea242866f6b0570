//! Where connections come from: an address of the network, a Unix socket, or a socket that systemd has opened.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::str::FromStr;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};

use super::caller::Peer;

/// Who may connect to a Unix socket: its owner and group, such as a web server's.
const SOCKET_MODE: u32 = 0o660;

/// Where to listen, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// `127.0.0.1:8080`
    Tcp(SocketAddr),
    /// `unix:/run/calferry/calferry.sock`
    Unix(PathBuf),
    /// `systemd:NAME`: the sockets that systemd opened under that `FileDescriptorName=`.
    Systemd(String),
}

impl FromStr for Listen {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.split_once(':') {
            Some(("unix", path)) if path.starts_with('/') => Ok(Self::Unix(path.into())),
            Some(("systemd", name)) if !name.is_empty() => Ok(Self::Systemd(name.to_owned())),
            _ => text.parse().map(Self::Tcp).map_err(|_| ()),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Systemd(name) => write!(f, "systemd:{name}"),
        }
    }
}

impl Listen {
    /// The address, if it is one of the network.
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) | Self::Systemd(_) => None,
        }
    }
}

/// A socket that accepts connections.
#[derive(Debug)]
pub enum Listener {
    /// Of the network.
    Tcp(TcpListener),
    /// Of this machine. Its file goes when it does, unless systemd opened it.
    Unix(UnixListener, Option<SocketFile>),
}

/// The file of a Unix socket, removed when this is dropped if it is still the same.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), identity: identity(path)? })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // One that cannot be removed makes room at the next start.
        if identity(&self.path).is_ok_and(|there| there == self.identity) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = std::fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(listener) => match listener.local_addr() {
                Ok(address) => address.fmt(f),
                Err(error) => write!(f, "an address that cannot be told ({error})"),
            },
            Self::Unix(listener, _) => {
                let address = listener.local_addr().ok();
                let path = address.as_ref().and_then(tokio::net::unix::SocketAddr::as_pathname);
                write!(f, "unix:{}", path.unwrap_or(Path::new("")).display())
            }
        }
    }
}

impl Listener {
    /// Opens what is to be listened on; of systemd's sockets those of that name in `handed`.
    ///
    /// # Errors
    /// If it cannot be opened, or systemd has opened none of that name.
    pub async fn open(listen: &Listen, handed: &mut Handed) -> io::Result<Vec<Self>> {
        match listen {
            Listen::Tcp(address) => Ok(vec![Self::Tcp(tcp(*address)?)]),
            Listen::Unix(path) => {
                let listener = unix(path).await?;
                Ok(vec![Self::Unix(listener, Some(SocketFile::of(path)?))])
            }
            Listen::Systemd(name) => {
                let sockets = handed.take(name)?;
                if sockets.is_empty() {
                    return Err(io::Error::new(io::ErrorKind::NotFound, "systemd has opened no socket of that name"));
                }
                Ok(sockets)
            }
        }
    }

    /// Its address, if it is one of the network.
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(..) => None,
        }
    }

    /// Waits for a connection. Cancel safe.
    pub(super) async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((Stream::Tcp(stream), Peer::Address(peer.ip())))
            }
            Self::Unix(listener, _) => Ok((Stream::Unix(listener.accept().await?.0), Peer::Unix)),
        }
    }
}

/// Connections that may wait to be accepted, if the kernel allows as many (`net.core.somaxconn`). By the library's own 128,
/// the clients of a burst are sent away by the kernel, and try again a second later.
const QUEUE: u32 = 4096;

fn tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Connections that a predecessor left in the kernel's care are no reason not to start.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    find_out_who_is_gone(&socket)?;
    socket.listen(QUEUE)
}

/// A client that was switched off says nothing, and an idle connection to it would stay for as long as one may be idle. So
/// the kernel asks, and a minute later knows. Connections have this from the socket that accepts them. A ping of HTTP/2
/// would do the same for that version only, at some work for each request.
fn find_out_who_is_gone<'a>(socket: impl Into<SockRef<'a>>) -> io::Result<()> {
    let asked = TcpKeepalive::new().with_time(Duration::from_secs(30)).with_interval(Duration::from_secs(10));
    socket.into().set_tcp_keepalive(&asked.with_retries(3))
}

/// A socket file that nobody answers on was left by a program that was killed, and makes room.
async fn unix(path: &Path) -> io::Result<UnixListener> {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    if is_socket
        && let Err(error) = UnixStream::connect(path).await
        && error.kind() == io::ErrorKind::ConnectionRefused
    {
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE))?;
    Ok(listener)
}

/// The sockets that systemd has handed over (`sd_listen_fds(3)`), each with its name.
pub struct Handed {
    names: Vec<String>,
    sockets: listenfd::ListenFd,
}

impl fmt::Debug for Handed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handed").field("names", &self.names).finish_non_exhaustive()
    }
}

impl Handed {
    /// What `LISTEN_FDS` of this process says, with `names`, the value of `LISTEN_FDNAMES`.
    pub fn from_env(names: &str) -> Self {
        let sockets = listenfd::ListenFd::from_env();
        Self { names: names.split(':').map(str::to_owned).collect(), sockets }
    }

    fn take(&mut self, name: &str) -> io::Result<Vec<Listener>> {
        let mut taken = Vec::new();
        for index in 0..self.sockets.len() {
            if self.names.get(index).is_none_or(|known| known != name) {
                continue;
            }
            // The first says no to a socket that is not of its kind, and leaves it to the second.
            if let Ok(Some(socket)) = self.sockets.take_tcp_listener(index) {
                socket.set_nonblocking(true)?;
                find_out_who_is_gone(&socket)?;
                taken.push(Listener::Tcp(TcpListener::from_std(socket)?));
            } else if let Some(socket) = self.sockets.take_unix_listener(index)? {
                socket.set_nonblocking(true)?;
                taken.push(Listener::Unix(UnixListener::from_std(socket)?, None));
            }
        }
        Ok(taken)
    }
}

/// A connection that was accepted.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    /// Without it, a small answer may wait for the client's acknowledgement of the one before.
    pub(super) fn send_at_once(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_nodelay(true),
            Self::Unix(_) => Ok(()),
        }
    }

    /// Waits for the client's first byte, which stays unread. Cancel safe.
    pub(super) async fn first_byte(&self) -> io::Result<()> {
        match self {
            // A new connection may count as readable before anything has come.
            Self::Tcp(stream) => stream.peek(&mut [0; 1]).await.map(drop),
            Self::Unix(stream) => stream.readable().await,
        }
    }

    pub(super) fn is_tcp(&self) -> bool {
        matches!(self, Self::Tcp(_))
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests;
