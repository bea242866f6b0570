//! Series stay whole: what rules leave out of them is gone, what they do not name stays, and nothing comes back.

use super::harness::{ics, published, recipe};

const WEEKLY: &str = "BEGIN:VEVENT\nUID:weekly@x\nDTSTAMP:20261101T000000Z\nDTSTART;TZID=Asia/Shanghai:20261102T100000\n\
                      DTEND;TZID=Asia/Shanghai:20261102T110000\nRRULE:FREQ=WEEKLY;COUNT=8\nSUMMARY:Weekly\nEND:VEVENT";
const MOVED: &str = "BEGIN:VEVENT\nUID:weekly@x\nDTSTAMP:20261101T000000Z\nRECURRENCE-ID;TZID=Asia/Shanghai:20261116T100000\n\
                     DTSTART;TZID=Asia/Shanghai:20261117T150000\nDTEND;TZID=Asia/Shanghai:20261117T160000\n\
                     SUMMARY:Weekly moved\nEND:VEVENT";
const SINGLE: &str =
    "BEGIN:VEVENT\nUID:single@x\nDTSTAMP:20261101T000000Z\nDTSTART:20261124T010000Z\nSUMMARY:Single\nEND:VEVENT";

/// The unfolded text, after a reader that is not ours has taken it.
fn text(bytes: Vec<u8>) -> String {
    let text = String::from_utf8(bytes).unwrap();
    let read = icalendar::parser::read_calendar(&icalendar::parser::unfold(&text)).map(drop);
    assert!(read.is_ok(), "{read:?}: {text}");
    text.replace("\r\n ", "")
}

fn one(components: &[&str], rules: &str) -> String {
    // What zones are declared is another matter.
    text(published(&[("one", &ics(components))], &recipe(&format!("time_zones = \"keep\"\n{rules}"))))
}

/// The body of `out` without `component`.
fn without(components: &[&str]) -> String {
    text(ics(components))
}

#[test]
fn a_dropped_instance_leaves_a_gap_in_its_master_of_the_same_form() {
    let out = one(&[WEEKLY, MOVED, SINGLE], "[[feed.me.rule]]\nwhen = { summary = \"moved\" }\ndrop = true");
    let master = WEEKLY.replace("\nEND:VEVENT", "\nEXDATE;TZID=Asia/Shanghai:20261116T100000\nEND:VEVENT");
    assert_eq!(out, without(&[&master, SINGLE]));
}

#[test]
fn a_cancelled_instance_becomes_a_gap_when_cancelled_events_are_hidden() {
    let cancelled = MOVED.replace("SUMMARY:", "STATUS:CANCELLED\nSUMMARY:");
    let out = one(&[WEEKLY, &cancelled], "hide = [\"cancelled\"]");
    let master = WEEKLY.replace("\nEND:VEVENT", "\nEXDATE;TZID=Asia/Shanghai:20261116T100000\nEND:VEVENT");
    assert_eq!(out, without(&[&master]));
    assert_eq!(one(&[WEEKLY, &cancelled], ""), without(&[WEEKLY, &cancelled]), "nobody asked");
}

#[test]
fn a_gap_that_is_there_already_is_not_written_twice() {
    let gap = WEEKLY.replace("\nSUMMARY", "\nEXDATE;TZID=Asia/Shanghai:20261109T100000,20261116T100000\nSUMMARY");
    let out = one(&[&gap, MOVED], "[[feed.me.rule]]\nwhen = { summary = \"moved\" }\ndrop = true");
    assert_eq!(out, without(&[&gap]));
}

#[test]
fn a_gap_is_written_in_the_masters_zone_when_the_instance_is_named_in_utc() {
    let utc = MOVED.replace("RECURRENCE-ID;TZID=Asia/Shanghai:20261116T100000", "RECURRENCE-ID:20261116T020000Z");
    let out = one(&[WEEKLY, &utc], "[[feed.me.rule]]\nwhen = { summary = \"moved\" }\ndrop = true");
    assert!(out.contains("EXDATE;TZID=Asia/Shanghai:20261116T100000\r\n"), "{out}");
}

