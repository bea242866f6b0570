//! How often who may call. Clients are told apart by address, IPv6 by /64: whoever has one IPv6 address has the whole
//! network of them.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use super::caller::Peer;
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

/// How many clients are remembered before they are told apart less finely.
const CLIENTS: usize = 10_000;

type Limiter = RateLimiter<Peer, DashMapStateStore<Peer>, DefaultClock, NoOpMiddleware>;

/// The limiters in force.
#[derive(Debug)]
pub(super) struct Limits {
    /// Known tokens only, so there are never more of them than devices.
    tokens: RateLimiter<TokenName, DashMapStateStore<TokenName>, DefaultClock, NoOpMiddleware>,
    requests: Limiter,
    wrong_tokens: Limiter,
    clock: DefaultClock,
    crowded: AtomicBool,
}

impl Limits {
    pub(super) fn new(rates: Rates) -> Self {
        Self {
            tokens: RateLimiter::keyed(Quota::per_minute(rates.tokens)),
            requests: RateLimiter::keyed(Quota::per_minute(rates.requests)),
            wrong_tokens: RateLimiter::keyed(Quota::per_minute(rates.wrong_tokens)),
            clock: DefaultClock::default(),
            crowded: AtomicBool::new(false),
        }
    }

    /// Counts a request that brings a device's token. `Err` says how long to wait.
    pub(super) fn token(&self, token: TokenName) -> Result<(), Duration> {
        self.tokens.check_key(&token).map_err(|not_until| not_until.wait_time_from(self.clock.now()))
    }

    /// Counts a request of `client` that brings none. `Err` says how long to wait.
    pub(super) fn request(&self, client: Peer) -> Result<(), Duration> {
        self.check(&self.requests, client)
    }

    /// Counts a request of `client` for what does not exist.
    pub(super) fn wrong_token(&self, client: Peer) -> Result<(), Duration> {
        self.check(&self.wrong_tokens, client)
    }

    fn check(&self, limiter: &Limiter, client: Peer) -> Result<(), Duration> {
        let name = name(client, self.crowded.load(Ordering::Relaxed));
        limiter.check_key(&name).map_err(|not_until| not_until.wait_time_from(self.clock.now()))
    }

    /// Forgets clients that have not called for a while. To be called every few seconds; while there are too many of
    /// them, whole neighbourhoods count as one.
    pub(super) fn sweep(&self) {
        self.tokens.retain_recent();
        self.tokens.shrink_to_fit();
        for limiter in [&self.requests, &self.wrong_tokens] {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
        let clients = self.requests.len().max(self.wrong_tokens.len());
        self.crowded.store(clients > CLIENTS, Ordering::Relaxed);
    }
}

/// What `client` is told from others by: its address, or its network.
pub(super) fn network(client: Peer) -> Peer {
    name(client, false)
}

/// What `client` is remembered by.
fn name(client: Peer, crowded: bool) -> Peer {
    let Peer::Address(ip) = client else { return client };
    Peer::Address(match ip.to_canonical() {
        IpAddr::V4(ip) if crowded => IpAddr::V4((ip.to_bits() & 0xFFFF_0000).into()),
        IpAddr::V4(ip) => ip.into(),
        IpAddr::V6(ip) => {
            let kept = if crowded { 32 } else { 64 };
            Ipv6Addr::from_bits(ip.to_bits() & !(u128::MAX >> kept)).into()
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::feed::{Catalog, Found, Key};

    fn ip(text: &str) -> Peer {
        Peer::Address(text.parse().unwrap())
    }

    #[test]
    fn a_client_is_an_ipv4_address_or_an_ipv6_network() {
        assert_eq!(name(ip("2001:db8:1:2:3:4:5:6"), false), name(ip("2001:db8:1:2:ffff::1"), false));
        assert_ne!(name(ip("2001:db8:1:2::1"), false), name(ip("2001:db8:1:3::1"), false));
        assert_eq!(name(ip("::ffff:192.0.2.1"), false), ip("192.0.2.1"));
        assert_ne!(name(ip("192.0.2.1"), false), name(ip("192.0.2.2"), false));
        assert_eq!(name(ip("192.0.2.1"), true), name(ip("192.0.77.2"), true));
        assert_eq!(name(ip("2001:db8:1:2::1"), true), name(ip("2001:db8:77:3::1"), true));
    }

    /// A budget that is whole again says nothing of whose it is.
    #[test]
    fn whoever_has_their_whole_budget_again_is_forgotten() {
        let fast = NonZeroU32::MAX;
        let limits = Limits::new(Rates { tokens: fast, requests: fast, wrong_tokens: fast });
        let mut catalog = Catalog::new([7; 32]);
        let token = Key::new([7; 32]).token("me", "phone", 0);
        catalog.admit(&token, Arc::new(()));
        let Found::Feed((), name) = catalog.find(token.reveal(), 0) else { panic!("it was admitted") };
        let is_empty =
            |limits: &Limits| [limits.tokens.is_empty(), limits.requests.is_empty(), limits.wrong_tokens.is_empty()];
        limits.token(name).unwrap();
        limits.request(ip("192.0.2.1")).unwrap();
        limits.wrong_token(ip("192.0.2.1")).unwrap();
        assert_eq!(is_empty(&limits), [false; 3]);
        // Within microseconds.
        assert!((0..1_000_000).any(|_| {
            limits.sweep();
            is_empty(&limits) == [true; 3]
        }));
    }

    #[test]
    fn wrong_tokens_have_a_budget_of_their_own() {
        let minute = |count| NonZeroU32::new(count).unwrap();
        let limits = Limits::new(Rates { tokens: minute(1000), requests: minute(1000), wrong_tokens: minute(5) });
        let allowed = (0..50).filter(|_| limits.wrong_token(ip("192.0.2.1")).is_ok()).count();
        assert_eq!(allowed, 5);
        let wait = limits.wrong_token(ip("192.0.2.1")).unwrap_err();
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(12), "{wait:?}");
        assert!(limits.request(ip("192.0.2.1")).is_ok() && limits.wrong_token(ip("192.0.2.2")).is_ok());
    }
}
