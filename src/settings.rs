//! Settings: what the user wrote, in a TOML file and the environment, and what it means.
//!
//! Everything is read before anything is refused, so that all problems are told at once, each with its path. A key that
//! nobody reads is a problem too. No message holds a source's address or a token.
//!
//! | file | holds |
//! |---|---|
//! | `read` | finding and parsing what was written, with the `config` crate |
//! | `section`, `item` | taking keys out of a table, and noting what is wrong with them |
//! | `units` | how single values are written |
//! | `exposed` | files with secrets that everybody can read |
//! | `resolve` | from tables to [`Settings`] |
//! | `server` | the listeners |
//! | `acme` | certificates by ACME |
//! | `fetch` | fetching, and every source |
//! | `egress` | the ways to a source, and its ports |
//! | `feed` | a feed's own table |
//! | `rules`, `condition`, `action` | a feed's wishes, rule by rule |
//! | `pattern` | patterns, none of which can hold up a feed |

mod acme;
mod action;
mod condition;
mod egress;
mod exposed;
mod feed;
mod fetch;
mod item;
mod pattern;
mod read;
mod resolve;
mod rules;
mod section;
mod server;
mod units;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::calendar::Limits;
use crate::clock::Timestamp;
use crate::feed::{Key, Recipe, Token};
use crate::http::{FrontOptions, Listen, Password, Patience};
use crate::refresh::{CollapseRule, HostLimits, Pace, Target};
use crate::source::{Address, Options, Reach, Way};
use crate::tls::Files;

pub use feed::NOTHING_TO_SERVE;
pub use read::{Given, Origin};
pub use section::is_name;

/// Everything a server is built from.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What shown URLs start with.
    pub public_url: Url,
    /// Where the key and the store are.
    pub state_dir: PathBuf,
    /// The listeners.
    pub server: Server,
    /// Fetching.
    pub fetch: Fetch,
    /// Bytes of editions held in memory.
    pub edition_budget: u64,
    /// The sources.
    pub sources: Vec<Source>,
    /// The feeds.
    pub feeds: Vec<Feed>,
    /// The files all this came from: when one changes, it is time to read again.
    pub files: Vec<PathBuf>,
    /// What is not wrong, but should be known.
    pub warnings: Vec<Problem>,
}

/// The listeners and what clients may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Where subscribers are served. Never empty.
    pub listen: Vec<Listen>,
    /// Where metrics and status are served, if anywhere.
    pub admin_listen: Option<Listen>,
    /// What keeps others out there.
    pub admin_password: Option<Password>,
    /// TLS of the listeners on the network.
    pub tls: Option<Encryption>,
    /// Connections at once.
    pub max_connections: usize,
    /// Connections of one client at once.
    pub connections_per_client: usize,
    /// How long a client may take.
    pub patience: Patience,
    /// How requests are answered. This alone of the server's settings can change without a restart.
    pub front: FrontOptions,
    /// How long requests under way have when the server stops.
    pub drain: Duration,
}

/// TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encryption {
    /// Where the certificate comes from.
    pub origin: CertificateOrigin,
    /// Whose certificates clients must show, if any.
    pub client_ca: Option<PathBuf>,
}

impl Encryption {
    /// Where the certificate is, if somebody else puts it into files.
    pub fn files(&self) -> Option<&Files> {
        match &self.origin {
            CertificateOrigin::Files(files) => Some(files),
            CertificateOrigin::Acme(_) => None,
        }
    }
}

/// Where a certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateOrigin {
    /// Somebody else puts it into files.
    Files(Files),
    /// It is ordered.
    Acme(crate::acme::Options),
}

/// Fetching.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// Bounds of one fetch.
    pub options: Options,
    /// Fetches at once, over all hosts.
    pub concurrent: usize,
    /// For every host.
    pub host: HostLimits,
    /// For every calendar.
    pub limits: Limits,
    /// When events count as suddenly gone.
    pub collapse: CollapseRule,
    /// Certificates to trust beside the system's.
    pub ca_file: Option<PathBuf>,
}

/// One source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its name.
    pub name: Arc<str>,
    /// Where it is.
    pub address: Address,
    /// How far it may lead.
    pub reach: Reach,
    /// Ports it may lead to, if its reach is public.
    pub ports: Arc<[u16]>,
    /// The ways to it, in the order in which they are tried. Never by another.
    pub ways: Arc<[Way]>,
    /// How often it is asked.
    pub pace: Pace,
}

impl Source {
    /// What one fetch of it is of.
    pub fn target(&self) -> Target {
        let (ports, ways) = (Arc::clone(&self.ports), Arc::clone(&self.ways));
        Target { address: self.address.clone(), reach: self.reach, ports, ways }
    }
}

/// One feed.
#[derive(Debug, Clone)]
pub struct Feed {
    /// Its name in the settings.
    pub id: Arc<str>,
    /// Its sources' names.
    pub sources: Vec<Arc<str>>,
    /// How it is made of them.
    pub recipe: Recipe,
    /// Who has a URL.
    pub devices: Vec<Device>,
    /// Whose URL is gone.
    pub revoked: Vec<String>,
}

/// One device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its name.
    pub name: String,
    /// How often its token was replaced.
    pub rotation: u32,
    /// A token of its own.
    pub token: Option<Token>,
    /// Until when the token before the last replacement works, too.
    pub grace_until: Option<Timestamp>,
}

impl Device {
    /// One that has never been changed.
    pub fn new(name: String) -> Self {
        Self { name, rotation: 0, token: None, grace_until: None }
    }

    /// Its token for `feed`.
    pub fn token(&self, key: &Key, feed: &str) -> Token {
        self.token.clone().unwrap_or_else(|| key.token(feed, &self.name, self.rotation))
    }

    /// The token for `feed` that was replaced last, and until when it works, if it was given time.
    pub fn token_before(&self, key: &Key, feed: &str) -> Option<(Token, Timestamp)> {
        let before = self.rotation.checked_sub(1)?;
        Some((key.token(feed, &self.name, before), self.grace_until?))
    }
}

impl Settings {
    /// The URL that `device` of `feed` subscribes to. It holds the token: for its owner only.
    pub fn subscription(&self, key: &Key, feed: &Feed, device: &Device) -> String {
        format!("{}{}.ics", self.public_url, device.token(key, &feed.id).reveal())
    }
}

/// Something in the settings that cannot be right, or should be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where: `feed.me.sources[1]`.
    pub path: String,
    /// What.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.message) } else { write!(f, "{}: {}", self.path, self.message) }
    }
}

/// Everything that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl Settings {
    /// Reads the settings from `origin`, with what the command line gives in force over it, and the environment in
    /// between.
    ///
    /// # Errors
    /// [`Problems`]: all of them.
    pub fn load(origin: &Origin, given: &Given, environment: &[(String, String)]) -> Result<Self, Problems> {
        let read::Written { table, secrets_in } = read::table(origin, given, environment)?;
        let mut settings = resolve::resolve(table, origin.folder(), environment)?;
        let exposed = secrets_in.and_then(|file| exposed::warning(String::new(), file));
        settings.warnings.extend(exposed);
        Ok(settings)
    }
}

#[cfg(test)]
mod tests;
