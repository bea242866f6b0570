//! From tables to [`Settings`].

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use config::{Map, Value};
use url::Url;

use super::feed::feeds;
use super::rules::Shared;
use super::section::{Found, Section};
use super::{Fetch, Problem, Problems, Server, Settings, Source};
use crate::calendar::Limits;
use crate::http::{Patience, Rates, TrustedProxies};
use crate::refresh::{CollapseRule, HostLimits, Pace};
use crate::source::{Address, Options, Reach};

const SECOND: Duration = Duration::from_secs(1);
pub(super) const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
pub(super) const DAY: Duration = Duration::from_hours(24);

/// What is needed while reading, beside the tables.
pub(super) struct Context<'a> {
    folder: PathBuf,
    environment: &'a [(String, String)],
    files: Vec<PathBuf>,
    pub(super) found: Found,
    warnings: Vec<Problem>,
    /// What feeds have in common.
    pub(super) shared: Shared,
}

/// What holds for a source that says nothing of its own.
struct Defaults {
    pace: Pace,
    private: bool,
}

/// The sources that are whole, and the place of every one that is named.
#[derive(Default)]
pub(super) struct Sources {
    pub(super) whole: Vec<Source>,
    /// `None` for one that has a problem, which is told already.
    pub(super) places: HashMap<String, Option<usize>>,
}

impl Sources {
    fn read(&mut self, name: String, section: Section, defaults: &Defaults, context: &mut Context<'_>) {
        let source = source(&name, section, defaults, context);
        self.places.insert(name, source.as_ref().map(|_| self.whole.len()));
        self.whole.extend(source);
    }
}

pub(super) fn resolve(
    table: Map<String, Value>,
    folder: PathBuf,
    environment: &[(String, String)],
) -> Result<Settings, Problems> {
    let found: Found = Rc::new(RefCell::new(Vec::new()));
    let mut context = Context {
        folder,
        environment,
        files: Vec::new(),
        found: Rc::clone(&found),
        warnings: Vec::new(),
        shared: Shared::default(),
    };
    let mut root = Section::root(table, &found);
    let server = server(root.section("server"));
    let (fetch, defaults) = fetch(root.section("fetch"), &mut context);
    let edition_budget = root.size("edition_budget", 64 << 20, 0..=1 << 40);
    let state_dir = root.text("state_dir").map(PathBuf::from).or_else(|| default_state_dir(environment));
    let public_url = public_url(&mut root, server.listen, &mut context.warnings);
    let mut sources = Sources::default();
    for (name, section) in root.sections("source") {
        sources.read(name, section, &defaults, &mut context);
    }
    let feeds = feeds(root.sections("feed"), &sources, &mut context);
    if state_dir.is_none() {
        root.problem("state_dir", "there is no home folder to put the state in; set a folder");
    }
    root.done();
    context.files.sort();
    context.files.dedup();
    let problems: Vec<_> = found.take().iter().map(hushed).collect();
    match (problems.is_empty(), state_dir) {
        (true, Some(state_dir)) => Ok(Settings {
            public_url,
            state_dir,
            server,
            fetch,
            edition_budget: edition_budget as u64,
            sources: sources.whole,
            feeds,
            files: context.files,
            warnings: context.warnings,
        }),
        _ => Err(Problems(problems)),
    }
}

/// A problem without what may be a source's address. People put them under the wrong key, and messages quote.
fn hushed(problem: &Problem) -> Problem {
    let hush = |text: &str| {
        let words = text.split_inclusive([' ', '"', '\n']).map(|word| {
            let bare = word.trim_end_matches([' ', '"', '\n']);
            let leads_on = bare.split_once("://").is_some_and(|(_, rest)| rest.contains(['/', '?', '@']));
            if leads_on || bare.contains("/private-") { word.replace(bare, "…") } else { word.to_owned() }
        });
        words.collect()
    };
    Problem { path: hush(&problem.path), message: hush(&problem.message) }
}

