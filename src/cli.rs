//! The command line. Exit codes: 0 done, 1 it went wrong, 2 the command line itself is wrong (for `doctor` also: it could
//! not look).

mod agenda;
mod check;
mod copies;
mod demo;
mod device;
mod doctor;
mod fetch;
mod health;
mod init;
mod language;
mod manual;
mod password;
mod preview;
mod private;
mod progress;
mod qr;
mod serve;
mod show;
mod spoken;
mod systemd;
mod texts;
mod watch;

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::LazyLock;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use self::language::{Lang, language};
use self::spoken::Say;
use crate::doctor::Language;
use crate::settings::{Given, NOTHING_TO_SERVE, Origin, Problems, Settings};

/// What the program's exit codes mean.
const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 it went wrong, and standard error says what (check: a problem, or a source that failed; health: \
not well; doctor: errors were found); 2 the command line itself is wrong (doctor: it could not look).";

/// Whoever asks why a meeting is an hour off wants to know whose rules for summer time are in here, too.
static VERSION: LazyLock<String> =
    LazyLock::new(|| format!("{}\ntime zones: {}", env!("CARGO_PKG_VERSION"), chrono_tz::IANA_TZDB_VERSION));

/// Carries a calendar from where it can be fetched to the phone that cannot fetch it.
#[derive(Debug, Parser)]
#[command(version, long_version = VERSION.as_str(), propagate_version = true, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// How much to say on standard error.
    #[arg(long, global = true, env = "CALFERRY_LOG", default_value = "info")]
    log: LogLevel,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve calendars: one secret address, or everything in a settings file.
    Serve(Serve),
    /// Make a settings file: asks for the calendar's secret address, tries it, and says what comes next.
    Init(init::Init),
    /// Show it working: a calendar that changes every minute, served from a built-in upstream.
    Demo {
        /// Where to listen.
        #[arg(long, default_value = "127.0.0.1:8080")]
        listen: SocketAddr,
    },
    /// Say what is wrong with the settings.
    Check {
        #[command(flatten)]
        place: Place,
        /// Try every source once, too.
        #[arg(long)]
        online: bool,
        /// As JSON.
        #[arg(long)]
        json: bool,
        /// Which language to speak [default: the one of the environment].
        #[arg(long, value_enum)]
        lang: Option<Lang>,
    },
    /// Look at the deployment from outside in, and say what is wrong and what to do.
    Doctor(doctor::Doctor),
    /// Print the URLs of a feed's devices. They are secret.
    Url {
        /// The feed; all feeds if none is named.
        feed: Option<String>,
        /// Only this device.
        #[arg(long)]
        device: Option<String>,
        /// As JSON.
        #[arg(long)]
        json: bool,
        /// Which language to speak [default: the one of the environment].
        #[arg(long, value_enum)]
        lang: Option<Lang>,
        #[command(flatten)]
        place: Place,
    },
    /// Show the QR code of a device's URL, for its phone's camera. It is secret.
    Qr(qr::Shown),
    /// Add, revoke or rotate a device, in the settings file.
    #[command(subcommand)]
    Device(device::Change),
    /// Fetch one calendar as the server would, and print what would be served.
    Fetch {
        /// A source of the settings, or an address.
        source: String,
        /// Allow addresses of private networks.
        #[arg(long)]
        allow_private: bool,
        /// Which language to speak [default: the one of the environment].
        #[arg(long, value_enum)]
        lang: Option<Lang>,
        #[command(flatten)]
        place: Place,
    },
    /// Print what would be served for calendar files.
    Publish {
        #[command(flatten)]
        files: fetch::Files,
    },
    /// List what a feed's rules make of every event.
    Preview {
        #[command(flatten)]
        look: copies::Look,
        /// Show the lines that change, too.
        #[arg(long)]
        diff: bool,
    },
    /// Tell rule by rule what becomes of one event.
    Explain {
        #[command(flatten)]
        look: copies::Look,
        /// The event's UID.
        uid: String,
    },
    /// List what of a feed takes place on the days ahead.
    Agenda(agenda::Agenda),
    /// Take over a calendar that is kept aside because most of its events were gone.
    Accept {
        /// The source.
        source: String,
        #[command(flatten)]
        place: Place,
    },
    /// Ask for a password, and print its hash for `server.admin_password`.
    AdminPassword,
    /// Ask a running server whether it is well, for container checks.
    Health {
        /// Its address, where it is asked in clear text; else what the settings say.
        #[arg(long)]
        address: Option<SocketAddr>,
        #[command(flatten)]
        place: Place,
    },
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page, in the form that man reads.
    Man {
        /// Of this command, such as `device` or `device-add`.
        command: Option<String>,
        /// Write the pages of all commands into this folder.
        #[arg(long, conflicts_with = "command")]
        dir: Option<PathBuf>,
    },
}

