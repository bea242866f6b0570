//! `calferry admin-password`: the hash of a password, for the settings.

use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::{Context, ensure};

use crate::http::Password;

/// Shorter ones are guessed, whatever the limits.
const SHORTEST: usize = 8;

/// Asks for a password, twice where somebody types it, and prints its hash.
pub(super) fn admin_password() -> anyhow::Result<ExitCode> {
    let password = if std::io::stdin().is_terminal() {
        let password = rpassword::prompt_password("Password: ")?;
        ensure!(rpassword::prompt_password("Again: ")? == password, "the two are not the same");
        password
    } else {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).context("standard input")?;
        line.trim_end_matches(['\r', '\n']).to_owned()
    };
    ensure!(password.chars().count() >= SHORTEST, "a password of {SHORTEST} characters at least is wanted");
    let hash = Password::hash(&password).context("the system gives no random numbers")?;
    writeln!(std::io::stdout(), "{hash}")?;
    Ok(ExitCode::SUCCESS)
}
