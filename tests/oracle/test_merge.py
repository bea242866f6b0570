"""Several sources in one calendar, and changed instances that stand for all that follow."""

import datetime
from collections import Counter

import pytest

import expansion
import ical_js
import series
from program import publish_feed
from trees import components_of_icalendar, components_of_jcal

TODAY = "2026-04-10"
FIRST, BEHIND = datetime.date(2025, 12, 1), datetime.date(2027, 12, 1)
DROP_MOVED = '[[feed.me.rule]]\nwhen = { summary = "^moved" }\ndrop = true'


def numbered(text: bytes, prefix: str) -> bytes:
    """With marks that are no other source's."""
    return text.replace(f"{series.MARK}:".encode(), f"{series.MARK}:{prefix}".encode())


def merged(settings: str = "", **sources: bytes) -> bytes:
    done = publish_feed(settings, sources, TODAY)
    assert done.code == 0, done.errors
    calendar = expansion.parsed(done.text)
    assert not [error for component in calendar.walk() for error in component.errors]
    read = ical_js.read({"merged": done.text})["merged"]
    assert "error" not in read, read
    assert components_of_jcal(read["calendar"], values=False) == components_of_icalendar(calendar, values=False)
    return done.text


def instances(*texts: bytes) -> Counter:
    found = [one for text in texts for one in expansion.expanded(expansion.parsed(text), FIRST, BEHIND)]
    return Counter((expansion.mark(one), *expansion.span(one)) for one in found)


def test_sources_that_share_nothing_become_one_calendar_of_all_their_instances():
    one, two = (numbered(series.calendar(events), name) for events, name in ((series.BERLIN, "a"), (series.OVERRIDES | series.PLAIN, "b")))
    assert instances(merged(one=one, two=two)) == instances(one, two)


def test_a_source_twice_is_the_same_as_once():
    text = series.calendar(series.EVERYTHING)
    assert instances(merged(one=text, two=text)) == instances(text)


def test_rules_see_which_source_an_event_is_from():
    one, two = numbered(series.calendar(series.BERLIN), "a"), numbered(series.calendar(series.DAYS), "b")
    settings = '[[feed.me.rule]]\nwhen = { source = "one" }\ndrop = true'
    assert instances(merged(settings, one=one, two=two)) == instances(two)


# For each, the event of the first source and of the second, and the marks of what must come out.
DOUBLES = {
    "the same": ("DTSTART:20260501T100000Z", "DTSTART:20260501T100000Z", "a"),
    "the second has a higher sequence": ("DTSTART:20260501T100000Z|SEQUENCE:1", "DTSTART:20260501T110000Z|SEQUENCE:2", "b"),
    "the first has a higher sequence, and was changed earlier":
        ("DTSTART:20260501T100000Z|SEQUENCE:12|LAST-MODIFIED:20260101T000000Z", "DTSTART:20260501T110000Z|SEQUENCE:2|LAST-MODIFIED:20260301T000000Z", "a"),
    "the second was changed later":
        ("DTSTART:20260501T100000Z|LAST-MODIFIED:20260101T000000Z", "DTSTART:20260501T110000Z|LAST-MODIFIED:20260301T000000Z", "b"),
    "the second has a new title and the old start": ("DTSTART:20260501T100000Z", "DTSTART:20260501T100000Z|SEQUENCE:1|SUMMARY:new", "b"),
    "only the UID is the same": ("DTSTART:20260501T100000Z|SUMMARY:one", "DTSTART:20260601T100000Z|SUMMARY:two", "ab"),
    "created at the same time": (
        "DTSTART:20260501T100000Z|SUMMARY:one|CREATED:20260101T000000Z", "DTSTART:20260601T100000Z|SUMMARY:two|CREATED:20260101T000000Z|SEQUENCE:1", "b"),
}


@pytest.mark.parametrize("first, second, winners", DOUBLES.values(), ids=DOUBLES)
def test_of_an_event_in_two_sources_the_newest_comes_out(first, second, winners):
    texts = {"a": numbered(series.calendar({"x": [first]}), "a"), "b": numbered(series.calendar({"x": [second]}), "b")}
    text = merged(one=texts["a"], two=texts["b"])
    assert instances(text) == instances(*(texts[winner] for winner in winners))
    uids = [str(event["UID"]) for event in expansion.parsed(text).walk("VEVENT")]
    assert len(uids) == len(set(uids)) == len(winners)


