//! The agenda, day by day.

use chrono::{Datelike, Days, NaiveDate};
use chrono_tz::Tz;
use maud::{Markup, html};

use super::freshness::Clocks;
use super::template::Page;
use super::words::Language;
use crate::agenda::{Agenda, Instance};

/// Further days of events that go on, on one page.
const GOING_ON: usize = 200;

/// Zones that are offered; any other can be asked for.
#[rustfmt::skip]
const OFFERED: [Tz; 24] = [
    Tz::Pacific__Honolulu, Tz::America__Los_Angeles, Tz::America__Denver, Tz::America__Chicago, Tz::America__New_York,
    Tz::America__Toronto, Tz::America__Sao_Paulo, Tz::UTC, Tz::Europe__London, Tz::Europe__Berlin, Tz::Europe__Paris,
    Tz::Europe__Athens, Tz::Africa__Cairo, Tz::Africa__Johannesburg, Tz::Europe__Moscow, Tz::Asia__Dubai, Tz::Asia__Kolkata,
    Tz::Asia__Bangkok, Tz::Asia__Shanghai, Tz::Asia__Hong_Kong, Tz::Asia__Singapore, Tz::Asia__Tokyo, Tz::Australia__Sydney,
    Tz::Pacific__Auckland,
];

/// An event on one of its days.
struct Row<'a> {
    instance: &'a Instance,
    /// Which of its days this is, and how many there are; none if it is the only one.
    day: Option<(i64, i64)>,
    /// It is shown for the first time.
    is_first: bool,
}

/// The section with the days ahead.
pub(super) fn agenda(page: &Page<'_>) -> Markup {
    let language = page.visit.language;
    html! {
        section.card #agenda aria-labelledby="ahead" tabindex="-1" {
            h2 #ahead { (language.say("agenda")) }
            (zones(page))
            @match page.agenda {
                None => p.note { (language.say("agenda-none")) },
                Some(agenda) => (days(agenda, page.clocks)),
            }
        }
    }
}

fn zones(page: &Page<'_>) -> Markup {
    let (language, zone) = (page.visit.language, page.clocks.zone);
    let mut offered: Vec<_> = [Some(zone), page.own_zone].into_iter().flatten().collect();
    offered.extend(OFFERED.iter().filter(|offered| Some(**offered) != page.own_zone && **offered != zone));
    offered.dedup();
    html! {
        form.zone method="get" {
            input type="hidden" name="lang" value=(language.tag());
            label for="tz" { (language.say("agenda-choose")) }
            select #tz name="tz" {
                @for offered in offered {
                    option value=(offered.name()) selected[offered == zone] { (offered.name().replace('_', " ")) }
                }
            }
            button.button.small type="submit" { (language.say("agenda-show")) }
        }
    }
}

fn days(agenda: &Agenda, clocks: Clocks) -> Markup {
    let language = clocks.language;
    let mut going_on = 0;
    let days = (0..agenda.window.days).filter_map(|day| agenda.window.first.checked_add_days(Days::new(day.into())));
    let days: Vec<_> =
        days.map(|day| (day, rows(agenda, day, &mut going_on))).filter(|(_, rows)| !rows.is_empty()).collect();
    html! {
        @if days.is_empty() { p.note { (language.say("agenda-empty")) } }
        @for (day, rows) in &days {
            div.day {
                h3 {
                    time datetime=(day) { (date(*day, language)) }
                    @if let Some(name) = near(*day, agenda.window.first) { small { (language.say(name)) } }
                }
                ul.events { @for row in rows { (event(row, *day, language)) } }
            }
        }
        @if agenda.more > 0 { p.note { (language.say_of("agenda-more", &[("count", agenda.more.into())])) } }
        @if agenda.unfollowed > 0 {
            p.note { (language.say_of("agenda-unfollowed", &[("count", agenda.unfollowed.into())])) }
        }
    }
}

/// What takes place on `day`, whole days first.
fn rows<'a>(agenda: &'a Agenda, day: NaiveDate, going_on: &mut usize) -> Vec<Row<'a>> {
    let mut rows = Vec::new();
    for instance in &agenda.instances {
        let (first, last) = instance.days();
        if !(first..=last).contains(&day) {
            continue;
        }
        let is_first = day == first.max(agenda.window.first);
        if !is_first {
            *going_on += 1;
            if *going_on > GOING_ON {
                continue;
            }
        }
        let count = (last - first).num_days() + 1;
        let day = (count > 1).then(|| ((day - first).num_days() + 1, count));
        rows.push(Row { instance, day, is_first });
    }
    // What goes on all day stands before what begins in it.
    rows.sort_by_key(|row| !row.instance.all_day && row.instance.start.date() == day);
    rows
}

fn near(day: NaiveDate, today: NaiveDate) -> Option<&'static str> {
    match (day - today).num_days() {
        0 => Some("today"),
        1 => Some("tomorrow"),
        _ => None,
    }
}

fn date(day: NaiveDate, language: Language) -> String {
    let values = [
        ("weekday", language.say(&format!("weekday-{}", day.weekday().number_from_monday())).into()),
        ("day", day.day().to_string().into()),
        ("month", language.say(&format!("month-{}", day.month())).into()),
    ];
    language.say_of("date", &values)
}

/// When on `day` it is.
fn when(row: &Row<'_>, day: NaiveDate, language: Language) -> String {
    let instance = row.instance;
    let (first, last) = instance.days();
    let (start, end) = (instance.start.format("%H:%M").to_string(), instance.end.format("%H:%M").to_string());
    match (day == first, day == last) {
        _ if instance.all_day => language.say("all-day"),
        (true, true) if instance.start == instance.end => start,
        (true, true) => format!("{start}–{}", if end == "00:00" { "24:00" } else { &end }),
        (true, false) => language.say_of("from-time", &[("time", start.into())]),
        (false, true) if end != "00:00" => language.say_of("until-time", &[("time", end.into())]),
        _ => language.say("all-day"),
    }
}

fn event(row: &Row<'_>, day: NaiveDate, language: Language) -> Markup {
    let instance = row.instance;
    let title = if instance.title.is_empty() { language.say("untitled") } else { instance.title.clone() };
    html! {
        li.event.off[instance.cancelled] {
            div.when { (when(row, day, language)) }
            div {
                div.name {
                    span.title { (title) }
                    @if instance.cancelled { span.tag { (language.say("cancelled")) } }
                    @if let Some((day, days)) = row.day {
                        span.tag { (language.say_of("day-of", &[("day", day.into()), ("days", days.into())])) }
                    }
                }
                @if row.is_first { (more(instance, &title, language)) }
            }
        }
    }
}

/// What is told of an event where it is shown first.
fn more(instance: &Instance, title: &str, language: Language) -> Markup {
    let join = instance.join.as_ref().filter(|_| !instance.cancelled);
    let has_details = !instance.notes.is_empty() || instance.url.is_some();
    html! {
        @if !instance.place.is_empty() { div.meta { (instance.place) } }
        @if join.is_some() || has_details {
            div.more {
                @if let Some(join) = join {
                    a.button.small href=(join) rel="noopener noreferrer" target="_blank"
                        aria-label=(language.say_of("join-what", &[("title", title.into())])) { (language.say("join")) }
                }
                @if has_details {
                    details {
                        summary { (language.say("details")) }
                        @if !instance.notes.is_empty() { p.notes { (instance.notes) } }
                        @if let Some(url) = &instance.url {
                            p.meta { a href=(url) rel="noopener noreferrer" target="_blank" { (language.say("link")) } }
                        }
                    }
                }
            }
        }
    }
}
