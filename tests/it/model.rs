//! What is published holds the instances that a small model of the rules says, no more and no fewer.
//!
//! The model never reads a calendar: it has its own events, expands them day by day, and does to them what the README says
//! that rules do. What is published is read by `icalendar` and expanded by `rrule`.
//!
//! | file | holds |
//! |---|---|
//! | `events` | the model's calendars, and writing them |
//! | `draw` | calendars and feeds at random |
//! | `rules` | a feed's rules, as settings have them and as the model follows them |
//! | `settle` | what becomes of series, and of several sources |
//! | `reader` | the instances of what was published |

mod draw;
mod events;
mod reader;
mod rules;
mod settle;

use calferry::calendar::{Calendar, Limits};
use proptest::prelude::*;

use self::draw::any_feed;
use self::events::Instance;
use self::rules::Feed;
use super::harness::{published, recipe};

/// Says where the two differ.
fn differences(expected: &[Instance], found: &[Instance]) -> String {
    let (mut left, mut extra) = (expected.to_vec(), Vec::new());
    for instance in found {
        match left.iter().position(|known| known == instance) {
            Some(at) => drop(left.remove(at)),
            None => extra.push(instance),
        }
    }
    format!("missing {left:#?}\ntoo much {extra:#?}")
}

fn agrees(feed: &Feed) -> Result<(), TestCaseError> {
    let texts: Vec<_> = feed.sources.iter().zip(["one", "two"]).map(|(source, name)| (name, source.ics())).collect();
    let copies: Vec<_> = texts.iter().map(|(name, text)| (*name, text.as_slice())).collect();
    let toml = feed.toml();
    let recipe = recipe(&toml);
    let out = published(&copies, &recipe);
    prop_assert_eq!(&published(&copies, &recipe), &out, "twice is not the same");
    prop_assert!(Calendar::scan(&out, &Limits::default()).is_ok());
    let text = String::from_utf8(out).unwrap();
    let parsed = calcard::icalendar::ICalendar::parse(&text);
    prop_assert!(parsed.is_ok(), "calcard cannot read it: {text}");
    let Some(expected) = settle::instances(feed) else { return Ok(()) };
    let found = reader::instances(&text);
    let sources: String = texts.iter().map(|(_, text)| String::from_utf8_lossy(text)).collect();
    prop_assert!(
        expected == found,
        "{}\n--- settings\n{toml}\n--- sources\n{sources}\n--- published\n{text}",
        differences(&expected, &found)
    );
    Ok(())
}

proptest! {
    #[test]
    fn rules_leave_the_instances_that_a_model_of_them_leaves(feed in any_feed()) {
        agrees(&feed)?;
    }
}