def test_a_changed_instance_alone_in_one_source_takes_its_place_in_the_series_of_another():
    master = "DTSTART:20260501T100000Z|DURATION:PT1H|RRULE:FREQ=DAILY;COUNT=3"
    changed = "RECURRENCE-ID:20260502T100000Z|DTSTART:20260502T150000Z|DURATION:PT1H"
    one, two = numbered(series.calendar({"x": [changed]}), "a"), numbered(series.calendar({"x": [master]}), "b")
    both = [("b1", "2026-05-01 10"), ("a1", "2026-05-02 15"), ("b1", "2026-05-03 10")]
    for text in (merged(one=one, two=two), merged(one=two, two=one)):
        assert sorted((mark, start[:13]) for mark, start, _ in instances(text)) == sorted(both)


ZONE = """BEGIN:VTIMEZONE
TZID:Zone of two calendars
BEGIN:STANDARD
DTSTART:19700101T000000
TZOFFSETFROM:{0}
TZOFFSETTO:{0}
END:STANDARD
END:VTIMEZONE
"""


def test_two_zones_of_one_name_stay_two():
    event = "DTSTART;TZID=Zone of two calendars:20260501T100000|DURATION:PT1H|RRULE:FREQ=DAILY;COUNT=3|EXDATE;TZID=Zone of two calendars:20260502T100000"
    one = numbered(series.calendar({"x": [event]}, ZONE.format("+0130")), "a")
    two = numbered(series.calendar({"y": [event]}, ZONE.format("-0500")), "b")
    text = merged(one=one, two=two)
    assert sorted(start for _, start, _ in instances(text)) == [
        "2026-05-01 08:30:00 UTC", "2026-05-01 15:00:00 UTC", "2026-05-03 08:30:00 UTC", "2026-05-03 15:00:00 UTC"]
    declared = [str(zone["TZID"]) for zone in expansion.parsed(text).walk("VTIMEZONE")]
    assert len(declared) == len(set(declared)) == 2


# THISANDFUTURE (RFC 5545 §3.8.4.4)

AND_FUTURE = {
    "counted": ["DTSTART:20260501T100000Z|DURATION:PT1H|RRULE:FREQ=DAILY;COUNT=9",
                "RECURRENCE-ID;RANGE=THISANDFUTURE:20260505T100000Z|DTSTART:20260505T120000Z|DURATION:PT1H|SUMMARY:moved"],
    "without end": ["DTSTART;TZID=Europe/Berlin:20261001T100000|DURATION:PT1H|RRULE:FREQ=WEEKLY",
                    "RECURRENCE-ID;TZID=Europe/Berlin;RANGE=THISANDFUTURE:20261029T100000|DTSTART;TZID=Europe/Berlin:20261029T120000|DURATION:PT1H|SUMMARY:moved"],
    "whole days": ["DTSTART;VALUE=DATE:20260501|RRULE:FREQ=DAILY;UNTIL=20260520",
                   "RECURRENCE-ID;VALUE=DATE;RANGE=THISANDFUTURE:20260510|DTSTART;VALUE=DATE:20260510|SUMMARY:moved"],
    "floating, and over before": ["DTSTART:20260501T100000|DURATION:PT1H|RRULE:FREQ=DAILY;COUNT=2",
                                  "RECURRENCE-ID;RANGE=THISANDFUTURE:20260505T100000|DTSTART:20260505T120000|DURATION:PT1H|SUMMARY:moved"],
}


@pytest.mark.parametrize("texts", AND_FUTURE.values(), ids=AND_FUTURE)
def test_a_changed_instance_that_stands_for_all_that_follow_takes_them_with_it(texts):
    text = series.calendar({"x": texts})
    rule_date = texts[1].partition("|")[0].rpartition(":")[2][:8]
    left = Counter({known: count for known, count in instances(series.calendar({"x": texts[:1]})).items() if known[1][:10].replace("-", "") < rule_date})
    assert instances(merged(DROP_MOVED, one=text)) == left
    assert left
