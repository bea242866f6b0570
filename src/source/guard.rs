//! Which addresses of the network may be reached.
//!
//! Whoever can write a source's address could otherwise read the machine's own network through this program. The rule
//! is an allow-list: an address is public only if no special-purpose registry has it. The check is made on the
//! addresses a name resolves to, and the connection is made to the very address that was checked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use ipnet::{Ipv4Net, Ipv6Net};

/// How far a source may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Public addresses only.
    Public,
    /// Addresses of private networks and of this machine too, because the settings say so.
    Private,
}

impl Reach {
    /// Whether a connection to `ip` may be made.
    pub fn allows(self, ip: IpAddr) -> bool {
        match self {
            Self::Private => true,
            Self::Public => is_public(ip),
        }
    }
}

/// The ports that a source with a public reach may use where the settings say nothing else.
pub const USUAL_PORTS: [u16; 2] = [80, 443];

/// Whether `host` is this machine's own name (RFC 6761 §6.3), with or without a dot at its end.
pub(super) fn is_local_name(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

/// The IANA special-purpose registry of IPv4, and multicast and what is reserved.
static SPECIAL_V4: LazyLock<Vec<Ipv4Net>> = LazyLock::new(|| {
    [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    ]
    .map(|net| net.parse().expect("a literal network"))
    .into()
});

/// Inside `2000::/3`, what is not the public network: Teredo and the other protocol assignments, documentation, 6to4.
static SPECIAL_V6: LazyLock<Vec<Ipv6Net>> = LazyLock::new(|| {
    ["2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"]
        .map(|net| net.parse().expect("a literal network"))
        .into()
});

/// Whether `ip` is an address of the public network. An IPv4 address inside an IPv6 one is judged as itself; every
/// form that hides one behind a translator (NAT64, 6to4, Teredo) is not public, nor is one that carries an IPv4 address
/// of a private network through an ISATAP tunnel (RFC 5214 §6.1).
pub fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    !SPECIAL_V4.iter().any(|net| net.contains(&ip))
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    ip.segments().first().is_some_and(|first| first & 0xE000 == 0x2000)
        && !SPECIAL_V6.iter().any(|net| net.contains(&ip))
        && isatap(ip).is_none_or(is_public_v4)
}

fn isatap(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let [.., marker, form, high, low] = ip.segments();
    // The bit that may differ says whether the IPv4 address is unique.
    (marker & !0x0200 == 0 && form == 0x5EFE).then(|| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_addresses_of_the_public_network_are_public() {
        let forbidden = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.170",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.251",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:a9fe:a9fe",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::808:808",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:0a00:0001::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "ff0e::1",
            "4000::1",
            "1::1",
            "2a00::5efe:10.0.0.1",
            "2a00::200:5efe:127.0.0.1",
        ];
        for ip in forbidden {
            assert!(!is_public(ip.parse().unwrap()), "{ip} must not be reached");
            assert!(Reach::Private.allows(ip.parse().unwrap()));
        }
        for ip in [
            "8.8.8.8",
            "142.250.1.1",
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450:4001::1",
            "2400:3200::1",
            "::ffff:8.8.8.8",
            "2a00::5efe:8.8.8.8",
        ] {
            assert!(is_public(ip.parse().unwrap()), "{ip} is public");
        }
    }

    proptest! {
        #[test]
        fn an_address_and_its_mapped_form_are_judged_alike(bits in any::<u32>()) {
            let ip = Ipv4Addr::from_bits(bits);
            prop_assert_eq!(is_public(ip.into()), is_public(ip.to_ipv6_mapped().into()));
        }
    }
}
