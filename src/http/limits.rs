//! How often who may call, in as much room as can be spared: whoever calls from ever new networks must not fill the
//! memory, nor shut out those who are known already.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::{DashMapStateStore, ShrinkableKeyedStateStore};
use governor::{NotUntil, Quota, RateLimiter};

use super::caller::Peer;
use super::network::Network;
use crate::feed::TokenName;

/// What every client may do in a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Requests that bring the token of a device: of each token, whoever brings it.
    pub tokens: NonZeroU32,
    /// Requests that bring none: of each client.
    pub requests: NonZeroU32,
    /// Requests for what does not exist: wrong tokens, above all.
    pub wrong_tokens: NonZeroU32,
}

/// How many times what one client may, all of an IPv6 /48 together may. Generous, for a carrier's phones can be in one, and
/// few enough that by default one /48 does not have more than half of all connections.
pub(super) const CLIENTS_OF_A_SITE: NonZeroU32 = NonZeroU32::MIN.saturating_add(7);

/// How many are remembered, of each kind of request, before who is new is told apart less finely. And again as many of
/// those neighbourhoods, before they are not told apart at all.
const CLIENTS: usize = 10_000;

/// Its clock is a monotonic one.
type Limiter<K, S> = RateLimiter<K, S, DefaultClock, NoOpMiddleware>;

/// The limiters in force.
#[derive(Debug)]
pub(super) struct Limits {
    /// Known tokens only, so there are never more of them than devices.
    tokens: Limiter<TokenName, DashMapStateStore<TokenName>>,
    requests: Budgets,
    wrong_tokens: Budgets,
    clock: DefaultClock,
}

/// Who has spent a budget, and until when they have to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spent {
    pub(super) whose: Network,
    pub(super) wait: Duration,
}

impl Limits {
    pub(super) fn new(rates: Rates) -> Self {
        Self {
            tokens: RateLimiter::keyed(Quota::per_minute(rates.tokens)),
            requests: Budgets::new(rates.requests),
            wrong_tokens: Budgets::new(rates.wrong_tokens),
            clock: DefaultClock::default(),
        }
    }

    /// Counts a request that brings a device's token. `Err` says how long to wait.
    pub(super) fn token(&self, token: TokenName) -> Result<(), Duration> {
        self.tokens.check_key(&token).map_err(|not_until| not_until.wait_time_from(self.clock.now()))
    }

    /// Counts a request of `client` that brings none.
    pub(super) fn request(&self, client: Peer) -> Result<(), Spent> {
        self.requests.spend(client)
    }

    /// Counts a request of `client` for what does not exist.
    pub(super) fn wrong_token(&self, client: Peer) -> Result<(), Spent> {
        self.wrong_tokens.spend(client)
    }

    /// Forgets clients that have not called for a while. To be called every few seconds.
    pub(super) fn sweep(&self) {
        self.tokens.retain_recent();
        self.tokens.shrink_to_fit();
        for Budgets { clients, sites } in [&self.requests, &self.wrong_tokens] {
            for limiter in [clients, sites] {
                limiter.retain_recent();
                limiter.shrink_to_fit();
            }
        }
    }
}

/// The budgets of one kind of request.
#[derive(Debug)]
struct Budgets {
    clients: Limiter<Network, Remembered>,
    sites: Limiter<Network, Remembered>,
}

impl Budgets {
    fn new(rate: NonZeroU32) -> Self {
        let limiter = |rate| RateLimiter::new(Quota::per_minute(rate), Remembered::default(), DefaultClock::default());
        Self { clients: limiter(rate), sites: limiter(rate.saturating_mul(CLIENTS_OF_A_SITE)) }
    }

    /// What a client is refused takes nothing from its site: no single one can spend what is for all.
    fn spend(&self, client: Peer) -> Result<(), Spent> {
        let client = Network::of(client);
        let spend = |limiter: &Limiter<_, _>, whose| {
            let wait = |until: NotUntil<_>| until.wait_time_from(limiter.clock().now());
            limiter.check_key(&whose).map_err(|until| Spent { whose, wait: wait(until) })
        };
        spend(&self.clients, client)?;
        client.site().map_or(Ok(()), |site| spend(&self.sites, site))
    }
}

/// What clients have left of one budget. Whoever is remembered has it for themselves; whoever comes when all places are
/// taken shares that of the neighbourhood, and at the worst that of everybody who is not remembered.
#[derive(Debug, Default)]
struct Remembered(Mutex<HashMap<Network, Nanos>>);

impl Remembered {
    fn kept(&self) -> MutexGuard<'_, HashMap<Network, Nanos>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateStore for Remembered {
    type Key = Network;

    fn measure_and_replace<T, F, E>(&self, client: &Network, judge: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut kept = self.kept();
        let names = [(*client, CLIENTS), (client.neighbourhood(), 2 * CLIENTS)];
        let has_place = |(name, places): &(Network, usize)| kept.len() < *places || kept.contains_key(name);
        let name = names.into_iter().find(has_place).map_or_else(|| client.everybody(), |(name, _)| name);
        let (outcome, spent) = judge(kept.get(&name).copied())?;
        kept.insert(name, spent);
        Ok(outcome)
    }
}

impl ShrinkableKeyedStateStore<Network> for Remembered {
    fn retain_recent(&self, drop_below: Nanos) {
        self.kept().retain(|_, spent| *spent > drop_below);
    }

    fn shrink_to_fit(&self) {
        self.kept().shrink_to_fit();
    }

    fn len(&self) -> usize {
        self.kept().len()
    }

    fn is_empty(&self) -> bool {
        self.kept().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv6Addr};
    use std::sync::Arc;

