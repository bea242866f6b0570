"""What rules make of series: exactly the instances that are asked for, in text that every reader takes."""

import datetime
import functools
import re
from collections import Counter

import icalendar
import pytest

import expansion
import ical_js
import model
import reading
import series
from corpus import FIXTURES
from findings import TALLY
from model import DAY
from program import publish_feed
from rule_sets import RULE_SETS
from trees import components_of_icalendar, components_of_jcal

FIRST, BEHIND = datetime.date(2025, 12, 1), datetime.date(2027, 12, 1)


def marked(text: bytes) -> bytes:
    """With a mark in every event, by which its instances are known again."""
    begin, numbers = b"BEGIN:VEVENT\r\n", iter(range(1, 1000))
    return re.sub(begin, lambda _: b"%s%s:%d\r\n" % (begin, series.MARK.encode(), next(numbers)), text)


CALENDARS = {f"by hand, {name}": (series.calendar(events), "2026-04-10") for name, events in series.BY_HAND.items()}
CALENDARS |= {"at random": (series.calendar(series.at_random(2026, 30)), "2026-04-10")}
CALENDARS |= {path.name: (marked(path.read_bytes()), "2026-11-22") for path in sorted(FIXTURES.glob("*.ics"))}

CASES = [pytest.param(name, rules, id=f"{name}: {rules}") for name in CALENDARS for rules in RULE_SETS]
EVERY_CASE = pytest.mark.parametrize("name, rules", CASES)
EVERY_CALENDAR = pytest.mark.parametrize("name", CALENDARS)


@functools.cache
def original(name: str, as_it_is: bool = False) -> icalendar.Calendar:
    text = reading.for_readers(CALENDARS[name][0])
    if not as_it_is:
        # Windows' name for a zone, numbered and without a declaration, means nothing to icalendar.
        text = text.replace(b"TZID=Eastern Standard Time 1:", b"TZID=America/New_York:")
    return expansion.parsed(text)


@functools.cache
def published(name: str, rules: str) -> bytes:
    text, today = CALENDARS[name]
    done = publish_feed(RULE_SETS[rules].settings, {"one": text}, today)
    assert done.code == 0, done.errors
    return done.text


@functools.cache
def read_with_ical_js() -> dict[str, dict]:
    before = {name: text for name, (text, _) in CALENDARS.items()}
    after = {f"{name}: {rules}": published(name, rules) for name in CALENDARS for rules in RULE_SETS}
    return ical_js.read(before | after)


@functools.cache
def after(name: str, rules: str) -> icalendar.Calendar:
    return expansion.parsed(published(name, rules))


def events(name: str, rules: str) -> list[icalendar.Event]:
    return after(name, rules).walk("VEVENT")


def keeps_zones(rules: str) -> bool:
    return rules == "time zones as they are"


@functools.cache
def instances_before(name: str, as_it_is: bool) -> list[icalendar.Event]:
    # Some more, since rules may move them.
    return expansion.expanded(original(name, as_it_is), FIRST - 3 * DAY, BEHIND + 3 * DAY)


def instances_after(name: str, rules: str) -> list[model.Instance]:
    found = expansion.expanded(after(name, rules), FIRST - 3 * DAY, BEHIND + 3 * DAY)
    return model.between([(expansion.mark(one), one.start, one.end, str(one.get("SUMMARY", ""))) for one in found], FIRST, BEHIND)


@functools.cache
def wanted(name: str, rules: str) -> list[model.Instance]:
    today = datetime.date.fromisoformat(CALENDARS[name][1])
    calendar, instances = original(name, keeps_zones(rules)), instances_before(name, keeps_zones(rules))
    hidden = {expansion.mark(event) for event in model.events_of(calendar) if RULE_SETS[rules].busy(event)}
    expected = model.expected(calendar, instances, RULE_SETS[rules], today)
    return model.between([("" if mark in hidden else mark, *rest) for mark, *rest in expected], FIRST, BEHIND)


@EVERY_CASE
def test_exactly_the_instances_that_are_asked_for_come_out(name, rules):
    expected, found = Counter(wanted(name, rules)), Counter(instances_after(name, rules))
    wrong = {"missing": list((expected - found).elements())[:5], "too many": list((found - expected).elements())[:5]}
    assert found == expected, wrong
    TALLY["rules: instances compared"] += expected.total()


