//! Reading and mending: whatever comes from upstream is refused or mended, and what is mended is sound and stays so.
#![no_main]

use std::borrow::Cow;

use calferry::calendar::{
    Calendar, ContentLine, Declared, Entry, FirstSeen, Form, Kind, Limits, Malformed, Moment, Patience, Property,
    Recurrence, Zones, escape_text, fold, iana, local_to, mend, parse_duration, unescape_text, unfold, vtimezone,
};
use calferry::feed::{MeetingHosts, meeting_link, mended};
use chrono::{Duration, NaiveDate, NaiveDateTime};
use chrono_tz::Tz;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    refuses_within_limits(text);
    let Ok(calendar) = Calendar::scan(text, &Limits::default()) else { return };
    let once = mended(&calendar);
    let again = Calendar::scan(&once, &Limits::NONE).expect("what is mended is a calendar");
    assert_eq!(mended(&again), once, "mending twice changes something");
    only_what_is_wrong_changes(&calendar, &again);
    earlier_copies_and_secrets(&calendar, &again);
    line_ends(&once);
    for line in again.lines() {
        reads_line(&ContentLine::of(&again, line));
    }
    let zones = Zones::of(&again);
    declarations(&again);
    let mut patience = Patience::default();
    for entry in again.entry_list() {
        reads_entry(&entry, &zones, &mut patience);
    }
});

/// Other limits never let a text pass that the default ones refuse for what it is, and never panic.
fn refuses_within_limits(text: &[u8]) {
    let small = Limits { size: 2048, lines: 64, line: 256, depth: 3, components: 8, properties: 16, charset: true };
    let narrow = Calendar::scan(text, &small);
    let wide = Calendar::scan(text, &Limits::NONE);
    if let Ok(calendar) = &narrow {
        assert!(calendar.lines().len() <= 64 && calendar.components().len() <= 8, "limits hold");
        let once = mended(calendar);
        // Without the lines that are left out, those that were broken before may be most.
        let passes = !matches!(Calendar::scan(&once, &small), Err(again) if again != Malformed::WrongCharset);
        assert!(passes, "what is mended passes the limits that the text has passed");
    }
    assert!(narrow.is_err() || wide.is_ok(), "small limits let through what none refuse");
}

/// The lines that come out are those that went in, but for those that are none and for stamps.
fn only_what_is_wrong_changes(before: &Calendar<'_>, after: &Calendar<'_>) {
    let gone = |property| matches!(property, Property::Junk | Property::Blank | Property::Method);
    let stays = before.lines().iter().filter(|line| !gone(line.property()));
    let (stays, comes): (Vec<_>, _) = (stays.collect(), after.lines());
    assert_eq!(stays.len(), comes.len(), "a line has come or gone");
    for (old, new) in stays.into_iter().zip(comes) {
        let stamp = old.property() == Property::Dtstamp;
        let same = unfold(before.raw(old)) == unfold(after.raw(new));
        assert!(old.property() == new.property() && (same || stamp), "a line has changed");
    }
    assert_eq!(before.entries(), after.entries());
}

/// With an earlier copy, and with a secret that stands in the text.
fn earlier_copies_and_secrets(calendar: &Calendar<'_>, earlier: &Calendar<'_>) {
    let secret = b"private-0123".to_vec();
    let out = mend(calendar, Some(&FirstSeen::of(earlier)), std::slice::from_ref(&secret)).edits.apply(calendar.text());
    let out = Calendar::scan(&out, &Limits::NONE).expect("a calendar");
    for line in out.lines().iter().filter(|line| !matches!(line.property(), Property::Begin | Property::End)) {
        assert!(memchr::memmem::find(&unfold(out.raw(line)), &secret).is_none(), "a secret comes out");
    }
}

/// Every line ends in CRLF.
fn line_ends(text: &[u8]) {
    assert!(text.ends_with(b"\r\n"));
    for at in memchr::memchr_iter(b'\n', text) {
        assert!(at > 0 && text.get(at - 1) == Some(&b'\r'), "a bare LF");
        assert!(at < 2 || text.get(at - 2) != Some(&b'\r'), "two CRs");
    }
}

fn reads_line(line: &ContentLine<'_>) {
    assert!(!line.name().is_empty(), "junk is left");
    let whole = [line.head(), b":", line.value()].concat();
    let mut folded = Vec::new();
    fold(&whole, &mut folded);
    // A CR at the end of what was unfolded is none of a line's end.
    let folded = folded.strip_suffix(b"\r\n").expect("a line end");
    if memchr::memchr2(b'\r', b'\n', &whole).is_none() {
        assert_eq!(unfold(folded).as_ref(), whole, "folding loses something");
    }
    assert!(folded.split(|byte| *byte == b'\n').all(|physical| physical.len() <= 76), "a fold is too late");
    let parameters: usize = line.parameters().map(|(name, value)| name.len() + value.len() + 1).sum();
    assert!(line.name().len() + parameters <= line.head().len(), "parameters overlap");
    let text = unescape_text(&line.text());
    let plain = |text: &str| unescape_text(&escape_text(text));
    assert_eq!(plain(&plain(&text)), plain(&text), "escaping is not undone");
    let _ = meeting_link(&text, &MeetingHosts::with(&["meet.example.com".to_owned()]));
    let _ = parse_duration(line.value());
    for moment in Moment::all_of(line).flatten() {
        let tzid = if let Form::Zoned(tzid) = &moment.form { Some(tzid.clone()) } else { None };
        let again = Moment::parse(moment.written().as_bytes(), tzid);
        assert_eq!(again.as_ref(), Some(&moment), "a time is written as it was read");
    }
}

