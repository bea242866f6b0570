//! A real ACME authority: Pebble, of Let's Encrypt, with name servers and a way to the program that do as they are told.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::super::tls::{connect, trusting};
use super::eventually;

/// How long Pebble's certificates hold.
pub(crate) const HOLDS_DAYS: u64 = 30;

/// A task that ends with whoever began it.
#[derive(Debug)]
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A name server that knows every name.
#[derive(Debug)]
pub(crate) struct Names {
    address: SocketAddr,
    leads_to: Arc<Mutex<Ipv4Addr>>,
    _serving: Task,
}

impl Names {
    async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let leads_to = Arc::new(Mutex::new(Ipv4Addr::LOCALHOST));
        let leading = Arc::clone(&leads_to);
        let serving = tokio::spawn(async move {
            let mut question = [0; 512];
            loop {
                let (length, from) = socket.recv_from(&mut question).await.unwrap();
                let answer = resolve(&question[..length], *leading.lock().unwrap());
                socket.send_to(&answer, from).await.unwrap();
            }
        });
        Self { address, leads_to, _serving: Task(serving) }
    }

    /// From now on every name leads to `address`.
    pub(crate) fn lead_to(&self, address: [u8; 4]) {
        *self.leads_to.lock().unwrap() = address.into();
    }
}

/// One answer (RFC 1035 §4): `address` for A, nothing for anything else.
fn resolve(question: &[u8], address: Ipv4Addr) -> Vec<u8> {
    let name_end = 12 + question[12..].iter().position(|byte| *byte == 0).unwrap() + 1;
    let asked = &question[12..name_end + 4];
    let is_a = question[name_end..name_end + 2] == [0, 1];
    let mut answer = question[..2].to_vec();
    answer.extend([0x85, 0x80, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
    answer.extend(asked);
    if is_a {
        answer.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        answer.extend(address.octets());
    }
    answer
}

/// Port 443 of the world: leads to the program, once it is told where that is. Until then whoever comes waits.
#[derive(Debug)]
pub(crate) struct Door {
    port: u16,
    leads_to: watch::Sender<Option<SocketAddr>>,
    came: Arc<Mutex<usize>>,
    _serving: Task,
}

impl Door {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (leads_to, leading) = watch::channel(None);
        let came = Arc::new(Mutex::new(0));
        let coming = Arc::clone(&came);
        let serving = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                *coming.lock().unwrap() += 1;
                let mut leading = leading.clone();
                connections.spawn(async move {
                    let Ok(Some(to)) = leading.wait_for(Option::is_some).await.map(|to| *to) else { return };
                    if let Ok(mut program) = TcpStream::connect(to).await {
                        let _ = copy_bidirectional(&mut stream, &mut program).await;
                    }
                });
            }
        });
        Self { port, leads_to, came, _serving: Task(serving) }
    }

    pub(crate) fn lead_to(&self, program: SocketAddr) {
        self.leads_to.send_replace(Some(program));
    }

    pub(crate) fn close(&self) {
        self.leads_to.send_replace(None);
    }

    /// How many connections there were.
    pub(crate) fn came(&self) -> usize {
        *self.came.lock().unwrap()
    }
}

/// The authority's own certificate and the one that judges it, in files.
pub(crate) fn identity(dir: &Path) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["127.0.0.1".to_owned(), "cal.example.com".to_owned()]).unwrap();
    std::fs::write(dir.join("ca.pem"), root.pem()).unwrap();
    std::fs::write(dir.join("own.pem"), own.signed_by(&key, &root).unwrap().pem()).unwrap();
    std::fs::write(dir.join("own.key"), key.serialize_pem()).unwrap();
}

