//! Connections: both versions of HTTP, clients that are slow or silent, and a stop in order.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::harness::program::Program;
use super::harness::upstream::{Act, Upstream, calendar};
use super::harness::{self, eventually};

async fn program(more: &str) -> (Upstream, Program) {
    let upstream = Upstream::start().await;
    upstream.on("/a.ics", calendar(harness::calendar(3, "meeting")));
    let toml = format!(
        "[fetch]\nallow_private = true\n[source.work]\nurl = \"{}\"\n[feed.me]\nsources = [\"work\"]\n{more}",
        upstream.url("/a.ics")
    );
    let program = Program::start(&toml).await;
    eventually("the first copy", async || program.source("work").await["events"] == 3).await;
    (upstream, program)
}

#[tokio::test]
async fn http_2_is_served_in_clear_text_on_the_same_port() {
    let (_upstream, program) = program("").await;
    let stream = TcpStream::connect(program.address()).await.unwrap();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut requests = JoinSet::new();
    for _ in 0..50 {
        let mut sender = sender.clone();
        let uri = format!("http://cal.example.com{}", program.path("me"));
        requests.spawn(async move {
            let request = Request::get(uri).header("accept-encoding", "gzip").body(Empty::<Bytes>::new()).unwrap();
            let response = sender.send_request(request).await.unwrap();
            (response.status().as_u16(), response.into_body().collect().await.unwrap().to_bytes().len())
        });
    }
    let answers = requests.join_all().await;
    assert!(answers.iter().all(|answer| *answer == answers[0] && answer.0 == 200 && answer.1 > 0));
    drop(sender);
    connection.await.unwrap().unwrap();
}

#[tokio::test]
async fn over_http_2_a_request_is_for_one_host_and_says_which() {
    let (_upstream, program) = program("").await;
    let stream = TcpStream::connect(program.address()).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    for (target, hosts, expected) in [
        ("http://a/healthz", &[][..], 200),
        ("http://a/healthz", &["A"], 200),
        ("/healthz", &["a"], 200),
        ("http://a/healthz", &["b"], 400),
        ("http://a/healthz", &["a", "a"], 400),
        ("/healthz", &["a", "b"], 400),
        ("/healthz", &[], 400),
    ] {
        let mut request = Request::get(target);
        for host in hosts {
            request = request.header("host", *host);
        }
        let response = sender.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
        assert_eq!(response.status(), expected, "{target} {hosts:?}");
    }
    // As much as by HTTP/1.1, and no more.
    for (length, expected) in [(14 << 10, 200), (16 << 10, 431)] {
        let request = Request::get("http://a/healthz").header("x-long", "x".repeat(length));
        let response = sender.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
        assert_eq!(response.status(), expected, "{length} bytes");
    }
    drop(sender);
    connection.await.unwrap().unwrap();
}

/// What hyper's builder alone would hold for ever is cut: the socket that says nothing, half a preface, half a head.
#[tokio::test]
async fn silent_and_slow_clients_are_cut_while_others_are_served() {
    let (_upstream, program) =
        program("[server]\nfirst_byte_timeout = \"1s\"\nheader_timeout = \"1s\"\nidle_timeout = \"1s\"").await;
    let path = program.path("me");
    let whole = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    let beginnings: [&[u8]; 5] =
        [b"", b"P", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET /x HTTP/1.1\r\nHost: a\r\nX-Slow: ", whole.as_bytes()];
    let mut clients = JoinSet::new();
    for beginning in beginnings.map(<[u8]>::to_vec) {
        let address = program.address();
        clients.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(&beginning).await.unwrap();
            let mut heard = Vec::new();
            // Ends when the other side closes, one way or the other.
            let _ = stream.read_to_end(&mut heard).await;
            heard
        });
    }
    assert_eq!(program.get(&path, &[]).await.status, 200);
    let heard =
        tokio::time::timeout(std::time::Duration::from_secs(20), clients.join_all()).await.expect("all were cut");
    assert_eq!(
        heard.iter().filter(|heard| heard.starts_with(b"HTTP/1.1 200")).count(),
        1,
        "the idle one had its answer first"
    );
    assert!(program.admin("/metrics").await.text().contains("calferry_cut_connections_total 5"));
}

/// What stands behind a request that is refused may be a part of it, or was meant to be read as one.
#[tokio::test]
async fn nothing_is_answered_behind_a_request_that_is_refused() {
    let (_upstream, program) = program("").await;
    let refused = [
        "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: \r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: me@a\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: a/b\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: a b\r\n\r\n",
    ];
    for message in refused {
        let mut stream = TcpStream::connect(program.address()).await.unwrap();
        stream.write_all(format!("{message}GET /robots.txt HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await.unwrap();
        let mut heard = String::new();
        // May end in a reset: what was not read is thrown away.
        let _ = stream.read_to_string(&mut heard).await;
        assert!(heard.starts_with("HTTP/1.1 40"), "{message:?}: {heard:?}");
        assert!(!heard.contains("HTTP/1.1 200"), "{message:?}: {heard:?}");
    }
}

#[tokio::test]
async fn beyond_the_cap_new_connections_wait_and_are_served_when_there_is_room() {
    let (_upstream, program) = program("[server]\nmax_connections = 2").await;
    let held =
        [TcpStream::connect(program.address()).await.unwrap(), TcpStream::connect(program.address()).await.unwrap()];
    eventually("two held connections", async || {
        program.admin("/metrics").await.text().contains("calferry_open_connections 2")
    })
    .await;
    let (address, path) = (program.address(), program.path("me"));
    let waiting = tokio::spawn(async move {
        super::harness::client::send(address, super::harness::client::request("GET", &path, &[])).await
    });
    for _ in 0..20 {
        program.admin("/metrics").await;
    }
    assert!(!waiting.is_finished());
    assert!(program.admin("/metrics").await.text().contains("calferry_connection_places 2\n"));
    drop(held);
    assert_eq!(waiting.await.unwrap().status, 200);
}

#[tokio::test]
async fn a_stop_answers_what_is_under_way_and_ends_idle_connections() {
    let upstream = Upstream::start().await;
    upstream.on("/a.ics", Act::SayAndHang(vec![]));
    let toml = format!(
        "[fetch]\nallow_private = true\n[server]\nfirst_wait = \"1s\"\n[source.work]\nurl = \"{}\"\n[feed.me]\nsources = [\"work\"]\n",
        upstream.url("/a.ics")
    );
    let program = Program::start(&toml).await;
    let mut idle = TcpStream::connect(program.address()).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut buffer = [0; 4096];
    assert!(idle.read(&mut buffer).await.unwrap() > 0);
    let (address, path) = (program.address(), program.path("me"));
    let under_way = tokio::spawn(async move {
        super::harness::client::send(address, super::harness::client::request("GET", &path, &[])).await
    });
    eventually("the fetch that hangs", async || upstream.hits("/a.ics") == 1).await;
    eventually("the request under way", async || {
        program.admin("/metrics").await.text().contains("calferry_open_connections 2")
    })
    .await;
    program.stop().await;
    assert_eq!(under_way.await.unwrap().status, 503, "answered, not cut");
    assert_eq!(idle.read(&mut buffer).await.unwrap(), 0, "closed in order");
}
