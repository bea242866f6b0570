//! What the card of a source shows: how its fetches went, and by which ways.

use super::with_quarantine;
use crate::harness::eventually;
use crate::harness::program::Program;

#[tokio::test]
async fn a_day_of_fetches_is_a_picture_with_words() {
    let (_upstream, program) = with_quarantine().await;
    let day = program.source("work").await["day"].clone();
    assert_eq!((&day["quarters_set_aside"], &day["quarters_failed"]), (&1.into(), &0.into()));
    assert!(day["mean_latency_ms"].is_u64());
    let page = program.admin("/?lang=en").await.text().to_owned();
    assert!(
        page.contains("<figcaption class=\"note\">Fetches since the program started just now, a bar for each quarter of an hour, the higher the slower: 0 well, 1 kept aside"),
        "{page}"
    );
    assert_eq!(page.matches("<path class=\"kept\"").count(), 1);
}

/// Two of a kind look alike, so each is known by its place in the settings.
#[tokio::test]
async fn the_ways_are_numbered_and_the_one_used_last_is_marked_in_both_languages() {
    let toml = "[fetch]\nallow_private = true\n[source.a]\nurl = \"http://127.0.0.1:9/a\"\n\
                egress = [\"direct\", \"socks5h://127.0.0.1:9\", \"socks5h://127.0.0.1:11\"]\n\
                [source.b]\nurl = \"http://127.0.0.1:9/b\"\n[feed.a]\nsources = [\"a\", \"b\"]\n";
    let program = Program::start(toml).await;
    let tried = async || {
        let source = program.source("a").await;
        source["ways"].as_array().unwrap().iter().all(|way| way["state"] == "unreachable")
            && source["fetching"] == false
    };
    eventually("every way to be tried", tried).await;
    let last: Vec<_> =
        program.source("a").await["ways"].as_array().unwrap().iter().map(|way| way["last_used"].clone()).collect();
    assert_eq!(last.iter().filter(|last| **last == true).count(), 1, "{last:?}");
    let number = last.iter().position(|last| *last == true).unwrap() + 1;
    for (language, kinds, state, mark) in [
        ("en", ["direct", "SOCKS5 proxy", "SOCKS5 proxy"], "leads nowhere", "used last"),
        ("zh-Hans", ["直连", "SOCKS5 代理", "SOCKS5 代理"], "到不了", "上次使用"),
    ] {
        let page = program.admin(&format!("/?lang={language}")).await.text().to_owned();
        for (place, kind) in (1..).zip(kinds) {
            let mark = if place == number { format!(" <span class=\"tag\">{mark}</span>") } else { String::new() };
            assert!(page.contains(&format!(">{place}. {kind} ({state}){mark}</span>")), "{place} in {page}");
        }
        let never = ["<dt>Confirmed</dt><dd>never</dd>", "<dt>上次确认</dt><dd>从未</dd>"];
        let first = ["One failed fetch just now.", "次（首次：刚刚）。"];
        for words in [never, first] {
            assert!(page.contains(words[usize::from(language != "en")]), "{words:?} in {page}");
        }
        // One way is neither numbered nor marked.
        assert!(page.contains(&format!(">{} (", kinds[0])) && page.matches("class=\"tag\"").count() == 1);
        assert_eq!(page.contains("title=\"no connection"), language == "en", "the log's words: {page}");
    }
}
