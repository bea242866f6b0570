//! Handing the program over to systemd: what is to be run as root, whether it is shown or done.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

use super::words::{Say, words};
use crate::doctor::Language;

/// Where the unit goes. Packages put theirs elsewhere, and this one is stronger.
const UNIT: &str = "/etc/systemd/system/calferry.service";
const SETTINGS: &str = "/etc/calferry";
/// What the unit says of the program and its settings.
const PLACED: &str = "/usr/bin/calferry serve --config /etc/calferry/calferry.toml";

/// Where services can run the program from: where it is, or where it is put, as a home folder is closed to them.
fn place(program: &Path) -> &Path {
    if program.starts_with("/usr") { program } else { Path::new("/usr/local/bin/calferry") }
}

/// The unit for the program at `program`.
pub(super) fn unit(program: &Path) -> String {
    let start = format!("{} serve --config {SETTINGS}/calferry.toml", place(program).display());
    include_str!("../../../deploy/calferry.service").replace(PLACED, &start)
}

/// The commands, one by one. `unit` is the file that holds the unit.
pub(super) fn steps(program: &Path, unit: &str, settings: &Path, secret: &Path) -> Vec<Vec<String>> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let home = ["--home-dir", "/var/lib/calferry", "--shell", "/usr/sbin/nologin"];
    let owned = ["install", "-o", "calferry", "-g", "calferry", "-m"];
    let installed = format!("{SETTINGS}/calferry.toml");
    let text = |path: &Path| path.display().to_string();
    let mut steps = vec![words(&[&["useradd", "--system", "--user-group"], &home[..], &["calferry"]].concat())];
    if place(program) != program {
        steps.push(words(&["install", "-m", "755", &text(program), &text(place(program))]));
    }
    steps.push(words(&[&owned[..], &["750", "-d", SETTINGS]].concat()));
    if settings == Path::new(&installed) {
        steps.push(words(&["chown", "calferry:calferry", &text(settings), &text(secret)]));
    } else {
        steps.push(words(&[&owned[..], &["600", &text(settings), &installed]].concat()));
        steps.push(words(&[&owned[..], &["600", &text(secret), &format!("{SETTINGS}/")]].concat()));
    }
    steps.push(words(&["install", "-m", "644", unit, UNIT]));
    steps.push(words(&["systemctl", "daemon-reload"]));
    steps.push(words(&["systemctl", "enable", "--now", "calferry"]));
    steps
}

/// What shows the URLs then.
pub(super) fn shows_urls(program: &Path) -> String {
    let program = place(program).display();
    format!("sudo -u calferry {program} url --config {SETTINGS}/calferry.toml --state-dir /var/lib/calferry")
}

/// Runs the commands. A user that is there already is fine.
pub(super) fn install(program: &Path, settings: &Path, secret: &Path, language: Language) -> anyhow::Result<()> {
    let file = tempfile::NamedTempFile::new().context("a temporary file for the unit")?;
    std::fs::write(file.path(), unit(program)).context("a temporary file for the unit")?;
    for step in steps(program, &file.path().display().to_string(), settings, secret) {
        let Some((name, arguments)) = step.split_first() else { continue };
        let ended = Command::new(name).args(arguments).status();
        let user_is_there = name == "useradd" && ended.as_ref().is_ok_and(|status| status.code() == Some(9));
        if !user_is_there && !ended.as_ref().is_ok_and(std::process::ExitStatus::success) {
            bail!(words(Say::StepFailed, language, &[("command", &line(&step))]));
        }
    }
    Ok(())
}

/// A command as it is typed.
pub(super) fn line(step: &[String]) -> String {
    let plain = |char: char| char.is_alphanumeric() || "-_./:=".contains(char);
    let quoted = step
        .iter()
        .map(|word| if word.chars().all(plain) { word.clone() } else { format!("'{}'", word.replace('\'', "'\\''")) });
    quoted.collect::<Vec<_>>().join(" ")
}

/// Whether systemd runs this machine: as its own `sd_booted` looks.
pub(super) fn is_booted() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// Whether this process is root's.
pub(super) fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_starts_this_program() {
        for (program, started) in
            [("/home/lin/calferry", "/usr/local/bin/calferry"), ("/usr/bin/calferry", "/usr/bin/calferry")]
        {
            let start = format!("\nExecStart={started} serve --config /etc/calferry/calferry.toml\n");
            assert!(unit(Path::new(program)).contains(&start));
        }
    }

    #[test]
    fn a_command_is_shown_as_it_can_be_typed() {
        assert_eq!(line(&["a".into(), "b c".into(), "d'e".into()]), "a 'b c' 'd'\\''e'");
    }
}
