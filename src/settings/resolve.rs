//! From tables to [`Settings`].

use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use config::{Map, Value};
use url::Url;

use super::exposed;
use super::feed::feeds;
use super::fetch::{Sources, fetch};
use super::rules::Shared;
use super::section::{Found, Section};
use super::server::server;
use super::{CertificateOrigin, Problem, Problems, Server, Settings};
use crate::http::Listen;

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const MINUTE: Duration = Duration::from_mins(1);
pub(super) const HOUR: Duration = Duration::from_hours(1);
pub(super) const DAY: Duration = Duration::from_hours(24);

/// Where systemd keeps what it handed to the running service, for its user and root. Who asks `calferry url` beside it has
/// the same settings, and no other way to read them.
const CREDENTIALS_OF_THE_SERVICE: &str = "/run/credentials/calferry.service";

/// What is needed while reading, beside the tables.
pub(super) struct Context<'a> {
    pub(super) folder: PathBuf,
    pub(super) environment: &'a [(String, String)],
    files: Vec<PathBuf>,
    pub(super) found: Found,
    pub(super) warnings: Vec<Problem>,
    /// What feeds have in common.
    pub(super) shared: Shared,
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
    let server = server(root.section("server"), &mut context);
    let (fetch, defaults) = fetch(root.section("fetch"), &mut context);
    let edition_budget = root.size("edition_budget", 64 << 20, 0..=1 << 40);
    let state_dir = root.text("state_dir").map(PathBuf::from).or_else(|| default_state_dir(environment));
    let public_url = public_url(&mut root, &server, &mut context.warnings);
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

fn public_url(root: &mut Section, server: &Server, warnings: &mut Vec<Problem>) -> Url {
    // Without an address of the network, it is a proxy on this machine that has one.
    let listen = server.listen.iter().find_map(Listen::tcp);
    let listen = listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
    let (local, named) = usual_url(server, listen);
    let Some(text) = root.text("public_url") else {
        if !named && (listen.ip().is_unspecified() || listen.port() == 0) {
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

/// What URLs start with where nothing is said, and whether that is a name: the first one that the certificate is for.
fn usual_url(server: &Server, listen: SocketAddr) -> (Url, bool) {
    let ordered = server.tls.as_ref().and_then(|tls| match &tls.origin {
        CertificateOrigin::Acme(options) => options.domains.first(),
        CertificateOrigin::Files(_) => None,
    });
    let named = ordered.and_then(|name| Url::parse(&format!("https://{name}")).ok());
    let is_named = named.is_some();
    let scheme = if server.tls.is_some() { "https" } else { "http" };
    let numbered = || Url::parse(&format!("{scheme}://{listen}")).expect("a socket address makes a URL");
    (named.unwrap_or_else(numbered), is_named)
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
    pub(super) fn file(&mut self, path: &str) -> PathBuf {
        let path = self.folder.join(path);
        self.files.push(path.clone());
        path
    }

    /// The first line of a file that holds a secret.
    pub(super) fn secret(&mut self, section: &Section, key: &str, path: &str) -> Option<String> {
        let text = self.secret_text(section, key, path)?;
        Some(text.lines().next().unwrap_or_default().trim().to_owned())
    }

    /// The lines of a file that holds secrets, with their numbers, without those that are blank or begin with `#`.
    pub(super) fn secret_lines(&mut self, section: &Section, key: &str, path: &str) -> Option<Vec<(usize, String)>> {
        let text = self.secret_text(section, key, path)?;
        let lines = (1..).zip(text.lines().map(|line| line.trim().to_owned()));
        Some(lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).collect())
    }

    /// What is in `path`. `credential:NAME` is what systemd handed over under that name, see `LoadCredential=` in
    /// systemd.exec(5).
    fn secret_text(&mut self, section: &Section, key: &str, path: &str) -> Option<String> {
        let path = self.handed_over(section, key, path)?;
        self.warnings.extend(exposed::warning(section.at(key), &path));
        match std::fs::read_to_string(&path) {
            Ok(text) => Some(text),
            Err(error) => {
                section.problem(key, format!("{} cannot be read: {error}", path.display()));
                None
            }
        }
    }

    /// The file at `path`, or the credential that it names.
    pub(super) fn handed_over(&mut self, section: &Section, key: &str, path: &str) -> Option<PathBuf> {
        match path.strip_prefix("credential:") {
            Some(name) => self.credential(section, key, name),
            None => Some(self.file(path)),
        }
    }

    fn credential(&self, section: &Section, key: &str, name: &str) -> Option<PathBuf> {
        // A name that leads elsewhere is no credential.
        let plain = !name.is_empty() && name != "." && name != ".." && !name.contains('/');
        let given =
            self.environment.iter().find(|(key, _)| key == "CREDENTIALS_DIRECTORY").map(|(_, folder)| &**folder);
        let folder =
            given.or_else(|| Path::new(CREDENTIALS_OF_THE_SERVICE).is_dir().then_some(CREDENTIALS_OF_THE_SERVICE));
        match folder {
            Some(folder) if plain => Some(Path::new(folder).join(name)),
            Some(_) => {
                section.problem(key, "a credential is named as in LoadCredential=, without a folder");
                None
            }
            None => {
                section.problem(key, "there are no credentials: systemd did not start this with LoadCredential=, and calferry.service does not run");
                None
            }
        }
    }
}
