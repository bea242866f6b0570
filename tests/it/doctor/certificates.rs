//! Certificates that phones do not accept, and why.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType, IsCa, KeyPair, date_time_ymd,
};

use super::super::harness::eventually;
use super::super::harness::front::{Front, Manner};
use super::super::harness::program::Program;
use super::{Authority, HOST, Report, Scene, authority, params, showing, tls};

/// What is said where phones are shown a certificate of `params` by `authority`.
async fn shown(scene: &Scene, params: &CertificateParams, authority: &Authority) -> Report {
    let front = Front::start(scene.program.address(), Some(tls(params, authority, &[])), Manner::Honest).await;
    scene.look(front.address, &[]).await
}

/// `params` that hold until this many days from now, as those of 90 days do.
fn until(days: i64) -> CertificateParams {
    let day = |days: i64| {
        use chrono::Datelike;
        let date = calferry::clock::Clock::System.now().date() + chrono::Days::new(1000)
            - chrono::Days::new((1000 - days).unsigned_abs());
        date_time_ymd(date.year(), u8::try_from(date.month()).unwrap(), u8::try_from(date.day()).unwrap())
    };
    let mut params = params(HOST);
    (params.not_before, params.not_after) = (day(days - 90), day(days));
    params
}

/// Where the issuer's certificate is to be had, as public authorities say it.
fn issuers_place() -> CustomExtension {
    let place = b"http://ca.example.com/ca.der";
    let mut inner = vec![0x06, 8, 0x2b, 6, 1, 5, 5, 7, 0x30, 2, 0x86, u8::try_from(place.len()).unwrap()];
    inner.extend_from_slice(place);
    let length = |bytes: &[u8]| u8::try_from(bytes.len()).unwrap();
    let access = [&[0x30, length(&inner)][..], &inner].concat();
    CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 1], [&[0x30, length(&access)][..], &access].concat())
}

#[tokio::test]
async fn a_certificate_that_ends_or_has_ended_is_told() {
    let scene = Scene::new().await;
    let report = shown(&scene, &until(60), &scene.authority).await;
    report.is(&[]);
    assert!(report.words("certificate_holds").contains("for 59 more days"), "{}", report.said);
    shown(&scene, &until(10), &scene.authority).await.is(&[("certificate_ends", "warning")]);
    shown(&scene, &until(2), &scene.authority).await.is(&[("certificate_ends", "error")]);
    let report = shown(&scene, &until(-2), &scene.authority).await;
    report.is(&[("certificate_expired", "error")]);
    assert_eq!(report.words("not_checked"), "not looked at: who answers, a feed");
    shown(&scene, &until(120), &scene.authority).await.is(&[("certificate_not_yet_valid", "error")]);
}

#[tokio::test]
async fn the_certificate_that_only_the_front_sees_is_looked_at_too() {
    let scene = Scene::new().await;
    let key = KeyPair::generate().unwrap();
    std::fs::write(scene.file("chain.pem"), until(5).signed_by(&key, &scene.authority).unwrap().pem()).unwrap();
    std::fs::write(scene.file("key.pem"), key.serialize_pem()).unwrap();
    let settings = std::fs::read_to_string(scene.file("calferry.toml")).unwrap();
    let tls = "[server.tls]\ncertificate = \"chain.pem\"\nkey = \"key.pem\"\n";
    std::fs::write(scene.file("calferry.toml"), settings + tls).unwrap();
    let front = Front::start(scene.program.address(), Some(scene.good_tls()), Manner::Honest).await;
    let report = scene.look(front.address, &[]).await;
    report.is(&[("certificate_ends", "warning")]);
    assert!(report.said.contains("\"subject\": \"server.tls\""), "{}", report.said);
}

#[tokio::test]
async fn where_the_program_itself_encrypts_all_is_well_without_a_front() {
    let mut scene = Scene::new().await;
    let dir = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    std::fs::write(dir.path().join("chain.pem"), params(HOST).signed_by(&key, &scene.authority).unwrap().pem())
        .unwrap();
    std::fs::write(dir.path().join("key.pem"), key.serialize_pem()).unwrap();
    std::fs::write(dir.path().join("ca.pem"), scene.authority.pem()).unwrap();
    let settings = std::fs::read_to_string(scene.file("calferry.toml")).unwrap();
    let tls = "[server.tls]\ncertificate = \"chain.pem\"\nkey = \"key.pem\"\n";
    scene.program = Program::start_in(dir, &(settings + tls), calferry::clock::Clock::System).await;
    eventually("the first copy", async || scene.program.source("work").await["events"] == 30).await;
    let report = scene.look(scene.program.address(), &[]).await;
    report.is(&[]);
    assert!(report.words("answers").ends_with("it gets HTTP/2, and 127.0.0.1 as the client"), "{}", report.said);
}

