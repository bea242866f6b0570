//! The program that serves the pages, and the upstream that has its calendars.

use std::net::SocketAddr;
use std::path::Path;

use calferry::clock::{Clock, Timestamp};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::calendars::{self, EVIL_RULE};
use crate::harness::client::{request, send};
use crate::harness::eventually;
use crate::harness::program::{Program, spawn};
use crate::harness::upstream::{Upstream, calendar};

const PUBLIC: &str = "https://cal.example.com";
const GONE: &str = "gone-since-monday-and-with-a-long-name";

/// A running program with four sources: one is well, one cannot be reached, the last answer of the third is kept aside,
/// and the fourth says hostile things of itself. It ends when this goes.
#[derive(Debug)]
pub(crate) struct World {
    _program: Child,
    upstream: Upstream,
    _folder: TempDir,
    admin: SocketAddr,
    /// Where everybody may ask.
    pub(crate) origin: String,
    /// Where the private page is.
    pub(crate) status: String,
    /// The address that is shown on a feed's page.
    pub(crate) url: String,
    /// The address of that page.
    pub(crate) page: String,
    /// Of the page of a feed with a source that cannot be reached, another of which an answer is kept aside, and no event
    /// in the days to come.
    pub(crate) troubled: String,
    /// Of the page of a feed of which nothing has ever come.
    pub(crate) lacking: String,
    /// Of the page of a subscription that has ended.
    pub(crate) ended: String,
    /// Of the page of the feed that says hostile things of itself.
    pub(crate) hostile: String,
}

impl World {
    pub(crate) async fn start() -> Self {
        let upstream = Upstream::start().await;
        upstream.on("/a.ics", calendar(calendars::usual()));
        upstream.on("/shrinking.ics", calendar(calendars::plain(20)));
        upstream.on("/hostile.ics", calendar(calendars::hostile()));
        let (folder, ended) = minutes_ago(&upstream).await;
        upstream.on("/shrinking.ics", calendar(calendars::plain(2)));

        let mut program = spawn(folder.path(), &[]);
        let [public, admin] = listening(&mut program).await;
        let origin = format!("http://{public}");
        let url = url_of(folder.path(), "me", "phone").await;
        let page_of = |url: &str| url.replace(PUBLIC, &origin).strip_suffix(".ics").unwrap().to_owned();
        let tablet = url_of(folder.path(), "home", "tablet").await;
        let world = Self {
            page: page_of(&url),
            troubled: page_of(&tablet),
            lacking: page_of(&url_of(folder.path(), "nothing", "watch").await),
            ended: page_of(&format!("{PUBLIC}{ended}")),
            hostile: page_of(&url_of(folder.path(), "hostile", "phone").await),
            status: format!("http://{admin}"),
            _program: program,
            upstream,
            _folder: folder,
            admin,
            origin,
            url,
        };
        world.settles(public, tablet.strip_prefix(PUBLIC).unwrap()).await;
        world
    }

    /// Until there is everything to see.
    async fn settles(&self, public: SocketAddr, tablet: &str) {
        eventually("an answer to be kept aside", async || self.source("family").await["state"] == "quarantine").await;
        eventually("a source that cannot be reached", async || self.source(GONE).await["state"] == "no_copy").await;
        eventually("another answer", async || self.upstream.hits("/a.ics") > 1).await;
        // Rules and devices have something to tell once somebody has asked.
        let phone = [("user-agent", "iOS/18.0 (22A3354) dataaccessd/1.0")];
        assert_eq!(send(public, request("GET", tablet, &phone)).await.status, 200);
    }

    /// What is known of a source.
    pub(crate) async fn source(&self, name: &str) -> Value {
        send(self.admin, request("GET", "/status.json", &[])).await.json()["sources"][name].clone()
    }
}

/// The state of a program that has run some minutes ago and got every calendar that can be got: to one that starts with
/// it, all of them are overdue. With it comes the path of a subscription that has ended.
async fn minutes_ago(upstream: &Upstream) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let toml = settings(folder.path(), upstream.address.port());
    let then = Timestamp::from_secs(Clock::System.now().as_secs() - 600);
    let program = Program::start_in(folder, &toml, Clock::simulated(then)).await;
    for source in ["work", "family", "hostile"] {
        eventually("the first copy", async || program.source(source).await["events"].is_u64()).await;
    }
    let ended = format!("/{}.ics", program.app.key().token("me", "old", 0).reveal());
    (program.stop().await, ended)
}

fn settings(folder: &Path, port: u16) -> String {
    let rule = Value::from(EVIL_RULE);
    format!(
        r#"
            state_dir = "{}/state"
            public_url = "{PUBLIC}"
            [server]
            listen = "127.0.0.1:0"
            admin_listen = "127.0.0.1:0"
            token_requests_per_minute = 100000
            [fetch]
            allow_private = true
            refresh = "1m"
            per_host_minute = 1000000
            ports = [{port}, 9]
            [source.work]
            url = "http://127.0.0.1:{port}/a.ics"
            [source.family]
            url = "http://127.0.0.1:{port}/shrinking.ics"
            [source.hostile]
            url = "http://127.0.0.1:{port}/hostile.ics"
            [source.{GONE}]
            url = "http://127.0.0.1:9/basic.ics"
            [feed.me]
            sources = ["work"]
            devices = ["phone"]
            revoked = ["old"]
            [feed.nothing]
            sources = ["{GONE}"]
            devices = ["watch"]
            [feed.hostile]
            sources = ["hostile"]
            devices = ["phone"]
            [feed.home]
            sources = ["family", "{GONE}"]
            devices = ["tablet", "fridge"]
            [[feed.home.rule]]
            name = {rule}
            when = {{ summary = "nothing" }}
            drop = true
            [[feed.home.rule]]
            name = "one less"
            when = {{ summary = "^1$" }}
            drop = true
        "#,
        folder.display()
    )
}

/// Where the program's log says that it listens: for everybody, and for whoever runs it.
async fn listening(program: &mut Child) -> [SocketAddr; 2] {
    let mut log = BufReader::new(program.stderr.take().unwrap()).lines();
    let mut found = Vec::new();
    for words in ["serving on ", "status page: http://"] {
        let address = loop {
            let line = log.next_line().await.unwrap().expect("the program starts");
            if let Some((_, rest)) = line.split_once(words) {
                break rest.split(['/', ' ']).next().unwrap().parse().unwrap();
            }
        };
        found.push(address);
    }
    // What is not read would stop it one day.
    tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
    [found[0], found[1]]
}

/// What the command line says a device asks for.
async fn url_of(folder: &Path, feed: &str, device: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_calferry"));
    command.args(["url", feed, "--device", device, "--config"]).arg(folder.join("calferry.toml"));
    let told = command.output().await.unwrap();
    assert!(told.status.success(), "{told:?}");
    String::from_utf8(told.stdout).unwrap().trim().to_owned()
}
