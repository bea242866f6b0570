//! Whom clients are told apart by: the network that somebody at an address has for themselves. Pure.

use ipnet::IpNet;

use super::caller::Peer;

/// All who cannot be told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Network {
    /// At these addresses.
    Range(IpNet),
    /// On this machine, by a Unix socket.
    Unix,
}

impl Network {
    /// Whom `peer` counts as: an IPv4 address, or an IPv6 /64, for whoever has one IPv6 address has the whole /64 of it.
    pub(super) fn of(peer: Peer) -> Self {
        match peer.canonical() {
            Peer::Address(ip) => Self::Range(ip.into()).widened(32, 64),
            Peer::Unix => Self::Unix,
        }
    }

    /// The site that it is part of, if that may be one client's, too: an IPv6 /48, in which there are 65,536 /64. Providers
    /// hand those out; but a carrier may also have many phones in one.
    pub(super) fn site(self) -> Option<Self> {
        matches!(self, Self::Range(IpNet::V6(_))).then(|| self.widened(0, 48))
    }

    /// The addresses around it: an IPv4 /16, or an IPv6 /32, which is about what one provider has.
    pub(super) fn neighbourhood(self) -> Self {
        self.widened(16, 32)
    }

    /// Everybody who calls by this version of the Internet Protocol.
    pub(super) fn everybody(self) -> Self {
        self.widened(0, 0)
    }

    fn widened(self, v4: u8, v6: u8) -> Self {
        let Self::Range(range) = self else { return self };
        let length = if range.addr().is_ipv4() { v4 } else { v6 };
        Self::Range(IpNet::new(range.addr(), length).map_or(range, |wider| wider.trunc()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ip: &str) -> Network {
        Network::of(Peer::Address(ip.parse().unwrap()))
    }

    fn range(text: &str) -> Network {
        Network::Range(text.parse().unwrap())
    }

    #[test]
    fn a_client_is_an_ipv4_address_or_an_ipv6_network() {
        assert_eq!(at("2001:db8:1:2:3:4:5:6"), range("2001:db8:1:2::/64"));
        assert_ne!(at("2001:db8:1:2::1"), at("2001:db8:1:3::1"));
        assert_eq!(at("192.0.2.1"), range("192.0.2.1/32"));
        assert_eq!(at("::ffff:192.0.2.1"), at("192.0.2.1"), "however it is written");
        assert_ne!(at("192.0.2.1"), at("192.0.2.2"));
    }

    #[test]
    fn of_ipv6_a_client_may_have_a_whole_site() {
        assert_eq!(at("2001:db8:1:2::1").site(), Some(range("2001:db8:1::/48")));
        assert_eq!(at("192.0.2.1").site(), None);
        assert_eq!(at("::ffff:192.0.2.1").site(), None);
        assert_eq!(Network::of(Peer::Unix).site(), None);
    }

    #[test]
    fn around_it_are_ever_more() {
        assert_eq!(at("192.0.77.2").neighbourhood(), range("192.0.0.0/16"));
        assert_eq!(at("2001:db8:77:3::1").neighbourhood(), range("2001:db8::/32"));
        assert_eq!(at("192.0.2.1").everybody(), range("0.0.0.0/0"));
        assert_eq!(at("2001:db8::1").everybody(), range("::/0"));
        assert_eq!(Network::of(Peer::Unix).neighbourhood(), Network::Unix);
    }
}
