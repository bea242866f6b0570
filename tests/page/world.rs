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

/// A running program with three sources: one is well, one cannot be reached, and the last answer of the third is set
/// aside. It ends when this goes.
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
}

impl World {
    pub(crate) async fn start() -> Self {
        let upstream = Upstream::start().await;
        upstream.on("/a.ics", calendar(calendars::usual()));
        upstream.on("/shrinking.ics", calendar(calendars::plain(20)));
        let folder = minutes_ago(&upstream).await;
        upstream.on("/shrinking.ics", calendar(calendars::plain(2)));

        let mut program = spawn(folder.path(), &[]);
        let [public, admin] = listening(&mut program).await;
        let origin = format!("http://{public}");
        let url = url_of(folder.path(), "me", "phone").await;
        let page = url.replace(PUBLIC, &origin).strip_suffix(".ics").unwrap().to_owned();
        let tablet = url_of(folder.path(), "home", "tablet").await;
        let tablet = tablet.strip_prefix(PUBLIC).unwrap();
        let status = format!("http://{admin}");
        let world = Self { _program: program, upstream, _folder: folder, admin, origin, status, url, page };
        world.settles(public, tablet).await;
        world
    }

    /// Until there is everything to see.
    async fn settles(&self, public: SocketAddr, tablet: &str) {
        eventually("an answer to be set aside", async || self.source("family").await["state"] == "quarantine").await;
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
/// it, all of them are overdue.
async fn minutes_ago(upstream: &Upstream) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let toml = settings(folder.path(), upstream.address.port());
    let then = Timestamp::from_secs(Clock::System.now().as_secs() - 600);
    let program = Program::start_in(folder, &toml, Clock::simulated(then)).await;
    for source in ["work", "family"] {
        eventually("the first copy", async || program.source(source).await["events"].is_u64()).await;
    }
    program.stop().await
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
            [source.gone-since-monday-and-with-a-long-name]
            url = "http://127.0.0.1:9/basic.ics"
            [feed.me]
            sources = ["work"]
            devices = ["phone"]
            [feed.home]
            sources = ["family", "gone-since-monday-and-with-a-long-name"]
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
