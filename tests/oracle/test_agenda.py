"""`calferry agenda` finds the instances that recurring-ical-events finds, when it finds them, on the clocks of any zone."""

import datetime
import functools
import json
import pathlib
import subprocess
import tempfile
import zoneinfo

import pytest

import expansion
import series
from findings import TALLY
from program import PROGRAM, SECONDS, publish_feed

FIXTURES = pathlib.Path(__file__).parent.parent / "fixtures"
ZONES = ["Asia/Shanghai", "America/New_York", "Australia/Lord_Howe"]
DAY = datetime.timedelta(days=1)
FIRST, DAYS = datetime.date(2026, 1, 1), 366
# A date as the end of a series with times counts to its end here, and from its beginning there.
OTHERWISE = {"until a date"}
SETTINGS = 'refresh = "15m"'

AGENDA = {
    "this and all that follow": [
        "DTSTART;TZID=Europe/Berlin:20260105T090000|DURATION:PT1H|RRULE:FREQ=WEEKLY;COUNT=40",
        "RECURRENCE-ID;TZID=Europe/Berlin;RANGE=THISANDFUTURE:20260302T090000|DTSTART;TZID=Europe/Berlin:20260302T110000|DURATION:PT2H",
    ],
    "a night in which clocks change": [
        "DTSTART;TZID=Europe/Berlin:20260301T230000|DTEND;TZID=Europe/Berlin:20260302T060000|RRULE:FREQ=DAILY",
    ],
    "an hour that is skipped": ["DTSTART;TZID=America/New_York:20260301T023000|DURATION:PT30M|RRULE:FREQ=DAILY;COUNT=30"],
    "floating": ["DTSTART:20260101T120000|DTEND:20260101T130000|RRULE:FREQ=MONTHLY"],
    "three days a month": ["DTSTART;VALUE=DATE:20250110|DTEND;VALUE=DATE:20250113|RRULE:FREQ=MONTHLY|EXDATE;VALUE=DATE:20260510"],
    "one to whom there is no master": ["RECURRENCE-ID:20260401T100000Z|DTSTART:20260402T100000Z|DTEND:20260402T110000Z"],
    "across the year's turn": ["DTSTART:20251230T100000Z|DTEND:20260103T100000Z"],
}


@functools.cache
def texts() -> dict[str, bytes]:
    texts = {path.stem: path.read_bytes() for path in sorted(FIXTURES.glob("*.ics"))}
    texts |= {"by hand": series.calendar({uid: text for uid, text in series.EVERYTHING.items() if uid not in OTHERWISE}), "for agendas": series.calendar(AGENDA)}
    return texts | {f"at random {seed}": series.calendar(series.at_random(seed, 40)) for seed in range(2)}


@functools.cache
def published(name: str) -> bytes:
    return publish_feed(SETTINGS, {"one": texts()[name]}, "2026-11-22").text


def agenda(name: str, zone: str) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        settings, source = pathlib.Path(folder, "calferry.toml"), pathlib.Path(folder, "a.ics")
        settings.write_text(
            f'state_dir = "{folder}/state"\n[source.one]\nurl = "https://one.example/a.ics"\n'
            f'[feed.me]\nsources = ["one"]\n{SETTINGS}\n', "utf-8")
        source.write_bytes(texts()[name])
        command = [PROGRAM, "agenda", "me", "--config", settings, "--source-file", source, "--json",
                   "--tz", zone, "--from", str(FIRST), "--days", str(DAYS)]
        done = subprocess.run(command, capture_output=True, timeout=SECONDS)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def by_another_calendar(name: str) -> set[str]:
    """The series by the moon: calferry says that it does not follow them, and its reader takes them for others."""
    events = expansion.parsed(published(name)).walk("VEVENT")
    return {str(event["UID"]) for event in events if "RSCALE" in event.get("RRULE", {})}


def shown(time: expansion.Time, zone: zoneinfo.ZoneInfo) -> datetime.datetime:
    """What the zone's clocks show then. Whole days and floating times are the same on all clocks."""
    if not isinstance(time, datetime.datetime):
        return datetime.datetime.combine(time, datetime.time())
    # By way of UTC, or a time that is skipped would be shown on the clocks that never showed it.
    return time.astimezone(expansion.UTC).astimezone(zone).replace(tzinfo=None) if time.tzinfo else time


def expected(name: str, zone: str) -> list[tuple[str, str, str]]:
    clocks, found = zoneinfo.ZoneInfo(zone), []
    begin = datetime.datetime.combine(FIRST, datetime.time())
    behind = begin + DAYS * DAY
    utc = expansion.UTC
    # Wider than the window, and then cut by the clocks of the zone.
    for instance in expansion.expanded(expansion.parsed(published(name)), (begin - 3 * DAY).replace(tzinfo=utc), (behind + 3 * DAY).replace(tzinfo=utc)):
        start, end = shown(instance.start, clocks), shown(instance.end, clocks)
        if start < behind and (end > begin or start >= begin):
            form = "%Y-%m-%dT%H:%M:%S" if isinstance(instance.start, datetime.datetime) else "%Y-%m-%d"
            found.append((str(instance.get("UID", "")), f"{start:{form}}", f"{max(start, end):{form}}"))
    return sorted(found)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("name", texts())
def test_an_agenda_has_the_instances_of_a_year_on_the_clocks_of_a_zone(name, zone):
    listed = agenda(name, zone)
    unfollowed = by_another_calendar(name)
    found = sorted((item["uid"], item["start"], item["end"]) for item in listed["list"] if item["uid"] not in unfollowed)
    wanted = [one for one in expected(name, zone) if one[0] not in unfollowed]
    assert listed["unfollowed"] == len(unfollowed)
    assert found == wanted, {"missing": set(wanted) - set(found), "invented": set(found) - set(wanted)}
    TALLY["agendas: instances compared"] += len(found)
