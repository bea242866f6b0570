//! Bounds of one fetch, each against a host that would pass it.

use tokio::net::TcpListener;

use super::super::error::FetchError::Timeout;
use super::*;

/// Whatever is refused here would be sent back with every question from then on.
#[test]
fn a_validator_is_kept_if_it_is_short_and_printable() {
    let kept = |value: &[u8]| {
        let mut headers = HeaderMap::new();
        headers.insert(ETAG, HeaderValue::from_bytes(value).unwrap());
        Validators::of(&headers).etag.is_some()
    };
    assert!(kept(b"\"x\"") && kept(&[b'x'; VALIDATOR_MAX]));
    assert!(!kept(&[b'x'; VALIDATOR_MAX + 1]) && !kept(b"") && !kept(b"\"\xFF\""));
}

/// Accepts connections and says nothing on them. What waits for which word, by `scheme`.
async fn silence(scheme: &str, options: Options) -> FetchError {
    let host = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Address::parse(&format!("{scheme}://{}/a.ics", host.local_addr().unwrap())).unwrap();
    let order = Order {
        address,
        reach: Reach::Private,
        ports: Arc::new([]),
        way: Way::Direct,
        validators: Validators::default(),
        share: Arc::new(super::super::space::Space::new(0).share(0)),
    };
    let client = Client::new(options, &RootCertStore::empty());
    let fetch = tokio::time::timeout(Duration::from_secs(20), client.fetch(order));
    fetch.await.expect("a deadline of its own").unwrap_err()
}

#[tokio::test]
async fn each_phase_of_a_fetch_has_its_own_deadline() {
    let (short, long) = (Duration::from_millis(300), Duration::from_mins(5));
    let long = Options { connect_timeout: long, header_timeout: long, timeout: long, ..Options::default() };
    let (connect, head, whole) = tokio::join!(
        silence("https", Options { connect_timeout: short, ..long }),
        silence("http", Options { header_timeout: short, ..long }),
        silence("http", Options { timeout: short, ..long }),
    );
    let phase = |error| match error {
        Timeout { phase, .. } => phase,
        other => panic!("{other:?}"),
    };
    assert_eq!([connect, head, whole].map(phase), ["connection", "answer", "whole answer"]);
}
