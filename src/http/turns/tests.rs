//! HTTP/2 over TLS through a pipe, with a client that we did not write.

use std::io;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, DuplexStream, ReadBuf};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::http::answer::Answer;
use crate::http::caller::Peer;
use crate::http::conversation::Conversation;
use crate::http::gather::Gate;
use crate::http::metrics::Metrics;
use crate::http::places::Places;
use crate::http::server::{Patience, Routes};

/// `/LENGTH` is answered with as many bytes, `/later/LENGTH` a second later, and anything else kills who answers.
#[derive(Debug)]
struct Lengths;

impl Routes for Lengths {
    async fn route(&self, _: Peer, request: Request<Incoming>) -> Answer {
        let path = request.uri().path().trim_start_matches('/');
        if path.starts_with("later/") {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let length = path.trim_start_matches("later/").parse().unwrap();
        Response::new(Full::new(body(length)))
    }

    fn is_one_client(&self, _: Peer) -> bool {
        true
    }
}

fn body(length: usize) -> Bytes {
    (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

/// A pipe that counts what is written to it: each would be a call of the system.
struct Counted(DuplexStream, Arc<AtomicUsize>);

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// The two ends of TLS for a host called `a`.
fn tls() -> (TlsAcceptor, TlsConnector) {
    let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider));
    let server = server.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let server = server.with_single_cert(vec![cert.der().clone()], key).unwrap();
    let mut trusted = rustls::RootCertStore::empty();
    trusted.add(cert.der().clone()).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let client = client.with_root_certificates(trusted).with_no_client_auth();
    (TlsAcceptor::from(Arc::new(server)), TlsConnector::from(Arc::new(client)))
}

/// A client, and how often the server has written; `room` bytes fit into the pipe at a time.
async fn connected(room: usize) -> (SendRequest<Empty<Bytes>>, Arc<AtomicUsize>) {
    let (acceptor, connector) = tls();
    let (ours, theirs) = tokio::io::duplex(room);
    let writes = Arc::new(AtomicUsize::new(0));
    let gate = Gate::new(Counted(ours, Arc::clone(&writes)));
    tokio::spawn(async move {
        let stream = Box::new(acceptor.accept(gate).await.unwrap());
        let (metrics, places, stop) = (Metrics::default(), Places::new(1, "of a test"), CancellationToken::new());
        let (routes, peer, patience) = (&Arc::new(Lengths), Peer::Unix, Patience::default());
        let (metrics, places, stop) = (&metrics, &places, &stop);
        Conversation { routes, peer, tls: None, patience, metrics, places, stop }.run(stream).await;
    });
    let tls = connector.connect(ServerName::try_from("a").unwrap(), theirs).await.unwrap();
    let (client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(tls)).await.unwrap();
    tokio::spawn(connection);
    (client, writes)
}

/// Counts how often a task is woken.
struct Task(AtomicUsize);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn who_calls_during_a_turn_is_heard_by_it_or_after_it() {
    let (turns, bytes) = Turns::new(tokio::io::duplex(1).0);
    let bytes = std::cell::RefCell::new(bytes);
    let task = Arc::new(Task(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&task));
    let read = |cx: &mut Context<'_>| {
        let _ = Pin::new(&mut *bytes.borrow_mut()).poll_read(cx, &mut ReadBuf::new(&mut [0]));
    };
    let call = |cx: &mut Context<'_>| cx.waker().wake_by_ref();
    let woken = |connection: &[&dyn Fn(&mut Context<'_>)]| {
        let before = task.0.load(Ordering::Relaxed);
        let polled = std::pin::pin!(std::future::poll_fn(|cx| {
            for step in connection {
                step(cx);
            }
            Poll::<io::Result<()>>::Pending
        }));
        assert!(turns.poll(polled, &mut Context::from_waker(&waker)).is_pending());
        task.0.load(Ordering::Relaxed) - before
    };
    assert_eq!(woken(&[&read]), 0);
    assert_eq!(woken(&[&call]), 1);
    assert_eq!(woken(&[&read]), 0);
    assert_eq!(woken(&[&call, &read]), 0);
    assert_eq!(woken(&[&read, &call]), 1);
    turns.waker.wake_by_ref();
    assert_eq!(task.0.load(Ordering::Relaxed), 3, "between two turns, at once");
}

async fn ask(client: &mut SendRequest<Empty<Bytes>>, path: &str) -> Bytes {
    client.ready().await.unwrap();
    let request = Request::get(format!("https://a/{path}")).body(Empty::new()).unwrap();
    client.send_request(request).await.unwrap().collect().await.unwrap().to_bytes()
}

#[tokio::test]
async fn what_has_ended_holds_nothing() {
    let (ours, mut theirs) = tokio::io::duplex(1);
    let (turns, mut bytes) = Turns::new(ours);
    let reading =
        std::pin::pin!(std::future::poll_fn(|cx| { Pin::new(&mut bytes).poll_read(cx, &mut ReadBuf::new(&mut [0])) }));
    assert!(turns.poll(reading, &mut Context::from_waker(Waker::noop())).is_pending());
    drop((turns, bytes));
    assert_eq!(theirs.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_several_frames_is_written_at_once() {
    let (mut client, writes) = connected(1 << 20).await;
    // What both ends agree on at first is written, too.
    ask(&mut client, "1").await;
    for length in [1, 10_000, 24_000, 40_000] {
        let before = writes.load(Ordering::Relaxed);
        assert_eq!(ask(&mut client, &length.to_string()).await, body(length));
        assert_eq!(writes.load(Ordering::Relaxed) - before, 1, "{length}");
    }
}

#[tokio::test(start_paused = true)]
async fn answers_to_requests_that_come_together_are_written_together() {
    let (mut client, writes) = connected(1 << 20).await;
    ask(&mut client, "1").await;
    let before = writes.load(Ordering::Relaxed);
    let asking = (0..10).map(|_| {
        let mut client = client.clone();
        tokio::spawn(async move { ask(&mut client, "100").await })
    });
    for asked in asking.collect::<Vec<_>>() {
        assert_eq!(asked.await.unwrap(), body(100));
    }
    assert_eq!(writes.load(Ordering::Relaxed) - before, 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_panics_takes_no_other_along() {
    let (mut client, _) = connected(1 << 16).await;
    let mut other = client.clone();
    let waiting = tokio::spawn(async move { ask(&mut other, "later/100").await });
    let request = Request::get("https://a/panic").body(Empty::new()).unwrap();
    let error = client.send_request(request).await.unwrap_err();
    assert!(format!("{error:?}").contains("Reset"), "{error:?}");
    assert_eq!(ask(&mut client, "100").await, body(100));
    assert_eq!(waiting.await.unwrap(), body(100));
}

#[tokio::test(start_paused = true)]
async fn an_answer_arrives_whole_whatever_its_length_and_however_little_the_client_takes_at_a_time() {
    for room in [1 << 10, 1 << 20] {
        let (mut client, _) = connected(room).await;
        for length in [0, 1, 16_383, 16_384, 16_385, 32_768, 49_152, 65_535, 65_536, 500_000, 3_000_000] {
            for path in [length.to_string(), format!("later/{length}")] {
                // Whatever was left lying would go on at the next look, after five seconds.
                let asked = tokio::time::timeout(Duration::from_secs(3), ask(&mut client, &path));
                assert_eq!(asked.await.unwrap_or_else(|_| panic!("{path}, {room}")), body(length), "{path}, {room}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_waits_holds_up_no_other_and_all_come() {
    let (client, _) = connected(1 << 16).await;
    let asking = (0..90_usize).map(|number| {
        let mut client = client.clone();
        let (path, length) = if number % 3 == 0 { ("later/", number * 700) } else { ("", number * 300) };
        tokio::spawn(async move {
            let began = tokio::time::Instant::now();
            assert_eq!(ask(&mut client, &format!("{path}{length}")).await, body(length));
            (path.is_empty(), began.elapsed())
        })
    });
    for asked in asking.collect::<Vec<_>>() {
        let (at_once, took) = asked.await.unwrap();
        assert_eq!(at_once, took < Duration::from_secs(1), "{took:?}");
        assert!(took < Duration::from_secs(2), "{took:?}");
    }
}
