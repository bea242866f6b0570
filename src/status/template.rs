//! The status page. Every text in it is escaped by the template engine; only our own style stands in it as it is.

use std::sync::Arc;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::cards::{feed, source};
use super::report::{Feed, Outline, STATES, Source};
use super::words::counted;
use crate::page::{Language, STYLE, languages};

/// Sources, and feeds, on one page.
pub const PER_PAGE: usize = 100;
/// What is asked for by who wants every source that is not fresh.
pub const TROUBLED: &str = "troubled";

const OWN_STYLE: &str = include_str!("style.css");

/// The styles as they stand in the page.
pub fn style() -> String {
    format!("{STYLE}{OWN_STYLE}")
}

/// What of everything is looked at.
#[derive(Debug, Clone)]
pub struct View {
    /// In which language.
    pub language: Language,
    /// Only sources in this state: one of [`STATES`], or [`TROUBLED`].
    pub state: Option<&'static str>,
    /// Which page of the sources, from 1.
    pub sources: usize,
    /// Which page of the feeds, from 1.
    pub feeds: usize,
    /// What a form that was just sent came to.
    pub done: Option<&'static str>,
}

impl View {
    /// What leads to it, behind the page's address.
    pub fn query(&self) -> String {
        let state = self.state.map_or(String::new(), |state| format!("&state={state}"));
        format!("?lang={}{state}&page={}&feeds={}", self.language.tag(), self.sources, self.feeds)
    }
}

/// One page of many things.
#[derive(Debug)]
pub struct Slice<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Which page it is, from 1.
    pub page: usize,
    /// How many there are.
    pub pages: usize,
}

impl<T> Slice<T> {
    /// Page `wanted` of `all`, or the last if there are fewer.
    pub fn of(all: impl ExactSizeIterator<Item = T>, wanted: usize) -> Self {
        let pages = all.len().div_ceil(PER_PAGE).max(1);
        let page = wanted.clamp(1, pages);
        Self { items: all.skip((page - 1) * PER_PAGE).take(PER_PAGE).collect(), page, pages }
    }
}

/// What a page shows.
#[derive(Debug)]
pub struct Shown {
    /// What was asked for.
    pub view: View,
    /// The program itself.
    pub outline: Outline,
    /// How many sources are in each of [`STATES`].
    pub counts: [usize; STATES.len()],
    /// The sources, and what proves that a form about one comes of this page.
    pub sources: Slice<(Arc<str>, Source, Option<String>)>,
    /// The feeds.
    pub feeds: Slice<(Arc<str>, Feed)>,
}

/// The status page.
pub fn page(shown: &Shown) -> String {
    let view = &shown.view;
    let say = |id: &str| view.language.say(id);
    let body = html! {
        div.wrap {
            header {
                h1 { (say("status-title")) }
                (languages(view.language, |language| View { language, ..view.clone() }.query()))
                p.state { (summary(shown)) }
            }
            @if let Some(done) = view.done {
                p.warn[done != "accepted"].good[done == "accepted"] role="status" { (say(&format!("done-{done}"))) }
            }
            main {
                section aria-labelledby="sources" {
                    h2 #sources { (say("status-sources")) }
                    (filter(shown))
                    @if shown.sources.items.is_empty() { p.note { (say("status-none")) } }
                    ul.cards { @for (name, found, proof) in &shown.sources.items {
                        (source(view, shown.outline.up_seconds, name, found, proof.as_deref()))
                    } }
                    (pager(view, &shown.sources, "sources", |view, page| View { sources: page, ..view }))
                }
                section aria-labelledby="feeds" {
                    h2 #feeds { (say("status-feeds")) }
                    p.note { (say("figures-note")) }
                    ul.cards { @for (name, found) in &shown.feeds.items { (feed(view.language, name, found)) } }
                    (pager(view, &shown.feeds, "feeds", |view, page| View { feeds: page, ..view }))
                }
            }
        }
    };
    document(view.language, &body).into_string()
}

fn document(language: Language, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(language.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex, nofollow";
                meta name="format-detection" content="telephone=no";
                title { (language.say("status-title")) }
                link rel="icon" href="data:,";
                style { (PreEscaped(style())) }
            }
            body { (body) }
        }
    }
}

fn summary(shown: &Shown) -> Markup {
    let (language, outline) = (shown.view.language, &shown.outline);
    let values = [("version", outline.version.into()), ("now", short(&outline.now).into())];
    html! {
        (language.say_of("status-version", &values))
        @if let Some(until) = &outline.certificate.until {
            @let message = if outline.certificate.has_ended { "status-certificate-ended" } else { "status-certificate" };
            " " (language.say_of(message, &[("until", short(until).into())]))
        }
        @if let Some(trouble) = &outline.certificate.trouble {
            " " (counted(language, "status-certificate-trouble", trouble.failures.into()))
            " " span lang="en" { (trouble.words) }
        }
    }
}

/// A time in the form of RFC 3339, as people write it.
fn short(time: &str) -> String {
    time.trim_end_matches('Z').replace('T', " ")
}

/// Links to the sources of each state that has any.
fn filter(shown: &Shown) -> Markup {
    let (view, all) = (&shown.view, shown.counts.iter().sum::<usize>());
    let fresh = STATES.iter().zip(shown.counts).find(|(state, _)| **state == "fresh").map_or(0, |(_, count)| count);
    let state = |state: &str, count: usize| {
        html! { (view.language.say(&format!("state-{state}"))) " " (count) }
    };
    let link = |wanted: Option<&'static str>, words: &Markup| {
        let current = (view.state == wanted).then_some("true");
        html! { li { a href=(View { state: wanted, sources: 1, ..view.clone() }.query()) aria-current=[current] { (words) } } }
    };
    let say = |message, count: usize| html! { (counted(view.language, message, count as u64)) };
    html! {
        nav aria-label=(view.language.say("status-filter")) {
            ul.languages.filter {
                (link(None, &say("status-all", all)))
                (link(Some(TROUBLED), &say("status-troubled", all - fresh)))
                @for (one, count) in STATES.iter().zip(shown.counts).filter(|(one, count)| *count > 0 || view.state == Some(one)) {
                    (link(Some(one), &state(one, count)))
                }
            }
        }
    }
}

fn pager<T>(view: &View, slice: &Slice<T>, place: &str, turned: impl Fn(View, usize) -> View) -> Markup {
    let say = |id: &str| view.language.say(id);
    let link = |page: usize| format!("{}#{place}", View { done: None, ..turned(view.clone(), page) }.query());
    let values = [("page", slice.page.into()), ("pages", slice.pages.into())];
    html! {
        @if slice.pages > 1 {
            nav.pager aria-label=(say("status-pages")) {
                @if slice.page > 1 { a.button.small rel="prev" href=(link(slice.page - 1)) { (say("status-previous")) } }
                span { (view.language.say_of("status-page-of", &values)) }
                @if slice.page < slice.pages { a.button.small rel="next" href=(link(slice.page + 1)) { (say("status-next")) } }
            }
        }
    }
}
