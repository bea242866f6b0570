//! Chromium, driven over the WebDriver protocol (W3C).

use std::process::Stdio;

use base64::Engine;
use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::common::capabilities::chromium::ChromiumLikeCapabilities;
use thirtyfour::prelude::*;
use thirtyfour::{DesiredCapabilities, LoggingPrefsLogLevel};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::wire::Wire;

const CHROMIUM: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--disable-dev-shm-usage",
];

/// As which screen, and with which wishes, a page is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) screen: &'static str,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) scheme: &'static str,
    pub(crate) zone: &'static str,
    pub(crate) agent: &'static str,
}

pub(crate) const DESKTOP: Look = Look {
    screen: "desktop",
    width: 1280,
    height: 900,
    scheme: "light",
    zone: "Asia/Shanghai",
    agent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36",
};
pub(crate) const PHONE: Look = Look { screen: "phone", width: 390, height: 844, ..DESKTOP };
pub(crate) const NARROW: Look = Look { screen: "narrow", width: 320, height: 640, ..DESKTOP };

/// What starts a browser for every session. It ends when this goes.
#[derive(Debug)]
pub(crate) struct Chromedriver {
    _process: Child,
    url: String,
    /// Where browsers have their profiles.
    _folder: TempDir,
}

impl Chromedriver {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").env("TMPDIR", folder.path()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.kill_on_drop(true).spawn().expect("chromedriver is installed");
        let mut said = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = loop {
            let line = said.next_line().await.unwrap().expect("chromedriver says where it listens");
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                break port.trim_end_matches('.').to_owned();
            }
        };
        // What is not read would stop it one day.
        tokio::spawn(async move { while let Ok(Some(_)) = said.next_line().await {} });
        Self { _process: process, url: format!("http://127.0.0.1:{port}"), _folder: folder }
    }
}

/// A browser, which one test has at a time.
#[derive(Debug)]
pub(crate) struct Browser(WebDriver);

impl Browser {
    /// A new one.
    pub(crate) async fn start(chromedriver: &Chromedriver) -> Self {
        let mut wanted = DesiredCapabilities::chrome();
        for argument in CHROMIUM {
            wanted.add_arg(argument).unwrap();
        }
        for log in ["browser", "performance"] {
            wanted.set_logging_prefs(log, LoggingPrefsLogLevel::All).unwrap();
        }
        Self(WebDriver::builder(&chromedriver.url, wanted).client(Wire::new()).await.unwrap())
    }

    /// Lets it forget what the test before has done with it.
    pub(crate) async fn clear(&self) {
        self.allow_scripts(true).await;
        self.open("about:blank").await;
        self.complaints().await;
        self.requests().await;
    }

    pub(crate) async fn quit(self) -> WebDriverResult<()> {
        self.0.quit().await
    }

    pub(crate) async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let done = self.0.cdp().send_raw(command, parameters).await;
        done.unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// From now on, pages are looked at like this.
    pub(crate) async fn look(&self, look: Look) {
        let phone = look.width < 700;
        let ratio = if phone { 2 } else { 1 };
        let size = json!({"width": look.width, "height": look.height, "deviceScaleFactor": ratio, "mobile": phone});
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": look.scheme}]});
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
        self.devtools("Emulation.setEmulatedMedia", media).await;
        self.devtools("Emulation.setTimezoneOverride", json!({"timezoneId": look.zone})).await;
        let agent = json!({"userAgent": look.agent, "acceptLanguage": "en"});
        self.devtools("Emulation.setUserAgentOverride", agent).await;
    }

    pub(crate) async fn allow_scripts(&self, allowed: bool) {
        self.devtools("Emulation.setScriptExecutionDisabled", json!({"value": !allowed})).await;
    }

    pub(crate) async fn open(&self, url: &str) {
        self.0.goto(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    pub(crate) async fn url(&self) -> String {
        self.0.current_url().await.unwrap().into()
    }

    /// What the script returns.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.run_with(script, &[]).await
    }

    pub(crate) async fn run_with(&self, script: &str, arguments: &[&str]) -> Value {
        let arguments: Vec<_> = arguments.iter().map(|argument| json!(argument)).collect();
        let done = self.0.execute(script, arguments).await;
        done.unwrap_or_else(|error| panic!("{}: {error}", first_words(script))).json().clone()
    }

    /// What the script gives to the function that is its only argument.
    pub(crate) async fn run_async(&self, script: &str) -> Value {
        let done = self.0.execute_async(script, vec![]).await;
        done.unwrap_or_else(|error| panic!("{}: {error}", first_words(script))).json().clone()
    }

    pub(crate) async fn click(&self, selector: &str) {
        let clicked = self.find(selector).await.click().await;
        clicked.unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    pub(crate) async fn shows(&self, selector: &str) -> bool {
        self.find(selector).await.is_displayed().await.unwrap()
    }

    async fn find(&self, selector: &str) -> WebElement {
        self.0.find(By::Css(selector)).await.unwrap_or_else(|error| panic!("{selector}: {error}"))
    }

    pub(crate) async fn press(&self, key: Key) {
        self.0.action_chain().key_down(key.clone()).key_up(key).perform().await.unwrap();
    }

    /// The errors and warnings since the last time.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let entries = self.0.browser_log().await.unwrap();
        let loud = entries.into_iter().filter(|entry| ["SEVERE", "WARNING"].contains(&entry.level.as_str()));
        loud.map(|entry| entry.message).collect()
    }

    /// What was asked for since the last time, by address.
    pub(crate) async fn requests(&self) -> Vec<String> {
        let entries = self.0.get_log("performance").await.unwrap();
        let events = entries.iter().map(|entry| serde_json::from_str::<Value>(&entry.message).unwrap());
        let sent = events.filter(|event| event["message"]["method"] == "Network.requestWillBeSent");
        sent.map(|event| event["message"]["params"]["request"]["url"].as_str().unwrap().to_owned()).collect()
    }

    /// The whole page as a PNG file.
    pub(crate) async fn picture(&self) -> Vec<u8> {
        let metrics = self.devtools("Page.getLayoutMetrics", json!({})).await;
        let (width, height) = (&metrics["cssContentSize"]["width"], &metrics["cssContentSize"]["height"]);
        let clip = json!({"x": 0, "y": 0, "width": width, "height": height, "scale": 1});
        let shot = json!({"captureBeyondViewport": true, "clip": clip});
        let shot = self.devtools("Page.captureScreenshot", shot).await;
        base64::prelude::BASE64_STANDARD.decode(shot["data"].as_str().unwrap()).unwrap()
    }
}

/// What tells one script from another; some are whole libraries.
fn first_words(script: &str) -> &str {
    script.get(..200).unwrap_or(script)
}
