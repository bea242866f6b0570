//! How fresh what is shown is, in words.

use std::sync::Arc;

use chrono::NaiveDateTime;
use chrono_tz::Tz;

use super::words::Language;
use crate::calendar::Zone;
use crate::clock::Timestamp;
use crate::refresh::{Standing, Upstream};

/// How fresh what is shown is.
pub(super) struct Freshness {
    pub(super) is_well: bool,
    pub(super) words: String,
    /// What is said of sources whose events are missing because there is no copy of them yet.
    pub(super) left_out: Option<String>,
}

/// The time on the visitor's clocks, in their language.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clocks {
    pub(super) zone: Tz,
    pub(super) language: Language,
    pub(super) now: Timestamp,
}

impl Clocks {
    /// What they show at `at`.
    pub(super) fn local(&self, at: Timestamp) -> NaiveDateTime {
        let utc = chrono::DateTime::from_timestamp(i64::try_from(at.as_secs()).unwrap_or_default(), 0);
        let utc = utc.unwrap_or_default().naive_utc();
        Zone::Iana(self.zone).to_local(utc).unwrap_or(utc)
    }

    /// `14:02`, or with the day if that is not today.
    fn moment(&self, at: Timestamp) -> String {
        let (local, today) = (self.local(at), self.local(self.now).date());
        let time = local.format("%H:%M").to_string();
        if local.date() == today {
            return time;
        }
        let values = [
            ("day", local.format("%-d").to_string().into()),
            ("month", self.language.say(&format!("month-{}", local.format("%-m"))).into()),
            ("time", time.into()),
        ];
        self.language.say_of("moment", &values)
    }

    /// `3 minutes ago`; none for less than a minute.
    fn ago(&self, at: Timestamp) -> Option<String> {
        let minutes = self.now.since(at).as_secs() / 60;
        let (message, count) = match minutes {
            0 => return None,
            1..60 => ("minutes-ago", minutes),
            60..1440 => ("hours-ago", minutes / 60),
            _ => ("days-ago", minutes / 1440),
        };
        Some(self.language.say_of(message, &[("count", count.into())]))
    }

    /// How fresh what comes from `upstreams` is. Of several, the one that is worst off is spoken of.
    pub(super) fn freshness(&self, upstreams: &[Arc<Upstream>]) -> Freshness {
        let standings: Vec<_> = upstreams.iter().map(|upstream| (upstream.standing(), &*upstream.host)).collect();
        let (with_copy, without): (Vec<_>, Vec<_>) =
            standings.iter().partition(|(standing, _)| standing.snapshot.is_some());
        let lacking = self.worst_without_copy(&without);
        if with_copy.is_empty() {
            let words = match lacking {
                Some(trouble) => self.language.say_of("no-copy-yet", &[("trouble", trouble.into())]),
                None => self.language.say("waiting"),
            };
            return Freshness { is_well: false, words, left_out: None };
        }
        let left_out = (!without.is_empty()).then(|| {
            let said = self.language.say_of("left-out", &[("count", without.len().into())]);
            let reason = lacking.map(|trouble| self.language.say_of("left-out-why", &[("trouble", trouble.into())]));
            [Some(said), reason].into_iter().flatten().collect()
        });
        let trouble = with_copy.iter().filter_map(|(standing, host)| self.trouble(standing, host));
        if let Some((_, words)) = trouble.min_by_key(|(copy, _)| *copy) {
            return Freshness { is_well: false, words, left_out };
        }
        let oldest = with_copy.iter().filter_map(|(standing, _)| {
            let confirmed = standing.snapshot.as_ref()?.confirmed_at;
            Some((confirmed, confirmed + standing.refresh * 2))
        });
        let (confirmed, until) = oldest.min().unwrap_or_default();
        let ago = self.ago(confirmed);
        let is_well = self.now <= until;
        let words = match (ago, is_well) {
            (None, _) => self.language.say("fresh-now"),
            (Some(ago), true) => self.language.say_of("fresh-ago", &[("ago", ago.into())]),
            (Some(ago), false) => self.language.say_of("stale-late", &[("ago", ago.into())]),
        };
        Freshness { is_well, words, left_out }
    }

    /// What is wrong with an upstream, and the time of its copy.
    fn trouble(&self, standing: &Standing, host: &str) -> Option<(Timestamp, String)> {
        let copy = standing.snapshot.as_ref()?.confirmed_at;
        let shown = self.moment(copy);
        if standing.quarantine.is_some() {
            let values = [("who", self.who(host).into()), ("copy", shown.into())];
            return Some((copy, self.language.say_of("stale-collapsed", &values)));
        }
        let (_, trouble) = self.failure(standing, host)?;
        let values = [("trouble", trouble.into()), ("copy", shown.into())];
        Some((copy, self.language.say_of("showing-copy", &values)))
    }

    /// What is wrong with the one that has failed for longest of those that have no copy. Nothing if all of them are only
    /// waited for.
    fn worst_without_copy(&self, without: &[&(Standing, &str)]) -> Option<String> {
        let failures = without.iter().filter_map(|(standing, host)| self.failure(standing, host));
        failures.min_by_key(|(since, _)| *since).map(|(_, trouble)| trouble)
    }

    /// Since when fetching fails, and why, as the first half of a sentence.
    fn failure(&self, standing: &Standing, host: &str) -> Option<(Timestamp, String)> {
        let failing = standing.failing.as_ref()?;
        let values = [("who", self.who(host).into()), ("since", self.moment(failing.since).into())];
        Some((failing.since, self.language.say_of(message(failing.reason), &values)))
    }

    /// Whose the calendar is, as everybody knows them.
    fn who(&self, host: &str) -> String {
        match known(host) {
            Some(name) => self.language.say_of("known-source", &[("name", name.into())]),
            None => self.language.say("the-source"),
        }
    }
}

/// The message for an error of this name.
fn message(reason: &str) -> &'static str {
    match reason {
        "throttled" | "captcha" | "denied" | "refused" | "sign_in" => "trouble-refusing",
        "not_found" => "trouble-unknown",
        "server_error" => "trouble-trouble",
        "dns" | "private_address" | "forbidden_port" | "proxy_unreachable" | "proxy_auth" | "proxy_refused"
        | "connect" | "tls" | "timeout" | "interrupted" => "trouble-unreachable",
        _ => "trouble-unusable",
    }
}

/// Whose host it is, if everybody knows them.
fn known(host: &str) -> Option<&'static str> {
    const KNOWN: [(&str, &str); 6] = [
        ("google.com", "Google"),
        ("googleusercontent.com", "Google"),
        ("outlook.com", "Outlook"),
        ("office365.com", "Outlook"),
        ("live.com", "Outlook"),
        ("icloud.com", "iCloud"),
    ];
    let below = |name: &str| host.strip_suffix(name).is_some_and(|front| front.is_empty() || front.ends_with('.'));
    KNOWN.iter().find(|(name, _)| below(name)).map(|(_, who)| *who)
}
