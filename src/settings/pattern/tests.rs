//! Patterns, taken and refused: none that is taken may hold up a feed.

use std::time::{Duration, Instant};

use super::*;

fn read(text: &str) -> Result<Arc<Regex>, String> {
    Patterns::default().read(text)
}

#[test]
fn ordinary_patterns_are_taken() {
    for text in [
        "standup|站会",
        "(?i)stand-?up|daily (?:sync|scrum)|retrospective|例会|周会|站会|早会",
        "(?s)──.*",
        r"^\s*(?:re|fwd|回复|转发)\s*[:：]\s*",
        r"(?i)https?://[^\s<>]+zoom\.us/j/\d+\?pwd=\w+",
        r"\b\d{4}-\d{2}-\d{2}\b",
        r"[\u4e00-\u9fff]{2,4}",
        r"^(?:Invitation|邀请): .{0,30}$",
        r"(?m)^(?:Zoom|Teams|腾讯会议).*$",
        r"\p{Emoji}",
        ".*.*.*=.*",
        "(?:x+x+)+y",
    ] {
        let taken = read(text);
        assert!(taken.is_ok(), "{text}: {taken:?}");
    }
    let words: Vec<_> = (100..200).map(|number| format!("title {number}")).collect();
    read(&format!("(?i){}", words.join("|")[..990].trim_end_matches('|'))).unwrap();
}

/// Patterns that are known to take long, or much, somewhere.
const HEAVY: &[&str] = &[
    "(a{1000}){1000}",
    "(?:a?){50}a{50}",
    "(?:a?){20}a{20}",
    "(?:x+x+)+y",
    ".*.*.*=.*",
    ".*.*.*.*.*.*.*.*.*.*#",
    r"\p{L}{100}",
    r"\p{L}{32}#",
    r"\p{L}{10}#",
    r"(\w{1,30}\s){1,30}$",
    r"(\w{1,4}\s){1,5}$",
    r"(?i)(?:标|题|议|程|会|站){1000}",
    r"(?i)(?:标|题|议|程|会|站){8}",
    "(?:){4294967295}",
    "(?:(?:){65535}){65535}",
    "(?:.{1,100}){1,100}#",
    "[ab]*a[ab]{50}#",
    "[ab]*a[ab]{31}#",
    r"\b[ab]*a[ab]{31}#",
    ".{32}标#",
    "a.{32}#",
    r"a\W?\w{20}\b#",
    r"\W{32}\b#",
    r"(?:\w.){20}\b#",
    r"\b(?:(?:(?:.*.*)+)+)+\b标y",
    r"\w+\s\w+\s\w+\s\w+\s\w+\s\w+\s\w+\s\w+\b#",
    r"[\p{L}--\p{Lu}]{20}\b#",
    "a{4294967295}",
    "((((((((((a{9}){9}){9}){9}){9}){9}){9}){9}){9}){9})",
];

#[test]
fn what_is_taken_is_quick_on_the_longest_text_there_is() {
    let letters = |of: &[&str], seed: u64| {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut text = String::new();
        while text.len() < 64 << 10 {
            text.push_str(of[random.usize(..of.len())]);
        }
        text
    };
    let texts = [
        letters(&["a"], 0),
        letters(&["x"], 0),
        letters(&["="], 0),
        letters(&["a", "b"], 1),
        letters(&["标", "题", "议", "程", "会", "站"], 2),
        letters(&["a", "标", " "], 3),
        letters(&["word ", "Wort ", "слово ", "字 "], 4),
        letters(&["😀"], 0),
    ];
    let written = [
        format!("a{}#", ".".repeat(31)),
        format!("a{}#", "[ab]".repeat(31)),
        format!("a{}#", "(?:aa|bb|ab|ba)".repeat(16)),
        format!("a{}#", "(?:aa|bb|ab|ba)".repeat(60)),
        format!("a{}#", "(aba|bab|bba|abb)?".repeat(16)),
        "a?".repeat(400),
        "a.?".repeat(31),
    ];
    let mut worst = (Duration::ZERO, String::new());
    for pattern in HEAVY.iter().copied().chain(written.iter().map(String::as_str)) {
        let began = Instant::now();
        let taken = read(pattern);
        assert!(began.elapsed() < Duration::from_secs(2), "{pattern} took {:?} to be read", began.elapsed());
        let Ok(taken) = taken else { continue };
        for text in &texts {
            let began = Instant::now();
            let _ = taken.is_match(text);
            let took = began.elapsed();
            // An unoptimised build on a busy machine is some ten times slower than what is measured in a quiet one.
            assert!(took < Duration::from_secs(2), "{pattern} took {took:?}");
            if took > worst.0 {
                worst = (took, pattern.to_owned());
            }
        }
    }
    println!("worst: {worst:?}");
}

#[test]
fn what_would_take_too_long_or_too_much_is_refused_at_once() {
    for pattern in [
        "(a{1000}){1000}",
        r"\p{L}{100}",
        r"(\w{1,30}\s){1,30}$",
        "(?:.{1,100}){1,100}#",
        "a{4294967295}",
        "[ab]*a[ab]{40}",
        r"(?:\w\W){24}[\p{L}\p{N}]",
    ] {
        let began = Instant::now();
        let refused = read(pattern).expect_err(pattern);
        assert!(refused.starts_with("would "), "{pattern}: {refused}");
        assert!(began.elapsed() < Duration::from_secs(2), "{pattern}");
    }
    assert!(read(&"a".repeat(1_001)).unwrap_err().contains("1000"));
    assert!(read(&"(".repeat(60)).is_err());
    assert!(read(&format!("{}a{}", "(".repeat(60), ")".repeat(60))).unwrap_err().contains("nest"));
}

#[test]
fn letters_in_both_cases_are_one_place() {
    for (pattern, expected) in [
        ("(?i)sk", 0),
        ("[ab]", 1),
        ("a{7}", 7),
        ("a*b+c?", 0),
        (r"\d{2,9}x", 9),
        ("ab|bc", 0),
        (r"\b(ab|cd)\b", 0),
        ("(ab|cd)e(fg|hi)?", 2),
        ("(?i)(?:sk){3}", 6),
    ] {
        let parsed = ParserBuilder::new().build().parse(pattern).unwrap();
        assert_eq!(places(&parsed), expected, "{pattern}");
    }
}

#[test]
fn equal_patterns_are_compiled_once() {
    let mut patterns = Patterns::default();
    let (one, other) = (patterns.read("a+").unwrap(), patterns.read("a+").unwrap());
    assert!(Arc::ptr_eq(&one, &other));
}
