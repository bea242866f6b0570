//! `calferry init`: from a secret address to settings that work, by questions or by options.

mod ask;
mod draft;
mod unit;
mod words;

use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use url::Url;

use self::ask::Asker;
use self::draft::Draft;
use self::words::{Say, mistake, words};
use super::fetch::client;
use super::language::{Lang, language};
use super::private;
use super::progress::Progress;
use crate::doctor::{Language, fetch_words};
use crate::refresh::fetch_once;
use crate::settings::is_name;
use crate::source::{Address, FetchError};

/// What is known before anything is asked.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub(super) struct Init {
    /// The calendar's secret address. Others on this machine can see arguments: see --address-file.
    address: Option<String>,
    /// Read the address from the first line of this file, or of standard input (-).
    #[arg(long, value_name = "FILE", conflicts_with = "address")]
    address_file: Option<PathBuf>,
    /// The settings file to write.
    #[arg(long, short, default_value = "calferry.toml")]
    config: PathBuf,
    /// Where the key and the copies will be kept, if not in the usual folder.
    #[arg(long)]
    state_dir: Option<String>,
    /// A short name for the calendar: of its source and of its feed.
    #[arg(long)]
    feed: Option<String>,
    /// The calendar's name on the phone, if not the one it has.
    #[arg(long)]
    name: Option<String>,
    /// What the devices' URLs will start with, such as <https://cal.example.com>.
    #[arg(long)]
    public_url: Option<String>,
    /// A device that will subscribe; may be given several times.
    #[arg(long)]
    device: Vec<String>,
    /// The calendar is on a private network.
    #[arg(long)]
    allow_private: bool,
    /// Do not try the address.
    #[arg(long)]
    offline: bool,
    /// Ask nothing: what no option says has its default.
    #[arg(long, short)]
    yes: bool,
    /// Let systemd run it from now on; for root.
    #[arg(long)]
    install_unit: bool,
    /// Print the systemd unit, and do nothing else.
    #[arg(long)]
    print_unit: bool,
    /// Which language to speak [default: the one of the environment].
    #[arg(long, value_enum)]
    lang: Option<Lang>,
}

