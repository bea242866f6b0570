//! What counts as a password, and who has to wait for whom.

use super::*;

#[test]
fn only_a_hash_by_argon2id_is_a_password() {
    let hash = Password::hash("correct horse").unwrap();
    let password = Password::read(&hash).unwrap();
    assert!(password.is(b"correct horse") && !password.is(b"correct horses") && !password.is(b""));
    assert_eq!(format!("{password:?}"), "Password(…)");
    assert_ne!(hash, Password::hash("correct horse").unwrap(), "the salt is another");
    let salted = hash.rsplit_once('$').unwrap().0;
    let memory = hash.replace("m=19456", "m=4194304");
    for wrong in
        ["", "correct horse", salted, &hash.replace("argon2id", "argon2i"), &memory, &hash.replace("v=19", "v=3")]
    {
        assert!(Password::read(wrong).is_none(), "{wrong}");
    }
}

/// A guard whose password is `right`, and hashed as quickly as can be.
fn guard() -> Guard {
    let quick = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).unwrap());
    let hash = quick.hash_password(b"right").unwrap().to_string();
    Guard::new(Password::read(&hash).unwrap(), &[7; 32])
}

fn at(ip: &str) -> Peer {
    Peer::Address(ip.parse().unwrap())
}

fn bringing(password: &str) -> HeaderMap {
    let value = format!("Basic {}", STANDARD.encode(format!("me:{password}")));
    HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())])
}

#[tokio::test]
async fn whoever_tries_too_often_waits_with_their_whole_network_and_nobody_else_does() {
    let guard = guard();
    let mut tries = 0;
    while guard.admit(at(&format!("2001:db8::{tries}")), &bringing(&format!("wrong {tries}"))).await
        == Err(Refusal::Unauthorized)
    {
        tries += 1;
        assert!(tries < 30, "tries are not counted");
    }
    let neighbour = guard.admit(at("2001:db8::ffff"), &bringing("right")).await;
    assert!(matches!(neighbour, Err(Refusal::Wait(_))), "{neighbour:?}");
    assert_eq!(guard.admit(at("2001:db8:0:1::1"), &bringing("right")).await, Ok(()));
}

/// A /48 has 65,536 networks to try from.
#[tokio::test]
async fn whoever_tries_from_many_networks_of_a_site_waits_with_the_whole_site() {
    let guard = guard();
    let mut tries = 0;
    while guard.admit(at(&format!("2001:db8:1:{tries:x}::1")), &bringing(&format!("wrong {tries}"))).await
        == Err(Refusal::Unauthorized)
    {
        tries += 1;
        assert!(tries < 300, "tries are not counted");
    }
    assert!(tries >= 80, "{tries}: a site has more than a network");
    let neighbour = guard.admit(at("2001:db8:1:ffff::1"), &bringing("right")).await;
    assert!(matches!(neighbour, Err(Refusal::Wait(_))), "{neighbour:?}");
    assert_eq!(guard.admit(at("2001:db8:2::1"), &bringing("right")).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn whoever_has_waited_is_forgotten() {
    let guard = guard();
    for client in 0..10 {
        let whose = Network::of(at(&format!("192.0.2.{client}")));
        guard.make_wait(Spent { whose, wait: Duration::from_secs(5) });
        tokio::time::advance(Duration::from_secs(6)).await;
    }
    assert_eq!(locked(&guard.waiting).len(), 1);
}

/// Each check takes memory and time on purpose.
#[tokio::test]
async fn one_password_is_checked_at_a_time() {
    let guard = guard();
    let place = guard.checking.acquire().await.unwrap();
    let headers = bringing("right");
    let mut second = std::pin::pin!(guard.admit(at("192.0.2.1"), &headers));
    assert!(tokio::time::timeout(Duration::from_millis(200), second.as_mut()).await.is_err());
    drop(place);
    assert_eq!(second.await, Ok(()));
}
