"""Names of time zones that every client knows, and no event moved by that."""

import functools
import pathlib
import re

import icalendar
import pytest
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

import expansion
import reading
import series
from corpus import with_fate
from findings import REMARKS, TALLY
from program import publish_file, publish_file_for_every_client, run
from test_readers import SECONDS_TO_EXPAND, deadline, windows

# A name that no client can be expected to know, whatever calferry does.
ZONED = re.compile(rb"(?im)^(?:[A-Z0-9-]+;(?:[^\":\r\n]|\"[^\"\r\n]*\")*?TZID=)(\"[^\"\r\n]*\"|[^;:\"\r\n]+)")


def calendars(path: pathlib.Path, text: bytes) -> list[icalendar.Calendar] | None:
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


@functools.cache
def known() -> set[str]:
    import zoneinfo

    return zoneinfo.available_timezones() | set(WINDOWS_TO_OLSON)


def instances(text: bytes, spans: list) -> dict[str, list]:
    """Every instance that recurring-ical-events finds, by the start of its component as it is written in the original."""
    found = []
    for calendar in calendars(pathlib.Path(), text) or []:
        calendar.subcomponents = [entry for entry in calendar.subcomponents if entry.name != "VEVENT" or "DTSTART" in entry]
        for span in spans:
            for entry in expansion.expanded(calendar, *span):
                found.append((str(entry.get("UID")), *expansion.span(entry)))
    return sorted(found)


def unclear(text: bytes) -> set[str]:
    """UIDs of events whose zone icalendar does not know: their times mean nothing until somebody says what the name means."""
    found = set()
    for calendar in calendars(pathlib.Path(), text) or []:
        for event in calendar.walk("VEVENT"):
            for value in event.values():
                for one in value if isinstance(value, list) else [value]:
                    tzid = getattr(one, "params", {}).get("TZID")
                    if tzid and getattr(getattr(one, "dt", None), "tzinfo", None) is None:
                        found.add(str(event.get("UID")))
    return found


def test_no_event_is_moved_by_another_name_of_its_zone(accepted):
    before, after = publish_file(accepted), publish_file_for_every_client(accepted)
    assert after.code == 0, after.errors
    if calendars(accepted, before.text) is None:
        assert calendars(accepted, after.text) is None
        return
    spans = windows(before.text)
    try:
        with deadline(SECONDS_TO_EXPAND):
            one = instances(before.text, spans)
    except (ValueError, TypeError, AttributeError) as error:
        TALLY["zones: calendars that recurring-ical-events cannot expand"] += 1
        with pytest.raises(type(error)):
            instances(after.text, spans)
        return
    other = instances(after.text, spans)
    strange = unclear(before.text)
    if strange:
        REMARKS.append(f"zones that icalendar does not know: {accepted.name}: {', '.join(sorted(zones(before.text)[0] - zones(before.text)[1]))}")
    assert [found for found in other if found[0] not in strange] == [found for found in one if found[0] not in strange]
    assert {found[0] for found in other} == {found[0] for found in one}
    TALLY["zones: instances compared"] += len(one)
    TALLY["zones: calendars whose text was changed"] += before.text != after.text


def test_every_zone_that_is_used_is_declared_or_known_to_nobody(accepted):
    used, declared = zones(publish_file_for_every_client(accepted).text)
    missing = {name for name in used - declared if name in known()}
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
    # A year of weeks: whatever the zone does with its clocks, it does it in one.
    return series.calendar({"x": [f"DTSTART;TZID={name}:20260105T100000|DURATION:PT1H|RRULE:FREQ=WEEKLY;COUNT=52"]})


@pytest.mark.parametrize("name", sorted(WINDOWS_TO_OLSON))
def test_a_name_of_windows_becomes_the_one_that_icalendar_has_for_it(name):
    done = run(with_zone(name.replace('"', "")), "-")
    assert done.code == 0, done.errors
    [tzid], declared = zones(done.text)
    assert declared == {tzid}
    assert same_zone(tzid, WINDOWS_TO_OLSON[name]), (tzid, WINDOWS_TO_OLSON[name])
    TALLY["zones: names of Windows that become the same name"] += tzid == WINDOWS_TO_OLSON[name]
    if tzid != WINDOWS_TO_OLSON[name]:
        REMARKS.append(f"name of Windows: {name}: {tzid}, for icalendar {WINDOWS_TO_OLSON[name]}")


def same_zone(one: str, other: str) -> bool:
    """Two names, and one time."""
    import datetime
    import zoneinfo

    moments = [datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(days=7 * week) for week in range(52 * 12)]
    zones = [zoneinfo.ZoneInfo(name) for name in (one, other)]
    return all(len({moment.astimezone(zone).utcoffset() for zone in zones}) == 1 for moment in moments)
