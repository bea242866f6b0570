//! One refresh: from the order to what it means, with everything stored that must be.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::judge::{CollapseRule, Verdict, judge, mend_answer};
use super::upstream::Standing;
use crate::calendar::Limits;
use crate::clock::Clock;
use crate::source::{Address, Fetch, FetchError, Fetched, Order, Reach, Share, Space, Validators, Way};
use crate::store::{Quarantine, Snapshot, Store, UpstreamId};

/// What a refresh needs beside the upstream itself.
#[derive(Debug)]
pub(super) struct Tools<F> {
    pub(super) fetch: F,
    pub(super) store: Arc<Store>,
    pub(super) clock: Clock,
    pub(super) limits: Limits,
    pub(super) collapse: CollapseRule,
    /// How many answers are read at once: each may need several times its size of memory…
    pub(super) readers: Semaphore,
    /// …and how much of what is large is read or published at once.
    pub(super) desk: Space,
}

/// How a refresh ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The copy that is held is the current one.
    Confirmed(Snapshot),
    /// There is a new copy. It is stored.
    Changed { snapshot: Snapshot, junk: usize },
    /// The answer is kept aside.
    Quarantined(Quarantine, FetchError),
    /// No good answer.
    Failed(FetchError),
}

/// A refresh that has ended.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) outcome: Outcome,
    /// The host to which the upstream has moved for good, if it answered and that is another.
    pub(super) moved_to: Option<Arc<str>>,
    /// How long its answer took, if there was one.
    pub(super) took: Option<Duration>,
}

/// One upstream's part of a refresh.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: UpstreamId,
    pub(super) address: Address,
    pub(super) reach: Reach,
    pub(super) ports: Arc<[u16]>,
    pub(super) way: Way,
    pub(super) standing: Standing,
    pub(super) share: Arc<Share>,
}

/// Carries out one refresh; nothing came of it if the answer is large and there is no space for it now. Dropping the
/// future gives up the fetch, never a half-stored copy.
pub(super) async fn refresh<F: Fetch>(tools: Arc<Tools<F>>, job: Job) -> Option<Done> {
    let held = job.standing.snapshot.as_ref();
    // While an answer is kept aside, the next one must come whole, to be compared with it.
    let validators = match (held, &job.standing.quarantine) {
        (Some(held), None) => held.validators.clone(),
        _ => Validators::default(),
    };
    let (address, ports, way) = (job.address.clone(), Arc::clone(&job.ports), job.way.clone());
    let order = Order { address, reach: job.reach, ports, way, validators, share: Arc::clone(&job.share) };
    let started = Instant::now();
    let answer = tools.fetch.fetch(order).await;
    let took = Some(started.elapsed());
    Some(match (answer, held) {
        (Ok(Fetched::NotModified { moved_to }), Some(held)) => {
            let held = Snapshot { confirmed_at: tools.clock.now(), ..held.clone() };
            Done { outcome: Outcome::Confirmed(held), moved_to, took }
        }
        (Ok(Fetched::NotModified { .. }), None) => failed(FetchError::Unexpected(304)),
        (Ok(Fetched::Body { text, validators, moved_to }), _) => {
            Done { outcome: read(tools, job, text, validators).await, moved_to, took }
        }
        (Ok(Fetched::NoSpace), _) => return None,
        (Err(error), _) => failed(error),
    })
}

fn failed(error: FetchError) -> Done {
    Done { outcome: Outcome::Failed(error), moved_to: None, took: None }
}

async fn read<F: Fetch>(tools: Arc<Tools<F>>, job: Job, text: Vec<u8>, validators: Validators) -> Outcome {
    let reading = Arc::clone(&tools);
    // The copy that is held may be read too.
    let held = job.standing.snapshot.as_ref().map_or(0, |held| held.size);
    let large = text.len().max(held);
    let (_place, _large);
    if tools.desk.is_small(large) {
        _place = tools.readers.acquire().await.expect("the semaphore is never closed");
    } else {
        _large = tools.desk.wait(large).await;
    }
    let read = tokio::task::spawn_blocking(move || settle(&reading, &job, text, validators));
    match read.await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => Outcome::Failed(error),
        Err(_) => Outcome::Failed(FetchError::Storage("reading the answer failed unexpectedly".into())),
    }
}

fn settle<F>(tools: &Tools<F>, job: &Job, text: Vec<u8>, validators: Validators) -> Result<Outcome, FetchError> {
    let (store, held) = (&tools.store, job.standing.snapshot.as_ref());
    let earlier = || held.and_then(|held| store.text_of(&job.id, &held.digest).ok().flatten());
    let answer = mend_answer(text, &tools.limits, &job.address.telltales(), earlier)?;
    let aside = job.standing.quarantine.as_deref();
    let stored = |error: crate::store::StoreError| FetchError::Storage(error.to_string());
    Ok(match judge(&answer, validators, held, aside, &tools.collapse, tools.clock.now()) {
        Verdict::Same(snapshot) => {
            if aside.is_some() {
                store.discard(&job.id).map_err(stored)?;
            }
            Outcome::Confirmed(snapshot)
        }
        Verdict::Accept(snapshot) => {
            store.accept(&job.id, &snapshot, &answer.text).map_err(stored)?;
            Outcome::Changed { snapshot, junk: answer.junk }
        }
        Verdict::Quarantine(kept) => {
            store.quarantine(&job.id, &kept, &answer.text).map_err(stored)?;
            let was = held.map_or(0, |held| held.entries);
            let error = FetchError::Collapsed { was, now: kept.snapshot.entries };
            Outcome::Quarantined(kept, error)
        }
    })
}

#[cfg(test)]
mod tests;
