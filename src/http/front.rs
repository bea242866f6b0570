//! The public routes. A request's life is [`Front::answer`], read from top to bottom.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::{Method, Request, StatusCode};
use hyper::body::Body;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{Level, debug, enabled, error, info};

use super::answer::{self, Age, Answer, Dates};
use super::caller::{Peer, TrustedProxies, agent};
use super::edge::EdgeCache;
use super::framing::{is_other_method, is_well_framed};
use super::limits::{Limits, Rates};
use super::metrics::Metrics;
use super::probe::Probe;
use super::route::{Route, route};
use super::{conditional, health, negotiate, page};
use crate::clock::Clock;
use crate::feed::{Catalog, Coding, Found};
use crate::page::Pages;
use crate::publisher::{FeedsByUpstream, Published, Publisher, Served};
use crate::refresh::{Refresher, Upstream};
use crate::status::{Listed, Subscription, Usage};
use crate::tls::Certificates;

/// How soon a client may come back for a feed that has no copy; no sooner is its source asked again for a client's sake.
const RETRY_WITHOUT_COPY: Duration = crate::refresh::WAKE_AFTER;

/// How the public routes behave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrontOptions {
    /// Proxies whose headers are believed.
    pub trusted_proxies: TrustedProxies,
    /// What a client may do in a minute.
    pub rates: Rates,
    /// How far a client's clock may be from ours.
    pub since_margin: Duration,
    /// How long a request waits for a feed's first copy. iOS gives up after 20 s.
    pub first_wait: Duration,
    /// Whether a cache at the edge may keep answers.
    pub edge_cache: Option<EdgeCache>,
}

impl FrontOptions {
    /// How much later than a publication a client's own date must be to count: an edge may have given it the edition
    /// before for a while.
    fn since_margin(&self) -> Duration {
        self.since_margin + self.edge_cache.as_ref().map_or(Duration::ZERO, EdgeCache::lag)
    }
}

/// All that a reload replaces, as one.
#[derive(Debug)]
pub struct Directory {
    /// Where tokens lead.
    pub catalog: Catalog<Subscription>,
    /// Every feed with its devices, in the order of their names.
    pub listed: Vec<Listed>,
    /// The feeds of every upstream.
    pub feeds: FeedsByUpstream,
    /// The upstream of every source, by the source's name.
    pub sources: Vec<(Arc<str>, Arc<Upstream>)>,
    /// How requests are answered.
    pub options: FrontOptions,
    /// What the addresses of subscriptions start with.
    pub public_url: String,
}

/// The public routes and what they need.
#[derive(Debug)]
pub struct Front {
    pub(super) directory: ArcSwap<Directory>,
    installed: watch::Sender<()>,
    pub(super) publisher: Arc<Publisher>,
    pages: Pages,
    pub(super) refresher: Refresher,
    pub(super) metrics: Arc<Metrics>,
    pub(super) certificates: Arc<Certificates>,
    pub(super) clock: Clock,
    pub(super) dates: Dates,
    limits: ArcSwap<Limits>,
    /// What `calferry doctor` asks.
    probe: Probe,
}

impl Front {
    /// The public routes, ready to answer.
    pub fn new(
        directory: Directory,
        publisher: Arc<Publisher>,
        refresher: Refresher,
        metrics: Arc<Metrics>,
        certificates: Arc<Certificates>,
        clock: Clock,
        probe: Probe,
    ) -> Self {
        let limits = ArcSwap::from_pointee(Limits::new(directory.options.rates));
        let (directory, installed) = (ArcSwap::from_pointee(directory), watch::Sender::new(()));
        let pages = Pages::new(Arc::clone(&publisher));
        let dates = Dates::new(clock.now());
        Self { directory, installed, publisher, pages, refresher, metrics, certificates, clock, dates, limits, probe }
    }