#[test]
fn whole_days_leave_whole_days() {
    let master =
        "BEGIN:VEVENT\nUID:d@x\nDTSTART;VALUE=DATE:20261102\nRRULE:FREQ=DAILY;COUNT=5\nSUMMARY:Day\nEND:VEVENT";
    let moved = "BEGIN:VEVENT\nUID:d@x\nRECURRENCE-ID;VALUE=DATE:20261104\nDTSTART;VALUE=DATE:20261120\nSUMMARY:moved\nEND:VEVENT";
    let out = one(&[master, moved], "[[feed.me.rule]]\nwhen = { summary = \"moved\" }\ndrop = true");
    assert_eq!(out, without(&[&master.replace("\nEND:VEVENT", "\nEXDATE;VALUE=DATE:20261104\nEND:VEVENT")]));
}

#[test]
fn a_dropped_master_takes_its_instances_along_unless_a_rule_keeps_them() {
    let drop = "[[feed.me.rule]]\nwhen = { summary = \"^Weekly$\" }\ndrop = true";
    assert_eq!(one(&[WEEKLY, MOVED, SINGLE], drop), without(&[SINGLE]));
    let keep = format!("[[feed.me.rule]]\nwhen = {{ summary = \"moved\" }}\nkeep = true\n{drop}");
    assert_eq!(one(&[WEEKLY, MOVED, SINGLE], &keep), without(&[MOVED, SINGLE]));
}

#[test]
fn an_instance_without_its_master_stays_as_it_is() {
    assert_eq!(
        one(&[MOVED, SINGLE], "[[feed.me.rule]]\nwhen = { summary = \"Single\" }\ndrop = true"),
        without(&[MOVED])
    );
    assert_eq!(
        one(&[MOVED, SINGLE], "[[feed.me.rule]]\nwhen = { summary = \"moved\" }\ndrop = true"),
        without(&[SINGLE])
    );
}

#[test]
fn an_instance_i_accepted_stays_of_a_series_i_declined() {
    let me = |event: &str, answer| {
        event.replace("\nSUMMARY", &format!("\nATTENDEE;PARTSTAT={answer}:mailto:Me@Example.com\nSUMMARY"))
    };
    let (declined, accepted) = (me(WEEKLY, "DECLINED"), me(MOVED, "ACCEPTED"));
    let hide = "me = [\"me@example.com\"]\nhide = [\"declined\"]";
    assert_eq!(one(&[&declined, &accepted], hide), without(&[&accepted]));
    let (accepted, declined) = (me(WEEKLY, "ACCEPTED"), me(MOVED, "DECLINED"));
    let out = one(&[&accepted, &declined], hide);
    assert!(out.contains("EXDATE;TZID=Asia/Shanghai:20261116T100000\r\n") && !out.contains("moved"), "{out}");
}

#[test]
fn dropping_this_and_all_later_instances_ends_the_series_before_them() {
    let later = MOVED.replace("RECURRENCE-ID;", "RECURRENCE-ID;RANGE=THISANDFUTURE;");
    let out = one(&[WEEKLY, &later], "[[feed.me.rule]]\nwhen = { summary = \"moved\" }\ndrop = true");
    // 10:00 in Shanghai is 02:00 in UTC.
    assert_eq!(out, without(&[&WEEKLY.replace("COUNT=8", "UNTIL=20261116T015959Z")]));
    let short = WEEKLY.replace("COUNT=8", "COUNT=2");
    let out = one(&[&short, &later], "[[feed.me.rule]]\nwhen = { summary = \"moved\" }\ndrop = true");
    assert_eq!(out, without(&[&short]), "it had ended before");
}

#[test]
fn the_window_keeps_a_series_whole_or_not_at_all() {
    // The day is 22 November 2026.
    let window = "window = { past = \"3d\", future = \"3d\" }";
    assert_eq!(one(&[WEEKLY, MOVED, SINGLE], window), without(&[WEEKLY, MOVED, SINGLE]), "23 November is in it");
    let ended = WEEKLY.replace("COUNT=8", "COUNT=2");
    assert_eq!(one(&[&ended, MOVED, SINGLE], window), without(&[SINGLE]));
    let moved_in = MOVED.replace("20261117T", "20261121T");
    assert_eq!(one(&[&ended, &moved_in], window), without(&[&ended, &moved_in]), "an instance moved into it");
    let last = WEEKLY.replace("COUNT=8", "UNTIL=20261123T030000Z;INTERVAL=3");
    assert_eq!(one(&[&last], window), without(&[&last]), "2 and 23 November");
    let moved_out = MOVED.replace("20261116T", "20261123T").replace("20261117T", "20261230T");
    assert_eq!(
        one(&[&last, &moved_out], window),
        without(&[]).replace("\r\n\r\n", "\r\n"),
        "the only instance in it was moved out"
    );
}