/// Where the settings and the state are.
#[derive(Debug, Clone, Args)]
struct Place {
    /// The settings file [default: calferry.toml or /etc/calferry/calferry.toml, if there is one].
    #[arg(long, short)]
    config: Option<PathBuf>,
    /// Where the key and the copies are kept [default: `$STATE_DIRECTORY`, else calferry in
    /// `$XDG_STATE_HOME` or ~/.local/state].
    #[arg(long)]
    state_dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
struct Serve {
    /// A secret calendar address, to serve without a settings file.
    #[arg(conflicts_with = "config")]
    url: Option<String>,
    #[command(flatten)]
    place: Place,
    /// Where to listen for subscribers.
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// Where to serve the status page and metrics: on this machine, unless the settings have an `admin_password`.
    #[arg(long)]
    admin_listen: Option<SocketAddr>,
    /// What shown URLs start with, such as <https://cal.example.com>.
    #[arg(long)]
    public_url: Option<String>,
    /// How often to fetch, such as 15m.
    #[arg(long)]
    refresh: Option<String>,
    /// Longest pause between tries while a source fails, such as 6h.
    #[arg(long)]
    max_backoff: Option<String>,
    /// Allow sources on private networks.
    #[arg(long)]
    allow_private: bool,
    /// Show the URLs as QR codes, too. On a terminal those of a single feed with up to three devices are shown anyway.
    #[arg(long)]
    qr: bool,
    /// Which language to speak [default: the one of the environment].
    #[arg(long, value_enum)]
    lang: Option<Lang>,
}

/// Runs the command line `args`, the program's name first.
pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to standard output, a mistake to standard error; neither can be helped if they are closed.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    log_to(cli.log, std::io::stderr);
    match dispatch(cli.command) {
        Ok(code) => code,
        // Whoever read our output has had enough of it.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            for line in words(&error).lines() {
                eprintln!("calferry: {line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(serve) => run_async(serve::serve(&serve)),
        Command::Init(init) => run_async(async move { init::init(&init).await }),
        Command::Demo { listen } => run_async(demo::demo(listen)),
        Command::Check { place, online, json, lang } => run_async(check::check(&place, online, json, language(lang))),
        Command::Doctor(doctor) => run_async(async move { Ok(doctor::doctor(&doctor).await) }),
        Command::Url { feed, device, json, place, lang } => {
            show::urls(&place, feed.as_deref(), device.as_deref(), json, language(lang))
        }
        Command::Qr(shown) => qr::show(&shown),
        Command::Device(change) => device::change(&change),
        Command::Fetch { source, allow_private, place, lang } => {
            run_async(fetch::fetch(&source, allow_private, &place, language(lang)))
        }
        Command::Publish { files } => run_async(fetch::publish_files(&files)),
        Command::Preview { look, diff } => run_async(preview::preview(&look, diff)),
        Command::Explain { uid, look } => run_async(preview::explain(&look, &uid)),
        Command::Agenda(asked) => run_async(async move { agenda::agenda(&asked).await }),
        Command::Accept { source, place } => show::accept(&place, &source),
        Command::AdminPassword => password::admin_password(),
        Command::Health { address, place } => run_async(health::health(address, &place)),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "calferry", &mut script);
            std::io::stdout().lock().write_all(&script)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Man { command, dir } => manual::manual(command.as_deref(), dir.as_deref()),
    }
}

/// Logs of this program at `level`, to `writer`. Of the libraries below only warnings: at finer levels some of them
/// print addresses and headers.
fn log_to<W>(level: LogLevel, writer: W)
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let level = match level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    let filter = EnvFilter::new(format!("error,calferry={level}"));
    let ansi = std::io::stderr().is_terminal();
    // Fails only if there is a subscriber already, as in a test that runs commands in its own process.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(ansi).try_init();
}

/// Runs `command` to its end. What still blocks a thread then, such as a name server that does not answer, is left
/// behind: all that must be written has been waited for.
fn run_async(command: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    // The blocking pool does SQLite, compression and name resolution; semaphores bound each of them.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().max_blocking_threads(64).build()?;
    let done = runtime.block_on(command);
    runtime.shutdown_background();
    done
}

/// An error with its causes, one a line. Problems of the settings are whole lines already.
fn words(error: &anyhow::Error) -> String {
    match error.downcast_ref::<Problems>() {
        Some(problems) => problems.to_string(),
        None => format!("{error:#}"),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    causes.any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}

fn environment() -> Vec<(String, String)> {
    // A variable that is not text cannot be a setting.
    std::env::vars_os().filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?))).collect()
}

impl Place {
    fn origin(&self) -> Origin {
        Origin::find(self.config.clone())
    }

    /// What of the settings is given by these options.
    fn given(&self) -> anyhow::Result<Given> {
        let mut given = Given::default();
        if let Some(dir) = &self.state_dir {
            let dir = dir.to_str().ok_or_else(|| anyhow::anyhow!("--state-dir: the folder's name is not text"))?;
            given.0.push(("state_dir", dir.to_owned()));
        }
        Ok(given)
    }

    fn settings(&self) -> anyhow::Result<Settings> {
        self.settings_in(language(None))
    }

    /// The settings; what goes wrong is told in `language` as far as there are words for it.
    fn settings_in(&self, language: Language) -> anyhow::Result<Settings> {
        Ok(load(&self.origin(), &self.given()?, language)?)
    }
}

/// The settings. Where there are none at all, it says how to get some.
fn load(origin: &Origin, given: &Given, language: Language) -> Result<Settings, Problems> {
    Settings::load(origin, given, &environment()).map_err(|mut problems| {
        if let (Origin::Nothing, [only]) = (origin, problems.0.as_mut_slice())
            && only.message == NOTHING_TO_SERVE
        {
            let here = std::env::current_dir().unwrap_or_default();
            let [here, usual] = Origin::USUAL.map(|path| here.join(path).display().to_string());
            only.message = spoken::words(Say::NoSettings, language, &[("here", &here), ("usual", &usual)]);
        }
        problems
    })
}

/// `1 source`, `2 sources`.
fn counted(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
