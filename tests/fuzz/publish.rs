//! Publishing: whatever sources send and whatever rules a feed has, what comes out is a sound calendar, the same every
//! time, and holds what the rules leave in it and nothing else.
#![no_main]

mod recipes;

use std::collections::HashSet;

use calferry::calendar::{Calendar, Limits, Moment, Property};
use calferry::feed::{Circumstances, Copy, Recipe, Seen, ZoneNames, mended};
use chrono::{Days, NaiveDate};
use libfuzzer_sys::fuzz_target;

/// A Sunday.
const TODAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 11, 22).expect("a day");

// The first bytes say what is done, the rest is one source's text or two, with a NUL between them.
fuzz_target!(|data: &[u8]| {
    let Some((choices, texts)) = data.split_first_chunk::<{ recipes::CHOICES }>() else { return };
    let mut parts = texts.splitn(2, |byte| *byte == 0);
    let read = |text: &[u8]| Calendar::scan(text, &Limits::default()).ok().map(|calendar| mended(&calendar));
    let Some(one) = parts.next().and_then(read) else { return };
    let two = parts.next().and_then(read);
    let confirmed = TODAY - Days::new(u64::from(choices[5] >> 4));
    let copy = |source, text| Copy { source, text, confirmed, failing: choices[5] & 8 > 0 };
    let copies: Vec<_> = [("one", Some(&one)), ("two", two.as_ref())]
        .into_iter()
        .filter_map(|(source, text)| Some(copy(source, text?.as_slice())))
        .collect();
    untouched(&copies[..1]);
    soundly(&copies, &recipes::recipe(choices));
});

fn now() -> Circumstances {
    Circumstances { today: TODAY, key: [7; 32] }
}

/// A feed that wants nothing gets what it has.
fn untouched(copies: &[Copy<'_>]) {
    let recipe = Recipe { zones: ZoneNames::Keep, ..Recipe::default() };
    let out = recipe.publish(copies, &now()).expect("a calendar").text;
    assert_eq!(out, copies[0].text, "a recipe that does nothing changes something");
}

fn soundly(copies: &[Copy<'_>], recipe: &Recipe) {
    let published = recipe.publish(copies, &now()).expect("copies are calendars");
    let again = recipe.publish(copies, &now()).expect("copies are calendars");
    assert_eq!(published.text, again.text, "twice is not the same");
    assert_eq!(published.tally, again.tally);
    let calendar = read_back(&published.text);
    let mut kept = 0;
    let tally =
        recipe.watch(copies, &now(), |seen| kept += usize::from(comes_out(seen, &published.text))).expect("as above");
    let notice = recipe.presentation.notice.is_some_and(|after| {
        copies.iter().any(|copy| copy.failing && (TODAY - copy.confirmed).num_days() >= i64::from(after))
    });
    assert_eq!(calendar.entry_list().count(), kept + usize::from(notice), "an entry has come or gone");
    assert!(tally.kept <= tally.entries);
    written_well(copies, &calendar);
    if recipe.rules.anonymise {
        nobody_is_named(&calendar);
    }
}

/// What has come out.
fn read_back(text: &[u8]) -> Calendar<'_> {
    Calendar::scan(text, &Limits::NONE).expect("what comes out is a calendar")
}

/// Whether an event comes out; and if so, as it is told, and with times that can be read.
fn comes_out(seen: &Seen<'_, '_, '_>, published: &[u8]) -> bool {
    let Some(after) = seen.after() else { return false };
    assert!(memchr::memmem::find(published, &after).is_some(), "it comes out as something else than is told");
    let whole = [b"BEGIN:VCALENDAR\r\n", &*after, b"END:VCALENDAR\r\n"].concat();
    let calendar = read_back(&whole);
    let entry = calendar.entry_list().next().expect("an event stays one");
    assert_eq!(calendar.entry_list().count(), 1);
    for property in [Property::Dtstart, Property::Dtend, Property::Due, Property::RecurrenceId] {
        let before = seen.entry.content(property).and_then(|line| Moment::of(&line));
        let after = entry.content(property).and_then(|line| Moment::of(&line));
        assert_eq!(before.is_some(), after.is_some(), "a time has become none: {before:?} {after:?}");
        let dates = [before, after].map(|moment| moment.map(|moment| moment.is_date()));
        assert_eq!(dates[0], dates[1], "a day has become a time");
    }
    assert_eq!(entry.is_event(), seen.entry.is_event());
    true
}

/// Lines are those of the sources, or well formed.
fn written_well(copies: &[Copy<'_>], calendar: &Calendar<'_>) {
    let text = calendar.text();
    assert!(text.ends_with(b"\r\n"));
    let theirs: HashSet<&[u8]> = copies.iter().flat_map(|copy| copy.text.split(|byte| *byte == b'\n')).collect();
    for line in text.split(|byte| *byte == b'\n').filter(|line| !theirs.contains(line)) {
        assert!(line.len() <= 76 && line.ends_with(b"\r"), "a line of ours is too long, or ends badly");
    }
    let bare = |text: &[u8]| text.windows(2).any(|two| two[0] == b'\r' && two[1] != b'\n');
    assert!(!bare(text) || copies.iter().any(|copy| bare(copy.text)), "a bare CR comes from nowhere");
    let roots = |calendar: &Calendar<'_>| calendar.components().iter().filter(|component| component.depth == 0).count();
    let first = Calendar::scan(copies[0].text, &Limits::NONE).expect("as above");
    assert_eq!(roots(calendar), roots(&first), "one calendar comes out");
    for line in calendar.lines() {
        let wrong = matches!(line.property(), Property::Junk | Property::Blank | Property::Method);
        assert!(!wrong, "what is published would be mended again");
    }
}

fn nobody_is_named(calendar: &Calendar<'_>) {
    for entry in calendar.entry_list() {
        for property in [Property::Attendee, Property::Organizer] {
            for (_, line) in entry.all(property) {
                assert!(
                    calendar.raw(line).ends_with(b".invalid") || calendar.raw(line).contains(&b'\n'),
                    "a name is told"
                );
            }
        }
    }
}
