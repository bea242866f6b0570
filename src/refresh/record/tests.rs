//! What the log says of ways.

use std::io::Write;
use std::sync::Mutex;

use tokio::sync::Notify;

use super::*;
use crate::refresh::entry::way_standings;
use crate::source::Way;

/// What is written to it.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is logged while `act` goes on, line by line, from INFO on.
fn logged(act: impl FnOnce()) -> Vec<String> {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_writer(move || writer.clone()).without_time().with_ansi(false).finish();
    tracing::subscriber::with_default(subscriber, act);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn upstream(ways: &[&str]) -> Upstream {
    let ways: Vec<_> = ways.iter().map(|way| Way::parse(way).unwrap()).collect();
    let standing = Standing { ways: way_standings(&ways), ..Standing::default() };
    Upstream::new([1; 32], "work".into(), "cal.example".into(), Arc::new(Notify::new()), standing)
}

#[test]
fn another_way_is_said_once_and_so_is_the_way_back() {
    let upstream = upstream(&["socks5h://lin:hush@proxy.example:1080", "http://lin:hush@other.example:3128", "direct"]);
    let lost = FetchError::ProxyUnreachable("connection refused");
    let busy = FetchError::Throttled { status: 429, retry_after: None };
    let gone = FetchError::NotFound(404);
    let tries: [(usize, Option<&FetchError>, Option<&str>); 14] = [
        (0, None, None),
        (0, Some(&lost), None),
        (1, None, Some("WARN source `work` comes by way 2 (http) now, since way 1 (socks5h) does not lead there: ")),
        // It is asked by the preferred one again and again, and comes by the same as before.
        (0, Some(&lost), None),
        (1, None, None),
        (0, Some(&busy), None),
        (1, None, None),
        (1, Some(&busy), None),
        (
            2,
            Some(&gone),
            Some("WARN source `work` comes by way 3 (direct) now, since way 2 (http) does not lead there: "),
        ),
        // All of them fail: that is the source's trouble, and said as such.
        (2, Some(&lost), None),
        (0, Some(&lost), None),
        (1, None, Some("INFO source `work` comes by way 2 (http) again, and no longer by way 3 (direct)")),
        (0, None, Some("INFO source `work` comes by way 1 (socks5h) again, and no longer by way 2 (http)")),
        (0, None, None),
    ];
    for (second, (way, error, news)) in (1..).zip(tries) {
        let said = logged(|| record_way(&upstream, Some(way), error, Timestamp::from_secs(second)));
        match (news, &said[..]) {
            (None, []) => {}
            (Some(news), [line]) => {
                let (level, words) = news.split_once(' ').unwrap();
                assert!(line.contains(level) && line.contains(words), "try {second}: {line}");
                assert!(!line.contains("hush") && !line.contains(".example"), "{line}");
            }
            _ => panic!("try {second}: {said:?}"),
        }
    }
}

#[test]
fn a_way_that_the_settings_have_dropped_is_no_news() {
    let upstream = upstream(&["direct"]);
    assert_eq!(logged(|| record_way(&upstream, None, None, Timestamp::from_secs(1))), [""; 0]);
}
