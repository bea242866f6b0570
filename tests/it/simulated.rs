//! Days in a moment: tokio's clock is paused, and goes on only when nobody has anything to do.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use calferry::app::App;
use calferry::clock::{Clock, Timestamp};
use calferry::source::{Fetch, FetchError, Fetched, Order, Validators};
use http::HeaderMap;
use http_body_util::Empty;
use tokio::time::Instant;

use super::harness;
use super::harness::client::request;
use super::harness::program::{path, settings};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

pub(crate) fn noon() -> Clock {
    Clock::simulated(Timestamp::from_secs(1_790_000_000))
}

/// An upstream that does what `script` says of the host's name and the number of the fetch.
#[derive(Clone)]
pub(crate) struct Scripted<S> {
    script: S,
    log: Arc<Mutex<Log>>,
}

#[derive(Default)]
struct Log {
    /// When which upstream was asked.
    asked: HashMap<[u8; 32], Vec<Instant>>,
    running: HashMap<String, usize>,
    most_at_once: HashMap<String, usize>,
    most_in_all: usize,
}

impl<S> Scripted<S> {
    pub(crate) fn new(script: S) -> Self {
        Self { script, log: Arc::default() }
    }
}

impl<S> Fetch for Scripted<S>
where
    S: Fn(&str, usize) -> Result<Fetched, FetchError> + Send + Sync + 'static,
{
    async fn fetch(&self, order: Order) -> Result<Fetched, FetchError> {
        let host = order.address.host().to_owned();
        let count = {
            let mut log = self.log.lock().unwrap();
            let asked = log.asked.entry(order.address.fingerprint(&[0; 32])).or_default();
            asked.push(Instant::now());
            let count = asked.len();
            let running = log.running.entry(host.clone()).or_default();
            *running += 1;
            let running = *running;
            log.most_in_all = log.most_in_all.max(log.running.values().sum());
            let most = log.most_at_once.entry(host.clone()).or_default();
            *most = (*most).max(running);
            count
        };
        // How long a host takes, on the paused clock.
        tokio::time::sleep(Duration::from_millis(300)).await;
        *self.log.lock().unwrap().running.get_mut(&host).unwrap() -= 1;
        (self.script)(&host, count)
    }
}

#[expect(clippy::unnecessary_wraps, reason = "what a script returns")]
pub(crate) fn body(text: String) -> Result<Fetched, FetchError> {
    Ok(Fetched::Body { text: text.into_bytes(), validators: Validators::default(), moved_to: None })
}

async fn status(app: &App, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let (status, headers) = head(app, path, headers).await;
    (status, headers.get("etag").map_or("", |etag| etag.to_str().unwrap()).to_owned())
}

async fn head(app: &App, path: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap) {
    let request = request("GET", path, headers).map(|_| Empty::<Bytes>::new());
    let answer = app.front().answer(calferry::http::Peer::Address([127, 0, 0, 1].into()), &request).await;
    (answer.status().as_u16(), answer.headers().clone())
}

/// Or each poll of a phone would be held for as long as a first copy is waited for, and ask the source once more.
#[tokio::test(start_paused = true)]
async fn who_asks_soon_after_a_failure_is_told_at_once_when_to_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let settings =
        settings(dir.path(), "[source.work]\nurl = \"https://dead.example/a.ics\"\n[feed.me]\nsources = [\"work\"]\n");
    let upstream = Scripted::new(|_: &str, _| Err(FetchError::Interrupted));
    let app = App::start_with(settings, upstream.clone(), noon()).await.unwrap();
    let me = path(&app, "me", 0);
    assert_eq!(head(&app, &me, &[]).await.0, 503);
    tokio::time::sleep(Duration::from_secs(20)).await;
    let began = Instant::now();
    let (status, headers) = head(&app, &me, &[]).await;
    assert_eq!((status, began.elapsed()), (503, Duration::ZERO));
    let wait: u64 = headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=10).contains(&wait), "{wait} s of the half minute");
    assert_eq!(upstream.log.lock().unwrap().asked.values().map(Vec::len).sum::<usize>(), 1);
    assert!(app.stop().await);
}

