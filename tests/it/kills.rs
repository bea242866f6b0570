//! The program killed with SIGKILL while it stores copies, again and again. `CALFERRY_KILLS` says how often.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};

use super::harness;
use super::harness::client::{request, send};
use super::harness::program::spawn;
use super::harness::upstream::{Act, Upstream, calendar};

const SOURCES: usize = 20;

struct Running {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
}

/// Starts the program; every run has other addresses, so that every source is fetched at once.
fn start(dir: &Path, upstream: &Upstream, run: usize) -> Running {
    let mut toml = format!(
        "state_dir = \"{}\"\n[server]\nlisten = \"127.0.0.1:0\"\n[fetch]\nallow_private = true\nconcurrent = 100\nper_host = 100\n\
         per_host_minute = 1000000\n",
        dir.join("state").display()
    );
    for source in 0..SOURCES {
        let url = upstream.url(&format!("/{source}.ics?run={run}"));
        toml.push_str(&format!("[source.s{source}]\nurl = \"{url}\"\n[feed.f{source}]\nsources = [\"s{source}\"]\n"));
    }
    std::fs::write(dir.join("calferry.toml"), toml).unwrap();
    let mut child = spawn(dir, &[]);
    let log = BufReader::new(child.stderr.take().unwrap()).lines();
    Running { child, log }
}

/// The source that a line of the log says has a new copy.
fn accepted(line: &str) -> Option<usize> {
    line.split("source `s").nth(1)?.split_once("` has a new copy")?.0.parse().ok()
}

#[tokio::test]
async fn a_kill_at_any_moment_loses_no_copy_that_was_accepted() {
    let kills: usize = std::env::var("CALFERRY_KILLS").map_or(200, |kills| kills.parse().unwrap());
    let (dir, upstream) = (tempfile::tempdir().unwrap(), Upstream::start().await);
    let mut held: HashMap<usize, usize> = HashMap::new();
    let mut paths: Vec<String> = Vec::new();
    for run in 0..kills / 2 {
        for source in 0..SOURCES {
            let text = harness::calendar(40, &format!("run {run} of {source}"));
            upstream.on(&format!("/{source}.ics?run={run}"), calendar(text));
        }
        let mut running = start(dir.path(), &upstream, run);
        // Killed in the middle of storing: a little later each time.
        let mut stored = 0;
        while stored <= run % SOURCES {
            let line = running.log.next_line().await.unwrap().expect("it runs");
            if let Some(source) = accepted(&line) {
                held.insert(source, run);
                stored += 1;
            }
        }
        running.child.kill().await.unwrap();
        while let Some(line) = running.log.next_line().await.unwrap() {
            held.extend(accepted(&line).map(|source| (source, run)));
        }

        // Nothing more comes from the upstream: what is served was on the disk.
        for source in 0..SOURCES {
            upstream.on(&format!("/{source}.ics?run={run}"), Act::SayAndHang(vec![]));
        }
        let mut running = start(dir.path(), &upstream, run);
        let address: SocketAddr = loop {
            let line = running.log.next_line().await.unwrap().expect("it starts after a kill");
            if let Some(at) = line.split("serving on ").nth(1) {
                break at.split_whitespace().next().unwrap().parse().unwrap();
            }
        };
        if paths.is_empty() {
            let config = dir.path().join("calferry.toml");
            let listed = Command::new(env!("CARGO_BIN_EXE_calferry"))
                .args(["url", "--config"])
                .arg(config)
                .output()
                .await
                .unwrap();
            let listed = String::from_utf8(listed.stdout).unwrap();
            let path = |source: usize| {
                let line = listed.lines().find(|line| line.starts_with(&format!("feed f{source} "))).unwrap();
                format!("/{}", line.rsplit('/').next().unwrap())
            };
            paths = (0..SOURCES).map(path).collect();
        }
        for (source, run) in &held {
            let reply = send(address, request("GET", &paths[*source], &[])).await;
            let text = reply.text();
            assert_eq!(reply.status, 200, "source {source} after run {run}");
            // A copy may have been stored and the program killed before it could say so.
            let served = text.split("SUMMARY:run ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
            assert!(served.parse::<usize>().unwrap() >= *run, "source {source}: run {served}, not {run}");
            assert_eq!(text.matches(&format!("SUMMARY:run {served} of {source} ")).count(), 40, "source {source}");
        }
        running.child.kill().await.unwrap();
    }
    assert_eq!(held.len(), SOURCES, "every source was stored at some time");
}
