//! The subscription page, for whoever holds a device.

use std::sync::Arc;

use libtest_mimic::Trial;
use serde_json::{Value, json};
use thirtyfour::Key;

use crate::browser::{DESKTOP, Look, PHONE};
use crate::calendars::{EVIL, NAME};
use crate::harness::eventually;
use crate::house::{House, Stage};
use crate::looks::{self, OPEN_ALL, fits_and_is_usable, is_quiet};
use crate::scanner;

const IPHONE: &str =
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile Safari/604.1";

pub(crate) fn tests(house: &Arc<House>) -> Vec<Trial> {
    let mut tests = vec![
        test!(house, one_request_brings_it_all_where_the_clocks_agree),
        test!(house, the_clocks_are_the_browsers),
        test!(house, hostile_events_do_nothing),
        test!(house, a_hostile_name_and_colour_do_nothing),
        test!(house, an_ipad_that_says_it_is_a_mac_has_its_own_steps_open),
        test!(house, without_scripts_everything_is_there),
        test!(house, the_keyboard_reaches_everything),
        test!(house, the_address_is_copied),
    ];
    for scheme in ["light", "dark"] {
        let name = format!("a_scanner_reads_the_address[{scheme}]");
        tests.push(house.test(&name, async move |stage: &Stage| a_scanner_reads_the_address(stage, scheme).await));
    }
    for (look, language) in looks::all() {
        let name = looks::name(look, language);
        let name = format!("the_page_fits_every_screen_and_everybody_can_use_it[{name}]");
        tests.push(house.test(&name, async move |stage: &Stage| {
            the_page_fits_every_screen_and_everybody_can_use_it(stage, look, language).await;
        }));
    }
    tests
}

async fn the_page_fits_every_screen_and_everybody_can_use_it(stage: &Stage, look: Look, language: &str) {
    let (browser, world) = (&stage.browser, stage.world());
    browser.look(Look { agent: IPHONE, ..look }).await;
    browser.open(&format!("{}?lang={language}&tz=Asia/Shanghai", world.page)).await;
    assert_eq!(browser.run("return document.title").await, json!(NAME));
    assert_eq!(browser.run("return document.documentElement.lang").await, json!(language));
    fits_and_is_usable(stage, look, &format!("page-{}", looks::name(look, language))).await;
    is_quiet(stage, &world.origin).await;
}

/// The calendar's clocks are those of the browser, or others were chosen before. Where neither is so, the page is asked for
/// once more, with the browser's: only the script knows them.
async fn one_request_brings_it_all_where_the_clocks_agree(stage: &Stage) {
    let (browser, world) = (&stage.browser, stage.world());
    browser.look(DESKTOP).await;
    for url in [world.page.clone(), format!("{}?tz=America/New_York", world.page)] {
        browser.open(&url).await;
        assert_eq!(asked(stage).await, [url]);
    }
}

async fn asked(stage: &Stage) -> Vec<String> {
    let mut asked = stage.browser.requests().await;
    asked.retain(|url| url.starts_with("http"));
    asked
}

async fn the_clocks_are_the_browsers(stage: &Stage) {
    let (browser, world) = (&stage.browser, stage.world());
    browser.look(Look { zone: "America/New_York", ..PHONE }).await;
    browser.open(&format!("{}?lang=zh-Hans", world.page)).await;
    let zone = async || browser.run("return document.documentElement.dataset.zone").await;
    eventually("the clocks of the browser", async || zone().await == "America/New_York").await;
    assert_eq!(browser.run("return document.querySelector('#tz').value").await, "America/New_York");
    assert_eq!(browser.run("return location.search").await, "?lang=zh-Hans&tz=America%2FNew_York");
    let page = format!("{}?lang=zh-Hans", world.page);
    assert_eq!(asked(stage).await, [page.clone(), format!("{page}&tz=America%2FNew_York")]);
    // What is chosen stays.
    browser.run("document.querySelector('#tz').value = 'Asia/Tokyo'").await;
    browser.click("form.zone button").await;
    eventually("the chosen clocks", async || zone().await == "Asia/Tokyo").await;
    assert_eq!(browser.run("return document.documentElement.lang").await, "zh-Hans");
    is_quiet(stage, &world.origin).await;
}

async fn hostile_events_do_nothing(stage: &Stage) {
    let (browser, world) = (&stage.browser, stage.world());
    browser.look(DESKTOP).await;
    browser.open(&format!("{}?tz=Asia/Shanghai", world.page)).await;
    browser.run(OPEN_ALL).await;
    let shown = browser.run("return document.querySelector('#agenda').innerText").await;
    assert!(shown.as_str().unwrap().contains("window.hurt=1"), "it is shown as text");
    browser.run("document.querySelectorAll('.event *').forEach(one => one.matches('a') || one.click())").await;
    assert_eq!(browser.run("return window.hurt").await, Value::Null);
    assert_eq!(browser.run("return document.images.length").await, 0);
    let links = browser.run("return [...document.links].map(link => link.protocol)").await;
    let links = links.as_array().unwrap();
    assert!(links.iter().all(|link| ["https:", "http:", "webcal:"].contains(&link.as_str().unwrap())), "{links:?}");
    is_quiet(stage, &world.origin).await;
}

