//! The route by which `calferry doctor` sees from outside what reaches this program: `/<probe token>/probe`.
//!
//! The token is derived from the installation's key, so only whoever has the key can ask. What it does not say: settings,
//! feeds, tokens, how busy the program is.

use std::net::IpAddr;
use std::sync::Arc;

use http::{Request, StatusCode, Version};
use serde::{Deserialize, Serialize};

use super::answer::{self, Answer};
use super::caller::Peer;
use super::cloudflare::CloudflareRanges;
use crate::clock::Timestamp;
use crate::feed::{Catalog, Found, Key, TokenName};

/// How the path of a probe ends.
pub(super) const PROBE: &str = "/probe";

/// Mark of a request that came to this program by TLS; an extension of the request.
#[derive(Debug, Clone, Copy)]
pub struct Encrypted;

/// What the probe answers. `calferry doctor` reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    /// Which installation this is: it comes of the key, and says nothing about it.
    pub instance: String,
    /// The version that runs.
    pub version: String,
    /// What time it is here, in seconds since 1970.
    pub now: u64,
    /// The address that counts as the client's; none if it came by a Unix socket.
    pub client: Option<IpAddr>,
    /// Where the other end of the connection is.
    pub peer: Place,
    /// Whether a header named the client, and was believed.
    pub believed: bool,
    /// Whether the connection came to this program by TLS.
    pub tls: bool,
    /// The version of HTTP that was spoken to this program.
    pub http: String,
}

/// What kind of place an address is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// This machine.
    Local,
    /// A private network.
    Private,
    /// Cloudflare.
    Cloudflare,
    /// Anywhere else.
    Public,
}

impl Place {
    /// Where `ip` is, if `cloudflare` has its addresses.
    pub fn of(ip: IpAddr, cloudflare: &CloudflareRanges) -> Self {
        let ip = ip.to_canonical();
        if ip.is_loopback() || ip.is_unspecified() {
            return Self::Local;
        }
        let private = match ip {
            // 100.64.0.0/10 is the inside of carriers and of overlay networks (RFC 6598).
            IpAddr::V4(v4) => {
                v4.is_private() || v4.is_link_local() || matches!(v4.octets(), [100, second, ..] if second & 0xC0 == 64)
            }
            IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
        };
        match (private, cloudflare.ranges().iter().any(|range| range.contains(&ip))) {
            (true, _) => Self::Private,
            (false, true) => Self::Cloudflare,
            (false, false) => Self::Public,
        }
    }
}

/// The probe of one installation.
#[derive(Debug, Clone)]
pub struct Probe {
    /// With the probe's token in it and no other: wrong ones are looked up here with the work that they are in the
    /// catalog of feeds.
    tokens: Arc<Catalog<()>>,
    instance: String,
}

impl Probe {
    /// The probe of the installation that has `key`.
    pub fn new(key: &Key) -> Self {
        let mut tokens = Catalog::new(key.derive("calferry 2026 probe look-up"));
        tokens.admit(&key.probe_token(), Arc::new(()));
        Self { tokens: Arc::new(tokens), instance: key.instance() }
    }

    /// What `presented` is known by, if it is the probe's token.
    pub(super) fn find(&self, presented: &str) -> Option<TokenName> {
        match self.tokens.find(presented, 0) {
            Found::Feed((), name) => Some(name),
            Found::Revoked | Found::Unknown => None,
        }
    }

    /// What there is to say of `request`, which came from `peer` and counts as `client`'s.
    pub(super) fn answer<B>(
        &self,
        (peer, client): (Peer, Peer),
        cloudflare: &CloudflareRanges,
        now: Timestamp,
        request: &Request<B>,
    ) -> Answer {
        let ip = |peer| match peer {
            Peer::Address(ip) => Some(ip),
            Peer::Unix => None,
        };
        let http = match request.version() {
            Version::HTTP_2 => "2",
            Version::HTTP_10 => "1.0",
            _ => "1.1",
        };
        let probed = Probed {
            instance: self.instance.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            now: now.as_secs(),
            client: ip(client),
            peer: ip(peer).map_or(Place::Local, |ip| Place::of(ip, cloudflare)),
            believed: client != peer.canonical(),
            tls: request.extensions().get::<Encrypted>().is_some(),
            http: http.to_owned(),
        };
        answer::json(StatusCode::OK, &probed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_has_its_place() {
        for (ip, place) in [
            ("127.0.0.1", Place::Local),
            ("::1", Place::Local),
            ("10.1.2.3", Place::Private),
            ("169.254.1.1", Place::Private),
            ("100.64.0.1", Place::Private),
            ("100.128.0.1", Place::Public),
            ("fd00::1", Place::Private),
            ("fe80::1", Place::Private),
            ("::ffff:172.64.1.1", Place::Cloudflare),
            ("2606:4700::1", Place::Cloudflare),
            ("8.8.8.8", Place::Public),
            ("2001:4860::8888", Place::Public),
        ] {
            assert_eq!(Place::of(ip.parse().unwrap(), &CloudflareRanges::built_in()), place, "{ip}");
        }
    }

    #[test]
    fn only_the_probes_own_token_is_its_token() {
        let key = Key::new([5; 32]);
        let probe = Probe::new(&key);
        assert!(probe.find(key.probe_token().reveal()).is_some());
        for wrong in ["", "x", key.token("me", "phone", 0).reveal(), &key.instance(), &"x".repeat(10_000)] {
            assert!(probe.find(wrong).is_none(), "{wrong}");
        }
        assert!(probe.find(Key::new([6; 32]).probe_token().reveal()).is_none());
    }
}
