//! `[server]`: where it listens, whom it believes, and how long a client may take.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use super::acme::acme as read_acme;
use super::exposed;
use super::item::Item;
use super::resolve::{Context, DAY, HOUR, MINUTE, SECOND};
use super::section::Section;
use super::{CertificateOrigin, Encryption, Problem, Server};
use crate::acme;
use crate::http::{CloudflareRanges, EdgeCache, FrontOptions, Listen, Password, Patience, Rates, TrustedProxies};
use crate::tls::Files;

/// What can be listened on.
const FORMS: &str =
    "an address with a port, such as 127.0.0.1:8080, or unix:/run/calferry/calferry.sock, or systemd:NAME";

/// There is one certificate.
const EITHER: &str = "is in files, and [server.acme] orders one; keep one of both";

pub(super) fn server(mut section: Section, context: &mut Context<'_>) -> Server {
    let listen = listen(&mut section);
    let admin_listen = section.parsed::<Listen>("admin_listen", FORMS);
    let admin_password = admin_password(&mut section);
    let is_open = admin_listen.as_ref().and_then(Listen::tcp).is_some_and(|admin| !admin.ip().is_loopback());
    if is_open && admin_password.is_none() {
        section.problem(
            "admin_listen",
            "metrics and status would be open to others; use an address such as 127.0.0.1:9090, or set admin_password",
        );
    }
    if is_open {
        let message = "is not encrypted, so whoever is on the way reads the password; go there by a tunnel, or put a \
                       server with TLS before it";
        context.warnings.push(Problem { path: section.at("admin_listen"), message: message.into() });
    }
    let ordered = read_acme(section.section("acme"), context);
    let tls = tls(section.section("tls"), ordered, context);
    check_reach(&section, tls.as_ref(), &listen, context);
    let usual = Patience::default();
    let server = Server {
        listen,
        admin_listen,
        admin_password,
        tls,
        max_connections: section.number("max_connections", 4096, 1..=1_000_000),
        connections_per_client: section.number("connections_per_client", 256, 1..=1_000_000),
        patience: Patience {
            first_byte: section.duration("first_byte_timeout", usual.first_byte, SECOND..=HOUR),
            head: section.duration("header_timeout", usual.head, SECOND..=HOUR),
            idle: section.duration("idle_timeout", usual.idle, SECOND..=HOUR),
            stuck: section.duration("write_timeout", usual.stuck, SECOND..=HOUR),
        },
        front: front(&mut section, context),
        drain: section.duration("drain", 10 * SECOND, Duration::ZERO..=5 * MINUTE),
    };
    section.done();
    server
}

/// The hash of the password. A mistake is never quoted: it may be the password itself.
fn admin_password(section: &mut Section) -> Option<Password> {
    let password = Password::read(section.text("admin_password")?.trim());
    if password.is_none() {
        section.problem("admin_password", "is not a hash by argon2id; make one with `calferry admin-password`");
    }
    password
}

fn front(section: &mut Section, context: &mut Context<'_>) -> FrontOptions {
    let rate = |section: &mut Section, key, default| {
        let rate = section.number(key, default, 1..=10_000_000);
        u32::try_from(rate).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
    };
    let edge = section.duration("edge_cache", Duration::ZERO, Duration::ZERO..=HOUR);
    if !edge.is_zero() && edge < SECOND {
        section.problem("edge_cache", "is less than a second; write 5m, or 0s for none");
    }
    FrontOptions {
        trusted_proxies: trusted_proxies(section, context),
        rates: Rates {
            tokens: rate(section, "token_requests_per_minute", 120),
            requests: rate(section, "requests_per_minute", 300),
            wrong_tokens: rate(section, "wrong_tokens_per_minute", 10),
        },
        since_margin: section.duration("modified_since_margin", 2 * MINUTE, Duration::ZERO..=DAY),
        first_wait: section.duration("first_wait", 15 * SECOND, Duration::ZERO..=MINUTE),
        edge_cache: (edge >= SECOND).then(|| EdgeCache::new(edge)),
    }
}

fn trusted_proxies(section: &mut Section, context: &mut Context<'_>) -> TrustedProxies {
    let published = cloudflare_ranges(section, context).unwrap_or_else(CloudflareRanges::built_in);
    let mut trusted = TrustedProxies::default();
    for (index, entry) in section.list("trusted_proxies").unwrap_or_default().iter().enumerate() {
        if !trusted.trust(entry, &published) {
            section.problem(
                &format!("trusted_proxies[{index}]"),
                format!(
                    "{entry:?} is neither an address range, \"unix\", \"cloudflare\", nor cloudflare: and one of these"
                ),
            );
        }
    }
    let wide: Vec<_> = trusted.too_wide().map(ToString::to_string).collect();
    if !wide.is_empty() {
        let message = format!(
            "{} is a large part of the internet: whoever connects from there is believed to be a proxy, can claim any \
             client's address, and may open any number of connections; name your proxies' own addresses",
            wide.join(", ")
        );
        context.warnings.push(Problem { path: section.at("trusted_proxies"), message });
    }
    trusted
}

