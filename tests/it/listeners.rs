//! Where the real program listens: Unix sockets and systemd's, and what it tells systemd.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixDatagram, UnixStream};
use tokio::process::{Child, Command};

use super::harness::eventually;

const BIN: &str = env!("CARGO_BIN_EXE_calferry");
const ASK: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// Settings whose only listener is `listen`.
fn settings(listen: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let toml = format!(
        "state_dir = \"{}\"\n[server]\nlisten = {listen}\n[source.work]\nurl = \"https://cal.invalid/a.ics\"\n\
         [feed.me]\nsources = [\"work\"]\n",
        dir.path().join("state").display()
    );
    std::fs::write(dir.path().join("calferry.toml"), toml).unwrap();
    dir
}

fn serve(dir: &Path) -> Command {
    let mut command = Command::new(BIN);
    command.args(["serve", "--config"]).arg(dir.join("calferry.toml"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    command
}

/// The program with `socket` as systemd would hand it over, under `name`.
fn handed(dir: &Path, name: &str, socket: TcpListener) -> Command {
    let mut command = Command::new("sh");
    let script =
        "exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=$2 exec \"$0\" serve --config \"$1\"";
    command.arg("-c").arg(script).arg(BIN).arg(dir.join("calferry.toml")).arg(name);
    command.stdin(Stdio::from(OwnedFd::from(socket))).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    command
}

async fn signal(child: &Child, signal: &str) {
    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-s", signal, &pid]).status().await.unwrap().success());
}

async fn ask_unix(path: &Path) -> Option<String> {
    let mut stream = UnixStream::connect(path).await.ok()?;
    stream.write_all(ASK).await.ok()?;
    let mut heard = String::new();
    stream.read_to_string(&mut heard).await.ok()?;
    Some(heard)
}

#[tokio::test]
async fn a_unix_socket_is_served_and_one_that_a_killed_program_left_makes_room() {
    let sockets = tempfile::tempdir().unwrap();
    let path = sockets.path().join("calferry.sock");
    let dir = settings(&format!("[\"unix:{}\"]", path.display()));
    for _ in 0..2 {
        let mut child = serve(dir.path()).spawn().unwrap();
        eventually("an answer", async || {
            ask_unix(&path).await.is_some_and(|answer| answer.starts_with("HTTP/1.1 200"))
        })
        .await;
        let health =
            Command::new(BIN).args(["health", "--config"]).arg(dir.path().join("calferry.toml")).output().await;
        assert!(health.unwrap().status.success(), "health asks by the socket");
        // A second program must not take the first one's place.
        assert!(!serve(dir.path()).spawn().unwrap().wait().await.unwrap().success());
        child.kill().await.unwrap();
        assert!(path.exists());
    }
    let mut child = serve(dir.path()).stderr(Stdio::piped()).spawn().unwrap();
    eventually("an answer", async || ask_unix(&path).await.is_some()).await;
    signal(&child, "TERM").await;
    assert!(child.wait().await.unwrap().success());
    assert!(!path.exists(), "who stops in order leaves nothing behind");
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).await.unwrap();
    assert!(log.contains(&format!("serving on unix:{}", path.display())), "{log}");
}

#[tokio::test]
async fn a_socket_of_systemd_is_served_and_holds_what_comes_between_two_programs() {
    let dir = settings("\"systemd:public\"");
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let start = || handed(dir.path(), "public", socket.try_clone().unwrap()).spawn().unwrap();
    let ask = async || {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(ASK).await.unwrap();
        let mut heard = String::new();
        stream.read_to_string(&mut heard).await.unwrap();
        heard
    };
    let mut first = start();
    assert!(ask().await.starts_with("HTTP/1.1 200"));
    signal(&first, "TERM").await;
    assert!(first.wait().await.unwrap().success());
    // Nobody accepts now; the kernel keeps who comes.
    let between = tokio::join!(ask(), async { start() });
    assert!(between.0.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn the_private_listener_is_never_a_socket_that_others_can_reach() {
    let dir = settings("\"127.0.0.1:0\"\nadmin_listen = \"systemd:private\"");
    let socket = TcpListener::bind("0.0.0.0:0").unwrap();
    let refused = handed(dir.path(), "private", socket).stderr(Stdio::piped()).output();
    let ended = tokio::time::timeout(std::time::Duration::from_secs(30), refused).await;
    let refused = ended.expect("it does not serve there").unwrap();
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is open to others"));
}

#[tokio::test]
async fn systemd_is_told_that_it_is_ready_alive_reloading_and_stopping() {
    let dir = settings("\"127.0.0.1:0\"");
    let path = dir.path().join("notify");
    let told = UnixDatagram::bind(&path).unwrap();
    let mut child = serve(dir.path()).env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "1000000").spawn().unwrap();
    let hear = async |word: &str| {
        let mut buffer = [0; 512];
        let heard = tokio::time::timeout(std::time::Duration::from_secs(30), async {
            loop {
                let length = told.recv(&mut buffer).await.unwrap();
                let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                if text.lines().any(|line| line == word) {
                    return text;
                }
            }
        });
        heard.await.unwrap_or_else(|_| panic!("{word} was not told"))
    };
    assert!(hear("READY=1").await.contains("STATUS=Serving 1 device from 1 source"));
    hear("WATCHDOG=1").await;
    signal(&child, "HUP").await;
    assert!(hear("RELOADING=1").await.contains("MONOTONIC_USEC="));
    hear("READY=1").await;
    signal(&child, "TERM").await;
    hear("STOPPING=1").await;
    assert!(child.wait().await.unwrap().success());
}
