//! What is said, in every language that it is said in. What stands in braces is filled in.

mod chinese;
mod english;

use std::borrow::Cow;

use super::finding::{Check, Kind, Severity};
use crate::source::FetchError;

pub use crate::language::Language;

/// What is said of a finding, and what to do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text {
    pub(super) words: &'static str,
    pub(super) fix: &'static str,
}

impl From<(&'static str, &'static str)> for Text {
    fn from((words, fix): (&'static str, &'static str)) -> Self {
        Self { words, fix }
    }
}

/// The same of a fetch that failed.
#[derive(Debug)]
pub(super) struct FetchText {
    pub(super) words: Cow<'static, str>,
    pub(super) fix: &'static str,
}

pub(super) fn text(kind: Kind, language: Language) -> Text {
    match language {
        Language::English => english::text(kind).into(),
        Language::Chinese => chinese::text(kind).into(),
    }
}

pub(super) fn fetch(error: &FetchError, language: Language) -> FetchText {
    match language {
        Language::English => FetchText { words: Cow::Owned(error.to_string()), fix: error.advice() },
        Language::Chinese => {
            let (words, fix) = chinese::fetch(error);
            FetchText { words, fix }
        }
    }
}

/// Why a fetch brought no calendar, and what to do.
pub fn fetch_words(error: &FetchError, language: Language) -> String {
    let FetchText { words, fix } = fetch(error, language);
    match language {
        Language::English => format!("{words}. {fix}"),
        Language::Chinese => format!("{words}。{fix}"),
    }
}

pub(super) fn check(check: Check, language: Language) -> &'static str {
    match language {
        Language::English => english::check(check),
        Language::Chinese => chinese::check(check),
    }
}

pub(super) fn comma(language: Language) -> &'static str {
    match language {
        Language::English => ", ",
        Language::Chinese => "、",
    }
}

/// The word before what is told a person.
pub fn heading(severity: Severity, language: Language) -> &'static str {
    match (language, severity) {
        (Language::English, _) => severity.as_str(),
        (Language::Chinese, Severity::Ok) => "正常",
        (Language::Chinese, Severity::Note) => "提示",
        (Language::Chinese, Severity::Warning) => "警告",
        (Language::Chinese, Severity::Error) => "错误",
    }
}

/// The word before what to do.
pub fn fix_heading(language: Language) -> &'static str {
    match language {
        Language::English => "fix: ",
        Language::Chinese => "办法：",
    }
}

/// The last line.
pub fn summary(errors: usize, warnings: usize, language: Language) -> String {
    match (language, errors, warnings) {
        (Language::English, 0, 0) => "nothing is wrong".to_owned(),
        (Language::Chinese, 0, 0) => "一切正常".to_owned(),
        (Language::English, ..) => format!("errors: {errors}, warnings: {warnings}"),
        (Language::Chinese, ..) => format!("错误 {errors} 项，警告 {warnings} 项"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// What stands in braces, a part's fix counting as the part.
    fn marks(text: Text) -> BTreeSet<String> {
        let all = format!("{} {}", text.words, text.fix);
        let inside = all.split('{').skip(1).filter_map(|rest| rest.split('}').next());
        inside.map(|mark| mark.trim_end_matches(".fix").to_owned()).collect()
    }

    #[test]
    fn both_languages_say_everything_and_fill_in_the_same() {
        let is_han = |char: char| ('\u{4e00}'..='\u{9fff}').contains(&char);
        let mut said = BTreeSet::new();
        for kind in Kind::ALL {
            let [english, chinese] = [Language::English, Language::Chinese].map(|language| text(*kind, language));
            let name = kind.name();
            assert!(!english.words.is_empty() && english.words.is_ascii(), "{name}");
            assert!(chinese.words.chars().any(is_han), "{name}");
            assert_eq!(marks(english), marks(chinese), "{name}");
            assert_eq!(english.fix.is_empty(), chinese.fix.is_empty(), "{name}");
            assert!(english.fix.is_ascii() && !english.fix.contains("  "), "{name}");
            if kind.severity() >= Severity::Warning {
                // A source's fix is that of its error, which a `match` without a way around has words for.
                let fixed = chinese.fix.chars().any(is_han) || chinese.fix == "{error.fix}";
                assert!(!english.fix.is_empty() && fixed, "{name}");
            }
            assert!(said.insert(name) && said.insert(english.words) && said.insert(chinese.words), "{name}");
        }
    }

    #[test]
    fn a_locale_has_its_language() {
        for (locale, language) in [
            ("zh_CN.UTF-8", Language::Chinese),
            ("zh-Hans", Language::Chinese),
            ("ZH", Language::Chinese),
            ("C.UTF-8", Language::English),
            ("de_DE", Language::English),
            ("", Language::English),
        ] {
            assert_eq!(Language::of_locale(locale), language, "{locale}");
        }
    }
}
