//! The chain of checks from the public name to a calendar. It ends at the first that fails for all who ask.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::RootCertStore;

use super::answerer::{self, Verdict};
use super::certificate::Trust;
use super::finding::{Check, Detail, Finding, Kind, Severity};
use super::name::{Detour, Named};
use super::visit::{ANDROID, CURL, Caller, Demand, Door, Failure, IPHONE, Reply};
use super::{arrival, calendar};
use crate::clock::Clock;
use crate::feed::Key;
use crate::http::Probed;
use crate::settings::Settings;
use crate::source::FetchError;

/// What the findings of this chain are about.
pub(super) const SUBJECT: &str = "public_url";

/// An answer of the program's own probe.
pub(super) struct Arrival {
    pub(super) caller: Caller,
    pub(super) reply: Reply,
    pub(super) probed: Probed,
}

/// What there is to say where there is no key.
pub(super) fn never_run(settings: &Settings) -> Vec<Finding> {
    let found = Finding::new(Kind::NeverRun, "state_dir").with("folder", settings.state_dir.display().to_string());
    vec![found, not_checked(Check::ALL.into())]
}

/// Looks from outside.
pub(super) async fn examine(
    settings: &Settings,
    key: &Key,
    roots: RootCertStore,
    detours: &[Detour],
    clock: Clock,
    tell: &(dyn Fn(&str) + Send + Sync),
) -> Vec<Finding> {
    let chain = Chain { settings, key, detours, clock, tell };
    let mut findings = Vec::new();
    if let Err(ended) = chain.follow(roots, &mut findings).await
        && !ended.later().is_empty()
    {
        findings.push(not_checked(ended.later()));
    }
    findings
}

fn not_checked(checks: Vec<Check>) -> Finding {
    Finding::new(Kind::NotChecked, SUBJECT).with("checks", Detail::Checks(checks))
}

struct Chain<'a> {
    settings: &'a Settings,
    key: &'a Key,
    detours: &'a [Detour],
    clock: Clock,
    tell: &'a (dyn Fn(&str) + Send + Sync),
}

