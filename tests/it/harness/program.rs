//! The program: the real [`App`] on a free port, with its state in a folder of the test's own.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use calferry::app::App;
use calferry::clock::Clock;
use calferry::settings::{Given, Origin, Settings};
use calferry::source::{Client, roots};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::client::{Reply, request, send};

pub(crate) struct Program {
    pub(crate) app: App,
    pub(crate) dir: TempDir,
}

/// The program as a process of its own, by the settings file in `dir`; its log can be read.
pub(crate) fn spawn(dir: &Path, options: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_calferry"))
        .arg("serve")
        .args(options)
        .arg("--config")
        .arg(dir.join("calferry.toml"))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// Settings from `toml`, with the state in `dir` and listeners on free ports.
pub(crate) fn settings(dir: &Path, toml: &str) -> Settings {
    let path = dir.join("calferry.toml");
    std::fs::write(&path, toml).unwrap();
    let state = dir.join("state");
    let given = [
        ("state_dir", state.to_str().unwrap()),
        ("server.listen", "127.0.0.1:0"),
        ("server.admin_listen", "127.0.0.1:0"),
        ("server.requests_per_minute", "1000000"),
        ("server.connections_per_client", "1000000"),
        ("server.token_requests_per_minute", "1000000"),
        ("public_url", "https://cal.example.com"),
    ];
    let given = Given(given.map(|(key, value)| (key, value.to_owned())).into());
    Settings::load(&Origin::File(path), &given, &[]).unwrap_or_else(|problems| panic!("{problems}"))
}

impl Program {
    pub(crate) async fn start(toml: &str) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), toml, Clock::System).await
    }

    /// With the state another program has left in `dir`.
    pub(crate) async fn start_in(dir: TempDir, toml: &str, clock: Clock) -> Self {
        let settings = settings(dir.path(), toml);
        let roots = roots(settings.fetch.ca_file.as_deref()).unwrap();
        let client = Client::new(settings.fetch.options, &roots);
        let app = App::start_with(settings, client, clock).await.unwrap();
        Self { app, dir }
    }

    /// Ends it in order and hands over its folder.
    pub(crate) async fn stop(self) -> TempDir {
        assert!(self.app.stop().await, "requests were cut off");
        self.dir
    }

    /// The path of the first device of `feed`.
    pub(crate) fn path(&self, feed: &str) -> String {
        path(&self.app, feed, 0)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.app.listening()[0]
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        send(self.address(), request("GET", path, headers)).await
    }

    pub(crate) async fn admin(&self, path: &str) -> Reply {
        send(self.app.admin_listening().unwrap(), request("GET", path, &[])).await
    }

    /// What the status says of `source`.
    pub(crate) async fn source(&self, source: &str) -> serde_json::Value {
        self.admin("/status.json").await.json()["sources"][source].clone()
    }
}

/// The path that device `device` of `feed` asks for.
pub(crate) fn path(app: &App, feed: &str, device: usize) -> String {
    // As it was written there by `settings`.
    let dir = app.settings().state_dir.parent().unwrap();
    let settings = settings(dir, &std::fs::read_to_string(dir.join("calferry.toml")).unwrap());
    let feed = settings.feeds.iter().find(|known| *known.id == *feed).unwrap();
    let url = settings.subscription(app.key(), feed, &feed.devices[device]);
    url.strip_prefix("https://cal.example.com").unwrap().to_owned()
}