    /// Puts another directory in force. Requests under way keep the one they began with.
    pub fn install(&self, directory: Directory) {
        // What was counted is forgotten only if it is counted otherwise from now on.
        if directory.options.rates != self.directory.load().options.rates {
            self.limits.store(Arc::new(Limits::new(directory.options.rates)));
        }
        self.directory.store(Arc::new(directory));
        self.installed.send_replace(());
    }

    /// The catalog in force.
    pub fn directory(&self) -> Arc<Directory> {
        self.directory.load_full()
    }

    /// Forgets clients that have not called for a while. To be called every few seconds.
    pub fn sweep(&self) {
        self.limits.load().sweep();
    }

    /// Whether `peer` is a proxy whose word is taken.
    pub(super) fn trusts(&self, peer: Peer) -> bool {
        self.directory.load().options.trusted_proxies.contains(peer)
    }

    /// Answers one request of `peer`.
    pub async fn answer<B: Body>(&self, peer: Peer, request: &Request<B>) -> Answer {
        // Hardly any request waits, so the time is asked for by those that do.
        let mut waits_since = None;
        loop {
            // Held while a first copy is waited for, so not the guard that a short look needs.
            let directory = self.directory.load_full();
            if let Some(answer) = self.answer_by(&directory, &mut waits_since, peer, request).await {
                return answer;
            }
        }
    }

    /// Answers by `directory`; `None` if another was installed while a copy was waited for.
    async fn answer_by<B: Body>(
        &self,
        directory: &Arc<Directory>,
        waits_since: &mut Option<Instant>,
        peer: Peer,
        request: &Request<B>,
    ) -> Option<Answer> {
        let client = directory.options.trusted_proxies.client(peer, request.headers());
        let (Ok(client), true) = (client, is_well_framed(request)) else {
            self.metrics.refused.inc();
            return Some(answer::bad_request());
        };
        let route = route(request.uri().path());
        let token = match route {
            _ if is_other_method(request) => None,
            Route::Alive | Route::Ready | Route::Robots => None,
            Route::Feed(token) | Route::Page(token) | Route::Health(token) => Some(token),
            Route::Probe(token) => return Some(self.probed(token, peer, client, request)),
        };
        let Some(token) = token else { return Some(self.without_token(client, &route, request)) };
        let limits = self.limits.load();
        let device = match directory.catalog.find(token, self.clock.now().as_secs()) {
            // It was counted before it waited.
            Found::Feed(device, _) if waits_since.is_some() => Ok(device),
            // By its token: many phones share a carrier's address, and none may lock the others out.
            Found::Feed(device, name) => limits.token(name).map(|()| device),
            Found::Revoked => {
                return Some(self.revoked(client, matches!(route, Route::Page(_)).then_some(request)));
            }
            Found::Unknown => return Some(self.unknown(client)),
        };
        let Subscription { served, usage, .. } = match device {
            Ok(device) => device,
            Err(wait) => return Some(self.too_many(wait)),
        };
        drop(limits);
        match route {
            Route::Health(_) => {
                let standings: Vec<_> = served.upstreams.iter().map(|upstream| upstream.standing()).collect();
                return Some(health::answer(&standings, self.clock.now()));
            }
            Route::Page(token) => {
                let url = format!("{}{token}.ics", directory.public_url);
                return Some(Box::pin(self.page(served, url, request)).await);
            }
            _ => {}
        }
        match self.published(served, waits_since, directory).await {
            Ok(found) => Some(self.feed((served, usage), &directory.options, request, found).await),
            Err(Missing::Replaced) => None,
            Err(Missing::Later(wait)) => Some(self.no_copy(served, wait)),
        }
    }