/// The ranges in the file of the settings' own, if one is named.
fn cloudflare_ranges(section: &mut Section, context: &mut Context<'_>) -> Option<CloudflareRanges> {
    const KEY: &str = "cloudflare_ranges_file";
    let path = context.file(&section.text(KEY)?);
    let read = std::fs::read_to_string(&path).map_err(|error| error.to_string()).and_then(|text| {
        CloudflareRanges::read(&text).map_err(|line| match line {
            Some(line) => format!("line {line} is not an address range"),
            None => "there is no address range in it".to_owned(),
        })
    });
    let refused = |problem| section.problem(KEY, format!("{}: {problem}", path.display()));
    read.map_err(refused).ok()
}

fn listen(section: &mut Section) -> Vec<Listen> {
    let usual = || vec![Listen::Tcp(SocketAddr::from(([127, 0, 0, 1], 8080)))];
    let Some(item) = section.item("listen") else { return usual() };
    let place = |item: Item| {
        let text = item.text()?;
        item.note(text.parse().map_err(|()| format!("{text:?} is not {FORMS}")))
    };
    let listen: Vec<_> = item.each_word().into_iter().filter_map(place).collect();
    if listen.is_empty() { usual() } else { listen }
}

/// `ordered` is what `[server.acme]` asks for.
fn tls(mut section: Section, ordered: Option<acme::Options>, context: &mut Context<'_>) -> Option<Encryption> {
    let mut file = |section: &mut Section, key| {
        let path = section.text(key)?;
        context.handed_over(section, key, &path)
    };
    let (certificate, key) = (file(&mut section, "certificate"), file(&mut section, "key"));
    let client_ca = file(&mut section, "client_ca");
    context.warnings.extend(key.as_deref().and_then(|key| exposed::warning(section.at("key"), key)));
    match (&certificate, &key) {
        (Some(_), _) if ordered.is_some() => section.problem("certificate", EITHER),
        (None, Some(_)) if ordered.is_some() => section.problem("key", EITHER),
        (Some(_), None) => section.problem("key", "is missing; it is the private key of the certificate, a PEM file"),
        (None, Some(_)) => section.problem("certificate", "is missing; it is the key's certificate, a PEM file"),
        (None, None) if client_ca.is_some() && ordered.is_none() => {
            section
                .problem("client_ca", "needs certificate and key, or [server.acme]: without them nothing is encrypted");
        }
        _ => {}
    }
    section.done();
    let origin = match ordered {
        Some(options) => CertificateOrigin::Acme(options),
        None => CertificateOrigin::Files(Files { certificate: certificate?, key: key? }),
    };
    Some(Encryption { origin, client_ca })
}

/// An authority checks names by connecting to them.
fn check_reach(section: &Section, tls: Option<&Encryption>, listen: &[Listen], context: &mut Context<'_>) {
    let ordered = tls.is_some_and(|tls| matches!(tls.origin, CertificateOrigin::Acme(_)));
    if !ordered {
        return;
    }
    if listen.iter().all(|listen| matches!(listen, Listen::Unix(_))) {
        return section.problem("acme", "needs a listener on the network: the authority connects to it, by port 443");
    }
    let is_near = |listen: &Listen| listen.tcp().is_some_and(|address| address.ip().is_loopback());
    let may_be_asked = |listen: &Listen| match listen {
        Listen::Tcp(address) => address.port() == 443 && !is_near(listen),
        Listen::Unix(_) => false,
        // What it is shows only when it is handed over.
        Listen::Systemd(_) => true,
    };
    if listen.iter().any(may_be_asked) {
        return;
    }
    let on_network = |listen: &&Listen| listen.tcp().is_some();
    let lack = if listen.iter().filter(on_network).all(is_near) {
        "only this machine reaches the listener"
    } else {
        "no listener has port 443"
    };
    let message = format!(
        "{lack}, and the authority connects to port 443 of every name; write listen = \"0.0.0.0:443\", unless something \
         passes that port on to here as it is, without ending TLS"
    );
    context.warnings.push(Problem { path: section.at("acme"), message });
}
