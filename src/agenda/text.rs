//! What is shown of an event.

use crate::feed::html_to_text;

/// `text` without what stands behind `most` bytes; a mark shows that something did.
pub(super) fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
    }
    text
}

/// A description as plain text, at most about `most` bytes of it.
pub(super) fn notes(description: &str, most: usize) -> String {
    // What cannot be shown need not be understood: tags take several times the room of their text at most.
    let end = description.floor_char_boundary(most.saturating_mul(8).min(description.len()));
    let description = description.get(..end).unwrap_or_default();
    let plain = html_to_text(description).unwrap_or_else(|| description.to_owned());
    cut(plain.trim().to_owned(), most)
}

/// `address` if it leads to a web page, as a parser of URLs writes it; nothing that could run in the page.
pub(super) fn web_address(address: &str) -> Option<String> {
    let url = url::Url::parse(address).ok()?;
    let web = matches!(url.scheme(), "http" | "https") && url.host_str().is_some();
    (web && address.len() <= 2048).then(|| url.into())
}

/// `#RRGGBB` of a colour as Apple writes it, with or without its opacity.
pub(super) fn colour(written: &str) -> Option<String> {
    let digits = written.strip_prefix('#')?;
    let plain = matches!(digits.len(), 6 | 8) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain.then(|| digits.get(..6)).flatten().map(|digits| format!("#{}", digits.to_ascii_lowercase()))
}