fn server(mut section: Section) -> Server {
    let address = |section: &mut Section, key| {
        section.parsed::<SocketAddr>(key, "an address with a port, such as 127.0.0.1:8080")
    };
    let listen = address(&mut section, "listen").unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8080)));
    let admin_listen = address(&mut section, "admin_listen");
    if admin_listen.is_some_and(|admin| !admin.ip().is_loopback()) {
        section.problem(
            "admin_listen",
            "metrics and status are for this machine only; use an address such as 127.0.0.1:9090",
        );
    }
    let mut trusted_proxies = TrustedProxies::default();
    for (index, entry) in section.list("trusted_proxies").unwrap_or_default().iter().enumerate() {
        if !trusted_proxies.trust(entry) {
            section.problem(
                &format!("trusted_proxies[{index}]"),
                format!("{entry:?} is neither \"cloudflare\" nor an address range"),
            );
        }
    }
    let rate = |section: &mut Section, key, default| {
        let rate = section.number(key, default, 1..=10_000_000);
        u32::try_from(rate).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
    };
    let usual = Patience::default();
    let server = Server {
        listen,
        admin_listen,
        trusted_proxies,
        max_connections: section.number("max_connections", 4096, 1..=1_000_000),
        rates: Rates {
            requests: rate(&mut section, "requests_per_minute", 300),
            wrong_tokens: rate(&mut section, "wrong_tokens_per_minute", 10),
        },
        patience: Patience {
            first_byte: section.duration("first_byte_timeout", usual.first_byte, SECOND..=HOUR),
            head: section.duration("header_timeout", usual.head, SECOND..=HOUR),
            idle: section.duration("idle_timeout", usual.idle, SECOND..=HOUR),
            stuck: section.duration("write_timeout", usual.stuck, SECOND..=HOUR),
        },
        since_margin: section.duration("modified_since_margin", 2 * MINUTE, Duration::ZERO..=DAY),
        first_wait: section.duration("first_wait", 15 * SECOND, Duration::ZERO..=MINUTE),
        drain: section.duration("drain", 10 * SECOND, Duration::ZERO..=5 * MINUTE),
    };
    section.done();
    server
}

fn fetch(mut section: Section, context: &mut Context<'_>) -> (Fetch, Defaults) {
    let (options, limits, collapse) = (Options::default(), Limits::default(), CollapseRule::default());
    let max_size = section.size("max_size", options.max_size, 1 << 10..=1 << 30);
    let pace = Pace { refresh: 15 * MINUTE, max_backoff: 6 * HOUR };
    let defaults = Defaults { pace: read_pace(&mut section, pace), private: section.flag("allow_private", false) };
    let fetch = Fetch {
        options: Options {
            connect_timeout: section.duration("connect_timeout", options.connect_timeout, SECOND..=5 * MINUTE),
            header_timeout: section.duration("header_timeout", options.header_timeout, SECOND..=10 * MINUTE),
            timeout: section.duration("timeout", options.timeout, SECOND..=HOUR),
            max_size,
            max_redirects: section.number("max_redirects", options.max_redirects, 0..=20),
        },
        concurrent: section.number("concurrent", 16, 1..=10_000),
        host: HostLimits {
            concurrent: section.number("per_host", 4, 1..=1000),
            per_minute: u32::try_from(section.number("per_host_minute", 600, 1..=1_000_000)).unwrap_or(600),
            max_pause: defaults.pace.max_backoff,
        },
        limits: Limits {
            size: max_size,
            lines: section.number("max_lines", limits.lines, 10..=100_000_000),
            line: section.size("max_line", limits.line, 1 << 10..=1 << 30),
            depth: section.number("max_depth", limits.depth, 2..=64),
            components: section.number("max_components", limits.components, 1..=100_000_000),
            charset: true,
            properties: section.number("max_properties", limits.properties, 10..=100_000_000),
        },
        collapse: CollapseRule {
            percent: section.number("collapse_percent", collapse.percent, 0..=100),
            least: section.number("collapse_least", collapse.least, 1..=1_000_000),
            fetches: u32::try_from(section.number("collapse_fetches", 3, 1..=1000)).unwrap_or(collapse.fetches),
            over: section.duration("collapse_over", collapse.over, Duration::ZERO..=30 * DAY),
        },
        ca_file: section.text("ca_file").map(|path| context.folder.join(path)),
    };
    section.done();
    (fetch, defaults)
}

