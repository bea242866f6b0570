//! Every source, fetched once as the program would, by its ways in their order. Those of one host one after the other,
//! since a host counts; several hosts at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::finding::{Finding, Kind};
use crate::calendar::Limits;
use crate::refresh::{Remark, Target, fetch_once};
use crate::settings::Source;
use crate::source::{Client, FetchError};

/// Hosts at once.
const HOSTS: usize = 8;

/// What there is to say of `sources`, in their order. `tell` hears of each as its turn comes.
pub(super) async fn examine(
    client: Arc<Client>,
    limits: Limits,
    sources: Vec<Source>,
    tell: Arc<dyn Fn(&str) + Send + Sync>,
) -> Vec<Finding> {
    let mut hosts: BTreeMap<String, Vec<(usize, Source)>> = BTreeMap::new();
    for (place, source) in sources.into_iter().enumerate() {
        hosts.entry(source.address.host().to_owned()).or_default().push((place, source));
    }
    let places = Arc::new(Semaphore::new(HOSTS));
    let mut looking = JoinSet::new();
    for sources in hosts.into_values() {
        let (client, tell, places) = (Arc::clone(&client), Arc::clone(&tell), Arc::clone(&places));
        looking.spawn(async move {
            let _place = places.acquire_owned().await;
            let mut found = Vec::new();
            for (place, source) in sources {
                let subject = format!("source {}", source.name);
                tell(&subject);
                found.push((place, fetched(&client, &source.target(), &limits, &subject).await));
            }
            found
        });
    }
    let mut found: Vec<_> = looking.join_all().await.into_iter().flatten().collect();
    found.sort_by_key(|(place, _)| *place);
    found.into_iter().flat_map(|(_, findings)| findings).collect()
}

async fn fetched(client: &Client, target: &Target, limits: &Limits, subject: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let answer = fetch_once(client, target, limits, |remark| findings.push(remarked(remark, subject))).await;
    findings.push(match answer {
        Ok(answer) => Finding::new(Kind::SourceAnswers, subject).with("events", answer.entries.to_string()),
        Err(error) => Finding::new(kind(&error), subject).with("error", error),
    });
    findings
}

fn remarked(remark: Remark, subject: &str) -> Finding {
    match remark {
        Remark::Moved(host) => Finding::new(Kind::SourceMoved, subject).with("host", &*host),
        Remark::Way { place, kind, error } => Finding::new(Kind::SourceWayFailed, subject)
            .with("place", place.to_string())
            .with("way", kind)
            .with("error", error),
    }
}

fn kind(error: &FetchError) -> Kind {
    match error {
        FetchError::NotFound(_) => Kind::SourceReset,
        FetchError::Denied(_) | FetchError::SignIn => Kind::SourceDenied,
        error if error.is_refusal() => Kind::SourceThrottled,
        error if error.is_unreached() => Kind::SourceUnreachable,
        _ => Kind::SourceFailed,
    }
}
