//! Who is calling. A header that names a client's address is believed only from a proxy that the settings trust: anybody
//! can write such a header.
//!
//! Cloudflare is believed in `CF-Connecting-IP`, and in nothing else: it passes the other headers on from whoever wrote
//! them. Other proxies are believed in `Forwarded` or `X-Forwarded-For`, and not in Cloudflare's header, for the same
//! reason.

use std::net::IpAddr;
use std::sync::LazyLock;

use chrono::NaiveDate;
use http::header::USER_AGENT;
use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use super::cloudflare::{CloudflareRanges, range};
use super::forwarded;
use crate::feed::Token;

const CF_CONNECTING_IP: HeaderName = HeaderName::from_static("cf-connecting-ip");

/// What is this wide, and still nobody's but one operator's: the private networks of IPv4 and IPv6, and this machine.
static PRIVATE: LazyLock<[IpNet; 3]> =
    LazyLock::new(|| ["10.0.0.0/8", "127.0.0.0/8", "fc00::/7"].map(|range| range.parse().expect("a literal range")));

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Peer {
    /// Somebody at this address.
    Address(IpAddr),
    /// Somebody on this machine, by a Unix socket.
    Unix,
}

impl Peer {
    /// With an IPv4 address written as such, even if it came by an IPv6 socket.
    pub(super) fn canonical(self) -> Self {
        match self {
            Self::Address(ip) => Self::Address(ip.to_canonical()),
            Self::Unix => Self::Unix,
        }
    }
}

/// More than one client is named where there can be only one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ambiguous;

/// The proxies whose headers are believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    /// Those that speak for Cloudflare.
    cloudflare: Group,
    others: Group,
    /// Where the published ranges are among them.
    published: Option<CloudflareRanges>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Group {
    ranges: Vec<IpNet>,
    unix: bool,
}

impl TrustedProxies {
    /// Reads one entry of the settings. `false` if it is none.
    ///
    /// `cloudflare` stands for `published`; an address, a range or `unix` for a proxy there; `cloudflare:` before one of
    /// those for who brings Cloudflare's requests from there, such as `cloudflared`.
    pub fn trust(&mut self, entry: &str, published: &CloudflareRanges) -> bool {
        let entry = entry.trim();
        if entry.eq_ignore_ascii_case("cloudflare") {
            self.cloudflare.ranges.extend_from_slice(published.ranges());
            self.published = Some(published.clone());
            return true;
        }
        match entry.split_once(':') {
            Some((name, place)) if name.eq_ignore_ascii_case("cloudflare") => self.cloudflare.add(place),
            _ => self.others.add(entry),
        }
    }

    /// The day the published ranges among them were copied, if that is more than a year before `today`.
    pub fn outdated(&self, today: NaiveDate) -> Option<NaiveDate> {
        self.published.as_ref()?.outdated(today)
    }

    /// Those ranges among them that are no proxy's, but everybody's: wider than any operator's, and not private.
    pub fn too_wide(&self) -> impl Iterator<Item = &IpNet> {
        let all = self.cloudflare.ranges.iter().chain(&self.others.ranges);
        all.filter(|range| {
            let widest = if matches!(range, IpNet::V4(_)) { 8 } else { 16 };
            range.prefix_len() <= widest && !PRIVATE.iter().any(|private| private.contains(*range))
        })
    }

    /// The addresses of Cloudflare, as far as the settings know better than this program.
    pub fn cloudflare(&self) -> CloudflareRanges {
        self.published.clone().unwrap_or_else(CloudflareRanges::built_in)
    }

    /// Whether `peer` is a proxy whose word is taken.
    pub(super) fn contains(&self, peer: Peer) -> bool {
        let peer = peer.canonical();
        self.cloudflare.has(peer) || self.others.has(peer)
    }

