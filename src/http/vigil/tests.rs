//! Every way to be slow, against a clock that is moved by hand.

use super::*;

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

async fn cut_after(vigil: &Vigil) -> Duration {
    let start = Instant::now();
    loop {
        match vigil.rule(Instant::now()) {
            Ruling::Cut => return start.elapsed(),
            Ruling::GoOn(next) | Ruling::Idle(next) => tokio::time::sleep_until(next).await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_way_to_be_slow_has_its_deadline() {
    let silent = Vigil::new(Patience::default());
    assert_eq!(cut_after(&silent).await, secs(5));

    let slow_head = Vigil::new(Patience::default());
    slow_head.received(b"G");
    assert_eq!(cut_after(&slow_head).await, secs(10));

    let preface_only = Vigil::new(Patience::default());
    preface_only.received(b"PRI ");
    assert_eq!(cut_after(&preface_only).await, secs(10));

    let idle = Vigil::new(Patience::default());
    idle.received(b"GET ");
    drop(idle.answering());
    assert_eq!(cut_after(&idle).await, secs(75));

    let stuck = Vigil::new(Patience::default());
    stuck.received(b"GET ");
    drop(stuck.answering());
    stuck.held_up();
    assert_eq!(cut_after(&stuck).await, secs(30));
}

#[tokio::test(start_paused = true)]
async fn a_dripping_head_gains_nothing_by_each_byte() {
    let vigil = Vigil::new(Patience::default());
    for _ in 0..9 {
        vigil.received(b"x");
        assert!(matches!(vigil.rule(Instant::now()), Ruling::GoOn(_)));
        tokio::time::advance(secs(1)).await;
    }
    assert_eq!(cut_after(&vigil).await, secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_waits_for_its_answer_is_not_cut() {
    let vigil = Vigil::new(Patience::default());
    vigil.received(b"GET ");
    let answering = vigil.answering();
    tokio::time::advance(secs(60)).await;
    assert!(matches!(vigil.rule(Instant::now()), Ruling::GoOn(_)));
    drop(answering);
    assert_eq!(cut_after(&vigil).await, secs(75));
}

#[tokio::test(start_paused = true)]
async fn a_large_answer_that_is_taken_slowly_is_not_cut() {
    let vigil = Vigil::new(Patience::default());
    vigil.received(b"GET ");
    drop(vigil.answering());
    for _ in 0..100 {
        vigil.held_up();
        tokio::time::advance(secs(5)).await;
        assert!(matches!(vigil.rule(Instant::now()), Ruling::GoOn(_)));
        vigil.took(7 << 10);
    }
    vigil.took_all();
    assert_eq!(cut_after(&vigil).await, secs(75));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_a_little_now_and_then_is_cut_as_if_it_took_nothing() {
    let vigil = Vigil::new(Patience::default());
    vigil.received(b"GET ");
    drop(vigil.answering());
    for _ in 0..29 {
        vigil.held_up();
        assert!(matches!(vigil.rule(Instant::now()), Ruling::GoOn(_)));
        vigil.took(900);
        tokio::time::advance(secs(1)).await;
    }
    vigil.held_up();
    assert_eq!(cut_after(&vigil).await, secs(1));
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_over_http_2_without_holding_up_the_connection_counts() {
    let vigil = Vigil::new(Patience::default());
    vigil.received(b"PRI ");
    vigil.is_multiplexed();
    drop(vigil.answering());
    for _ in 0..100 {
        tokio::time::advance(secs(30)).await;
        assert!(matches!(vigil.rule(Instant::now()), Ruling::GoOn(_)));
        vigil.took(32 << 10);
        vigil.took_all();
    }
    assert_eq!(cut_after(&vigil).await, secs(75));
}

#[tokio::test]
async fn an_answer_that_stays_in_a_buffer_below_is_held_up() {
    let (ours, _theirs) = tokio::io::duplex(16);
    let vigil = Vigil::new(Patience::default());
    // As TLS does: it takes a small answer whole, and passes it on when it is flushed.
    let mut watched = Watched::new(tokio::io::BufWriter::new(ours), Arc::clone(&vigil));
    tokio::io::AsyncWriteExt::write_all(&mut watched, &[b'x'; 100]).await.unwrap();
    assert_eq!(vigil.stuck.load(Ordering::Relaxed), 0);
    let flushed = tokio::time::timeout(Duration::ZERO, tokio::io::AsyncWriteExt::flush(&mut watched)).await;
    assert!(flushed.is_err() && vigil.stuck.load(Ordering::Relaxed) > 0);
}
