//! First steps: from a secret address to settings that work.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Stdio;

use tokio::io::AsyncWriteExt;

use super::super::harness;
use super::super::harness::upstream::{Upstream, answer, calendar};
use super::{Desk, Done, done, mode};

const SECRET: &str = "/calendar/ical/lin%40example.com/private-0123456789abcdef0123456789abcdef/basic.ics";

/// With `answers` on standard input, a line each.
async fn init(desk: &Desk, arguments: &[&str], answers: &[&str]) -> Done {
    let mut command = desk.command(env!("CARGO_BIN_EXE_calferry"));
    let mut child = command.arg("init").args(arguments).stdin(Stdio::piped()).spawn().unwrap();
    let typed = answers.join("\n") + "\n";
    // Who ends before reading all of it may.
    let _ = child.stdin.take().unwrap().write_all(typed.as_bytes()).await;
    done(child.wait_with_output().await.unwrap())
}

async fn upstream() -> Upstream {
    let upstream = Upstream::start().await;
    upstream.on(SECRET, calendar(harness::calendar(3, "one")));
    upstream
}

#[tokio::test]
async fn a_script_gets_settings_that_work_without_a_question() {
    let upstream = upstream().await;
    let desk = Desk::empty();
    let arguments = [
        "--address-file",
        "-",
        "--allow-private",
        "--yes",
        "--feed",
        "me",
        "--name",
        "工作",
        "--public-url",
        "https://cal.example.com",
        "--device",
        "iphone",
        "--device",
        "xiaomi",
        "--state-dir",
        "state",
    ];
    let made = init(&desk, &arguments, &[&upstream.url(SECRET)]).await;
    assert_eq!(made.code, 0, "{}", made.said);
    assert!(made.said.starts_with("The calendar can be fetched: events: 3.\nWritten, "), "{}", made.said);
    assert!(!made.said.contains("private-") && !made.out.contains("private-"));
    assert!(made.out.contains("  calferry serve --config calferry.toml  # "), "{}", made.out);
    for file in ["calferry.toml", "me.url"] {
        assert_eq!(mode(&desk.path(file)), 0o600, "{file}");
    }
    let settings = desk.read("calferry.toml");
    assert!(settings.starts_with("# Settings of calferry.") && !settings.contains("private-"), "{settings}");
    assert_eq!(desk.read("me.url"), format!("{}\n", upstream.url(SECRET)));
    let checked = desk.run(&["check", "--online"]).await;
    assert!(checked.code == 0 && checked.out.contains("source me: 3 events"), "{}{}", checked.out, checked.said);
    let urls = desk.run(&["url"]).await.out;
    assert!(urls.contains("feed me  device xiaomi  https://cal.example.com/"), "{urls}");

    let again = init(&desk, &arguments, &[&upstream.url(SECRET)]).await;
    assert!(again.code == 1 && again.said.contains("calferry.toml is there already"), "{}", again.said);
    assert_eq!(desk.read("calferry.toml"), settings);
}

#[tokio::test]
async fn questions_are_asked_again_until_the_answers_can_be_used() {
    let upstream = upstream().await;
    let desk = Desk::empty();
    let answers = [
        "https://calendar.google.com/calendar/u/0?cid=bGluQGV4YW1wbGUuY29t",
        &upstream.url(SECRET),
        "y",
        "a b",
        "家人",
        "https://cal.example.com/path",
        "https://cal.example.com",
        "iphone, iphone",
        "iphone，ipad",
    ];
    let made = init(&desk, &["--lang", "en"], &answers).await;
    assert_eq!(made.code, 0, "{}", made.said);
    for said in [
        "this is Google's link for adding a calendar",
        "the address leads into a private network",
        "may it be fetched from there? [no]",
        "a b cannot be a name",
        "without a path",
        "iphone is there twice",
    ] {
        assert!(made.said.contains(said), "{said}: {}", made.said);
    }
    assert!(!made.said.contains("private-") && !made.said.contains("bGluQGV4"), "no answer is repeated");
    let settings = desk.read("calferry.toml");
    assert!(settings.contains("[source.\"家人\"]\nurl_file = \"家人.url\"\nallow_private = true\n"), "{settings}");
    assert!(settings.contains("sources = [\"家人\"]\ndevices = [\"iphone\", \"ipad\"]\n"), "{settings}");
    assert_eq!(desk.run(&["check"]).await.code, 0);
}

