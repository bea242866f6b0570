//! English.

use super::super::finding::{Check, Kind};

/// What is said of a finding, and what to do.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn text(kind: Kind) -> (&'static str, &'static str) {
    use Kind as K;
    match kind {
        K::LeadsTo => ("{host} leads to {addresses}", ""),
        K::NameNotFound => (
            "the name {host} leads nowhere: no DNS server that this machine asks knows it",
            "Add an A or AAAA record for it at whoever keeps your domain, or correct public_url. A new record takes some minutes.",
        ),
        K::NotPublic => (
            "{host} leads to {addresses}, which only this machine or this network reaches",
            "Set public_url to the name that phones use, and let it lead to the public address or to Cloudflare. If phones are \
             on this very network, all is well.",
        ),
        K::PortNotProxied => (
            "{host} leads to Cloudflare, which does not pass on port {port} for this kind of URL",
            "Use one of the ports {ports} in public_url, best 443, and an origin rule if calferry listens on another.",
        ),
        K::Unreachable => (
            "no connection to {addresses} on port {port}: {error}",
            "Check the firewall of this machine and of its provider, that the front runs, and that the DNS record has the right \
             address. Some routers lead to their own public address only from outside: then try from another network, or say \
             where to go with --resolve.",
        ),
        K::AddressUnreachable => (
            "no connection to {address}, one of the addresses of the name: {error}",
            "Remove that address from DNS, or let the front listen on it: some phones try it first.",
        ),
        K::NotEncrypted => (
            "public_url begins with http://, so whoever is on the way reads URLs and calendars",
            "Give the front or calferry a certificate ([server.tls]) and write https:// in public_url.",
        ),
        K::NoTls => (
            "port {port} does not speak TLS as phones need it: {error}",
            "Check that TLS is switched on for this port at the front, or set [server.tls]; 1.2 and 1.3 are the versions in \
             use. Where networks are censored, a connection that is reset here may be a blocked name.",
        ),
        K::CertificateHolds => ("the certificate holds for {days} more days", ""),
        K::CertificateEnds => (
            "the certificate ends in {days} days",
            "Renew it now, and see why that does not happen by itself (certbot renew --dry-run, or the log of the front).",
        ),
        K::CertificateExpired => (
            "the certificate has ended on {until}",
            "Renew it. If that date is still to come, set this machine's clock.",
        ),
        K::CertificateNotYetValid => (
            "the certificate holds only from {from} on",
            "If that date is past, set this machine's clock; else wait, or take the certificate that was in force before.",
        ),
        K::CertificateWrongName => (
            "the certificate is for {names}, not for {host}",
            "Get a certificate for the name in public_url, or correct public_url. At Cloudflare, a name two levels below the \
             domain (a.b.example.com) needs a certificate of its own.",
        ),
        K::CertificateUnknownIssuer => (
            "phones do not trust the certificate: its issuer is {issuer}",
            "Take a certificate of a public authority such as Let's Encrypt. For one of your own authority, every phone must \
             trust that, and this command is told with --ca-file.",
        ),
        K::CertificateForCloudflareOnly => (
            "the certificate is an origin certificate of Cloudflare, which only Cloudflare trusts, and phones see it",
            "Switch the proxy on for this DNS record (orange cloud), or take a certificate of a public authority.",
        ),
        K::CertificateChainIncomplete => (
            "the certificate comes without the one of its issuer, {issuer}; some phones cannot fill in what is missing",
            "Serve the whole chain: fullchain.pem in the place of cert.pem.",
        ),
        K::CertificateRefused => (
            "the certificate cannot be accepted: {error}",
            "Get a new certificate of a public authority such as Let's Encrypt.",
        ),
        K::ClockWrong => (
            "this machine's clock differs from that of the front by {seconds} s (a plus means that it is ahead)",
            "Let the clock be set by itself (timedatectl set-ntp true). While it is wrong, certificates look ended, and iPhones \
             get the wrong answer to whether something has changed.",
        ),
        K::NoAnswer => (
            "the connection stands, and no HTTP answer comes for: {clients}. {error}",
            "See in the log of the front where it hands requests to; calferry health asks calferry itself.",
        ),
        K::ChallengePage => (
            "Cloudflare answers with a challenge in the place of the calendar, to: {clients}. No calendar app can solve one",
            "Switch Bot Fight Mode off for the domain (Security, Bots): no rule skips it. If it is off, look for Under Attack \
             Mode, and for a WAF rule with a challenge (Security, Events names it), and let it skip this host.",
        ),
        K::BrowserIntegrityCheck => (
            "Cloudflare's Browser Integrity Check (error 1010) turns away: {clients}",
            "Switch it off for this host: a configuration rule with http.host eq \"{host}\" and Browser Integrity Check off.",
        ),
        K::Blocked => (
            "the front turns away: {clients} (HTTP {status}{code})",
            "At Cloudflare, Security, Events names the rule; let it skip this host. At another front, look for what refuses by \
             country, address or User-Agent.",
        ),
        K::RateLimited => (
            "too many requests, says the front or calferry to: {clients} (HTTP 429)",
            "Wait a minute and try again. If it stays so, raise the limit of the front, and set trusted_proxies: without it all \
             subscribers count as one.",
        ),
        K::OriginUnreachable => (
            "the front answers, and does not reach calferry (HTTP {status})",
            "See whether calferry runs (calferry health), whether the front is given its right address and port, and whether a \
             firewall stands between them. Behind Cloudflare, its addresses must be let in.",
        ),
        K::OriginTimeout => (
            "the front reaches calferry, and gets no answer in time (HTTP {status})",
            "See in calferry's log what holds it up, and whether something between the two swallows packets.",
        ),
        K::OriginHandshake => (
            "the front and calferry cannot agree on TLS (HTTP 525)",
            "Set [server.tls], or let the front speak to calferry by http. With client_ca, switch Authenticated Origin Pulls on \
             at Cloudflare.",
        ),
        K::OriginCertificate => (
            "Cloudflare does not accept calferry's certificate (HTTP 526)",
            "In mode Full (strict) it must hold, be for this name, and come of a public authority or be an origin certificate \
             of Cloudflare's.",
        ),
        K::TunnelDown => (
            "Cloudflare Tunnel is not connected, or the name leads to none (HTTP 530{code})",
            "Start cloudflared and see its log; check that the tunnel's public hostname and its service are the right ones.",
        ),
        K::FrontError => (
            "the front answers with an error of its own (HTTP {status}{code})",
            "See the log of the front. At Cloudflare, 520 means that what calferry's side answered was no HTTP: wrong port, or \
             TLS on one side only.",
        ),
        K::HtmlCached => (
            "the front gives out a web page from its cache ({cache}) in the place of an answer of calferry's",
            "Purge the cache, and remove the rule that caches this host (Cache Everything, Always Online).",
        ),
        K::CalendarCached => (
            "the front gives out calendars from its cache ({cache}): changes come late, and a revoked URL goes on working",
            "Remove what caches this host (Cache Everything at Cloudflare, proxy_cache at nginx; at Varnish, return (pass)), and \
             purge the cache; or set edge_cache, if Cloudflare is meant to keep them.",
        ),
        K::Redirected => (
            "the front leads elsewhere: HTTP {status} to {target}",
            "Put the name that it leads to into public_url, or remove the redirect. A page to sign in on (Cloudflare Access) \
             must be skipped for this host.",
        ),
        K::RequestMangled => (
            "calferry refuses what the front makes of a request (HTTP 400)",
            "The front must send one Host, one CF-Connecting-IP at most, and a GET without a body. See what rules change headers.",
        ),
        K::OtherInstance => (
            "a calferry answers, but not this one: it has another key, or is too old to be asked",
            "See whether the front leads to another machine or container, whether calferry was restarted after an update, and \
             whether this command has the right --config and --state-dir, and runs as the server's user.",
        ),
        K::NotCalferry => (
            "something else than calferry answers (HTTP {status}, server: {server})",
            "Check what the front hands requests for this name to, and that the DNS record leads to this front.",
        ),
        K::Answers => ("calferry {version} answers {clients}; it gets HTTP/{http}, and {client} as the client", ""),
        K::SlowAnswers => (
            "even the shortest answer takes {seconds} s to come through the front",
            "Ask calferry itself with calferry health. If that is quick, see what the front waits for: an address that it tries \
             in vain first (IPv6), a name that it looks up each time, a tunnel or a machine far away. iPhones give up after \
             20 s.",
        ),
        K::OtherVersion => {
            ("calferry {running} runs, and this command is {own}", "Restart the server, so that the new version runs.")
        }
        K::ClientAddressLost => (
            "who calls does not arrive: every subscriber counts as {client}, so a few lock all others out (429)",
            "Set trusted_proxies in [server]: [\"cloudflare\"] if Cloudflare connects to calferry, [\"cloudflare:127.0.0.1\"] for \
             cloudflared, the proxy's address for another one, which must send Forwarded or X-Forwarded-For. A container \
             network that hides addresses needs the host's network.",
        ),
        K::SslFlexible => (
            "encrypted as far as the front only: from there to calferry, URLs and calendars cross the internet in the clear",
            "At Cloudflare, SSL/TLS, set the mode to Full (strict), with [server.tls] and an origin certificate here; or use \
             Cloudflare Tunnel.",
        ),
        K::FeedArrives => ("the calendar arrives whole; {coding}", ""),
        K::FeedUnknown => (
            "the running program does not know the feed's URL (HTTP {status})",
            "It runs with other settings than these: see in its log whether it has refused them, or restart it.",
        ),
        K::FeedWithoutCopy => (
            "the feed has no calendar yet (HTTP {status})",
            "See below what its sources say; calferry check --online tries them.",
        ),
        K::FeedDamaged => (
            "what arrives for the feed is not its calendar (HTTP {status}, {type})",
            "Something on the way changes or replaces it; see what the front does to paths that end in .ics.",
        ),
        K::CompressionLost => (
            "the calendar arrives uncompressed, for: {clients}",
            "Let the front pass Accept-Encoding and Content-Encoding on. Cloudflare does not compress calendars, and passes on \
             what calferry has compressed.",
        ),
        K::EtagWeakened => (
            "the calendar's ETag arrives weakened (W/): something on the way changes the body",
            "Switch off what compresses or rewrites at the front; calferry's own compression is enough. Clients still save \
             downloads, since calferry compares weakly.",
        ),
        K::EtagLost => (
            "the calendar's ETag does not arrive",
            "Let the front pass ETag on: without it, Android and Thunderbird download every calendar whole each time.",
        ),
        K::NotModifiedLost => (
            "a client that has the calendar is sent it again in the place of 304",
            "Let the front pass If-None-Match on, and not answer from a cache of its own.",
        ),
        K::HttpRedirects => ("port 80 leads to https", ""),
        K::HttpAnswers => (
            "port 80 answers in the clear (HTTP {status})",
            "Better let it lead to https (at Cloudflare, Always Use HTTPS): a URL pasted with http:// is then sent in the \
             clear once, not always.",
        ),
        K::SourceAnswers => ("answers: {events} events", ""),
        K::SourceUnreachable => ("its host is not reached from here: {error}", "{error.fix}"),
        K::SourceWayFailed => ("way {place} ({way}) fails: {error}", "{error.fix}"),
        K::SourceThrottled => ("its host refuses this machine for now: {error}", "{error.fix}"),
        K::SourceReset => ("its secret address was reset, or is wrong: {error}", "{error.fix}"),
        K::SourceDenied => ("its host does not let this machine have the calendar: {error}", "{error.fix}"),
        K::SourceFailed => ("gives no calendar: {error}", "{error.fix}"),
        K::SourceMoved => {
            ("it has moved to {host} for good", "If that is right, put its new address into the settings.")
        }
        K::NeverRun => (
            "there is no key in {folder}, so the program has never run with these settings",
            "Start calferry serve first; or give the --config and --state-dir that it runs with, and run this as its user.",
        ),
        K::NotChecked => ("not looked at: {checks}", ""),
    }
}

pub(super) fn check(check: Check) -> &'static str {
    match check {
        Check::Name => "the name",
        Check::Connection => "the connection",
        Check::Certificate => "the certificate",
        Check::Answer => "who answers",
        Check::Feed => "a feed",
    }
}
