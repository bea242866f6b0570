//! A look at the deployment from outside in, as `calferry doctor` gives it: what stands between phones and this program,
//! and between this program and its sources.
//!
//! The checks of the outside are a chain: where one fails, those behind it would only say the same again, and are told as
//! not made. Nothing that is found holds a token or a source's address; feeds and sources are told by their names.
//!
//! | file | holds |
//! |---|---|
//! | `finding` | what can be found, by name |
//! | `words` | the same in words, English and Chinese |
//! | `name` | from `public_url` to somebody who accepts a connection |
//! | `visit` | one request as a phone would make it |
//! | `certificate` | whether phones accept the certificate |
//! | `answerer` | who has answered, if not the program. Pure |
//! | `outside` | the chain of checks |
//! | `arrival` | what reaches the program of a request. Pure |
//! | `calendar` | whether a feed arrives as it should |
//! | `sources` | whether the sources can be fetched |

mod answerer;
mod arrival;
mod calendar;
mod certificate;
mod finding;
mod name;
mod outside;
mod sources;
mod visit;
mod words;

use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;

use crate::clock::Clock;
use crate::feed::Key;
use crate::settings::{Settings, Source};
use crate::source::{Client, Options};

pub use finding::{Check, Finding, Kind, Severity};
pub use name::Detour;
pub use words::{Language, fetch_words, fix_heading, heading, summary};

/// For one source by one way. A person waits; the server has more patience.
const FETCH: Duration = Duration::from_secs(40);

/// What is looked at, and how.
pub struct Examination {
    /// The settings of the deployment.
    pub settings: Settings,
    /// Its key; none if the program has never run.
    pub key: Option<Key>,
    /// The authorities that phones trust.
    pub roots: RootCertStore,
    /// The authorities that the program trusts when it fetches.
    pub fetch_roots: RootCertStore,
    /// Where to connect to in the place of what the resolver says.
    pub detours: Vec<Detour>,
    /// The sources to fetch.
    pub sources: Vec<Source>,
    /// What time it is.
    pub clock: Clock,
    /// Hears what is being looked at.
    pub tell: Arc<dyn Fn(&str) + Send + Sync>,
}

impl std::fmt::Debug for Examination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Examination").finish_non_exhaustive()
    }
}

/// Looks at everything. Takes some minutes at most, whatever does not answer.
pub async fn examine(examination: Examination) -> Vec<Finding> {
    let Examination { settings, key, roots, fetch_roots, detours, sources, clock, tell } = examination;
    let fetch = &settings.fetch;
    let options = Options { timeout: fetch.options.timeout.min(FETCH), ..fetch.options };
    let client = Arc::new(Client::new(options, &fetch_roots));
    let fetched = tokio::spawn(sources::examine(client, fetch.limits, sources, Arc::clone(&tell)));
    let mut findings = match key {
        Some(key) => outside::examine(&settings, &key, roots, &detours, clock, &*tell).await,
        None => outside::never_run(&settings),
    };
    // Nothing in there panics on purpose; if it did, the outside is still worth telling.
    findings.extend(fetched.await.unwrap_or_default());
    findings
}
