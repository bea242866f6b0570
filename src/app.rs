//! Builds all parts from settings, in the order in which they need one another, and owns every task until the end.

mod certificate;
mod directory;
mod key;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use self::directory::directory;
use crate::acme::Keeper;
use crate::clock::Clock;
use crate::feed::Key;
use crate::http::{Admin, Clients, Front, Handed, Listen, Listener, Metrics, Places, Probe, Server};
use crate::publisher::Publisher;
use crate::refresh::{Bounds, Change, Plan, Refresher};
use crate::settings::{self, Settings};
use crate::source::{Client, Fetch, Reach, roots};
use crate::store::{Access, Store, UpstreamId};
use crate::tls::{Certificates, Tls};

pub use certificate::with_sound_certificates;
pub use key::{load_key, prepare_state_dir, read_key};

/// How often clients that have gone quiet are forgotten.
const SWEEP_EVERY: Duration = Duration::from_secs(10);
/// How often the operator is reminded of what gets old.
const REMIND_EVERY: Duration = Duration::from_hours(24);
/// Connections to the private listener at once.
const ADMIN_CONNECTIONS: usize = 64;
/// Of one client, where others than this machine can be one.
const ADMIN_CONNECTIONS_PER_CLIENT: usize = 16;

/// A running server.
#[derive(Debug)]
pub struct App {
    /// Without the sources and feeds: those live on in the refresher and the catalog, and there can be many.
    settings: Settings,
    key: Key,
    clock: Clock,
    /// What the file of `client_ca` held when it was read.
    client_ca: Option<blake3::Hash>,
    front: Arc<Front>,
    refresher: Refresher,
    listening: Vec<SocketAddr>,
    places: Vec<String>,
    admin_listening: Option<SocketAddr>,
    certificates: Arc<Certificates>,
    metrics: Arc<Metrics>,
    /// Rung when the operator wants a certificate tried again.
    bell: Option<Arc<Notify>>,
    /// Ends the listeners.
    drain: CancellationToken,
    /// Ends everything else, once they have.
    stop: CancellationToken,
    listeners: TaskTracker,
    tasks: TaskTracker,
}

impl App {
    /// Builds and starts everything. When it returns, the listeners are bound and every copy that was stored is being
    /// served.
    ///
    /// # Errors
    /// If a part cannot be built: the state folder, the store, a listener.
    pub async fn start(settings: Settings) -> anyhow::Result<Self> {
        let roots = roots(settings.fetch.ca_file.as_deref()).context("fetch.ca_file")?;
        let client = Client::new(settings.fetch.options, &roots);
        Self::start_with(settings, client, Clock::System).await
    }

    /// The same with another way to fetch and another clock.
    ///
    /// # Errors
    /// As [`App::start`].
    pub async fn start_with(settings: Settings, fetch: impl Fetch, clock: Clock) -> anyhow::Result<Self> {
        prepare_state_dir(&settings.state_dir)?;
        let key = load_key(&settings.state_dir)?;
        let store = Arc::new(Store::open(&settings.state_dir, Access::Serve)?);
        let (drain, stop, tasks) = (CancellationToken::new(), CancellationToken::new(), TaskTracker::new());
        let (tell, changed) = mpsc::channel(256);
        let (refresher, driving) =
            Refresher::start(fetch, Arc::clone(&store), clock, bounds(&settings), tell, stop.clone());
        tasks.spawn(driving);
        let upstreams = refresher.adopt(plans(&settings, &key)).await?;
        let certificates = Arc::new(Certificates::default());
        let keeper = certificate::keeper(&settings, &store, &certificates, clock)?;
        let tls = certificate::tls(&settings, &certificates, keeper.as_ref(), clock)?;
        let metrics = Arc::new(Metrics::with_places(settings.server.max_connections));
        let publisher = Arc::new(Publisher::new(store, refresher.clone(), clock, settings.edition_budget));
        let front = Arc::new(Front::new(
            directory(&settings, &key, &upstreams, None),
            Arc::clone(&publisher),
            refresher.clone(),
            Arc::clone(&metrics),
            Arc::clone(&certificates),
            clock,
            Probe::new(&key),
        ));
        let (listeners, admin_listener) = open_listeners(&settings.server).await?;
        let app = Self {
            listening: listeners.iter().filter_map(Listener::tcp).collect(),
            places: listeners.iter().map(Listener::to_string).collect(),
            admin_listening: admin_listener.as_ref().and_then(Listener::tcp),
            certificates,
            metrics,
            bell: keeper.as_ref().map(Keeper::bell),
            client_ca: certificate::client_ca(&settings),
            settings: without_contents(settings),
            key,
            clock,
            front,
            refresher,
            drain,
            stop,
            listeners: TaskTracker::new(),
            tasks,
        };
        app.listen(listeners, admin_listener, tls.as_ref())?;
        app.look_after(publisher, changed, clock);
        if let Some(keeper) = keeper {
            app.tasks.spawn(keeper.run(app.stop.clone()));
        }
        if app.settings.server.tls.is_some() {
            app.tasks.spawn(certificate::warn_of_its_end(Arc::clone(&app.certificates), clock, app.stop.clone()));
        }
        Ok(app)
    }