#[tokio::test(start_paused = true)]
async fn through_seven_days_of_a_dead_upstream_every_request_is_answered_with_the_copy() {
    let dir = tempfile::tempdir().unwrap();
    let settings =
        settings(dir.path(), "[source.work]\nurl = \"https://dead.example/a.ics\"\n[feed.me]\nsources = [\"work\"]\n");
    let upstream = Scripted::new(|_: &str, count| {
        if count == 1 {
            body(harness::calendar(30, "kept"))
        } else {
            Err(FetchError::Timeout { phase: "answer", limit: MINUTE })
        }
    });
    let app = App::start_with(settings, upstream.clone(), noon()).await.unwrap();
    let me = path(&app, "me", 0);
    let (first, etag) = status(&app, &me, &[]).await;
    assert_eq!(first, 200);
    let mut seen = HashMap::new();
    for poll in 0..7 * 24 * 4 {
        tokio::time::sleep(15 * MINUTE).await;
        let headers: &[(&str, &str)] = if poll % 2 == 0 { &[] } else { &[("if-none-match", &etag)] };
        let began = Instant::now();
        let (status, now) = status(&app, &me, headers).await;
        assert_eq!(began.elapsed(), Duration::ZERO, "nobody waits for the upstream");
        assert_eq!(now, etag);
        *seen.entry(status).or_insert(0) += 1;
    }
    assert_eq!(seen, HashMap::from([(200, 336), (304, 336)]));
    let fetches = upstream.log.lock().unwrap().asked.values().next().unwrap().len();
    assert!((28..60).contains(&fetches), "{fetches} fetches: one each six hours, and a few more on the first day");
    assert!(app.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_asked_for_time_gets_it_whoever_comes_for_the_calendar() {
    let dir = tempfile::tempdir().unwrap();
    let settings =
        settings(dir.path(), "[source.work]\nurl = \"https://busy.example/a.ics\"\n[feed.me]\nsources = [\"work\"]\n");
    let upstream =
        Scripted::new(|_: &str, _| Err(FetchError::Throttled { status: 429, retry_after: Some(10 * MINUTE) }));
    let app = App::start_with(settings, upstream.clone(), noon()).await.unwrap();
    let me = path(&app, "me", 0);
    let asked = || upstream.log.lock().unwrap().asked.values().map(Vec::len).sum::<usize>();
    for _ in 0..7 {
        assert_eq!(status(&app, &me, &[]).await.0, 503);
        tokio::time::sleep(MINUTE).await;
    }
    assert_eq!(asked(), 1);
    tokio::time::sleep(5 * MINUTE).await;
    assert!(asked() > 1, "and is asked again after it");
    assert!(app.stop().await);
}

#[tokio::test(start_paused = true)]
async fn of_all_hosts_together_only_so_many_are_asked_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut toml = String::from("[fetch]\nconcurrent = 3\n");
    for source in 0..20 {
        toml.push_str(&format!(
            "[source.s{source}]\nurl = \"https://h{source}.example/a.ics\"\n[feed.s{source}]\nsources = [\"s{source}\"]\n"
        ));
    }
    let upstream = Scripted::new(|_: &str, _| body(harness::calendar(3, "meeting")));
    let app = App::start_with(settings(dir.path(), &toml), upstream.clone(), noon()).await.unwrap();
    tokio::time::sleep(MINUTE).await;
    assert!(app.stop().await);
    let log = upstream.log.lock().unwrap();
    assert_eq!((log.asked.len(), log.most_in_all), (20, 3));
}

#[tokio::test(start_paused = true)]
async fn in_a_day_of_a_thousand_sources_each_keeps_its_pace_and_no_host_is_crowded() {
    let dir = tempfile::tempdir().unwrap();
    let mut toml = String::from("[fetch]\nper_host = 3\n");
    for source in 0..1000 {
        toml.push_str(&format!(
            "[source.s{source}]\nurl = \"https://host{}.example/{source}.ics\"\n[feed.f{source}]\nsources = [\"s{source}\"]\n", source % 10
        ));
    }
    let upstream = Scripted::new(|_: &str, _| body(harness::calendar(1, "x")));
    let app = App::start_with(settings(dir.path(), &toml), upstream.clone(), noon()).await.unwrap();
    let start = Instant::now();
    tokio::time::sleep(24 * HOUR).await;
    assert!(app.stop().await);
    let log = upstream.log.lock().unwrap();
    assert_eq!(log.asked.len(), 1000);
    for times in log.asked.values() {
        assert!((90..=103).contains(&times.len()), "{} fetches in a day at 15 minutes", times.len());
        for pause in times.windows(2).map(|pair| pair[1] - pair[0]) {
            assert!(pause >= 14 * MINUTE && pause <= 17 * MINUTE, "{pause:?}");
        }
    }
    assert!(log.most_at_once.values().all(|most| *most <= 3), "{:?}", log.most_at_once);
    // After a few hours, what was started together has spread over the interval.
    let mut by_minute = [0usize; 24 * 60];
    for time in log.asked.values().flatten() {
        by_minute[usize::try_from((*time - start).as_secs() / 60).unwrap().min(24 * 60 - 1)] += 1;
    }
    let evening = &by_minute[20 * 60..24 * 60];
    let (average, busiest) = (evening.iter().sum::<usize>() / evening.len(), evening.iter().max().unwrap());
    assert!((60..=72).contains(&average) && *busiest < 3 * average, "average {average}, busiest {busiest}");
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_kept_to_the_second() {
    let dir = tempfile::tempdir().unwrap();
    let settings =
        settings(dir.path(), "[source.work]\nurl = \"https://slow.example/a.ics\"\n[feed.me]\nsources = [\"work\"]\n");
    let upstream = Scripted::new(|_: &str, count| match count {
        2 => Err(FetchError::Throttled { status: 429, retry_after: Some(Duration::from_secs(1234)) }),
        _ => body(harness::calendar(1, "x")),
    });
    let app = App::start_with(settings, upstream.clone(), noon()).await.unwrap();
    tokio::time::sleep(2 * HOUR).await;
    {
        let log = upstream.log.lock().unwrap();
        let times = log.asked.values().next().unwrap();
        // The fetch itself takes 300 ms, and a timer rounds up to the millisecond.
        let pause = (times[2] - times[1]).checked_sub(Duration::from_millis(300)).unwrap();
        assert_eq!(pause.as_secs(), 1234);
    }
    assert!(app.stop().await);
}

/// Google refuses addresses of the network, not calendars: asking for the other ninety-nine would only prolong it.
#[tokio::test(start_paused = true)]
async fn a_host_that_refuses_is_left_alone_and_the_others_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let mut toml = String::new();
    for source in 0..200 {
        let host = if source % 2 == 0 { "google" } else { "other" };
        toml.push_str(&format!(
            "[source.s{source}]\nurl = \"https://{host}.example/{source}.ics\"\n[feed.f{source}]\nsources = [\"s{source}\"]\n"
        ));
    }
    let upstream = Scripted::new(|host: &str, count| {
        if host == "google.example" && count > 1 { Err(FetchError::Captcha) } else { body(harness::calendar(1, "x")) }
    });
    let app = App::start_with(settings(dir.path(), &toml), upstream.clone(), noon()).await.unwrap();
    tokio::time::sleep(24 * HOUR).await;
    {
        let log = upstream.log.lock().unwrap();
        let total: usize = log.asked.values().map(Vec::len).sum();
        let other = 100 * 24 * 4;
        let google = total - other;
        assert!((90..=110).contains(&(other / 96)), "the other host's sources kept their pace");
        // 100 first fetches; then a handful, and one each time the pause is over.
        assert!(google < 100 + 400, "{google} fetches from a host that refuses");
    }
    for feed in ["f0", "f1", "f198"] {
        assert_eq!(status(&app, &path(&app, feed, 0), &[]).await.0, 200);
    }
    assert!(app.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_collapsed_calendar_waits_an_hour_and_three_fetches() {
    let dir = tempfile::tempdir().unwrap();
    let settings =
        settings(dir.path(), "[source.work]\nurl = \"https://thin.example/a.ics\"\n[feed.me]\nsources = [\"work\"]\n");
    let upstream = Scripted::new(|_: &str, count| body(harness::calendar(if count == 1 { 100 } else { 2 }, "x")));
    let app = App::start_with(settings, upstream.clone(), noon()).await.unwrap();
    let me = path(&app, "me", 0);
    let (_, full) = status(&app, &me, &[]).await;
    // The first thin answer comes within 16 minutes; an hour later, and not before, it is believed.
    for _ in 0..4 * 15 + 8 {
        tokio::time::sleep(MINUTE).await;
        assert_eq!(status(&app, &me, &[]).await, (200, full.clone()));
    }
    tokio::time::sleep(40 * MINUTE).await;
    let (code, thin) = status(&app, &me, &[]).await;
    assert!(code == 200 && thin != full);
    assert!(app.stop().await);
}

/// A fetch that has ended: when, of which upstream, by which kind of way, and whether it brought an answer.
type Ended = (Duration, [u8; 32], &'static str, bool);

/// A host that refuses whoever comes by a proxy, from one hour to another.
#[derive(Clone)]
struct Refusing {
    began: Instant,
    hours: std::ops::Range<u32>,
    log: Arc<Mutex<Vec<Ended>>>,
}

impl Fetch for Refusing {
    async fn fetch(&self, order: Order) -> Result<Fetched, FetchError> {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let (now, kind) = (self.began.elapsed(), order.way.kind());
        let refused = kind != "direct" && (self.hours.start * HOUR..self.hours.end * HOUR).contains(&now);
        self.log.lock().unwrap().push((now, order.address.fingerprint(&[0; 32]), kind, !refused));
        if refused {
            Err(FetchError::Throttled { status: 429, retry_after: None })
        } else {
            body(harness::calendar(3, "kept"))
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_way_is_refused_goes_by_the_next_and_comes_back_to_it_when_it_is_no_more() {
    const SOURCES: usize = 50;
    let dir = tempfile::tempdir().unwrap();
    let mut toml = "[fetch]\negress = [\"socks5h://127.0.0.1:1\", \"direct\"]\n".to_owned();
    for source in 0..SOURCES {
        let url = format!("https://cal.example/{source}.ics");
        toml += &format!("[source.s{source}]\nurl = \"{url}\"\n[feed.s{source}]\nsources = [\"s{source}\"]\n");
    }
    let upstream = Refusing { began: Instant::now(), hours: 2..5, log: Arc::default() };
    let app = App::start_with(settings(dir.path(), &toml), upstream.clone(), noon()).await.unwrap();
    let path = path(&app, "s7", 0);
    for _ in 0..12 * 4 {
        tokio::time::sleep(15 * MINUTE).await;
        assert_eq!(status(&app, &path, &[]).await.0, 200);
    }
    app.stop().await;
    let log = upstream.log.lock().unwrap();
    let ended = |hours: std::ops::Range<u32>, way: &str, answered: bool| {
        let within = |at: Duration| (hours.start * HOUR..hours.end * HOUR).contains(&at);
        log.iter().filter(|(at, _, kind, good)| within(*at) && *kind == way && *good == answered).count()
    };
    // Each is answered every quarter of an hour, whichever way it takes, also while one of them closes.
    let mut answered: HashMap<[u8; 32], Duration> = HashMap::new();
    for (at, upstream, _, _) in log.iter().filter(|(.., good)| *good) {
        let gap = at.saturating_sub(answered.insert(*upstream, *at).unwrap_or(*at));
        assert!(gap <= 18 * MINUTE, "{gap:?} before {at:?}");
    }
    assert!(answered.len() == SOURCES && answered.values().all(|last| *last > 11 * HOUR + 40 * MINUTE));
    assert_eq!(ended(0..2, "direct", true), 0, "nobody has a reason to go directly yet");
    assert!(ended(2..5, "socks5h", false) < 3 * SOURCES, "who is refused does not go on asking");
    assert_eq!(ended(9..12, "direct", true), 0, "the preferred way is taken again");
}
