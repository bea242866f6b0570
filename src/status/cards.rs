//! One source, one feed.

use maud::{Markup, html};

use super::chart::chart;
use super::report::{Aside, Device, Edition, Feed, Source, Trouble, Way};
use super::template::View;
use super::words::{ago, ahead, counted, size, time};
use crate::page::Language;

/// Devices of a feed that are shown: a page stays a page even if a feed has thousands.
const DEVICES: usize = 50;

fn hex(digest: &[u8; 32]) -> String {
    blake3::Hash::from_bytes(*digest).to_hex().to_string()
}

/// A source. `proof` goes into the form by which what is kept aside is accepted. The
/// program runs since `up_seconds`.
pub(super) fn source(view: &View, up_seconds: u64, name: &str, source: &Source, proof: Option<&str>) -> Markup {
    let language = view.language;
    let say = |id: &str| language.say(id);
    html! {
        li.card.source {
            h3 {
                span.name { (name) }
                span.badge.is-well[source.state == "fresh"].is-waiting[source.state == "waiting"] {
                    (say(&format!("state-{}", source.state)))
                }
            }
            dl {
                div { dt { (say("source-confirmed")) } dd {
                    @match (source.age_seconds, &source.confirmed) {
                        (Some(age), Some(at)) => (time(&ago(language, age), at)),
                        _ => (say("source-never")),
                    }
                } }
                div { dt { (say("source-next")) } dd {
                    @match &source.next_fetch {
                        Some(at) if !source.fetching => {
                            (time(&ahead(language, source.next_seconds.unwrap_or_default()), at))
                        }
                        _ => (say("source-now")),
                    }
                } }
                @if let (Some(events), Some(bytes)) = (source.events, source.size_bytes) {
                    @let values = [("count", events.into()), ("size", size(bytes as u64).into())];
                    div { dt { (say("source-size")) } dd { (language.say_of("source-events", &values)) } }
                }
                div { dt { (say("source-egress")) } dd { (egress(language, &source.ways)) } }
            }
            @if let Some(day) = &source.day { (chart(language, day, up_seconds)) }
            @if let Some(found) = &source.trouble { (trouble(language, found)) }
            @if source.inherited { p.note { (say("source-inherited")) } }
            @if source.junk_lines > 0 { p.note { (counted(language, "source-junk", source.junk_lines as u64)) } }
            @if let Some(host) = &source.moved_to {
                p.note { (language.say_of("source-moved", &[("host", host.as_ref().into())])) }
            }
            @if let Some(kept) = &source.quarantine { (aside(view, name, source.events, kept, proof)) }
        }
    }
}

/// The ways, by their places in the settings: two of a kind look alike.
fn egress(language: Language, ways: &[Way]) -> Markup {
    let several = ways.len() > 1;
    html! {
        @for (place, way) in ways.iter().enumerate() {
            // The error is in the words of the log, and the state says the same in any language.
            span.way title=[way.last_error.as_deref().filter(|_| language == Language::English)] {
                @if several { (place + 1) ". " }
                (language.say(&format!("way-kind-{}", way.kind)))
                " (" (language.say(&format!("way-{}", way.state))) ")"
                @if several && way.last_used { " " span.tag { (language.say("way-last")) } }
            }
        }
    }
}

fn trouble(language: Language, trouble: &Trouble) -> Markup {
    let since = ago(language, trouble.since_seconds);
    let values = [("count", trouble.failures.into()), ("ago", since.into())];
    html! {
        div.warn {
            p { strong { (language.say(&format!("error-{}", trouble.reason))) } " " (language.say_of("source-failures", &values)) }
            p { (language.say(&format!("fix-{}", trouble.reason))) }
            p.exact { (language.say("exact-words")) " " code { (trouble.reason) } " " span lang="en" { (trouble.words) } }
        }
    }
}

fn aside(view: &View, name: &str, held: Option<usize>, kept: &Aside, proof: Option<&str>) -> Markup {
    let language = view.language;
    let since = ago(language, kept.since_seconds);
    let values = [("count", kept.events.into()), ("ago", since.into()), ("held", held.unwrap_or_default().into())];
    html! {
        div.aside {
            p { (language.say_of("aside-what", &values)) " " (counted(language, "aside-agreed", kept.agreed.into())) }
            @if let Some(proof) = proof {
                form method="post" action="/accept" {
                    input type="hidden" name="source" value=(name);
                    input type="hidden" name="copy" value=(hex(&kept.digest));
                    input type="hidden" name="proof" value=(proof);
                    input type="hidden" name="back" value=(view.query());
                    @let what = language.say_of("aside-accept-what", &[("source", name.into())]);
                    button.button.small type="submit" aria-label=(what) { (language.say("aside-accept")) }
                }
            }
        }
    }
}

/// A feed.
pub(super) fn feed(language: Language, name: &str, feed: &Feed) -> Markup {
    let names = |names: &[std::sync::Arc<str>]| names.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(", ");
    html! {
        li.card {
            h3 { span.name { (name) } }
            p.note { (language.say_of("feed-of", &[("sources", names(&feed.sources).into())])) }
            @if !feed.left_out.is_empty() {
                p.warn { (language.say_of("feed-left-out", &[("sources", names(&feed.left_out).into())])) }
            }
            @match &feed.edition {
                Some(found) => (edition(language, found)),
                None => p.note { (language.say("feed-no-edition")) },
            }
            (devices(language, feed))
        }
    }
}

fn edition(language: Language, edition: &Edition) -> Markup {
    let values = [
        ("events", edition.events.into()),
        ("kept", edition.kept.into()),
        ("hidden", edition.hidden.into()),
        ("outside", edition.outside_window.into()),
        ("doubles", edition.doubles.into()),
    ];
    html! {
        p.note { (language.say_of("feed-events", &values)) }
        @if !edition.rules.is_empty() {
            details {
                summary { (counted(language, "feed-rules", edition.rules.len() as u64)) }
                ul.rows { @for rule in &edition.rules {
                    li.row.idle[rule.applied == 0] {
                        span.name { (rule.rule) } " "
                        span.soft { (counted(language, "rule-applied", rule.applied as u64)) }
                    }
                } }
            }
        }
    }
}

fn devices(language: Language, feed: &Feed) -> Markup {
    let more = feed.devices.len().saturating_sub(DEVICES);
    html! {
        h4 { (counted(language, "feed-devices", feed.devices.len() as u64)) }
        ul.rows {
            @for (name, found) in feed.devices.iter().take(DEVICES) { (device(language, name, found)) }
            @if more > 0 { li.row.soft { (counted(language, "devices-more", more as u64)) } }
        }
    }
}

fn device(language: Language, name: &str, device: &Device) -> Markup {
    let bytes = [
        ("sent", size(device.sent_bytes).into()),
        ("unchanged", size(device.saved_by_unchanged_bytes).into()),
        ("compressed", size(device.saved_by_compression_bytes).into()),
    ];
    let answers = [("full", device.full_answers.into()), ("unchanged", device.unchanged_answers.into())];
    html! {
        li.row {
            span.name { (name) }
            @match (device.last_seconds, &device.last_fetch) {
                (Some(seconds), Some(at)) => {
                    @let client = device.client.as_deref().unwrap_or("-");
                    @let values = [("ago", ago(language, seconds).into()), ("client", client.into())];
                    span.soft { (time(&language.say_of("device-last", &values), at)) }
                    span.soft { (language.say_of("device-answers", &answers)) }
                    span.soft { (language.say_of("device-bytes", &bytes)) }
                }
                _ => span.soft { (language.say("device-never")) },
            }
        }
    }
}
