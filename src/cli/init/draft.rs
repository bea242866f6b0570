//! The settings as far as they are known, and the files they become.

use std::path::{Path, PathBuf};

use anyhow::bail;
use toml_edit::{Array, Key, Value};

use super::super::{environment, private};
use super::words::{Say, words};
use crate::doctor::Language;
use crate::settings::{Given, Origin, Problems, Settings};
use crate::source::Address;

/// What is known. The address is a secret: nothing of this is ever shown.
pub(super) struct Draft {
    /// As it was pasted.
    pub(super) pasted: String,
    pub(super) address: Address,
    pub(super) allow_private: bool,
    pub(super) state_dir: Option<String>,
    /// Of the source and the feed alike.
    pub(super) name: String,
    pub(super) title: Option<String>,
    pub(super) public_url: Option<String>,
    pub(super) devices: Vec<String>,
}

impl Draft {
    /// With a source and nothing else.
    pub(super) fn of(pasted: String, address: Address) -> Self {
        let devices = vec!["phone".to_owned()];
        let name = "calendar".to_owned();
        Self { pasted, address, name, devices, allow_private: false, state_dir: None, title: None, public_url: None }
    }

    /// The file of the secret address, beside the settings.
    pub(super) fn secret_file(&self, settings: &Path) -> PathBuf {
        settings.with_file_name(format!("{}.url", self.name))
    }

    /// What the settings mean, read from a place of their own.
    pub(super) fn settings(&self) -> anyhow::Result<Result<Settings, Problems>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("calferry.toml");
        private::write(&self.secret_file(&path), self.secret().as_bytes(), false, Language::English)?;
        private::write(&path, self.text(Language::English).as_bytes(), false, Language::English)?;
        Ok(Settings::load(&Origin::File(path), &Given::default(), &environment()))
    }

    /// Writes both files, or neither.
    pub(super) fn write(&self, settings: &Path, language: Language) -> anyhow::Result<()> {
        let secret = self.secret_file(settings);
        for path in [settings, &secret] {
            if path.symlink_metadata().is_ok() {
                bail!(words(Say::Exists, language, &[("path", &path.display().to_string())]));
            }
        }
        private::write(&secret, self.secret().as_bytes(), false, language)?;
        private::write(settings, self.text(language).as_bytes(), false, language).inspect_err(|_| {
            // It is of no use alone, and would be in the way of the next try. If it cannot go, the next try says so.
            let _ = std::fs::remove_file(&secret);
        })
    }

    fn secret(&self) -> String {
        format!("{}\n", self.pasted)
    }

    fn text(&self, language: Language) -> String {
        let comment = |say| format!("# {}\n", words(say, language, &[]).replace('\n', "\n# "));
        let quoted = |text: &str| Value::from(text).to_string();
        let name = Key::new(&self.name).to_string();
        let mut text = comment(Say::FileHead) + "\n" + &comment(Say::FilePublicUrl);
        text += &match &self.public_url {
            Some(url) => format!("public_url = {}\n", quoted(url)),
            None => "# public_url = \"https://cal.example.com\"\n".to_owned(),
        };
        if let Some(dir) = &self.state_dir {
            text += &format!("\n{}state_dir = {}\n", comment(Say::FileState), quoted(dir));
        }
        text += &format!("\n{}[source.{name}]\n", comment(Say::FileSource));
        text += &format!("url_file = {}\n", quoted(&format!("{}.url", self.name)));
        if self.allow_private {
            text += "allow_private = true\n";
        } else if ![80, 443].contains(&self.address.port()) {
            text += &format!("ports = [{}]\n", self.address.port());
        }
        let list = |names: &[String]| Value::Array(names.iter().map(String::as_str).collect::<Array>()).to_string();
        text += &format!("\n{}[feed.{name}]\n", comment(Say::FileFeed));
        if let Some(title) = &self.title {
            text += &format!("name = {}\n", quoted(title));
        }
        text += &format!("sources = {}\n", list(std::slice::from_ref(&self.name)));
        text + &format!("devices = {}\n", list(&self.devices))
    }
}