    use super::*;
    use crate::feed::{Catalog, Found, Key};

    fn ip(text: &str) -> Peer {
        Peer::Address(text.parse().unwrap())
    }

    fn limits(tokens: u32, requests: u32, wrong_tokens: u32) -> Limits {
        let [tokens, requests, wrong_tokens] =
            [tokens, requests, wrong_tokens].map(|count| NonZeroU32::new(count).unwrap());
        Limits::new(Rates { tokens, requests, wrong_tokens })
    }

    /// A budget that is whole again says nothing of whose it is.
    #[test]
    fn whoever_has_their_whole_budget_again_is_forgotten() {
        let limits = limits(u32::MAX, u32::MAX, u32::MAX);
        let mut catalog = Catalog::new([7; 32]);
        let token = Key::new([7; 32]).token("me", "phone", 0);
        catalog.admit(&token, Arc::new(()));
        let Found::Feed((), name) = catalog.find(token.reveal(), 0) else { panic!("it was admitted") };
        let is_empty = |limits: &Limits| {
            let Limits { tokens, requests, wrong_tokens, .. } = limits;
            let budgets = [&requests.clients, &requests.sites, &wrong_tokens.clients, &wrong_tokens.sites];
            [tokens.is_empty(), budgets.iter().all(|limiter| limiter.is_empty())]
        };
        limits.token(name).unwrap();
        limits.request(ip("2001:db8::1")).unwrap();
        limits.wrong_token(ip("2001:db8::1")).unwrap();
        assert_eq!(is_empty(&limits), [false; 2]);
        // Within microseconds.
        assert!((0..1_000_000).any(|_| {
            limits.sweep();
            is_empty(&limits) == [true; 2]
        }));
    }

    #[test]
    fn wrong_tokens_have_a_budget_of_their_own() {
        let limits = limits(1000, 1000, 5);
        let allowed = (0..50).filter(|_| limits.wrong_token(ip("192.0.2.1")).is_ok()).count();
        assert_eq!(allowed, 5);
        let Spent { wait, .. } = limits.wrong_token(ip("192.0.2.1")).unwrap_err();
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(12), "{wait:?}");
        assert!(limits.request(ip("192.0.2.1")).is_ok() && limits.wrong_token(ip("192.0.2.2")).is_ok());
    }

    #[test]
    fn a_site_has_the_budget_of_so_many_clients_which_no_single_one_can_spend() {
        let limits = limits(1, 1, 5);
        let at = |network: u32, last: u32| ip(&format!("2001:db8:1:{network:x}::{last:x}"));
        let greedy = (0..1000).filter(|last| limits.wrong_token(at(0, *last)).is_ok()).count();
        assert_eq!(greedy, 5);
        let spent = (1..1000).filter(|network| limits.wrong_token(at(*network, 1)).is_ok()).count();
        assert_eq!(spent, 7 * 5);
        assert_eq!(limits.wrong_token(at(0xFFFF, 1)).unwrap_err().whose, Network::of(at(0, 0)).site().unwrap());
        assert!(limits.wrong_token(ip("2001:db8:2::1")).is_ok(), "another site");
        let many = (0..200).filter(|last| limits.wrong_token(ip(&format!("192.0.2.{last}"))).is_ok()).count();
        assert_eq!(many, 200, "IPv4 has no sites");
    }

    /// A million addresses below `prefix`, in no order.
    fn a_million(prefix: &str, length: u32) -> impl Iterator<Item = Peer> {
        let prefix: Ipv6Addr = prefix.parse().unwrap();
        let mut dice = fastrand::Rng::with_seed(1);
        std::iter::repeat_with(move || prefix.to_bits() | dice.u128(..) >> length)
            .map(|bits| Peer::Address(IpAddr::V6(bits.into())))
            .take(1_000_000)
    }

    #[test]
    fn a_million_addresses_of_one_network_are_one_client() {
        let limits = limits(1, 1, 5);
        let allowed = a_million("2001:db8:1:2::", 64).filter(|client| limits.wrong_token(*client).is_ok()).count();
        assert!((5..50).contains(&allowed), "{allowed} allowed");
        assert_eq!(limits.wrong_tokens.clients.len(), 1);
    }

    #[test]
    fn a_million_networks_take_bounded_room_and_shut_out_nobody_who_is_known() {
        let limits = limits(1, 1, 5);
        let (known, neighbour) = (ip("2001:db8:1:2::1"), ip("2001:db8:1:3::1"));
        limits.wrong_token(known).unwrap();
        for client in a_million("2001:db8::", 32) {
            let _ = limits.wrong_token(client);
        }
        assert_eq!(limits.wrong_tokens.clients.len(), CLIENTS + 1, "the clients, and the neighbourhood of all others");
        let has_some = |client| limits.wrong_tokens.clients.check_key(&Network::of(client)).is_ok();
        assert!(has_some(known), "has a budget of its own");
        assert!(!has_some(neighbour), "comes too late for that");
        assert!(limits.wrong_token(ip("2001:db9::1")).is_ok(), "of another neighbourhood");
        for client in a_million("2000::", 3) {
            let _ = limits.wrong_token(client);
        }
        let Budgets { clients, sites } = &limits.wrong_tokens;
        assert_eq!(clients.len(), 2 * CLIENTS + 1, "and everybody");
        assert!(sites.len() <= 2 * CLIENTS + 1, "of those, whoever was allowed something");
        assert!(has_some(known));
        assert!(limits.wrong_token(ip("192.0.2.1")).is_ok(), "IPv4 has a budget for everybody, too");
    }
}