/// What [`identity`] has written, to accept connections with.
pub(crate) fn acceptor(dir: &Path) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_file(dir.join("own.pem")).unwrap()],
            PrivateKeyDer::from_pem_file(dir.join("own.key")).unwrap(),
        )
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// Pebble, and what it looks at.
pub(crate) struct Pebble {
    pub(crate) names: Names,
    pub(crate) door: Door,
    dir: TempDir,
    port: u16,
    management: u16,
    running: Option<(Child, Task)>,
    log: Arc<Mutex<String>>,
}

/// A port that nobody listens on, and that the system gives to nobody who asks for any.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 100).unwrap() * 100;
    loop {
        let port = 20_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        if std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

impl Pebble {
    pub(crate) async fn start() -> Self {
        let mut pebble = Self::prepared().await;
        pebble.run(0).await;
        pebble
    }

    /// All but running.
    pub(crate) async fn prepared() -> Self {
        let dir = tempfile::tempdir().unwrap();
        identity(dir.path());
        let (port, management) = (free_port(), free_port());
        let door = Door::start().await;
        Self { names: Names::start().await, door, dir, port, management, running: None, log: Arc::default() }
    }

    /// Runs it, as new: it remembers nothing of an earlier run. It refuses `bad_nonces` of a hundred good nonces.
    pub(crate) async fn run(&mut self, bad_nonces: u8) {
        if let Some((mut child, _)) = self.running.take() {
            // Its ports are free when it is gone.
            child.kill().await.unwrap();
        }
        self.log.lock().unwrap().clear();
        let config = serde_json::json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{}", self.port),
            "managementListenAddress": format!("127.0.0.1:{}", self.management),
            "certificate": self.dir.path().join("own.pem"),
            "privateKey": self.dir.path().join("own.key"),
            "httpPort": 1,
            "tlsPort": self.door.port,
            "certificateValidityPeriod": HOLDS_DAYS * 86_400,
        }});
        std::fs::write(self.dir.path().join("pebble.json"), config.to_string()).unwrap();
        let child = Command::new("pebble")
            .arg("-config")
            .arg(self.dir.path().join("pebble.json"))
            .args(["-dnsserver", &self.names.address.to_string()])
            .env("PEBBLE_VA_NOSLEEP", "1")
            .env("PEBBLE_AUTHZREUSE", "0")
            .env("PEBBLE_WFE_NONCEREJECT", bad_nonces.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn();
        let mut child = child.expect("pebble is needed: apt-get install pebble");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let log = Arc::clone(&self.log);
        let reading = tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                log.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        self.running = Some((child, Task(reading)));
        let ports = [self.port, self.management];
        eventually("pebble", async || {
            let open = async |port| TcpStream::connect((IpAddr::from([127, 0, 0, 1]), port)).await.is_ok();
            open(ports[0]).await && open(ports[1]).await
        })
        .await;
    }

    /// `[server.acme]` for the names `domains`, quoted and with commas between.
    pub(crate) fn settings(&self, domains: &str) -> String {
        format!(
            "[server.acme]\ndomains = [{domains}]\ncontact = [\"lin@example.com\"]\ndirectory = \"https://127.0.0.1:{}/dir\"\n\
             ca_file = \"{}\"\n",
            self.port,
            self.ca_file().display()
        )
    }

    pub(crate) fn ca_file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// Orders since it runs.
    pub(crate) fn orders(&self) -> usize {
        self.log.lock().unwrap().matches("orders in the db").count()
    }

    /// What its certificates are judged by.
    pub(crate) async fn root(&self) -> CertificateDer<'static> {
        let own = CertificateDer::from_pem_file(self.ca_file()).unwrap();
        let to = (Ipv4Addr::LOCALHOST, self.management).into();
        let mut stream = connect(&trusting(own, "http/1.1", None), to).await.unwrap();
        stream.write_all(b"GET /roots/0 HTTP/1.1\r\nHost: pebble\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        // Whether it ends TLS in order is not its answer.
        let _ = stream.read_to_end(&mut answer).await;
        CertificateDer::from_pem_slice(&answer).unwrap()
    }
}
