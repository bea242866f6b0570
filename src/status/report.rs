//! How everything stands, in the form of the JSON answer. No token, and nothing of a source's address but what the
//! refresher gives out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::usage::{Figures, Listed};
use crate::clock::Timestamp;
use crate::publisher::Published;
use crate::refresh::{Ending, QUARTERS, Quarter, Standing, Upstream, WayStanding};
use crate::tls::Certificates;

/// Every state a source can be in, the worst first.
pub const STATES: [&str; 5] = ["no_copy", "quarantine", "failing", "waiting", "fresh"];

/// Everything.
#[derive(Debug, Serialize)]
pub struct Status {
    /// All but the sources and feeds.
    #[serde(flatten)]
    pub outline: Outline,
    /// Every source by its name.
    pub sources: BTreeMap<Arc<str>, Source>,
    /// Every feed by its name.
    pub feeds: BTreeMap<Arc<str>, Feed>,
}

/// The program itself.
#[derive(Debug, Serialize)]
pub struct Outline {
    /// The version that runs.
    pub version: &'static str,
    /// What time it is here.
    pub now: String,
    /// Editions held in memory.
    pub editions: u64,
    /// Their bytes.
    pub edition_bytes: u64,
    /// How long the program has been running.
    #[serde(skip)]
    pub up_seconds: u64,
    /// The certificate.
    pub certificate: Certificate,
}

/// The certificate of this server.
#[derive(Debug, Serialize)]
pub struct Certificate {
    /// Until when it holds. Nothing while there is none yet, and without TLS.
    pub until: Option<String>,
    /// That is in the past.
    #[serde(skip)]
    pub has_ended: bool,
    /// When the next one is ordered; nothing while that is being done, and where it is in files.
    pub next_try: Option<String>,
    /// Why the latest order gave none.
    pub trouble: Option<Refused>,
}

/// An order of a certificate that gave none.
#[derive(Debug, Serialize)]
pub struct Refused {
    /// Why, in words.
    pub words: String,
    /// When.
    pub tried: String,
    /// How many in a row.
    pub failures: u32,
}

/// How the certificate is at `now`.
pub fn certificate(certificates: &Certificates, now: Timestamp) -> Certificate {
    let (outlook, validity) = (certificates.outlook(), certificates.validity());
    Certificate {
        until: validity.as_ref().map(|validity| validity.until.to_string()),
        has_ended: validity.is_some_and(|validity| validity.until <= now),
        next_try: outlook.next_try.map(|next| next.to_string()),
        trouble: outlook.trouble.as_ref().map(|trouble| Refused {
            words: trouble.words.clone(),
            tried: trouble.tried_at.to_string(),
            failures: trouble.failures,
        }),
    }
}

/// One source.
#[derive(Debug, Serialize)]
pub struct Source {
    /// In one word, one of [`STATES`].
    pub state: &'static str,
    /// Events of the copy.
    pub events: Option<usize>,
    /// Its size.
    pub size_bytes: Option<usize>,
    /// When it came.
    pub changed: Option<String>,
    /// When it was last confirmed.
    pub confirmed: Option<String>,
    /// How long ago that was.
    pub age_seconds: Option<u64>,
    /// When the source is fetched next.
    pub next_fetch: Option<String>,
    /// In how long that is; nothing if it is due.
    #[serde(skip)]
    pub next_seconds: Option<u64>,
    /// It is being fetched.
    pub fetching: bool,
    /// The copy is the one of the address that the source had before.
    pub inherited: bool,
    /// Lines of the last copy that are no content line, and were left out.
    pub junk_lines: usize,
    /// The host to which it has moved for good.
    pub moved_to: Option<Arc<str>>,
    /// How each way in its `egress` stands, in that order.
    pub ways: Vec<Way>,
    /// How its fetches went over the last 24 hours.
    pub day: Option<Day>,
    /// What is wrong.
    pub trouble: Option<Trouble>,
    /// What is kept aside.
    pub quarantine: Option<Aside>,
}

