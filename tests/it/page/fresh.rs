//! How fresh the page says the calendar is, on a clock that goes as fast as the test wants.

use std::time::Duration;

use bytes::Bytes;
use calferry::app::App;
use calferry::source::FetchError;
use http_body_util::{BodyExt, Empty};

use crate::harness::client::request;
use crate::harness::program::{path, settings};
use crate::harness::{self};
use crate::simulated::{Scripted, body, noon};

const MINUTE: Duration = Duration::from_mins(1);

/// What the page says of its freshness in `language`.
async fn said(app: &App, language: &str) -> String {
    all_said(app, language).await.remove(0)
}

/// All that it says above what it shows.
async fn all_said(app: &App, language: &str) -> Vec<String> {
    let path = path(app, "me", 0);
    let path = format!("{}?lang={language}&tz=Asia/Shanghai", path.strip_suffix(".ics").unwrap());
    let request = request("GET", &path, &[]).map(|_| Empty::<Bytes>::new());
    let answer = app.front().answer(calferry::http::Peer::Address([127, 0, 0, 1].into()), &request).await;
    assert_eq!(answer.status(), 200);
    let page = answer.into_body().collect().await.unwrap().to_bytes();
    let said = std::str::from_utf8(&page).unwrap().split("role=\"status\">").skip(1);
    said.map(|rest| rest.split('<').next().unwrap().to_owned()).collect()
}

async fn app(host: &str, error: impl Fn() -> FetchError + Send + Sync + 'static) -> (App, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let toml = format!("[source.work]\nurl = \"https://{host}/a.ics\"\n[feed.me]\nsources = [\"work\"]\n");
    let upstream = Scripted::new(
        move |_: &str, count| {
            if count == 1 { body(harness::calendar(30, "kept")) } else { Err(error()) }
        },
    );
    let app = App::start_with(settings(dir.path(), &toml), upstream, noon()).await.unwrap();
    (app, dir)
}

#[tokio::test(start_paused = true)]
async fn a_page_tells_who_is_in_trouble_since_when_and_what_it_shows() {
    let (app, _dir) = app("calendar.google.com", || FetchError::Denied(403)).await;
    assert_eq!(
        said(&app, "en").await,
        "The calendar has not arrived here yet. Load this page again in a moment, and subscribe when it is here."
    );
    tokio::time::sleep(10 * Duration::from_secs(1)).await;
    assert_eq!(said(&app, "en").await, "Synced just now");
    tokio::time::sleep(3 * MINUTE).await;
    assert_eq!(said(&app, "en").await, "Synced 3 minutes ago");
    assert_eq!(said(&app, "zh").await, "3 分钟前同步");
    tokio::time::sleep(20 * MINUTE).await;
    let english = said(&app, "en").await;
    // It was 22:13:20 in Shanghai when the clock began.
    assert!(
        english.starts_with("Google is refusing this server since 22:2")
            || english.starts_with("Google is refusing this server since 22:3"),
        "{english}"
    );
    assert!(english.ends_with(", showing the copy of 22:13."), "{english}");
    let chinese = said(&app, "zh").await;
    assert!(chinese.starts_with("Google 的服务器从 22:") && chinese.ends_with("现在显示 22:13 的副本。"), "{chinese}");
    tokio::time::sleep(24 * 60 * MINUTE).await;
    let english = said(&app, "en").await;
    assert!(english.ends_with(", showing the copy of 21 September, 22:13."), "{english}");
    assert!(app.stop().await);
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_trouble_has_its_words() {
    type Case = (fn() -> FetchError, &'static str);
    let cases: [Case; 4] = [
        (|| FetchError::NotFound(404), "The calendar’s source no longer knows the address of this calendar since "),
        (|| FetchError::Timeout { phase: "answer", limit: MINUTE }, "The calendar’s source cannot be reached since "),
        (|| FetchError::Server { status: 502, retry_after: None }, "The calendar’s source is in trouble since "),
        (|| FetchError::WebPage, "The calendar’s source gives no usable calendar since "),
    ];
    for (error, words) in cases {
        let (app, _dir) = app("cal.example", error).await;
        tokio::time::sleep(30 * MINUTE).await;
        let said = said(&app, "en").await;
        assert!(said.starts_with(words), "{said}");
        assert!(app.stop().await);
    }
}

/// A phone that subscribes now fails, and only the reason tells whether waiting helps.
#[tokio::test(start_paused = true)]
async fn a_page_without_a_copy_tells_why_there_is_none_and_not_that_subscribing_works() {
    type Case = (fn() -> FetchError, &'static str, &'static str);
    let cases: [Case; 3] = [
        (
            || FetchError::NotFound(404),
            "Google no longer knows the address of this calendar since ",
            "不再认识这个日历的地址",
        ),
        (|| FetchError::Denied(403), "Google is refusing this server since ", "拒绝本服务器的请求，还没有副本。"),
        (|| FetchError::WebPage, "Google gives no usable calendar since ", "给出的不是可用的日历，还没有副本。"),
    ];
    for (error, english, chinese) in cases {
        let dir = tempfile::tempdir().unwrap();
        let toml = "[source.work]\nurl = \"https://calendar.google.com/a.ics\"\n[feed.me]\nsources = [\"work\"]\n";
        let upstream = Scripted::new(move |_: &str, _| Err(error()));
        let app = App::start_with(settings(dir.path(), toml), upstream, noon()).await.unwrap();
        for language in ["en", "zh"] {
            assert!(!said(&app, language).await.contains("already"));
        }
        tokio::time::sleep(MINUTE).await;
        let [said, in_chinese] = [said(&app, "en").await, said(&app, "zh").await];
        assert!(said.starts_with(english) && said.contains("22:1"), "{said}");
        assert!(said.ends_with("; there is no copy yet. Subscribe when the calendar is here."), "{said}");
        assert!(in_chinese.starts_with("Google 的服务器从 22:1") && in_chinese.contains(chinese), "{in_chinese}");
        assert!(app.stop().await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_merged_calendar_tells_which_part_of_it_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let toml = "[source.work]\nurl = \"https://cal.example/a.ics\"\n\
                [source.home]\nurl = \"https://calendar.google.com/b.ics\"\n[feed.me]\nsources = [\"work\", \"home\"]\n";
    let upstream = Scripted::new(move |host: &str, _| {
        if host == "cal.example" { body(harness::calendar(30, "kept")) } else { Err(FetchError::Denied(403)) }
    });
    let app = App::start_with(settings(dir.path(), toml), upstream, noon()).await.unwrap();
    tokio::time::sleep(MINUTE).await;
    let [english, chinese] = [all_said(&app, "en").await, all_said(&app, "zh").await];
    assert_eq!(english.len(), 2, "{english:?}");
    assert!(english[0].starts_with("Synced "), "{english:?}");
    let why = "One source has no copy yet, so its events are missing here. Google is refusing this server since 22:1";
    assert!(english[1].starts_with(why) && english[1].ends_with('.'), "{english:?}");
    let why = "有 1 个来源还没有副本，其中的日程没有显示在这里。原因：Google 的服务器从 22:1";
    assert!(chinese[1].starts_with(why) && chinese[1].ends_with("起拒绝本服务器的请求。"), "{chinese:?}");
    assert!(app.stop().await);
}