/// Declarations are read, or not, and none of them holds anything up.
fn declarations(calendar: &Calendar<'_>) {
    let zones = calendar.components().iter().enumerate().filter(|(_, component)| component.kind == Kind::Other);
    let mut first: Option<Declared> = None;
    let mut names = calendar.lines().iter().filter(|line| line.property() == Property::Tzid);
    let name = names.next().map(|line| ContentLine::of(calendar, line));
    if let Some((name, tz)) = name.and_then(|name| Some((name.text().into_owned(), iana(&name.text())?))) {
        declares_itself(tz, &name);
    }
    for (index, _) in zones.take(16) {
        let Some(declared) = Declared::read(calendar, index) else { continue };
        for year in [1, 1899, 1970, 2026, 2100, 2101, 9999] {
            let at = day(year, 7, 1);
            let _ = declared.offset_at_local(at);
            let _ = declared.offset_at_utc(at);
        }
        assert!(declared.same_rules(&declared, 1970..=2037), "a zone is not itself");
        let _ = declared.agrees_with(Tz::Europe__Berlin, 1970..=2037);
        let first = first.get_or_insert_with(|| declared.clone());
        assert_eq!(
            first.same_rules(&declared, 1990..=2030),
            declared.same_rules(first, 1990..=2030),
            "sameness has a direction"
        );
    }
}

/// What is declared from the database is read as what it was made from.
fn declares_itself(tz: Tz, tzid: &str) {
    let text = [b"BEGIN:VCALENDAR\r\n", &*vtimezone(tz, tzid, 1990), b"END:VCALENDAR\r\n"].concat();
    let calendar = Calendar::scan(&text, &Limits::NONE).expect("a declaration");
    let declared = Declared::read(&calendar, 1).expect("a declaration that can be read");
    assert!(declared.agrees_with(tz, 1990..=2037), "{tz} is declared as something else");
}

fn reads_entry(entry: &Entry<'_, '_>, zones: &Zones, patience: &mut Patience) {
    let span = entry.span();
    assert!(entry.end_of_properties() <= entry.end_of_components() && entry.end_of_components() <= span.end);
    assert!(span.start < entry.end_of_properties());
    for inner in entry.inner() {
        let _ = entry.inner_name(inner);
    }
    let Some(line) = entry.content(Property::Dtstart) else { return };
    let Some(start) = Moment::of(&line) else { return };
    let utc = zones.to_utc(&start, Tz::Asia__Shanghai);
    assert!(utc.is_some() || matches!(start.form, Form::Zoned(_)) || start.local > day(9998, 1, 1), "where is it");
    if let Some(id) = entry.content(Property::RecurrenceId).and_then(|line| Moment::of(&line)) {
        let _ = local_to(&start, &id, zones);
    }
    let Ok(Some(recurrence)) = Recurrence::of(entry, &start, zones) else { return };
    follows(&recurrence, start.local, patience);
    let mut gap = recurrence.clone();
    gap.exclude(&start, &Moment { local: start.local, form: start.form.clone() }, zones);
    let first = (start.local, start.local + Duration::seconds(1));
    if let Ok(starts) = gap.starts(first.0, first.1, patience) {
        assert!(starts.is_empty(), "an excluded instance takes place");
    }
    let _ = entry.text_of(entry.first(Property::Dtstart).expect("it is there"));
    let _: Cow<'_, str> = entry.text(Property::Summary);
}

/// What is said of a series in two ways is the same.
fn follows(recurrence: &Recurrence, start: NaiveDateTime, patience: &mut Patience) {
    let later = start + Duration::days(400);
    let windows = [(start, start + Duration::days(40)), (later, later + Duration::days(20)), (day(1, 1, 1), start)];
    for (from, to) in windows {
        let (occurs, starts) = (recurrence.occurs(from, to, patience), recurrence.starts(from, to, patience));
        if let (Ok(occurs), Ok(starts)) = (occurs, starts) {
            assert_eq!(occurs, !starts.is_empty(), "{from} to {to}: {recurrence:?}");
            assert!(starts.iter().all(|at| (from..to).contains(at)) && starts.is_sorted());
        }
    }
    let _ = recurrence.last_counted(patience);
}

fn day(year: i32, month: u32, day: u32) -> NaiveDateTime {
    NaiveDate::from_ymd_opt(year, month, day).and_then(|date| date.and_hms_opt(0, 0, 0)).expect("a day")
}
