//! Times and sizes in words.

use maud::{Markup, html};

use crate::page::Language;

/// `message` with a number in the place of `count`.
pub(super) fn counted(language: Language, message: &str, count: u64) -> String {
    language.say_of(message, &[("count", count.into())])
}

/// The largest whole unit of `seconds`, with the end of its message's name.
fn unit(seconds: u64) -> (&'static str, u64) {
    match seconds / 60 {
        0 => ("moments", 0),
        minutes @ 1..60 => ("minutes", minutes),
        minutes @ 60..1440 => ("hours", minutes / 60),
        minutes => ("days", minutes / 1440),
    }
}

/// `3 minutes ago`.
pub(super) fn ago(language: Language, seconds: u64) -> String {
    let (unit, count) = unit(seconds);
    counted(language, &format!("{unit}-ago"), count)
}

/// `in 3 minutes`.
pub(super) fn ahead(language: Language, seconds: u64) -> String {
    let (unit, count) = unit(seconds);
    counted(language, &format!("in-{unit}"), count)
}

/// `words` for the moment `at`, with the moment itself for who wants it exactly.
pub(super) fn time(words: &str, at: &str) -> Markup {
    html! { time datetime=(at) title=(at) { (words) } }
}

/// `1.2 MB`.
pub(super) fn size(bytes: u64) -> String {
    let (mut unit, mut tenths) = ("B", bytes.saturating_mul(10));
    for larger in ["kB", "MB", "GB", "TB"] {
        if tenths < 10_000 {
            break;
        }
        (unit, tenths) = (larger, tenths / 1000);
    }
    let (whole, rest) = (tenths / 10, tenths % 10);
    if unit == "B" || whole >= 100 || rest == 0 { format!("{whole} {unit}") } else { format!("{whole}.{rest} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_short() {
        for (bytes, words) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1 kB"),
            (1234, "1.2 kB"),
            (123_456, "123 kB"),
            (2_500_000_000, "2.5 GB"),
        ] {
            assert_eq!(size(bytes), words);
        }
        assert_eq!(ago(Language::English, 59), "just now");
        assert_eq!(ahead(Language::English, 3_600), "in one hour");
        assert_eq!(ahead(Language::Chinese, 180), "3 分钟后");
    }
}
