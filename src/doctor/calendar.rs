//! Whether a feed arrives as it was sent: whole, compressed, with its tag, and not again for who has it.

use std::time::Duration;

use http::header::{ACCEPT_ENCODING, IF_NONE_MATCH};
use http::{HeaderName, StatusCode};

use super::answerer::{self, Verdict};
use super::certificate::shown;
use super::finding::{Finding, Kind};
use super::outside::{Refusals, no_answer};
use super::visit::{Caller, Demand, Door, Failure, Reply};
use crate::http::EdgeCache;
use crate::source::FetchError;

/// A calendar of this size is always smaller when it is compressed.
const COMPRESSIBLE: usize = 1024;
const NOT_ENCODED: &str = "identity";
/// After it, calferry's own answers have another time in them.
const OVER_A_SECOND: Duration = Duration::from_millis(1100);

/// What there is to say of the feed at `path`, which holds a token, asked for as `callers`. With `edge`, the front may keep it.
pub(super) async fn examine(
    door: &Door,
    path: &str,
    callers: &[Caller],
    subject: &str,
    edge: Option<&EdgeCache>,
) -> Vec<Finding> {
    let (mut replies, mut refusals) = (Vec::new(), Refusals::default());
    for caller in callers {
        match ask(door, path, *caller, &[]).await {
            Ok(reply) => match refused(&reply, edge) {
                Some(verdict) => refusals.add(verdict, *caller),
                None => replies.push((*caller, reply)),
            },
            Err(failure) => return no_answer(vec![(caller.name, error(failure))], subject).into_iter().collect(),
        }
    }
    let whole = refusals.is_empty();
    let mut findings: Vec<_> = refusals.findings(subject, &door.host).collect();
    if edge.is_none()
        && let Some(kept) = kept(door, path, &replies).await
    {
        // What else there is to say of such answers is not about calferry's.
        findings.push(Finding::new(Kind::CalendarCached, subject).with("cache", kept));
        return findings;
    }
    findings.extend(encodings(&replies, subject, whole));
    findings.extend(tag(door, path, &replies, subject).await);
    // Praise only where there is nothing else to say.
    if findings.iter().any(|found| found.kind != Kind::FeedArrives) {
        findings.retain(|found| found.kind != Kind::FeedArrives);
    }
    findings
}

/// What shows that the first of `replies` comes from a cache that says nothing of itself: it is sent again as it was, a
/// second later.
async fn kept(door: &Door, path: &str, replies: &[(Caller, Reply)]) -> Option<String> {
    let (caller, first) = replies.first()?;
    tokio::time::sleep(OVER_A_SECOND).await;
    let later = ask(door, path, *caller, &[]).await.ok()?;
    answerer::cached(&later).or_else(|| answerer::repeated(first, &later))
}

async fn ask(door: &Door, path: &str, caller: Caller, more: &[(HeaderName, &str)]) -> Result<Reply, Failure> {
    let headers: Vec<_> = more.iter().cloned().chain([(ACCEPT_ENCODING, caller.codings)]).collect();
    door.ask(path, caller, &headers, Demand::Good).await
}

fn error(failure: Failure) -> FetchError {
    match failure {
        Failure::Silent(error) => error,
        // The way was there a moment ago.
        Failure::Connect(_) | Failure::Tls(_) | Failure::Certificate(_) => FetchError::Interrupted,
    }
}

/// What has come in the calendar's place.
fn refused(reply: &Reply, edge: Option<&EdgeCache>) -> Option<Verdict> {
    let (status, kind) = (reply.status, reply.content_type());
    let number = ("status", status.as_u16().to_string());
    let ours = answerer::is_calferry(reply);
    let verdict = |kind, details| Some(Verdict { kind, details });
    match status {
        StatusCode::NOT_FOUND | StatusCode::GONE if ours => return verdict(Kind::FeedUnknown, vec![number]),
        StatusCode::SERVICE_UNAVAILABLE if ours => return verdict(Kind::FeedWithoutCopy, vec![number]),
        StatusCode::OK => {}
        _ => return Some(answerer::who(reply)),
    }
    if kind != "text/calendar" {
        let found = answerer::who(reply);
        let known = found.kind != Kind::NotCalferry;
        let damaged = Verdict { kind: Kind::FeedDamaged, details: vec![number, ("type", shown(&kind))] };
        return Some(if known { found } else { damaged });
    }
    if let Some(kept) = answerer::cached(reply).filter(|_| edge.is_none()) {
        return verdict(Kind::CalendarCached, vec![("cache", kept)]);
    }
    let begins = reply.body.starts_with(b"BEGIN:VCALENDAR");
    (encoding(reply) == NOT_ENCODED && !begins)
        .then(|| Verdict { kind: Kind::FeedDamaged, details: vec![number, ("type", shown(&kind))] })
}

fn encoding(reply: &Reply) -> &str {
    Some(reply.header("content-encoding")).filter(|coding| !coding.is_empty()).unwrap_or(NOT_ENCODED)
}

fn encodings(replies: &[(Caller, Reply)], subject: &str, whole: bool) -> Vec<Finding> {
    let plain = replies.iter().filter(|(caller, reply)| {
        caller.codings != NOT_ENCODED && encoding(reply) == NOT_ENCODED && reply.body.len() >= COMPRESSIBLE
    });
    let plain: Vec<_> = plain.map(|(caller, _)| caller.name).collect();
    if !plain.is_empty() {
        return vec![Finding::new(Kind::CompressionLost, subject).with("clients", plain.join(", "))];
    }
    let got = replies.iter().map(|(caller, reply)| format!("{}: {}", caller.name, shown(encoding(reply))));
    let got: Vec<_> = got.collect();
    let arrives = Finding::new(Kind::FeedArrives, subject).with("coding", got.join(", "));
    if whole { vec![arrives] } else { Vec::new() }
}

/// What becomes of the tag, by the first client that takes what calferry sends: for others Cloudflare decodes, and the tag
/// is rightly weak then.
async fn tag(door: &Door, path: &str, replies: &[(Caller, Reply)], subject: &str) -> Option<Finding> {
    let (caller, reply) = replies.iter().find(|(caller, _)| caller.codings != NOT_ENCODED).or(replies.first())?;
    let found = |kind| Some(Finding::new(kind, subject));
    let tag = reply.header("etag").to_owned();
    if tag.is_empty() {
        return found(Kind::EtagLost);
    }
    if is_repeated(door, path, *caller, tag.clone()).await {
        return found(Kind::NotModifiedLost);
    }
    if tag.starts_with("W/") && caller.codings.contains("br") {
        return found(Kind::EtagWeakened);
    }
    None
}

/// Whether who has the calendar with `tag` is sent it again.
async fn is_repeated(door: &Door, path: &str, caller: Caller, mut tag: String) -> bool {
    // A calendar that has just changed is rightly sent; then its new tag counts.
    for _ in 0..2 {
        let Ok(reply) = ask(door, path, caller, &[(IF_NONE_MATCH, &tag)]).await else { return false };
        if reply.status != StatusCode::OK {
            return false;
        }
        let next = reply.header("etag").to_owned();
        if next == tag {
            return true;
        }
        tag = next;
    }
    true
}
