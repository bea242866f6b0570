//! What every page must bear, on every screen, light and dark, in every language.

use serde_json::{Value, json};

use crate::browser::{DESKTOP, Look, NARROW, PHONE};
use crate::house::Stage;

pub(crate) const OPEN_ALL: &str = "document.querySelectorAll('details').forEach(one => one.open = true)";

/// Every look, in every language.
pub(crate) fn all() -> Vec<(Look, &'static str)> {
    let mut all = Vec::new();
    for screen in [NARROW, PHONE, DESKTOP] {
        for scheme in ["light", "dark"] {
            all.extend(["en", "zh-Hans"].map(|language| (Look { scheme, ..screen }, language)));
        }
    }
    all
}

pub(crate) fn name(look: Look, language: &str) -> String {
    format!("{}-{}-{language}", look.screen, look.scheme)
}

/// Nothing was complained of, and nothing was asked of anybody else.
pub(crate) async fn is_quiet(stage: &Stage, origin: &str) {
    assert_eq!(stage.browser.complaints().await, Vec::<String>::new());
    asks_nobody_else(stage, origin).await;
}

/// Nothing was asked of anybody else.
pub(crate) async fn asks_nobody_else(stage: &Stage, origin: &str) {
    let mut asked = stage.browser.requests().await;
    asked.retain(|url| ![origin, "data:", "about:"].iter().any(|own| url.starts_with(own)));
    assert_eq!(asked, Vec::<String>::new());
}

/// Folded and with everything open: nothing is cut off sideways, and axe has nothing to say.
pub(crate) async fn fits_and_is_usable(stage: &Stage, look: Look, picture: &str) {
    let browser = &stage.browser;
    browser.run(stage.axe()).await;
    for (state, suffix) in [("", ""), (OPEN_ALL, "-open")] {
        browser.run(state).await;
        let width = browser.run("return document.documentElement.scrollWidth").await;
        assert!(width.as_u64().unwrap() <= look.width.into(), "scrolls sideways: {width} > {}", look.width);
        // A phone shows from afar what is too wide, and what was not made for it.
        assert_eq!(browser.run("return innerWidth").await, look.width);
        let found = browser.run_async("axe.run().then(arguments[arguments.length - 1])").await;
        assert_eq!(found["violations"].as_array().unwrap().iter().map(violation).collect::<Vec<_>>(), [""; 0]);
        // It has looked: a page of two sentences has little to look at.
        assert!(found["passes"].as_array().unwrap().len() > 10);
        stage.picture(&format!("{picture}{suffix}")).await;
    }
    let paper = if look.scheme == "light" { "rgb(250, 249, 247)" } else { "rgb(22, 24, 26)" };
    assert_eq!(browser.run("return getComputedStyle(document.body).backgroundColor").await, json!(paper));
}

/// What axe says, and of what.
fn violation(found: &Value) -> String {
    let nodes = found["nodes"].as_array().unwrap().iter().map(|node| node["html"].as_str().unwrap_or_default());
    format!("{}: {}", found["id"], nodes.collect::<Vec<_>>().join("\n"))
}
