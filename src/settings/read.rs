//! Finding and parsing what was written.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use config::{Config, Environment, File, FileFormat, Map, Value};

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

/// One table of everything: the file, over it the environment, over it the command line.
pub(super) fn table(
    origin: &Origin,
    given: &Given,
    environment: &[(String, String)],
) -> Result<Map<String, Value>, Problems> {
    let mut builder = Config::builder();
    let file = match origin {
        Origin::File(path) => Some((path, text(path)?)),
        Origin::Nothing => None,
    };
    if let Some((_, text)) = &file {
        builder = builder.add_source(File::from_str(text, FileFormat::Toml));
    }
    let variables: HashMap<_, _> = environment.iter().cloned().collect();
    let environment = Environment::with_prefix("CALFERRY")
        .prefix_separator("__")
        .separator("__")
        .ignore_empty(true)
        .source(Some(variables));
    builder = builder.add_source(environment);
    let refused =
        |error: &config::ConfigError| Problems(vec![Problem { path: String::new(), message: refusal(error) }]);
    for (key, value) in &given.0 {
        builder = builder.set_override(*key, value.clone()).map_err(|error| refused(&error))?;
    }
    let config = builder.build().map_err(|error| {
        let place = file.as_ref().and_then(|(path, text)| broken(path, text));
        place.unwrap_or_else(|| refused(&error))
    })?;
    config.cache.into_table().map_err(|error| refused(&error))
}

fn text(path: &Path) -> Result<String, Problems> {
    std::fs::read_to_string(path).map_err(|error| of_file(path, format!("cannot be read: {error}")))
}

/// Where `text` is no TOML. Parsed anew, since the words that come with the first try quote the line they speak of, and
/// that line may hold a secret.
fn broken(path: &Path, text: &str) -> Option<Problems> {
    let error = toml::de::DeTable::parse(text).err()?;
    let at = error.span().map_or(0, |span| span.start);
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
    Some(of_file(path, format!("line {line}, column {column}: {}", error.message())))
}

fn of_file(path: &Path, message: String) -> Problems {
    Problems(vec![Problem { path: path.display().to_string(), message }])
}

/// What can still go wrong names keys, never values.
fn refusal(error: &config::ConfigError) -> String {
    match error {
        config::ConfigError::PathParse { .. } => "a key holds a character that keys cannot have".into(),
        config::ConfigError::Type { key, expected, .. } => {
            format!("{}: expected {expected}", key.as_deref().unwrap_or("the settings"))
        }
        _ => {
            "the settings cannot be read as tables and keys; is an environment variable both a key and a table?".into()
        }
    }
}
