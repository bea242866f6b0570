//! One upstream as the driver has it: where it waits, and which way it takes.

use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::time::delay_queue::Key;

use super::handle::Plan;
use super::host::Ended;
use super::hosts::Hosts;
use super::lane::{Lane, Readiness, WayStanding};
use super::schedule::Pace;
use super::upstream::Upstream;
use crate::source::{Address, FetchError, Reach, Way};
use crate::store::UpstreamId;

/// What the delay queue holds.
pub(super) enum Due {
    Upstream(UpstreamId),
    /// A host may be asked again.
    Host(Lane),
}

pub(super) enum Place {
    /// In the delay queue.
    Scheduled(Key),
    /// In its host's queue.
    Waiting,
    /// In its host's queue, before those that nobody waits for.
    Urgent,
    /// Being fetched.
    Running,
}

pub(super) struct Entry {
    pub(super) upstream: Arc<Upstream>,
    pub(super) address: Address,
    pub(super) reach: Reach,
    pub(super) ports: Arc<[u16]>,
    /// The ways to it, the preferred first.
    ways: Arc<[Way]>,
    pub(super) pace: Pace,
    /// The way it takes, or took last.
    pub(super) lane: Lane,
    /// Ways that did not lead to an answer since it was due, by their place in the list.
    tried: Vec<usize>,
    pub(super) place: Place,
    /// No reader's wish has it fetched before this moment.
    pub(super) rests_until: Option<Instant>,
}

impl Entry {
    pub(super) fn new(plan: &Plan, upstream: Arc<Upstream>, place: Place) -> Self {
        let way = plan.ways.first().cloned().unwrap_or(Way::Direct);
        Self {
            address: plan.address.clone(),
            reach: plan.reach,
            ports: Arc::clone(&plan.ports),
            ways: Arc::clone(&plan.ways),
            pace: plan.pace,
            lane: Lane { host: Arc::clone(&upstream.host), way },
            upstream,
            tried: Vec::new(),
            place,
            rests_until: None,
        }
    }

    /// Takes over what the settings say now. A fetch under way goes on as it is.
    pub(super) fn follow(&mut self, plan: &Plan) {
        self.pace = plan.pace;
        self.ports = Arc::clone(&plan.ports);
        let ways = (self.ways != plan.ways).then(|| way_standings(&plan.ways));
        self.ways = Arc::clone(&plan.ways);
        self.upstream.update(|standing| {
            standing.refresh = plan.pace.refresh;
            if let Some(ways) = ways {
                (standing.ways, standing.came_by) = (ways, 0);
            }
        });
    }

    /// The place of `way` in the list; nothing if the settings have dropped it.
    pub(super) fn number_of(&self, way: &Way) -> Option<usize> {
        self.ways.iter().position(|known| known == way)
    }

    pub(super) fn is_waiting_by(&self, lane: &Lane) -> bool {
        matches!(self.place, Place::Waiting | Place::Urgent) && self.lane == *lane
    }

    /// It is due: every way is open to it again. Takes the best, or the one that is open soonest.
    pub(super) fn set_out(&mut self, hosts: &Hosts<UpstreamId>, now: Instant) {
        self.tried.clear();
        if let Some((_, _, lane)) = self.choice(hosts, now) {
            self.lane = lane;
        }
    }

    /// The way it took did not lead to an answer. Takes the best of the others; `false` if none is ready.
    pub(super) fn turn_to_another(&mut self, hosts: &Hosts<UpstreamId>, now: Instant) -> bool {
        self.tried.extend(self.number_of(&self.lane.way));
        match self.choice(hosts, now) {
            Some((Readiness::Ready, _, lane)) => {
                self.lane = lane;
                true
            }
            _ => false,
        }
    }

    fn choice(&self, hosts: &Hosts<UpstreamId>, now: Instant) -> Option<(Readiness, usize, Lane)> {
        let open = self.ways.iter().enumerate().filter(|(index, _)| !self.tried.contains(index));
        let lanes = open.map(|(index, way)| (index, Lane { host: Arc::clone(&self.lane.host), way: way.clone() }));
        let choices = lanes.map(|(index, lane)| (hosts.readiness(&lane, now), index, lane));
        choices.min_by_key(|(readiness, index, _)| (*readiness, *index))
    }
}

/// The standings of ways that nobody has taken yet.
pub(super) fn way_standings(ways: &[Way]) -> Box<[WayStanding]> {
    ways.iter().map(WayStanding::untried).collect()
}

/// What an error says of the host, by the way that was taken.
pub(super) fn host_says(error: &FetchError) -> Ended {
    match error {
        FetchError::Throttled { retry_after, .. } => Ended::Refused(*retry_after),
        FetchError::Captcha => Ended::Refused(None),
        error if error.is_unreached() => Ended::Unreached,
        FetchError::PrivateAddress | FetchError::ForbiddenPort(_) | FetchError::NotHttp => Ended::Silent,
        _ => Ended::Answered,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::Notify;

    use super::*;
    use crate::refresh::Standing;

    /// Numbers of ways say nothing where the list is another: the log would tell of a turn that nobody has made.
    #[test]
    fn another_list_of_ways_begins_with_its_first() {
        let ways = |list: &[&str]| list.iter().map(|way| Way::parse(way).unwrap()).collect::<Vec<_>>();
        let plan = |list: &[&str]| Plan {
            source: "work".into(),
            upstream: [1; 32],
            address: Address::parse("https://cal.example/a.ics").unwrap(),
            reach: Reach::Public,
            ports: [443].into(),
            ways: ways(list).into(),
            pace: Pace { refresh: Duration::from_mins(15), max_backoff: Duration::from_hours(6) },
        };
        let proxies = ["http://one.example:3128", "http://two.example:3128"];
        let standing = Standing { ways: way_standings(&ways(&proxies)), came_by: 1, ..Standing::default() };
        let upstream = Upstream::new([1; 32], "work".into(), "cal.example".into(), Arc::new(Notify::new()), standing);
        let mut entry = Entry::new(&plan(&proxies), Arc::new(upstream), Place::Waiting);
        entry.follow(&plan(&proxies));
        assert_eq!(entry.upstream.standing().came_by, 1);
        entry.follow(&plan(&["direct", proxies[0]]));
        let standing = entry.upstream.standing();
        assert_eq!((standing.came_by, standing.ways.len(), standing.ways[0].kind), (0, 2, "direct"));
    }

    /// There may be a hundred thousand of each: what is rare has its room elsewhere, and what is equal is shared.
    #[test]
    fn an_upstream_takes_little() {
        for (what, size, bound) in [
            ("address", size_of::<Address>(), 32),
            ("lane", size_of::<Lane>(), 24),
            ("entry", size_of::<Entry>(), 192),
            ("standing", size_of::<Standing>(), 224),
            ("upstream", size_of::<Upstream>(), 320),
        ] {
            assert!(size <= bound, "{what}: {size} bytes");
        }
    }
}
