//! Whose connections are counted together, and what a failed accept says.

use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::super::answer;
use super::*;

/// Trusts `198.51.100.1`, as if that were a proxy.
#[derive(Debug)]
struct Fine;

fn at(ip: &str) -> Peer {
    Peer::Address(ip.parse().unwrap())
}

impl Routes for Fine {
    async fn route(&self, _: Peer, _: Request<Incoming>) -> Answer {
        answer::plain(StatusCode::OK, "fine\n")
    }

    fn is_one_client(&self, peer: Peer) -> bool {
        peer != at("198.51.100.1")
    }
}

fn server(connections_per_client: usize) -> Server<Fine> {
    Server {
        routes: Arc::new(Fine),
        patience: Patience::default(),
        places: Places::new(100, "of a test"),
        connections_per_client,
        clients: Clients::default(),
        tls: None,
        metrics: Arc::default(),
    }
}

#[test]
fn the_connections_of_one_client_are_counted_together_and_those_of_a_proxy_are_not() {
    let server = server(2);
    let mut open: Vec<_> = ["2001:db8:1:2::1", "2001:db8:1:2:ffff::1"].map(|ip| server.admit(at(ip))).into();
    assert!(open.iter().all(Option::is_some));
    assert!(server.admit(at("2001:db8:1:2:3::1")).is_none(), "another address of the same network");
    open.extend(["2001:db8:1:3::1", "192.0.2.1", "::ffff:192.0.2.1"].map(|ip| server.admit(at(ip))));
    assert!(open.iter().all(Option::is_some));
    assert!(server.admit(at("192.0.2.1")).is_none(), "however its address is written");
    open.extend([(); 10].map(|()| server.admit(at("198.51.100.1"))));
    assert!(open.iter().all(Option::is_some));
    drop(open);
    assert!(server.clients.lock().unwrap().is_empty(), "and of nobody is anything remembered");
    assert!(server.admit(at("192.0.2.1")).is_some());
}

/// Whoever has an IPv6 /48 has 65,536 networks.
#[test]
fn the_connections_of_a_site_are_counted_together_too() {
    let server = server(2);
    let admit = |network: u32| server.admit(at(&format!("2001:db8:1:{network:x}::1")));
    let mut open: Vec<_> = (0..16).map(|number| admit(number / 2)).collect();
    assert!(open.iter().all(Option::is_some));
    assert!(admit(0xFFFF).is_none(), "eight networks have all there is for a site");
    assert!(server.admit(at("2001:db8:2::1")).is_some(), "another site");
    open.pop();
    assert!(admit(0xFFFF).is_some(), "there is room again");
    drop(open);
    assert!(server.clients.lock().unwrap().is_empty(), "and of nobody is anything remembered");
}

/// Idle connections end then, and leave it a place.
#[tokio::test]
async fn a_connection_that_waits_for_a_place_when_the_program_stops_is_answered() {
    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let listener = Listener::Tcp(TcpListener::bind("127.0.0.1:0").await.unwrap());
    let address = listener.tcp().unwrap();
    let (places, stop) = (Places::new(1, "of a test"), CancellationToken::new());
    let server = Server { places: Arc::clone(&places), ..server(9) };
    let running = tokio::spawn(server.run(listener, stop.clone()));
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(REQUEST).await.unwrap();
    assert!(idle.read(&mut [0; 1024]).await.unwrap() > 0);
    let mut waiting = TcpStream::connect(address).await.unwrap();
    waiting.write_all(REQUEST).await.unwrap();
    while !places.are_wanted() {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    let mut heard = String::new();
    waiting.read_to_string(&mut heard).await.unwrap();
    assert!(heard.starts_with("HTTP/1.1 200") && heard.ends_with("fine\n"), "{heard:?}");
    running.await.unwrap();
}

/// A pause for each of them would let anybody hold up everybody, by hanging up early.
#[test]
fn a_client_that_hangs_up_before_it_is_accepted_holds_nobody_up() {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    for kind in [ConnectionAborted, ConnectionReset, Interrupted] {
        assert!(is_of_one_connection(&kind.into()), "{kind}");
    }
    // EMFILE: there are too many open files.
    assert!(!is_of_one_connection(&io::Error::from_raw_os_error(24)));
}

#[test]
fn what_answers_a_request_is_small() {
    fn size<'a, F>(_: impl FnOnce(&'a Front, Peer, Request<Incoming>) -> F) -> usize {
        size_of::<F>()
    }
    // moka's part is half of it. What only few requests need is not part of all: with it, it is 3 KiB.
    let size = size(Front::route);
    assert!(size <= 2048, "{size} bytes");
}
