//! How a host is treated by one way: how many fetches at once, how many a minute, and when it is left alone altogether.
//!
//! Google refuses whole addresses of the network, not single calendars. When a host refuses three answers in a row, its
//! circuit opens: nobody's calendar is asked for until the pause is over, and then one is, to see. A way that did not lead
//! to the host, or by which it refused once, rests: whoever has another takes that, and nobody else is held up.

use std::time::Duration;

use tokio::time::Instant;

use super::lane::Readiness;

/// Bounds for every host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostLimits {
    /// Fetches at once.
    pub concurrent: usize,
    /// Fetches a minute, evenly spread; up to a sixth of it may come at once.
    pub per_minute: u32,
    /// Longest time a host that refuses is left alone.
    pub max_pause: Duration,
}

/// Refusals in a row that open the circuit.
const REFUSALS: u32 = 3;
/// How long it stays open the first time.
const FIRST_PAUSE: Duration = Duration::from_mins(5);
/// How long a way rests the first time, and at most unless the host asks for more.
const FIRST_REST: Duration = Duration::from_mins(1);
const LONGEST_REST: Duration = Duration::from_mins(30);

/// One host.
#[derive(Debug)]
pub(super) struct Host {
    limits: HostLimits,
    running: usize,
    /// When the budget would be used up to the brim: the generic cell rate algorithm's theoretical arrival time.
    budget: Instant,
    refusals: u32,
    pause: Duration,
    closed_until: Option<Instant>,
    rest: Duration,
    rests: Readiness,
}

/// Whether a fetch may start.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum May {
    /// Now.
    Start,
    /// Not before this moment.
    WaitUntil(Instant),
    /// Not before one of the running fetches ends.
    WaitForEnd,
}

/// How a fetch ended, as far as the host is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The host answered, well or badly.
    Answered,
    /// The host refused, and said when to come back or did not.
    Refused(Option<Duration>),
    /// No word from the host.
    Silent,
    /// No word from the host, and another way may lead to it.
    Unreached,
}

impl Host {
    pub(super) fn new(limits: HostLimits, now: Instant) -> Self {
        Self {
            limits,
            running: 0,
            budget: now,
            refusals: 0,
            pause: FIRST_PAUSE,
            closed_until: None,
            rest: FIRST_REST,
            rests: Readiness::Ready,
        }
    }

    /// Whether a fetch may start at `now`.
    pub(super) fn may_start(&self, now: Instant) -> May {
        if let Some(until) = self.closed_until {
            if until > now {
                return May::WaitUntil(until);
            }
            // One fetch, to see.
            if self.running > 0 {
                return May::WaitForEnd;
            }
        }
        if self.running >= self.limits.concurrent {
            return May::WaitForEnd;
        }
        let burst = Duration::from_secs(10);
        match self.budget.checked_sub(burst) {
            Some(allowed) if allowed > now => May::WaitUntil(allowed),
            _ => May::Start,
        }
    }

    /// Whether it leads anywhere.
    pub(super) fn readiness(&self, now: Instant) -> Readiness {
        let closed = self.closed_until.filter(|until| *until > now).map(Readiness::Refuses);
        closed.unwrap_or(match self.rests {
            Readiness::Rests(until) | Readiness::Refuses(until) if until <= now => Readiness::Ready,
            rests => rests,
        })
    }

    fn rest(&mut self, rests: impl Fn(Instant) -> Readiness, asked: Duration, now: Instant) {
        // Fetches that were under way together fail together, and count as one.
        if asked.is_zero() && self.readiness(now) != Readiness::Ready {
            return;
        }
        self.rests = rests(now + self.rest.max(asked.min(self.limits.max_pause)));
        self.rest = (self.rest * 2).min(LONGEST_REST);
    }

    pub(super) fn started(&mut self, now: Instant) {
        self.running += 1;
        self.budget = self.budget.max(now) + Duration::from_mins(1) / self.limits.per_minute.max(1);
    }

    /// Takes note of how a fetch ended. If the circuit has just opened, returns until when the host is left alone.
    pub(super) fn ended(&mut self, ended: Ended, now: Instant) -> Option<Instant> {
        self.running = self.running.saturating_sub(1);
        match ended {
            Ended::Answered => {
                self.refusals = 0;
                self.pause = FIRST_PAUSE;
                self.closed_until = None;
                (self.rest, self.rests) = (FIRST_REST, Readiness::Ready);
                None
            }
            // Neither word nor refusal: a probe that got lost closes nothing and proves nothing.
            Ended::Silent | Ended::Unreached => {
                if ended == Ended::Unreached {
                    self.rest(Readiness::Rests, Duration::ZERO, now);
                }
                if self.closed_until.is_some_and(|until| until <= now) {
                    self.closed_until = Some(now + self.pause);
                }
                None
            }
            Ended::Refused(asked) => self.refused(asked, now),
        }
    }

