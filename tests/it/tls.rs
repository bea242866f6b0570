//! TLS: what is shown to whom, and what becomes of it when files change.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStderr};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::harness::program::Program;
use super::harness::upstream::{Upstream, calendar};
use super::harness::{self, eventually};

pub(super) type Authority = CertifiedIssuer<'static, KeyPair>;

pub(super) fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate of `authority` and its key, both in PEM.
pub(super) fn certificate(authority: &Authority) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["cal.example.com".to_owned()]).unwrap();
    (params.signed_by(&key, authority).unwrap().pem(), key.serialize_pem())
}

fn write_files(dir: &Path, authority: &Authority) {
    let (certificate, key) = certificate(authority);
    std::fs::write(dir.join("chain.pem"), certificate).unwrap();
    std::fs::write(dir.join("key.pem"), key).unwrap();
}

async fn program(authority: &Authority, more: &str) -> (Upstream, Program) {
    let upstream = Upstream::start().await;
    upstream.on("/a.ics", calendar(harness::calendar(3, "meeting")));
    let dir = tempfile::tempdir().unwrap();
    write_files(dir.path(), authority);
    let toml = format!(
        "[fetch]\nallow_private = true\n[server.tls]\ncertificate = \"chain.pem\"\nkey = \"key.pem\"\n{more}\n\
         [source.work]\nurl = \"{}\"\n[feed.me]\nsources = [\"work\"]\n",
        upstream.url("/a.ics")
    );
    let program = Program::start_in(dir, &toml, calferry::clock::Clock::System).await;
    eventually("the first copy", async || program.source("work").await["events"] == 3).await;
    (upstream, program)
}

/// A client that trusts `authority`, speaks `alpn`, and shows `own` if there is one.
fn client(authority: &Authority, alpn: &str, own: Option<(String, String)>) -> TlsConnector {
    trusting(authority.der().clone(), alpn, own)
}

/// The same, by the authority's own certificate.
pub(super) fn trusting(root: CertificateDer<'static>, alpn: &str, own: Option<(String, String)>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(root).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap(),
    };
    config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    TlsConnector::from(Arc::new(config))
}

pub(super) async fn connect(client: &TlsConnector, to: SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from("cal.example.com").unwrap();
    client.connect(name, TcpStream::connect(to).await?).await
}

/// One request on `stream`, which lives on.
pub(super) async fn ask(stream: &mut TlsStream<TcpStream>, path: &str) -> std::io::Result<String> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: cal.example.com\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut heard = Vec::new();
    while !heard.ends_with(b"ok\n") {
        let mut part = [0; 1024];
        match stream.read(&mut part).await? {
            0 => break,
            read => heard.extend_from_slice(&part[..read]),
        }
    }
    Ok(String::from_utf8(heard).unwrap())
}

