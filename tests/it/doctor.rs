//! `calferry doctor` before a program that is well, with a front between the two that is not: each fault is told by its
//! name, and no other with it.

mod certificates;
mod fronts;
mod sources;

use std::net::SocketAddr;
use std::path::PathBuf;

use calferry::doctor::Kind;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::Value;
use tokio::process::Command;
use tokio_rustls::TlsAcceptor;

use super::harness::front::{Front, Manner};
use super::harness::program::Program;
use super::harness::upstream::{Upstream, calendar};
use super::harness::{self, eventually};

const SECRET: &str = "private-c0ffee00c0ffee00c0ffee00c0ffee00";
const HOST: &str = "cal.example.com";

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn params(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).unwrap()
}

/// A way to encrypt with a certificate of `params` by `authority`, `chain` sent behind it.
fn tls(params: &CertificateParams, authority: &Authority, chain: &[CertificateDer<'static>]) -> TlsAcceptor {
    speaking(&[b"h2", b"http/1.1"], params, authority, chain)
}

/// The same, with these versions of HTTP behind it.
fn speaking(
    versions: &[&[u8]],
    params: &CertificateParams,
    authority: &Authority,
    chain: &[CertificateDer<'static>],
) -> TlsAcceptor {
    let key = KeyPair::generate().unwrap();
    let own = params.signed_by(&key, authority).unwrap();
    showing(versions, std::iter::once(own.der().clone()).chain(chain.iter().cloned()).collect(), &key)
}

/// A way to encrypt with these certificates, the first of which is that of `key`.
fn showing(versions: &[&[u8]], certificates: Vec<CertificateDer<'static>>, key: &KeyPair) -> TlsAcceptor {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_no_client_auth().with_single_cert(certificates, key).unwrap();
    config.alpn_protocols = versions.iter().map(|version| version.to_vec()).collect();
    TlsAcceptor::from(std::sync::Arc::new(config))
}

/// A program that is well, with a source and a feed, and an authority that phones trust.
struct Scene {
    /// Lives as long as it is fetched from.
    _upstream: Upstream,
    program: Program,
    authority: Authority,
}

/// What the doctor has said.
struct Report {
    code: i32,
    findings: Vec<Value>,
    said: String,
}

impl Report {
    /// What `output` says, which is whole: nothing is left to be filled in.
    fn read(output: std::process::Output) -> Self {
        let (out, error) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        let said = format!("{out}{error}");
        let findings: Vec<Value> = serde_json::from_str(&out).unwrap_or_else(|problem| panic!("{problem}: {said}"));
        for finding in &findings {
            let (words, fix) = (text(finding, "words"), text(finding, "fix"));
            assert!(!words.is_empty() && !format!("{words}{fix}{}", text(finding, "subject")).contains('{'), "{said}");
        }
        Self { code: output.status.code().unwrap(), findings, said }
    }

    /// Names and severities of what is wrong.
    fn wrong(&self) -> Vec<(&str, &str)> {
        self.all().into_iter().filter(|(_, severity)| ["warning", "error"].contains(severity)).collect()
    }

    fn all(&self) -> Vec<(&str, &str)> {
        self.findings.iter().map(|finding| (text(finding, "name"), text(finding, "severity"))).collect()
    }

    /// The words of the finding `name`.
    fn words(&self, name: &str) -> &str {
        let finding = self.findings.iter().find(|finding| finding["name"] == name);
        finding.unwrap_or_else(|| panic!("{name} is not in {}", self.said))["words"].as_str().unwrap()
    }

    /// Exactly this is wrong, and the exit code says so.
    fn is(&self, expected: &[(&str, &str)]) {
        assert_eq!(self.wrong(), expected, "{}", self.said);
        let errors = expected.iter().any(|(_, severity)| *severity == "error");
        assert_eq!(self.code, i32::from(errors), "{}", self.said);
    }
}

impl Scene {
    async fn new() -> Self {
        Self::with("").await
    }

    async fn with(more: &str) -> Self {
        let upstream = Upstream::start().await;
        upstream.on(&path("good"), calendar(harness::calendar(30, "meeting")));
        let toml = format!(
            "[fetch]\nallow_private = true\n[server]\ntrusted_proxies = [\"cloudflare:127.0.0.1\"]\n\
             [source.work]\nurl = \"{}\"\n[feed.me]\nsources = [\"work\"]\ndevices = [\"iphone\"]\n{more}",
            upstream.url(&path("good"))
        );
        let program = Program::start(&toml).await;
        eventually("the first copy", async || program.source("work").await["events"] == 30).await;
        let authority = authority("Test Authority");
        std::fs::write(program.dir.path().join("ca.pem"), authority.pem()).unwrap();
        Self { _upstream: upstream, program, authority }
    }

    fn good_tls(&self) -> TlsAcceptor {
        tls(&params(HOST), &self.authority, &[])
    }

    /// For fronts that do not speak HTTP/2.
    fn old_tls(&self) -> TlsAcceptor {
        speaking(&[b"http/1.1"], &params(HOST), &self.authority, &[])
    }

    fn file(&self, name: &str) -> PathBuf {
        self.program.dir.path().join(name)
    }

    /// What is said with a front of this manner before the program.
    async fn behind(&self, manner: Manner) -> Report {
        let front = Front::start(self.program.address(), Some(self.good_tls()), manner).await;
        self.look(front.address, &[]).await
    }

    /// What is said where the public name leads to `front`.
    async fn look(&self, front: SocketAddr, more: &[&str]) -> Report {
        let resolve = format!("{HOST}:443:{front}");
        self.run(&format!("https://{HOST}"), &[&["--resolve", &resolve], more].concat()).await
    }

    async fn run(&self, public_url: &str, more: &[&str]) -> Report {
        let report = Report::read(self.command(public_url, &[&["--json"], more].concat()).output().await.unwrap());
        let token = self.program.path("me").trim_matches('/').trim_end_matches(".ics").to_owned();
        for secret in [SECRET, "c0ffee00", &token, self.program.app.key().probe_token().reveal()] {
            assert!(!report.said.contains(secret), "a secret is told");
        }
        report
    }

    fn command(&self, public_url: &str, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_calferry"));
        command
            .arg("doctor")
            .arg("--config")
            .arg(self.file("calferry.toml"))
            .arg("--state-dir")
            .arg(self.file("state"));
        command.arg("--ca-file").arg(self.file("ca.pem")).args(more).env_clear().kill_on_drop(true);
        command.env("HOME", "/nonexistent").env("CALFERRY__PUBLIC_URL", public_url);
        command
    }
}

fn text<'a>(finding: &'a Value, key: &str) -> &'a str {
    finding[key].as_str().unwrap()
}