/// A day of fetches, by quarters of an hour.
#[derive(Debug, Serialize)]
pub struct Day {
    /// Quarters in which every fetch went well.
    pub quarters_well: usize,
    /// Quarters in which an answer was kept aside, and none failed.
    pub quarters_set_aside: usize,
    /// Quarters in which a fetch failed.
    pub quarters_failed: usize,
    /// How long answers took in the mean.
    pub mean_latency_ms: Option<u64>,
    /// Each of them, the oldest first.
    #[serde(skip)]
    pub quarters: [Option<Quarter>; QUARTERS],
}

impl Day {
    /// What these quarters come to.
    pub fn of(quarters: [Option<Quarter>; QUARTERS]) -> Self {
        let ended = |ending| quarters.iter().flatten().filter(|quarter| quarter.worst == ending).count();
        let took: Vec<_> = quarters.iter().flatten().filter_map(|quarter| quarter.took).collect();
        let millis = took.iter().sum::<Duration>().as_millis().checked_div(took.len() as u128);
        Self {
            quarters_well: ended(Ending::Well),
            quarters_set_aside: ended(Ending::Aside),
            quarters_failed: ended(Ending::Failed),
            mean_latency_ms: millis.and_then(|millis| u64::try_from(millis).ok()),
            quarters,
        }
    }
}

/// One way to a source.
#[derive(Debug, Serialize)]
pub struct Way {
    /// `direct`, `http` or `socks5h`.
    pub kind: &'static str,
    /// How it stands.
    pub state: &'static str,
    /// Since when.
    pub since: Option<String>,
    /// The latest error by it.
    pub last_error: Option<String>,
    /// The source was last asked by it.
    pub last_used: bool,
}

/// One feed.
#[derive(Debug, Serialize)]
pub struct Feed {
    /// Its sources.
    pub sources: Vec<Arc<str>>,
    /// Sources that are left out because they have no copy yet.
    pub left_out: Vec<Arc<str>>,
    /// What rules made of the events of the edition at hand; nothing while none is.
    pub edition: Option<Edition>,
    /// Who has a URL. Their figures begin when the program does.
    pub devices: BTreeMap<Arc<str>, Device>,
}

/// What rules made of events.
#[derive(Debug, Serialize)]
pub struct Edition {
    /// Events of the sources.
    pub events: usize,
    /// How many come out.
    pub kept: usize,
    /// How many are hidden.
    pub hidden: usize,
    /// How many are outside the window.
    pub outside_window: usize,
    /// How many another source has, and newer.
    pub doubles: usize,
    /// To how many events each rule applied: a rule that has stopped matching shows here.
    pub rules: Vec<RuleTally>,
}

/// One rule.
#[derive(Debug, Serialize)]
pub struct RuleTally {
    /// Its name.
    pub rule: Arc<str>,
    /// To how many events it applied.
    pub applied: usize,
}

/// One device.
#[derive(Debug, Serialize)]
pub struct Device {
    /// When it last fetched.
    pub last_fetch: Option<String>,
    /// How long ago that was.
    pub last_seconds: Option<u64>,
    /// With what, in one word.
    pub client: Option<String>,
    /// Answers that held the calendar.
    pub full_answers: u64,
    /// Answers that said it is unchanged.
    pub unchanged_answers: u64,
    /// Bytes of calendars sent.
    pub sent_bytes: u64,
    /// Bytes not sent because nothing had changed.
    pub saved_by_unchanged_bytes: u64,
    /// Bytes that compression saved.
    pub saved_by_compression_bytes: u64,
}

/// What is wrong with a source.
#[derive(Debug, Serialize)]
pub struct Trouble {
    /// The latest error's name.
    pub reason: &'static str,
    /// The latest error in words.
    pub words: String,
    /// What to do about it.
    pub advice: &'static str,
    /// The first failure in a row.
    pub since: String,
    /// How long ago that was.
    #[serde(skip)]
    pub since_seconds: u64,
    /// How many in a row.
    pub failures: u32,
}

