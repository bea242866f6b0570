//! The loop that owns every upstream's schedule.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, mpsc, oneshot};
use tokio::task::{Id, JoinError, JoinHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tokio_util::time::DelayQueue;
use tokio_util::time::delay_queue::Key;
use tracing::{debug, error, info, warn};

use super::host::{Ended, Host, HostLimits, May};
use super::judge::CollapseRule;
use super::schedule::Pace;
use super::upstream::{Failing, Standing, Upstream};
use super::work::{Job, Outcome, Tools, refresh};
use crate::calendar::Limits;
use crate::clock::Clock;
use crate::source::{Address, Fetch, FetchError, Reach};
use crate::store::{Known, Store, StoreError, UpstreamId};

/// How confirmations reach the disk, and how soon another process's changes are seen.
const FLUSH_EVERY: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How soon a reader may have an upstream without any copy asked again.
pub const WAKE_AFTER: Duration = Duration::from_secs(30);
/// Answers read at once.
const READERS: usize = 2;

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
    /// How often it is asked.
    pub pace: Pace,
}

/// An upstream has a new copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Which upstream.
    pub upstream: UpstreamId,
    /// The digest of the copy before.
    pub before: Option<[u8; 32]>,
}

type Adopted = Result<HashMap<Arc<str>, Arc<Upstream>>, StoreError>;

enum Command {
    Adopt(Vec<Plan>, oneshot::Sender<Adopted>),
    Wake(UpstreamId),
    Lost(UpstreamId),
}

/// The refresher, to whoever uses it.
#[derive(Debug, Clone)]
pub struct Refresher {
    commands: mpsc::Sender<Command>,
    tally: Arc<Mutex<HashMap<&'static str, u64>>>,
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
        let tally = Arc::new(Mutex::new(HashMap::new()));
        let tools = Tools {
            fetch,
            store,
            clock,
            limits: bounds.calendar,
            collapse: bounds.collapse,
            readers: Semaphore::new(READERS),
        };
        let driver = Driver {
            tools: Arc::new(tools),
            bounds,
            changes,
            tally: Arc::clone(&tally),
            settled: Arc::new(Notify::new()),
            entries: HashMap::new(),
            hosts: HashMap::new(),
            due: DelayQueue::new(),
            running: JoinSet::new(),
            jobs: HashMap::new(),
            crowded: VecDeque::new(),
            confirmed: HashMap::new(),
            foreign: None,
        };
        let task = tokio::spawn(driver.run(inbox, stop));
        (Self { commands, tally }, task)
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

    /// How many fetches ended how, by the names of [`FetchError::name`] and `changed`, `unchanged`.
    pub fn tally(&self) -> HashMap<&'static str, u64> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What the delay queue holds.
enum Due {
    Upstream(UpstreamId),
    /// A host may be asked again.
    Host(Arc<str>),
}

enum Place {
    /// In the delay queue.
    Scheduled(Key),
    /// In its host's queue.
    Waiting,
    /// Being fetched.
    Running,
}

struct Entry {
    upstream: Arc<Upstream>,
    address: Address,
    reach: Reach,
    pace: Pace,
    host: Arc<str>,
    place: Place,
    last_end: Option<Instant>,
}

struct HostEntry {
    host: Host<UpstreamId>,
    /// A timer for it is in the delay queue.
    armed: bool,
    /// It is in the queue of hosts that wait for a fetch of any host to end.
    crowded: bool,
}

struct Driver<F> {
    tools: Arc<Tools<F>>,
    bounds: Bounds,
    changes: mpsc::Sender<Change>,
    tally: Arc<Mutex<HashMap<&'static str, u64>>>,
    settled: Arc<Notify>,
    entries: HashMap<UpstreamId, Entry>,
    hosts: HashMap<Arc<str>, HostEntry>,
    due: DelayQueue<Due>,
    running: JoinSet<Outcome>,
    /// Which upstream a running refresh is of, and which host it asks.
    jobs: HashMap<Id, (UpstreamId, Arc<str>)>,
    crowded: VecDeque<Arc<str>>,
    /// Confirmations that are not on the disk yet.
    confirmed: HashMap<UpstreamId, crate::store::Snapshot>,
    foreign: Option<i64>,
}

impl<F: Fetch> Driver<F> {
    async fn run(mut self, mut inbox: mpsc::Receiver<Command>, stop: CancellationToken) {
        let mut flush = ticker(FLUSH_EVERY);
        let mut look = ticker(LOOK_EVERY);
        loop {
            // Every arm is cancel safe: each takes one thing off a queue, or nothing.
            tokio::select! {
                () = stop.cancelled() => break,
                Some(command) = inbox.recv() => self.command(command).await,
                Some(ended) = self.running.join_next_with_id(), if !self.running.is_empty() => self.ended(ended),
                Some(due) = poll_fn(|cx| self.due.poll_expired(cx)), if !self.due.is_empty() => self.due(due.into_inner()),
                _ = flush.tick() => self.flush().await,
                _ = look.tick() => self.look().await,
            }
        }
        self.running.shutdown().await;
        self.flush().await;
    }