    /// The client: the peer, unless the peer is a trusted proxy that names another.
    ///
    /// # Errors
    /// [`Ambiguous`] if one that speaks for Cloudflare names several: it never does, so somebody is lying.
    pub(super) fn client(&self, peer: Peer, headers: &HeaderMap) -> Result<Peer, Ambiguous> {
        let peer = peer.canonical();
        let named = if self.cloudflare.has(peer) {
            connecting_ip(headers)?
        } else if self.others.has(peer) {
            self.last_untrusted(headers)
        } else {
            None
        };
        Ok(named.map_or(peer, Peer::Address))
    }

    /// The last hop that is not a trusted proxy: what stands before it, the client may have written itself.
    fn last_untrusted(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let hops = forwarded::hops(headers);
        let trusted = |ip| self.others.has(Peer::Address(ip)) || self.cloudflare.has(Peer::Address(ip));
        hops.into_iter().rev().find(|hop| !hop.is_some_and(trusted)).flatten()
    }
}

impl Group {
    fn add(&mut self, place: &str) -> bool {
        if place.eq_ignore_ascii_case("unix") {
            self.unix = true;
            return true;
        }
        let range = range(place);
        self.ranges.extend(range);
        range.is_some()
    }

    fn has(&self, peer: Peer) -> bool {
        match peer {
            Peer::Address(ip) => self.ranges.iter().any(|range| range.contains(&ip)),
            Peer::Unix => self.unix,
        }
    }
}

/// The address in `CF-Connecting-IP`.
fn connecting_ip(headers: &HeaderMap) -> Result<Option<IpAddr>, Ambiguous> {
    let mut values = headers.get_all(CF_CONNECTING_IP).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() || value.as_bytes().contains(&b',') {
        return Err(Ambiguous);
    }
    let ip = value.to_str().ok().and_then(|text| text.trim().parse::<IpAddr>().ok());
    Ok(ip.map(|ip| ip.to_canonical()))
}

