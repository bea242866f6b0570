//! Finding and parsing what was written.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use config::{Config, ConfigError, Environment, FileFormat, Format, Map, Source, Value, ValueKind};

use super::{Problem, Problems};

/// Where settings are read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A file.
    File(PathBuf),
    /// No file: the command line and the environment only.
    Nothing,
}

impl Origin {
    /// Where a file is looked for if none is named.
    pub const USUAL: [&str; 2] = ["calferry.toml", "/etc/calferry/calferry.toml"];

    /// The file named on the command line, or the first of the usual ones that is there.
    pub fn find(named: Option<PathBuf>) -> Self {
        let found = named.or_else(|| Self::USUAL.map(PathBuf::from).into_iter().find(|path| path.exists()));
        found.map_or(Self::Nothing, Self::File)
    }

    /// What relative paths in the settings are relative to.
    pub(super) fn folder(&self) -> PathBuf {
        match self {
            Self::File(path) => path.parent().unwrap_or(Path::new("")).to_owned(),
            Self::Nothing => PathBuf::new(),
        }
    }
}

/// What the command line gives, by the path of the key it stands for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given(pub Vec<(&'static str, String)>);

/// What was written.
pub(super) struct Written<'a> {
    /// One table of everything: the file, over it the environment, over it the command line.
    pub(super) table: Map<String, Value>,
    /// The file, if secrets stand in it.
    pub(super) secrets_in: Option<&'a Path>,
}

/// Reads it all.
pub(super) fn table<'a>(
    origin: &'a Origin,
    given: &Given,
    environment: &[(String, String)],
) -> Result<Written<'a>, Problems> {
    let refused = |error: &ConfigError| Problems(vec![Problem { path: String::new(), message: refusal(error) }]);
    let (file, secrets_in) = match origin {
        Origin::File(path) => {
            let file = parsed(path)?;
            let secrets_in = holds_secrets(&file).then_some(path.as_path());
            (file, secrets_in)
        }
        Origin::Nothing => (Map::new(), None),
    };
    let mut all = Value::from(file);
    let variables: HashMap<_, _> = environment.iter().cloned().collect();
    let environment = Environment::with_prefix("CALFERRY")
        .prefix_separator("__")
        .separator("__")
        .ignore_empty(true)
        .source(Some(variables));
    // Into the file's own table: a file among the sources of a `Config` is copied once for each table around a key.
    environment.collect_to(&mut all).map_err(|error| refused(&error))?;
    let mut builder = Config::builder();
    for (key, value) in &given.0 {
        builder = builder.set_override(*key, value.clone()).map_err(|error| refused(&error))?;
    }
    let given = builder.build().and_then(|given| given.collect_to(&mut all));
    let table = given.and_then(|()| all.into_table()).map_err(|error| refused(&error))?;
    Ok(Written { table, secrets_in })
}

/// Whether a secret stands in the file itself: a source's address, the hash of a password, a way with a password.
fn holds_secrets(file: &Map<String, Value>) -> bool {
    let section = |name| file.get(name).and_then(table_of);
    let sources: Vec<_> = section("source").into_iter().flat_map(Map::values).filter_map(table_of).collect();
    let mut ways = section("fetch").into_iter().chain(sources.iter().copied()).filter_map(|table| table.get("egress"));
    sources.iter().any(|source| source.contains_key("url"))
        || section("server").is_some_and(|server| server.contains_key("admin_password"))
        || ways.any(has_password)
}

fn table_of(value: &Value) -> Option<&Map<String, Value>> {
    match &value.kind {
        ValueKind::Table(table) => Some(table),
        _ => None,
    }
}

fn has_password(ways: &Value) -> bool {
    match &ways.kind {
        ValueKind::String(way) => way.contains('@'),
        ValueKind::Array(ways) => ways.iter().any(has_password),
        _ => false,
    }
}

/// The file's table.
fn parsed(path: &Path) -> Result<Map<String, Value>, Problems> {
    let text = std::fs::read_to_string(path).map_err(|error| of_file(path, format!("cannot be read: {error}")))?;
    FileFormat::Toml.parse(None, &text).map_err(|_| broken(path, &text))
}

/// Where `text` is no TOML. Parsed anew, since the words that come with the first try quote the line they speak of, and
/// that line may hold a secret.
fn broken(path: &Path, text: &str) -> Problems {
    let Err(error) = toml::de::DeTable::parse(text) else {
        return of_file(path, "a number in it is too large".into());
    };
    let at = error.span().map_or(0, |span| span.start);
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
    of_file(path, format!("line {line}, column {column}: {}", error.message()))
}

fn of_file(path: &Path, message: String) -> Problems {
    Problems(vec![Problem { path: path.display().to_string(), message }])
}

/// What can still go wrong names keys, never values.
fn refusal(error: &ConfigError) -> String {
    match error {
        ConfigError::PathParse { .. } => "a key holds a character that keys cannot have".into(),
        ConfigError::Type { key, expected, .. } => {
            format!("{}: expected {expected}", key.as_deref().unwrap_or("the settings"))
        }
        _ => {
            "the settings cannot be read as tables and keys; is an environment variable both a key and a table?".into()
        }
    }
}