/// Makes a settings file.
pub(super) async fn init(init: &Init) -> anyhow::Result<ExitCode> {
    let program = std::env::current_exe()?;
    if init.print_unit {
        std::io::stdout().lock().write_all(unit::unit(&program).as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let asker = Asker { language: language(init.lang), silent: init.yes };
    let language = asker.language;
    // Before anything is asked, so that no answer is given in vain.
    if init.config.symlink_metadata().is_ok() {
        bail!(words(Say::Exists, language, &[("path", &init.config.display().to_string())]));
    }
    private::can_write_beside(&init.config, language)?;
    if init.install_unit && !unit::is_root() {
        bail!(words(Say::NotRoot, language, &[]));
    }
    let mut draft = init.source(&asker).await?;
    init.feed(&asker, &mut draft)?;
    if let Err(problems) = draft.settings()? {
        bail!("{}\n{problems}", words(Say::Refused, language, &[]));
    }
    draft.write(&init.config, language)?;
    let secret = draft.secret_file(&init.config);
    let (shown, hidden) = (init.config.display().to_string(), secret.display().to_string());
    asker.say(Say::Written, &[("settings", &shown), ("secret", &hidden)]);
    if init.install_unit || offered(&asker)? {
        unit::install(&program, &init.config, &secret, language)?;
        asker.say(Say::Installed, &[("command", &unit::shows_urls(&program))]);
    } else {
        tell_what_next(&program, &init.config, &secret, language)?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Init {
    /// The source, tried out. A wrong address that was typed is asked for again.
    async fn source(&self, asker: &Asker) -> anyhow::Result<Draft> {
        let mut given = self.given_address(asker.language)?;
        loop {
            let (pasted, address) = match given.take() {
                Some(pasted) => match Address::parse(&pasted) {
                    Ok(address) => (pasted, address),
                    Err(wrong) if asker.silent => bail!(mistake(wrong, asker.language)),
                    Err(wrong) => {
                        eprintln!("{}", mistake(wrong, asker.language));
                        continue;
                    }
                },
                None if asker.silent => bail!(words(Say::NoAddress, asker.language, &[])),
                None => asker.ask(Say::Address, "", |pasted| {
                    let address = Address::parse(pasted).map_err(|wrong| mistake(wrong, asker.language))?;
                    Ok((pasted.to_owned(), address))
                })?,
            };
            let mut draft = Draft::of(pasted, address);
            draft.allow_private = self.allow_private;
            if self.offline || tried(asker, &mut draft).await? {
                return Ok(draft);
            }
        }
    }

    fn given_address(&self, language: Language) -> anyhow::Result<Option<String>> {
        let Some(file) = &self.address_file else { return Ok(self.address.clone()) };
        let mut text = String::new();
        let read = if file.as_os_str() == "-" {
            std::io::stdin().lock().read_to_string(&mut text).map(|_| ())
        } else {
            std::fs::read_to_string(file).map(|read| text = read)
        };
        if let Err(error) = read {
            bail!(words(Say::NoFile, language, &[("error", &error.to_string())]));
        }
        Ok(Some(text.lines().next().unwrap_or_default().trim().to_owned()))
    }

    /// All the rest.
    fn feed(&self, asker: &Asker, draft: &mut Draft) -> anyhow::Result<()> {
        let language = asker.language;
        draft.state_dir.clone_from(&self.state_dir);
        draft.title.clone_from(&self.name);
        draft.name = answer(asker, self.feed.as_deref(), Say::Feed, "calendar", |name| named(name, language))?;
        draft.public_url =
            answer(asker, self.public_url.as_deref(), Say::PublicUrl, "", |url| public_url(url, language))?;
        let devices = (!self.device.is_empty()).then(|| self.device.join(","));
        draft.devices = answer(asker, devices.as_deref(), Say::Devices, "phone", |names| listed(names, language))?;
        Ok(())
    }
}

/// What an option has said, or a person says, or the default.
fn answer<T>(
    asker: &Asker,
    given: Option<&str>,
    question: Say,
    default: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> anyhow::Result<T> {
    match given.or(asker.silent.then_some(default)) {
        Some(given) => read(given).map_err(anyhow::Error::msg),
        None => asker.ask(question, default, read),
    }
}

/// Fetches the calendar, and says how that went. `false` if another address is wanted.
async fn tried(asker: &Asker, draft: &mut Draft) -> anyhow::Result<bool> {
    loop {
        let Err(error) = fetched(asker, draft).await? else { return Ok(true) };
        let why = fetch_words(&error, asker.language);
        asker.say(Say::Fails, &[("why", &why)]);
        if asker.silent {
            bail!(words(Say::NotKept, asker.language, &[]));
        }
        if matches!(error, FetchError::PrivateAddress) && asker.agree(Say::AllowPrivate)? {
            draft.allow_private = true;
            continue;
        }
        return asker.agree(Say::KeepAnyway);
    }
}

async fn fetched(asker: &Asker, draft: &Draft) -> anyhow::Result<Result<(), FetchError>> {
    let language = asker.language;
    let settings = match draft.settings()? {
        Ok(settings) => settings,
        // One that is written as a number is refused before anything is fetched.
        Err(_) if !draft.allow_private && draft.address.literal_ip().is_some() => {
            return Ok(Err(FetchError::PrivateAddress));
        }
        Err(problems) => bail!("{}\n{problems}", words(Say::Refused, language, &[])),
    };
    let Some(source) = settings.sources.first() else { return Ok(Ok(())) };
    let progress = Progress::of(words(Say::Trying, language, &[("host", draft.address.host())]));
    let limits = &settings.fetch.limits;
    let answer = fetch_once(&client(&settings)?, &source.target(), limits, |_| {}).await;
    drop(progress);
    Ok(answer.map(|answer| asker.say(Say::Works, &[("events", &answer.entries.to_string())])))
}

fn named(name: &str, language: Language) -> Result<String, String> {
    if is_name(name) { Ok(name.to_owned()) } else { Err(words(Say::BadName, language, &[("name", name)])) }
}

fn public_url(url: &str, language: Language) -> Result<Option<String>, String> {
    if url.is_empty() {
        return Ok(None);
    }
    let fits = |url: &Url| matches!(url.scheme(), "http" | "https") && url.path() == "/" && url.query().is_none();
    let fits = Url::parse(url).is_ok_and(|url| fits(&url));
    if fits { Ok(Some(url.to_owned())) } else { Err(words(Say::BadPublicUrl, language, &[])) }
}

fn listed(names: &str, language: Language) -> Result<Vec<String>, String> {
    let mut devices = Vec::new();
    for name in names.split([',', '，', '、', ' ']).filter(|name| !name.is_empty()) {
        let name = named(name, language)?;
        if devices.contains(&name) {
            return Err(words(Say::DeviceTwice, language, &[("name", &name)]));
        }
        devices.push(name);
    }
    if devices.is_empty() { Err(words(Say::BadName, language, &[("name", "\"\"")])) } else { Ok(devices) }
}

/// Whether systemd is to run it, which is asked where that can be done: of root, on a machine that systemd has booted.
fn offered(asker: &Asker) -> anyhow::Result<bool> {
    // Answers from a pipe were written before this question was known.
    let somebody = !asker.silent && std::io::stdin().is_terminal();
    if somebody && unit::is_root() && unit::is_booted() { asker.agree(Say::LetSystemd) } else { Ok(false) }
}

/// Commands to go on with, each with what it does.
fn tell_what_next(program: &Path, settings: &Path, secret: &Path, language: Language) -> anyhow::Result<()> {
    let say = |what| words(what, language, &[]);
    let config = settings.display().to_string();
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", say(Say::Next))?;
    for (command, what) in [("serve", Say::NextServe), ("check", Say::NextCheck), ("doctor", Say::NextDoctor)] {
        let line = unit::line(&["calferry".into(), command.into(), "--config".into(), config.clone()]);
        writeln!(out, "  {line}  # {}", say(what))?;
    }
    writeln!(out, "{}", say(Say::NextUnit))?;
    writeln!(out, "  {} init --print-unit > calferry.service", unit::line(&[program.display().to_string()]))?;
    for step in unit::steps(program, "calferry.service", settings, secret) {
        writeln!(out, "  {}", unit::line(&step))?;
    }
    writeln!(out, "{}", say(Say::InstallUnit))?;
    Ok(())
}
