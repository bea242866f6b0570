//! Which language to speak.

use clap::ValueEnum;

use crate::doctor::Language;

/// As `--lang` has it.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Lang {
    /// English.
    En,
    /// 简体中文.
    Zh,
}

/// The one that is asked for, else the one of the environment.
pub(super) fn language(asked: Option<Lang>) -> Language {
    match asked {
        Some(Lang::En) => Language::English,
        Some(Lang::Zh) => Language::Chinese,
        None => {
            let said = |name| std::env::var(name).ok().filter(|locale| !locale.is_empty());
            let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(said);
            Language::of_locale(&locale.unwrap_or_default())
        }
    }
}
