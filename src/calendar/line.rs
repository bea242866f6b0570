//! One content line: its name, folding and escaping (RFC 5545 §3.1, §3.3.11).

use std::borrow::Cow;

use super::spans::{Calendar, Line};

/// The bytes of a name: looked up, since every line of every feed comes by here.
const IN_NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(
            clippy::indexing_slicing,
            clippy::cast_possible_truncation,
            reason = "bounded by the loop, and constant"
        )]
        {
            table[byte] = (byte as u8).is_ascii_alphanumeric() || matches!(byte as u8, b'-' | b'_' | b'.');
        }
        byte += 1;
    }
    table
};

/// Where the name of `line` ends, if `line` is a content line: a name of letters, digits and `-`, parameters with
/// balanced quotes, and a colon. Names with `_` and `.` are wrong and are written all the same; every reader takes them.
///
/// `line` is unfolded, or its fold lies behind the name's end; a quote or colon may be on any physical line.
pub(super) fn name_end(line: &[u8]) -> Option<usize> {
    let end = line.iter().position(|&byte| !IN_NAME.get(usize::from(byte)).copied().unwrap_or(false))?;
    match line.get(end) {
        Some(b':') if end > 0 => Some(end),
        Some(b';') if end > 0 => value_start(line, end).map(|_| end),
        _ => None,
    }
}

/// Where the value begins: behind the first colon outside quotes, at or after `name_end`.
pub(super) fn value_start(line: &[u8], name_end: usize) -> Option<usize> {
    let mut quoted = false;
    for at in memchr::memchr2_iter(b':', b'"', line.get(name_end..)?) {
        match line.get(name_end + at) {
            Some(b'"') => quoted = !quoted,
            _ if !quoted => return Some(name_end + at + 1),
            _ => {}
        }
    }
    None
}

/// A content line without its folds, in its parts.
#[derive(Debug, Clone)]
pub struct ContentLine<'text> {
    unfolded: Cow<'text, [u8]>,
    name_end: usize,
    value_start: usize,
}

impl<'text> ContentLine<'text> {
    /// The parts of `line`. A line that is no content line has an empty name, and everything in its value.
    pub fn of(calendar: &Calendar<'text>, line: &Line) -> Self {
        let unfolded = unfold(calendar.raw(line));
        let name_end = name_end(&unfolded).unwrap_or(0);
        let value_start = value_start(&unfolded, name_end).filter(|_| name_end > 0).unwrap_or(0);
        Self { unfolded, name_end, value_start }
    }

    /// The line of `head`, its name and parameters, and `value`.
    pub fn new(head: &[u8], value: &[u8]) -> ContentLine<'static> {
        let name_end = head.iter().position(|byte| *byte == b';').unwrap_or(head.len());
        ContentLine { unfolded: Cow::Owned([head, b":", value].concat()), name_end, value_start: head.len() + 1 }
    }

    /// The same, by itself.
    pub fn into_owned(self) -> ContentLine<'static> {
        ContentLine {
            unfolded: Cow::Owned(self.unfolded.into_owned()),
            name_end: self.name_end,
            value_start: self.value_start,
        }
    }

    /// The property's name as it is written.
    pub fn name(&self) -> &[u8] {
        self.unfolded.get(..self.name_end).unwrap_or_default()
    }

    /// The line, unfolded.
    pub fn whole(&self) -> &[u8] {
        &self.unfolded
    }

    /// Name and parameters: everything before the colon.
    pub fn head(&self) -> &[u8] {
        self.unfolded.get(..self.value_start.saturating_sub(1)).unwrap_or_default()
    }

    /// The value, escaped as it is.
    pub fn value(&self) -> &[u8] {
        self.unfolded.get(self.value_start..).unwrap_or_default()
    }

    /// The value as text. What is not UTF-8 becomes U+FFFD: for looking at, not for writing back.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.value())
    }

    /// The parameters in their order, each with its name and its values as they are written, quotes included.
    pub fn parameters(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = self.head().get(self.name_end..).unwrap_or_default();
        std::iter::from_fn(move || {
            rest = rest.strip_prefix(b";")?;
            let mut quoted = false;
            let end = rest.iter().position(|byte| {
                quoted ^= *byte == b'"';
                *byte == b';' && !quoted
            });
            let (parameter, behind) = rest.split_at(end.unwrap_or(rest.len()));
            rest = behind;
            let equals = memchr::memchr(b'=', parameter).unwrap_or(parameter.len());
            let (name, value) = parameter.split_at(equals);
            Some((name, value.strip_prefix(b"=").unwrap_or_default()))
        })
    }

    /// The value of the parameter `name`, without the quotes around it.
    pub fn parameter(&self, name: &str) -> Option<&[u8]> {
        let (_, value) = self.parameters().find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()))?;
        let unquoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
        Some(unquoted.unwrap_or(value))
    }
}

