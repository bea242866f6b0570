//! The private routes, for the person with the server and their monitors: metrics and status. Served on a listener of
//! their own, on this machine only.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, StatusCode};
use serde::Serialize;
use tracing::error;

use super::answer::{self, Answer};
use super::front::{Directory, Front};
use super::metrics::Readings;
use crate::clock::Timestamp;
use crate::feed::Tally;
use crate::publisher::Served;
use crate::refresh::{Standing, WayStanding};
use crate::tls::Certificates;

/// The private routes. They read what the public ones use.
#[derive(Debug)]
pub struct Admin {
    front: Arc<Front>,
}

#[derive(Debug, Serialize)]
struct Status {
    version: &'static str,
    now: String,
    sources: BTreeMap<Arc<str>, Source>,
    feeds: BTreeMap<Arc<str>, Feed>,
    certificate: Certificate,
    editions: u64,
    edition_bytes: u64,
}

#[derive(Debug, Serialize)]
struct Source {
    state: &'static str,
    events: Option<usize>,
    size_bytes: Option<usize>,
    changed: Option<String>,
    confirmed: Option<String>,
    age_seconds: Option<u64>,
    next_fetch: Option<String>,
    fetching: bool,
    /// The copy is the one of the address that the source had before.
    inherited: bool,
    /// Lines of the last copy that are no content line, and were left out.
    junk_lines: usize,
    /// The host to which it has moved for good.
    moved_to: Option<Arc<str>>,
    /// How each way in its `egress` stands, in that order.
    ways: Vec<Way>,
    trouble: Option<Trouble>,
    quarantine: Option<Aside>,
}

#[derive(Debug, Serialize)]
struct Certificate {
    /// Nothing while there is none yet, and without TLS.
    until: Option<String>,
    /// When the next one is ordered; nothing while that is being done, and where it is in files.
    next_try: Option<String>,
    trouble: Option<Refused>,
}

/// Why the latest order gave none.
#[derive(Debug, Serialize)]
struct Refused {
    words: String,
    tried: String,
    failures: u32,
}

#[derive(Debug, Serialize)]
struct Way {
    kind: &'static str,
    state: &'static str,
    since: Option<String>,
    last_error: Option<String>,
}

#[derive(Debug, Serialize)]
struct Feed {
    sources: Vec<Arc<str>>,
    /// Sources that are left out because they have no copy yet.
    left_out: Vec<Arc<str>>,
    /// What rules made of the events of the edition at hand; nothing while none is.
    edition: Option<Edition>,
}

#[derive(Debug, Serialize)]
struct Edition {
    events: usize,
    kept: usize,
    hidden: usize,
    outside_window: usize,
    doubles: usize,
    /// To how many events each rule applied: a rule that has stopped matching shows here.
    rules: Vec<RuleTally>,
}

#[derive(Debug, Serialize)]
struct RuleTally {
    rule: Arc<str>,
    applied: usize,
}

#[derive(Debug, Serialize)]
struct Trouble {
    reason: &'static str,
    words: String,
    advice: &'static str,
    since: String,
    failures: u32,
}

#[derive(Debug, Serialize)]
struct Aside {
    events: usize,
    since: String,
    agreed: u32,
}

impl Admin {
    /// Private routes over `front`.
    pub fn new(front: Arc<Front>) -> Self {
        Self { front }
    }

