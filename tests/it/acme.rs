//! Certificates by ACME, from a real authority.

mod strange;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD as STANDARD, URL_SAFE_NO_PAD as URL_SAFE};
use calferry::clock::{Clock, Timestamp};
use rcgen::{CertificateParams, KeyPair};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Child;
use tokio_rustls::TlsConnector;

use super::harness::eventually;
use super::harness::pebble::{HOLDS_DAYS, Pebble};
use super::harness::program::{Program, spawn};
use super::tls::{ask, authority, certificate, connect, trusting};

const NAME: &str = "\"cal.example.com\"";
const FEED: &str = "[source.work]\nurl = \"https://127.0.0.1:1/a.ics\"\nallow_private = true\n\
                    [feed.me]\nsources = [\"work\"]\n";
const DAY: Duration = Duration::from_hours(24);

fn now() -> Timestamp {
    Clock::System.now()
}

/// The program with `settings` and the door open to it.
async fn program(dir: TempDir, pebble: &Pebble, settings: &str, clock: Clock) -> Program {
    let program = Program::start_in(dir, &format!("{settings}{FEED}"), clock).await;
    pebble.door.lead_to(program.address());
    program
}

async fn first(pebble: &Pebble) -> Program {
    let program = program(tempfile::tempdir().unwrap(), pebble, &pebble.settings(NAME), Clock::System).await;
    eventually("the first certificate", async || is_served(pebble, &program).await).await;
    program
}

/// Whether `program` shows a certificate of the authority as it is now.
async fn is_served(pebble: &Pebble, program: &Program) -> bool {
    connect(&trusting(pebble.root().await, "http/1.1", None), program.address()).await.is_ok()
}

async fn status(program: &Program) -> Value {
    program.admin("/status.json").await.json()["certificate"].clone()
}

async fn eventually_waits(program: &Program) -> Value {
    eventually("the next try to be known", async || status(program).await["next_try"].is_string()).await;
    status(program).await
}

/// Why there is no certificate.
fn words(told: &Value) -> &str {
    told["trouble"]["words"].as_str().unwrap()
}

fn time(value: &Value) -> Timestamp {
    humantime::parse_rfc3339(value.as_str().unwrap()).unwrap().into()
}

/// Moves the clocks of a program that runs with [`Clock::simulated`], and lets time go on.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn the_first_certificate_is_ordered_and_served_over_both_versions_of_http() {
    let pebble = Pebble::start().await;
    let program = first(&pebble).await;
    let root = pebble.root().await;
    let mut one = connect(&trusting(root.clone(), "http/1.1", None), program.address()).await.unwrap();
    assert!(ask(&mut one, "/healthz").await.unwrap().starts_with("HTTP/1.1 200"));
    let two = connect(&trusting(root, "h2", None), program.address()).await.unwrap();
    assert_eq!(two.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    assert_eq!(pebble.orders(), 1);
    assert_eq!(
        shown(program.address(), "cal.example.com", &["acme-tls/1"]).await,
        None,
        "no check is awaited any more"
    );

    let status = eventually_waits(&program).await;
    let (until, next) = (time(&status["until"]), time(&status["next_try"]));
    assert!(until.since(next) <= DAY * 10 && until.since(next) > DAY * 9, "renewed with a third left: {status}");
    assert_eq!(status["trouble"], Value::Null);
    let metrics = program.admin("/metrics").await;
    let expiry = format!("calferry_certificate_expiry_timestamp_seconds {}\n", until.as_secs());
    assert!(metrics.text().contains(&expiry), "{}", metrics.text());
}

#[tokio::test]
async fn a_restart_serves_the_same_certificate_at_once_and_orders_none() {
    let pebble = Pebble::start().await;
    let dir = first(&pebble).await.stop().await;
    let program = program(dir, &pebble, &pebble.settings(NAME), Clock::System).await;
    assert!(is_served(&pebble, &program).await);
    eventually_waits(&program).await;
    assert_eq!(pebble.orders(), 1);
}

#[tokio::test]
async fn a_certificate_is_renewed_when_a_third_is_left_and_open_connections_stay() {
    let pebble = Pebble::start().await;
    let dir = first(&pebble).await.stop().await;
    // Ten minutes before two thirds of its time are over.
    let clock = Clock::simulated(now() + Duration::from_mins(HOLDS_DAYS * 24 * 60 * 2 / 3 - 10));
    let settings = format!("[server]\nidle_timeout = \"1h\"\n{}", pebble.settings(NAME));
    let program = program(dir, &pebble, &settings, clock).await;
    let trust = trusting(pebble.root().await, "http/1.1", None);
    let mut open = connect(&trust, program.address()).await.unwrap();
    assert!(ask(&mut open, "/healthz").await.unwrap().starts_with("HTTP/1.1 200"));
    eventually_waits(&program).await;
    assert_eq!(pebble.orders(), 1);

    pass(Duration::from_mins(11)).await;
    let first = open.get_ref().1.peer_certificates().unwrap()[0].clone();
    eventually("the second certificate", async || {
        // A client that took its session up again would be shown nothing.
        let fresh = connect(&trusting(pebble.root().await, "http/1.1", None), program.address()).await.unwrap();
        fresh.get_ref().1.peer_certificates().unwrap()[0] != first
    })
    .await;
    assert_eq!(pebble.orders(), 2);
    assert!(ask(&mut open, "/healthz").await.unwrap().starts_with("HTTP/1.1 200"), "the open one lives on");
}