#[test]
fn a_rule_that_is_not_understood_keeps_its_series() {
    let window = "window = { past = \"3d\", future = \"3d\" }";
    let old = |rule: &str| WEEKLY.replace("20261102", "20100102").replace("FREQ=WEEKLY;COUNT=8", rule);
    for rule in [
        "RSCALE=CHINESE;FREQ=YEARLY;COUNT=2",
        "FREQ=SECONDLY;COUNT=2",
        "FREQ=FORTNIGHTLY",
        "FREQ=DAILY;BYEASTER=1;COUNT=2",
    ] {
        let event = old(rule);
        assert_eq!(one(&[&event], window), without(&[&event]), "{rule}");
    }
    let event = old("FREQ=DAILY;COUNT=2");
    assert_eq!(one(&[&event, SINGLE], window), without(&[SINGLE]));
}

#[test]
fn a_private_series_hides_the_titles_of_its_instances_too_and_keeps_them_together() {
    let secret = WEEKLY
        .replace("SUMMARY:", "DESCRIPTION:private\nLOCATION:x\nATTENDEE:mailto:a@b\nX-SECRET:1\nSUMMARY:Therapy ");
    let moved = MOVED.replace("Weekly moved", "Dr. Li");
    let out = one(&[&secret, &moved, SINGLE], "[[feed.me.rule]]\nwhen = { summary = \"Therapy\" }\nbusy = \"忙碌\"");
    for gone in ["Therapy", "Dr. Li", "private", "LOCATION", "ATTENDEE", "X-SECRET", "weekly@x"] {
        assert!(!out.contains(gone), "{gone}: {out}");
    }
    let uids: Vec<_> = out.lines().filter(|line| line.starts_with("UID:")).collect();
    assert_eq!(uids[0], uids[1]);
    assert_eq!(uids[2], "UID:single@x");
    assert_eq!(out.matches("SUMMARY:忙碌\r\n").count(), 2);
    assert!(
        out.contains("RRULE:FREQ=WEEKLY;COUNT=8\r\n")
            && out.contains("RECURRENCE-ID;TZID=Asia/Shanghai:20261116T100000\r\n")
    );
    let again = one(&[&secret, &moved, SINGLE], "[[feed.me.rule]]\nwhen = { summary = \"Therapy\" }\nbusy = \"忙碌\"");
    assert_eq!(out, again, "the hash is stable");
}

#[test]
fn shifting_moves_a_series_with_everything_that_names_its_times() {
    let master = WEEKLY
        .replace("COUNT=8", "UNTIL=20261228T020000Z;BYDAY=MO,WE")
        .replace("\nSUMMARY", "\nEXDATE;TZID=Asia/Shanghai:20261109T100000\nSUMMARY");
    let out = one(&[&master, MOVED], "[[feed.me.rule]]\nshift = \"16h\"");
    for moved in [
        "DTSTART;TZID=Asia/Shanghai:20261103T020000",
        "DTEND;TZID=Asia/Shanghai:20261103T030000",
        "RRULE:FREQ=WEEKLY;UNTIL=20261228T180000Z;BYDAY=TU,TH",
        "EXDATE;TZID=Asia/Shanghai:20261110T020000",
        "RECURRENCE-ID;TZID=Asia/Shanghai:20261117T020000",
        "DTSTART;TZID=Asia/Shanghai:20261118T070000",
    ] {
        assert!(out.contains(&format!("{moved}\r\n")), "{moved}: {out}");
    }
    // The third of a month cannot follow to the day after.
    let monthly = WEEKLY.replace("FREQ=WEEKLY;COUNT=8", "FREQ=MONTHLY;BYMONTHDAY=2");
    assert_eq!(one(&[&monthly], "[[feed.me.rule]]\nshift = \"16h\""), without(&[&monthly]));
}

