//! One value of the settings with its path: for keys that take a text, or a list, or a table.

use std::fmt::Display;
use std::rc::Rc;

use config::{FileFormat, Format, Map, Value, ValueKind};

use super::Problem;
use super::section::{Found, Section};

/// A value, and where it is.
#[derive(Debug, Clone)]
pub(super) struct Item {
    path: String,
    value: Value,
    found: Found,
}

impl Item {
    pub(super) fn new(path: String, value: Value, found: &Found) -> Self {
        Self { path, value, found: Rc::clone(found) }
    }

    /// Notes a problem with it.
    pub(super) fn problem(&self, message: impl Display) {
        self.found.borrow_mut().push(Problem { path: self.path.clone(), message: message.to_string() });
    }

    /// Says what is wrong, if something is.
    pub(super) fn note<T>(&self, result: Result<T, impl Display>) -> Option<T> {
        result.map_err(|message| self.problem(message)).ok()
    }

    /// The last part of its path: `summary`.
    pub(super) fn key(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or_default()
    }

    pub(super) fn is_table(&self) -> bool {
        matches!(self.value.kind, ValueKind::Table(_))
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self.value.kind, ValueKind::Array(_))
    }

    pub(super) fn is_empty_list(&self) -> bool {
        matches!(&self.value.kind, ValueKind::Array(values) if values.is_empty())
    }

    /// It as text. Numbers and yes or no may stand without quotes.
    pub(super) fn text(&self) -> Option<String> {
        let text = scalar(&self.value);
        if text.is_none() {
            self.problem("expected text");
        }
        text
    }

    /// Yes or no.
    pub(super) fn flag(&self) -> Option<bool> {
        let flag = scalar(&self.value).and_then(|text| text.parse().ok());
        if flag.is_none() {
            self.problem("expected true or false");
        }
        flag
    }

    /// A list's items; else it alone. A list must have some.
    pub(super) fn each(self) -> Vec<Self> {
        let ValueKind::Array(values) = self.value.kind else { return vec![self] };
        if values.is_empty() {
            self.found.borrow_mut().push(Problem {
                path: self.path,
                message: "the list is empty; put something into it, or leave the key out".into(),
            });
            return Vec::new();
        }
        let items = values.into_iter().enumerate();
        items.map(|(index, value)| Self::new(format!("{}[{index}]", self.path), value, &self.found)).collect()
    }

    /// As [`Self::each`], and one text is split at commas.
    pub(super) fn each_word(self) -> Vec<Self> {
        if let ValueKind::String(text) = &self.value.kind
            && text.contains(',')
        {
            let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
            return words.map(|word| Self::new(self.path.clone(), word.into(), &self.found)).collect();
        }
        self.each()
    }

    /// It as a table; an empty one if it is none.
    pub(super) fn section(self) -> Section {
        if !self.is_table() {
            self.problem("expected a table");
        }
        let table = if let ValueKind::Table(table) = self.value.kind { table } else { Map::new() };
        Section::new(self.path, table, &self.found)
    }

    /// What is written as TOML in a text, as lists of tables come from the environment.
    pub(super) fn unpacked(mut self) -> Option<Self> {
        if let ValueKind::String(text) = &self.value.kind {
            let table = FileFormat::Toml.parse(None, &format!("value = {text}")).ok();
            let value = table.and_then(|mut table| table.remove("value"));
            self.value = self.note(value.ok_or("expected a list of tables, as TOML has it"))?;
        }
        Some(self)
    }
}

fn scalar(value: &Value) -> Option<String> {
    match &value.kind {
        ValueKind::String(text) => Some(text.clone()),
        ValueKind::I64(number) => Some(number.to_string()),
        ValueKind::U64(number) => Some(number.to_string()),
        ValueKind::Boolean(yes) => Some(yes.to_string()),
        _ => None,
    }
}

/// Writes `value` so that two values that mean the same are the same, and no others: every part with its length, tables
/// by the order of their keys.
pub(super) fn canonical(value: &Value, out: &mut Vec<u8>) {
    let mut sized = |mark: u8, length: usize| {
        out.push(mark);
        out.extend_from_slice(&(length as u64).to_le_bytes());
    };
    match &value.kind {
        ValueKind::Table(table) => {
            sized(b't', table.len());
            let mut keys: Vec<_> = table.iter().collect();
            keys.sort_unstable_by_key(|(key, _)| *key);
            for (key, value) in keys {
                canonical(&key.as_str().into(), out);
                canonical(value, out);
            }
        }
        ValueKind::Array(values) => {
            sized(b'l', values.len());
            for value in values {
                canonical(value, out);
            }
        }
        other => {
            let text = scalar(value).unwrap_or_else(|| other.to_string());
            sized(b's', text.len());
            out.extend_from_slice(text.as_bytes());
        }
    }
}
