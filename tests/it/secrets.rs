//! Nothing that a stranger may see, and nothing that an operator may paste into a bug report, holds a secret.

use std::process::Stdio;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;

use super::harness::client::{request, send};
use super::harness::upstream::{Act, Upstream, answer, calendar};
use super::harness::{self, eventually};

const SECRET: &str = "private-c0ffee00c0ffee00c0ffee00c0ffee00";

/// The real binary at its most talkative, through good and bad answers, reloads, wrong tokens and bad settings.
#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one run of the program, from start to stop")]
async fn no_log_line_metric_header_or_error_holds_a_token_or_a_source_address() {
    let upstream = Upstream::start().await;
    let path = |name: &str| format!("/ical/{name}/{SECRET}/basic.ics");
    upstream.on(&path("good"), calendar(harness::calendar(3, "x")));
    upstream.on(&path("html"), answer("200 OK", &[], format!("<html>{SECRET}</html>")));
    upstream.on(&path("moved"), answer("302 Found", &[("Location", &format!("ftp://example.com/{SECRET}"))], ""));
    upstream.on(&path("cut"), answer("200 OK", &[], format!("BEGIN:VCALENDAR\r\nBEGIN:{SECRET}\r\n")));
    upstream.on(&path("reset"), Act::SayAndReset(SECRET.into()));
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("calferry.toml");
    let mut toml = format!(
        "state_dir = \"{}\"\n[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n[fetch]\nallow_private = true\nconnect_timeout = \"2s\"\n",
        dir.path().join("state").display()
    );
    for name in ["good", "html", "moved", "cut", "reset", "gone"] {
        toml.push_str(&format!(
            "[source.{name}]\nurl = \"{}\"\n[feed.{name}]\nsources = [\"{name}\"]\n",
            upstream.url(&path(name))
        ));
    }
    toml.push_str(&format!(
        "[source.tls]\nurl = \"https://localhost:{}/{SECRET}\"\n[feed.tls]\nsources = [\"tls\"]\n",
        upstream.address.port()
    ));
    toml.push_str(&format!(
        "[source.dns]\nurl = \"https://nowhere.invalid/{SECRET}\"\n[feed.dns]\nsources = [\"dns\"]\n"
    ));
    std::fs::write(&config, &toml).unwrap();

    let calferry = env!("CARGO_BIN_EXE_calferry");
    let mut program = Command::new(calferry)
        .args(["serve", "--log", "trace", "--config"])
        .arg(&config)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(program.stderr.take().unwrap()).lines();
    let mut log = String::new();
    let (mut public, mut admin) = (None, None);
    while public.is_none() || admin.is_none() {
        let line = lines.next_line().await.unwrap().expect("the program runs");
        for (words, found) in [("serving on ", &mut public), ("status page: http://", &mut admin)] {
            if let Some((_, at)) = line.split_once(words) {
                *found = Some(at.split(['/', ' ']).next().unwrap().parse().unwrap());
            }
        }
        log.push_str(&line);
    }
    let rest = Arc::new(Mutex::new(String::new()));
    let reading = Arc::clone(&rest);
    let read = tokio::spawn(async move {
        while let Some(line) = lines.next_line().await.unwrap() {
            reading.lock().unwrap().push_str(&line);
        }
    });
    let (public, admin): (std::net::SocketAddr, std::net::SocketAddr) = (public.unwrap(), admin.unwrap());
    eventually("a verdict on every source", async || {
        let status = send(admin, request("GET", "/status.json", &[])).await.json();
        let sources = status["sources"].as_object().unwrap().clone();
        sources.values().all(|source| source["state"] == "fresh" || source["trouble"]["reason"].is_string())
    })
    .await;

    let listed = Command::new(calferry).args(["url", "--config"]).arg(&config).output().await.unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let tokens: Vec<_> =
        listed.lines().map(|line| line.rsplit('/').next().unwrap().trim_end_matches(".ics").to_owned()).collect();
    assert_eq!(tokens.len(), 8);
    let key = std::fs::read_to_string(dir.path().join("state/key")).unwrap();
    let probe = calferry::feed::Key::from_text(&key).unwrap().probe_token().reveal().to_owned();
    assert_eq!(send(public, request("GET", &format!("/{probe}/probe"), &[])).await.status, 200);
    let mut seen = String::new();
    for token in tokens.iter().map(String::as_str).chain([&*probe, SECRET, "wrong"]) {
        for (method, path) in [
            ("GET", format!("/{token}.ics")),
            ("GET", format!("/{token}/health")),
            ("GET", format!("/{token}/probe")),
            ("POST", format!("/{token}.ics")),
            ("GET", format!("/x/{token}")),
        ] {
            // Somebody may have pasted it into the wrong field.
            let reply = send(public, request(method, &path, &[("user-agent", token)])).await;
            seen.push_str(&format!("{:?} {}", reply.headers, String::from_utf8_lossy(&reply.body)));
        }
        // The page shows its own address and nothing else that is secret.
        let page = send(public, request("GET", &format!("/{token}"), &[])).await;
        let body = String::from_utf8_lossy(&page.body);
        let own = if page.status == 200 { body.replace(token, "") } else { body.into_owned() };
        seen.push_str(&format!("{:?} {own}", page.headers));
    }
    for path in ["/", "/?lang=zh", "/metrics", "/status.json"] {
        seen.push_str(send(admin, request("GET", path, &[])).await.text());
    }
    // A settings file with a mistake in the very line that holds the secret.
    std::fs::write(&config, toml.replace("basic.ics\"", "basic.ics")).unwrap();
    eventually("the refusal of the new settings", async || {
        let checked = Command::new(calferry).args(["check", "--config"]).arg(&config).output().await.unwrap();
        seen.push_str(&format!("{checked:?}"));
        !checked.status.success()
    })
    .await;
    let id = i32::try_from(program.id().unwrap()).unwrap();
    let signal = async |signal: &str| {
        assert!(Command::new("kill").args([signal, id.to_string().as_str()]).status().await.unwrap().success());
    };
    signal("-HUP").await;
    eventually("the refusal", async || rest.lock().unwrap().contains("the settings are refused")).await;
    signal("-TERM").await;
    let mut out = String::new();
    program.stdout.take().unwrap().read_to_string(&mut out).await.unwrap();
    assert!(program.wait().await.unwrap().success());
    read.await.unwrap();
    log.push_str(&rest.lock().unwrap());

    for line in ["source `html` gave no good answer", "GET feed `good` → 200", "the settings are refused"] {
        assert!(log.contains(line), "{line:?} is missing in {log}");
    }
    for secret in tokens.iter().map(String::as_str).chain([&*probe, SECRET, "c0ffee00"]) {
        for (place, text) in [("log", &log), ("answers", &seen), ("standard output", &out)] {
            if let Some(at) = text.find(secret) {
                panic!("the {place} holds a secret: {}", &text[at.saturating_sub(200)..at]);
            }
        }
    }
}
