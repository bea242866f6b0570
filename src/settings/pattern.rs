//! Patterns, which may come from anywhere and are tried on texts from anywhere: none is taken that can match nothing, or
//! that could hold up a feed. Equal ones are compiled once.
//!
//! The `regex` crate looks at every byte of a text once, whatever the pattern; what a byte costs is the number of places
//! in the pattern where a match may stand at the same time. Letters that follow each other keep that small, and counted
//! repetitions multiply it, so those are what is counted here.

use std::collections::HashMap;
use std::sync::Arc;

use regex::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, ClassUnicodeRange, Hir, HirKind};

/// Letters of a pattern.
const LONGEST: usize = 1_000;
/// Parentheses inside one another.
const DEEPEST: u32 = 50;
/// Places that may hold different letters, repetitions counted out. With so many the worst pattern takes some 40 ms for
/// the longest text there is.
const MOST_PLACES: u64 = 32;
/// Bytes of a compiled pattern. Classes of many letters (`\w`) take the most.
const LARGEST: usize = 2 << 20;
/// Bytes of what is remembered while a pattern is tried; more helps no pattern that is allowed.
const LARGEST_CACHE: usize = 512 << 10;

/// Every pattern read so far.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    read: HashMap<String, Result<Arc<Regex>, String>>,
}

impl Patterns {
    /// The pattern `text`, or in words what is wrong with it, and where.
    pub(super) fn read(&mut self, text: &str) -> Result<Arc<Regex>, String> {
        if let Some(known) = self.read.get(text) {
            return known.clone();
        }
        let pattern = compile(text).map(Arc::new);
        self.read.insert(text.to_owned(), pattern.clone());
        pattern
    }
}

fn compile(text: &str) -> Result<Regex, String> {
    if text.is_empty() {
        return Err("is empty, and matches everything; write . for any text at all".into());
    }
    if text.chars().count() > LONGEST {
        return Err(format!("is longer than {LONGEST} letters; write a list of patterns"));
    }
    let parsed = ParserBuilder::new().nest_limit(DEEPEST).build().parse(text).map_err(|error| mistake(&error))?;
    if parsed.properties().minimum_len().is_none() {
        return Err("can never match".into());
    }
    let places = places(&parsed);
    if places > MOST_PLACES {
        return Err(format!(
            "would take too long: its repetitions and choices come to {places} places, of {MOST_PLACES} at most; write * or + in the place of large numbers"
        ));
    }
    let pattern = RegexBuilder::new(text).size_limit(LARGEST).dfa_size_limit(LARGEST_CACHE).nest_limit(DEEPEST).build();
    pattern.map_err(|_| "would become too large; repeat less often, or write narrower classes".into())
}

/// What is wrong, and the letter at which it is. The parser's own words draw a picture of several lines.
fn mistake(error: &regex_syntax::Error) -> String {
    let (what, at) = match error {
        regex_syntax::Error::Parse(error) => (error.kind().to_string(), error.span().start.column),
        regex_syntax::Error::Translate(error) => (error.kind().to_string(), error.span().start.column),
        _ => return "is no pattern".into(),
    };
    format!("is no pattern: {what}, at letter {at}")
}

/// How many places of a pattern may hold different letters.
fn places(pattern: &Hir) -> u64 {
    match pattern.kind() {
        HirKind::Empty | HirKind::Look(_) | HirKind::Literal(_) => 0,
        HirKind::Class(class) => u64::from(!is_one_letter(class)),
        HirKind::Capture(capture) => places(&capture.sub),
        HirKind::Alternation(parts) => parts.iter().map(places).fold(0, u64::saturating_add),
        HirKind::Concat(parts) => {
            // One choice after another is like one class after another.
            let choices = parts.iter().filter(|part| is_choice(part)).count() as u64;
            parts.iter().map(places).fold(2 * choices.saturating_sub(1), u64::saturating_add)
        }
        HirKind::Repetition(repetition) => match times(repetition.min, repetition.max) {
            1 => places(&repetition.sub),
            times => length(&repetition.sub).saturating_mul(times),
        },
    }
}

fn is_choice(pattern: &Hir) -> bool {
    match pattern.kind() {
        HirKind::Alternation(_) => true,
        HirKind::Capture(capture) => is_choice(&capture.sub),
        HirKind::Repetition(repetition) => is_choice(&repetition.sub),
        _ => false,
    }
}

/// How many places a pattern has in all.
fn length(pattern: &Hir) -> u64 {
    match pattern.kind() {
        HirKind::Empty | HirKind::Look(_) => 0,
        HirKind::Literal(literal) => String::from_utf8_lossy(&literal.0).chars().count() as u64,
        HirKind::Class(_) => 1,
        HirKind::Capture(capture) => length(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().map(length).fold(0, u64::saturating_add),
        HirKind::Repetition(repetition) => {
            length(&repetition.sub).saturating_mul(times(repetition.min, repetition.max))
        }
    }
}

/// How often a repetition is counted out: `x*` loops, `x{2,7}` is seven of them.
fn times(min: u32, max: Option<u32>) -> u64 {
    u64::from(max.unwrap_or(min).max(1))
}

/// Whether `class` is one letter in upper and lower case, as `(?i)` makes of each.
fn is_one_letter(class: &Class) -> bool {
    let Class::Unicode(class) = class else { return false };
    let fold = |char: char| char.to_lowercase().flat_map(char::to_uppercase).collect::<String>();
    let mut letters = class.iter().flat_map(|range| range.start()..=range.end()).take(5);
    let Some(first) = letters.next().map(fold) else { return true };
    class.iter().map(ClassUnicodeRange::len).sum::<usize>() < 5 && letters.all(|letter| fold(letter) == first)
}

/// Whether every `$1` and `${name}` of a replacement names a group of `pattern`. Others would stand for nothing.
///
/// # Errors
/// In words, which does not.
pub(super) fn check_groups(with: &str, pattern: &Regex) -> Result<(), String> {
    let mut rest = with;
    while let Some((_, behind)) = rest.split_once('$') {
        if let Some(behind) = behind.strip_prefix('$') {
            rest = behind;
            continue;
        }
        let (name, behind) = match behind.strip_prefix('{').map(|inner| inner.split_once('}')) {
            Some(Some(both)) => both,
            Some(None) => return Err("a ${ has no }; write $$ for a dollar sign".into()),
            None => behind.split_at(
                behind.find(|char: char| !char.is_ascii_alphanumeric() && char != '_').unwrap_or(behind.len()),
            ),
        };
        let known = match name.parse::<usize>() {
            Ok(number) => number < pattern.captures_len(),
            Err(_) => pattern.capture_names().flatten().any(|known| known == name),
        };
        if name.is_empty() {
            return Err("a dollar sign stands alone; write $$ for one".into());
        }
        if !known {
            return Err(format!(
                "${name} is no group of the pattern; write ${{1}}a for a group before a letter, $$ for a dollar sign"
            ));
        }
        rest = behind;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
