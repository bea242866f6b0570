//! Authorities that are none, or do not behave like one.

use std::time::Duration;

use calferry::clock::Clock;
use serde_json::Value;

use super::super::harness::eventually;
use super::super::harness::pebble::{acceptor, identity};
use super::super::harness::program::Program;
use super::super::harness::upstream::{Act, Upstream, answer};
use super::{FEED, NAME, eventually_waits, now, pass, time, words};

/// The program, and an authority that answers `act` when it is asked for its directory.
async fn with_directory(act: impl FnOnce(&str) -> Act, clock: Clock) -> (Upstream, Program) {
    let dir = tempfile::tempdir().unwrap();
    identity(dir.path());
    let upstream = Upstream::start_with([127, 0, 0, 1], Some(acceptor(dir.path()))).await;
    upstream.on("/dir", act(&upstream.address.to_string()));
    let settings = format!(
        "[server.acme]\ndomains = [{NAME}]\ndirectory = \"https://{}/dir\"\nca_file = \"ca.pem\"\n{FEED}",
        upstream.address
    );
    let program = Program::start_in(dir, &settings, clock).await;
    (upstream, program)
}

/// What is told of an authority that answers `act`.
async fn told_of(act: impl FnOnce(&str) -> Act) -> Value {
    let (_upstream, program) = with_directory(act, Clock::System).await;
    eventually_waits(&program).await
}

#[tokio::test]
async fn an_authority_that_asks_for_time_gets_it() {
    let told = told_of(|_| answer("503 Service Unavailable", &[("Retry-After", "9000")], "<html>")).await;
    assert!(words(&told).contains("503 Service Unavailable without a reason"), "{told}");
    let pause = time(&told["next_try"]).since(time(&told["trouble"]["tried"]));
    assert!(pause >= Duration::from_mins(150) && pause < Duration::from_mins(151), "{told}");
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    let told = told_of(|_| answer("200 OK", &[], vec![b' '; 300 << 10])).await;
    assert!(words(&told).contains("longer than 256 KiB"), "{told}");
}

#[tokio::test]
async fn nothing_is_said_to_anybody_without_tls() {
    let directory = |address: &str| {
        let url = |path| format!("http://{address}/{path}");
        let urls = serde_json::json!({
            "newNonce": url("nonce"), "newAccount": url("account"), "newOrder": url("order"),
        });
        answer("200 OK", &[], urls.to_string())
    };
    let (upstream, program) = with_directory(directory, Clock::System).await;
    let told = eventually_waits(&program).await;
    assert!(words(&told).contains("unsupported scheme http"), "{told}");
    assert_eq!(upstream.hits("/dir"), 1);
}

#[tokio::test]
async fn an_authority_that_does_not_answer_is_given_up() {
    let (upstream, program) = with_directory(|_| Act::SayAndHang(Vec::new()), Clock::simulated(now())).await;
    eventually("the question", async || upstream.hits("/dir") == 1).await;
    pass(Duration::from_secs(31)).await;
    let told = eventually_waits(&program).await;
    assert!(words(&told).contains("it did not answer within 30 s"), "{told}");
}

#[tokio::test]
async fn an_authority_that_nobody_vouches_for_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    identity(dir.path());
    let upstream = Upstream::start_with([127, 0, 0, 1], Some(acceptor(dir.path()))).await;
    let acme = format!("[server.acme]\ndomains = [{NAME}]\ndirectory = \"https://{}/dir\"\n", upstream.address);
    let program = Program::start_in(dir, &format!("{acme}{FEED}"), Clock::System).await;
    let told = eventually_waits(&program).await;
    assert!(words(&told).contains("UnknownIssuer") && words(&told).contains("ca_file"), "{told}");
    assert_eq!(upstream.hits("/dir"), 0);
}
