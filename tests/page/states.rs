//! The subscription page when something is not as it should be: trouble with a source, no copy, no event, no subscription,
//! a phone whose own apps open no address.

use std::sync::Arc;

use libtest_mimic::Trial;
use serde_json::json;

use crate::browser::{Look, PHONE};
use crate::house::{House, Stage};
use crate::looks::{self, asks_nobody_else, fits_and_is_usable, is_quiet};
use crate::world::World;

const ANDROID: &str = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/130.0 Mobile MicroMessenger/8.0.50";

/// A page, and what it says in either language.
struct State {
    name: &'static str,
    page: fn(&World) -> &str,
    said: [&'static [&'static str]; 2],
}

const STATES: [State; 4] = [
    State {
        name: "troubled",
        page: |world| &world.troubled,
        said: [
            &[
                "says that most events are gone",
                "One source has no copy yet",
                "cannot be reached since",
                "Nothing is planned.",
            ],
            &["少了大部分日程", "有 1 个来源还没有副本", "起连接不上", "没有安排。"],
        ],
    },
    State {
        name: "lacking",
        page: |world| &world.lacking,
        said: [
            &["cannot be reached since", "there is no copy yet", "The agenda cannot be shown just now."],
            &["起连接不上，还没有副本", "暂时无法显示日程。"],
        ],
    },
    State {
        name: "ended",
        page: |world| &world.ended,
        said: [&["This subscription has ended"], &["这个订阅已经结束"]],
    },
    State {
        name: "wechat",
        page: |world| &world.page,
        said: [&["Inside WeChat", "leads somewhere only once"], &["在微信里", "才有用"]],
    },
];

pub(crate) fn tests(house: &Arc<House>) -> Vec<Trial> {
    let looks = looks::all().into_iter().filter(|(look, _)| look.screen == PHONE.screen);
    let mut tests = Vec::new();
    for (look, language) in looks {
        for state in &STATES {
            let name = format!("what_is_wrong_is_said_on_every_phone[{}-{}]", state.name, looks::name(look, language));
            tests.push(house.test(&name, async move |stage: &Stage| {
                what_is_wrong_is_said_on_every_phone(stage, state, look, language).await;
            }));
        }
    }
    tests
}

async fn what_is_wrong_is_said_on_every_phone(stage: &Stage, case: &State, look: Look, language: &str) {
    let (browser, world) = (&stage.browser, stage.world());
    browser.look(Look { agent: ANDROID, ..look }).await;
    browser.open(&format!("{}?lang={language}&tz=Asia/Shanghai", (case.page)(world))).await;
    assert_eq!(browser.run("return document.documentElement.lang").await, json!(language));
    let shown = browser.run("return document.body.innerText").await;
    let shown = shown.as_str().unwrap();
    for words in case.said[usize::from(language != "en")] {
        assert!(shown.contains(words), "{words} in {shown}");
    }
    fits_and_is_usable(stage, look, &format!("{}-{}", case.name, looks::name(look, language))).await;
    if case.name == "ended" {
        // Of the 410 itself, the browser complains.
        asks_nobody_else(stage, &world.origin).await;
    } else {
        is_quiet(stage, &world.origin).await;
    }
}