#[tokio::test]
async fn where_the_own_clock_is_wrong_the_certificate_is_not_blamed_alone() {
    let scene = Scene::new().await;
    let earlier = Manner::outwards(|_, answer| {
        let date = std::time::SystemTime::from(httpdate::HttpDate::from(std::time::UNIX_EPOCH))
            + Duration::from_hours(400_000);
        answer.headers_mut().insert("date", httpdate::fmt_http_date(date).parse().unwrap());
    });
    let front = Front::start(scene.program.address(), Some(tls(&until(-2), &scene.authority, &[])), earlier).await;
    scene.look(front.address, &[]).await.is(&[("certificate_expired", "error"), ("clock_wrong", "error")]);
}

#[tokio::test]
async fn a_certificate_for_others_or_of_nobody_known_is_told() {
    let scene = Scene::new().await;
    let report = shown(&scene, &params("www.example.com"), &scene.authority).await;
    report.is(&[("certificate_wrong_name", "error")]);
    assert!(report.words("certificate_wrong_name").contains("for www.example.com, not for cal.example.com"));
    let report = shown(&scene, &params(HOST), &authority("Somebody Else")).await;
    report.is(&[("certificate_unknown_issuer", "error")]);
    assert!(report.words("certificate_unknown_issuer").contains("CN=Somebody Else"), "{}", report.said);
    let origin = authority("CloudFlare Origin SSL Certificate Authority");
    shown(&scene, &params(HOST), &origin).await.is(&[("certificate_for_cloudflare_only", "error")]);
    // One that may sign others is no server's.
    let mut wrong_kind = params(HOST);
    wrong_kind.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    shown(&scene, &wrong_kind, &scene.authority).await.is(&[("certificate_refused", "error")]);
}

/// As `openssl req -x509` makes them, they may sign others, too.
#[tokio::test]
async fn a_self_signed_certificate_is_as_good_as_one_of_an_authority_for_who_trusts_it() {
    let scene = Scene::new().await;
    let mut ended = until(-1);
    ended.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let mut signing = params(HOST);
    signing.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let mut other = params("www.example.com");
    other.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    for (params, wrong) in [
        (params(HOST), &[][..]),
        (signing, &[]),
        (other, &[("certificate_wrong_name", "error")]),
        (ended, &[("certificate_expired", "error")]),
    ] {
        let key = KeyPair::generate().unwrap();
        let own = params.self_signed(&key).unwrap();
        let front = Front::start(
            scene.program.address(),
            Some(showing(&[b"h2"], vec![own.der().clone()], &key)),
            Manner::Honest,
        )
        .await;
        std::fs::write(scene.file("ca.pem"), scene.authority.pem()).unwrap();
        let stranger = scene.look(front.address, &[]).await;
        assert!(
            !wrong.is_empty() || stranger.wrong() == [("certificate_unknown_issuer", "error")],
            "{}",
            stranger.said
        );
        std::fs::write(scene.file("ca.pem"), own.pem()).unwrap();
        let trusted = scene.look(front.address, &[]).await;
        trusted.is(wrong);
        assert_eq!(trusted.all().iter().any(|(name, _)| *name == "feed_arrives"), wrong.is_empty(), "{}", trusted.said);
    }
}

#[tokio::test]
async fn a_chain_without_its_middle_is_told() {
    let scene = Scene::new().await;
    let mut middle = CertificateParams::new(Vec::new()).unwrap();
    middle.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    middle.distinguished_name.push(DnType::CommonName, "Test Middle");
    let middle = CertifiedIssuer::signed_by(middle, KeyPair::generate().unwrap(), &scene.authority).unwrap();
    let mut own = params(HOST);
    own.custom_extensions = vec![issuers_place()];
    let whole = tls(&own, &middle, &[middle.der().clone()]);
    let front = Front::start(scene.program.address(), Some(whole), Manner::Honest).await;
    scene.look(front.address, &[]).await.is(&[]);
    let report = shown(&scene, &own, &middle).await;
    report.is(&[("certificate_chain_incomplete", "error")]);
    assert!(report.words("certificate_chain_incomplete").contains("CN=Test Middle"), "{}", report.said);
}