    fn listen(&self, listeners: Vec<Listener>, admin: Option<Listener>, tls: Option<&Tls>) -> anyhow::Result<()> {
        let settings = &self.settings.server;
        let (places, clients) = (Places::new(settings.max_connections, "max_connections"), Clients::default());
        for listener in listeners {
            let public = Server {
                routes: Arc::clone(&self.front),
                patience: settings.patience,
                places: Arc::clone(&places),
                connections_per_client: settings.connections_per_client,
                clients: Arc::clone(&clients),
                tls: tls.cloned(),
                metrics: Arc::clone(&self.metrics),
            };
            self.listeners.spawn(public.run(listener, self.drain.clone()));
        }
        if let Some(admin) = admin {
            let mut secret = [0; 32];
            getrandom::fill(&mut secret).context("the system gives no random numbers")?;
            let private = Server {
                routes: Arc::new(Admin::new(Arc::clone(&self.front), secret, settings.admin_password.clone())),
                patience: settings.patience,
                places: Places::new(ADMIN_CONNECTIONS, "the private listener's"),
                connections_per_client: ADMIN_CONNECTIONS_PER_CLIENT,
                clients: Clients::default(),
                tls: None,
                metrics: Arc::new(Metrics::default()),
            };
            self.listeners.spawn(private.run(admin, self.drain.clone()));
        }
        Ok(())
    }

    /// The tasks beside the listeners: new editions for those that are being read, forgetting quiet clients, and
    /// reminding the operator.
    fn look_after(&self, publisher: Arc<Publisher>, mut changed: mpsc::Receiver<Change>, clock: Clock) {
        let (front, stop) = (Arc::clone(&self.front), self.stop.clone());
        self.tasks.spawn(async move {
            while let Some(Some(change)) = stop.run_until_cancelled(changed.recv()).await {
                let directory = front.directory();
                publisher.follow(change, directory.feeds.of(&change.upstream)).await;
            }
        });
        let (front, stop) = (Arc::clone(&self.front), self.stop.clone());
        self.tasks.spawn(async move { stop.run_until_cancelled(Self::remind(front, clock)).await });
        let (front, stop) = (Arc::clone(&self.front), self.stop.clone());
        self.tasks.spawn(async move {
            let mut sweep = tokio::time::interval(SWEEP_EVERY);
            while stop.run_until_cancelled(sweep.tick()).await.is_some() {
                front.sweep();
            }
        });
    }

    /// Says once a day what is about to be wrong without anything having changed.
    async fn remind(front: Arc<Front>, clock: Clock) {
        let mut daily = tokio::time::interval(REMIND_EVERY);
        loop {
            daily.tick().await;
            if let Some(copied) = front.directory().options.trusted_proxies.outdated(clock.now().date()) {
                warn!(%copied, "Cloudflare's address ranges were copied on {copied}, over a year ago; clients may be told apart by wrong addresses. Name a newer copy by server.cloudflare_ranges_file, or update calferry");
            }
        }
    }

    /// Puts other settings in force: sources, feeds, and how requests are answered. Listeners and bounds keep theirs
    /// until a restart, which is said.
    ///
    /// # Errors
    /// If the store cannot be read or written; then the old settings stay in force.
    pub async fn reload(&mut self, settings: Settings) -> anyhow::Result<()> {
        let upstreams = self.refresher.adopt(plans(&settings, &self.key)).await?;
        let before = self.front.directory();
        self.front.install(directory(&settings, &self.key, &upstreams, Some(&before)));
        let old = &self.settings;
        let same_but_front = settings::Server { front: old.server.front.clone(), ..settings.server.clone() };
        for (what, same) in [
            ("server", old.server == same_but_front),
            ("fetch", old.fetch == settings.fetch),
            ("state_dir", old.state_dir == settings.state_dir),
            ("edition_budget", old.edition_budget == settings.edition_budget),
        ] {
            if !same {
                warn!("a change of {what} takes effect after a restart");
            }
        }
        info!(sources = settings.sources.len(), feeds = settings.feeds.len(), "settings are in force");
        self.settings = without_contents(settings);
        Ok(())
    }

