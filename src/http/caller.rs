//! Who is calling. A header that names a client's address is believed only from a proxy that the settings trust: anybody
//! can write such a header.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const CF_CONNECTING_IP: HeaderName = HeaderName::from_static("cf-connecting-ip");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Cloudflare's ranges, with their date.
const CLOUDFLARE: &str = include_str!("../../deploy/cloudflare-ips.txt");

/// The proxies whose headers are believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    cloudflare: Vec<IpNet>,
    others: Vec<IpNet>,
}

impl TrustedProxies {
    /// Reads one entry of the settings: `cloudflare`, an address, or a range. `false` if it is none of them.
    pub fn trust(&mut self, entry: &str) -> bool {
        if entry.eq_ignore_ascii_case("cloudflare") {
            let ranges = CLOUDFLARE.lines().filter(|line| !line.starts_with('#'));
            self.cloudflare.extend(ranges.filter_map(|range| range.parse::<IpNet>().ok()));
            return true;
        }
        let range = entry.parse().ok().or_else(|| entry.parse::<IpAddr>().ok().map(IpNet::from));
        self.others.extend(range);
        range.is_some()
    }

    /// The client's address: the peer's, unless the peer is a trusted proxy that names another.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        let named = if contains(&self.cloudflare, peer) {
            single(headers, &CF_CONNECTING_IP)
        } else if contains(&self.others, peer) {
            // Other proxies pass Cloudflare's header on from whoever wrote it.
            self.last_untrusted(headers)
        } else {
            None
        };
        named.unwrap_or(peer)
    }

    /// The last address of `X-Forwarded-For` that is not a trusted proxy's: what stands before it, the client may have
    /// written itself.
    fn last_untrusted(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let mut hops = Vec::new();
        for value in headers.get_all(X_FORWARDED_FOR) {
            hops.extend(value.to_str().ok()?.split(','));
        }
        for hop in hops.into_iter().rev() {
            let hop = hop.trim().parse::<IpAddr>().ok()?.to_canonical();
            if !contains(&self.others, hop) && !contains(&self.cloudflare, hop) {
                return Some(hop);
            }
        }
        None
    }
}

fn contains(ranges: &[IpNet], ip: IpAddr) -> bool {
    ranges.iter().any(|range| range.contains(&ip))
}

/// The address in a header that must be there exactly once.
fn single(headers: &HeaderMap, name: &HeaderName) -> Option<IpAddr> {
    let mut values = headers.get_all(name).iter();
    let ip = values.next()?.to_str().ok()?.trim().parse::<IpAddr>().ok()?;
    values.next().is_none().then(|| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let mut trusted = TrustedProxies::default();
        assert!(trusted.trust("cloudflare") && trusted.trust("10.0.0.0/8") && trusted.trust("::1"));
        assert!(!trusted.trust("cloudfare") && !trusted.trust("10.0.0.0/99"));
        let forged = headers(&[("cf-connecting-ip", "203.0.113.7"), ("x-forwarded-for", "203.0.113.8")]);
        assert_eq!(trusted.client(ip("198.51.100.1"), &forged), ip("198.51.100.1"));
        assert_eq!(trusted.client(ip("172.64.1.1"), &forged), ip("203.0.113.7"));
        assert_eq!(trusted.client(ip("::ffff:172.64.1.1"), &forged), ip("203.0.113.7"));
        let twice = headers(&[("cf-connecting-ip", "1.1.1.1"), ("cf-connecting-ip", "2.2.2.2")]);
        assert_eq!(trusted.client(ip("172.64.1.1"), &twice), ip("172.64.1.1"));
        assert_eq!(TrustedProxies::default().client(ip("172.64.1.1"), &forged), ip("172.64.1.1"));
    }

    #[test]
    fn of_forwarded_addresses_the_last_untrusted_one_counts() {
        let mut trusted = TrustedProxies::default();
        trusted.trust("10.0.0.0/8");
        let client = |list: &[(&'static str, &str)]| trusted.client(ip("10.0.0.1"), &headers(list));
        assert_eq!(client(&[("x-forwarded-for", "1.2.3.4, 203.0.113.8, 10.0.0.2")]), ip("203.0.113.8"));
        assert_eq!(client(&[("x-forwarded-for", "1.2.3.4"), ("x-forwarded-for", "203.0.113.8")]), ip("203.0.113.8"));
        assert_eq!(client(&[("x-forwarded-for", "1.2.3.4, nonsense")]), ip("10.0.0.1"));
        assert_eq!(client(&[("cf-connecting-ip", "1.1.1.1")]), ip("10.0.0.1"), "any client can write that one");
        assert_eq!(client(&[("cf-connecting-ip", "1.1.1.1"), ("x-forwarded-for", "203.0.113.8")]), ip("203.0.113.8"));
        assert_eq!(client(&[]), ip("10.0.0.1"));
    }
}