#[tokio::test]
async fn an_address_that_gives_no_calendar_is_explained_and_nothing_is_written() {
    let upstream = upstream().await;
    upstream.on("/page", answer("200 OK", &[("content-type", "text/html")], "<html></html>"));
    let desk = Desk::empty();
    for (path, language, says) in [
        ("/page", "en", "The calendar cannot be fetched: "),
        ("/gone.ics", "en", "404"),
        ("/gone.ics", "zh", "日历抓取不了：主机不认识这个地址（HTTP 404）"),
    ] {
        let refused = init(&desk, &[&upstream.url(path), "--allow-private", "--yes", "--lang", language], &[]).await;
        assert!(refused.code == 1 && refused.said.contains(says), "{}", refused.said);
    }
    // What is said in one language is said in the other.
    for (path, option, language, says) in [
        ("/gone.ics", "--allow-private", "en", &["was reset", "not public", "\"Secret address in iCal format\""][..]),
        ("/gone.ics", "--allow-private", "zh", &["被重置", "没有公开", "“iCal 格式的私密地址”"]),
        ("/page", "--allow-private", "en", &["web page's address", "for Google", "\"Secret address in iCal format\""]),
        ("/page", "--allow-private", "zh", &["网页的地址", "Google 日历", "“iCal 格式的私密地址”"]),
        ("/gone.ics", "--yes", "en", &["allow_private = true", "(--allow-private)"]),
        ("/gone.ics", "--yes", "zh", &["allow_private = true", "（--allow-private）"]),
    ] {
        let refused = init(&desk, &[&upstream.url(path), option, "--lang", language], &["no"]).await;
        assert!(refused.code == 1 && says.iter().all(|word| refused.said.contains(word)), "{}", refused.said);
    }
    // Kept against better knowledge, and by nobody's leave.
    let answers = [&upstream.url("/gone.ics"), "no", &upstream.url("/gone.ics"), "y", "", "", ""];
    let ended = init(&desk, &["--allow-private"], &answers[..2]).await;
    assert!(ended.code == 1 && ended.said.contains("standard input ended before the answer"), "{}", ended.said);
    assert_eq!(std::fs::read_dir(desk.dir.path()).unwrap().count(), 0);
    assert_eq!(init(&desk, &["--allow-private"], &answers).await.code, 0);
    let offline = Desk::empty();
    assert_eq!(
        init(&offline, &[&upstream.url("/gone.ics"), "--offline", "--yes", "--allow-private"], &[]).await.code,
        0
    );
}

#[tokio::test]
async fn nobody_is_asked_in_vain() {
    let desk = Desk::empty();
    let refused = init(&desk, &["--config", "nowhere/calferry.toml"], &[]).await;
    assert_eq!(refused.code, 1);
    assert!(refused.said.starts_with("calferry: nowhere/calferry.toml cannot be written"), "{}", refused.said);
    let refused = init(&desk, &["--yes", "--lang", "zh"], &[]).await;
    assert!(refused.code == 1 && refused.said.contains("没有地址"), "{}", refused.said);
}

#[tokio::test]
async fn the_environments_language_is_spoken() {
    let desk = Desk::empty();
    for (variable, value) in [("LC_ALL", "zh_CN.UTF-8"), ("LANG", "zh_CN.UTF-8")] {
        let mut command = desk.command(env!("CARGO_BIN_EXE_calferry"));
        let arguments = ["init", "https://calendar.google.com/calendar/u/0/r/week", "--yes"];
        let refused = done(command.args(arguments).env(variable, value).output().await.unwrap());
        assert!(refused.code == 1 && refused.said.contains("iCal 格式的私密地址"), "{}", refused.said);
    }
}

#[tokio::test]
async fn at_a_terminal_the_address_shows_where_it_is_typed_and_nowhere_else() {
    let upstream = upstream().await;
    let desk = Desk::empty();
    let mut child = desk.on_terminal(&["init", "--allow-private", "--lang", "zh"]);
    // The last line is for systemd's question, where that is asked.
    let typed = format!("{}\n工作\n\n\n\n", upstream.url(SECRET));
    child.stdin.as_mut().unwrap().write_all(typed.as_bytes()).await.unwrap();
    let shown = done(child.wait_with_output().await.unwrap());
    assert_eq!(shown.code, 0, "{}", shown.out);
    assert_eq!(shown.out.matches("private-0123").count(), 1, "{}", shown.out);
    assert!(shown.out.contains("正在从 127.0.0.1 抓取日历"), "progress: {}", shown.out);
    assert!(desk.read("calferry.toml").starts_with("# calferry 的设置。"));
}

