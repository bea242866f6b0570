//! When a rule applies: the table `when`. Nothing is taken that could never hold.

use std::sync::Arc;

use chrono_tz::Tz;

use super::item::Item;
use super::pattern::Patterns;
use super::section::Section;
use super::units;
use crate::feed::{Condition, Date, Field, Test, Thing};

/// So many tables inside one another: more is a slip, not a rule.
const DEEPEST: usize = 8;

/// The answers that an invitation can have (RFC 5545 §3.2.12).
const ANSWERS: &[&str] = &["NEEDS-ACTION", "ACCEPTED", "DECLINED", "TENTATIVE", "DELEGATED"];

const THINGS: [(&str, Thing); 4] = [
    ("alarm", Thing::Alarm),
    ("conference", Thing::Conference),
    ("attachment", Thing::Attachment),
    ("attendees", Thing::Attendees),
];

/// What people write, and what it is called here.
const MEANT: [(&str, &str); 6] = [
    ("duration", "how long an event takes is `length`"),
    ("title", "the title is `summary`"),
    ("colour", "the property is `color`"),
    ("attendees", "the property is `attendee`; whether there are any is has = \"attendees\""),
    ("start", "days are `from` and `before`, times of day `hours`"),
    ("calendar", "where an event comes from is `source`"),
];

/// Reads conditions of one feed.
pub(super) struct Conditions<'a> {
    pub(super) patterns: &'a mut Patterns,
    /// The feed's sources.
    pub(super) sources: &'a [String],
    /// It says who I am.
    pub(super) me: bool,
}

impl Conditions<'_> {
    /// All that must hold.
    pub(super) fn read(&mut self, mut when: Section, depth: usize) -> Vec<Condition> {
        if depth > DEEPEST {
            when.problem("", format!("is nested deeper than {DEEPEST} tables"));
            return Vec::new();
        }
        let mut all: Vec<_> = self.kind(&mut when).into_iter().map(Condition::Is).collect();
        all.extend(times(&mut when));
        let rest = [when.item("not"), when.item("any")];
        for item in when.item("status").into_iter().chain(when.item("class")).chain(when.item("transp")) {
            all.extend(word(item));
        }
        all.extend(when.item("partstat").map(|item| Condition::Is(self.partstat(item))));
        all.extend(when.item("has").map(|item| Condition::Is(Test::Has(has(item)))));
        let known = when.known();
        for (name, item) in when.rest() {
            all.extend(self.property(&name, item, &known).map(Condition::Is));
        }
        let [not, any] = rest.map(|item| item.map(|item| self.tables(item, depth + 1)));
        all.extend(not.into_iter().flatten().map(|condition| Condition::Not(Box::new(condition))));
        all.extend(any.map(Condition::Any));
        all
    }

    /// What kind of event it is.
    fn kind(&mut self, when: &mut Section) -> Vec<Test> {
        let source = when.item("source").map(|item| Test::Source(self.sources(item)));
        let mut flag = |key| when.item(key).and_then(|item| item.flag());
        let (all_day, recurring, changed) = (flag("all_day"), flag("recurring"), flag("override"));
        if recurring == Some(false) && changed == Some(true) {
            when.problem("override", "can never match: what is a changed instance of a series is recurring");
        }
        let flags = [all_day.map(Test::AllDay), recurring.map(Test::Recurring), changed.map(Test::Override)];
        source.into_iter().chain(flags.into_iter().flatten()).collect()
    }

    fn sources(&self, item: Item) -> Vec<Arc<str>> {
        let known = |item: &Item| {
            let name = item.text()?;
            if !self.sources.contains(&name) {
                item.problem(format!("no source of this feed has this name; it has {}", self.sources.join(", ")));
            }
            Some(name.into())
        };
        item.each_word().iter().filter_map(known).collect()
    }

    fn partstat(&self, item: Item) -> Test {
        if !self.me {
            item.problem("needs to know who you are: set `me` of the feed to your addresses");
        }
        Test::Partstat(words(item, ANSWERS))
    }

    /// A property, by its name.
    fn property(&mut self, name: &str, item: Item, known: &str) -> Option<Test> {
        let meant = MEANT.iter().find(|(written, _)| *written == name);
        let field = Field::of(name).filter(|_| meant.is_none() && name.to_lowercase() == name);
        let Some(field) = field else {
            let hint = meant.map(|(_, hint)| format!("; {hint}")).unwrap_or_default();
            item.problem(format!(
                "unknown key{hint}. It may be any property in lower case, such as summary or x-foo; else, known here: {known}"
            ));
            return None;
        };
        let mut patterns = Vec::new();
        for item in item.each() {
            let text = item.text();
            patterns.extend(text.and_then(|text| item.note(self.patterns.read(&text))));
        }
        Some(Test::Text(field, patterns))
    }

    /// Each table as one condition.
    fn tables(&mut self, item: Item, depth: usize) -> Vec<Condition> {
        let mut conditions = Vec::new();
        for item in item.each() {
            let section = item.clone().section();
            if item.is_table() && section.is_empty() {
                item.problem("is empty, and holds for every event");
            }
            conditions.push(Condition::All(self.read(section, depth)));
        }
        conditions
    }
}