@EVERY_CASE
def test_every_reader_takes_what_rules_write(name, rules):
    errors = {error for component in original(name).walk() for error in component.errors}
    assert {error for component in after(name, rules).walk() for error in component.errors} <= errors
    read = read_with_ical_js()[f"{name}: {rules}"]
    assert "error" not in read, read
    assert components_of_jcal(read["calendar"], values=False) == components_of_icalendar(after(name, rules), values=False)


@EVERY_CASE
def test_every_event_that_comes_out_is_whole(name, rules):
    identities = Counter((str(event["UID"]), written_id(event)) for event in events(name, rules))
    before = Counter((str(event["UID"]), written_id(event)) for event in original(name).walk("VEVENT"))
    assert all(count == 1 for count in identities.values()) or any(count > 1 for count in before.values()), identities
    for event in events(name, rules):
        assert "DTSTART" in event and "DTSTAMP" in event, event.to_ical()
        for prop in ("SUMMARY", "DESCRIPTION", "LOCATION", "URL", "STATUS", "CLASS", "TRANSP", "RECURRENCE-ID", "DTEND", "DURATION"):
            assert not isinstance(event.get(prop), list), event.to_ical()
        # The types of these must be the start's (RFC 5545 §3.8.2.2, §3.8.4.4).
        for prop in ("DTEND", "RECURRENCE-ID"):
            if prop in event:
                assert type(event[prop].dt) is type(event["DTSTART"].dt), event.to_ical()


def written_id(event: icalendar.Event) -> str:
    return expansion.written(event["RECURRENCE-ID"].dt) if "RECURRENCE-ID" in event else ""


# Alarms


def alarms(event: icalendar.Event) -> list[datetime.timedelta | datetime.datetime]:
    """When they go off."""
    return sorted((alarm["TRIGGER"].dt for alarm in event.walk("VALARM")), key=str)


def timed(event: icalendar.Event) -> bool:
    return isinstance(event["DTSTART"].dt, datetime.datetime)


MINUTE = datetime.timedelta(minutes=1)
ALARMS = {
    "alarms": lambda event: alarms(event) or ([-10 * MINUTE, 0 * MINUTE] if timed(event) else []),
    "alarms in the place of others": lambda _event: [-DAY],
    "alarms beside others": lambda event: sorted([-15 * MINUTE, *alarms(event)], key=str),
    "strip": lambda _event: [],
    "busy": lambda _event: [],
    "rewrite": alarms,
}


@pytest.mark.parametrize("rules", ALARMS)
@EVERY_CALENDAR
def test_alarms_are_those_that_are_asked_for(name, rules):
    expected = [ALARMS[rules](event) for event in original(name).walk("VEVENT")]
    assert [alarms(event) for event in events(name, rules)] == expected


@EVERY_CASE
def test_every_alarm_that_rules_add_is_one(name, rules):
    there = {alarm.to_ical() for alarm in original(name).walk("VALARM")}
    added = [alarm for event in events(name, rules) for alarm in event.walk("VALARM") if alarm.to_ical() not in there]
    for alarm in added:
        assert alarm["ACTION"] == "DISPLAY"
        assert isinstance(alarm["TRIGGER"].dt, datetime.timedelta)
        # RFC 5545 §3.6.6
        assert str(alarm["DESCRIPTION"]).strip(), alarm.to_ical()
    assert len({str(alarm["UID"]) for alarm in added}) == len(added)
    assert bool(added) == ("larms =" in RULE_SETS[rules].settings and "= []" not in RULE_SETS[rules].settings) or not any(map(timed, original(name).walk("VEVENT")))


@pytest.mark.parametrize("rules", ["alarms", "alarms beside others"])
def test_an_alarm_says_the_title_as_it_comes_out(rules):
    added = 0
    for event in events("by hand, plain", rules):
        for alarm in event.walk("VALARM"):
            if "UID" in alarm:
                assert str(alarm["DESCRIPTION"]) == str(event["SUMMARY"])
                added += 1
    assert added


# What must not come out

TELLING_NOTHING = {
    "DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID", "UID", "DTSTAMP", "LAST-MODIFIED", "SEQUENCE",
    "STATUS", "TRANSP", "CLASS", "SUMMARY", "X-MICROSOFT-CDO-BUSYSTATUS", "X-MICROSOFT-CDO-ALLDAYEVENT",
}


