//! The private routes, for the person with the server and their monitors: the status page, metrics and status.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, StatusCode};
use hyper::body::Body;
use tracing::error;

use super::answer::{self, Answer};
use super::caller::Peer;
use super::forms::Forms;
use super::front::Front;
use super::guard::{Guard, Password};
use super::metrics::Readings;
use super::status_page;
use crate::clock::Timestamp;
use crate::status::{Listed, Outline, STATES, Shown, Slice, Status, TROUBLED, View, certificate, feed, source};

/// The private routes. They read what the public ones use.
#[derive(Debug)]
pub struct Admin {
    pub(super) front: Arc<Front>,
    pub(super) forms: Forms,
    guard: Option<Guard>,
    started: Timestamp,
}

impl Admin {
    /// Private routes over `front`, for who knows the password if there is one. `secret` proves that forms come of this
    /// program's pages.
    pub fn new(front: Arc<Front>, secret: [u8; 32], password: Option<Password>) -> Self {
        let guard = password.map(|password| Guard::new(password, &secret));
        let started = front.clock.now();
        Self { front, forms: Forms::new(secret), guard, started }
    }

    /// Whether only who knows a password gets here.
    pub(super) fn has_password(&self) -> bool {
        self.guard.is_some()
    }

    /// Answers one request of `peer`.
    pub async fn answer<B: Body<Error: Into<Box<dyn std::error::Error + Send + Sync>>>>(
        &self,
        peer: Peer,
        request: Request<B>,
    ) -> Answer {
        if let Some(guard) = &self.guard {
            let directory = self.front.directory();
            let Ok(client) = directory.options.trusted_proxies.client(peer, request.headers()) else {
                return answer::bad_request();
            };
            if let Err(refusal) = guard.admit(client, request.headers()).await {
                return refusal.answer(status_page::language(request.headers()));
            }
        }
        if request.uri().path() == "/accept" {
            return self.accept(request).await;
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return answer::method_not_allowed();
        }
        match request.uri().path() {
            "/" => self.page(&request).await,
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
        let mut states: BTreeMap<&'static str, i64> = STATES.map(|state| (state, 0)).into();
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
        let sources = directory.sources.iter().map(|(name, upstream)| (Arc::clone(name), source(upstream, now)));
        let status = Status {
            outline: self.outline(now).await,
            sources: sources.collect(),
            feeds: self.feeds(&directory.listed, now).await.into_iter().collect(),
        };
        answer::json(StatusCode::OK, &status)
    }

    async fn outline(&self, now: Timestamp) -> Outline {
        let (editions, edition_bytes) = self.front.publisher.cached().await;
        let certificate = certificate(&self.front.certificates, now);
        let up_seconds = now.since(self.started).as_secs();
        let version = env!("CARGO_PKG_VERSION");
        Outline { version, now: now.to_string(), editions, edition_bytes, up_seconds, certificate }
    }

    async fn feeds<'a>(
        &self,
        listed: impl IntoIterator<Item = &'a Listed>,
        now: Timestamp,
    ) -> Vec<(Arc<str>, crate::status::Feed)> {
        let mut feeds = Vec::new();
        for listed in listed {
            let edition = self.front.publisher.at_hand(&listed.served).await;
            feeds.push((Arc::clone(&listed.served.feed.id), feed(listed, edition.as_deref(), now)));
        }
        feeds
    }

    async fn page<B>(&self, request: &Request<B>) -> Answer {
        let view = status_page::view(request);
        let shown = self.shown(view).await;
        status_page::answer(request, shown).await
    }

    /// What a page shows. Only what is on it is looked at closely.
    async fn shown(&self, view: View) -> Shown {
        let (directory, now) = (self.front.directory(), self.front.clock.now());
        let place = |state| STATES.iter().position(|known| *known == state).unwrap_or_default();
        let mut counts = [0; STATES.len()];
        let mut chosen = Vec::new();
        for (number, (_, upstream)) in directory.sources.iter().enumerate() {
            let state = upstream.state();
            if let Some(count) = counts.get_mut(place(state)) {
                *count += 1;
            }
            let is_shown = match view.state {
                Some(TROUBLED) => state != "fresh",
                Some(wanted) => state == wanted,
                None => true,
            };
            if is_shown {
                chosen.push((place(state), number));
            }
        }
        // The worst first; the settings' order among those that are alike.
        chosen.sort_unstable();
        let Slice { items, page, pages } = Slice::of(chosen.into_iter(), view.sources);
        let sources = items.into_iter().filter_map(|(_, number)| directory.sources.get(number));
        let sources = sources.map(|(name, upstream)| {
            let found = source(upstream, now);
            let proof = found.quarantine.as_ref().map(|kept| self.forms.proof(name, &kept.digest));
            (Arc::clone(name), found, proof)
        });
        let sources = Slice { items: sources.collect(), page, pages };
        let Slice { items, page, pages } = Slice::of(directory.listed.iter(), view.feeds);
        let feeds = Slice { items: self.feeds(items, now).await, page, pages };
        let view = View { sources: sources.page, feeds: feeds.page, ..view };
        Shown { view, outline: self.outline(now).await, counts, sources, feeds }
    }
}