/// Takes the folds out of a raw logical line, on bytes, before anything is decoded (RFC 5545 §3.1).
pub fn unfold(raw: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\n', raw).is_none() {
        return Cow::Borrowed(raw);
    }
    let mut out = Vec::with_capacity(raw.len());
    let mut from = 0;
    for newline in memchr::memchr_iter(b'\n', raw) {
        out.extend_from_slice(trim_returns(raw.get(from..newline).unwrap_or_default()));
        // The space or tab that a fold begins with goes, too.
        from = newline + 2;
    }
    out.extend_from_slice(raw.get(from..).unwrap_or_default());
    Cow::Owned(out)
}

/// Without the CRs at the end: text that was converted twice has two before every LF.
pub(super) fn trim_returns(mut line: &[u8]) -> &[u8] {
    while let Some(shorter) = line.strip_suffix(b"\r") {
        line = shorter;
    }
    line
}

/// Longest physical line in octets, without its CRLF (RFC 5545 §3.1).
const FOLD_AT: usize = 75;

/// Appends `line` folded at 75 octets, never inside a UTF-8 character: Thunderbird decodes before it unfolds, and
/// Google ignores the whole file. Ends with CRLF.
pub fn fold(line: &[u8], out: &mut Vec<u8>) {
    let mut rest = line;
    let mut room = FOLD_AT;
    while rest.len() > room {
        let mut cut = room;
        while cut > 1 && rest.get(cut).is_some_and(|byte| byte & 0xC0 == 0x80) && room - cut < 3 {
            cut -= 1;
        }
        let (head, tail) = rest.split_at(cut);
        out.extend_from_slice(head);
        out.extend_from_slice(b"\r\n ");
        rest = tail;
        room = FOLD_AT - 1;
    }
    out.extend_from_slice(rest);
    out.extend_from_slice(b"\r\n");
}

/// As [`fold`], of a line in parts.
pub fn fold_parts(parts: &[&[u8]], out: &mut Vec<u8>) {
    if parts.iter().map(|part| part.len()).sum::<usize>() > FOLD_AT {
        return fold(&parts.concat(), out);
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends the property line `name:value`, folded, with CRLF. `value` is in its final, escaped form.
pub fn push_line(name: &str, value: &str, out: &mut Vec<u8>) {
    fold_parts(&[name.as_bytes(), b":", value.as_bytes()], out);
}

/// A parameter's value, in quotes if it needs them (RFC 5545 §3.2). It must hold no quote of its own.
pub fn quote_parameter(value: &str) -> Cow<'_, str> {
    if value.contains([';', ':', ',']) { format!("\"{value}\"").into() } else { value.into() }
}

/// A TEXT value (RFC 5545 §3.3.11) for any string: line breaks become `\n`, other control characters are left out,
/// so no text can begin a new line or component.
pub fn escape_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    escape_text_to(text, &mut out);
    out
}

/// As [`escape_text`], behind what `out` holds.
pub fn escape_text_to(text: &str, out: &mut String) {
    // Nearly always there is nothing to escape. 0xC2 and 0xE2 begin the line ends of Unicode, and much else.
    let special = |byte: &u8| matches!(byte, b'\\' | b';' | b',' | 0..=0x1F | 0x7F | 0xC2 | 0xE2);
    let plain = text.as_bytes().iter().position(special).unwrap_or(text.len());
    let (plain, rest) = text.split_at(text.floor_char_boundary(plain));
    out.push_str(plain);
    let mut rest = rest.chars().peekable();
    while let Some(char) = rest.next() {
        match char {
            '\\' | ';' | ',' => {
                out.push('\\');
                out.push(char);
            }
            '\r' => {
                rest.next_if_eq(&'\n');
                out.push_str("\\n");
            }
            // U+2028, U+2029 and U+0085 end a line for readers that split text by Unicode's rules.
            '\n' | '\u{2028}' | '\u{2029}' | '\u{85}' => out.push_str("\\n"),
            '\t' => out.push('\t'),
            char if char.is_control() => {}
            char => out.push(char),
        }
    }
}

