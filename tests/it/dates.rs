//! `Last-Modified`: each edition of a feed has its own, later than the one before, and nobody is told it before it has
//! come. A phone that asks by date alone would otherwise keep what it has for what there is.

use std::num::NonZeroU32;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use calferry::app::App;
use calferry::clock::{Clock, Timestamp};
use calferry::http::Peer;
use calferry::source::{Fetch, FetchError, Fetched};
use http_body_util::Empty;
use tempfile::TempDir;
use tokio::time::Instant;

use super::harness;
use super::harness::client::request;
use super::harness::program::{path, settings};
use super::simulated::{Scripted, body, noon};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_hours(24);
const TOML: &str = "[server]\nmodified_since_margin = \"0s\"\n[source.work]\nurl = \"https://cal.example/a.ics\"\n[feed.me]\nsources = [\"work\"]\n";

/// The program under a clock that stands still, and the feed's phones.
struct Phones {
    app: App,
    dir: TempDir,
    clock: Clock,
    path: String,
}

/// What a phone is told.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    status: u16,
    tag: String,
    date: Option<SystemTime>,
}

impl Told {
    /// The same edition, with `status` and without a date.
    fn undated(&self, status: u16) -> Self {
        Self { status, tag: self.tag.clone(), date: None }
    }
}

impl Phones {
    async fn new() -> Self {
        Self::over(tempfile::tempdir().unwrap(), noon(), Scripted::new(|_: &str, _| kept())).await
    }

    async fn over(dir: TempDir, clock: Clock, upstream: impl Fetch) -> Self {
        let app = App::start_with(settings(dir.path(), TOML), upstream, clock).await.unwrap();
        let path = path(&app, "me", 0);
        Self { app, dir, clock, path }
    }

    /// Another name for the feed is another edition of it.
    async fn rename(&mut self, name: &str) {
        let toml = format!("{TOML}name = \"{name}\"\n");
        self.app.reload(settings(self.dir.path(), &toml)).await.unwrap();
    }

    async fn ask(&self, headers: &[(&str, &str)]) -> Told {
        let request = request("GET", &self.path, headers).map(|_| Empty::<Bytes>::new());
        let answer = self.app.front().answer(Peer::Unix, &request).await;
        let told = |name| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let date = told("last-modified").map(|date| httpdate::parse_http_date(&date).unwrap());
        assert!(date.is_none_or(|date| date <= self.now()), "a date that has not come");
        Told { status: answer.status().as_u16(), tag: told("etag").unwrap_or_default(), date }
    }

    /// By a date alone, as iOS does.
    async fn ask_since(&self, date: SystemTime) -> Told {
        self.ask(&[("if-modified-since", &httpdate::fmt_http_date(date))]).await
    }

    fn now(&self) -> SystemTime {
        self.clock.now().system_time()
    }
}

fn kept() -> Result<Fetched, FetchError> {
    body(harness::calendar(3, "kept"))
}

#[tokio::test(start_paused = true)]
async fn two_editions_of_one_second_have_two_dates_and_neither_is_told_before_it_has_come() {
    let mut phones = Phones::new().await;
    let mut before = phones.ask(&[]).await;
    for name in ["one", "two", "three", "four"] {
        let began = Instant::now();
        phones.rename(name).await;
        let told = phones.ask(&[]).await;
        assert_eq!(began.elapsed(), Duration::ZERO, "nobody waits for a date");
        assert!(told.status == 200 && told.tag != before.tag, "{name}");
        assert_eq!(told.date, None, "{name}: the second is the other edition's");
        tokio::time::sleep(SECOND).await;
        let dated = phones.ask(&[]).await;
        assert!(dated.tag == told.tag && dated.date > before.date, "{name}: {dated:?} after {before:?}");
        before = dated;
    }
    phones.app.stop().await;
}

