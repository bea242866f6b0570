//! How one connection is served over its life, with a client at the other end of a pipe.

use std::io;
use std::task::{Context, Poll};

use http::StatusCode;
use tokio::io::{AsyncReadExt, DuplexStream, ReadBuf};

use super::*;
use crate::http::answer;

#[derive(Debug)]
struct Fine;

impl Routes for Fine {
    async fn route(&self, _: Peer, _: Request<Incoming>) -> Answer {
        answer::plain(StatusCode::OK, "fine\n")
    }

    fn is_one_client(&self, _: Peer) -> bool {
        true
    }
}

struct Parts(Arc<Fine>, Metrics, CancellationToken, Semaphore);

impl Parts {
    fn new() -> Self {
        Self(Arc::new(Fine), Metrics::default(), CancellationToken::new(), Semaphore::new(1))
    }

    fn conversation(&self) -> Conversation<'_, Fine> {
        let Self(routes, metrics, stop, places) = self;
        Conversation { routes, peer: Peer::Unix, tls: None, patience: Patience::default(), metrics, places, stop }
    }
}

async fn ask(client: &mut DuplexStream, pieces: &[&str]) {
    for piece in pieces {
        client.write_all(piece.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let mut heard = Vec::new();
    while !heard.ends_with(b"fine\n") {
        assert_ne!(client.read_buf(&mut heard).await.unwrap(), 0, "{}", String::from_utf8_lossy(&heard));
    }
    assert!(heard.starts_with(b"HTTP/1.1 200"));
}

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_taken_back_from_hyper() {
    let (ours, mut client) = tokio::io::duplex(1 << 16);
    let parts = Parts::new();
    let conversation = parts.conversation();
    let vigil = Vigil::new(conversation.patience);
    let mut watch = Watch::new(Arc::clone(&vigil), &conversation);
    let served = conversation.one_by_one(Watched::new(ours, vigil), &mut watch);
    let asked = async {
        ask(&mut client, &[REQUEST]).await;
        client
    };
    let (idle, _client) = tokio::join!(served, asked);
    assert!(idle.is_some());
}

#[tokio::test(start_paused = true)]
async fn it_is_served_again_whenever_it_asks_and_ends_when_it_has_been_idle_for_too_long() {
    let (ours, mut client) = tokio::io::duplex(1 << 16);
    let parts = Parts::new();
    let asked = async {
        for pause in [0, 1, 10, 30, 74] {
            tokio::time::sleep(Duration::from_secs(pause)).await;
            ask(&mut client, &[REQUEST]).await;
        }
        // In pieces, the first of which may be that of an HTTP/2 preface.
        tokio::time::sleep(Duration::from_secs(20)).await;
        ask(&mut client, &["P", "RI", "NT / HTTP/1.1\r\nHo", "st: a\r\n\r\n"]).await;
        // Two at once, the second of them not whole.
        tokio::time::sleep(Duration::from_secs(20)).await;
        ask(&mut client, &[&format!("{REQUEST}GET / HT")]).await;
        tokio::time::sleep(Duration::from_secs(20)).await;
        ask(&mut client, &["TP/1.1\r\nHost: a\r\n\r\n"]).await;
        let began = Instant::now();
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
        began.elapsed().as_secs()
    };
    let conversation = parts.conversation();
    let ((), idle) = tokio::join!(conversation.run(ours), asked);
    assert!((73..=80).contains(&idle), "{idle}");
}

#[tokio::test(start_paused = true)]
async fn a_head_that_begins_after_a_long_pause_has_no_more_time_than_any() {
    let (ours, mut client) = tokio::io::duplex(1 << 16);
    let parts = Parts::new();
    let asked = async {
        ask(&mut client, &[REQUEST]).await;
        tokio::time::sleep(Duration::from_secs(30)).await;
        client.write_all(b"GET / ").await.unwrap();
        let began = Instant::now();
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
        began.elapsed().as_secs()
    };
    let conversation = parts.conversation();
    let ((), taken) = tokio::join!(conversation.run(ours), asked);
    assert!((10..=15).contains(&taken), "{taken}");
}

/// A pipe whose other end never lets it be closed, as TLS over a full socket is.
struct Clinging(DuplexStream);

impl Gather for Clinging {}

impl AsyncRead for Clinging {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Clinging {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_that_nobody_takes_is_not_waited_for() {
    let (ours, mut client) = tokio::io::duplex(1 << 16);
    let parts = Parts::new();
    let asked = async {
        ask(&mut client, &[REQUEST]).await;
        let began = Instant::now();
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
        began.elapsed().as_secs()
    };
    let conversation = parts.conversation();
    let ((), idle) = tokio::join!(conversation.run(Clinging(ours)), asked);
    assert!((73..=80).contains(&idle), "{idle}");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_on_its_way_when_the_program_ends_is_answered() {
    for beginning in ["", "GET / HT"] {
        let (ours, mut client) = tokio::io::duplex(1 << 16);
        let parts = Parts::new();
        let asked = async {
            client.write_all(beginning.as_bytes()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
            parts.2.cancel();
            tokio::time::sleep(LAST_REQUEST / 2).await;
            client.write_all(&REQUEST.as_bytes()[beginning.len()..]).await.unwrap();
            let mut heard = String::new();
            client.read_to_string(&mut heard).await.unwrap();
            heard
        };
        let conversation = parts.conversation();
        let ((), heard) = tokio::join!(conversation.run(ours), asked);
        assert!(heard.starts_with("HTTP/1.1 200") && heard.ends_with("fine\n"), "{beginning:?}: {heard:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_ends_at_once_when_the_program_does() {
    let (ours, mut client) = tokio::io::duplex(1 << 16);
    let parts = Parts::new();
    let asked = async {
        ask(&mut client, &[REQUEST]).await;
        tokio::time::sleep(Duration::from_secs(30)).await;
        parts.2.cancel();
        let began = Instant::now();
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
        began.elapsed()
    };
    let conversation = parts.conversation();
    let ((), taken) = tokio::join!(conversation.run(ours), asked);
    assert!(taken < Duration::from_secs(1), "{taken:?}");
}

#[tokio::test(start_paused = true)]
async fn when_all_places_are_taken_an_idle_connection_gives_way() {
    let parts = Parts::new();
    for taken in [0, 1] {
        let (ours, mut client) = tokio::io::duplex(1 << 16);
        let _places = parts.3.acquire_many(taken).await.unwrap();
        let conversation = parts.conversation();
        let stayed = async {
            ask(&mut client, &[REQUEST]).await;
            let since = Instant::now();
            assert_eq!(client.read(&mut [0; 16]).await.unwrap(), 0);
            since.elapsed()
        };
        let ((), stayed) = tokio::join!(conversation.run(ours), stayed);
        let patience = Patience::default();
        let range = if taken == 0 { patience.idle..patience.idle * 2 } else { Duration::ZERO..patience.first_byte * 3 };
        assert!(range.contains(&stayed), "{stayed:?}, {taken} taken");
    }
}