#[test]
fn floating_times_are_pinned_with_everything_that_names_them() {
    let floating = |event: &str| event.replace(";TZID=Asia/Shanghai", "");
    let master = floating(WEEKLY).replace("COUNT=8", "UNTIL=20261228T100000");
    let out = one(&[&master, &floating(MOVED)], "[[feed.me.rule]]\npin = \"Asia/Shanghai\"");
    let expected = WEEKLY.replace("COUNT=8", "UNTIL=20261228T020000Z");
    assert_eq!(out, without(&[&expected, MOVED]));
}

#[test]
fn the_same_event_in_two_sources_comes_out_once_and_the_newer_one_wins() {
    let newer = WEEKLY.replace("SUMMARY:Weekly", "SEQUENCE:3\nSUMMARY:Weekly").replace("T100000", "T120000");
    let both = |one: &[&str], two: &[&str]| {
        text(published(&[("one", &ics(one)), ("two", &ics(two))], &recipe("time_zones = \"keep\"")))
    };
    assert_eq!(both(&[WEEKLY, MOVED, SINGLE], &[&newer]), without(&[SINGLE, &newer]));
    assert_eq!(both(&[&newer, SINGLE], &[WEEKLY, MOVED]), without(&[&newer, SINGLE]));
    // Somebody invited to one instance only has no master.
    assert_eq!(both(&[MOVED], &[WEEKLY]), without(&[MOVED, WEEKLY]));
    let stranger = "BEGIN:VEVENT\nUID:single@x\nDTSTART:20270101T010000Z\nSUMMARY:Another\nEND:VEVENT";
    let out = both(&[SINGLE], &[stranger]);
    assert!(out.contains("SUMMARY:Single") && out.contains("SUMMARY:Another"));
    assert_eq!(out.matches("UID:single@x\r\n").count(), 1);
    assert_eq!(out, both(&[SINGLE], &[stranger]));
}

#[test]
fn a_source_that_rules_leave_out_does_not_win() {
    let rules = "time_zones = \"keep\"\n[[feed.me.rule]]\nwhen = { source = \"two\" }\ndrop = true";
    let newer = SINGLE.replace("SUMMARY", "SEQUENCE:9\nSUMMARY");
    let out = text(published(&[("one", &ics(&[SINGLE])), ("two", &ics(&[&newer]))], &recipe(rules)));
    assert_eq!(out, without(&[SINGLE]));
}

#[test]
fn zones_that_several_sources_declare_alike_are_declared_once_and_others_get_another_name() {
    let zone = |name: &str, offset: &str| {
        format!(
            "BEGIN:VTIMEZONE\nTZID:{name}\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:{offset}\nTZOFFSETTO:{offset}\n\
             END:STANDARD\nEND:VTIMEZONE"
        )
    };
    let in_zone = |uid: &str, name: &str| {
        format!("BEGIN:VEVENT\nUID:{uid}\nDTSTART;TZID={name}:20261124T090000\nSUMMARY:{uid}\nEND:VEVENT")
    };
    let (ours, theirs) = (zone("Customized Time Zone", "+0800"), zone("Customized Time Zone", "+0100"));
    let both = |two: &str| {
        let one = ics(&[&ours, &in_zone("a", "Customized Time Zone")]);
        let two = ics(&[two, &in_zone("b", "Customized Time Zone")]);
        text(published(&[("one", &one), ("two", &two)], &recipe("")))
    };
    assert_eq!(
        both(&ours),
        without(&[&ours, &in_zone("a", "Customized Time Zone"), &in_zone("b", "Customized Time Zone")])
    );
    let other = zone("Customized Time Zone 2", "+0100");
    let expected =
        without(&[&other, &ours, &in_zone("a", "Customized Time Zone"), &in_zone("b", "Customized Time Zone 2")]);
    assert_eq!(both(&theirs), expected);
}

#[test]
fn doing_nothing_changes_no_byte() {
    let google: &[u8] = include_bytes!("../fixtures/google_zoom.ics");
    let plain = published(&[("one", google)], &recipe(""));
    let idle = "window = { past = \"9999d\" }\n[[feed.me.rule]]\nwhen = { summary = \"no such title\" }\ndrop = true\n\
                [[feed.me.rule]]\nstrip = [\"X-NOBODY\"]\n[[feed.me.rule]]\nreplace = { field = \"summary\", pattern = \"zzz\", with = \"\" }";
    assert_eq!(published(&[("one", google)], &recipe(idle)), plain);
}

