//! How one connection is served over its life, with a client at the other end of a pipe.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::StatusCode;
use http_body_util::Empty;
use tokio::io::{AsyncReadExt, DuplexStream, ReadBuf};

use super::*;
use crate::http::answer;

/// Answers all alike, and counts them.
#[derive(Debug, Default)]
struct Fine(AtomicUsize);

impl Routes for Fine {
    async fn route(&self, _: Peer, _: Request<Incoming>) -> Answer {
        self.0.fetch_add(1, Ordering::Relaxed);
        answer::plain(StatusCode::OK, "fine\n")
    }

    fn is_one_client(&self, _: Peer) -> bool {
        true
    }
}

struct Parts(Arc<Fine>, Metrics, CancellationToken, Arc<Places>);

impl Parts {
    fn new() -> Self {
        Self(Arc::new(Fine::default()), Metrics::default(), CancellationToken::new(), Places::new(1, "of a test"))
    }

    fn conversation(&self) -> Conversation<'_, Fine> {
        let Self(routes, metrics, stop, places) = self;
        Conversation { routes, peer: Peer::Unix, tls: None, patience: Patience::default(), metrics, places, stop }
    }
}

async fn ask(client: &mut DuplexStream, pieces: &[&str]) -> String {
    for piece in pieces {
        client.write_all(piece.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let mut heard = Vec::new();
    while !heard.ends_with(b"fine\n") {
        assert_ne!(client.read_buf(&mut heard).await.unwrap(), 0, "{}", String::from_utf8_lossy(&heard));
    }
    let heard = String::from_utf8(heard).unwrap();
    assert!(heard.starts_with("HTTP/1.1 200"));
    heard
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

/// How old a connection is when an answer says that it is the last, if there is a request every `pause`.
async fn age_at_the_last_answer(pause: Duration) -> Duration {
    let (ours, mut client) = tokio::io::duplex(1 << 16);
    let parts = Parts::new();
    let asked = async {
        let began = Instant::now();
        while !ask(&mut client, &[REQUEST]).await.contains("connection: close\r\n") {
            tokio::time::sleep(pause).await;
        }
        let age = began.elapsed();
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
        age
    };
    let conversation = parts.conversation();
    let whole = async { tokio::join!(conversation.run(ours), asked).1 };
    tokio::time::timeout(AGE * 2, whole).await.expect("it ends")
}

#[tokio::test(start_paused = true)]
async fn an_old_connection_ends_with_an_answer_and_no_request_goes_without() {
    let mut ages = Vec::new();
    for pause in [0, 0, 4, 4, 70].map(Duration::from_secs) {
        let age = age_at_the_last_answer(pause).await;
        let slack = pause + Patience::default().first_byte + Duration::from_secs(2);
        assert!((AGE..=AGE + AGE_SPREAD + slack).contains(&age), "{age:?}, asked every {pause:?}");
        ages.push(age.as_secs() / 60);
    }
    ages.dedup();
    assert!(ages.len() > 1, "all end at one time");
}

#[tokio::test(start_paused = true)]
async fn an_old_connection_by_http_2_is_told_to_end_and_no_request_goes_without() {
    for pause in [1, 70].map(Duration::from_secs) {
        let (ours, client) = tokio::io::duplex(1 << 16);
        let parts = Parts::new();
        let asked = async {
            let began = Instant::now();
            let builder = hyper::client::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new());
            let (mut sender, connection) = builder.handshake(TokioIo::new(client)).await.unwrap();
            let connection = tokio::spawn(connection);
            let mut answered = 0;
            while sender.ready().await.is_ok() {
                let request = Request::get("http://a/").body(Empty::<Bytes>::new()).unwrap();
                // Or the client hears as it is about to send it that it had better ask elsewhere.
                if let Ok(answer) = sender.send_request(request).await {
                    assert_eq!(answer.status(), StatusCode::OK);
                    answered += 1;
                }
                tokio::time::sleep(pause).await;
            }
            connection.await.unwrap().unwrap();
            assert_eq!(parts.0.0.load(Ordering::Relaxed), answered, "of those that came here");
            began.elapsed()
        };
        let conversation = parts.conversation();
        let whole = async { tokio::join!(conversation.run(ours), asked).1 };
        let age = tokio::time::timeout(AGE * 2, whole).await.expect("it ends");
        let slack = pause + Patience::default().first_byte * 2;
        assert!((AGE..=AGE + AGE_SPREAD + slack).contains(&age), "{age:?}, asked every {pause:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_gives_way_if_somebody_waits_for_its_place_and_only_then() {
    let parts = Parts::new();
    let _taken = parts.3.take().await;
    let patience = Patience::default();
    for (is_wanted, range) in
        [(false, patience.idle..patience.idle * 2), (true, Duration::ZERO..patience.first_byte * 3)]
    {
        let (ours, mut client) = tokio::io::duplex(1 << 16);
        let conversation = parts.conversation();
        let stayed = async {
            ask(&mut client, &[REQUEST]).await;
            let since = Instant::now();
            assert_eq!(client.read(&mut [0; 16]).await.unwrap(), 0);
            since.elapsed()
        };
        let talk = async { tokio::join!(conversation.run(ours), stayed).1 };
        let stayed = if is_wanted {
            tokio::select! {
                _ = parts.3.take() => unreachable!("nobody leaves the only place"),
                stayed = talk => stayed,
            }
        } else {
            talk.await
        };
        assert!(range.contains(&stayed), "{stayed:?}, wanted: {is_wanted}");
    }
}
