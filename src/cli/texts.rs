//! What commands say, in both languages side by side: how such a table is made, and that it is whole.

/// A table of what can be said, as an enum `Say`, each with its English and its Chinese text. `words` fills in what stands
/// in braces.
macro_rules! texts {
    ($($name:ident: $english:literal, $chinese:literal;)*) => {
        /// Something to say.
        #[derive(Debug, Clone, Copy)]
        pub(in crate::cli) enum Say {
            $($name,)*
        }

        impl Say {
            fn pair(self) -> (&'static str, &'static str) {
                match self {
                    $(Self::$name => ($english, $chinese),)*
                }
            }
        }

        /// `say` in `language`, with `details` in the place of their names.
        pub(in crate::cli) fn words(say: Say, language: crate::doctor::Language, details: &[(&str, &str)]) -> String {
            let (english, chinese) = say.pair();
            let text = if language == crate::doctor::Language::Chinese { chinese } else { english };
            details.iter().fold(text.to_owned(), |text, (name, detail)| text.replace(&format!("{{{name}}}"), detail))
        }

        #[cfg(test)]
        #[test]
        fn both_languages_say_everything_and_fill_in_the_same() {
            crate::cli::texts::check(&[$((stringify!($name), $english, $chinese)),*]);
        }
    };
}

pub(super) use texts;

#[cfg(test)]
pub(super) fn has_han(text: &str) -> bool {
    text.chars().any(|char| ('\u{4e00}'..='\u{9fff}').contains(&char))
}

/// What no table may get wrong.
#[cfg(test)]
pub(super) fn check(table: &[(&'static str, &'static str, &'static str)]) {
    use std::collections::BTreeSet;

    let marks = |text: &'static str| -> BTreeSet<_> {
        text.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect()
    };
    let mut said = BTreeSet::new();
    for &(name, english, chinese) in table {
        assert!(!english.is_empty() && english.is_ascii(), "{name}");
        assert!(has_han(chinese), "{name}");
        assert_eq!(marks(english), marks(chinese), "{name}");
        assert_eq!(english.lines().count(), chinese.lines().count(), "{name}");
        assert!(said.insert(english) && said.insert(chinese), "{name}");
    }
}
