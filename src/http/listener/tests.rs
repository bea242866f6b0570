//! Who may wait to be accepted; and files of Unix sockets: whose they are, which of them make room, and which go with whom.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use super::*;

async fn listen(path: &Path) -> io::Result<Listener> {
    let mut handed = Handed::from_env("");
    Listener::open(&Listen::Unix(path.to_owned()), &mut handed).await.map(|mut opened| opened.pop().unwrap())
}

#[tokio::test]
async fn a_burst_of_clients_waits_to_be_accepted_and_is_not_sent_away() {
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let opened = Listener::open(&Listen::Tcp(address), &mut Handed::from_env("")).await.unwrap();
    let [Listener::Tcp(listener)] = opened.as_slice() else { panic!("{opened:?}") };
    let (to, mut waiting) = (listener.local_addr().unwrap(), Vec::new());
    // Whoever does not fit into the queue is not answered.
    for _ in 0..400 {
        let connecting = tokio::time::timeout(Duration::from_secs(10), TcpStream::connect(to));
        waiting.push(connecting.await.expect("there is room in the queue").unwrap());
    }
}

#[tokio::test]
async fn the_kernel_finds_out_whether_somebody_is_still_there() {
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let opened = Listener::open(&Listen::Tcp(address), &mut Handed::from_env("")).await.unwrap();
    let [listener] = opened.as_slice() else { panic!("{opened:?}") };
    let _client = TcpStream::connect(listener.tcp().unwrap()).await.unwrap();
    let (Stream::Tcp(stream), _) = listener.accept().await.unwrap() else { panic!("it is of the network") };
    let socket = SockRef::from(&stream);
    assert!(socket.keepalive().unwrap());
    // 30 s, and three times 10 more: within the 75 s that a connection may be idle.
    assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(30));
    assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(10));
    assert_eq!(socket.tcp_keepalive_retries().unwrap(), 3);
}

#[tokio::test]
async fn a_socket_is_for_its_owner_and_group() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let _listener = listen(&path).await.unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o660);
}

#[tokio::test]
async fn only_a_socket_that_nobody_answers_on_makes_room() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let first = listen(&path).await.unwrap();
    assert!(listen(&path).await.is_err(), "somebody answers on it");
    assert!(UnixStream::connect(&path).await.is_ok(), "and still does");
    drop(first);

    let strange = UnixDatagram::bind(&path).unwrap();
    assert!(listen(&path).await.is_err(), "another kind of socket is somebody's");
    assert!(path.exists());
    drop(strange);
    fs::remove_file(&path).unwrap();

    fs::write(&path, "a file").unwrap();
    assert!(listen(&path).await.is_err());
    assert_eq!(fs::read(&path).unwrap(), b"a file");
}

#[tokio::test]
async fn who_ends_takes_its_own_file_along_and_not_its_successors() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let first = listen(&path).await.unwrap();
    fs::rename(&path, dir.path().join("before")).unwrap();
    let second = listen(&path).await.unwrap();
    drop(first);
    assert!(UnixStream::connect(&path).await.is_ok());
    drop(second);
    assert!(!path.exists());
}