async fn a_hostile_name_and_colour_do_nothing(stage: &Stage) {
    let (browser, world) = (&stage.browser, stage.world());
    browser.look(DESKTOP).await;
    let fill = "let dot = document.querySelector('h1 circle'); return dot && getComputedStyle(dot).fill";
    browser.open(&format!("{}?tz=Asia/Shanghai", world.page)).await;
    assert_eq!(browser.run(fill).await, "rgb(11, 128, 67)");
    browser.open(&format!("{}?tz=Asia/Shanghai", world.hostile)).await;
    assert_eq!(browser.run("return document.title").await, EVIL);
    assert_eq!(browser.run("return document.querySelector('h1').innerText").await, EVIL);
    // What is no colour is none.
    assert_eq!(browser.run(fill).await, Value::Null);
    browser.run("document.querySelectorAll('h1, h1 *').forEach(one => one.click())").await;
    assert_eq!(browser.run("return window.hurt").await, Value::Null);
    let parts = "return [document.images.length, document.scripts.length, document.styleSheets.length]";
    assert_eq!(browser.run(parts).await, json!([0, 1, 1]));
    is_quiet(stage, &world.origin).await;
}

async fn an_ipad_that_says_it_is_a_mac_has_its_own_steps_open(stage: &Stage) {
    let (browser, world) = (&stage.browser, stage.world());
    let agent = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15";
    browser.look(Look { agent, ..DESKTOP }).await;
    for touched in [true, false] {
        let points = if touched { 5 } else { 1 };
        let touch = json!({"enabled": touched, "maxTouchPoints": points});
        browser.devtools("Emulation.setTouchEmulationEnabled", touch).await;
        browser.open(&format!("{}?lang=en&tz=Asia/Shanghai", world.page)).await;
        let first = browser.run("return document.querySelector('[data-touch] summary').innerText").await;
        assert_eq!(first, "iPhone, iPad");
        assert_eq!(browser.run("return document.querySelector('[data-touch]').open").await, touched);
        assert_eq!(
            browser.run("return document.querySelectorAll('details.device[open]').length").await,
            u64::from(touched)
        );
    }
}

async fn without_scripts_everything_is_there(stage: &Stage) {
    let (browser, world) = (&stage.browser, stage.world());
    browser.look(PHONE).await;
    browser.allow_scripts(false).await;
    browser.open(&format!("{}?lang=en", world.page)).await;
    let document = browser.devtools("DOM.getDocument", json!({})).await;
    let root = json!({"nodeId": document["root"]["nodeId"]});
    let shown = browser.devtools("DOM.getOuterHTML", root).await;
    let shown = shown["outerHTML"].as_str().unwrap();
    assert!(shown.contains("Stand-up") && shown.contains(&world.url));
    assert!(!browser.shows("[data-copy]").await, "a button that does nothing is not shown");
    browser.click("details.device summary").await;
    browser.click("form.zone button").await;
    eventually("the chosen clocks", async || browser.url().await.contains("tz=Asia%2FShanghai")).await;
}

async fn the_keyboard_reaches_everything(stage: &Stage) {
    let (browser, world) = (&stage.browser, stage.world());
    browser.look(DESKTOP).await;
    browser.open(&format!("{}?lang=en&tz=Asia/Shanghai", world.page)).await;
    let mut reached = Vec::new();
    for _ in 0..12 {
        browser.press(Key::Tab).await;
        reached.push(browser.run("let at = document.activeElement; return at.textContent.trim() || at.id").await);
        let outline = browser.run("return getComputedStyle(document.activeElement).outlineWidth").await;
        assert_eq!(outline, "3px", "{reached:?}");
    }
    let first =
        ["Skip to the agenda", "English", "简体中文", "Open in the calendar app", "Copy the address", &world.url];
    assert_eq!(reached[..6], first);
    // The device's own steps are not folded; the others open with a key.
    assert!(reached.contains(&json!("iPhone, iPad")), "{reached:?}");
    browser.run("document.querySelector('details.device summary').focus()").await;
    browser.press(Key::Enter).await;
    assert_eq!(browser.run("return document.querySelector('details.device').open").await, true);
}

async fn the_address_is_copied(stage: &Stage) {
    let (browser, world) = (&stage.browser, stage.world());
    browser.look(PHONE).await;
    let permissions = json!({"origin": world.origin, "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]});
    browser.devtools("Browser.grantPermissions", permissions).await;
    browser.open(&format!("{}?lang=en&tz=Asia/Shanghai", world.page)).await;
    browser.click("[data-copy]").await;
    let button = "return document.querySelector('[data-copy]').textContent";
    eventually("the words", async || browser.run(button).await == "Copied").await;
    let read = "navigator.clipboard.readText().then(arguments[0], error => arguments[0](String(error)))";
    assert_eq!(browser.run_async(read).await, json!(world.url));
}

async fn a_scanner_reads_the_address(stage: &Stage, scheme: &'static str) {
    let (browser, world) = (&stage.browser, stage.world());
    browser.look(Look { scheme, ..PHONE }).await;
    browser.open(&format!("{}?tz=Asia/Shanghai", world.page)).await;
    let picture = stage.picture(&format!("scanned-{scheme}")).await;
    assert_eq!(scanner::read(&picture).await, [world.url.as_str(); 2]);
}
