"""Programs that subscribers use must read the same from what calferry publishes as from the original."""

import contextlib
import datetime
import functools
import pathlib
import re
import signal

import icalendar
import recurring_ical_events

import ical_js
import reading
from corpus import with_fate
from findings import REMARKS, TALLY
from program import publish_file

STAMPED = {"VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY"}
SECONDS_TO_EXPAND = 120


def original(path: pathlib.Path) -> bytes:
    """The calendar as it came, or as near to it as these readers can take."""
    return reading.for_readers(path.read_bytes())


def tell_unreadable(reader: str, path: pathlib.Path, error: str) -> None:
    TALLY[f"{reader}: calendars it can read neither before nor after"] += 1
    REMARKS.append(f"{reader} cannot read {path.name}: {error.splitlines()[0][:100]}")


def accepted_calendars() -> list[pathlib.Path]:
    return list(with_fate(0).values())


def test_nearly_all_originals_are_given_to_the_readers_as_they_came():
    accepted = accepted_calendars()
    changed = [path.name for path in accepted if original(path) != path.read_bytes()]
    TALLY["originals the readers were given without folds, or without lines that belong to no calendar"] = len(changed)
    REMARKS.append(f"given without: {', '.join(changed)}")
    assert len(changed) * 10 < len(accepted)


def test_every_reader_can_read_nearly_all_originals():
    accepted = accepted_calendars()
    unread = {
        "icalendar": [path.name for path in accepted if isinstance(understood_before(path), str)],
        "ical.js": [path.name for path in accepted if "error" in read_with_ical_js()[f"{path} before"]],
        "recurring-ical-events": [path.name for path in accepted if isinstance(instances_before(path), str)],
    }
    for reader, names in unread.items():
        assert len(names) * 40 < len(accepted), f"{reader} cannot read {names}"


# icalendar


def read_with_icalendar(text: bytes) -> list[icalendar.Component]:
    return icalendar.Calendar.from_ical(text, multiple=True)


def outline(component: icalendar.Component) -> dict:
    """All that icalendar understood of a component."""
    properties = [
        [name, type(value).__name__, value.to_ical(), sorted(value.params.items())]
        for name, value in component.property_items(recursive=False, sorted=False)
        if name not in ("BEGIN", "END")
    ]
    inner = [outline(inner) for inner in component.subcomponents]
    return {"name": component.name, "properties": properties, "inner": inner, "errors": component.errors}


def as_mended(component: dict) -> dict:
    """An outline of an original as it must be after mending."""
    properties = component["properties"]
    if component["name"] == "VCALENDAR":
        properties = [known for known in properties if known[0] != "METHOD"]
    if component["name"] in STAMPED:
        times = {name: value for name, _, value, _ in reversed(properties)}
        properties = [[name, kind, stamp(times) if name == "DTSTAMP" else value, params] for name, kind, value, params in properties]
    return component | {"properties": properties, "inner": [as_mended(inner) for inner in component["inner"]]}


def stamp(times: dict[str, bytes]) -> bytes:
    revised = times.get("LAST-MODIFIED") or times.get("CREATED") or times["DTSTAMP"]
    # icalendar writes every time it understood in one form, so that times sort as text.
    return min(times["DTSTAMP"], revised)


def understood(text: bytes) -> list[dict] | str:
    """What icalendar makes of all calendars in `text`, or why it cannot read it."""
    try:
        return [outline(calendar) for calendar in read_with_icalendar(text)]
    except ValueError as error:
        return str(error)


@functools.cache
def understood_before(path: pathlib.Path) -> list[dict] | str:
    return understood(original(path))


def test_icalendar_reads_the_same_values_from_what_is_published(accepted):
    before, after = understood_before(accepted), understood(publish_file(accepted).text)
    if isinstance(before, str):
        assert after == before
        tell_unreadable("icalendar", accepted, before)
    else:
        assert after == [as_mended(calendar) for calendar in before]
        TALLY["icalendar: calendars read alike"] += 1