#[test]
fn of_a_calendar_from_which_one_event_is_dropped_every_other_line_is_the_same() {
    let google: &[u8] = include_bytes!("../fixtures/google_zoom.ics");
    let raw = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let plain = raw(published(&[("one", google)], &recipe("")));
    // Those on one physical line.
    let uids: Vec<_> =
        plain.lines().filter_map(|line| line.strip_prefix("UID:")).filter(|uid| uid.len() < 60).collect();
    let mut dropped = 0;
    for uid in uids.iter().filter(|uid| uids.iter().filter(|other| other == uid).count() == 1) {
        let rule = format!("[[feed.me.rule]]\nwhen = {{ uid = '^{}$' }}\ndrop = true", uid.replace('.', "\\."));
        let out = raw(published(&[("one", google)], &recipe(&rule)));
        let event = |event: &&str| !event.contains(&format!("\r\nUID:{uid}\r\n"));
        let rest: Vec<_> = plain.split("BEGIN:VEVENT").filter(event).collect();
        let end =
            if plain.split("BEGIN:VEVENT").last().is_some_and(|last| !event(&last)) { "END:VCALENDAR\r\n" } else { "" };
        assert_eq!(out, rest.join("BEGIN:VEVENT") + end, "{uid}");
        dropped += 1;
    }
    assert!(dropped > 8);
}

#[test]
fn a_google_meet_block_is_never_cut_in_half() {
    let bar = "-::~:~::~:~:~:~::~:~::-";
    let description = format!("Agenda\\n{bar}\\nJoin: https://meet.google.com/abc-defg-hij\\n{bar}\\nEnd");
    let event = SINGLE.replace("SUMMARY", &format!("DESCRIPTION:{description}\nSUMMARY"));
    let replace = |pattern: &str| {
        let rule =
            format!("[[feed.me.rule]]\nreplace = {{ field = \"description\", pattern = '{pattern}', with = \"\" }}");
        let out = one(&[&event], &rule);
        out.lines().find_map(|line| line.strip_prefix("DESCRIPTION:")).unwrap().to_owned()
    };
    assert_eq!(replace("Agenda"), description.replace("Agenda", ""), "kept whole");
    assert_eq!(replace("(?s)Join.*"), "Agenda\\n\\nEnd", "half of it would be left");
    assert_eq!(replace("(?s)-::.*::-\\n"), "Agenda\\nEnd", "taken out whole");
}

fn both(one: &[&str], two: &[&str], rules: &str) -> String {
    let rules = format!("time_zones = \"keep\"\n{rules}");
    text(published(&[("one", &ics(one)), ("two", &ics(two))], &recipe(&rules)))
}

#[test]
fn an_instance_is_the_same_however_its_time_is_written() {
    let utc = MOVED.replace("RECURRENCE-ID;TZID=Asia/Shanghai:20261116T100000", "RECURRENCE-ID:20261116T020000Z");
    assert_eq!(both(&[&utc], &[MOVED], ""), without(&[&utc]));
    let elsewhere = MOVED.replace("RECURRENCE-ID;TZID=Asia/Shanghai", "RECURRENCE-ID;TZID=Europe/Berlin");
    assert_eq!(
        both(&[MOVED], &[&elsewhere], ""),
        without(&[MOVED, &elsewhere]),
        "ten in Berlin is not ten in Shanghai"
    );
}

#[test]
fn an_instance_from_another_source_follows_its_master_into_hiding_and_in_time() {
    let busy = "[[feed.me.rule]]\nwhen = { source = \"one\" }\nbusy = \"忙碌\"";
    let out = both(&[WEEKLY], &[MOVED], busy);
    assert!(!out.contains("moved") && out.matches("SUMMARY:忙碌").count() == 2, "{out}");
    let uids: Vec<_> = out.lines().filter(|line| line.starts_with("UID:")).collect();
    assert!(uids.len() == 2 && uids[0] == uids[1] && !out.contains("weekly@x"), "{out}");
    let shift = "[[feed.me.rule]]\nwhen = { source = \"one\" }\nshift = \"1h\"";
    let out = both(&[WEEKLY], &[MOVED], shift);
    assert!(out.contains("RECURRENCE-ID;TZID=Asia/Shanghai:20261116T110000\r\n"), "{out}");
    assert!(out.contains("DTSTART;TZID=Asia/Shanghai:20261117T150000\r\n"), "{out}");
}
