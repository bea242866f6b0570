//! Calendars and feeds at random. Hours are such that no clock skips or repeats them, however rules move them: what then
//! holds is not the rules' matter.

use chrono::{Datelike, Duration, NaiveDate, NaiveDateTime};
use chrono_tz::Tz;
use proptest::collection::vec;
use proptest::option::{of, weighted};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::events::{End, Event, Every, Form, Repeat, Says, Source};
use super::rules::{Does, Feed, Rule, Test};

const TITLES: [&str; 4] = ["Alpha", "Beta", "Alpha Beta", "Gamma"];

fn first_day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 10, 1).unwrap()
}

fn form() -> impl Strategy<Value = Form> {
    let zones = [Form::Zoned(Tz::Europe__Berlin), Form::Zoned(Tz::Asia__Shanghai)];
    select([&zones[..], &[Form::Utc, Form::Floating, Form::Date]].concat())
}

fn says() -> impl Strategy<Value = Says> {
    let status = weighted(0.3, select(vec!["CANCELLED", "TENTATIVE", "CONFIRMED"]));
    let partstat = weighted(0.3, select(vec!["DECLINED", "NEEDS-ACTION", "ACCEPTED"]));
    (status, partstat, prop::bool::weighted(0.2), 0..3u32, 0..3u32)
        .prop_map(|(status, partstat, free, sequence, modified)| Says { status, partstat, free, sequence, modified })
}

#[derive(Debug, Clone, Copy)]
enum Ends {
    Never,
    Count(u32),
    /// On the so many-th day, at the time of day of the event or so many minutes later.
    Day(i64, i64),
}

fn repeat() -> impl Strategy<Value = (Every, u32, Ends)> {
    let every = prop_oneof![
        Just(Every::Day),
        Just(Every::Week),
        any::<[bool; 7]>().prop_map(Every::WeekOn),
        Just(Every::Month),
    ];
    let ends = prop_oneof![
        Just(Ends::Never),
        (1..12u32).prop_map(Ends::Count),
        (0..90i64, select(vec![0, 0, 90])).prop_map(|(day, later)| Ends::Day(day, later)),
    ];
    (every, 1..4u32, ends)
}

/// In whose place an instance stands, by its number; how many hours it is moved, and what it says.
type Changed = (usize, i64, usize, Says);

fn changed() -> impl Strategy<Value = Changed> {
    (0..8usize, select(vec![0, 1, 24, 72, -48, 24 * 40, -24 * 40]), 0..TITLES.len(), says())
}

/// An event or a series, its changed instances behind it.
fn series() -> impl Strategy<Value = Vec<Event>> {
    let start = (0..85i64, select(vec![8, 9, 10, 17, 18]), select(vec![0, 30]), select(vec![30, 60, 120]));
    let overrides = vec(changed(), 0..4);
    let master = prop::bool::weighted(0.85);
    (0..4u8, form(), start, weighted(0.7, repeat()), vec(0..8usize, 0..3), overrides, (0..TITLES.len(), says(), master))
        .prop_map(|(uid, form, (day, hour, minute, takes), repeat, except, overrides, (title, says, master))| {
            let mut day = first_day() + Duration::days(day);
            if matches!(repeat, Some((Every::Month, ..))) && day.day() > 28 {
                day = day.with_day(28).unwrap();
            }
            let is_day = form == Form::Date;
            let start = if is_day { day.and_hms_opt(0, 0, 0) } else { day.and_hms_opt(hour, minute, 0) }.unwrap();
            let takes = if is_day { Duration::days(takes / 30) } else { Duration::minutes(takes) };
            let repeat = repeat.map(|repeat| repeats(repeat, start, is_day));
            let mut series = Event {
                uid: format!("u{uid}@x"),
                instead_of: None,
                form,
                start,
                takes,
                repeat,
                except: Vec::new(),
                title: TITLES[title].to_owned(),
                says,
            };
            let starts = series.starts();
            if repeat.is_some() {
                series.except = except.iter().filter_map(|at| starts.get(*at).copied()).collect();
                series.except.sort();
                series.except.dedup();
            }
            let overrides = overrides.into_iter().filter(|_| repeat.is_some());
            let mut instances: Vec<Event> = Vec::new();
            for (at, hours, title, says) in overrides {
                let Some(id) = starts.get(at).copied() else { continue };
                if instances.iter().all(|known| known.instead_of != Some(id)) {
                    let start = moved(id, hours, is_day);
                    instances.push(Event {
                        instead_of: Some(id),
                        start,
                        repeat: None,
                        except: Vec::new(),
                        title: TITLES[title].to_owned(),
                        says,
                        ..series.clone()
                    });
                }
            }
            let master = master || instances.is_empty();
            master.then_some(series).into_iter().chain(instances).collect()
        })
}

fn moved(id: NaiveDateTime, hours: i64, is_day: bool) -> NaiveDateTime {
    id + if is_day { Duration::days(hours / 24) } else { Duration::hours(hours) }
}