/// Of a certificate with a critical extension that it does not know, rustls judges no signature.
macro_rules! believe_every_signature {
    ($($verify:ident),*) => {$(
        fn $verify(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            Ok(HandshakeSignatureValid::assertion())
        }
    )*};
}

/// Takes whatever it is shown.
#[derive(Debug)]
struct Credulous(Arc<CryptoProvider>);

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    believe_every_signature!(verify_tls12_signature, verify_tls13_signature);

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// What is shown to who takes anything, asks for `name` and offers `alpn`; and whether the connection then ended.
async fn shown(to: SocketAddr, name: &str, alpn: &[&str]) -> Option<(CertificateDer<'static>, bool)> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Credulous(provider)))
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(to).await.unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.ok()?;
    let certificate = stream.get_ref().1.peer_certificates().unwrap()[0].clone();
    let ended = tokio::time::timeout(Duration::from_secs(2), stream.read(&mut [0; 1])).await;
    Some((certificate, matches!(ended, Ok(Ok(0)))))
}

#[tokio::test]
async fn the_answer_to_a_check_is_shown_to_the_authority_alone() {
    let pebble = Pebble::start().await;
    let dir = tempfile::tempdir().unwrap();
    // An authority shows no certificate of its own, whatever clients must show.
    std::fs::write(dir.path().join("clients.pem"), authority().pem()).unwrap();
    let settings = format!("{}[server.tls]\nclient_ca = \"clients.pem\"\n{FEED}", pebble.settings(NAME));
    let program = Program::start_in(dir, &settings, Clock::System).await;
    // The door is still shut: the check waits at it.
    eventually("the check", async || pebble.door.came() > 0).await;
    let (name, to) = ("cal.example.com", program.address());
    let (answer, ended) = shown(to, name, &["acme-tls/1"]).await.unwrap();
    let (_, answer) = x509_parser::parse_x509_certificate(&answer).unwrap();
    assert!(answer.extensions().iter().any(|one| one.oid.to_id_string() == "1.3.6.1.5.5.7.1.31"));
    assert!(ended, "nothing comes after a check");
    for alpn in [&["h2"][..], &["http/1.1"], &[]] {
        assert_eq!(shown(to, name, alpn).await, None, "{alpn:?}");
    }
    assert_eq!(shown(to, "other.example.com", &["acme-tls/1"]).await, None);
}

/// The program as it is started, in `dir`, with everything it has to say; and where it serves.
async fn talkative(dir: &Path, settings: &str) -> (Child, Arc<Mutex<String>>, SocketAddr) {
    let toml = format!(
        "state_dir = \"{}\"\npublic_url = \"https://cal.example.com\"\n{settings}{FEED}",
        dir.join("state").display()
    );
    std::fs::write(dir.join("calferry.toml"), toml).unwrap();
    let mut program = spawn(dir, &["--log", "trace", "--listen", "127.0.0.1:0"]);
    let log = Arc::new(Mutex::new(String::new()));
    let (mut lines, logging) = (BufReader::new(program.stderr.take().unwrap()).lines(), Arc::clone(&log));
    tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            logging.lock().unwrap().push_str(&format!("{line}\n"));
        }
    });
    let mut address = None;
    eventually("the address", async || {
        let log = log.lock().unwrap();
        address = log.split("serving on ").nth(1).and_then(|at| at.split_whitespace().next()?.parse().ok());
        address.is_some()
    })
    .await;
    (program, log, address.unwrap())
}

