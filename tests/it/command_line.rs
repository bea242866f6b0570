//! The binary as its user meets it.

use std::process::{Output, Stdio};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

use super::harness::client::{request, send};
use super::harness::upstream::{Upstream, answer, calendar};
use super::harness::{self, eventually};

fn calferry(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_calferry"));
    command.args(arguments).env_clear().env("HOME", "/nonexistent").kill_on_drop(true).stdin(Stdio::null());
    // Away from any settings file that happens to lie about.
    command.current_dir("/");
    command
}

async fn run(arguments: &[&str]) -> (i32, String, String) {
    words(calferry(arguments).output().await.unwrap())
}

fn words(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn the_version_says_whose_time_zones_are_in_it() {
    let (code, said, _) = run(&["--version"]).await;
    let lines: Vec<_> = said.lines().collect();
    let [program, zones] = lines[..] else { panic!("{said}") };
    assert_eq!((code, program), (0, concat!("calferry ", env!("CARGO_PKG_VERSION"))));
    // As IANA names its releases: a year and a letter.
    let release = zones.strip_prefix("time zones: 20").unwrap();
    assert!(release.len() == 3 && release.ends_with(|letter: char| letter.is_ascii_lowercase()), "{zones}");
    assert_eq!(run(&["-V"]).await.1.lines().count(), 1);
}

async fn publish(text: &[u8], more: &[&str]) -> (i32, String, String) {
    let arguments: Vec<_> = ["publish", "-"].iter().chain(more).copied().collect();
    let mut child =
        calferry(&arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text).await.unwrap();
    words(child.wait_with_output().await.unwrap())
}

/// A server started with `arguments`; returns it with the first line it printed.
async fn serve(arguments: &[&str]) -> (Child, String) {
    let mut child = calferry(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let line = BufReader::new(child.stdout.as_mut().unwrap())
        .lines()
        .next_line()
        .await
        .unwrap()
        .expect("a line for the device");
    (child, line)
}

async fn terminate(mut child: Child) {
    let id = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
    assert!(child.wait().await.unwrap().success());
}

#[tokio::test]
async fn serve_needs_nothing_but_an_address_and_the_url_stays_the_same() {
    let upstream = Upstream::start().await;
    upstream.on("/a.ics", calendar(harness::calendar(3, "first")));
    upstream.on("/b.ics", calendar(harness::calendar(4, "second")));
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let mut urls = Vec::new();
    for (file, word) in [("/a.ics", "first"), ("/a.ics", "first"), ("/b.ics", "second")] {
        let address = upstream.url(file);
        let arguments = [
            "serve",
            &address,
            "--state-dir",
            state.to_str().unwrap(),
            "--listen",
            "127.0.0.1:18473",
            "--allow-private",
        ];
        let (server, line) = serve(&arguments).await;
        let [feed, device, url] = line.split("  ").collect::<Vec<_>>()[..] else { panic!("{line}") };
        assert_eq!((feed, device), ("feed calendar", "device phone"));
        let path = url.strip_prefix("http://127.0.0.1:18473").unwrap();
        eventually("the calendar", async || {
            send("127.0.0.1:18473".parse().unwrap(), request("GET", path, &[])).await.text().contains(word)
        })
        .await;
        let (code, said, _) = run(&["health", "--address", "127.0.0.1:18473"]).await;
        assert_eq!((code, said.as_str()), (0, "127.0.0.1:18473 answers 200 OK\n"));
        urls.push(url.to_owned());
        terminate(server).await;
    }
    urls.dedup();
    assert_eq!(urls.len(), 1);
    let (code, _, said) = run(&["health", "--address", "127.0.0.1:18473"]).await;
    assert!(code == 1 && said.contains("cannot be reached"), "{said}");
}

#[tokio::test]
async fn the_demonstration_serves_a_calendar_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = calferry(&["demo", "--listen", "127.0.0.1:18474"]);
    let mut child = command.env("TMPDIR", dir.path()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let line = BufReader::new(child.stdout.as_mut().unwrap()).lines().next_line().await.unwrap().unwrap();
    let path = line.rsplit("18474").next().unwrap().to_owned();
    let reply = send("127.0.0.1:18474".parse().unwrap(), request("GET", &path, &[])).await;
    assert!(reply.status == 200 && reply.text().contains("每分钟移动一次"));
    terminate(child).await;
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn publish_prints_what_would_be_served() {
    let text =
        "\u{feff}BEGIN:VCALENDAR\nMETHOD:PUBLISH\nX-WR-CALNAME:old\nBEGIN:VEVENT\nUID:1\nEND:VEVENT\nEND:VCALENDAR\n";
    let (code, out, _) = publish(text.as_bytes(), &["--name", "新; 名"]).await;
    assert_eq!(code, 0);
    assert_eq!(
        out,
        "BEGIN:VCALENDAR\r\nX-WR-CALNAME:新\\; 名\r\nNAME:新\\; 名\r\nBEGIN:VEVENT\r\nUID:1\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    );
    let (code, out, error) = publish(b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n", &[]).await;
    assert_eq!((code, out.as_str()), (1, ""));
    assert_eq!(error, "calferry: - would not be served: it ends inside VEVENT, as if it had been cut off\n");
}

#[tokio::test]
async fn fetch_prints_the_calendar_or_says_what_is_wrong_and_what_to_do() {
    let upstream = Upstream::start().await;
    upstream.on(
        "/a.ics",
        calendar(harness::calendar(3, "here").replace("SUMMARY:here 1", "no line at all\r\nSUMMARY:here 1")),
    );
    upstream.on("/page", answer("200 OK", &[], "<html></html>"));
    let (code, out, said) = run(&["fetch", &upstream.url("/a.ics"), "--allow-private"]).await;
    assert!(code == 0 && out.starts_with("BEGIN:VCALENDAR\r\n") && out.contains("here 2"), "{said}");
    assert!(said.contains("calferry: 3 events") && said.contains("no content line: 1 line (19)"), "{said}");
    for (address, words) in [
        (upstream.url("/page"), "web page"),
        (upstream.url("/gone"), "reset"),
        ("https://calendar.google.com/calendar/u/0?cid=x".into(), "Secret address in iCal format"),
        ("work".into(), "no settings file"),
    ] {
        let (code, out, said) = run(&["fetch", &address, "--allow-private"]).await;
        assert!(code == 1 && out.is_empty() && said.contains(words), "{said}");
    }
    let (code, _, said) = run(&["fetch", "http://127.0.0.1/a.ics"]).await;
    assert!(code == 1 && said.contains("--allow-private"), "{said}");
}

#[tokio::test]
async fn check_tells_every_problem_and_online_tries_every_source() {
    let upstream = Upstream::start().await;
    upstream.on("/good.ics", calendar(harness::calendar(3, "x")));
    upstream.on("/busy.ics", answer("429 Too Many Requests", &[], ""));
    upstream.on("/page", answer("200 OK", &[], "<html></html>"));
    let dir = harness::private_dir();
    let config = dir.path().join("calferry.toml");
    let config_path = config.to_str().unwrap();
    let mut toml = format!("state_dir = \"{}\"\n[fetch]\nallow_private = true\n", dir.path().display());
    for name in ["good.ics", "busy.ics", "page", "gone.ics"] {
        let id = name.split('.').next().unwrap();
        toml.push_str(&format!(
            "[source.{id}]\nurl = \"{}\"\n[feed.{id}]\nsources = [\"{id}\"]\n",
            upstream.url(&format!("/{name}"))
        ));
    }
    std::fs::write(&config, &toml).unwrap();
    let (code, out, _) = run(&["check", "--config", config_path]).await;
    assert_eq!((code, out.as_str()), (0, "settings: 4 sources, 4 feeds, 4 devices\n"));
    let (code, out, _) = run(&["check", "--online", "--config", config_path]).await;
    assert_eq!(code, 1);
    for words in [
        "source good: 3 events",
        "source busy: throttled:",
        "source page: web_page:",
        "source gone: not_found: the host does not know this address (HTTP 404). The secret address was reset",
    ] {
        assert!(out.contains(words), "{words:?} is missing in {out}");
    }
    let tls = "[server.tls]\ncertificate = \"chain.pem\"\nkey = \"key.pem\"\nclient_ca = \"clients.pem\"\n";
    std::fs::write(&config, format!("{toml}{tls}")).unwrap();
    let (code, _, said) = run(&["check", "--config", config_path]).await;
    assert!(code == 1 && said.contains("chain.pem") && said.contains("clients.pem"), "{said}");
    std::fs::write(&config, toml.replace("sources = [\"good\"]", "sources = [\"god\"]\nnmae = \"x\"")).unwrap();
    let (code, _, said) = run(&["check", "--config", config_path]).await;
    assert_eq!(code, 1);
    assert!(
        said.contains("calferry: feed.good.sources[0]: no source named \"god\"\n")
            && said.contains("feed.good.nmae: unknown key"),
        "{said}"
    );
}

#[tokio::test]
async fn a_changed_settings_file_is_taken_over_and_a_bad_one_is_refused_whole() {
    let upstream = Upstream::start().await;
    upstream.on("/a.ics", calendar(harness::calendar(3, "x")));
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("calferry.toml");
    let write = |feed: &str| {
        let toml = format!(
            "state_dir = \"{}\"\n[server]\nlisten = \"127.0.0.1:18475\"\n[fetch]\nallow_private = true\n[source.work]\nurl = \"{}\"\n[feed.me]\nsources = [\"work\"]\n{feed}",
            dir.path().join("state").display(),
            upstream.url("/a.ics")
        );
        std::fs::write(&config, toml).unwrap();
    };
    write("name = \"before\"");
    let mut child = calferry(&["serve", "--config", config.to_str().unwrap()])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut until = async |word: &str| {
        while !log.next_line().await.unwrap().expect("it runs").contains(word) {}
    };
    until("new copy").await;
    let (code, url, said) = run(&["url", "me", "--device", "phone", "--config", config.to_str().unwrap()]).await;
    assert_eq!(code, 0, "{said}");
    let path = url.trim().strip_prefix("http://127.0.0.1:18475").expect(&url).to_owned();
    let get = async || send("127.0.0.1:18475".parse().unwrap(), request("GET", &path, &[])).await;
    assert!(get().await.text().contains("X-WR-CALNAME:before"));

    write("name = \"after\"\nsurprise = 1");
    until("feed.me.surprise: unknown key").await;
    until("the old ones stay in force").await;
    assert!(get().await.text().contains("X-WR-CALNAME:before"));
    write("name = \"after\"");
    until("settings are in force").await;
    assert!(get().await.text().contains("X-WR-CALNAME:after"));
    write("name = \"after all\"");
    let id = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-HUP", &id]).status().await.unwrap().success());
    until("settings are in force").await;
    assert!(get().await.text().contains("X-WR-CALNAME:after all"));
    terminate(child).await;
}

#[tokio::test]
async fn mistakes_on_the_command_line_exit_with_2_and_mistakes_in_the_world_with_1() {
    for (arguments, code) in [
        (&["serve", "https://a.example/a.ics", "--config", "x.toml"][..], 2),
        (&["sevre"], 2),
        (&["serve", "--listen", "here"], 2),
        (&["serve"], 1),
        (&["serve", "--config", "/nonexistent/calferry.toml"], 1),
        (&["serve", "https://calendar.google.com/calendar/embed?src=x", "--state-dir", "/nonexistent"], 1),
        (&["serve", "https://a.example/a.ics", "--state-dir", "/proc/nonexistent"], 1),
        (&["accept", "work"], 1),
        (&["publish", "/nonexistent.ics"], 1),
        (&["--help"], 0),
        (&["completions", "zsh"], 0),
    ] {
        let (exit, out, said) = run(arguments).await;
        assert_eq!(exit, code, "{arguments:?}: {out}{said}");
        assert!(code == 0 || !said.is_empty(), "{arguments:?} says nothing");
    }
}

const WEEKLY: &str =
    "BEGIN:VEVENT\nUID:weekly@x\nDTSTART:20261102T020000Z\nRRULE:FREQ=WEEKLY;COUNT=8\nSUMMARY:Stand-up\nEND:VEVENT";
const MOVED: &str =
    "BEGIN:VEVENT\nUID:weekly@x\nRECURRENCE-ID:20261116T020000Z\nDTSTART:20261117T020000Z\nSUMMARY:Moved\nEND:VEVENT";

fn rules(dir: &std::path::Path) -> (String, String) {
    let (settings, file) = (dir.join("calferry.toml"), dir.join("work.ics"));
    let toml = format!(
        "state_dir = \"{}\"\n[source.work]\nurl = \"https://example.com/secret-a.ics\"\n[feed.me]\nsources = [\"work\"]\n\
         [[feed.me.rule]]\nname = \"moved\"\nwhen = {{ summary = \"Moved\", recurring = true }}\ndrop = true\n\
         [[feed.me.rule]]\nwhen = {{ summary = \"^Stand\" }}\nprefix = \"🚀 \"\n",
        dir.join("state").display()
    );
    std::fs::write(&settings, toml).unwrap();
    std::fs::write(&file, harness::ics(&[WEEKLY, MOVED])).unwrap();
    (settings.display().to_string(), file.display().to_string())
}

#[tokio::test]
async fn preview_lists_what_rules_make_of_every_event_in_words_and_as_json() {
    let dir = tempfile::tempdir().unwrap();
    let (settings, file) = rules(dir.path());
    let preview = ["preview", "me", "--config", &settings, "--source-file", &file];
    let (code, out, _) = run(&[&preview[..], &["--diff"]].concat()).await;
    assert_eq!(code, 0);
    let lines: Vec<_> = out.lines().map(str::trim_end).collect();
    let expected = [
        "feed me: 2 events; 0 kept as they are, 1 changed, 1 dropped",
        "  moved: applied to 1",
        "  rule 2: applied to 1",
        "changed work  20261102T020000Z  Stand-up  ← rule 2",
        "        -SUMMARY:Stand-up",
        "        +SUMMARY:🚀 Stand-up",
        "        +EXDATE:20261116T020000Z",
        "dropped work  20261117T020000Z  Moved (instance of 20261116T020000Z)  ← moved",
    ];
    assert_eq!(lines, expected);
    let (_, out, _) = run(&[&preview[..], &["--json"]].concat()).await;
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&json["changed"], &json["dropped"], &json["list"][1]["by"]), (&1.into(), &1.into(), &"moved".into()));
    let (code, _, error) = run(&["preview", "you", "--config", &settings]).await;
    assert!(code == 1 && error.contains("no feed named \"you\"; the feeds are: me"), "{error}");
}

#[tokio::test]
async fn explain_tells_rule_by_rule_what_becomes_of_one_event() {
    let dir = tempfile::tempdir().unwrap();
    let (settings, file) = rules(dir.path());
    let more = ["--config", &settings, "--source-file", &file];
    let (code, out, _) = run(&[&["explain", "me", "weekly@x"], &more[..]].concat()).await;
    assert_eq!(code, 0);
    let lines: Vec<_> = out.lines().map(str::trim_end).collect();
    let expected = [
        "work  20261102T020000Z  Stand-up",
        "  moved: does not apply",
        "    yes recurring = true",
        "    no  summary = \"Moved\"",
        "  rule 2: applies",
        "    yes summary = \"^Stand\"",
        "  changed",
        "    -SUMMARY:Stand-up",
        "    +SUMMARY:🚀 Stand-up",
        "    +EXDATE:20261116T020000Z",
        "work  20261117T020000Z  Moved",
        "  a changed instance: the one of 20261116T020000Z",
        "  moved: applies",
        "    yes recurring = true",
        "    yes summary = \"Moved\"",
        "  rule 2: not asked",
        "  dropped by moved",
    ];
    assert_eq!(lines, expected);
    let (code, _, error) = run(&[&["explain", "me", "nobody"], &more[..]].concat()).await;
    assert!(code == 1 && error.contains("no event of feed me has the UID \"nobody\""), "{error}");
}

#[tokio::test]
async fn several_files_are_published_as_one_feed() {
    let dir = tempfile::tempdir().unwrap();
    let (settings, file) = rules(dir.path());
    let (code, out, _) = run(&["publish", "--feed", "me", "--config", &settings, &file, "--today", "2026-11-22"]).await;
    assert!(code == 0 && out.contains("SUMMARY:🚀 Stand-up\r\nEXDATE:20261116T020000Z\r\n"), "{out}");
    let (code, _, error) = run(&["publish", &file, &file]).await;
    assert!(code == 1 && error.contains("--feed"), "{error}");
}