impl Chain<'_> {
    /// `Err` says which check it ended at.
    async fn follow(&self, roots: RootCertStore, findings: &mut Vec<Finding>) -> Result<(), Check> {
        (self.tell)(SUBJECT);
        let url = &self.settings.public_url;
        let encrypted = url.scheme() == "https";
        if !encrypted {
            findings.push(Finding::new(Kind::NotEncrypted, SUBJECT));
        }
        let port = url.port_or_known_default().unwrap_or(443);
        let named =
            Named::resolve(url, port, self.detours).await.map_err(|found| ended(findings, found, Check::Name))?;
        findings.extend(named.findings(encrypted, &self.settings.server.front.trusted_proxies.cloudflare()));
        if findings.last().is_some_and(|last| last.severity == Severity::Error) {
            return Err(Check::Name);
        }
        let (address, others) = named.reach().await.map_err(|found| ended(findings, found, Check::Connection))?;
        findings.extend(others);
        let trust = if encrypted { Trust::in_roots(roots).map(Arc::new) } else { None };
        if encrypted && trust.is_none() {
            let found = Finding::new(Kind::CertificateRefused, SUBJECT).with("error", "no authority is trusted here");
            return Err(ended(findings, found, Check::Connection));
        }
        let door = Door { host: named.host.clone(), port, address, trust, clock: self.clock };
        let arrivals = self.probe(&door, findings).await?;
        self.port_80(&named, address, findings).await;
        self.feed(&door, &arrivals, findings).await;
        Ok(())
    }

    /// Asks who is there, once as each kind of client.
    async fn probe(&self, door: &Door, findings: &mut Vec<Finding>) -> Result<Vec<Arrival>, Check> {
        let path = format!("/{}/probe", self.key.probe_token().reveal());
        let (mut arrivals, mut refusals) = (Vec::new(), Refusals::default());
        let mut silent = Vec::new();
        // At once: one that is left without an answer takes its time. Boxed: each holds a whole connection.
        let ask = |caller| Box::pin(door.ask(&path, caller, &[], Demand::Good));
        let asked = tokio::join!(ask(IPHONE), ask(ANDROID), ask(CURL));
        for (caller, answer) in [(IPHONE, asked.0), (ANDROID, asked.1), (CURL, asked.2)] {
            match answer {
                Ok(reply) => match self.arrived(&reply) {
                    Ok(probed) => arrivals.push(Arrival { caller, reply, probed }),
                    Err(verdict) => refusals.add(verdict, caller),
                },
                Err(Failure::Silent(error)) => silent.push((caller.name, error)),
                Err(failure) => return Err(self.no_line(door, failure, findings).await),
            }
        }
        if let Some(first) = arrivals.first() {
            let clients: Vec<_> = arrivals.iter().map(|arrival| arrival.caller.name).collect();
            let certificate = first.reply.certificate.as_ref();
            findings.extend(certificate.map(|shown| shown.finding(SUBJECT, &door.host, self.clock.now())));
            findings.extend(arrival::findings(first, &clients, self.settings, door.trust.is_some()));
            findings.extend(arrival::slow(arrivals.iter().map(|arrival| arrival.reply.took)));
            let seconds = self.seconds_ahead(door, first).await;
            findings.extend(arrival::clock(seconds));
        }
        findings.extend(refusals.findings(SUBJECT, &door.host));
        findings.extend(no_answer(silent, SUBJECT));
        if arrivals.is_empty() { Err(Check::Answer) } else { Ok(arrivals) }
    }

    /// What the probe of this very installation has answered, or who has in its place.
    fn arrived(&self, reply: &Reply) -> Result<Probed, Verdict> {
        let probed =
            serde_json::from_slice::<Probed>(&reply.body).ok().filter(|_| reply.status == http::StatusCode::OK);
        let Some(probed) = probed else { return Err(answerer::who(reply)) };
        if let Some(kept) = answerer::cached(reply) {
            return Err(Verdict { kind: Kind::CalendarCached, details: vec![("cache", kept)] });
        }
        if probed.instance != self.key.instance() {
            return Err(Verdict { kind: Kind::OtherInstance, details: Vec::new() });
        }
        Ok(probed)
    }

    /// A failure before anything was asked.
    async fn no_line(&self, door: &Door, failure: Failure, findings: &mut Vec<Finding>) -> Check {
        match failure {
            Failure::Certificate(shown) => {
                findings.push(shown.finding(SUBJECT, &door.host, self.clock.now()));
                // A machine whose clock is wrong takes every certificate for one that has ended.
                if shown.is_out_of_time()
                    && let Ok(reply) = door.ask("/robots.txt", CURL, &[], Demand::Any).await
                {
                    findings.extend(arrival::clock(arrival::seconds_ahead(&reply, None)));
                }
                Check::Certificate
            }
            Failure::Tls(error) => {
                let found = Finding::new(Kind::NoTls, SUBJECT).with("port", door.port.to_string());
                ended(findings, found.with("error", error), Check::Connection)
            }
            Failure::Connect(error) => {
                let found = Finding::new(Kind::Unreachable, SUBJECT).with("addresses", door.address.ip().to_string());
                let found = found.with("port", door.port.to_string()).with("error", error);
                ended(findings, found, Check::Connection)
            }
            Failure::Silent(error) => {
                findings.extend(no_answer(vec![(CURL.name, error)], SUBJECT));
                Check::Answer
            }
        }
    }

    /// How far the own clock is ahead of the front's. Cloudflare tells its own time; elsewhere there is `Date`, which may
    /// be this very machine's.
    async fn seconds_ahead(&self, door: &Door, first: &Arrival) -> i64 {
        if answerer::is_cloudflare(&first.reply)
            && let Ok(trace) = door.ask("/cdn-cgi/trace", CURL, &[], Demand::Good).await
            && let Some(time) = arrival::trace_time(&trace)
        {
            return arrival::seconds_ahead(&trace, Some(time));
        }
        arrival::seconds_ahead(&first.reply, None)
    }

    /// What the unencrypted port does, if the encrypted one is the usual one.
    async fn port_80(&self, named: &Named, address: SocketAddr, findings: &mut Vec<Finding>) {
        let url = &self.settings.public_url;
        if url.scheme() != "https" || named.port != 443 {
            return;
        }
        let address = match Named::resolve(url, 80, self.detours).await {
            Ok(plain) if plain.detour => plain.addresses.first().copied(),
            // Where the user said where to go, nothing was said of this port.
            _ if named.detour => None,
            _ => Some(SocketAddr::new(address.ip(), 80)),
        };
        let Some(address) = address else { return };
        let door = Door { host: named.host.clone(), port: 80, address, trust: None, clock: self.clock };
        let Ok(reply) = door.ask("/robots.txt", CURL, &[], Demand::Any).await else { return };
        let leads = reply.status.is_redirection() && reply.header("location").starts_with("https://");
        findings.push(if leads {
            Finding::new(Kind::HttpRedirects, SUBJECT)
        } else {
            Finding::new(Kind::HttpAnswers, SUBJECT).with("status", reply.status.as_u16().to_string())
        });
    }

    /// Looks at the first feed that has a device, as those clients that got through.
    async fn feed(&self, door: &Door, arrivals: &[Arrival], findings: &mut Vec<Finding>) {
        let shown = self.settings.feeds.iter().find_map(|feed| Some((feed, feed.devices.first()?)));
        let Some((feed, device)) = shown else { return };
        let subject = format!("feed {}", feed.id);
        (self.tell)(&subject);
        let path = format!("/{}.ics", device.token(self.key, &feed.id).reveal());
        let callers: Vec<_> = arrivals.iter().map(|arrival| arrival.caller).collect();
        findings.extend(
            calendar::examine(door, &path, &callers, &subject, self.settings.server.front.edge_cache.as_ref()).await,
        );
    }
}