/// What kind of client it is: the first word of its User-Agent, or the name it is known by if that word says nothing of
/// it. Nothing that could hold a secret, such as a token.
pub(super) fn agent(headers: &HeaderMap) -> &str {
    let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or("-");
    let name = agent.split(|char: char| !(char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.'))).next();
    match name.unwrap_or_default() {
        "Mozilla" | "Microsoft" | "Google-Calendar-Importer" => known(agent),
        name if name.is_empty() || name.len() >= Token::MIN => "-",
        name => name,
    }
}

/// Those that call themselves something else first.
fn known(agent: &str) -> &'static str {
    /// A mark, and whose it is. Every browser has those of the ones below it.
    const KNOWN: [(&str, &str); 8] = [
        ("Google-Calendar-Importer", "Google-Calendar"),
        ("Microsoft Outlook", "Outlook"),
        ("Microsoft Office", "Outlook"),
        ("Thunderbird/", "Thunderbird"),
        ("Edg", "Edge"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ];
    KNOWN.iter().find(|(mark, _)| agent.contains(mark)).map_or("browser", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn at(text: &str) -> Peer {
        Peer::Address(text.parse().unwrap())
    }

    fn trusted(entries: &[&str]) -> TrustedProxies {
        let mut trusted = TrustedProxies::default();
        for entry in entries {
            assert!(trusted.trust(entry, &CloudflareRanges::built_in()), "{entry}");
        }
        trusted
    }

    #[test]
    fn an_entry_is_a_name_a_place_or_nothing() {
        for wrong in
            ["cloudfare", "10.0.0.0/99", "cloudflare:", "cloudflare:cloudflare", "unix:/run/x", "tunnel:unix", ""]
        {
            assert!(!TrustedProxies::default().trust(wrong, &CloudflareRanges::built_in()), "{wrong}");
        }
        trusted(&[
            "cloudflare",
            "10.0.0.0/8",
            "::1",
            "unix",
            "cloudflare:unix",
            "cloudflare:::1",
            "Cloudflare:10.1.0.0/16",
        ]);
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let trusted = trusted(&["cloudflare", "10.0.0.0/8", "::1"]);
        let forged = headers(&[("cf-connecting-ip", "203.0.113.7"), ("x-forwarded-for", "203.0.113.8")]);
        assert_eq!(trusted.client(at("198.51.100.1"), &forged), Ok(at("198.51.100.1")));
        assert_eq!(trusted.client(at("172.64.1.1"), &forged), Ok(at("203.0.113.7")));
        assert_eq!(trusted.client(at("::ffff:172.64.1.1"), &forged), Ok(at("203.0.113.7")));
        assert_eq!(trusted.client(Peer::Unix, &forged), Ok(Peer::Unix));
        assert_eq!(TrustedProxies::default().client(at("172.64.1.1"), &forged), Ok(at("172.64.1.1")));
    }

    #[test]
    fn cloudflare_names_one_client_or_is_not_cloudflare() {
        let trusted = trusted(&["cloudflare"]);
        let client = |list: &[(&'static str, &str)]| trusted.client(at("172.64.1.1"), &headers(list));
        assert_eq!(client(&[("cf-connecting-ip", "1.1.1.1"), ("cf-connecting-ip", "2.2.2.2")]), Err(Ambiguous));
        assert_eq!(client(&[("cf-connecting-ip", "1.1.1.1, 2.2.2.2")]), Err(Ambiguous));
        assert_eq!(client(&[("cf-connecting-ip", "nonsense")]), Ok(at("172.64.1.1")));
        assert_eq!(client(&[("x-forwarded-for", "1.1.1.1"), ("forwarded", "for=1.1.1.1")]), Ok(at("172.64.1.1")));
        let twice = headers(&[("cf-connecting-ip", "1.1.1.1"), ("cf-connecting-ip", "2.2.2.2")]);
        assert_eq!(trusted.client(at("198.51.100.1"), &twice), Ok(at("198.51.100.1")), "not read, so not refused");
    }

    #[test]
    fn a_tunnel_brings_cloudflares_word_and_a_local_proxy_its_own() {
        let both = headers(&[("cf-connecting-ip", "203.0.113.7"), ("x-forwarded-for", "203.0.113.8")]);
        for (entries, peer, expected) in [
            (&["cloudflare:unix"][..], Peer::Unix, at("203.0.113.7")),
            (&["unix"], Peer::Unix, at("203.0.113.8")),
            (&["cloudflare"], Peer::Unix, Peer::Unix),
            (&["cloudflare:127.0.0.1"], at("127.0.0.1"), at("203.0.113.7")),
            (&["127.0.0.1"], at("127.0.0.1"), at("203.0.113.8")),
            (&["cloudflare:127.0.0.1"], at("127.0.0.2"), at("127.0.0.2")),
            (&["127.0.0.1", "cloudflare:127.0.0.1"], at("127.0.0.1"), at("203.0.113.7")),
        ] {
            assert_eq!(trusted(entries).client(peer, &both), Ok(expected), "{entries:?} {peer:?}");
        }
    }

    #[test]
    fn of_forwarded_addresses_the_last_untrusted_one_counts() {
        let trusted = trusted(&["10.0.0.0/8", "2001:db8:ffff::/48"]);
        let client = |list: &[(&'static str, &str)]| trusted.client(at("10.0.0.1"), &headers(list)).unwrap();
        assert_eq!(client(&[("x-forwarded-for", "1.2.3.4, 203.0.113.8, 10.0.0.2")]), at("203.0.113.8"));
        assert_eq!(client(&[("x-forwarded-for", "1.2.3.4"), ("x-forwarded-for", "203.0.113.8")]), at("203.0.113.8"));
        assert_eq!(client(&[("x-forwarded-for", "1.2.3.4, nonsense")]), at("10.0.0.1"));
        assert_eq!(client(&[("cf-connecting-ip", "1.1.1.1")]), at("10.0.0.1"), "any client can write that one");
        assert_eq!(client(&[("cf-connecting-ip", "1.1.1.1"), ("x-forwarded-for", "203.0.113.8")]), at("203.0.113.8"));
        let forwarded = "for=1.2.3.4, for=\"[2001:db8::8]:80\", for=\"[2001:db8:ffff::1]\"";
        assert_eq!(client(&[("forwarded", forwarded)]), at("2001:db8::8"));
        assert_eq!(client(&[("forwarded", "for=1.2.3.4, for=_hidden")]), at("10.0.0.1"), "hidden, and so not believed");
        assert_eq!(client(&[("forwarded", "for=unknown"), ("x-forwarded-for", "1.2.3.4")]), at("10.0.0.1"));
        assert_eq!(client(&[("x-forwarded-for", "10.0.0.3, 10.0.0.2")]), at("10.0.0.1"));
        let behind_cloudflare = headers(&[("x-forwarded-for", "1.2.3.4, 203.0.113.8, 172.64.1.1")]);
        let both = self::trusted(&["10.0.0.0/8", "cloudflare"]);
        assert_eq!(both.client(at("10.0.0.1"), &behind_cloudflare), Ok(at("203.0.113.8")));
        assert_eq!(client(&[]), at("10.0.0.1"));
    }

    #[test]
    fn a_client_is_called_by_the_name_it_is_known_by() {
        let token = "AH89n3Rvs45KzsJonphemlSP";
        for (sent, called) in [
            ("iOS/18.0 (22A3354) dataaccessd/1.0", "iOS"),
            ("macOS/13.4 (22F66) dataaccessd/1.0", "macOS"),
            ("ICSx5/2.3 (ical4j/4.0) Android/14", "ICSx5"),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.4.0", "Thunderbird"),
            ("Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.14326; Pro)", "Outlook"),
            ("Google-Calendar-Importer", "Google-Calendar"),
            ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/130.0 Safari/537.36 Edg/130.0", "Edge"),
            ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile Safari/604.1", "Safari"),
            ("Mozilla/5.0 (compatible)", "browser"),
            ("", "-"),
            (token, "-"),
        ] {
            let headers = HeaderMap::from_iter([(USER_AGENT, sent.parse().unwrap())]);
            assert_eq!(agent(&headers), called, "{sent}");
        }
    }

    /// What anybody may write into a header: pieces of the true forms, in any order, and other bytes.
    fn written() -> impl Strategy<Value = HeaderValue> {
        let piece = prop_oneof![
            Just("for=".to_owned()),
            prop::sample::select(vec![
                ",",
                ";",
                "\"",
                "\\",
                " ",
                "[",
                "]",
                ":",
                "_hidden",
                "unknown",
                "by=",
                "127.0.0.1"
            ])
            .prop_map(str::to_owned),
            any::<IpAddr>().prop_map(|ip| ip.to_string()),
            "[ -~]{0,8}",
        ];
        let text = prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat().into_bytes());
        prop_oneof![4 => text, 1 => prop::collection::vec(0x80..=0xFF_u8, 0..8)]
            .prop_map(|bytes| HeaderValue::from_bytes(&bytes).unwrap())
    }

    proptest! {
        #[test]
        fn who_is_no_proxy_is_whoever_connects_whatever_is_written(
            name in prop::sample::select(vec!["forwarded", "x-forwarded-for", "cf-connecting-ip", "x-real-ip"]),
            values in prop::collection::vec(written(), 0..4),
        ) {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(name, value);
            }
            let proxies = trusted(&["cloudflare", "10.0.0.0/8"]);
            prop_assert_eq!(proxies.client(at("192.0.2.1"), &headers).ok(), Some(at("192.0.2.1")));
        }

        #[test]
        fn what_a_client_writes_before_a_trusted_proxy_does_changes_nothing(
            values in prop::collection::vec(written(), 0..4),
            same_line in any::<bool>(),
        ) {
            let mut headers = HeaderMap::new();
            let last = values.last().filter(|_| same_line).cloned();
            for value in values.iter().take(values.len() - usize::from(last.is_some())) {
                headers.append("x-forwarded-for", value.clone());
            }
            let added = last.map_or_else(Vec::new, |line| [line.as_bytes(), b", "].concat());
            let added = [&added[..], b"192.0.2.1"].concat();
            headers.append("x-forwarded-for", HeaderValue::from_bytes(&added).unwrap());
            let client = trusted(&["10.0.0.0/8"]).client(at("10.0.0.1"), &headers);
            prop_assert_eq!(client.ok(), Some(at("192.0.2.1")));
        }
    }
}