/// When it takes place, and how long.
fn times(when: &mut Section) -> Vec<Condition> {
    let zone_item = when.item("zone");
    let zone = zone_item.as_ref().and_then(|item| item.note(units::zone(&item.text()?)));
    let mut tests = Vec::new();
    if let Some(item) = when.item("weekdays") {
        let mut days = [false; 7];
        for item in item.each_word() {
            let more = item.text().and_then(|text| item.note(units::weekdays(&text))).unwrap_or_default();
            days.iter_mut().zip(more).for_each(|(day, more)| *day |= more);
        }
        tests.push(Test::Weekdays(days, zone));
    }
    if let Some(item) = when.item("hours") {
        let read = |item: &Item| item.note(units::hours(&item.text()?));
        tests.push(Test::Hours(item.each_word().iter().filter_map(read).collect(), zone));
    }
    tests.extend(dates(when, zone));
    if let Some(item) = zone_item.filter(|_| tests.is_empty()) {
        item.problem("changes nothing here: it says where weekdays, hours, from and before are counted");
    }
    let length = when.item("length").map(|item| {
        let read = |item: &Item| item.note(units::lengths(&item.text()?));
        let lengths = item.each().into_iter().filter_map(|item| read(&item));
        let one = |comparison| Condition::Is(Test::Length(vec![comparison]));
        let mut any: Vec<_> = lengths.map(|all| Condition::All(all.into_iter().map(one).collect())).collect();
        if any.len() == 1 { any.remove(0) } else { Condition::Any(any) }
    });
    tests.into_iter().map(Condition::Is).chain(length).collect()
}

fn dates(when: &mut Section, zone: Option<Tz>) -> Vec<Test> {
    let mut date = |key| {
        let item = when.item(key)?;
        item.note(units::date(&item.text()?))
    };
    let (from, before) = (date("from"), date("before"));
    let never = match (from, before) {
        (Some(Date::On(from)), Some(Date::On(before))) => from >= before,
        (Some(Date::FromToday(from)), Some(Date::FromToday(before))) => from >= before,
        _ => false,
    };
    if never {
        when.problem("before", "can never match: no day is before this and not before `from`");
    }
    let tests = [from.map(|date| Test::StartsFrom(date, zone)), before.map(|date| Test::StartsBefore(date, zone))];
    tests.into_iter().flatten().collect()
}

fn has(item: Item) -> Vec<Thing> {
    let read = |item: &Item| {
        let text = item.text()?;
        let thing = THINGS.iter().find(|(name, _)| *name == text).map(|(_, thing)| *thing);
        item.note(thing.ok_or("is none of alarm, conference, attachment, attendees"))
    };
    item.each_word().iter().filter_map(read).collect()
}

/// A property that holds one of a few words.
fn word(item: Item) -> Option<Condition> {
    let field = Field::of(item.key())?;
    let allowed = field.words()?;
    Some(Condition::Is(Test::Word(field, words(item, allowed))))
}

fn words(item: Item, allowed: &[&str]) -> Vec<String> {
    let read = |item: &Item| {
        let text = item.text()?;
        let word = allowed.iter().find(|word| word.eq_ignore_ascii_case(&text)).map(|word| (*word).to_owned());
        item.note(word.ok_or_else(|| format!("is none of {}", allowed.join(", ").to_lowercase())))
    };
    item.each_word().iter().filter_map(read).collect()
}
