//! From `public_url` to somebody who accepts a connection.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use tokio::task::JoinSet;
use url::Url;

use super::finding::{Finding, Kind};
use super::visit::connect;
use crate::http::{CloudflareRanges, Place};

/// For the resolver.
const RESOLVE: Duration = Duration::from_secs(10);
/// Addresses that are tried; a name that has more is no usual one.
const ADDRESSES: usize = 8;
/// What Cloudflare passes on, encrypted and not: developers.cloudflare.com, Network ports.
const ENCRYPTED_PORTS: [u16; 6] = [443, 2053, 2083, 2087, 2096, 8443];
const PLAIN_PORTS: [u16; 7] = [80, 8080, 8880, 2052, 2082, 2086, 2095];

/// Where to connect to for a host and a port, whatever the resolver says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detour {
    host: String,
    port: u16,
    to: SocketAddr,
}

impl FromStr for Detour {
    type Err = &'static str;

    /// Reads `HOST:PORT:ADDRESS` or, for another port there, `HOST:PORT:ADDRESS:PORT`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "write HOST:PORT:ADDRESS, such as cal.example.com:443:192.0.2.1";
        let mut parts = text.splitn(3, ':');
        let (Some(host), Some(port), Some(to)) = (parts.next(), parts.next(), parts.next()) else { return Err(FORM) };
        let port: u16 = port.parse().map_err(|_| FORM)?;
        let bare = || to.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
        let to = bare().map(|ip| SocketAddr::new(ip, port)).or_else(|| to.parse().ok()).ok_or(FORM)?;
        Ok(Self { host: host.to_ascii_lowercase(), port, to })
    }
}

/// A host, its port, and where they lead.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) addresses: Vec<SocketAddr>,
    /// Whether the user said where.
    pub(super) detour: bool,
}

impl Named {
    /// Resolves the host of `url` at `port`.
    pub(super) async fn resolve(url: &Url, port: u16, detours: &[Detour]) -> Result<Self, Finding> {
        let host = url.host_str().unwrap_or_default().to_owned();
        let said = detours.iter().filter(|detour| detour.host == host && detour.port == port);
        let said: Vec<_> = said.map(|detour| detour.to).collect();
        let detour = !said.is_empty();
        let addresses = if detour { said } else { look_up(&host, port).await };
        if addresses.is_empty() {
            return Err(Finding::new(Kind::NameNotFound, "public_url").with("host", host));
        }
        Ok(Self { host, port, addresses, detour })
    }

    /// What there is to say of it before anything is connected to. The last is an error if that makes no sense.
    pub(super) fn findings(&self, encrypted: bool, cloudflare: &CloudflareRanges) -> Vec<Finding> {
        let is = |place: Place| self.addresses.iter().any(|address| Place::of(address.ip(), cloudflare) == place);
        let of_cloudflare = is(Place::Cloudflare);
        let ports: &[u16] = if encrypted { &ENCRYPTED_PORTS } else { &PLAIN_PORTS };
        let leads = Finding::new(Kind::LeadsTo, "public_url")
            .with("host", self.host.as_str())
            .with("addresses", self.listed(of_cloudflare));
        let mut findings = vec![leads];
        if !self.detour && (is(Place::Local) || is(Place::Private)) {
            let found = Finding::new(Kind::NotPublic, "public_url");
            findings.push(found.with("host", self.host.as_str()).with("addresses", self.listed(false)));
        }
        if of_cloudflare && !ports.contains(&self.port) {
            let named: Vec<_> = ports.iter().map(ToString::to_string).collect();
            let found = Finding::new(Kind::PortNotProxied, "public_url").with("host", self.host.as_str());
            findings.push(found.with("port", self.port.to_string()).with("ports", named.join(", ")));
        }
        findings
    }

    /// The first address in order that accepts a connection, and what there is to say of the others.
    pub(super) async fn reach(&self) -> Result<(SocketAddr, Vec<Finding>), Finding> {
        let mut trying = JoinSet::new();
        for (place, address) in self.addresses.iter().copied().enumerate() {
            trying.spawn(async move { (place, address, connect(address).await.err()) });
        }
        let mut tried = trying.join_all().await;
        tried.sort_by_key(|(place, ..)| *place);
        let reached = tried.iter().find(|(.., error)| error.is_none()).map(|(_, address, _)| *address);
        let failed = tried.iter().filter_map(|(_, address, error)| Some((address, (*error)?)));
        let Some(reached) = reached else {
            let error = failed.map(|(_, error)| error.to_string()).next().unwrap_or_default();
            let found = Finding::new(Kind::Unreachable, "public_url").with("addresses", self.listed(false));
            return Err(found.with("port", self.port.to_string()).with("error", error));
        };
        // A machine without IPv6 says nothing about who has it.
        let telling = failed.filter(|(_, error)| !is_own_fault(*error));
        let others = telling.map(|(address, error)| {
            let found = Finding::new(Kind::AddressUnreachable, "public_url");
            found.with("address", address.ip().to_string()).with("error", error.to_string())
        });
        Ok((reached, others.collect()))
    }

    fn listed(&self, of_cloudflare: bool) -> String {
        let listed: Vec<_> = self.addresses.iter().map(|address| address.ip().to_string()).collect();
        format!("{}{}", listed.join(", "), if of_cloudflare { " (Cloudflare)" } else { "" })
    }
}

async fn look_up(host: &str, port: u16) -> Vec<SocketAddr> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let found = tokio::time::timeout(RESOLVE, tokio::net::lookup_host((bare, port))).await;
    let mut addresses = Vec::new();
    for address in found.into_iter().flatten().flatten().take(ADDRESSES) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses
}

fn is_own_fault(error: std::io::ErrorKind) -> bool {
    use std::io::ErrorKind::{AddrNotAvailable, HostUnreachable, NetworkUnreachable};
    matches!(error, AddrNotAvailable | HostUnreachable | NetworkUnreachable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detour_is_written_as_curl_writes_it_or_with_a_port() {
        for (text, to) in [
            ("Cal.example.com:443:192.0.2.1", "192.0.2.1:443"),
            ("cal.example.com:443:[2001:db8::1]", "[2001:db8::1]:443"),
            ("cal.example.com:443:2001:db8::1", "[2001:db8::1]:443"),
            ("cal.example.com:443:127.0.0.1:8443", "127.0.0.1:8443"),
            ("cal.example.com:443:[::1]:8443", "[::1]:8443"),
        ] {
            let detour = Detour::from_str(text).unwrap();
            assert_eq!((detour.host.as_str(), detour.port, detour.to), ("cal.example.com", 443, to.parse().unwrap()));
        }
        for wrong in ["", "cal.example.com", "cal.example.com:443", "cal.example.com:x:127.0.0.1", "a:443:b"] {
            assert!(Detour::from_str(wrong).is_err(), "{wrong}");
        }
    }
}