#[tokio::test]
async fn both_versions_of_http_are_served_encrypted_and_chosen_by_alpn() {
    let authority = authority();
    let (_upstream, program) = program(&authority, "").await;
    let mut first = connect(&client(&authority, "http/1.1", None), program.address()).await.unwrap();
    assert_eq!(first.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert!(ask(&mut first, "/healthz").await.unwrap().starts_with("HTTP/1.1 200"));

    let second = connect(&client(&authority, "h2", None), program.address()).await.unwrap();
    assert_eq!(second.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(second)).await.unwrap();
    let connection = tokio::spawn(connection);
    let uri = format!("https://cal.example.com{}", program.path("me"));
    let response = sender.send_request(Request::get(uri).body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(body.starts_with(b"BEGIN:VCALENDAR"));
    drop(sender);
    connection.await.unwrap().unwrap();
}

#[tokio::test]
async fn who_speaks_no_tls_on_its_port_gets_no_http() {
    let authority = authority();
    let (_upstream, program) = program(&authority, "").await;
    let heard = harness::client::raw(program.address(), b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(!heard.starts_with(b"HTTP/"), "{heard:?}");
    // The private listener stays as it is.
    assert!(program.admin("/metrics").await.text().contains("calferry_certificate_expiry_timestamp_seconds "));
}

#[tokio::test]
async fn who_says_nothing_has_less_time_than_who_has_begun_a_handshake() {
    let authority = authority();
    let server = "[server]\nfirst_byte_timeout = \"1s\"\nheader_timeout = \"1h\"\n";
    let (_upstream, program) = program(&authority, &format!("\n{server}")).await;
    let mut silent = TcpStream::connect(program.address()).await.unwrap();
    let mut begun = TcpStream::connect(program.address()).await.unwrap();
    begun.write_all(b"\x16").await.unwrap();
    let ended = tokio::time::timeout(std::time::Duration::from_secs(20), silent.read(&mut [0; 1])).await;
    assert_eq!(ended.expect("the silent one is cut").unwrap(), 0);
    eventually("the other to go on", async || {
        program.admin("/metrics").await.text().contains("calferry_open_connections 1")
    })
    .await;
}

#[tokio::test]
async fn a_changed_certificate_is_shown_from_then_on_and_one_that_cannot_be_used_is_not() {
    let (old, new) = (authority(), authority());
    let (_upstream, program) = program(&old, "").await;
    let (trusts_old, trusts_new) = (client(&old, "http/1.1", None), client(&new, "http/1.1", None));
    let mut open = connect(&trusts_old, program.address()).await.unwrap();

    write_files(program.dir.path(), &new);
    program.app.renew_certificate();
    assert!(connect(&trusts_old, program.address()).await.is_err());
    let mut fresh = connect(&trusts_new, program.address()).await.unwrap();
    assert!(ask(&mut fresh, "/healthz").await.unwrap().starts_with("HTTP/1.1 200"));
    assert!(ask(&mut open, "/healthz").await.unwrap().starts_with("HTTP/1.1 200"), "the open one lives on");

    let (stray, _) = certificate(&new);
    std::fs::write(program.dir.path().join("chain.pem"), stray).unwrap();
    program.app.renew_certificate();
    assert!(connect(&trusts_new, program.address()).await.is_ok(), "a certificate without its key changes nothing");
}

#[tokio::test]
async fn a_certificate_that_has_ended_does_not_take_the_place_of_one_that_holds() {
    let (old, new) = (authority(), authority());
    let (_upstream, program) = program(&old, "").await;
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["cal.example.com".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    std::fs::write(program.dir.path().join("chain.pem"), params.signed_by(&key, &new).unwrap().pem()).unwrap();
    std::fs::write(program.dir.path().join("key.pem"), key.serialize_pem()).unwrap();
    program.app.renew_certificate();
    assert!(connect(&client(&old, "http/1.1", None), program.address()).await.is_ok());
}

type Log = Lines<BufReader<ChildStderr>>;

/// `serve` with its files in `dir`: a certificate of `ours`, for whoever shows one of `clients`. Its source is nowhere.
fn serving(dir: &Path, ours: &Authority, clients: &Authority) -> (Child, Log) {
    std::fs::write(dir.join("clients.pem"), clients.pem()).unwrap();
    serving_at("127.0.0.1:0", dir, ours, "client_ca = \"clients.pem\"")
}

/// The same at `listen`, with `more` in the table of TLS.
fn serving_at(listen: &str, dir: &Path, ours: &Authority, more: &str) -> (Child, Log) {
    write_files(dir, ours);
    let toml = format!(
        "state_dir = \"{0}/state\"\n[server]\nlisten = \"{listen}\"\n[server.tls]\ncertificate = \"chain.pem\"\nkey = \"key.pem\"\n\
         {more}\n[source.work]\nurl = \"https://example.com/a.ics\"\n[feed.me]\nsources = [\"work\"]\n",
        dir.display()
    );
    std::fs::write(dir.join("calferry.toml"), toml).unwrap();
    let mut child = harness::program::spawn(dir, &[]);
    let log = BufReader::new(child.stderr.take().unwrap()).lines();
    (child, log)
}

/// What `serve` says, until something has one of `words` in it.
async fn says(log: &mut Log, words: &str) -> String {
    loop {
        let line = log.next_line().await.unwrap().expect("it runs");
        if line.contains(words) {
            return line;
        }
    }
}

#[tokio::test]
async fn what_becomes_of_changed_files_is_said() {
    let (ours, clients, others) = (authority(), authority(), authority());
    let dir = tempfile::tempdir().unwrap();
    let (_child, mut log) = serving(dir.path(), &ours, &clients);
    says(&mut log, "the certificate in force holds until").await;
    says(&mut log, "serving on").await;
    std::fs::write(dir.path().join("clients.pem"), others.pem()).unwrap();
    says(&mut log, "client_ca has changed: that takes effect after a restart").await;
    std::fs::write(dir.path().join("key.pem"), KeyPair::generate().unwrap().serialize_pem()).unwrap();
    says(&mut log, "the certificate is refused; the one before stays in force").await;
    let mut longer = CertificateParams::new(vec!["cal.example.com".to_owned()]).unwrap();
    longer.not_after = rcgen::date_time_ymd(2090, 1, 1);
    let key = KeyPair::generate().unwrap();
    std::fs::write(dir.path().join("chain.pem"), longer.signed_by(&key, &ours).unwrap().pem()).unwrap();
    std::fs::write(dir.path().join("key.pem"), key.serialize_pem()).unwrap();
    says(&mut log, "the certificate in force holds until 2090-01-01").await;
}

/// With nothing else to be asked at, as in a container.
#[tokio::test]
async fn health_asks_by_tls_where_there_is_no_other_way() {
    let (ours, clients) = (authority(), authority());
    for (port, more, answer) in
        [(18491, "", "answers 200 OK"), (18492, "client_ca = \"clients.pem\"", "lets in only who shows a certificate")]
    {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("clients.pem"), clients.pem()).unwrap();
        let health = async || {
            let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_calferry"));
            command.args(["health", "--config"]).arg(dir.path().join("calferry.toml")).output().await.unwrap()
        };
        let (mut child, mut log) = serving_at(&format!("0.0.0.0:{port}"), dir.path(), &ours, more);
        says(&mut log, "serving on").await;
        let well = health().await;
        let said = String::from_utf8(well.stdout).unwrap() + &String::from_utf8(well.stderr).unwrap();
        let at = format!("127.0.0.1:{port} ");
        assert!(well.status.success() && said.starts_with(&at) && said.contains(answer), "{said}");
        child.kill().await.unwrap();
        assert_eq!(health().await.status.code(), Some(1));
    }
}

#[tokio::test]
async fn a_handshake_that_is_not_finished_does_not_hold_up_a_stop() {
    let authority = authority();
    let (_upstream, program) = program(&authority, "").await;
    let mut half = TcpStream::connect(program.address()).await.unwrap();
    half.write_all(b"\x16").await.unwrap();
    eventually("the half handshake", async || {
        program.admin("/metrics").await.text().contains("calferry_open_connections 1")
    })
    .await;
    let began = tokio::time::Instant::now();
    program.stop().await;
    // Far less than the deadlines of handshakes, which add up to fifteen seconds.
    assert!(began.elapsed() < std::time::Duration::from_secs(8));
    let mut rest = Vec::new();
    assert_eq!(half.read_to_end(&mut rest).await.unwrap_or_default(), 0);
}

#[tokio::test]
async fn with_a_client_authority_only_its_certificates_are_let_in() {
    let (ours, clients, others) = (authority(), authority(), authority());
    let ca = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(ca.path(), clients.pem()).unwrap();
    let (_upstream, program) = program(&ours, &format!("client_ca = \"{}\"", ca.path().display())).await;
    // In TLS 1.3 a client learns only with its first answer that it was refused.
    let answered = async |own| {
        let mut stream = connect(&client(&ours, "http/1.1", own), program.address()).await.ok()?;
        ask(&mut stream, "/healthz").await.ok().filter(|answer| answer.starts_with("HTTP/1.1 200"))
    };
    assert!(answered(Some(certificate(&clients))).await.is_some());
    assert!(answered(Some(certificate(&others))).await.is_none());
    assert!(answered(None).await.is_none());
    // A client can refuse, too: that is none of ours.
    connect(&client(&others, "http/1.1", None), program.address()).await.unwrap_err();
    let mut metrics = String::new();
    eventually("all handshakes have failed", async || {
        metrics = program.admin("/metrics").await.text().to_owned();
        metrics.contains("calferry_failed_handshakes_total 3\n")
    })
    .await;
    assert!(metrics.contains("calferry_refused_certificates_total 2\n"), "{metrics}");
}

#[tokio::test]
async fn refused_clients_are_said_once_a_minute_with_the_reason() {
    let (ours, clients, others) = (authority(), authority(), authority());
    let dir = tempfile::tempdir().unwrap();
    let (mut child, mut log) = serving(dir.path(), &ours, &clients);
    let line = says(&mut log, "serving on ").await;
    let address = line.split("serving on ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    let address: SocketAddr = address.parse().unwrap();
    for own in [None, Some(certificate(&others)), None, None] {
        if let Ok(mut stream) = connect(&client(&ours, "http/1.1", own), address).await {
            // It ends when the refusal has been told.
            ask(&mut stream, "/healthz").await.unwrap_err();
        }
    }
    let line = says(&mut log, "server.tls.client_ca accepts").await;
    assert!(line.contains("WARN") && line.contains("times=1"), "{line}");
    child.start_kill().unwrap();
    while let Some(line) = log.next_line().await.unwrap() {
        assert!(!line.contains("client_ca accepts"), "{line}");
    }
}
