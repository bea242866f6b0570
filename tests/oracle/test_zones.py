"""Names of time zones that every client knows, and no event moved by that."""

import re
import zoneinfo

import icalendar
import pytest
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

import expansion
import reading
import series
from findings import REMARKS, TALLY
from program import publish_file, publish_file_for_every_client, run
from test_readers import SECONDS_TO_EXPAND, deadline, windows

# The value of a line's TZID parameter.
ZONED = re.compile(rb"(?im)^(?:[A-Z0-9-]+;(?:[^\":\r\n]|\"[^\"\r\n]*\")*?TZID=)(\"[^\"\r\n]*\"|[^;:\"\r\n]+)")


def calendars(text: bytes) -> list[icalendar.Calendar] | None:
    try:
        return icalendar.Calendar.from_ical(reading.for_readers(text), multiple=True)
    except ValueError:
        return None


def zones(text: bytes) -> tuple[set[str], set[str]]:
    """The names of zones that are used, and those that are declared."""
    unfolded = [line.unfolded for line in reading.content_lines(text)]
    used = {match[1].decode("utf-8", "replace").strip('"') for line in unfolded if (match := ZONED.match(line))}
    declared = {line.partition(b":")[2].decode("utf-8", "replace") for line in unfolded if re.match(rb"(?i)TZID[:;]", line)}
    return used, declared


KNOWN_TO_ALL = zoneinfo.available_timezones() | set(WINDOWS_TO_OLSON)


def instances(text: bytes, spans: list) -> list[tuple]:
    """Every instance that recurring-ical-events finds, by its UID."""
    found = []
    for calendar in calendars(text) or []:
        calendar.subcomponents = [entry for entry in calendar.subcomponents if entry.name != "VEVENT" or "DTSTART" in entry]
        found += [(str(entry.get("UID")), *expansion.span(entry)) for span in spans for entry in expansion.expanded(calendar, *span)]
    return sorted(found)


def unclear(text: bytes) -> set[str]:
    """UIDs of events in a zone that icalendar does not know: they are nowhere until somebody says what the name means."""
    starts = ((event, event["DTSTART"]) for calendar in calendars(text) or [] for event in calendar.walk("VEVENT") if "DTSTART" in event)
    return {str(event.get("UID")) for event, start in starts if "TZID" in start.params and getattr(start.dt, "tzinfo", None) is None}


def test_no_event_is_moved_by_another_name_of_its_zone(accepted):
    before, after = publish_file(accepted), publish_file_for_every_client(accepted)
    assert after.code == 0, after.errors
    if before.text == after.text or calendars(before.text) is None:
        return
    TALLY["zones: calendars whose zones came out differently"] += 1
    spans, strange = windows(before.text), unclear(before.text)
    with deadline(SECONDS_TO_EXPAND):
        one, other = instances(before.text, spans), instances(after.text, spans)
    assert [found for found in other if found[0] not in strange] == [found for found in one if found[0] not in strange]
    assert {found[0] for found in other} == {found[0] for found in one}
    TALLY["zones: instances compared"] += sum(found[0] not in strange for found in one)
    if strange:
        used, declared = zones(before.text)
        REMARKS.append(f"events in a zone that icalendar does not know: {len(strange)} in {accepted.name}: {', '.join(sorted(used - declared))}")


def test_every_zone_that_is_used_is_declared_or_known_to_nobody(accepted):
    used, declared = zones(publish_file_for_every_client(accepted).text)
    missing = {name for name in used - declared if name in KNOWN_TO_ALL}
    assert not missing, (accepted, missing)
    for name in sorted(used - declared):
        REMARKS.append(f"zone without a declaration: {accepted.name}: {name}")


def test_nothing_but_zones_comes_out_differently(accepted):
    def rest(text: bytes) -> list[bytes]:
        lines, inside = [], False
        for line in reading.content_lines(text):
            inside |= line.name == b"BEGIN" and line.component == b"VTIMEZONE"
            if not inside:
                lines.append(re.sub(rb'(?i)(;TZID=)("[^"]*"|[^;:"]*)', rb"\1", line.unfolded))
            inside &= not (line.name == b"END" and line.component == b"VTIMEZONE")
        return lines

    assert rest(publish_file_for_every_client(accepted).text) == rest(publish_file(accepted).text)


def test_a_second_time_nothing_changes(accepted):
    text = publish_file_for_every_client(accepted).text
    again = run(text, "-")
    assert again.code == 0, again.errors
    assert again.text == text


def with_zone(name: str) -> bytes:
    return series.calendar({"x": [f"DTSTART;TZID={name}:20260105T100000|DURATION:PT1H|RRULE:FREQ=WEEKLY;COUNT=52"]})


@pytest.mark.parametrize("name", sorted(WINDOWS_TO_OLSON))
def test_a_name_of_windows_becomes_the_one_that_icalendar_has_for_it(name):
    done = run(with_zone(name.replace('"', "")), "-")
    assert done.code == 0, done.errors
    [tzid], declared = zones(done.text)
    assert declared == {tzid}
    # What is a name to everybody already stays.
    assert tzid == (name if name in zoneinfo.available_timezones() else WINDOWS_TO_OLSON[name])