    async fn command(&mut self, command: Command) {
        match command {
            Command::Adopt(plans, reply) => {
                // Whoever asked may have gone.
                let _ = reply.send(self.adopt(plans).await);
            }
            Command::Wake(id) => self.wake(id),
            Command::Lost(id) => {
                if let Some(entry) = self.entries.get_mut(&id) {
                    entry.last_end = None;
                    entry.upstream.update(|standing| standing.snapshot = None);
                }
                self.wake(id);
            }
        }
    }

    async fn adopt(&mut self, plans: Vec<Plan>) -> Adopted {
        self.flush().await;
        let store = Arc::clone(&self.tools.store);
        let sources: Vec<_> = plans.iter().map(|plan| (Arc::clone(&plan.source), plan.upstream)).collect();
        let names = sources.clone();
        let read = tokio::task::spawn_blocking(move || {
            store.bind(names.iter().map(|(name, id)| (&**name, id)))?;
            store.known()
        });
        let mut known = read.await.expect("reading the store does not panic")?;
        let mut old = std::mem::take(&mut self.entries);
        for (id, plan) in distinct(plans) {
            let entry = match old.remove(&id) {
                Some(entry) => self.keep(entry, &plan),
                None => self.begin(&plan, &mut known),
            };
            self.entries.insert(id, entry);
        }
        for entry in old.into_values() {
            if let Place::Scheduled(key) = entry.place {
                self.due.try_remove(&key);
            }
        }
        let upstream = |id| self.entries.get(&id).map(|entry| Arc::clone(&entry.upstream));
        Ok(sources.into_iter().filter_map(|(source, id)| Some((source, upstream(id)?))).collect())
    }

    /// An upstream that is looked after already. A faster pace takes effect at once, a slower one after the next fetch.
    fn keep(&mut self, mut entry: Entry, plan: &Plan) -> Entry {
        let (pace, now) = (plan.pace, self.tools.clock.now());
        let soon = pace.after_success(fastrand::f64());
        let late = entry.upstream.standing().next.is_some_and(|next| next > now + soon);
        if let Place::Scheduled(key) = &entry.place
            && pace.refresh < entry.pace.refresh
            && late
        {
            self.due.reset(key, soon);
            entry.upstream.update(|standing| standing.next = Some(now + soon));
        }
        entry.pace = pace;
        entry.upstream.update(|standing| standing.refresh = pace.refresh);
        entry
    }

    fn begin(&mut self, plan: &Plan, known: &mut Known) -> Entry {
        let now = self.tools.clock.now();
        let snapshot = known.snapshots.remove(&plan.upstream);
        // A copy of the address before is as good as none: the new address is asked at once.
        let ago = snapshot.as_ref().filter(|snapshot| !snapshot.inherited).map(|snapshot| now.since(snapshot.confirmed_at));
        let pause = plan.pace.at_start(ago, fastrand::f64());
        let standing = Standing {
            snapshot,
            quarantine: known.quarantined.remove(&plan.upstream),
            next: Some(now + pause),
            refresh: plan.pace.refresh,
            ..Standing::default()
        };
        Entry {
            upstream: Arc::new(Upstream::new(plan.upstream, Arc::clone(&plan.source), Arc::clone(&self.settled), standing)),
            address: plan.address.clone(),
            reach: plan.reach,
            pace: plan.pace,
            host: plan.address.host().into(),
            place: Place::Scheduled(self.due.insert(Due::Upstream(plan.upstream), pause)),
            last_end: None,
        }
    }

