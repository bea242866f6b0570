//! A feed's rules, as settings have them and as the model follows them: what becomes of one event by itself.

use chrono::{DateTime, Datelike, Duration, NaiveDate, NaiveDateTime, Timelike, Utc};
use chrono_tz::Tz;

use super::events::{Event, Form, Source};
use crate::harness::TODAY;

/// A feed with its sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Feed {
    pub(crate) sources: Vec<Source>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) hide: Vec<&'static str>,
    /// Days before today and after it.
    pub(crate) window: Option<(Option<i64>, Option<i64>)>,
    pub(crate) prefixes: bool,
    pub(crate) zone: Option<Tz>,
    pub(crate) pins_floating: bool,
    pub(crate) keeps_zones: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) when: Option<Test>,
    pub(crate) does: Does,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Test {
    Title(&'static str),
    AllDay(bool),
    Recurring(bool),
    Override(bool),
    Status(&'static str),
    Partstat(&'static str),
    Free(bool),
    Longer(i64),
    Weekend(Option<Tz>),
    /// From this hour on to before that one.
    Hours(u32, u32, Option<Tz>),
    From(NaiveDate),
    FromToday(i64),
    Before(NaiveDate),
    Source(&'static str),
    Not(Box<Test>),
    Any(Vec<Test>),
    Both(Box<Test>, Box<Test>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Does {
    Drop,
    Keep,
    Busy(&'static str),
    Set(&'static str),
    Prefix(&'static str),
    Suffix(&'static str),
    /// By so many minutes.
    Shift(i64),
    Pin(Tz),
}

/// What has been said of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) gone: Option<Gone>,
    pub(crate) kept: bool,
    pub(crate) title: String,
    pub(crate) busy: bool,
    pub(crate) shift: Duration,
    pub(crate) pin: Option<Tz>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gone {
    /// A rule says so.
    Rule,
    /// It is hidden, by this word.
    Hidden(&'static str),
    /// With its series, by the window, or because another source has it newer.
    Otherwise,
}

pub(crate) const NAMES: [&str; 2] = ["one", "two"];

fn zone_after(zone: Option<Tz>) -> String {
    zone.map(|zone| format!(", zone = {:?}", zone.name())).unwrap_or_default()
}

impl Test {
    /// The conditions without the braces around them.
    fn toml(&self) -> String {
        match self {
            Self::Title(pattern) => format!("summary = {pattern:?}"),
            Self::AllDay(yes) => format!("all_day = {yes}"),
            Self::Recurring(yes) => format!("recurring = {yes}"),
            Self::Override(yes) => format!("override = {yes}"),
            Self::Status(word) => format!("status = {word:?}"),
            Self::Partstat(word) => format!("partstat = {word:?}"),
            Self::Free(yes) => format!("transp = {:?}", if *yes { "transparent" } else { "opaque" }),
            Self::Longer(minutes) => format!("length = \"> {minutes}m\""),
            Self::Weekend(zone) => format!("weekdays = \"sat,sun\"{}", zone_after(*zone)),
            Self::Hours(from, to, zone) => format!("hours = \"{from:02}:00-{to:02}:00\"{}", zone_after(*zone)),
            Self::From(day) => format!("from = \"{day}\""),
            Self::FromToday(days) => format!("from = \"{days}d\""),
            Self::Before(day) => format!("before = \"{day}\""),
            Self::Source(name) => format!("source = {name:?}"),
            Self::Not(test) => format!("not = {{ {} }}", test.toml()),
            Self::Any(tests) => {
                let tests: Vec<_> = tests.iter().map(|test| format!("{{ {} }}", test.toml())).collect();
                format!("any = [{}]", tests.join(", "))
            }
            Self::Both(one, other) => format!("any = [{{ {} }}], not = {{ not = {{ {} }} }}", one.toml(), other.toml()),
        }
    }

    fn holds(&self, event: &Event, name: &str, source: &Source, feed: &Feed) -> bool {
        let local = |zone: Option<Tz>| {
            let fixed = zone.or(feed.zone);
            match event.form {
                Form::Floating | Form::Date => event.start,
                Form::Zoned(own) => {
                    event.form.instant(event.start, own).with_timezone(&fixed.unwrap_or(own)).naive_local()
                }
                Form::Utc => {
                    let zone = fixed.or(source.zone).unwrap_or(Tz::UTC);
                    event.start.and_utc().with_timezone(&zone).naive_local()
                }
            }
        };
        match self {
            Self::Title(pattern) => match pattern.strip_prefix('^') {
                Some(start) => event.title.starts_with(start),
                None => event.title.contains(pattern),
            },
            Self::AllDay(yes) => (event.form == Form::Date) == *yes,
            Self::Recurring(yes) => (event.repeat.is_some() || event.instead_of.is_some()) == *yes,
            Self::Override(yes) => event.instead_of.is_some() == *yes,
            Self::Status(word) => event.says.status.is_some_and(|status| status.eq_ignore_ascii_case(word)),
            Self::Partstat(word) => event.says.partstat.is_some_and(|partstat| partstat.eq_ignore_ascii_case(word)),
            Self::Free(yes) => event.says.free == *yes,
            Self::Longer(minutes) => event.takes > Duration::minutes(*minutes),
            Self::Weekend(zone) => local(*zone).weekday().num_days_from_monday() >= 5,
            Self::Hours(from, to, zone) => {
                let hour = local(*zone).hour();
                event.form == Form::Date
                    || if from < to { (*from..*to).contains(&hour) } else { hour >= *from || hour < *to }
            }
            Self::From(day) => local(None).date() >= *day,
            Self::FromToday(days) => local(None).date() >= TODAY + Duration::days(*days),
            Self::Before(day) => local(None).date() < *day,
            Self::Source(only) => *only == name,
            Self::Not(test) => !test.holds(event, name, source, feed),
            Self::Any(tests) => tests.iter().any(|test| test.holds(event, name, source, feed)),
            Self::Both(one, other) => [one, other].iter().all(|test| test.holds(event, name, source, feed)),
        }
    }
}

impl Rule {
    fn toml(&self) -> String {
        let when = self.when.as_ref().map(|when| format!("when = {{ {} }}\n", when.toml())).unwrap_or_default();
        let does = match self.does {
            Does::Drop => "drop = true".to_owned(),
            Does::Keep => "keep = true".to_owned(),
            Does::Busy(title) => format!("busy = {title:?}"),
            Does::Set(title) => format!("set = {{ summary = {title:?} }}"),
            Does::Prefix(text) => format!("prefix = {text:?}"),
            Does::Suffix(text) => format!("suffix = {text:?}"),
            Does::Shift(minutes) => format!("shift = \"{minutes}m\""),
            Does::Pin(zone) => format!("pin = {:?}", zone.name()),
        };
        format!("[[feed.me.rule]]\n{when}{does}\n")
    }
}

impl Feed {
    /// What is written below the feed's sources.
    pub(crate) fn toml(&self) -> String {
        let mut toml = "me = [\"me@example.com\"]\n".to_owned();
        if !self.hide.is_empty() {
            toml += &format!("hide = {:?}\n", self.hide);
        }
        if let Some((past, future)) = self.window {
            let past = past.map(|days| format!("past = \"{days}d\""));
            let future = future.map(|days| format!("future = \"{days}d\""));
            let ends: Vec<_> = past.into_iter().chain(future).collect();
            toml += &format!("window = {{ {} }}\n", ends.join(", "));
        }
        if self.prefixes {
            toml += "prefix = { one = \"[1] \", two = \"[2] \" }\n";
        }
        if let Some(zone) = self.zone {
            toml += &format!("zone = {:?}\n", zone.name());
        }
        if self.pins_floating {
            toml += "floating = \"calendar\"\n";
        }
        if self.keeps_zones {
            toml += "time_zones = \"keep\"\n";
        }
        toml + &self.rules.iter().map(Rule::toml).collect::<String>()
    }

    /// What becomes of `event` by itself.
    pub(crate) fn judge(&self, event: &Event, name: &str, source: &Source) -> Verdict {
        let title = event.title.clone();
        let mut verdict = Verdict { gone: None, kept: false, title, busy: false, shift: Duration::zero(), pin: None };
        for rule in &self.rules {
            if !rule.when.as_ref().is_none_or(|when| when.holds(event, name, source, self)) {
                continue;
            }
            match rule.does {
                Does::Drop => {
                    verdict.gone = Some(Gone::Rule);
                    return verdict;
                }
                Does::Keep => {
                    verdict.kept = true;
                    return verdict;
                }
                Does::Busy(title) => (verdict.busy, verdict.title) = (true, title.to_owned()),
                Does::Set(title) => verdict.title = title.replace("{summary}", &verdict.title),
                Does::Prefix(text) => verdict.title.insert_str(0, text),
                Does::Suffix(text) => verdict.title.push_str(text),
                Does::Shift(minutes) => verdict.shift += Duration::minutes(minutes),
                Does::Pin(zone) => verdict.pin = verdict.pin.or(Some(zone)),
            }
        }
        let says = event.says;
        let hidden = self.hide.iter().find(|word| match **word {
            "declined" => says.partstat == Some("DECLINED"),
            "unanswered" => says.partstat == Some("NEEDS-ACTION"),
            "cancelled" => says.status == Some("CANCELLED"),
            "tentative" => says.status == Some("TENTATIVE"),
            _ => says.free,
        });
        verdict.gone = hidden.map(|word| Gone::Hidden(word));
        verdict
    }

    /// Where whole days and floating times of `source` are, for the window.
    fn floating(&self, source: &Source) -> Tz {
        self.zone.or(source.zone).unwrap_or(Tz::UTC)
    }

    /// Whether an event of `form` that begins at `local` is in the window.
    pub(crate) fn shows(&self, source: &Source, form: Form, local: NaiveDateTime, takes: Duration) -> bool {
        let Some((past, future)) = self.window else { return true };
        let day = |day: NaiveDate| day.and_hms_opt(0, 0, 0).unwrap().and_utc();
        let from = past.map_or(DateTime::<Utc>::MIN_UTC, |past| day(TODAY - Duration::days(past)));
        let to = future.map_or(DateTime::<Utc>::MAX_UTC, |future| day(TODAY + Duration::days(future + 1)));
        let begins = form.instant(local, self.floating(source));
        begins < to && (begins + takes > from || begins >= from)
    }
}