@EVERY_CALENDAR
def test_who_is_busy_tells_nothing_else(name):
    for event in events(name, "busy"):
        assert set(event) <= TELLING_NOTHING
        assert not event.subcomponents
        assert str(event["SUMMARY"]) == "taken"
        params = {name for value in event.values() for one in (value if isinstance(value, list) else [value]) for name in getattr(one, "params", {})}
        assert params <= {"TZID", "VALUE", "RANGE"}, event.to_ical()


@pytest.mark.parametrize("rules", [name for name, rules in RULE_SETS.items() if rules.busy(icalendar.Event({"RECURRENCE-ID": ""}))])
@EVERY_CALENDAR
def test_no_uid_of_who_is_busy_leads_back_and_series_stay_together(name, rules):
    before = original(name).walk("VEVENT")
    now = events(name, rules)
    assert len(before) == len(now)
    pairs = {(str(one["UID"]), str(other["UID"])) for one, other in zip(before, now)}
    hidden = {str(event["UID"]) for event in model.events_of(original(name)) if RULE_SETS[rules].busy(event)}
    assert len(pairs) == len({old for old, _ in pairs}) == len({new for _, new in pairs})
    assert all((old != new and old not in new) == (old in hidden) for old, new in pairs)


def attendance(text: bytes) -> list[str]:
    unfolded = re.sub(rb"\r?\n[ \t]", b"", text).decode()
    return [line for line in unfolded.splitlines() if re.match("(?i)(ATTENDEE|ORGANIZER)[;:]", line)]


@pytest.mark.parametrize("rules", [name for name, rules in RULE_SETS.items() if rules.anonymous])
@EVERY_CALENDAR
def test_no_address_of_the_original_is_among_those_who_attend(name, rules):
    text, _ = CALENDARS[name]
    addresses = {address.lower() for line in attendance(text) for address in re.findall(r"[\w.+-]+@[\w.-]+\w|urn:[\w:-]+", line)}
    now = "\n".join(attendance(published(name, rules))).lower()
    leaked = {address for address in addresses if address in now}
    assert not leaked


@EVERY_CALENDAR
def test_whoever_is_anonymous_is_the_same_person_everywhere(name):
    def people(text: bytes) -> list[str]:
        return [line.rpartition(":mailto:" if ":mailto:" in line.lower() else ":")[2].lower() for line in attendance(text.lower())]

    before, now = people(CALENDARS[name][0]), people(published(name, "anonymise"))
    pairs = set(zip(before, now, strict=True))
    assert len(pairs) == len({old for old, _ in pairs}) == len({new for _, new in pairs})


@EVERY_CALENDAR
@pytest.mark.parametrize("rules", ["strip", "anonymise, and strip attendees"])
def test_what_is_stripped_is_gone(name, rules):
    gone = {"strip": {"ATTENDEE", "ORGANIZER", "DESCRIPTION"}}.get(rules, {"ATTENDEE"})
    for event in events(name, rules):
        assert not gone & set(event), event.to_ical()
        assert not any(name.startswith("X-GOOGLE-") for name in event) or rules != "strip"


def test_a_meeting_is_joined_where_phones_look_for_it():
    link = "https://us02web.zoom.us/j/80000000001?pwd=Abc"
    joined = [event for event in events("by hand, plain", "join") if "URL" in event]
    assert [(str(event["URL"]), str(event["LOCATION"]), str(event["CONFERENCE"])) for event in joined] == [(link, link, link)]


def test_an_html_description_becomes_text_that_says_the_same():
    [told] = [str(event["DESCRIPTION"]) for event in events("by hand, plain", "plain text") if "DESCRIPTION" in event]
    assert not re.search("<(b|br|a)[ >]", told)
    assert all(word in told for word in ("Bring", "a pen", "this", "https://x.example/a"))


def test_every_set_of_rules_is_of_use():
    """Each changes something somewhere: rules that match nothing judge nothing."""
    for rules in set(RULE_SETS) - {"nothing"}:
        assert any(body(published(name, rules)) != body(published(name, "nothing")) for name in CALENDARS), rules


def body(text: bytes) -> bytes:
    return text[text.index(b"BEGIN:VEVENT"):]
