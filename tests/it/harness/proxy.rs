//! A proxy that does as it is told: CONNECT and SOCKS 5 on one port, told apart by the first byte.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What is done with whoever connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Leads every target to this address.
    LeadTo(SocketAddr),
    /// The same, for this user name and password only.
    Guarded(SocketAddr, &'static str, &'static str),
    /// Says that the target cannot be reached.
    Refuse,
    /// Says nothing.
    Hang,
    Reset,
    Garbage,
    /// A header without end.
    Endless,
}

#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    manner: Arc<Mutex<Manner>>,
    targets: Arc<Mutex<Vec<String>>>,
    serving: tokio::task::JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (manner, targets) = (Arc::new(Mutex::new(manner)), Arc::new(Mutex::new(Vec::new())));
        let (told, seen) = (Arc::clone(&manner), Arc::clone(&targets));
        let serving = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (manner, seen) = (*told.lock().unwrap(), Arc::clone(&seen));
                // Whoever hangs up ends a conversation too.
                connections.spawn(async move { converse(stream, manner, &seen).await.unwrap_or_default() });
            }
        });
        Self { address, manner, targets, serving }
    }

    pub(crate) fn now(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    /// What it was asked to lead to, in order: `name:port`.
    pub(crate) fn targets(&self) -> Vec<String> {
        self.targets.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn converse(mut stream: TcpStream, manner: Manner, seen: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let socks = stream.read_u8().await? == 5;
    match manner {
        Manner::Hang => std::future::pending().await,
        Manner::Reset => stream.set_zero_linger(),
        Manner::Garbage => stream.write_all(&[b'?'; 300]).await,
        Manner::Endless => {
            stream.write_all(if socks { b"\x05\x00" } else { b"HTTP/1.1 200 OK\r\nX: " }).await?;
            while stream.write_all(&[b'x'; 1024]).await.is_ok() {}
            Ok(())
        }
        Manner::LeadTo(_) | Manner::Guarded(..) | Manner::Refuse if socks => socks5(stream, manner, seen).await,
        Manner::LeadTo(_) | Manner::Guarded(..) | Manner::Refuse => connect(stream, manner, seen).await,
    }
}

async fn connect(mut stream: TcpStream, manner: Manner, seen: &Mutex<Vec<String>>) -> std::io::Result<()> {
    use base64::Engine;
    let mut head = vec![b'C'];
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("CONNECT "), "{head}");
    seen.lock().unwrap().push(head.split(' ').nth(1).unwrap().to_owned());
    let to = match manner {
        Manner::LeadTo(to) => to,
        Manner::Guarded(to, user, password) => {
            let right = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
            if !head.contains(&format!("Proxy-Authorization: Basic {right}\r\n")) {
                return stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await;
            }
            to
        }
        _ => return stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").await,
    };
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    pass_on(stream, to).await
}

async fn socks5(mut stream: TcpStream, manner: Manner, seen: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let count = stream.read_u8().await?;
    let mut methods = vec![0; count.into()];
    stream.read_exact(&mut methods).await?;
    if let Manner::Guarded(_, user, password) = manner {
        if !methods.contains(&2) {
            return stream.write_all(&[5, 0xFF]).await;
        }
        stream.write_all(&[5, 2]).await?;
        assert_eq!(stream.read_u8().await?, 1);
        let right = [counted(&mut stream).await?, counted(&mut stream).await?] == [user, password];
        stream.write_all(&[1, u8::from(!right)]).await?;
        if !right {
            return Ok(());
        }
    } else {
        stream.write_all(&[5, 0]).await?;
    }
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    assert_eq!(head, [5, 1, 0, 3], "a name, for the proxy to resolve");
    let name = counted(&mut stream).await?;
    let port = stream.read_u16().await?;
    seen.lock().unwrap().push(format!("{name}:{port}"));
    let (code, to) = match manner {
        Manner::LeadTo(to) | Manner::Guarded(to, ..) => (0, Some(to)),
        _ => (4, None),
    };
    stream.write_all(&[5, code, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    match to {
        Some(to) => pass_on(stream, to).await,
        None => Ok(()),
    }
}

async fn counted(stream: &mut TcpStream) -> std::io::Result<String> {
    let length = stream.read_u8().await?;
    let mut text = vec![0; length.into()];
    stream.read_exact(&mut text).await?;
    Ok(String::from_utf8(text).unwrap())
}

async fn pass_on(mut stream: TcpStream, to: SocketAddr) -> std::io::Result<()> {
    let mut host = TcpStream::connect(to).await?;
    tokio::io::copy_bidirectional(&mut stream, &mut host).await.map(drop)
}