#[tokio::test(start_paused = true)]
async fn until_the_date_of_an_edition_has_come_its_tag_alone_says_that_a_phone_has_it() {
    let mut phones = Phones::new().await;
    let first = phones.ask(&[]).await;
    for name in ["one", "two", "three"] {
        phones.rename(name).await;
        phones.ask(&[]).await;
    }
    let third = phones.ask(&[]).await;
    // The first has its second, and each after it one of its own.
    for _ in 0..3 {
        assert_eq!(phones.ask(&[]).await, third.undated(200));
        assert_eq!(phones.ask(&[("if-none-match", &third.tag)]).await, third.undated(304));
        assert_eq!(phones.ask(&[("if-none-match", &first.tag)]).await.status, 200);
        for since in [first.date.unwrap(), phones.now(), phones.now() + SECOND] {
            assert_eq!(phones.ask_since(since).await.status, 200, "it may have any of them");
        }
        tokio::time::sleep(SECOND).await;
    }
    let dated = phones.ask(&[]).await;
    assert_eq!(dated.date, Some(first.date.unwrap() + 3 * SECOND));
    assert_eq!(phones.ask_since(dated.date.unwrap()).await, Told { status: 304, ..dated });
    phones.app.stop().await;
}

#[tokio::test(start_paused = true)]
async fn after_a_clock_was_set_back_an_edition_has_no_date_until_its_own_has_come_again() {
    let phones = Phones::new().await;
    let before = phones.ask(&[]).await;
    let (date, yesterday) = (before.date.unwrap(), Timestamp::from(phones.now() - DAY));
    assert!(phones.app.stop().await);
    let upstream = Scripted::new(|_: &str, _| kept());
    let mut phones = Phones::over(phones.dir, Clock::simulated(yesterday), upstream).await;
    let undated = before.undated(200);
    assert_eq!(phones.ask(&[]).await, undated);
    assert_eq!(phones.ask(&[("if-none-match", &before.tag)]).await, before.undated(304));
    assert_eq!(phones.ask_since(date).await, undated, "by a clock that was wrong then or is now");
    assert_eq!(phones.ask_since(phones.now()).await, undated);
    tokio::time::sleep(DAY + SECOND).await;
    assert_eq!(phones.ask(&[]).await, before);
    phones.rename("other").await;
    assert!(phones.ask(&[]).await.date > before.date);
    phones.app.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_edition_that_comes_back_is_later_than_the_one_it_replaces() {
    let mut phones = Phones::new().await;
    phones.rename("one").await;
    let one = phones.ask(&[]).await;
    tokio::time::sleep(10 * SECOND).await;
    phones.rename("two").await;
    let two = phones.ask(&[]).await;
    tokio::time::sleep(10 * SECOND).await;
    phones.rename("one").await;
    let back = phones.ask_since(phones.now() - SECOND).await;
    assert!(back.status == 200 && back.tag == one.tag, "a phone that has the other must not keep it");
    assert!(back.date > two.date, "{back:?} after {two:?}");
    phones.app.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_reloads_overtake_counts_once_against_its_rate() {
    let dir = tempfile::tempdir().unwrap();
    let strict = || {
        let mut settings = settings(dir.path(), TOML);
        settings.server.front.rates.tokens = NonZeroU32::MIN;
        settings
    };
    // A fetch takes 300 ms.
    let mut app = App::start_with(strict(), Scripted::new(|_: &str, _| kept()), noon()).await.unwrap();
    let (front, path) = (app.front().clone(), path(&app, "me", 0));
    let asked = tokio::spawn(async move {
        front.answer(Peer::Unix, &request("GET", &path, &[]).map(|_| Empty::<Bytes>::new())).await
    });
    for _ in 0..5 {
        tokio::time::sleep(SECOND / 50).await;
        assert!(!asked.is_finished(), "it waits for the copy");
        app.reload(strict()).await.unwrap();
    }
    assert_eq!(asked.await.unwrap().status(), 200);
    app.stop().await;
}