fn repeats((every, interval, ends): (Every, u32, Ends), start: NaiveDateTime, is_day: bool) -> Repeat {
    let every = match every {
        Every::WeekOn(mut on) => {
            // The first instance is one of the rule's own.
            on[start.weekday().num_days_from_monday() as usize] = true;
            Every::WeekOn(on)
        }
        every => every,
    };
    let end = match ends {
        Ends::Never => End::Never,
        Ends::Count(count) => End::Count(count),
        Ends::Day(days, later) => {
            let later = if is_day { 0 } else { later };
            End::Until(start + Duration::days(days) + Duration::minutes(later))
        }
    };
    Repeat { every, interval, end }
}

/// A UID is one series' in a calendar.
fn source() -> impl Strategy<Value = Source> {
    (of(select(vec![Tz::Asia__Shanghai, Tz::Europe__Berlin])), vec(series(), 1..4)).prop_map(|(zone, series)| {
        let mut events: Vec<Event> = Vec::new();
        for series in series {
            if events.iter().all(|known| known.uid != series[0].uid) {
                events.extend(series);
            }
        }
        Source { zone, events }
    })
}

fn test() -> impl Strategy<Value = Test> {
    let day = || (0..100i64).prop_map(|day| first_day() + Duration::days(day));
    let zone = || of(select(vec![Tz::Asia__Shanghai, Tz::America__New_York]));
    let one = prop_oneof![
        4 => select(vec!["Alpha", "Beta", "^Alpha", "Gamma", "^Beta"]).prop_map(Test::Title),
        1 => any::<bool>().prop_map(Test::AllDay),
        1 => any::<bool>().prop_map(Test::Recurring),
        2 => any::<bool>().prop_map(Test::Override),
        1 => select(vec!["cancelled", "tentative", "confirmed"]).prop_map(Test::Status),
        1 => select(vec!["declined", "needs-action", "accepted"]).prop_map(Test::Partstat),
        1 => any::<bool>().prop_map(Test::Free),
        1 => select(vec![30, 60, 1440]).prop_map(Test::Longer),
        1 => zone().prop_map(Test::Weekend),
        1 => (select(vec![(8, 12), (12, 24), (17, 9)]), zone()).prop_map(|((from, to), zone)| Test::Hours(from, to, zone)),
        1 => day().prop_map(Test::From),
        1 => (-40..40i64).prop_map(Test::FromToday),
        1 => day().prop_map(Test::Before),
        1 => select(vec!["one", "two"]).prop_map(Test::Source),
    ];
    one.prop_recursive(2, 6, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|test| Test::Not(Box::new(test))),
            vec(inner.clone(), 1..3).prop_map(Test::Any),
            (inner.clone(), inner).prop_map(|(one, other)| Test::Both(Box::new(one), Box::new(other))),
        ]
    })
}

fn rule() -> impl Strategy<Value = Rule> {
    let does = prop_oneof![
        3 => Just(Does::Drop),
        2 => Just(Does::Keep),
        2 => select(vec!["busy", "taken"]).prop_map(Does::Busy),
        1 => select(vec!["<{summary}>", "Delta"]).prop_map(Does::Set),
        1 => select(vec!["! ", "? "]).prop_map(Does::Prefix),
        1 => Just(Does::Suffix(" !")),
        2 => select(vec![-15, 60, 720, 1440, -1440, 2880]).prop_map(Does::Shift),
        1 => select(vec![Tz::Asia__Shanghai, Tz::Europe__Berlin]).prop_map(Does::Pin),
    ];
    (weighted(0.9, test()), does).prop_map(|(when, does)| Rule { when, does })
}

/// One source or two, and rules of every kind.
pub(crate) fn any_feed() -> impl Strategy<Value = Feed> {
    let days = || select(vec![0, 3, 20, 60]);
    let window = prop_oneof![
        days().prop_map(|past| (Some(past), None)),
        days().prop_map(|future| (None, Some(future))),
        (days(), days()).prop_map(|(past, future)| (Some(past), Some(future))),
    ];
    let hide = subsequence(vec!["declined", "cancelled", "tentative", "unanswered", "free"], 0..3);
    let zones = weighted(0.3, select(vec![Tz::Asia__Shanghai, Tz::America__New_York]));
    let flags = (any::<bool>(), zones, prop::bool::weighted(0.3), any::<bool>());
    (vec(source(), 1..3), vec(rule(), 0..4), hide, weighted(0.4, window), flags).prop_map(
        |(sources, mut rules, hide, window, (prefixes, zone, pins_floating, keeps_zones))| {
            // What stands behind a rule that ends the matter for every event is never reached, and refused.
            let last =
                rules.iter().position(|rule| rule.when.is_none() && matches!(rule.does, Does::Drop | Does::Keep));
            rules.truncate(last.map_or(rules.len(), |last| last + 1));
            Feed { sources, rules, hide, window, prefixes, zone, pins_floating, keeps_zones }
        },
    )
}