    /// Answers one request.
    pub async fn answer<B>(&self, request: &Request<B>) -> Answer {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return answer::method_not_allowed();
        }
        match request.uri().path() {
            "/metrics" => self.metrics().await,
            "/status.json" => self.status().await,
            "/healthz" | "/readyz" => answer::plain(StatusCode::OK, "ok\n"),
            _ => answer::unknown(),
        }
    }

    async fn metrics(&self) -> Answer {
        let readings = self.readings().await;
        match self.front.metrics.expose(&readings) {
            Ok(text) => {
                let mut answer = answer::plain(StatusCode::OK, "");
                *answer.body_mut() = text.into();
                let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
                answer.headers_mut().insert(CONTENT_TYPE, kind);
                answer
            }
            Err(cause) => {
                error!(error = %cause, "metrics could not be written");
                answer::plain(StatusCode::INTERNAL_SERVER_ERROR, "Metrics could not be written.\n")
            }
        }
    }

    async fn readings(&self) -> Readings {
        let directory = self.front.directory();
        let now = self.front.clock.now();
        let mut states: BTreeMap<&'static str, i64> =
            ["waiting", "no_copy", "quarantine", "failing", "fresh"].map(|state| (state, 0)).into();
        let mut oldest = 0;
        for (_, upstream) in &directory.sources {
            let standing = upstream.standing();
            *states.entry(standing.as_str()).or_default() += 1;
            oldest = oldest.max(standing.snapshot.map_or(0, |copy| now.since(copy.confirmed_at).as_secs()));
        }
        let (editions, edition_bytes) = self.front.publisher.cached().await;
        let mut fetches: Vec<_> = self.front.refresher.tally().into_iter().collect();
        fetches.sort_unstable();
        let mut tries: Vec<_> = self.front.refresher.tries().into_iter().collect();
        tries.sort_unstable();
        let expiry = self.front.certificates.validity().map(|validity| validity.until);
        Readings {
            fetches,
            tries,
            sources: states.into_iter().collect(),
            certificate_expiry: expiry.map_or(0, |until| i64::try_from(until.as_secs()).unwrap_or(i64::MAX)),
            certificate_failures: self.front.certificates.outlook().trouble.as_ref().map_or(0, |it| it.failures.into()),
            oldest_confirmation_seconds: i64::try_from(oldest).unwrap_or(i64::MAX),
            devices: i64::try_from(directory.catalog.devices()).unwrap_or(i64::MAX),
            editions: i64::try_from(editions).unwrap_or(i64::MAX),
            edition_bytes: i64::try_from(edition_bytes).unwrap_or(i64::MAX),
        }
    }

    async fn status(&self) -> Answer {
        let (directory, now) = (self.front.directory(), self.front.clock.now());
        let (editions, edition_bytes) = self.front.publisher.cached().await;
        let sources =
            directory.sources.iter().map(|(name, upstream)| (Arc::clone(name), source(upstream.standing(), now)));
        let status = Status {
            version: env!("CARGO_PKG_VERSION"),
            now: now.to_string(),
            sources: sources.collect(),
            feeds: self.feeds(&directory).await,
            certificate: certificate(&self.front.certificates),
            editions,
            edition_bytes,
        };
        answer::json(StatusCode::OK, &status)
    }
}

impl Admin {
    async fn feeds(&self, directory: &Directory) -> BTreeMap<Arc<str>, Feed> {
        let mut feeds = BTreeMap::new();
        for served in directory.feeds.values().flatten() {
            if feeds.contains_key(&served.feed.id) {
                continue;
            }
            let edition = self.front.publisher.at_hand(served).await;
            feeds.insert(Arc::clone(&served.feed.id), feed(served, edition.map(|edition| edition.tally.clone())));
        }
        feeds
    }
}

fn feed(served: &Served, tally: Option<Tally>) -> Feed {
    let sources = served.feed.sources.iter().zip(&served.upstreams);
    let left_out = sources.filter(|(_, upstream)| upstream.digest().is_none()).map(|(source, _)| Arc::clone(source));
    let names = served.feed.recipe.rules.rules.iter().map(|rule| Arc::clone(&rule.name));
    Feed {
        sources: served.feed.sources.clone(),
        left_out: left_out.collect(),
        edition: tally.map(|tally| Edition {
            events: tally.entries,
            kept: tally.kept,
            hidden: tally.hidden,
            outside_window: tally.outside,
            doubles: tally.doubles,
            rules: names.zip(tally.applied).map(|(rule, applied)| RuleTally { rule, applied }).collect(),
        }),
    }
}

fn certificate(certificates: &Certificates) -> Certificate {
    let outlook = certificates.outlook();
    Certificate {
        until: certificates.validity().map(|validity| validity.until.to_string()),
        next_try: outlook.next_try.map(|next| next.to_string()),
        trouble: outlook.trouble.as_ref().map(|trouble| Refused {
            words: trouble.words.clone(),
            tried: trouble.tried_at.to_string(),
            failures: trouble.failures,
        }),
    }
}

fn source(standing: Standing, now: Timestamp) -> Source {
    let copy = standing.snapshot.as_ref();
    Source {
        state: standing.as_str(),
        events: copy.map(|copy| copy.entries),
        size_bytes: copy.map(|copy| copy.size),
        changed: copy.map(|copy| copy.changed_at.to_string()),
        confirmed: copy.map(|copy| copy.confirmed_at.to_string()),
        age_seconds: copy.map(|copy| now.since(copy.confirmed_at).as_secs()),
        next_fetch: standing.next.map(|next| next.to_string()),
        fetching: standing.fetching,
        inherited: copy.is_some_and(|copy| copy.inherited),
        junk_lines: standing.junk,
        moved_to: standing.moved_to,
        ways: standing.ways.into_iter().map(way).collect(),
        trouble: standing.failing.map(|failing| Trouble {
            reason: failing.reason,
            words: failing.words,
            advice: failing.advice,
            since: failing.since.to_string(),
            failures: failing.failures,
        }),
        quarantine: standing.quarantine.map(|kept| Aside {
            events: kept.snapshot.entries,
            since: kept.since.to_string(),
            agreed: kept.agreed,
        }),
    }
}

fn way(standing: WayStanding) -> Way {
    let WayStanding { kind, state, since, words } = standing;
    Way { kind, state, since: since.map(|since| since.to_string()), last_error: words }
}
