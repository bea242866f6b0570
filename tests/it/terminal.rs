//! The commands for the one who sits at a terminal: QR codes, devices, first steps.

mod device;
mod init;
mod languages;
mod listings;
mod qr;

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use crate::harness;

/// A folder with a settings file of one feed, `me`, where commands are run.
struct Desk {
    dir: TempDir,
}

/// What a command has done.
#[derive(Debug)]
struct Done {
    code: i32,
    out: String,
    said: String,
}

impl Desk {
    /// With `feed` in the feed's table.
    fn new(feed: &str) -> Self {
        let desk = Self::empty();
        let source = "[source.work]\nurl = \"https://calendars.invalid/0123456789abcdef.ics\"\n";
        let text =
            format!("public_url = \"https://cal.example.com\"\n\n{source}\n[feed.me]\nsources = [\"work\"]\n{feed}");
        std::fs::write(desk.path("calferry.toml"), text).unwrap();
        desk
    }

    /// Without one.
    fn empty() -> Self {
        Self { dir: harness::private_dir() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", self.dir.path()).env("PATH", std::env::var_os("PATH").unwrap());
        command.current_dir(self.dir.path()).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    async fn run(&self, arguments: &[&str]) -> Done {
        done(self.command(env!("CARGO_BIN_EXE_calferry")).args(arguments).output().await.unwrap())
    }

    /// On a terminal. What is written to its input is typed.
    fn on_terminal(&self, arguments: &[&str]) -> Child {
        self.on_terminal_of(100, arguments)
    }

    /// On one that has no room for a QR code.
    fn on_narrow_terminal(&self, arguments: &[&str]) -> Child {
        self.on_terminal_of(30, arguments)
    }

    fn on_terminal_of(&self, columns: u16, arguments: &[&str]) -> Child {
        let words = [env!("CARGO_BIN_EXE_calferry")].into_iter().chain(arguments.iter().copied());
        let quoted: Vec<_> = words.map(|word| format!("'{word}'")).collect();
        self.script(&format!("stty cols {columns} rows 60; exec {}", quoted.join(" ")))
    }

    /// A line for the shell, on a terminal.
    fn script(&self, line: &str) -> Child {
        let mut command = self.command("script");
        command.args(["-qec", line, "/dev/null"]).env("TERM", "xterm").env("SHELL", "/bin/sh");
        command.stdin(Stdio::piped()).spawn().unwrap()
    }
}

fn done(output: Output) -> Done {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Done { code: output.status.code().unwrap(), out: text(output.stdout), said: text(output.stderr) }
}

/// Everything that `child` shows until `mark` is among it.
async fn shown_until(child: &mut Child, mark: &str) -> String {
    let mut shown = Vec::new();
    let out = child.stdout.as_mut().unwrap();
    while !String::from_utf8_lossy(&shown).contains(mark) {
        let read = out.read_buf(&mut shown).await.unwrap();
        assert!(read > 0, "ended without {mark:?}: {}", String::from_utf8_lossy(&shown));
    }
    String::from_utf8(shown).unwrap()
}

/// Types Ctrl-C, and waits for the end.
async fn interrupt(mut child: Child) {
    child.stdin.as_mut().unwrap().write_all(b"\x03").await.unwrap();
    child.wait_with_output().await.unwrap();
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).unwrap().mode() & 0o7777
}
