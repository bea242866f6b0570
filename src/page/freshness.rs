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
        let with_copy = || standings.iter().filter(|(standing, _)| standing.snapshot.is_some());
        let trouble = with_copy().filter_map(|(standing, host)| self.trouble(standing, host));
        if let Some((_, words)) = trouble.min_by_key(|(copy, _)| *copy) {
            return Freshness { is_well: false, words };
        }
        let oldest = with_copy().filter_map(|(standing, _)| {
            let confirmed = standing.snapshot.as_ref()?.confirmed_at;
            Some((confirmed, confirmed + standing.refresh * 2))
        });
        let Some((confirmed, until)) = oldest.min() else {
            return Freshness { is_well: false, words: self.language.say("waiting") };
        };
        let ago = self.ago(confirmed);
        let is_well = self.now <= until;
        let words = match (ago, is_well) {
            (None, _) => self.language.say("fresh-now"),
            (Some(ago), true) => self.language.say_of("fresh-ago", &[("ago", ago.into())]),
            (Some(ago), false) => self.language.say_of("stale-late", &[("ago", ago.into())]),
        };
        Freshness { is_well, words }
    }

    /// What is wrong with an upstream, and the time of its copy.
    fn trouble(&self, standing: &Standing, host: &str) -> Option<(Timestamp, String)> {
        let copy = standing.snapshot.as_ref()?.confirmed_at;
        let mut values = vec![("copy", self.moment(copy).into())];
        values.push(("who", who(host).map_or_else(|| self.language.say("the-source"), str::to_owned).into()));
        if standing.quarantine.is_some() {
            return Some((copy, self.language.say_of("stale-collapsed", &values)));
        }
        let failing = standing.failing.as_ref()?;
        values.push(("since", self.moment(failing.since).into()));
        Some((copy, self.language.say_of(message(failing.reason), &values)))
    }
}

/// The message for an error of this name.
fn message(reason: &str) -> &'static str {
    match reason {
        "throttled" | "captcha" | "denied" | "refused" | "sign_in" => "stale-refusing",
        "not_found" => "stale-unknown",
        "server_error" => "stale-trouble",
        "dns" | "private_address" | "forbidden_port" | "proxy_unreachable" | "proxy_auth" | "proxy_refused"
        | "connect" | "tls" | "timeout" | "interrupted" => "stale-unreachable",
        _ => "stale-unusable",
    }
}

/// Whose host it is, if everybody knows them.
fn who(host: &str) -> Option<&'static str> {
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