    fn wake(&mut self, id: UpstreamId) {
        let now = Instant::now();
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let just_asked = entry.last_end.is_some_and(|end| now.duration_since(end) < WAKE_AFTER);
        if just_asked {
            return;
        }
        let host = Arc::clone(&entry.host);
        match &entry.place {
            Place::Scheduled(key) => {
                self.due.try_remove(key);
                entry.place = Place::Waiting;
            }
            Place::Waiting => {
                if let Some(entry) = self.hosts.get_mut(&host) {
                    entry.host.waiting.retain(|waiting| *waiting != id);
                }
            }
            Place::Running => return,
        }
        self.host(&host).host.waiting.push_front(id);
        self.dispatch(&host);
    }

    fn due(&mut self, due: Due) {
        let host = match due {
            Due::Upstream(id) => {
                let Some(entry) = self.entries.get_mut(&id) else { return };
                entry.place = Place::Waiting;
                let host = Arc::clone(&entry.host);
                self.host(&host).host.waiting.push_back(id);
                host
            }
            Due::Host(host) => {
                self.host(&host).armed = false;
                host
            }
        };
        self.dispatch(&host);
    }

    fn host(&mut self, name: &Arc<str>) -> &mut HostEntry {
        let limits = self.bounds.host;
        self.hosts.entry(Arc::clone(name)).or_insert_with(|| HostEntry {
            host: Host::new(limits, Instant::now()),
            armed: false,
            crowded: false,
        })
    }

    /// Starts what may be started at `name`.
    fn dispatch(&mut self, name: &Arc<str>) {
        let now = Instant::now();
        loop {
            let full = self.running.len() >= self.bounds.concurrent;
            let entry = self.host(name);
            if entry.host.waiting.is_empty() {
                return;
            }
            match entry.host.may_start(now) {
                May::WaitForEnd => return,
                May::WaitUntil(moment) => {
                    if !entry.armed {
                        entry.armed = true;
                        self.due.insert_at(Due::Host(Arc::clone(name)), moment);
                    }
                    return;
                }
                May::Start if full => {
                    if !entry.crowded {
                        entry.crowded = true;
                        self.crowded.push_back(Arc::clone(name));
                    }
                    return;
                }
                May::Start => {
                    // What the settings no longer name is passed over.
                    if let Some(id) = entry.host.waiting.pop_front()
                        && self.entries.contains_key(&id)
                    {
                        self.host(name).host.started(now);
                        self.spawn(id);
                    }
                }
            }
        }
    }

    fn spawn(&mut self, id: UpstreamId) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.place = Place::Running;
        let standing = entry.upstream.update(|standing| {
            standing.fetching = true;
            standing.clone()
        });
        let job = Job { id, address: entry.address.clone(), reach: entry.reach, standing };
        let tools = Arc::clone(&self.tools);
        let host = Arc::clone(&entry.host);
        let task = self.running.spawn(refresh(tools, job));
        self.jobs.insert(task.id(), (id, host));
    }

    fn ended(&mut self, ended: Result<(Id, Outcome), JoinError>) {
        let (task, outcome) = ended.unwrap_or_else(|panic| {
            error!(error = %panic, "a refresh ended without an outcome");
            (panic.id(), Outcome::Failed(FetchError::Storage("the refresh ended unexpectedly".into())))
        });
        if let Some((id, host)) = self.jobs.remove(&task) {
            self.settle(id, &host, outcome);
        }
        // A place is free for a host that waited for one.
        for _ in 0..self.crowded.len() {
            if self.running.len() >= self.bounds.concurrent {
                break;
            }
            let Some(name) = self.crowded.pop_front() else { break };
            self.host(&name).crowded = false;
            self.dispatch(&name);
        }
    }

