//! What reaches the program of a request from outside, by what its probe says. Pure.

use std::time::Duration;

use super::answerer;
use super::certificate::lifetime_of;
use super::finding::{Finding, Kind, Severity};
use super::outside::{Arrival, SUBJECT};
use super::visit::Reply;
use crate::http::{Place, Probed};
use crate::settings::Settings;

/// From how many seconds on a clock is called wrong, and from how many on that matters to phones.
const CLOCK_WARNING: u64 = 30;
const CLOCK_ERROR: u64 = 300;
/// What takes longer is no distance on earth any more.
const SLOW: Duration = Duration::from_secs(2);

/// What there is to say of `arrival`, where `clients` got through.
pub(super) fn findings(arrival: &Arrival, clients: &[&str], settings: &Settings, encrypted: bool) -> Vec<Finding> {
    let probed = &arrival.probed;
    let client = probed.client.map_or_else(|| "unix".to_owned(), |ip| ip.to_string());
    let answers = Finding::new(Kind::Answers, SUBJECT)
        .with("version", probed.version.as_str())
        .with("clients", clients.join(", "))
        .with("http", probed.http.as_str())
        .with("client", client.as_str());
    let mut findings = vec![answers];
    let own = env!("CARGO_PKG_VERSION");
    if probed.version != own {
        let found = Finding::new(Kind::OtherVersion, SUBJECT).with("running", probed.version.as_str());
        findings.push(found.with("own", own));
    }
    // Encrypted outside and not here: somebody stands between, and is the client unless one is named and believed.
    let fronted = (encrypted && !probed.tls) || answerer::is_fronted(&arrival.reply);
    let cloudflare = settings.server.front.trusted_proxies.cloudflare();
    let is_cloudflare = probed.client.is_some_and(|ip| Place::of(ip, &cloudflare) == Place::Cloudflare);
    if is_cloudflare || (fronted && !probed.believed) {
        findings.push(Finding::new(Kind::ClientAddressLost, SUBJECT).with("client", client));
    }
    if encrypted && crosses_in_clear(probed) {
        findings.push(Finding::new(Kind::SslFlexible, SUBJECT));
    }
    findings.extend(own_certificate(arrival, settings));
    findings
}

fn crosses_in_clear(probed: &Probed) -> bool {
    !probed.tls && matches!(probed.peer, Place::Cloudflare | Place::Public)
}

/// The certificate that calferry shows to a front; one that phones see too is told of already. Only what is wrong with it.
fn own_certificate(arrival: &Arrival, settings: &Settings) -> Option<Finding> {
    let own = settings.server.tls.as_ref()?.files()?.read().ok()?;
    let own = own.end_entity_cert().ok()?;
    let seen = arrival.reply.certificate.as_ref().and_then(|shown| shown.chain.first());
    if seen == Some(own) {
        return None;
    }
    lifetime_of(own, "server.tls", arrival.reply.received).filter(|found| found.severity >= Severity::Warning)
}

/// What to say of answers of the probe that took so long: calferry makes them at once, and the quickest counts.
pub(super) fn slow(took: impl Iterator<Item = Duration>) -> Option<Finding> {
    let quickest = took.min().filter(|quickest| *quickest > SLOW)?;
    Some(Finding::new(Kind::SlowAnswers, SUBJECT).with("seconds", format!("{:.1}", quickest.as_secs_f64())))
}

/// What to say of a clock that is ahead by so many seconds.
pub(super) fn clock(seconds_ahead: i64) -> Option<Finding> {
    let severity = match seconds_ahead.unsigned_abs() {
        off if off > CLOCK_ERROR => Severity::Error,
        off if off > CLOCK_WARNING => Severity::Warning,
        _ => return None,
    };
    Some(Finding::new(Kind::ClockWrong, SUBJECT).at(severity).with("seconds", format!("{seconds_ahead:+}")))
}

/// How far the own clock is ahead of `time`, or of the answer's `Date`; nothing as far as the time that the answer took
/// explains it.
pub(super) fn seconds_ahead(reply: &Reply, time: Option<u64>) -> i64 {
    let date = || {
        let date = httpdate::parse_http_date(reply.header("date")).ok()?;
        Some(crate::clock::Timestamp::from(date).as_secs())
    };
    let Some(theirs) = time.or_else(date) else { return 0 };
    let theirs = theirs.cast_signed();
    let (sent, received) = (reply.sent.as_secs().cast_signed(), reply.received.as_secs().cast_signed());
    // A date has no parts of a second.
    if theirs < sent - 1 { sent - theirs } else { (received + 1 - theirs).min(0) }
}

/// The time in what Cloudflare answers at `/cdn-cgi/trace`.
pub(super) fn trace_time(trace: &Reply) -> Option<u64> {
    let text = trace.text();
    let line = text.lines().find_map(|line| line.strip_prefix("ts="))?;
    line.split('.').next()?.parse().ok().filter(|_| trace.status.is_success())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    #[test]
    fn a_clock_is_ahead_only_by_what_the_way_does_not_explain() {
        let reply = |sent, received| Reply {
            status: http::StatusCode::OK,
            headers: http::HeaderMap::new(),
            body: Vec::new(),
            sent: Timestamp::from_secs(sent),
            received: Timestamp::from_secs(received),
            took: Duration::ZERO,
            certificate: None,
        };
        for (sent, received, theirs, ahead) in [
            (1000, 1000, 1000, 0),
            (1000, 1000, 999, 0),
            (1000, 1040, 1020, 0),
            (1000, 1000, 960, 40),
            (1000, 1010, 1051, -40),
        ] {
            assert_eq!(seconds_ahead(&reply(sent, received), Some(theirs)), ahead, "{sent} {received} {theirs}");
        }
        assert_eq!(seconds_ahead(&reply(1000, 1000), None), 0, "nobody said what time it is");
        assert!(clock(30).is_none() && clock(-30).is_none());
        assert_eq!(clock(31).map(|found| found.severity), Some(Severity::Warning));
        assert_eq!(clock(-301).map(|found| found.severity), Some(Severity::Error));
    }

    #[test]
    fn the_quickest_answer_says_how_long_the_way_is() {
        let slow = |millis: &[u64]| slow(millis.iter().copied().map(Duration::from_millis));
        assert!(slow(&[2000, 9000]).is_none() && slow(&[9000, 30]).is_none() && slow(&[]).is_none());
        let found = slow(&[9000, 2449, 3000]).map(|found| found.words(crate::doctor::Language::English));
        assert_eq!(found.as_deref(), Some("even the shortest answer takes 2.4 s to come through the front"));
    }
}
