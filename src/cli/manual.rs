//! `calferry man`: the manual pages, one for the program and one for each of its commands.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::builder::Resettable;
use clap::{Command, CommandFactory};

use super::Cli;

/// What the exit codes mean. It stands on every page: whoever writes a script reads the page of one command.
const EXIT_STATUS: &str = r#".SH "EXIT STATUS"
.TP
\fB0\fR
Done.
.TP
\fB1\fR
It went wrong, and standard error says what.
For \fBcheck\fR also: a problem was found, or a source failed; for \fBhealth\fR: not well; for \fBdoctor\fR: errors were found.
.TP
\fB2\fR
The command line itself is wrong. For \fBdoctor\fR also: it could not look.
"#;

/// Prints the manual page of the program, or of one of its commands; or writes all of them into `dir`.
pub(super) fn manual(named: Option<&str>, dir: Option<&Path>) -> anyhow::Result<ExitCode> {
    // What the help says of exit codes has a section of its own here.
    let mut program = Cli::command().disable_help_subcommand(true).after_help(Resettable::Reset);
    // Names every command in full, as `calferry device`.
    program.build();
    if let Some(dir) = dir {
        write_all(&program, dir).with_context(|| format!("{} cannot be written to", dir.display()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let command = match named {
        None => &program,
        Some(named) => below(&program, &format!("calferry-{named}")).with_context(|| {
            let known: Vec<_> = program.get_subcommands().map(Command::get_name).collect();
            format!("no command named {named:?}; the commands are: {}", known.join(", "))
        })?,
    };
    std::io::stdout().lock().write_all(&page(command)?.1)?;
    Ok(ExitCode::SUCCESS)
}

/// The command whose page is called `page`: those of `device` have pages, too.
fn below<'a>(command: &'a Command, page: &str) -> Option<&'a Command> {
    let is_it = |command: &&Command| command.get_display_name() == Some(page);
    command.get_subcommands().find_map(|one| Some(one).filter(is_it).or_else(|| below(one, page)))
}

fn write_all(command: &Command, dir: &Path) -> std::io::Result<()> {
    let (name, text) = page(command)?;
    std::fs::write(dir.join(name), text)?;
    command.get_subcommands().filter(|below| !below.is_hide_set()).try_for_each(|below| write_all(below, dir))
}

/// The page's file name, and what is in it.
fn page(command: &Command) -> std::io::Result<(String, Vec<u8>)> {
    let man = clap_mangen::Man::new(command.clone()).source(concat!("calferry ", env!("CARGO_PKG_VERSION")));
    let mut text = Vec::new();
    man.render(&mut text)?;
    text.extend_from_slice(EXIT_STATUS.as_bytes());
    Ok((man.get_filename(), text))
}