/// The text that a TEXT value stands for. Unknown escapes keep their backslash.
pub fn unescape_text(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        let (plain, escape) = rest.split_at(at);
        out.push_str(plain);
        let mut chars = escape.chars();
        chars.next();
        match chars.next() {
            Some('n' | 'N') => out.push('\n'),
            Some(escaped @ ('\\' | ';' | ',')) => out.push(escaped),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_colon_inside_quotes_does_not_start_the_value() {
        let line = br#"ATTENDEE;CN="Li: Wei";X=1:mailto:a@example.com"#;
        let end = name_end(line).unwrap();
        assert_eq!(&line[..end], b"ATTENDEE");
        assert_eq!(&line[value_start(line, end).unwrap()..], b"mailto:a@example.com");
    }

    #[test]
    fn a_content_line_comes_apart_at_its_separators_only() {
        let text = b"BEGIN:VCALENDAR\r\nATTENDEE;CN=\"Li; Wei: x\";PART\r\n STAT=DECLINED:mailto:a@example.com\r\nEND:VCALENDAR\r\n";
        let calendar = Calendar::scan(text, &super::super::Limits::default()).unwrap();
        let line = ContentLine::of(&calendar, &calendar.lines()[1]);
        assert_eq!(line.name(), b"ATTENDEE");
        assert_eq!(line.parameter("cn"), Some(&b"Li; Wei: x"[..]));
        assert_eq!(line.parameter("PARTSTAT"), Some(&b"DECLINED"[..]));
        assert_eq!(line.parameter("ROLE"), None);
        assert_eq!(line.value(), b"mailto:a@example.com");
        assert_eq!(line.parameters().count(), 2);
    }

    #[test]
    fn what_has_no_name_or_no_colon_is_no_content_line() {
        for junk in ["", "hello world", ":x", ";A=1:x", "SUMMARY", "SUMMARY;CN=\"a:b", "日程:x", "SUM MARY:x"] {
            assert_eq!(name_end(junk.as_bytes()), None, "{junk:?}");
        }
    }

    #[test]
    fn every_line_end_that_any_reader_knows_is_escaped_or_gone() {
        assert_eq!(
            escape_text("a\r\nb\nc\rd\u{2028}e\u{2029}f\u{85}g\u{b}h\u{c}i\0j\tk"),
            "a\\nb\\nc\\nd\\ne\\nf\\nghij\tk"
        );
        assert_eq!(escape_text("日程；1,2;3\\n"), "日程；1\\,2\\;3\\\\n");
    }

    proptest! {
        #[test]
        fn folding_is_undone_by_unfolding_and_keeps_characters_whole(text in "\\PC{0,400}") {
            let mut folded = Vec::new();
            fold(text.as_bytes(), &mut folded);
            let folded = folded.strip_suffix(b"\r\n").unwrap();
            prop_assert_eq!(unfold(folded).into_owned(), text.as_bytes());
            for physical in folded.split(|&byte| byte == b'\n') {
                let physical = physical.strip_suffix(b"\r").unwrap_or(physical);
                prop_assert!(physical.len() <= 75);
                prop_assert!(std::str::from_utf8(physical).is_ok());
            }
        }

        #[test]
        fn escaped_text_holds_no_line_break_and_reads_back(text in any::<String>()) {
            let escaped = escape_text(&text);
            let breaks = ['\r', '\n', '\0', '\u{2028}', '\u{2029}', '\u{85}'];
            prop_assert!(!escaped.contains(breaks));
            let clean: String = text
                .replace("\r\n", "\n")
                .replace(['\r', '\u{2028}', '\u{2029}', '\u{85}'], "\n")
                .chars()
                .filter(|char| !char.is_control() || matches!(char, '\n' | '\t'))
                .collect();
            prop_assert_eq!(unescape_text(&escaped), clean);
        }
    }
}
