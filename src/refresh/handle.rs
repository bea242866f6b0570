//! The refresher as the rest of the program knows it: what it is told, and what can be asked of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::driver::Driver;
use super::host::HostLimits;
use super::judge::CollapseRule;
use super::schedule::Pace;
use super::upstream::Upstream;
use super::work::Tools;
use crate::calendar::Limits;
use crate::clock::Clock;
use crate::source::{Address, Fetch, Reach, Space, Way};
use crate::store::{Store, StoreError, UpstreamId};

/// How soon a reader may have an upstream without any copy asked again.
pub const WAKE_AFTER: Duration = Duration::from_secs(30);
/// Answers read at once.
const READERS: usize = 2;

/// How many fetches ended how, and how many tries by which kind of way.
#[derive(Debug, Default)]
pub(super) struct Counts {
    fetches: HashMap<&'static str, u64>,
    tries: HashMap<(&'static str, &'static str), u64>,
}

impl Counts {
    pub(super) fn count(&mut self, word: &'static str) {
        *self.fetches.entry(word).or_default() += 1;
    }

    pub(super) fn count_way(&mut self, kind: &'static str, word: &'static str) {
        *self.tries.entry((kind, word)).or_default() += 1;
    }
}

pub(super) type Tally = Arc<Mutex<Counts>>;

/// Bounds of all fetching.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Fetches at once, over all hosts.
    pub concurrent: usize,
    /// For every host.
    pub host: HostLimits,
    /// For every answer.
    pub calendar: Limits,
    /// When events count as suddenly gone.
    pub collapse: CollapseRule,
}

/// What the settings want of one source.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The source's name.
    pub source: Arc<str>,
    /// The upstream it names.
    pub upstream: UpstreamId,
    /// Where that is.
    pub address: Address,
    /// How far it may lead.
    pub reach: Reach,
    /// Ports it may lead to, if its reach is public.
    pub ports: Arc<[u16]>,
    /// The ways to it, the preferred first; never by another.
    pub ways: Arc<[Way]>,
    /// How often it is asked.
    pub pace: Pace,
}

/// One plan for each upstream: where several sources name it, the fastest pace wins.
pub(super) fn distinct(plans: Vec<Plan>) -> HashMap<UpstreamId, Plan> {
    let mut distinct: HashMap<UpstreamId, Plan> = HashMap::with_capacity(plans.len());
    for plan in plans {
        let pace = plan.pace;
        let merged = &mut distinct.entry(plan.upstream).or_insert(plan).pace;
        merged.refresh = merged.refresh.min(pace.refresh);
        merged.max_backoff = merged.max_backoff.min(pace.max_backoff);
    }
    distinct
}

/// An upstream has a new copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Which upstream.
    pub upstream: UpstreamId,
    /// The digest of the copy before.
    pub before: Option<[u8; 32]>,
}

/// What came of accepting what is kept aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It is the copy from now on.
    Done,
    /// Something else is kept aside by now, or nothing.
    Changed,
    /// The upstream is just being fetched.
    Busy,
}

pub(super) type Adopted = Result<HashMap<Arc<str>, Arc<Upstream>>, StoreError>;

pub(super) enum Command {
    Adopt(Vec<Plan>, oneshot::Sender<Adopted>),
    Wake(UpstreamId),
    Lost(UpstreamId),
    Look,
    Accept(UpstreamId, [u8; 32], oneshot::Sender<Result<Accepted, StoreError>>),
    /// Says that the driver still takes commands.
    Ping(oneshot::Sender<()>),
}

/// The refresher, to whoever uses it.
#[derive(Debug, Clone)]
pub struct Refresher {
    commands: mpsc::Sender<Command>,
    tally: Tally,
    desk: Space,
}

impl Refresher {
    /// Starts a driver without upstreams; [`Refresher::adopt`] gives it some. It ends when `stop` is cancelled, after
    /// everything that is known has been written. New copies are told to `changes`, as far as there is room.
    pub fn start<F: Fetch>(
        fetch: F,
        store: Arc<Store>,
        clock: Clock,
        bounds: Bounds,
        changes: mpsc::Sender<Change>,
        stop: CancellationToken,
    ) -> (Self, JoinHandle<()>) {
        let (commands, inbox) = mpsc::channel(1024);
        let (tally, desk) = (Tally::default(), Space::new(bounds.calendar.size));
        let tools = Tools {
            fetch,
            store,
            clock,
            limits: bounds.calendar,
            collapse: bounds.collapse,
            readers: Semaphore::new(READERS),
            desk: desk.clone(),
        };
        let driver = Driver::new(tools, bounds, changes, Arc::clone(&tally));
        let task = tokio::spawn(driver.run(inbox, stop));
        (Self { commands, tally, desk }, task)
    }

    /// Looks after the upstreams of `plans` from now on, and after no others. Returns them by source name.
    ///
    /// # Errors
    /// If the store cannot be read or written; then nothing has changed.
    pub async fn adopt(&self, plans: Vec<Plan>) -> Adopted {
        let (reply, adopted) = oneshot::channel();
        // The driver is gone only when the program is stopping, and then nobody needs the answer.
        let sent = self.commands.send(Command::Adopt(plans, reply)).await;
        match sent {
            Ok(()) => adopted.await.unwrap_or_else(|_| Ok(HashMap::new())),
            Err(_) => Ok(HashMap::new()),
        }
    }

    /// Somebody waits for `upstream`, which has no copy: it goes first, unless it was asked a moment ago.
    pub fn wake(&self, upstream: &Upstream) {
        // A full queue means that the driver has enough to do.
        let _ = self.commands.try_send(Command::Wake(upstream.id));
    }

    /// The copy of `upstream` cannot be read any more: it is fetched again.
    pub fn lost(&self, upstream: &Upstream) {
        // If the queue is full, the next reader says it again.
        let _ = self.commands.try_send(Command::Lost(upstream.id));
    }

    /// What is in the store may be news: it is looked at now.
    pub fn look(&self) {
        // If the queue is full, the next look is not far.
        let _ = self.commands.try_send(Command::Look);
    }

    /// What is kept aside of `upstream` becomes its copy, if it is still the one that has `digest`.
    ///
    /// # Errors
    /// If the store cannot be written; then nothing has changed.
    pub async fn accept(&self, upstream: &Upstream, digest: [u8; 32]) -> Result<Accepted, StoreError> {
        let (reply, accepted) = oneshot::channel();
        // The driver is gone only when the program is stopping.
        let sent = self.commands.send(Command::Accept(upstream.id, digest, reply)).await;
        match sent {
            Ok(()) => accepted.await.unwrap_or(Ok(Accepted::Busy)),
            Err(_) => Ok(Accepted::Busy),
        }
    }

    /// Where large copies are read, one after another, as far as the space goes.
    pub fn desk(&self) -> &Space {
        &self.desk
    }

    /// Whether the driver still takes commands. Cancel safe.
    pub async fn answers(&self) -> bool {
        let (reply, answered) = oneshot::channel();
        self.commands.send(Command::Ping(reply)).await.is_ok() && answered.await.is_ok()
    }

    /// How many fetches ended how, by the names of [`crate::source::FetchError::name`] and `changed`, `unchanged`.
    pub fn tally(&self) -> HashMap<&'static str, u64> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).fetches.clone()
    }

    /// How many tries by which kind of way ended how: `answered`, or an error's name.
    pub fn tries(&self) -> HashMap<(&'static str, &'static str), u64> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).tries.clone()
    }
}
