//! What waits for something else than its turn at its host: for space, or for a host that is left alone.

use tokio::time::Instant;
use tracing::warn;

use super::super::entry::{Entry, Place};
use super::super::host::Ended;
use super::super::lane::Lane;
use super::Driver;
use crate::source::Fetch;
use crate::store::UpstreamId;

impl<F: Fetch> Driver<F> {
    /// A fetch has found that the answer is large, and no space for it. That is nobody's fault.
    pub(super) fn postpone(&mut self, id: UpstreamId, lane: &Lane) {
        let now = Instant::now();
        self.hosts.ended(lane, Ended::Answered, now);
        // The settings may have dropped it while it ran, and even named it again.
        if let Some(entry) = self.entries.get_mut(&id)
            && matches!(entry.place, Place::Running)
        {
            entry.place = Place::Waiting;
            self.large.postpone(id);
        }
        self.dispatch(lane);
        self.hosts.forget_idle(lane, now);
    }

    /// Space may be free for a large one that waited for it.
    pub(super) fn call_large(&mut self) {
        loop {
            let waiting = |entry: &&Entry| matches!(entry.place, Place::Waiting | Place::Urgent);
            let size_of = |id: &UpstreamId| self.entries.get(id).filter(waiting).map(|entry| entry.upstream.size());
            let Some(id) = self.large.next(size_of) else { return };
            self.queue_urgent(id);
        }
    }

    /// The circuit of a lane has opened. What waits there takes another way, if it has one that is ready.
    pub(super) fn left_alone(&mut self, lane: &Lane, until: Instant, waiting: &[UpstreamId], now: Instant) {
        let (next, mut left) = (self.tools.clock.now() + (until - now), 0);
        for id in waiting {
            let Some(entry) = self.entries.get_mut(id).filter(|entry| entry.is_waiting_by(lane)) else { continue };
            if entry.turn_to_another(&self.hosts, now) {
                self.queue_urgent(*id);
            } else {
                left += 1;
                entry.upstream.update(|standing| standing.next = Some(next));
            }
        }
        let (host, way) = (&lane.host, lane.way.kind());
        warn!(
            host = &**host,
            way,
            pause_secs = (until - now).as_secs(),
            waiting = left,
            "{host} refuses whoever comes by this way ({way}); it is not asked by it for a while, and the copies at hand are served"
        );
    }
}