/// What to say of those who got no answer.
pub(super) fn no_answer(silent: Vec<(&'static str, FetchError)>, subject: &str) -> Option<Finding> {
    let clients: Vec<_> = silent.iter().map(|(client, _)| *client).collect();
    let clients = clients.join(", ");
    let (_, error) = silent.into_iter().next()?;
    Some(Finding::new(Kind::NoAnswer, subject).with("clients", clients).with("error", error))
}

fn ended(findings: &mut Vec<Finding>, found: Finding, at: Check) -> Check {
    findings.push(found);
    at
}

/// Who was turned away, and how: those that met the same are told as one.
#[derive(Debug, Default)]
pub(super) struct Refusals(Vec<(Verdict, Vec<Caller>)>);

impl Refusals {
    pub(super) fn add(&mut self, verdict: Verdict, caller: Caller) {
        match self.0.iter_mut().find(|(known, _)| *known == verdict) {
            Some((_, callers)) => callers.push(caller),
            None => self.0.push((verdict, vec![caller])),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn findings(self, subject: &str, host: &str) -> impl Iterator<Item = Finding> {
        self.0.into_iter().map(move |(verdict, callers)| {
            let names: Vec<_> = callers.iter().map(|caller| caller.name).collect();
            let mut found = Finding::new(verdict.kind, subject).with("clients", names.join(", ")).with("host", host);
            for (name, detail) in verdict.details {
                found = found.with(name, detail);
            }
            // Phones get through: what is turned away is only what they are not.
            let turned_away = matches!(
                verdict.kind,
                Kind::ChallengePage | Kind::BrowserIntegrityCheck | Kind::Blocked | Kind::RateLimited
            );
            if turned_away && names == [CURL.name] { found.at(Severity::Warning) } else { found }
        })
    }
}
