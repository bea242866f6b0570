//! `[server]`: where it listens, whom it believes, and how long a client may take.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use super::Server;
use super::resolve::{DAY, HOUR, MINUTE, SECOND};
use super::section::Section;
use crate::http::{CloudflareRanges, Patience, Rates, TrustedProxies};

pub(super) fn server(mut section: Section) -> Server {
    let address = |section: &mut Section, key| {
        section.parsed::<SocketAddr>(key, "an address with a port, such as 127.0.0.1:8080")
    };
    let listen = address(&mut section, "listen").unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8080)));
    let admin_listen = address(&mut section, "admin_listen");
    if admin_listen.is_some_and(|admin| !admin.ip().is_loopback()) {
        section.problem(
            "admin_listen",
            "metrics and status are for this machine only; use an address such as 127.0.0.1:9090",
        );
    }
    let mut trusted_proxies = TrustedProxies::default();
    for (index, entry) in section.list("trusted_proxies").unwrap_or_default().iter().enumerate() {
        if !trusted_proxies.trust(entry, &CloudflareRanges::built_in()) {
            section.problem(
                &format!("trusted_proxies[{index}]"),
                format!("{entry:?} is neither \"cloudflare\", \"unix\" nor an address range"),
            );
        }
    }
    let rate = |section: &mut Section, key, default| {
        let rate = section.number(key, default, 1..=10_000_000);
        u32::try_from(rate).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
    };
    let usual = Patience::default();
    let server = Server {
        listen,
        admin_listen,
        trusted_proxies,
        max_connections: section.number("max_connections", 4096, 1..=1_000_000),
        rates: Rates {
            requests: rate(&mut section, "requests_per_minute", 300),
            wrong_tokens: rate(&mut section, "wrong_tokens_per_minute", 10),
        },
        patience: Patience {
            first_byte: section.duration("first_byte_timeout", usual.first_byte, SECOND..=HOUR),
            head: section.duration("header_timeout", usual.head, SECOND..=HOUR),
            idle: section.duration("idle_timeout", usual.idle, SECOND..=HOUR),
            stuck: section.duration("write_timeout", usual.stuck, SECOND..=HOUR),
        },
        since_margin: section.duration("modified_since_margin", 2 * MINUTE, Duration::ZERO..=DAY),
        first_wait: section.duration("first_wait", 15 * SECOND, Duration::ZERO..=MINUTE),
        drain: section.duration("drain", 10 * SECOND, Duration::ZERO..=5 * MINUTE),
    };
    section.done();
    server
}
