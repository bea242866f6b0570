//! Taking keys out of a table. Every key is taken by the name it has in the file; what is left in the end is unknown.

use std::cell::RefCell;
use std::fmt::Display;
use std::rc::Rc;
use std::str::FromStr;
use std::time::Duration;

use config::{Map, Value, ValueKind};

use super::Problem;
use super::item::{Item, canonical};

/// Where problems are collected.
pub(super) type Found = Rc<RefCell<Vec<Problem>>>;

/// A table of the settings, with its path.
#[derive(Debug)]
pub(super) struct Section {
    path: String,
    table: Map<String, Value>,
    known: Vec<&'static str>,
    found: Found,
}

impl Section {
    pub(super) fn root(table: Map<String, Value>, found: &Found) -> Self {
        Self::new(String::new(), table, found)
    }

    pub(super) fn new(path: String, table: Map<String, Value>, found: &Found) -> Self {
        Self { path, table, known: Vec::new(), found: Rc::clone(found) }
    }

    /// The path of `key` in this table.
    pub(super) fn at(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Notes a problem with `key`.
    pub(super) fn problem(&self, key: &str, message: impl Display) {
        let path = if key.is_empty() { self.path.clone() } else { self.at(key) };
        self.found.borrow_mut().push(Problem { path, message: message.to_string() });
    }

    fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.table.remove(key).filter(|value| !matches!(value.kind, ValueKind::Nil))
    }

    /// How many problems there are by now, anywhere.
    pub(super) fn problems(&self) -> usize {
        self.found.borrow().len()
    }

    /// Nothing is left in it.
    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Whatever is at `key`.
    pub(super) fn item(&mut self, key: &'static str) -> Option<Item> {
        let value = self.take(key)?;
        Some(Item::new(self.at(key), value, &self.found))
    }

    /// Everything that has not been taken yet, in the order of the keys: for tables whose keys are names.
    pub(super) fn rest(&mut self) -> Vec<(String, Item)> {
        let mut rest: Vec<_> = self.table.drain().filter(|(_, value)| !matches!(value.kind, ValueKind::Nil)).collect();
        rest.sort_by(|(a, _), (b, _)| a.cmp(b));
        let item = |(key, value): (String, Value)| {
            let path = self.at(&key);
            (key, Item::new(path, value, &self.found))
        };
        rest.into_iter().map(item).collect()
    }

    /// The tables in the list at `key`.
    pub(super) fn tables(&mut self, key: &'static str) -> Vec<Self> {
        let Some(item) = self.item(key).and_then(Item::unpacked) else { return Vec::new() };
        if !item.is_list() {
            item.problem("expected a list of tables; write each under [[…]]");
            return Vec::new();
        }
        item.each().into_iter().map(Item::section).collect()
    }

    /// What is written at `keys`, the same for the same settings and for no others; `None` if nothing is.
    pub(super) fn written(&self, keys: &[&str]) -> Option<Vec<u8>> {
        let there = self.table.iter().filter(|(key, _)| keys.contains(&key.as_str()));
        let there: Map<_, _> = there.map(|(key, value)| (key.clone(), value.clone())).collect();
        if there.is_empty() {
            return None;
        }
        let mut written = Vec::new();
        canonical(&there.into(), &mut written);
        Some(written)
    }

    /// The table at `key`; an empty one if there is none.
    pub(super) fn section(&mut self, key: &'static str) -> Self {
        let table = match self.take(key).map(Value::into_table) {
            Some(Ok(table)) => table,
            Some(Err(_)) => {
                self.problem(key, "expected a table");
                Map::new()
            }
            None => Map::new(),
        };
        Self { path: self.at(key), table, known: Vec::new(), found: Rc::clone(&self.found) }
    }

    /// The tables in the table at `key`, by name, in the order of their names.
    pub(super) fn sections(&mut self, key: &'static str) -> Vec<(String, Self)> {
        let mut named: Vec<_> = Vec::new();
        let outer = self.section(key);
        for (name, value) in outer.table {
            let path = format!("{}.{name}", outer.path);
            match value.into_table() {
                Ok(table) => {
                    let section = Self { path, table, known: Vec::new(), found: Rc::clone(&self.found) };
                    if !is_name(&name) {
                        section.problem("", "a name has letters, digits, `-` and `_` only, 64 at most");
                    }
                    named.push((name, section));
                }
                Err(_) => self.found.borrow_mut().push(Problem { path, message: "expected a table".into() }),
            }
        }
        named.sort_by(|(a, _), (b, _)| a.cmp(b));
        named
    }