    fn settle(&mut self, id: UpstreamId, host: &Arc<str>, outcome: Outcome) {
        let now = Instant::now();
        let said = match &outcome {
            Outcome::Failed(error) => host_says(error),
            Outcome::Confirmed(_) | Outcome::Changed { .. } | Outcome::Quarantined(..) => Ended::Answered,
        };
        // The settings may have dropped it while it ran, and even named it again.
        if self.entries.get(&id).is_some_and(|entry| matches!(entry.place, Place::Running)) {
            let pause = self.record(id, outcome);
            let key = self.due.insert(Due::Upstream(id), pause);
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.last_end = Some(now);
                entry.place = Place::Scheduled(key);
            }
        }
        if self.host(host).host.ended(said, now) {
            self.circuit_opened(host, now);
        }
        self.dispatch(host);
        if self.hosts.get(host).is_some_and(|entry| entry.host.is_idle(now) && !entry.armed && !entry.crowded) {
            self.hosts.remove(host);
        }
    }

    fn circuit_opened(&mut self, host: &Arc<str>, now: Instant) {
        let entry = self.host(host);
        let Some(until) = entry.host.left_alone_until(now) else { return };
        let pause = until - now;
        let waiting: Vec<_> = entry.host.waiting.iter().copied().collect();
        let next = self.tools.clock.now() + pause;
        for id in &waiting {
            if let Some(entry) = self.entries.get(id) {
                entry.upstream.update(|standing| standing.next = Some(next));
            }
        }
        warn!(
            host = %host, pause_secs = pause.as_secs(), waiting = waiting.len(),
            "{host} refuses this machine; it is left alone for a while, and the copies at hand are served"
        );
    }

    /// Writes an outcome into the upstream's standing, the tally and the log. Returns the pause until the next fetch.
    fn record(&mut self, id: UpstreamId, outcome: Outcome) -> Duration {
        let now = self.tools.clock.now();
        let Some(entry) = self.entries.get(&id) else { return Duration::ZERO };
        let (pace, upstream, dice) = (entry.pace, Arc::clone(&entry.upstream), fastrand::f64());
        let before = upstream.standing();
        let (word, pause) = match outcome {
            Outcome::Confirmed(snapshot) => {
                self.confirmed.insert(id, snapshot.clone());
                upstream.update(|standing| standing.is_well(snapshot));
                ("unchanged", pace.after_success(dice))
            }
            Outcome::Changed { snapshot, junk } => {
                let changed = Change { upstream: id, before: before.snapshot.as_ref().map(|held| held.digest) };
                info!(
                    source = %upstream.label, events = snapshot.entries, size_bytes = snapshot.size, junk_lines = junk,
                    "source `{}` has a new copy: {} events", upstream.label, snapshot.entries
                );
                self.confirmed.remove(&id);
                upstream.update(|standing| {
                    standing.is_well(snapshot);
                    standing.junk = junk;
                });
                // Rendering ahead is a kindness; a reader that finds nothing rendered has it done.
                let _ = self.changes.try_send(changed);
                ("changed", pace.after_success(dice))
            }
            Outcome::Quarantined(kept, error) => {
                upstream.update(|standing| {
                    standing.quarantine = Some(kept);
                    standing.fails(&error, now);
                });
                log_failure(&upstream, &error, before.failing.is_none());
                (error.name(), pace.after_success(dice))
            }
            Outcome::Failed(error) => {
                let failures = upstream.update(|standing| standing.fails(&error, now));
                log_failure(&upstream, &error, before.failing.is_none());
                (error.name(), pace.after_failure(&error, failures, dice))
            }
        };
        upstream.update(|standing| {
            standing.fetching = false;
            standing.next = Some(now + pause);
        });
        if let (Some(failing), None) = (&before.failing, &upstream.standing().failing) {
            let secs = now.since(failing.since).as_secs();
            info!(source = %upstream.label, failing_secs = secs, "source `{}` is well again", upstream.label);
        }
        if before.snapshot.is_none() {
            self.settled.notify_waiters();
        }
        *self.tally.lock().unwrap_or_else(PoisonError::into_inner).entry(word).or_default() += 1;
        pause
    }

    /// Writes confirmations to the disk. What cannot be written is tried again the next time.
    async fn flush(&mut self) {
        if self.confirmed.is_empty() {
            return;
        }
        let batch: Vec<_> = self.confirmed.iter().map(|(id, snapshot)| (*id, snapshot.clone())).collect();
        let store = Arc::clone(&self.tools.store);
        match tokio::task::spawn_blocking(move || store.confirm(&batch)).await {
            Ok(Ok(())) => self.confirmed.clear(),
            Ok(Err(error)) => warn!(%error, "times of confirmation could not be stored; they are kept in memory"),
            Err(error) => error!(%error, "storing times of confirmation ended unexpectedly"),
        }
    }

    /// Takes over what another process, such as `calferry accept`, has written.
    async fn look(&mut self) {
        let store = Arc::clone(&self.tools.store);
        let before = self.foreign;
        let looked = tokio::task::spawn_blocking(move || {
            let version = store.foreign_changes()?;
            let known = if before.is_some_and(|before| before != version) { Some(store.known()?) } else { None };
            Ok::<_, StoreError>((version, known))
        });
        let (version, known) = match looked.await {
            Ok(Ok(looked)) => looked,
            Ok(Err(error)) => return debug!(%error, "the store could not be looked at"),
            Err(error) => return error!(%error, "looking at the store ended unexpectedly"),
        };
        self.foreign = Some(version);
        let Some(mut known) = known else { return };
        for (id, entry) in &self.entries {
            if matches!(entry.place, Place::Running) {
                continue;
            }
            let stored = known.snapshots.remove(id);
            let quarantine = known.quarantined.remove(id);
            entry.upstream.update(|standing| {
                let digest = |snapshot: &Option<crate::store::Snapshot>| snapshot.as_ref().map(|snapshot| snapshot.digest);
                if stored.is_some() && digest(&stored) != digest(&standing.snapshot) {
                    info!(source = %entry.upstream.label, "source `{}` has a copy that was accepted by hand", entry.upstream.label);
                    standing.snapshot = stored;
                    standing.failing = None;
                }
                standing.quarantine = quarantine;
            });
        }
    }
}