    /// Reads the certificate again, if it is in files. One that cannot be used leaves the one in force as it is. Says so if
    /// the clients' authority is another one by now.
    pub fn renew_certificate(&self) {
        let files = self.settings.server.tls.as_ref().and_then(settings::Encryption::files);
        if let Some(files) = files
            && let Err(cause) = certificate::install(files, &self.certificates, self.clock.now())
        {
            error!(error = format!("{cause:#}"), "the certificate is refused; the one before stays in force");
        }
        if certificate::client_ca(&self.settings) != self.client_ca {
            warn!("the file of server.tls.client_ca has changed: that takes effect after a restart");
        }
    }

    /// Has a certificate ordered again whose order has failed, a quarter of an hour after that at the soonest.
    pub fn order_again(&self) {
        if let Some(bell) = &self.bell {
            bell.notify_one();
        }
    }

    /// Whether the parts that everything depends on still answer.
    pub async fn is_alive(&self) -> bool {
        self.refresher.answers().await
    }

    /// Stops in order: no new connections; requests under way have as long as the settings give them; then the
    /// refresher writes what it knows. `false` if requests had to be cut off.
    pub async fn stop(self) -> bool {
        self.drain.cancel();
        self.listeners.close();
        let drained = tokio::time::timeout(self.settings.server.drain, self.listeners.wait()).await.is_ok();
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        drained
    }

    /// The settings in force, without the sources and feeds.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The key of this installation.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The public routes.
    pub fn front(&self) -> &Arc<Front> {
        &self.front
    }

    /// What looks after the sources.
    pub fn refresher(&self) -> &Refresher {
        &self.refresher
    }

    /// Where subscribers are served on the network: nowhere if only Unix sockets are listened on.
    pub fn listening(&self) -> &[SocketAddr] {
        &self.listening
    }

    /// Everywhere subscribers are served, in words.
    pub fn places(&self) -> &[String] {
        &self.places
    }

    /// Where metrics and status are served.
    pub fn admin_listening(&self) -> Option<SocketAddr> {
        self.admin_listening
    }
}

fn without_contents(settings: Settings) -> Settings {
    Settings { sources: Vec::new(), feeds: Vec::new(), ..settings }
}

async fn open_listeners(server: &settings::Server) -> anyhow::Result<(Vec<Listener>, Option<Listener>)> {
    let mut handed = Handed::from_env(&std::env::var("LISTEN_FDNAMES").unwrap_or_default());
    let mut listeners = Vec::new();
    for listen in &server.listen {
        listeners.extend(open("server.listen", listen, &mut handed).await?);
    }
    let Some(listen) = &server.admin_listen else { return Ok((listeners, None)) };
    let mut admin = open("server.admin_listen", listen, &mut handed).await?;
    anyhow::ensure!(
        admin.len() == 1,
        "server.admin_listen: {listen} stands for {} sockets, and one is wanted",
        admin.len()
    );
    let admin = admin.pop();
    // The settings know the address of what they name themselves; what systemd opened shows only now.
    let address = admin.as_ref().and_then(Listener::tcp);
    anyhow::ensure!(
        server.admin_password.is_some() || address.is_none_or(|address| address.ip().is_loopback()),
        "server.admin_listen: {listen} is open to others, and there is no server.admin_password to keep them out"
    );
    Ok((listeners, admin))
}

async fn open(key: &'static str, listen: &Listen, handed: &mut Handed) -> anyhow::Result<Vec<Listener>> {
    Listener::open(listen, handed).await.with_context(|| format!("{key}: cannot listen on {listen}"))
}

fn bounds(settings: &Settings) -> Bounds {
    let fetch = &settings.fetch;
    Bounds { concurrent: fetch.concurrent, host: fetch.host, calendar: fetch.limits, collapse: fetch.collapse }
}

fn plans(settings: &Settings, key: &Key) -> Vec<Plan> {
    let naming = key.derive("calferry 2026 upstream names");
    let plan = |source: &crate::settings::Source| Plan {
        source: Arc::clone(&source.name),
        upstream: upstream_id(source, &naming),
        address: source.address.clone(),
        reach: source.reach,
        ports: Arc::clone(&source.ports),
        ways: Arc::clone(&source.ways),
        pace: source.pace,
    };
    settings.sources.iter().map(plan).collect()
}

/// What a source is called in the store: its address and reach, under a key.
fn upstream_id(source: &crate::settings::Source, naming: &[u8; 32]) -> UpstreamId {
    let mut id = source.address.fingerprint(naming);
    // An answer from the private network must never be served for a source that may not reach it.
    if let (Reach::Private, Some(last)) = (source.reach, id.last_mut()) {
        *last ^= 1;
    }
    id
}

/// The name that `source` of `settings` has in the store under `state_dir`.
///
/// # Errors
/// If the key cannot be read.
pub fn stored_name(source: &crate::settings::Source, state_dir: &Path) -> anyhow::Result<UpstreamId> {
    let key = load_key(state_dir)?;
    Ok(upstream_id(source, &key.derive("calferry 2026 upstream names")))
}