fn path(name: &str) -> String {
    format!("/ical/{name}/{SECRET}/basic.ics")
}

#[tokio::test]
async fn where_all_is_well_nothing_is_found() {
    let scene = Scene::new().await;
    let report = scene.behind(Manner::Honest).await;
    report.is(&[]);
    let names: Vec<_> = report.all().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["leads_to", "certificate_holds", "answers", "feed_arrives", "source_answers"]);
    assert!(report.words("answers").contains(harness::front::CLIENT), "{}", report.said);
    assert!(report.words("feed_arrives").contains("iPhone (dataaccessd): br"), "{}", report.said);
    assert_eq!(report.words("source_answers"), "answers: 30 events");
}

#[tokio::test]
async fn words_are_for_people_in_their_language_and_end_with_a_sum() {
    let scene = Scene::new().await;
    let front = Front::start(scene.program.address(), Some(scene.good_tls()), Manner::Honest).await;
    let resolve = format!("{HOST}:443:{}", front.address);
    let told = async |public_url: &str, language: &[&str], locale: &str| {
        let more = [&["--resolve", &resolve], language].concat();
        let output = scene.command(public_url, &more).env("LANG", locale).output().await.unwrap();
        assert!(output.stderr.is_empty(), "nobody watches it");
        String::from_utf8(output.stdout).unwrap()
    };
    let good = format!("https://{HOST}");
    assert!(told(&good, &[], "C.UTF-8").await.ends_with("nothing is wrong\n"));
    for (language, locale) in [(&["--lang", "zh"][..], "C.UTF-8"), (&[], "zh_CN.UTF-8")] {
        let said = told(&good, language, locale).await;
        assert!(said.contains("[正常] source work (source_answers): 有响应：30 个日程\n"), "{said}");
        assert!(said.ends_with("一切正常\n"), "{said}");
    }
    let said = told("https://nowhere.invalid", &["--lang", "en"], "zh_CN.UTF-8").await;
    assert!(said.contains("[error] public_url (name_not_found): the name nowhere.invalid leads nowhere"), "{said}");
    assert!(
        said.contains("\n    fix: Add an A or AAAA record") && said.ends_with("errors: 1, warnings: 0\n"),
        "{said}"
    );
    assert!(said.contains("not looked at: the connection, the certificate, who answers, a feed\n"), "{said}");
}

#[tokio::test]
async fn without_a_key_or_settings_it_says_so_and_makes_nothing() {
    let scene = Scene::new().await;
    let empty = tempfile::tempdir().unwrap();
    let state = empty.path().join("state");
    let doctor = async |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_calferry"));
        command.args(["doctor", "--json", "--state-dir"]).arg(&state).args(more).env_clear().current_dir("/");
        command.output().await.unwrap()
    };
    let report = Report::read(doctor(&["--config", scene.file("calferry.toml").to_str().unwrap()]).await);
    report.is(&[("never_run", "error")]);
    assert_eq!(
        report.all().iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        ["never_run", "not_checked", "source_answers"]
    );
    assert!(!state.exists());

    let output = doctor(&["--config", "/nonexistent.toml"]).await;
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    let known = scene.file("calferry.toml");
    let output = doctor(&["--config", known.to_str().unwrap(), "--source", "nobody"]).await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && said.contains("the sources are: work"), "{said}");
}

#[test]
fn every_finding_has_a_test_that_names_it() {
    let tests = [
        include_str!("doctor.rs"),
        include_str!("doctor/fronts.rs"),
        include_str!("doctor/certificates.rs"),
        include_str!("doctor/sources.rs"),
    ];
    let untested =
        Kind::ALL.iter().filter(|kind| !tests.iter().any(|text| text.contains(&format!("\"{}\"", kind.name()))));
    let untested: Vec<_> = untested.map(|kind| kind.name()).collect();
    assert_eq!(untested, [""; 0]);
}