#[tokio::test]
async fn the_log_tells_each_step_once_and_never_a_key() {
    let pebble = Pebble::start().await;
    let dir = tempfile::tempdir().unwrap();
    let (mut program, log, address) = talkative(dir.path(), &pebble.settings(NAME)).await;
    let count = |words: &str| log.lock().unwrap().matches(words).count();
    for _ in 0..3 {
        assert_eq!(shown(address, "cal.example.com", &["h2"]).await, None);
    }
    pebble.door.lead_to(address);
    eventually("the certificate", async || count("there is a new certificate for cal.example.com") == 1).await;
    assert_eq!(count("a client was turned away: there is no certificate yet"), 1);
    program.kill().await.unwrap();

    let database = rusqlite::Connection::open(dir.path().join("state/calferry.db")).unwrap();
    let read = |query| database.query_row(query, [], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    let account: Value = serde_json::from_slice(&read("SELECT credentials FROM acme_account")).unwrap();
    let key = read("SELECT key FROM acme_certificate");
    let log = log.lock().unwrap();
    // As text, as a list of bytes, and in hexadecimal digits.
    let list = format!("{key:?}");
    let hex = key.iter().fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"));
    for secret in [account["key_pkcs8"].as_str().unwrap(), &STANDARD.encode(&key), &URL_SAFE.encode(&key), &list, &hex]
    {
        // The first bytes of all keys of one kind are the same.
        assert!(!log.contains(&secret[secret.len() - 40..]), "the log holds a key");
    }
}

#[tokio::test]
async fn the_end_of_a_certificate_that_nobody_renews_is_warned_of() {
    let dir = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["cal.example.com".to_owned()]).unwrap();
    params.not_after = (now() + DAY * 10).system_time().into();
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    std::fs::write(dir.path().join("chain.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(dir.path().join("key.pem"), key.serialize_pem()).unwrap();
    let (_program, log, _) =
        talkative(dir.path(), "[server.tls]\ncertificate = \"chain.pem\"\nkey = \"key.pem\"\n").await;
    eventually("the warning", async || log.lock().unwrap().contains("the certificate ends at ")).await;
}

#[tokio::test]
async fn clients_can_be_asked_for_certificates_while_the_authority_is_not() {
    let pebble = Pebble::start().await;
    let clients = authority();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("clients.pem"), clients.pem()).unwrap();
    let settings = format!("{}[server.tls]\nclient_ca = \"clients.pem\"\n", pebble.settings(NAME));
    let program = program(dir, &pebble, &settings, Clock::System).await;
    eventually("the certificate", async || status(&program).await["until"].is_string()).await;
    let answered = async |own| {
        let mut stream = connect(&trusting(pebble.root().await, "http/1.1", own), program.address()).await.ok()?;
        ask(&mut stream, "/healthz").await.ok().filter(|answer| answer.starts_with("HTTP/1.1 200"))
    };
    assert!(answered(Some(certificate(&clients))).await.is_some());
    assert!(answered(None).await.is_none());
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_is_told_in_words_and_not_tried_again_soon_nor_by_a_restart() {
    let pebble = Pebble::start().await;
    pebble.names.lead_to([127, 0, 0, 2]);
    let dir = tempfile::tempdir().unwrap();
    let first = program(dir, &pebble, &pebble.settings(NAME), Clock::System).await;
    let told = eventually_waits(&first).await;
    let words = told["trouble"]["words"].as_str().unwrap();
    assert!(words.contains("cal.example.com: it says: ") && words.contains("port 443"), "{words}");
    let pause = time(&told["next_try"]).since(time(&told["trouble"]["tried"]));
    assert!(pause >= Duration::from_hours(1), "{told}");
    assert_eq!((told["trouble"]["failures"].as_u64(), pebble.orders()), (Some(1), 1));
    assert!(first.admin("/metrics").await.text().contains("calferry_certificate_failures 1\n"));
    assert_eq!(shown(first.address(), "cal.example.com", &["h2"]).await, None);

    pebble.names.lead_to([127, 0, 0, 1]);
    let dir = first.stop().await;
    let second = program(dir, &pebble, &pebble.settings(NAME), Clock::simulated(now())).await;
    let again = eventually_waits(&second).await;
    assert_eq!((&again["next_try"], &again["trouble"]), (&told["next_try"], &told["trouble"]));
    assert_eq!(pebble.orders(), 1);

    pass(Duration::from_mins(80)).await;
    eventually("the certificate", async || is_served(&pebble, &second).await).await;
    assert_eq!(pebble.orders(), 2);
    assert_eq!(eventually_waits(&second).await["trouble"], Value::Null);
}

#[tokio::test]
async fn whoever_has_mended_what_was_wrong_can_have_another_try_but_not_at_once() {
    let pebble = Pebble::start().await;
    pebble.names.lead_to([127, 0, 0, 2]);
    let clock = Clock::simulated(now());
    let program = program(tempfile::tempdir().unwrap(), &pebble, &pebble.settings(NAME), clock).await;
    let told = eventually_waits(&program).await;
    pebble.names.lead_to([127, 0, 0, 1]);
    program.app.order_again();
    // It is heard before the status is asked for: all of this is one thread.
    assert_eq!((status(&program).await, pebble.orders()), (told, 1));
    pass(Duration::from_mins(16)).await;
    program.app.order_again();
    eventually("the certificate", async || is_served(&pebble, &program).await).await;
    assert_eq!(pebble.orders(), 2);
}

#[tokio::test]
async fn an_order_that_a_crash_has_cut_off_is_not_made_again_at_once() {
    let pebble = Pebble::start().await;
    let settings = format!("{}{FEED}", pebble.settings(NAME));
    let first = Program::start_in(tempfile::tempdir().unwrap(), &settings, Clock::System).await;
    eventually("the check", async || pebble.door.came() > 0).await;
    let dir = first.stop().await;
    let second = program(dir, &pebble, &pebble.settings(NAME), Clock::System).await;
    let told = eventually_waits(&second).await;
    assert_eq!(pebble.orders(), 1, "{told}");
    assert!(time(&told["next_try"]).since(now()) > Duration::from_mins(14), "{told}");
}

#[tokio::test]
async fn an_authority_that_is_down_holds_nothing_up_and_is_asked_again_soon() {
    let mut pebble = Pebble::prepared().await;
    let settings = format!("[server]\nidle_timeout = \"1h\"\n{}", pebble.settings(NAME));
    let program = program(tempfile::tempdir().unwrap(), &pebble, &settings, Clock::simulated(now())).await;
    let told = eventually_waits(&program).await;
    let words = told["trouble"]["words"].as_str().unwrap();
    assert!(words.contains("it cannot be reached") && words.contains("server.acme.directory"), "{words}");
    assert!(time(&told["next_try"]).since(time(&told["trouble"]["tried"])) < Duration::from_mins(2), "{told}");
    assert_eq!(shown(program.address(), "cal.example.com", &["h2"]).await, None);

    pebble.run(0).await;
    pass(Duration::from_mins(2)).await;
    eventually("the certificate", async || is_served(&pebble, &program).await).await;
}

#[tokio::test]
async fn an_authority_that_refuses_good_nonces_gives_a_certificate_all_the_same() {
    let mut pebble = Pebble::prepared().await;
    pebble.run(30).await;
    let clock = Clock::simulated(now());
    let program = program(tempfile::tempdir().unwrap(), &pebble, &pebble.settings(NAME), clock).await;
    // So many refusals in a row that an order fails are rare, and another one follows.
    for _ in 0..20 {
        if eventually_waits(&program).await["until"].is_string() {
            break;
        }
        pass(DAY * 2).await;
        eventually("another try", async || !status(&program).await["next_try"].is_string()).await;
    }
    assert!(is_served(&pebble, &program).await);
}

#[tokio::test]
async fn an_account_that_the_authority_has_forgotten_is_replaced() {
    let mut pebble = Pebble::start().await;
    let dir = first(&pebble).await.stop().await;
    // It remembers nothing.
    pebble.run(0).await;
    let clock = Clock::simulated(now() + DAY * 21);
    let program = program(dir, &pebble, &pebble.settings(NAME), clock).await;
    eventually("a certificate of the new authority", async || is_served(&pebble, &program).await).await;
    assert_eq!(pebble.orders(), 1);
}

#[tokio::test]
async fn other_names_are_ordered_at_once_and_the_old_certificate_is_shown_until_then() {
    let pebble = Pebble::start().await;
    let dir = first(&pebble).await.stop().await;
    pebble.door.close();
    let settings = format!("{}{FEED}", pebble.settings("\"cal.example.com\", \"b.example.com\""));
    let program = Program::start_in(dir, &settings, Clock::System).await;
    let came = pebble.door.came();
    eventually("the check", async || pebble.door.came() > came).await;
    let (before, _) = shown(program.address(), "b.example.com", &["http/1.1"]).await.unwrap();
    pebble.door.lead_to(program.address());
    eventually("a certificate of both", async || {
        shown(program.address(), "b.example.com", &["http/1.1"]).await.unwrap().0 != before
    })
    .await;
    let (after, _) = shown(program.address(), "b.example.com", &["http/1.1"]).await.unwrap();
    let (_, after) = x509_parser::parse_x509_certificate(&after).unwrap();
    assert_eq!(after.subject_alternative_name().unwrap().unwrap().value.general_names.len(), 2);
    assert_eq!(pebble.orders(), 2);
}

#[tokio::test]
async fn a_certificate_that_is_over_when_it_comes_is_not_taken() {
    let pebble = Pebble::start().await;
    let clock = Clock::simulated(now() + DAY * 40);
    let program = program(tempfile::tempdir().unwrap(), &pebble, &pebble.settings(NAME), clock).await;
    let told = eventually_waits(&program).await;
    assert!(words(&told).contains("was not taken: it ended at "), "{told}");
    assert_eq!(told["until"], Value::Null);
}