fn read_pace(section: &mut Section, usual: Pace) -> Pace {
    let refresh = section.duration("refresh", usual.refresh, MINUTE..=7 * DAY);
    Pace { refresh, max_backoff: section.duration("max_backoff", usual.max_backoff, MINUTE..=7 * DAY).max(refresh) }
}

fn source(name: &str, mut section: Section, defaults: &Defaults, context: &mut Context<'_>) -> Option<Source> {
    let pasted = address_text(&mut section, context);
    let private = section.flag("allow_private", defaults.private);
    let pace = read_pace(&mut section, defaults.pace);
    let address = pasted.and_then(|pasted| match Address::parse(&pasted) {
        Ok(address) => Some(address),
        Err(mistake) => {
            section.problem("url", mistake);
            None
        }
    });
    let reach = if private { Reach::Private } else { Reach::Public };
    if let Some(address) = &address {
        if address.literal_ip().is_some_and(|ip| !reach.allows(ip)) {
            section
                .problem("url", "this address is not on the public network; set allow_private = true if it is meant");
        }
        if !address.is_encrypted() && reach == Reach::Public {
            let message =
                "the way to this source is not encrypted; anybody on it can read the address and the calendar".into();
            context.warnings.push(Problem { path: section.at("url"), message });
        }
    }
    section.done();
    Some(Source { name: name.into(), address: address?, reach, pace })
}

/// The address as it was pasted, from wherever the settings say it is.
fn address_text(section: &mut Section, context: &mut Context<'_>) -> Option<String> {
    let (url, file, variable) = (section.text("url"), section.text("url_file"), section.text("url_env"));
    match (url, file, variable) {
        (Some(url), None, None) => Some(url),
        (None, Some(file), None) => context.secret(section, "url_file", &file),
        (None, None, Some(variable)) => {
            let value = context.environment.iter().find(|(name, _)| *name == variable);
            if value.is_none() {
                section.problem("url_env", format!("there is no environment variable {variable}"));
            }
            value.map(|(_, value)| value.clone())
        }
        (None, None, None) => {
            section.problem("", "needs one of url, url_file, url_env");
            None
        }
        _ => {
            section.problem("", "has more than one of url, url_file, url_env");
            None
        }
    }
}

fn public_url(root: &mut Section, listen: SocketAddr, warnings: &mut Vec<Problem>) -> Url {
    let local = Url::parse(&format!("http://{listen}")).expect("a socket address makes a URL");
    let Some(text) = root.text("public_url") else {
        if listen.ip().is_unspecified() || listen.port() == 0 {
            let message = format!("is not set; the shown URLs start with {local}, which no phone can reach");
            warnings.push(Problem { path: "public_url".into(), message });
        }
        return local;
    };
    match Url::parse(&text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.path() == "/" && url.query().is_none() => url,
        Ok(_) => {
            root.problem("public_url", "write it as https://cal.example.com, without a path");
            local
        }
        Err(error) => {
            root.problem("public_url", format!("{text:?} is not a web address: {error}"));
            local
        }
    }
}

/// systemd's state folder, else the one of the XDG base directory specification.
fn default_state_dir(environment: &[(String, String)]) -> Option<PathBuf> {
    let variable = |name| {
        environment.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    };
    let from_systemd = variable("STATE_DIRECTORY").and_then(|folders| folders.split(':').next()).map(PathBuf::from);
    let from_xdg = || variable("XDG_STATE_HOME").map(|folder| Path::new(folder).join("calferry"));
    let from_home = || variable("HOME").map(|home| Path::new(home).join(".local/state/calferry"));
    from_systemd.or_else(from_xdg).or_else(from_home)
}

impl Context<'_> {
    fn file(&mut self, path: &str) -> PathBuf {
        let path = self.folder.join(path);
        self.files.push(path.clone());
        path
    }

    /// The first line of a file that holds a secret.
    pub(super) fn secret(&mut self, section: &Section, key: &str, path: &str) -> Option<String> {
        let path = self.file(path);
        match std::fs::read_to_string(&path) {
            Ok(text) => Some(text.lines().next().unwrap_or_default().trim().to_owned()),
            Err(error) => {
                section.problem(key, format!("{} cannot be read: {error}", path.display()));
                None
            }
        }
    }
}