    /// Text at `key`. Empty text counts as none.
    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        let value = self.take(key)?;
        match value.kind {
            ValueKind::String(text) => Some(text).filter(|text| !text.is_empty()),
            // The environment's numbers and the file's.
            ValueKind::I64(number) => Some(number.to_string()),
            ValueKind::U64(number) => Some(number.to_string()),
            ValueKind::Boolean(yes) => Some(yes.to_string()),
            _ => {
                self.problem(key, "expected text");
                None
            }
        }
    }

    /// Whatever `T` reads from text; `what` says what that is.
    pub(super) fn parsed<T: FromStr>(&mut self, key: &'static str, what: &str) -> Option<T> {
        let text = self.text(key)?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.problem(key, format!("{text:?} is not {what}"));
        }
        parsed
    }

    /// A whole number within `range`, else `default`.
    pub(super) fn number(
        &mut self,
        key: &'static str,
        default: usize,
        range: std::ops::RangeInclusive<usize>,
    ) -> usize {
        match self.parsed(key, "a whole number") {
            Some(number) if range.contains(&number) => number,
            Some(number) => {
                self.problem(key, format!("{number} is not between {} and {}", range.start(), range.end()));
                default
            }
            None => default,
        }
    }

    /// Yes or no, else `default`.
    pub(super) fn flag(&mut self, key: &'static str, default: bool) -> bool {
        self.parsed(key, "true or false").unwrap_or(default)
    }

    /// A duration such as `15m` or `1h 30m` within `range`, else `default`.
    pub(super) fn duration(
        &mut self,
        key: &'static str,
        default: Duration,
        range: std::ops::RangeInclusive<Duration>,
    ) -> Duration {
        let Some(text) = self.text(key) else { return default };
        let words = |duration: &Duration| humantime::format_duration(*duration).to_string();
        match humantime::parse_duration(&text) {
            Ok(duration) if range.contains(&duration) => duration,
            Ok(_) => {
                let (least, most) = (words(range.start()), words(range.end()));
                self.problem(key, format!("{text:?} is not between {least} and {most}"));
                default
            }
            Err(_) => {
                self.problem(key, format!("{text:?} is not a duration; write 15m, 6h or 1h 30m"));
                default
            }
        }
    }

    /// A number of bytes such as `64MiB` within `range`, else `default`.
    pub(super) fn size(&mut self, key: &'static str, default: usize, range: std::ops::RangeInclusive<usize>) -> usize {
        let Some(size) = self.parsed::<bytesize::ByteSize>(key, "a size; write 64MiB") else { return default };
        let words = |size: usize| bytesize::ByteSize(size as u64);
        match usize::try_from(size.as_u64()) {
            Ok(size) if range.contains(&size) => size,
            _ => {
                self.problem(
                    key,
                    format!("{size} is not between {} and {}", words(*range.start()), words(*range.end())),
                );
                default
            }
        }
    }

    /// A list of texts. One text is split at commas, as it comes from the environment.
    pub(super) fn list(&mut self, key: &'static str) -> Option<Vec<String>> {
        let value = self.take(key)?;
        let items = match value.kind {
            ValueKind::String(text) => {
                return Some(
                    text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect(),
                );
            }
            ValueKind::Array(items) => items,
            _ => {
                self.problem(key, "expected a list of texts");
                return None;
            }
        };
        let mut texts = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            match item.kind {
                ValueKind::String(text) => texts.push(text),
                _ => self.problem(&format!("{key}[{index}]"), "expected text"),
            }
        }
        Some(texts)
    }

    /// The keys that may stand in it, as far as they have been asked for.
    pub(super) fn known(&self) -> String {
        let mut known = self.known.clone();
        known.sort_unstable();
        known.join(", ")
    }

    /// Notes every key that nobody took.
    pub(super) fn done(mut self) {
        let known = self.known();
        for (_, item) in self.rest() {
            item.problem(format!("unknown key; known here: {known}"));
        }
    }
}

/// Whether `name` can name a source, feed or device: it is shown in URLs' file names, logs and on the command line.
pub fn is_name(name: &str) -> bool {
    let fits = (1..=64).contains(&name.chars().count());
    fits && name.chars().all(|char| char.is_alphanumeric() || matches!(char, '-' | '_'))
}
