//! Reads Rust as far as the house rules need it: what is code, and which paths it names.

use std::collections::BTreeSet;
/// `text` with blanks in the place of comments and of what literals hold. Lines stay where they are.
pub(super) fn code(text: &str) -> String {
    let mut code = text.as_bytes().to_vec();
    let mut at = 0;
    while at < code.len() {
        let rest = &text.as_bytes()[at..];
        let length = literal_or_comment(rest, at > 0 && is_word(code[at - 1]));
        for byte in code.iter_mut().skip(at).take(length) {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at += length.max(1);
    }
    String::from_utf8_lossy(&code).into_owned()
}

/// How long the comment or literal is that `rest` begins with; 0 if it begins with neither.
fn literal_or_comment(rest: &[u8], in_word: bool) -> usize {
    let until = |from: usize, end: &[u8]| {
        let found = rest.get(from..).and_then(|rest| rest.windows(end.len()).position(|window| window == end));
        found.map_or(rest.len(), |found| from + found + end.len())
    };
    match rest {
        [b'/', b'/', ..] => until(2, b"\n") - 1,
        [b'/', b'*', ..] => until(2, b"*/"),
        [b'"', ..] => quoted(rest, b'"'),
        // A lifetime has no second quote after one character.
        [b'\'', b'\\', ..] => quoted(rest, b'\''),
        [b'\'', first, ..] => {
            let width = match first {
                0..0x80 => 1,
                0x80..0xE0 => 2,
                0xE0..0xF0 => 3,
                _ => 4,
            };
            if rest.get(1 + width) == Some(&b'\'') { width + 2 } else { 0 }
        }
        [b'r', b'"' | b'#', ..] if !in_word => {
            let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
            let end = [&b"\""[..], &vec![b'#'; hashes]].concat();
            if rest.get(1 + hashes) == Some(&b'"') { until(2 + hashes, &end) } else { 0 }
        }
        _ => 0,
    }
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while let Some(byte) = rest.get(at) {
        match byte {
            b'\\' => at += 1,
            byte if *byte == quote => return at + 1,
            _ => {}
        }
        at += 1;
    }
    rest.len()
}

/// `code` without the items that are there for tests only.
pub(super) fn without_tests(code: &str) -> String {
    let mut kept = String::new();
    let mut rest = code;
    while let Some((before, item)) = rest.split_once("#[cfg(test)]") {
        kept.push_str(before);
        rest = after_item(item);
    }
    kept + rest
}

/// What comes after the item that `text` begins with: it ends with its outermost brace, or with a semicolon.
fn after_item(text: &str) -> &str {
    let mut depth = 0usize;
    for (at, char) in text.char_indices() {
        match char {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && matches!(char, '}' | ';') {
            return &text[at + 1..];
        }
    }
    ""
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

pub(super) fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|char: char| !(char.is_ascii_alphanumeric() || char == '_')).filter(|word| !word.is_empty())
}

/// What follows `root::` in paths, groups in braces included: for `crate::{a::B, c}`, `a` and `c`.
pub(super) fn segments_after(root: &str, code: &str) -> BTreeSet<String> {
    let mut segments = BTreeSet::new();
    let path = format!("{root}::");
    for (at, _) in code.match_indices(&path) {
        if at > 0 && is_word(code.as_bytes()[at - 1]) {
            continue;
        }
        let rest = code[at + path.len()..].trim_start();
        match rest.strip_prefix('{') {
            Some(group) => segments.extend(group_members(group)),
            None => segments.extend(words(rest).next().map(str::to_owned)),
        }
    }
    segments
}

/// The first word of every member of a group, up to the brace that closes it.
fn group_members(group: &str) -> Vec<String> {
    let (mut members, mut depth, mut member) = (Vec::new(), 0usize, String::new());
    for char in group.chars() {
        match char {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => members.push(std::mem::take(&mut member)),
            _ if depth == 0 => member.push(char),
            _ => {}
        }
    }
    members.push(member);
    members.iter().filter_map(|member| words(member).next().map(str::to_owned)).collect()
}

#[test]
fn the_reader_of_code_sees_code_only() {
    let text = "use crate::{a::B, c}; // crate::d\nlet s = \"crate::e \\\" #[cfg(test)]\"; let r = r#\"crate::f\"#; let c = '\"'; \
                fn g<'a>(x: &'a str) { crate::h::i(); }\n#[cfg(test)]\nmod tests { use crate::j; }\nuse supercrate::k;\n";
    let code = without_tests(&code(text));
    assert_eq!(segments_after("crate", &code).into_iter().collect::<Vec<_>>(), ["a", "c", "h"]);
}