    /// The page of `served`, whose subscription is at `url`. It never waits for an upstream: it says so itself if there is
    /// no calendar yet.
    async fn page<B>(&self, served: &Served, url: String, request: &Request<B>) -> Answer {
        let published = self.publisher.current(served).await.ok();
        if published.is_none() {
            for upstream in served.upstreams.iter().filter(|upstream| upstream.digest().is_none()) {
                self.refresher.wake(upstream);
            }
        }
        let id = &served.feed.id;
        match page::page(&self.pages, (served, published), request, url, self.clock.now()).await {
            Ok(answer) => {
                self.metrics.pages.inc();
                info!(target: "calferry::access", feed = %id, http.status = 200, "{} page of feed `{id}` → 200", request.method());
                answer
            }
            Err(error) => {
                error!(feed = %id, %error, "the page of feed `{id}` cannot be made");
                answer::come_back(StatusCode::SERVICE_UNAVAILABLE, "The page cannot be shown.\n", RETRY_WITHOUT_COPY)
            }
        }
    }

    /// What everybody may ask, so often.
    fn without_token<B>(&self, client: Peer, route: &Route<'_>, request: &Request<B>) -> Answer {
        if let Err(spent) = self.limits.load().request(client) {
            return self.too_many(spent.wait);
        }
        if is_other_method(request) {
            self.metrics.refused.inc();
            return answer::method_not_allowed();
        }
        match route {
            Route::Robots => answer::plain(StatusCode::OK, "User-agent: *\nDisallow: /\n"),
            _ => answer::plain(StatusCode::OK, "ok\n"),
        }
    }

    fn probed<B>(&self, token: &str, peer: Peer, client: Peer, request: &Request<B>) -> Answer {
        let Some(name) = self.probe.find(token) else { return self.unknown(client) };
        match self.limits.load().token(name) {
            Ok(()) => {
                let ranges = self.directory.load().options.trusted_proxies.cloudflare();
                self.probe.answer((peer, client), &ranges, self.clock.now(), request)
            }
            Err(wait) => self.too_many(wait),
        }
    }

    async fn feed<B>(
        &self,
        (served, usage): (&Served, &Usage),
        options: &FrontOptions,
        request: &Request<B>,
        (published, waited): (Arc<Published>, bool),
    ) -> Answer {
        let now = self.clock.now();
        let age = Age::of(&served.upstreams, waited, now);
        let (edition, headers) = (&published.edition, request.headers());
        let coding = negotiate::coding(headers, edition);
        let margin = conditional::Margin { behind: options.since_margin(), ahead: options.since_margin };
        let not_modified = conditional::is_current(headers, edition, published.at, now, margin);
        let mut answer = if not_modified {
            answer::not_modified(&published, coding, age, now)
        } else {
            match self.publisher.body(&published, coding).await {
                Ok(body) => answer::found(&published, coding, body, age, now),
                Err(_) => return self.no_copy(served, RETRY_WITHOUT_COPY),
            }
        };
        if let Some(edge) = &options.edge_cache {
            edge.tell(answer.headers_mut(), published.at, margin.behind, now);
        }
        let bytes = if not_modified || request.method() == Method::HEAD { 0 } else { edition.len(coding) };
        self.metrics.served(age.freshness, not_modified, bytes);
        if request.method() == Method::GET {
            usage.count(now, agent(headers), not_modified, edition.len(coding), edition.len(Coding::Identity));
        }
        if enabled!(target: "calferry::access", Level::INFO) {
            let (id, status, word) = (&served.feed.id, answer.status().as_u16(), age.freshness.as_str());
            let agent = agent(headers);
            info!(
                target: "calferry::access", feed = %id, http.status = status, served = word, coding = coding.as_str(), bytes, agent,
                "{} feed `{id}` → {status} ({word})", request.method()
            );
        }
        answer
    }

