//! What the page says, in both of its languages.

use std::collections::BTreeSet;

use calferry::page::Language;

use super::{path, usual};

/// The names of a message file's messages, and the names in the braces of each.
fn messages(language: Language) -> BTreeSet<(String, BTreeSet<String>)> {
    let mut messages: Vec<(String, BTreeSet<String>)> = Vec::new();
    for line in language.messages().lines().filter(|line| !line.starts_with('#')) {
        if let Some((name, _)) = line.split_once(" = ").filter(|(name, _)| !name.starts_with([' ', '}', '['])) {
            messages.push((name.to_owned(), BTreeSet::new()));
        }
        let named = line.split('$').skip(1).filter_map(|rest| rest.split([' ', '}']).next());
        if let Some((_, names)) = messages.last_mut() {
            names.extend(named.map(str::to_owned));
        }
    }
    messages.into_iter().collect()
}

#[test]
fn both_languages_have_the_same_messages_with_the_same_values() {
    let [english, chinese] = Language::ALL.map(messages);
    assert!(english.len() > 100);
    let lacking: Vec<_> = english.symmetric_difference(&chinese).collect();
    assert!(lacking.is_empty(), "{lacking:?}");
    for language in Language::ALL {
        for line in language.messages().lines().filter(|line| line.contains(" = ")) {
            assert!(!line.ends_with("= "), "{line}");
        }
    }
    let is_chinese = |line: &&str| line.chars().any(|char| ('\u{4e00}'..='\u{9fff}').contains(&char));
    assert_eq!(Language::English.messages().lines().filter(is_chinese).count(), 0);
    let message = |line: &&str| line.contains(" = ") && !line.ends_with("->") && !line.starts_with("device-");
    let foreign = Language::Chinese.messages().lines().filter(message).filter(|line| !is_chinese(line));
    assert_eq!(foreign.collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn one_thing_has_one_name() {
    let others = ["set aside", "Set aside", "quarantine", "缺失", "隔离"];
    for language in Language::ALL {
        // What stands before the sign is the message's own name.
        let said = language.messages().lines().map(|line| line.split_once(" = ").map_or(line, |(_, said)| said));
        for line in said {
            assert!(others.iter().all(|other| !line.contains(other)), "{line}");
        }
    }
    let names = |language: Language| ["state-quarantine", "state-no_copy"].map(|id| language.say(id));
    assert_eq!(names(Language::English), ["kept aside", "no copy"]);
    assert_eq!(names(Language::Chinese), ["搁置", "没有副本"]);
}

#[test]
fn every_message_that_the_page_asks_for_by_name_is_there_and_every_other_is_asked_for() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["src/page", "src/status", "src/http"].map(|folder| std::fs::read_dir(root.join(folder)).unwrap());
    let sources = folders.into_iter().flatten().map(|entry| entry.unwrap().path());
    let sources = sources.filter(|path| path.extension().is_some_and(|kind| kind == "rs"));
    let code: String = sources.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let quoted: BTreeSet<_> = code.split('"').collect();
    let known: BTreeSet<_> = messages(Language::English).into_iter().map(|(name, _)| name).collect();
    let asked = ["say(\"", "say_of(\""].iter().flat_map(|call| code.split(call).skip(1));
    for asked in asked.filter_map(|rest| rest.split('"').next()) {
        assert!(known.contains(asked), "{asked} is asked for, and no message");
    }
    // Named by a state, an error, an outcome or a unit of time.
    let families = ["state-", "way-", "error-", "fix-", "done-", "in-"];
    // Named by number, or by a device.
    let built = |name: &str| {
        let (front, end) = name.rsplit_once('-').unwrap_or_default();
        quoted.contains(front) && (end == "note" || end.parse::<u8>().is_ok())
            || ["weekday", "month"].contains(&front)
            || families.iter().any(|family| name.starts_with(family))
            || name.ends_with("-ago")
            || name.strip_prefix("device-").is_some_and(|device| quoted.contains(device))
    };
    let idle: Vec<_> = known.iter().filter(|name| !quoted.contains(name.as_str()) && !built(name)).collect();
    assert!(idle.is_empty(), "never said: {idle:?}");
}

#[tokio::test]
async fn the_language_is_the_browsers_or_the_one_that_is_chosen() {
    let (_upstream, program) = usual().await;
    let asked = [
        ("", "zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans"),
        ("", "en-GB,en;q=0.9", "en"),
        ("", "fr-FR,zh;q=0.5,en;q=0.4", "zh-Hans"),
        ("", "de", "en"),
        ("", "", "en"),
        ("?lang=zh-Hans", "en", "zh-Hans"),
        ("?lang=en", "zh-CN", "en"),
        ("?lang=xx", "zh-CN", "zh-Hans"),
    ];
    for (query, header, language) in asked {
        let reply = program.get(&format!("{}{query}", path(&program)), &[("accept-language", header)]).await;
        let page = reply.text();
        assert!(page.contains(&format!("<html lang=\"{language}\"")), "{query} {header}");
        let words = if language == "en" { "Subscribe to this calendar" } else { "订阅这个日历" };
        assert!(page.contains(words));
        assert!(page.contains("href=\"?lang=en\"") && page.contains("href=\"?lang=zh-Hans\""));
    }
    let chosen = program.get(&format!("{}?lang=en&tz=Asia/Tokyo", path(&program)), &[]).await;
    assert!(chosen.text().contains("href=\"?lang=zh-Hans&amp;tz=Asia/Tokyo\""), "a choice keeps the other");
}
