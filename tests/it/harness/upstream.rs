//! An upstream that does as it is told, down to the byte.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// What is done with a request.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// These bytes, then the connection is closed in order.
    Say(Vec<u8>),
    /// These bytes, then the connection is reset.
    SayAndReset(Vec<u8>),
    /// These bytes, then nothing more.
    SayAndHang(Vec<u8>),
    /// Nothing until there is a permit, then these bytes.
    WaitAndSay(Arc<Semaphore>, Vec<u8>),
    /// These bytes, and the others once there is a permit.
    SayAndWait(Vec<u8>, Arc<Semaphore>, Vec<u8>),
}

/// A whole answer with a right length.
pub(crate) fn answer(status: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Act {
    let body = body.as_ref();
    let mut text = format!("HTTP/1.1 {status}\r\nDate: Sun, 22 Nov 2026 07:00:00 GMT\r\nConnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    let mut bytes = format!("{text}\r\n").into_bytes();
    bytes.extend_from_slice(body);
    Act::Say(bytes)
}

/// A calendar as Google sends it.
pub(crate) fn calendar(text: impl AsRef<[u8]>) -> Act {
    answer("200 OK", &[("Content-Type", "text/calendar; charset=UTF-8")], text)
}

#[derive(Debug, Default)]
struct Told {
    acts: HashMap<String, Act>,
    heads: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    told: Arc<Mutex<Told>>,
    serving: tokio::task::JoinHandle<()>,
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        Self::start_with([127, 0, 0, 1], None).await
    }

    pub(crate) async fn start_with(ip: [u8; 4], tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind((std::net::Ipv4Addr::from(ip), 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let told = Arc::new(Mutex::new(Told::default()));
        let serving = tokio::spawn(serve(listener, Arc::clone(&told), tls));
        Self { address, told, serving }
    }

    /// From now on, requests for `path` (with its query) get `act`; others get 404.
    pub(crate) fn on(&self, path: &str, act: Act) {
        self.told.lock().unwrap().acts.insert(path.to_owned(), act);
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// How many requests for `path` there were.
    pub(crate) fn hits(&self, path: &str) -> usize {
        self.heads(path).len()
    }

    /// The heads of the requests for `path`.
    pub(crate) fn heads(&self, path: &str) -> Vec<String> {
        let prefix = format!("GET {path} ");
        self.told.lock().unwrap().heads.iter().filter(|head| head.starts_with(&prefix)).cloned().collect()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, told: Arc<Mutex<Told>>, tls: Option<TlsAcceptor>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (told, tls) = (Arc::clone(&told), tls.clone());
        connections.spawn(async move {
            match tls {
                None => {
                    let (stream, reset) = converse(stream, &told).await;
                    if reset {
                        stream.set_zero_linger().unwrap();
                    }
                }
                // A client that does not trust us hangs up during the handshake.
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        converse(stream, &told).await;
                    }
                }
            }
        });
    }
}

/// One request and what is done with it. Returns whether the connection is to be reset.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, told: &Mutex<Told>) -> (S, bool) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return (stream, false),
        }
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let act = {
        let mut told = told.lock().unwrap();
        told.heads.push(head);
        told.acts.get(&path).cloned()
    };
    // The client may have heard enough before all is said.
    match act.unwrap_or_else(|| answer("404 Not Found", &[], "<html>not found</html>")) {
        Act::Say(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
            (stream, false)
        }
        Act::WaitAndSay(gate, bytes) => {
            let _open = gate.acquire().await.unwrap();
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
            (stream, false)
        }
        Act::SayAndWait(bytes, gate, rest) => {
            let _ = stream.write_all(&bytes).await;
            let _open = gate.acquire().await.unwrap();
            let _ = stream.write_all(&rest).await;
            let _ = stream.shutdown().await;
            (stream, false)
        }
        Act::SayAndReset(bytes) => {
            let _ = stream.write_all(&bytes).await;
            (stream, true)
        }
        Act::SayAndHang(bytes) => {
            let _ = stream.write_all(&bytes).await;
            std::future::pending::<()>().await;
            (stream, false)
        }
    }
}
