//! The private page of the person with the server, and the one thing that can be done on it.

use std::sync::Arc;

use libtest_mimic::Trial;
use serde_json::{Value, json};
use thirtyfour::Key;

use crate::browser::{DESKTOP, Look, PHONE};
use crate::calendars::EVIL_RULE;
use crate::harness::eventually;
use crate::house::{House, Stage};
use crate::looks::{self, OPEN_ALL, fits_and_is_usable, is_quiet};
use crate::world::World;

const FORM: &str = "form[action='/accept']";

pub(crate) fn tests(house: &Arc<House>) -> Vec<Trial> {
    let mut tests = vec![
        test!(house, one_request_brings_the_status_page),
        test!(house, a_hostile_name_is_shown_as_it_is),
        test!(house, another_site_cannot_send_the_form),
        test!(house, what_is_kept_aside_is_accepted_with_the_keyboard),
    ];
    for (look, language) in looks::all() {
        let name = looks::name(look, language);
        let name = format!("the_status_page_fits_every_screen_and_everybody_can_use_it[{name}]");
        tests.push(house.test(&name, async move |stage: &Stage| {
            the_status_page_fits_every_screen_and_everybody_can_use_it(stage, look, language).await;
        }));
    }
    tests
}

async fn the_status_page_fits_every_screen_and_everybody_can_use_it(stage: &Stage, look: Look, language: &str) {
    let (browser, status) = (&stage.browser, &stage.world().status);
    browser.look(look).await;
    browser.open(&format!("{status}/?lang={language}")).await;
    assert_eq!(browser.run("return document.documentElement.lang").await, json!(language));
    assert_eq!(browser.run("return document.querySelectorAll('.source').length").await, 4);
    fits_and_is_usable(stage, look, &format!("status-{}", looks::name(look, language))).await;
    is_quiet(stage, status).await;
}

async fn one_request_brings_the_status_page(stage: &Stage) {
    let (browser, status) = (&stage.browser, &stage.world().status);
    browser.look(DESKTOP).await;
    browser.open(&format!("{status}/")).await;
    let mut asked = browser.requests().await;
    asked.retain(|url| url.starts_with("http"));
    assert_eq!(asked, [format!("{status}/")]);
    assert_eq!(browser.run("return document.scripts.length").await, 0);
}

async fn a_hostile_name_is_shown_as_it_is(stage: &Stage) {
    let (browser, status) = (&stage.browser, &stage.world().status);
    browser.look(DESKTOP).await;
    browser.open(&format!("{status}/?lang=en")).await;
    browser.run(OPEN_ALL).await;
    let shown = browser.run("return document.querySelector('main').innerText").await;
    assert!(shown.as_str().unwrap().contains(EVIL_RULE), "{shown}");
    assert_eq!(browser.run("return window.hurt").await, Value::Null);
    assert_eq!(browser.run("return document.images.length").await, 0);
    is_quiet(stage, status).await;
}

async fn another_site_cannot_send_the_form(stage: &Stage) {
    let (browser, world) = (&stage.browser, stage.world());
    browser.look(DESKTOP).await;
    browser.open(&format!("{}/?lang=en", world.status)).await;
    let form = browser.run_with("return document.querySelector(arguments[0]).outerHTML", &[FORM]).await;
    // Another port is another origin.
    browser.open(&format!("{}/robots.txt", world.origin)).await;
    let accept = format!("{}/accept", world.status);
    let script = "document.body.innerHTML = arguments[0]; document.forms[0].action = arguments[1]";
    browser.run_with(script, &[form.as_str().unwrap(), &accept]).await;
    browser.click("form button").await;
    eventually("the refusal", async || browser.url().await == accept).await;
    assert_eq!(world.source("family").await["state"], "quarantine");
}

async fn what_is_kept_aside_is_accepted_with_the_keyboard(stage: &Stage) {
    let browser = &stage.browser;
    // Others look at what is kept aside, so it stays with the program they have.
    let world = World::start().await;
    browser.look(PHONE).await;
    browser.open(&format!("{}/?lang=zh-Hans&state=quarantine", world.status)).await;
    assert_eq!(browser.run("return document.querySelectorAll('.source').length").await, 1);
    let button = format!("{FORM} button");
    for _ in 0..30 {
        browser.press(Key::Tab).await;
        if browser.run_with("return document.activeElement.matches(arguments[0])", &[&button]).await == true {
            break;
        }
    }
    assert_eq!(browser.run("return getComputedStyle(document.activeElement).outlineWidth").await, "3px");
    browser.press(Key::Enter).await;
    eventually("the words", async || browser.url().await.contains("done=accepted")).await;
    assert_eq!(world.source("family").await["events"], 2);
    assert_eq!(browser.run("return document.documentElement.lang").await, "zh-Hans");
    is_quiet(stage, &world.status).await;
}