# ical.js


@functools.cache
def read_with_ical_js() -> dict[str, dict]:
    """Every accepted calendar before and after, in one process of node."""
    texts = {}
    for path in accepted_calendars():
        texts |= {f"{path} before": original(path), f"{path} after": publish_file(path).text}
    return ical_js.read(texts)


def calendars_of(jcal: list) -> list:
    """ical.js gives one calendar, or a list of several."""
    return [jcal] if jcal and isinstance(jcal[0], str) else jcal


def jcal_as_mended(component: list) -> list:
    name, properties, inner = component
    if name == "vcalendar":
        properties = [known for known in properties if known[0] != "method"]
    if name.upper() in STAMPED:
        times = {known[0].upper(): known[3] for known in reversed(properties)}
        properties = [[*known[:3], stamp(times), *known[4:]] if known[0] == "dtstamp" else known for known in properties]
    return [name, properties, [jcal_as_mended(component) for component in inner]]


def test_ical_js_reads_the_same_values_from_what_is_published(accepted):
    read = read_with_ical_js()
    before, after = read[f"{accepted} before"], read[f"{accepted} after"]
    if "error" in before:
        assert after == before
        tell_unreadable("ical.js", accepted, before["error"])
    else:
        expected = [jcal_as_mended(calendar) for calendar in calendars_of(before["calendar"])]
        assert calendars_of(after["calendar"]) == expected
        TALLY["ical.js: calendars read alike"] += 1


# recurring-ical-events


class TooSlow(Exception):
    """An expansion took longer than a test may."""


@contextlib.contextmanager
def deadline(seconds: int):
    def stop(_signal, _frame):
        raise TooSlow(f"more than {seconds} s")

    earlier = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, earlier)


def windows(text: bytes) -> list[tuple[datetime.date, datetime.date]]:
    """Three years around 2026, and three from the calendar's own first date on."""
    years = [int(year) for year in re.findall(rb"(?m)^DTSTART[^\r\n]*?:(\d{4})\d{4}", text)]
    first = [max(1970, min(year for year in years if year > 1601))] if any(year > 1601 for year in years) else []
    return [(datetime.date(year, 1, 1), datetime.date(year + 3, 1, 1)) for year in {2025, *first}]


def instances(text: bytes, spans: list[tuple[datetime.date, datetime.date]]) -> list[tuple] | str:
    """Every instance of every entry, as kind, UID, start and end; or why there are none to be had."""
    found = []
    try:
        for calendar in read_with_icalendar(text):
            # An entry that cannot be expanded is left out, not the calendar it stands in.
            entries = calendar.subcomponents
            calendar.subcomponents = [entry for entry in entries if entry.name != "VEVENT" or "DTSTART" in entry]
            query = recurring_ical_events.of(calendar, components=["VEVENT", "VTODO", "VJOURNAL"], skip_bad_series=True)
            for span in spans:
                for entry in query.between(*span):
                    times = [str(entry[name].dt) if name in entry else None for name in ("DTSTART", "DTEND", "DUE")]
                    found.append((entry.name, str(entry.get("UID")), *times))
    except (ValueError, TypeError, AttributeError) as error:
        return repr(error)
    return sorted(found, key=repr)


@functools.cache
def instances_before(path: pathlib.Path) -> list[tuple] | str:
    with deadline(SECONDS_TO_EXPAND):
        return instances(original(path), windows(original(path)))


def test_recurring_events_expand_to_the_same_instances(accepted):
    before = instances_before(accepted)
    with deadline(SECONDS_TO_EXPAND):
        after = instances(publish_file(accepted).text, windows(original(accepted)))
    assert after == before
    if isinstance(before, str):
        tell_unreadable("recurring-ical-events", accepted, before)
    else:
        TALLY["recurring-ical-events: calendars expanded alike"] += 1
        TALLY["recurring-ical-events: instances"] += len(before)
