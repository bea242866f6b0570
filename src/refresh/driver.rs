//! The loop that owns every upstream's schedule.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tokio_util::time::DelayQueue;
use tokio_util::time::delay_queue::Key;
use tracing::{error, info, warn};

use super::handle::{Adopted, Bounds, Change, Command, Plan, Tally, WAKE_AFTER, distinct};
use super::host::Ended;
use super::hosts::{Hosts, Next};
use super::ledger::Ledger;
use super::record::record;
use super::schedule::Pace;
use super::upstream::{Standing, Upstream};
use super::work::{Job, Outcome, Tools, refresh};
use crate::source::{Address, Fetch, FetchError, Reach, Retry};
use crate::store::{Known, UpstreamId};

/// How often confirmations are written to the disk, and how soon another process's changes are seen.
const FLUSH_EVERY: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_secs(5);

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
    /// In its host's queue, before those that nobody waits for.
    Urgent,
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
    /// No reader's wish has it fetched before this moment.
    rests_until: Option<Instant>,
}

pub(super) struct Driver<F> {
    tools: Arc<Tools<F>>,
    bounds: Bounds,
    changes: mpsc::Sender<Change>,
    tally: Tally,
    settled: Arc<Notify>,
    entries: HashMap<UpstreamId, Entry>,
    hosts: Hosts<UpstreamId>,
    due: DelayQueue<Due>,
    running: JoinSet<Outcome>,
    /// Which upstream a running refresh is of, and which host it asks.
    jobs: HashMap<Id, (UpstreamId, Arc<str>)>,
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
                _ = flush.tick() => self.ledger.flush().await,
                _ = look.tick() => if let Some(known) = self.ledger.news().await { self.take_over(known) },
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
            store.bind(names.iter().map(|(name, id)| (&**name, id)))?;
            store.known()
        });
        let mut known = read.await.expect("reading the store does not panic")?;
        let mut old = std::mem::replace(&mut self.entries, HashMap::with_capacity(plans.len()));
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
        let ago =
            snapshot.as_ref().filter(|snapshot| !snapshot.inherited).map(|snapshot| now.since(snapshot.confirmed_at));
        let pause = plan.pace.at_start(ago, fastrand::f64());
        let standing = Standing {
            snapshot,
            quarantine: known.quarantined.remove(&plan.upstream),
            next: Some(now + pause),
            refresh: plan.pace.refresh,
            ..Standing::default()
        };
        Entry {
            upstream: Arc::new(Upstream::new(
                plan.upstream,
                Arc::clone(&plan.source),
                Arc::clone(&self.settled),
                standing,
            )),
            address: plan.address.clone(),
            reach: plan.reach,
            pace: plan.pace,
            host: plan.address.host().into(),
            place: Place::Scheduled(self.due.insert(Due::Upstream(plan.upstream), pause)),
            rests_until: None,
        }
    }

    fn wake(&mut self, id: UpstreamId) {
        let now = Instant::now();
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if entry.rests_until.is_some_and(|until| until > now) {
            return;
        }
        let host = Arc::clone(&entry.host);
        match &entry.place {
            Place::Running | Place::Urgent => return,
            Place::Scheduled(key) => {
                self.due.try_remove(key);
            }
            Place::Waiting => {}
        }
        entry.place = Place::Urgent;
        self.hosts.queue_urgent(&host, id);
        self.dispatch(&host);
    }

    fn due(&mut self, due: Due) {
        let host = match due {
            Due::Upstream(id) => {
                let Some(entry) = self.entries.get_mut(&id) else { return };
                entry.place = Place::Waiting;
                let host = Arc::clone(&entry.host);
                self.hosts.queue(&host, id);
                host
            }
            Due::Host(host) => {
                self.hosts.alarm(&host);
                host
            }
        };
        self.dispatch(&host);
    }

    /// Starts what may be started at `host`.
    fn dispatch(&mut self, host: &Arc<str>) {
        let now = Instant::now();
        loop {
            let full = self.running.len() >= self.bounds.concurrent;
            // What the settings no longer name, or was started already, is passed over.
            let waits = |id: &UpstreamId| {
                self.entries.get(id).is_some_and(|entry| matches!(entry.place, Place::Waiting | Place::Urgent))
            };
            match self.hosts.next(host, full, now, waits) {
                Next::Start(id) => self.spawn(id),
                Next::Alarm(moment) => {
                    self.due.insert_at(Due::Host(Arc::clone(host)), moment);
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
        for _ in 0..self.hosts.crowd() {
            if self.running.len() >= self.bounds.concurrent {
                break;
            }
            if let Some(host) = self.hosts.first_of_crowd() {
                self.dispatch(&host);
            }
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
            // What the host asked for is kept, whoever waits.
            let asked = match &outcome {
                Outcome::Failed(error) => matches!(error.retry(), Retry::After(_)),
                Outcome::Confirmed(_) | Outcome::Changed { .. } | Outcome::Quarantined(..) => false,
            };
            let pause = self.record(id, outcome);
            let key = self.due.insert(Due::Upstream(id), pause);
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.rests_until = Some(now + if asked { pause } else { WAKE_AFTER });
                entry.place = Place::Scheduled(key);
            }
        }
        if let Some((until, waiting)) = self.hosts.ended(host, said, now) {
            self.left_alone(host, until - now, &waiting);
        }
        self.dispatch(host);
        self.hosts.forget_idle(host, now);
    }

    fn left_alone(&self, host: &str, pause: Duration, waiting: &[UpstreamId]) {
        let next = self.tools.clock.now() + pause;
        for entry in waiting.iter().filter_map(|id| self.entries.get(id)) {
            entry.upstream.update(|standing| standing.next = Some(next));
        }
        warn!(
            host,
            pause_secs = pause.as_secs(),
            waiting = waiting.len(),
            "{host} refuses this machine; it is left alone for a while, and the copies at hand are served"
        );
    }

    /// Records an outcome. Returns the pause until the next fetch.
    fn record(&mut self, id: UpstreamId, outcome: Outcome) -> Duration {
        let Some(entry) = self.entries.get(&id) else { return Duration::ZERO };
        let first = entry.upstream.digest().is_none();
        let now = self.tools.clock.now();
        let recorded = record(&entry.upstream, outcome, &entry.pace, now, fastrand::f64());
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
        *self.tally.lock().unwrap_or_else(PoisonError::into_inner).entry(recorded.word).or_default() += 1;
        recorded.pause
    }

    /// Takes over what another process has written to the store.
    fn take_over(&self, mut known: Known) {
        for (id, entry) in &self.entries {
            if matches!(entry.place, Place::Running) {
                continue;
            }
            let (stored, quarantine) = (known.snapshots.remove(id), known.quarantined.remove(id));
            let label = &entry.upstream.label;
            let accepted = stored.filter(|stored| Some(stored.digest) != entry.upstream.digest());
            entry.upstream.update(|standing| {
                standing.quarantine = quarantine;
                if let Some(accepted) = accepted {
                    info!(source = %label, "source `{label}` has a copy that was accepted by hand");
                    standing.snapshot = Some(accepted);
                    standing.failing = None;
                }
            });
        }
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