/// A copy that is kept aside.
#[derive(Debug, Serialize)]
pub struct Aside {
    /// Its events.
    pub events: usize,
    /// When it came.
    pub since: String,
    /// How long ago that was.
    #[serde(skip)]
    pub since_seconds: u64,
    /// How many fetches in a row brought it.
    pub agreed: u32,
    /// What it is known by.
    #[serde(skip)]
    pub digest: [u8; 32],
}

/// How the source at `upstream` is at `now`.
pub fn source(upstream: &Upstream, now: Timestamp) -> Source {
    let standing: Standing = upstream.standing();
    let copy = standing.snapshot.as_ref();
    Source {
        state: standing.as_str(),
        events: copy.map(|copy| copy.entries),
        size_bytes: copy.map(|copy| copy.size),
        changed: copy.map(|copy| copy.changed_at.to_string()),
        confirmed: copy.map(|copy| copy.confirmed_at.to_string()),
        age_seconds: copy.map(|copy| now.since(copy.confirmed_at).as_secs()),
        next_fetch: standing.next.map(|next| next.to_string()),
        next_seconds: standing.next.filter(|next| *next > now).map(|next| next.since(now).as_secs()),
        fetching: standing.fetching,
        inherited: copy.is_some_and(|copy| copy.inherited),
        junk_lines: standing.junk,
        moved_to: standing.moved_to,
        ways: standing.ways.iter().enumerate().map(|(place, way)| as_shown(way, place, standing.last_way)).collect(),
        day: upstream.quarters(now).map(Day::of),
        trouble: standing.failing.map(|failing| Trouble {
            reason: failing.reason,
            words: failing.words,
            advice: failing.advice,
            since: failing.since.to_string(),
            since_seconds: now.since(failing.since).as_secs(),
            failures: failing.failures,
        }),
        quarantine: standing.quarantine.map(|kept| Aside {
            events: kept.snapshot.entries,
            since: kept.since.to_string(),
            since_seconds: now.since(kept.since).as_secs(),
            agreed: kept.agreed,
            digest: kept.snapshot.digest,
        }),
    }
}

fn as_shown(standing: &WayStanding, place: usize, last: Option<u8>) -> Way {
    let WayStanding { kind, state, since, words } = standing;
    Way {
        kind,
        state,
        since: since.map(|since| since.to_string()),
        last_error: words.clone(),
        // After other ways were set, nobody has taken any.
        last_used: last.is_some_and(|last| usize::from(last) == place) && *state != "untried",
    }
}

/// How a feed is at `now`, of which `edition` is at hand.
pub fn feed(listed: &Listed, edition: Option<&Published>, now: Timestamp) -> Feed {
    let served = &listed.served;
    let sources = served.feed.sources.iter().zip(&*served.upstreams);
    let left_out = sources.filter(|(_, upstream)| upstream.digest().is_none()).map(|(source, _)| Arc::clone(source));
    let names = || served.feed.recipe.rules.rules.iter().map(|rule| Arc::clone(&rule.name));
    let devices =
        listed.devices.iter().map(|device| (Arc::clone(&device.device), figures(device.usage.figures(), now)));
    Feed {
        sources: served.feed.sources.to_vec(),
        left_out: left_out.collect(),
        edition: edition.map(|published| &published.tally).map(|tally| Edition {
            events: tally.entries,
            kept: tally.kept,
            hidden: tally.hidden,
            outside_window: tally.outside,
            doubles: tally.doubles,
            rules: names().zip(&tally.applied).map(|(rule, applied)| RuleTally { rule, applied: *applied }).collect(),
        }),
        devices: devices.collect(),
    }
}

fn figures(figures: Figures, now: Timestamp) -> Device {
    Device {
        last_fetch: figures.last.map(|last| last.to_string()),
        last_seconds: figures.last.map(|last| now.since(last).as_secs()),
        client: Some(figures.agent).filter(|agent| !agent.is_empty()),
        full_answers: figures.full,
        unchanged_answers: figures.not_modified,
        sent_bytes: figures.sent,
        saved_by_unchanged_bytes: figures.saved_unchanged,
        saved_by_compression_bytes: figures.saved_compressed,
    }
}