#[tokio::test]
async fn systemd_gets_a_unit_that_starts_what_was_made() {
    let desk = Desk::empty();
    let unit = desk.run(&["init", "--print-unit"]).await.out;
    assert!(unit.contains("ExecStart=/usr/local/bin/calferry serve --config /etc/calferry/calferry.toml"), "{unit}");
    let url = "https://calendars.invalid/0123456789abcdef.ics";
    let made = desk.run(&["init", url, "--offline", "--yes", "--lang", "en"]).await;
    assert!(made.out.contains("  systemctl enable --now calferry\n"), "{}", made.out);
    assert!(made.out.contains("-m 600 calferry.toml /etc/calferry/calferry.toml\n"), "{}", made.out);
    assert!(made.out.ends_with("with --install-unit, calferry init does all this by itself.\n"), "{}", made.out);
}

/// Commands that write down how they were called, in the place of those that change the system.
fn pretended(desk: &Desk) {
    std::fs::create_dir(desk.path("bin")).unwrap();
    for (name, code) in [("useradd", 9), ("install", 0), ("systemctl", 0), ("chown", 0)] {
        let script = format!("#!/bin/sh\necho \"{name} $*\" >> log\nexit {code}\n");
        std::fs::write(desk.path("bin").join(name), script).unwrap();
        std::fs::set_permissions(desk.path("bin").join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[tokio::test]
async fn root_is_asked_whether_systemd_is_to_run_it() {
    let desk = Desk::empty();
    pretended(&desk);
    let url = "https://calendars.invalid/0123456789abcdef.ics";
    for (answer, settings) in [("y", "yes.toml"), ("", "no.toml")] {
        let _ = std::fs::remove_file(desk.path("calendar.url"));
        let line = format!(
            "unshare --user --map-root-user --mount sh -c 'mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system && \
             PATH={}:$PATH exec {} init {url} --offline --lang en --config {settings}' || echo nothing to pretend with",
            desk.path("bin").display(),
            env!("CARGO_BIN_EXE_calferry"),
        );
        let mut child = desk.script(&line);
        child.stdin.as_mut().unwrap().write_all(format!("\n\n\n{answer}\n").as_bytes()).await.unwrap();
        let shown = done(child.wait_with_output().await.unwrap()).out;
        if shown.contains("nothing to pretend with") && !desk.path(settings).exists() {
            // Without a root of one's own nobody is asked, and this says nothing of it.
            return;
        }
        assert!(shown.contains("Let systemd run it from now on? [no]"), "{shown}");
        assert_eq!(shown.contains("systemd runs it from now on"), answer == "y", "{shown}");
        assert_eq!(shown.contains("To let systemd run it"), answer.is_empty(), "{shown}");
    }
    assert_eq!(desk.read("log").matches("systemctl enable --now calferry").count(), 1);
}

#[tokio::test]
async fn the_unit_is_installed_for_root_only_and_step_by_step() {
    let desk = Desk::empty();
    pretended(&desk);
    let mut command = desk.command(env!("CARGO_BIN_EXE_calferry"));
    // Nothing but these can be found and run.
    command.env("PATH", desk.path("bin"));
    let url = "https://calendars.invalid/0123456789abcdef.ics";
    command.args(["init", url, "--offline", "--yes", "--install-unit", "--lang", "en"]);
    let made = done(command.output().await.unwrap());
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        assert!(made.code == 1 && made.said.contains("--install-unit needs root"), "{}", made.said);
        assert!(!desk.path("calferry.toml").exists());
        return;
    }
    assert_eq!(made.code, 0, "{}", made.said);
    let log = desk.read("log");
    let steps: Vec<_> = log.lines().collect();
    assert!(steps[0].starts_with("useradd --system"), "{log}");
    assert!(log.contains("install -o calferry -g calferry -m 600 calendar.url /etc/calferry/\n"), "{log}");
    assert!(log.contains(" /etc/systemd/system/calferry.service\n"), "{log}");
    assert_eq!(steps.last().unwrap(), &"systemctl enable --now calferry");
    assert!(made.said.contains("sudo -u calferry /usr/local/bin/calferry url --config"), "{}", made.said);
}
