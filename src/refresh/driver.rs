//! The loop that owns every upstream's schedule.

mod elsewhere;
mod stored;

use std::collections::{HashMap, HashSet};
use std::future::poll_fn;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tokio_util::time::DelayQueue;
use tracing::{debug, error, warn};

use super::entry::{Due, Entry, Place, host_says, way_standings};
use super::handle::{Adopted, Bounds, Change, Command, Plan, Tally, WAKE_AFTER, distinct};
use super::host::Ended;
use super::hosts::{Hosts, Next};
use super::lane::Lane;
use super::large::Large;
use super::ledger::Ledger;
use super::record::{record, record_way};
use super::upstream::{Standing, Upstream};
use super::work::{Done, Job, Outcome, Tools, refresh};
use crate::source::{Fetch, FetchError, Retry, Space};
use crate::store::{Known, StoreError, UpstreamId};

/// How often confirmations are written to the disk, and how soon another process's changes are seen.
const FLUSH_EVERY: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_secs(5);

pub(super) struct Driver<F> {
    tools: Arc<Tools<F>>,
    bounds: Bounds,
    changes: mpsc::Sender<Change>,
    tally: Tally,
    settled: Arc<Notify>,
    entries: HashMap<UpstreamId, Entry>,
    hosts: Hosts<UpstreamId>,
    large: Large,
    due: DelayQueue<Due>,
    running: JoinSet<Option<Done>>,
    /// Which upstream a running refresh is of, and which host it asks by which way.
    jobs: HashMap<Id, (UpstreamId, Lane)>,
    ledger: Ledger,
}

