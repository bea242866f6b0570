//! All hosts, each by every way to it, and what waits for them.

use std::collections::{HashMap, VecDeque};

use tokio::time::Instant;

use super::host::{Ended, Host, HostLimits, May};
use super::lane::{Lane, Readiness};

/// What is to be done for a host.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<W> {
    /// Start this, and ask again.
    Start(W),
    /// Call [`Hosts::alarm`] at this moment.
    Alarm(Instant),
    /// Nothing, until something happens.
    Rest,
}

/// All hosts that have anything to remember. `W` is what waits for them.
#[derive(Debug)]
pub(super) struct Hosts<W> {
    limits: HostLimits,
    queues: HashMap<Lane, Queue<W>>,
    /// Hosts that wait for a fetch of any host to end, in turn.
    crowded: VecDeque<Lane>,
}

#[derive(Debug)]
struct Queue<W> {
    host: Host,
    /// Somebody waits for these.
    urgent: VecDeque<W>,
    waiting: VecDeque<W>,
    alarmed: bool,
    crowded: bool,
}

impl<W: Copy> Hosts<W> {
    pub(super) fn new(limits: HostLimits) -> Self {
        Self { limits, queues: HashMap::new(), crowded: VecDeque::new() }
    }

    fn queue_of(&mut self, lane: &Lane) -> &mut Queue<W> {
        let limits = self.limits;
        self.queues.entry(lane.clone()).or_insert_with(|| Queue {
            host: Host::new(limits, Instant::now()),
            urgent: VecDeque::new(),
            waiting: VecDeque::new(),
            alarmed: false,
            crowded: false,
        })
    }

    /// Puts `what` behind all that waits for the host.
    pub(super) fn queue(&mut self, lane: &Lane, what: W) {
        self.queue_of(lane).waiting.push_back(what);
    }

    /// Puts `what` before all that waits for the host and is not urgent. It may stand there a second time: `wanted` of
    /// [`Hosts::next`] tells.
    pub(super) fn queue_urgent(&mut self, lane: &Lane, what: W) {
        self.queue_of(lane).urgent.push_back(what);
    }

    /// The moment that was asked for has come.
    pub(super) fn alarm(&mut self, lane: &Lane) {
        self.queue_of(lane).alarmed = false;
    }

    /// What is to be done for the host. `full` says that no fetch of any host may start; `wanted`, whether something in
    /// the queue is still to be started.
    pub(super) fn next(
        &mut self,
        lane: &Lane,
        full: bool,
        now: Instant,
        mut wanted: impl FnMut(&W) -> bool,
    ) -> Next<W> {
        let queue = self.queue_of(lane);
        for ready in [&mut queue.urgent, &mut queue.waiting] {
            while ready.front().is_some_and(|first| !wanted(first)) {
                ready.pop_front();
            }
        }
        if queue.urgent.is_empty() && queue.waiting.is_empty() {
            return Next::Rest;
        }
        match queue.host.may_start(now) {
            May::WaitForEnd => Next::Rest,
            May::WaitUntil(_) if queue.alarmed => Next::Rest,
            May::WaitUntil(moment) => {
                queue.alarmed = true;
                Next::Alarm(moment)
            }
            May::Start if full => {
                if !queue.crowded {
                    queue.crowded = true;
                    self.crowded.push_back(lane.clone());
                }
                Next::Rest
            }
            May::Start => match queue.urgent.pop_front().or_else(|| queue.waiting.pop_front()) {
                Some(what) => {
                    queue.host.started(now);
                    Next::Start(what)
                }
                None => Next::Rest,
            },
        }
    }

    /// Whether the lane leads anywhere.
    pub(super) fn readiness(&self, lane: &Lane, now: Instant) -> Readiness {
        self.queues.get(lane).map_or(Readiness::Ready, |queue| queue.host.readiness(now))
    }

    /// How many hosts wait for a fetch of any host to end.
    pub(super) fn crowd(&self) -> usize {
        self.crowded.len()
    }

    /// The host whose turn it is among them; it waits no longer.
    pub(super) fn first_of_crowd(&mut self) -> Option<Lane> {
        let lane = self.crowded.pop_front()?;
        self.queue_of(&lane).crowded = false;
        Some(lane)
    }

    /// Takes note of how a fetch ended. If the host is left alone from now on, returns until when, and what waits.
    pub(super) fn ended(&mut self, lane: &Lane, ended: Ended, now: Instant) -> Option<(Instant, Vec<W>)> {
        let queue = self.queue_of(lane);
        let until = queue.host.ended(ended, now)?;
        Some((until, queue.urgent.iter().chain(&queue.waiting).copied().collect()))
    }

    /// Lets go of a host that has nothing to remember.
    pub(super) fn forget_idle(&mut self, lane: &Lane, now: Instant) {
        let idle = |queue: &Queue<W>| {
            let empty = queue.urgent.is_empty() && queue.waiting.is_empty();
            empty && !queue.alarmed && !queue.crowded && queue.host.is_idle(now)
        };
        if self.queues.get(lane).is_some_and(idle) {
            self.queues.remove(lane);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::source::Way;

    fn lane(host: &str) -> Lane {
        Lane { host: host.into(), way: Way::Direct }
    }

    fn hosts() -> (Hosts<u32>, Lane) {
        let limits = HostLimits { concurrent: 2, per_minute: 6000, max_pause: Duration::from_hours(1) };
        (Hosts::new(limits), lane("cal.example"))
    }

    #[tokio::test(start_paused = true)]
    async fn what_somebody_waits_for_goes_first_and_only_once() {
        let ((mut hosts, name), now) = (hosts(), Instant::now());
        hosts.queue(&name, 1);
        hosts.queue(&name, 2);
        hosts.queue_urgent(&name, 2);
        assert_eq!(hosts.next(&name, false, now, |_| true), Next::Start(2));
        assert_eq!(hosts.next(&name, false, now, |what| *what != 2), Next::Start(1));
        assert_eq!(hosts.next(&name, false, now, |what| *what != 2), Next::Rest);
        hosts.ended(&name, Ended::Answered, now);
        hosts.ended(&name, Ended::Answered, now);
        hosts.forget_idle(&name, now + Duration::from_mins(1));
        assert!(hosts.queues.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn hosts_that_find_no_room_take_turns() {
        let ((mut hosts, first), second, now) = (hosts(), lane("other.example"), Instant::now());
        for name in [&first, &second, &first] {
            hosts.queue(name, 1);
            assert_eq!(hosts.next(name, true, now, |_| true), Next::Rest);
        }
        assert_eq!(hosts.crowd(), 2);
        assert_eq!(hosts.first_of_crowd(), Some(first));
        assert_eq!(hosts.first_of_crowd(), Some(second));
        assert_eq!(hosts.first_of_crowd(), None);
    }
}
