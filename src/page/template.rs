//! The page. Every text in it is escaped by the template engine; only our own style and script stand in it as they are.

use chrono_tz::Tz;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::Visit;
use super::days::agenda;
use super::devices::Device;
use super::freshness::{Clocks, Freshness};
use super::words::Language;
use crate::agenda::Agenda;
use crate::qr::Qr;

/// The style as it stands in the page.
pub const STYLE: &str = include_str!("style.css");
/// The script as it stands in the page.
pub const SCRIPT: &str = include_str!("script.js");

/// A sheet of a calendar. Given here, no browser asks for one.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' \
    height='16' rx='4' fill='%231f5f8b'/%3E%3Cpath d='M4 7h8M4 10h5' stroke='white' stroke-width='1.6'/%3E%3C/svg%3E";
/// Where the app for Android can be had without an account.
const ICSX5: &str = "https://f-droid.org/packages/at.bitfire.icsdroid/";

/// What a page shows.
pub(super) struct Page<'a> {
    pub(super) name: &'a str,
    pub(super) colour: Option<&'a str>,
    pub(super) own_zone: Option<Tz>,
    pub(super) freshness: &'a Freshness,
    pub(super) visit: &'a Visit,
    pub(super) clocks: Clocks,
    pub(super) agenda: Option<&'a Agenda>,
}

/// The subscription's page.
pub(super) fn page(page: &Page<'_>) -> Markup {
    let language = page.visit.language;
    let body = html! {
        a.skip href="#agenda" { (language.say("skip")) }
        div.wrap {
            header {
                h1 {
                    @if let Some(colour) = page.colour {
                        svg viewBox="0 0 14 14" aria-hidden="true" { circle cx="7" cy="7" r="7" fill=(colour) {} }
                    }
                    span { (page.name) }
                }
                (languages(page.visit.language, |language| query(language, page.visit.zone)))
                p.state.warn[!page.freshness.is_well].fresh[page.freshness.is_well] role="status" { (page.freshness.words) }
                @if let Some(left_out) = &page.freshness.left_out { p.state.warn role="status" { (left_out) } }
            }
            main.columns {
                div { (subscribe(page.visit)) (how_to(page.visit)) }
                (agenda(page))
            }
        }
        script { (PreEscaped(SCRIPT)) }
    };
    document(language, page.name, Some(page.clocks.zone), &body)
}

/// The page of a subscription that was revoked.
pub fn gone(language: Language) -> String {
    let body = html! {
        div.wrap { main { div.card { h1 { (language.say("gone")) } p.note { (language.say("gone-why")) } } } }
    };
    document(language, &language.say("gone"), None, &body).into_string()
}

fn document(language: Language, title: &str, zone: Option<Tz>, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(language.tag()) data-zone=[zone.map(Tz::name)] {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex, nofollow";
                meta name="referrer" content="no-referrer";
                meta name="format-detection" content="telephone=no";
                title { (title) }
                link rel="icon" href=(ICON);
                style { (PreEscaped(STYLE)) }
            }
            body { (body) }
        }
    }
}

/// What stands behind a `?` for these wishes. Zones' names need no escaping in it but for the plus of `Etc/GMT+8`.
fn query(language: Language, zone: Option<Tz>) -> String {
    let zone = zone.map_or(String::new(), |zone| format!("&tz={}", zone.name().replace('+', "%2B")));
    format!("?lang={}{zone}", language.tag())
}

/// The languages to choose from: `current` is the page's own, and `link` leads to the same page in another.
pub fn languages(current: Language, link: impl Fn(Language) -> String) -> Markup {
    html! {
        nav aria-label=(current.say("language")) {
            ul.languages {
                @for language in Language::ALL {
                    @let is_current = (language == current).then_some("true");
                    li {
                        a href=(link(language)) lang=(language.tag()) hreflang=(language.tag())
                            aria-current=[is_current] { (language.own_name()) }
                    }
                }
            }
        }
    }
}

fn subscribe(visit: &Visit) -> Markup {
    let say = |id: &str| visit.language.say(id);
    // Where the device's own app takes no address, nothing may open one.
    let copy_first = visit.device.is_some_and(|device| device.steps().has_note);
    let address = visit.url.split_once("://").map(|(scheme, rest)| {
        // Apple's apps know only the first, and take it for either. ICSx⁵ takes the first for http.
        let scheme = if copy_first && scheme == "https" { "webcals" } else { "webcal" };
        format!("{scheme}://{rest}")
    });
    let open =
        html! { @if let Some(address) = address { a.button.main[!copy_first] href=(address) { (say("open")) } } };
    let copy = html! {
        button.button.main[copy_first] type="button" data-copy data-copied=(say("copied")) hidden { (say("copy")) }
    };
    html! {
        section.card aria-labelledby="subscribe" {
            h2 #subscribe { (say("subscribe-to")) }
            @if visit.is_in_wechat { p.warn { (say("in-wechat")) } }
            div.buttons { @if copy_first { (copy) (open) } @else { (open) (copy) } }
            @if copy_first { p.note { (say("open-needs-app")) } }
            code.url #url tabindex="0" role="textbox" aria-readonly="true" aria-label=(say("address")) { (visit.url) }
            p.note { (say("address-secret")) }
            @if let Ok(qr) = Qr::new(&visit.url) {
                div.qr {
                    svg viewBox=(format!("0 0 {0} {0}", qr.columns())) role="img" aria-label=(say("scan")) shape-rendering="crispEdges" {
                        rect width="100%" height="100%" fill="#fff" {}
                        path d=(qr.path()) fill="#000" {}
                    }
                    p.note { (say("scan")) }
                }
            }
        }
    }
}

fn how_to(visit: &Visit) -> Markup {
    let say = |id: &str| visit.language.say(id);
    let others = Device::ALL.into_iter().filter(|device| visit.device != Some(*device));
    html! {
        section.card aria-labelledby="how" {
            h2 #how { (say("how-to")) }
            @if let Some(device) = visit.device {
                h3 { (say(&format!("device-{}", device.steps().name))) }
                (steps(device, visit.language))
                h3.others { (say("other-devices")) }
            }
            @for device in others {
                // An iPad says that it is a Mac; the script knows better, and opens this one.
                @let maybe_this = visit.device == Some(Device::Mac) && device == Device::Iphone;
                details.device data-touch[maybe_this] {
                    summary { (say(&format!("device-{}", device.steps().name))) }
                    (steps(device, visit.language))
                }
            }
        }
    }
}

fn steps(device: Device, language: Language) -> Markup {
    let steps = device.steps();
    html! {
        @if steps.has_note {
            p.note {
                (language.say(&format!("{}-note", steps.name))) " "
                a href=(ICSX5) rel="noopener noreferrer" { (language.say("get-icsx5")) }
            }
        }
        ol.steps { @for step in 1..=steps.count { li { (language.say(&format!("{}-{step}", steps.name))) } } }
    }
}