    /// The current edition, and whether it had to be waited for. `Err` says when to come back.
    async fn published(
        &self,
        served: &Served,
        waits_since: &mut Option<Instant>,
        directory: &Arc<Directory>,
    ) -> Result<(Arc<Published>, bool), Missing> {
        // A merged feed without one of its calendars makes a phone delete them: the first fetches are waited for.
        let several = served.upstreams.len() > 1;
        let is_awaited = several && served.upstreams.iter().any(|upstream| upstream.is_awaited());
        if !is_awaited && let Some(published) = self.publisher.at_hand(served).await {
            return Ok((published, false));
        }
        let waited = waits_since.get_or_insert_with(Instant::now).elapsed();
        let first_wait = directory.options.first_wait.saturating_sub(waited);
        // A source that has moved takes its copy along, and then only another directory finds it.
        let mut installed = self.installed.subscribe();
        if !Arc::ptr_eq(directory, &self.directory.load()) {
            return Err(Missing::Replaced);
        }
        let wait = async {
            tokio::select! {
                biased;
                found = self.wait(served, is_awaited, first_wait) => found,
                _ = installed.changed() => Err(Missing::Replaced),
            }
        };
        // Its state is not a burden to those who do not wait.
        Box::pin(wait).await
    }

    async fn wait(
        &self,
        served: &Served,
        is_awaited: bool,
        first_wait: Duration,
    ) -> Result<(Arc<Published>, bool), Missing> {
        if !is_awaited && let Ok(published) = self.publisher.current(served).await {
            return Ok((published, false));
        }
        let later = RETRY_WITHOUT_COPY;
        // They were asked a moment ago, gave nothing, and are not asked again so soon: waiting would help nobody.
        let rests = served.upstreams.iter().map(|upstream| upstream.rests_since());
        if let Some(failed) = rests.min().flatten() {
            let ago = self.clock.now().since(failed);
            if let Some(rest) = later.checked_sub(ago).filter(|rest| !rest.is_zero()) {
                return Err(Missing::Later(rest));
            }
        }
        // Waited for by all alike; who hangs up leaves the fetch to the others.
        let waiting = served.upstreams.iter().filter(|upstream| upstream.digest().is_none());
        let waiting: Vec<_> = waiting.collect();
        for upstream in &waiting {
            self.refresher.wake(upstream);
        }
        let all = async {
            for upstream in &waiting {
                upstream.has_copy().await;
            }
        };
        // However that ends, what there is then is served.
        let _ = tokio::time::timeout(first_wait, all).await;
        self.publisher.current(served).await.map(|published| (published, true)).map_err(|_| Missing::Later(later))
    }

    fn no_copy(&self, served: &Served, wait: Duration) -> Answer {
        self.metrics.no_copy.inc();
        let id = &served.feed.id;
        info!(target: "calferry::access", feed = %id, http.status = 503, "GET feed `{id}` → 503 (no copy yet)");
        answer::come_back(StatusCode::SERVICE_UNAVAILABLE, "The calendar is not here yet.\n", wait)
    }

    /// The answer for a revoked device: in words if it is a browser that asks for the page.
    fn revoked<B>(&self, client: Peer, for_page: Option<&Request<B>>) -> Answer {
        if let Err(spent) = self.limits.load().request(client) {
            return self.too_many(spent.wait);
        }
        self.metrics.revoked.inc();
        for_page.map_or_else(answer::gone, page::revoked)
    }

    fn unknown(&self, client: Peer) -> Answer {
        if let Err(spent) = self.limits.load().request(client) {
            return self.too_many(spent.wait);
        }
        if let Err(spent) = self.limits.load().wrong_token(client) {
            debug!(?client, whose = ?spent.whose, "too many wrong tokens");
            return self.too_many(spent.wait);
        }
        self.metrics.unknown.inc();
        answer::unknown()
    }

    fn too_many(&self, wait: Duration) -> Answer {
        self.metrics.limited.inc();
        answer::come_back(StatusCode::TOO_MANY_REQUESTS, "Too many requests.\n", wait)
    }
}

/// Why there is nothing to serve.
enum Missing {
    /// Another directory is in force now, and may know better.
    Replaced,
    /// There is no copy yet; when to come back.
    Later(Duration),
}