/// One plan for each upstream: where several sources name it, the fastest pace wins.
fn distinct(plans: Vec<Plan>) -> HashMap<UpstreamId, Plan> {
    let mut distinct: HashMap<UpstreamId, Plan> = HashMap::with_capacity(plans.len());
    for plan in plans {
        let pace = plan.pace;
        let merged = &mut distinct.entry(plan.upstream).or_insert(plan).pace;
        merged.refresh = merged.refresh.min(pace.refresh);
        merged.max_backoff = merged.max_backoff.min(pace.max_backoff);
    }
    distinct
}

impl Standing {
    fn is_well(&mut self, snapshot: crate::store::Snapshot) {
        self.snapshot = Some(snapshot);
        self.failing = None;
        self.quarantine = None;
    }

    fn fails(&mut self, error: &FetchError, now: crate::clock::Timestamp) -> u32 {
        let (since, failures) = self.failing.as_ref().map_or((now, 0), |failing| (failing.since, failing.failures));
        let failures = failures.saturating_add(1);
        self.failing = Some(Failing {
            since,
            last: now,
            failures,
            reason: error.name(),
            words: error.to_string(),
            advice: error.advice(),
        });
        failures
    }
}

fn log_failure(upstream: &Upstream, error: &FetchError, first: bool) {
    let label = &upstream.label;
    if first {
        warn!(source = %label, reason = error.name(), "source `{label}` gave no good answer: {error}. {}", error.advice());
    } else {
        debug!(source = %label, reason = error.name(), "source `{label}` still gives no good answer: {error}");
    }
}

fn host_says(error: &FetchError) -> Ended {
    match error {
        FetchError::Throttled { retry_after, .. } => Ended::Refused(*retry_after),
        FetchError::Captcha => Ended::Refused(None),
        FetchError::Dns(_)
        | FetchError::PrivateAddress
        | FetchError::Connect(_)
        | FetchError::Tls(_)
        | FetchError::Timeout { .. }
        | FetchError::Interrupted
        | FetchError::NotHttp => Ended::Silent,
        _ => Ended::Answered,
    }
}

fn ticker(every: Duration) -> tokio::time::Interval {
    let mut ticker = tokio::time::interval(every);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticker
}
