//! Questions on standard error, answers from standard input.

use std::io::{BufRead, Write};

use anyhow::bail;

use super::words::{Say, words};
use crate::doctor::Language;

/// Whom to ask, if anybody.
pub(super) struct Asker {
    pub(super) language: Language,
    /// Nobody is to be asked.
    pub(super) silent: bool,
}

impl Asker {
    /// Says something.
    pub(super) fn say(&self, say: Say, details: &[(&str, &str)]) {
        eprintln!("{}", words(say, self.language, details));
    }

    /// Asks until `read` has nothing against the answer. An empty answer is `default`. The answer is not repeated.
    pub(super) fn ask<T>(
        &self,
        question: Say,
        default: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> anyhow::Result<T> {
        loop {
            let answer = self.line(question, default)?;
            match read(if answer.is_empty() { default } else { &answer }) {
                Ok(value) => return Ok(value),
                Err(wrong) => eprintln!("{wrong}"),
            }
        }
    }

    /// Asks for yes or no; what is neither is no.
    pub(super) fn agree(&self, question: Say) -> anyhow::Result<bool> {
        let no = if self.language == Language::Chinese { "否" } else { "no" };
        let answer = self.line(question, no)?;
        Ok(["y", "yes", "是", "是的", "好"].contains(&answer.to_lowercase().as_str()))
    }

    fn line(&self, question: Say, default: &str) -> anyhow::Result<String> {
        let question = words(question, self.language, &[]);
        let mut err = std::io::stderr().lock();
        if default.is_empty() {
            write!(err, "{question}\n> ")?;
        } else {
            write!(err, "{question} [{default}]\n> ")?;
        }
        err.flush()?;
        drop(err);
        let mut answer = String::new();
        if std::io::stdin().lock().read_line(&mut answer)? == 0 {
            bail!(words(Say::NoAnswer, self.language, &[]));
        }
        Ok(answer.trim().to_owned())
    }
}