    fn refused(&mut self, asked: Option<Duration>, now: Instant) -> Option<Instant> {
        self.refusals += 1;
        self.rest(Readiness::Refuses, asked.unwrap_or_default(), now);
        // Fetches that were under way when the circuit opened are refused too; they say nothing new.
        if self.refusals < REFUSALS || self.closed_until.is_some_and(|until| until > now) {
            return None;
        }
        let pause = self.pause.max(asked.unwrap_or_default()).min(self.limits.max_pause.max(FIRST_PAUSE));
        self.closed_until = Some(now + pause);
        self.pause = (self.pause * 2).min(self.limits.max_pause.max(FIRST_PAUSE));
        self.closed_until
    }

    /// Nothing of it needs to be remembered.
    pub(super) fn is_idle(&self, now: Instant) -> bool {
        self.running == 0 && self.refusals == 0 && self.budget <= now && self.rests == Readiness::Ready
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HostLimits = HostLimits { concurrent: 2, per_minute: 60, max_pause: Duration::from_hours(1) };

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_is_asked_only_so_often_and_so_much_at_once() {
        let now = Instant::now();
        let mut host: Host = Host::new(LIMITS, now);
        host.started(now);
        host.started(now);
        assert_eq!(host.may_start(now), May::WaitForEnd);
        let mut started = 2;
        while host.may_start(now) != May::WaitUntil(now + secs(1)) {
            host.ended(Ended::Answered, now);
            if host.may_start(now) == May::Start {
                host.started(now);
                started += 1;
            }
            assert!(started < 100);
        }
        assert_eq!(started, 11, "ten seconds' worth at once, and the one being paid for");
        assert_eq!(host.may_start(now + secs(1)), May::Start);
    }

    #[tokio::test(start_paused = true)]
    async fn three_refusals_in_a_row_leave_the_host_alone_and_one_fetch_finds_out() {
        let now = Instant::now();
        let mut host: Host = Host::new(LIMITS, now);
        let refuse = |host: &mut Host, now| {
            host.started(now);
            host.ended(Ended::Refused(None), now)
        };
        assert_eq!(refuse(&mut host, now), None);
        host.started(now);
        host.ended(Ended::Answered, now);
        for _ in 0..2 {
            assert_eq!(refuse(&mut host, now), None, "an answer between them starts the count anew");
        }
        assert_eq!(refuse(&mut host, now), Some(now + secs(300)));
        assert_eq!(host.may_start(now + secs(299)), May::WaitUntil(now + secs(300)));
        let later = now + secs(300);
        assert_eq!(host.may_start(later), May::Start);
        host.started(later);
        assert_eq!(host.may_start(later), May::WaitForEnd, "only one is sent to see");
        assert_eq!(host.ended(Ended::Refused(Some(secs(900))), later), Some(later + secs(900)));
        let at_last = later + secs(900);
        host.started(at_last);
        host.ended(Ended::Answered, at_last);
        assert_eq!(host.may_start(at_last + secs(60)), May::Start);
    }

    /// Or one answer could end all fetching for good, and a number beyond all clocks the program.
    #[tokio::test(start_paused = true)]
    async fn a_host_is_never_left_alone_for_longer_than_the_settings_say() {
        let mut now = Instant::now();
        for asked in [Some(Duration::MAX), None] {
            let mut host = Host::new(LIMITS, now);
            for refusal in 0..200 {
                host.started(now);
                let until = host.ended(Ended::Refused(asked), now);
                assert!(until.is_none_or(|until| until <= now + LIMITS.max_pause), "refusal {refusal}");
                let rests = match host.readiness(now) {
                    Readiness::Refuses(until) | Readiness::Rests(until) => until,
                    Readiness::Ready => panic!("it has refused"),
                };
                assert!(rests <= now + LIMITS.max_pause, "refusal {refusal}");
                now = rests;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_way_that_leads_nowhere_rests_longer_and_longer_and_holds_up_nobody_who_has_no_other() {
        let now = Instant::now();
        let mut host: Host = Host::new(LIMITS, now);
        for (at, pause) in [(0, 60), (100, 120), (300, 240), (600, 480), (1200, 960), (3000, 1800), (9000, 1800)] {
            let then = now + secs(at);
            host.started(then);
            host.ended(Ended::Unreached, then);
            assert_eq!(host.readiness(then), Readiness::Rests(then + secs(pause)));
            assert_eq!(host.readiness(then + secs(pause)), Readiness::Ready);
            assert_eq!(host.may_start(then), May::Start);
        }
        let then = now + secs(20_000);
        host.started(then);
        host.ended(Ended::Answered, then);
        assert_eq!(host.readiness(then), Readiness::Ready);
        host.started(then);
        host.ended(Ended::Refused(Some(secs(600))), then);
        assert_eq!(host.readiness(then), Readiness::Refuses(then + secs(600)), "what the host asked for is kept");
    }
}