impl<F: Fetch> Driver<F> {
    pub(super) fn new(tools: Tools<F>, bounds: Bounds, changes: mpsc::Sender<Change>, tally: Tally) -> Self {
        Self {
            ledger: Ledger::new(Arc::clone(&tools.store)),
            tools: Arc::new(tools),
            bounds,
            changes,
            tally,
            settled: Arc::new(Notify::new()),
            entries: HashMap::new(),
            hosts: Hosts::new(bounds.host),
            large: Large::new(Space::new(bounds.calendar.size)),
            due: DelayQueue::new(),
            running: JoinSet::new(),
            jobs: HashMap::new(),
        }
    }

    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Command>, stop: CancellationToken) {
        let mut flush = ticker(FLUSH_EVERY);
        let mut look = ticker(LOOK_EVERY);
        loop {
            // Every arm is cancel safe: each takes one thing off a queue, or nothing.
            tokio::select! {
                () = stop.cancelled() => break,
                Some(command) = inbox.recv() => self.command(command).await,
                Some(ended) = self.running.join_next_with_id(), if !self.running.is_empty() => self.ended(ended),
                Some(due) = poll_fn(|cx| self.due.poll_expired(cx)), if !self.due.is_empty() => self.due(due.into_inner()),
                _ = flush.tick() => {
                    self.ledger.flush().await;
                    self.ledger.sweep(Instant::now()).await;
                }
                _ = look.tick() => self.look().await,
            }
        }
        self.running.shutdown().await;
        self.ledger.flush().await;
    }

    async fn command(&mut self, command: Command) {
        match command {
            Command::Adopt(plans, reply) => {
                // Whoever asked may have gone.
                let _ = reply.send(self.adopt(plans).await);
            }
            Command::Wake(id) => self.wake(id),
            Command::Look => self.look().await,
            Command::Accept(id, digest, reply) => {
                // As above.
                let _ = reply.send(self.accept(id, &digest).await);
            }
            Command::Ping(reply) => {
                // Whoever asked may have stopped waiting.
                let _ = reply.send(());
            }
            Command::Lost(id) => {
                if let Some(entry) = self.entries.get_mut(&id) {
                    entry.rests_until = None;
                    entry.upstream.update(|standing| standing.snapshot = None);
                }
                self.wake(id);
            }
        }
    }

    async fn adopt(&mut self, plans: Vec<Plan>) -> Adopted {
        self.ledger.flush().await;
        let store = Arc::clone(&self.tools.store);
        let sources: Vec<_> = plans.iter().map(|plan| (Arc::clone(&plan.source), plan.upstream)).collect();
        let names = sources.clone();
        let read = tokio::task::spawn_blocking(move || {
            let bound = store.bind(names.iter().map(|(name, id)| (&**name, id)));
            store.known().map(|known| (bound, known))
        });
        let (bound, mut known) = read.await.expect("reading the store does not panic")?;
        match bound {
            Ok(()) => self.ledger.bound(Instant::now()),
            // At a start, on a disk that takes nothing: what is stored is better than nothing.
            Err(error @ StoreError::Database(_)) if self.entries.is_empty() => {
                warn!(%error, "it could not be stored which sources there are; a source whose address has changed begins without a copy");
            }
            Err(error) => return Err(error),
        }
        let mut names = HashSet::new();
        let mut old = std::mem::replace(&mut self.entries, HashMap::with_capacity(plans.len()));
        for (id, plan) in distinct(plans) {
            let entry = if let Some(entry) = old.remove(&id) {
                self.keep(entry, &plan)
            } else {
                let host = shared(&mut names, plan.address.host());
                self.begin(&plan, host, &mut known)
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
        entry.follow(plan);
        entry
    }

    fn begin(&mut self, plan: &Plan, host: Arc<str>, known: &mut Known) -> Entry {
        let now = self.tools.clock.now();
        let snapshot = known.snapshots.remove(&plan.upstream);
        // A copy of the address before is as good as none: the new address is asked at once.
        let ago =
            snapshot.as_ref().filter(|snapshot| !snapshot.inherited).map(|snapshot| now.since(snapshot.confirmed_at));
        let pause = plan.pace.at_start(ago, fastrand::f64());
        let standing = Standing {
            snapshot,
            quarantine: known.quarantined.remove(&plan.upstream).map(Box::new),
            next: Some(now + pause),
            refresh: plan.pace.refresh,
            ways: way_standings(&plan.ways),
            ..Standing::default()
        };
        let label = Arc::clone(&plan.source);
        let upstream = Upstream::new(plan.upstream, label, host, Arc::clone(&self.settled), standing);
        let place = Place::Scheduled(self.due.insert(Due::Upstream(plan.upstream), pause));
        Entry::new(plan, Arc::new(upstream), place)
    }

    fn wake(&mut self, id: UpstreamId) {
        let now = Instant::now();
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if entry.rests_until.is_some_and(|until| until > now) {
            return;
        }
        match &entry.place {
            Place::Running | Place::Urgent => return,
            Place::Scheduled(key) => {
                self.due.try_remove(key);
            }
            Place::Waiting => {}
        }
        entry.set_out(&self.hosts, now);
        self.queue_urgent(id);
    }

    /// Puts it before all by the way it takes, and starts what may be started there.
    fn queue_urgent(&mut self, id: UpstreamId) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.place = Place::Urgent;
        let lane = entry.lane.clone();
        self.hosts.queue_urgent(&lane, id);
        self.dispatch(&lane);
    }

    fn due(&mut self, due: Due) {
        let lane = match due {
            Due::Upstream(id) => {
                let Some(entry) = self.entries.get_mut(&id) else { return };
                entry.set_out(&self.hosts, Instant::now());
                entry.place = Place::Waiting;
                let lane = entry.lane.clone();
                self.hosts.queue(&lane, id);
                lane
            }
            Due::Host(lane) => {
                self.hosts.alarm(&lane);
                lane
            }
        };
        self.dispatch(&lane);
    }

    /// Starts what may be started at the host of `lane` by its way.
    fn dispatch(&mut self, lane: &Lane) {
        let now = Instant::now();
        loop {
            let full = self.running.len() >= self.bounds.concurrent;
            // What the settings no longer name, was started already or takes another way is passed over.
            let waits = |id: &UpstreamId| {
                let waiting = self.entries.get(id).filter(|entry| entry.is_waiting_by(lane));
                waiting.is_some_and(|entry| self.large.admits(*id, entry.upstream.size()))
            };
            match self.hosts.next(lane, full, now, waits) {
                Next::Start(id) => self.spawn(id),
                Next::Alarm(moment) => {
                    self.due.insert_at(Due::Host(lane.clone()), moment);
                }
                Next::Rest => return,
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
        let (lane, size) = (entry.lane.clone(), entry.upstream.size());
        let job = Job {
            id,
            address: entry.address.clone(),
            reach: entry.reach,
            ports: Arc::clone(&entry.ports),
            way: lane.way.clone(),
            standing,
            share: Arc::new(self.large.share(&id, size)),
        };
        let task = self.running.spawn(refresh(Arc::clone(&self.tools), job));
        self.jobs.insert(task.id(), (id, lane));
    }

    fn ended(&mut self, ended: Result<(Id, Option<Done>), JoinError>) {
        let (task, done) = ended.unwrap_or_else(|panic| {
            error!(error = %panic, "a refresh ended without an outcome");
            let outcome = Outcome::Failed(FetchError::Storage("the refresh ended unexpectedly".into()));
            (panic.id(), Some(Done { outcome, moved_to: None, took: None }))
        });
        match (self.jobs.remove(&task), done) {
            (Some((id, lane)), Some(done)) => self.settle(id, &lane, done),
            (Some((id, lane)), None) => self.postpone(id, &lane),
            (None, _) => {}
        }
        // A place is free for a host that waited for one.
        for _ in 0..self.hosts.crowd() {
            if self.running.len() >= self.bounds.concurrent {
                break;
            }
            if let Some(lane) = self.hosts.first_of_crowd() {
                self.dispatch(&lane);
            }
        }
        self.call_large();
    }

    fn settle(&mut self, id: UpstreamId, lane: &Lane, done: Done) {
        let now = Instant::now();
        let error = match &done.outcome {
            Outcome::Failed(error) => Some(error),
            Outcome::Confirmed(_) | Outcome::Changed { .. } | Outcome::Quarantined(..) => None,
        };
        self.count_way(lane, error);
        let closed = self.hosts.ended(lane, error.map_or(Ended::Answered, host_says), now);
        // The settings may have dropped it while it ran, and even named it again.
        if let Some(entry) = self.entries.get_mut(&id)
            && matches!(entry.place, Place::Running)
        {
            record_way(&entry.upstream, entry.number_of(&lane.way), error, self.tools.clock.now());
            if error.is_some_and(FetchError::is_fault_of_way) && entry.turn_to_another(&self.hosts, now) {
                debug!(source = %entry.upstream.label, way = lane.way.kind(), to = entry.lane.way.kind(), "turns to another way");
                self.queue_urgent(id);
            } else {
                self.large.ended(&id);
                self.conclude(id, done, now);
            }
        } else if matches!(done.outcome, Outcome::Changed { .. }) {
            self.ledger.is_behind();
        }
        if let Some((until, waiting)) = closed {
            self.left_alone(lane, until, &waiting, now);
        }
        self.dispatch(lane);
        self.hosts.forget_idle(lane, now);
    }

    /// Records how it ended, and when it is due again.
    fn conclude(&mut self, id: UpstreamId, done: Done, now: Instant) {
        // What the host asked for is kept, whoever waits.
        let asked = match &done.outcome {
            Outcome::Failed(error) => matches!(error.retry(), Retry::After(_)),
            Outcome::Confirmed(_) | Outcome::Changed { .. } | Outcome::Quarantined(..) => false,
        };
        let pause = self.record(id, done);
        let key = self.due.insert(Due::Upstream(id), pause);
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.rests_until = Some(now + if asked { pause } else { WAKE_AFTER });
            entry.place = Place::Scheduled(key);
        }
    }

    fn count_way(&self, lane: &Lane, error: Option<&FetchError>) {
        let word = error.map_or("answered", FetchError::name);
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).count_way(lane.way.kind(), word);
    }

    /// Records an outcome. Returns the pause until the next fetch.
    fn record(&mut self, id: UpstreamId, done: Done) -> Duration {
        let Some(entry) = self.entries.get(&id) else { return Duration::ZERO };
        let first = entry.upstream.digest().is_none();
        let now = self.tools.clock.now();
        let recorded = record(&entry.upstream, done, &entry.pace, now, fastrand::f64());
        if first {
            self.settled.notify_waiters();
        }
        if let Some(snapshot) = recorded.confirmed {
            self.ledger.confirmed(id, snapshot);
        }
        if let Some(change) = recorded.change {
            self.ledger.overtaken(&id);
            // Rendering ahead is a kindness; a reader that finds nothing rendered has it done.
            let _ = self.changes.try_send(change);
        }
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).count(recorded.word);
        recorded.pause
    }
}

/// `name`, held once for all who have it.
fn shared(names: &mut HashSet<Arc<str>>, name: &str) -> Arc<str> {
    if let Some(known) = names.get(name) {
        return Arc::clone(known);
    }
    let name = Arc::from(name);
    names.insert(Arc::clone(&name));
    name
}

fn ticker(every: Duration) -> tokio::time::Interval {
    let mut ticker = tokio::time::interval(every);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticker
}
