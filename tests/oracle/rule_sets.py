"""Rules as they stand in settings, each with what it asks for, said once more in the terms of icalendar."""

import datetime
import re
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass

from icalendar import Event

ME = "me@corp.example"
MINUTE = datetime.timedelta(minutes=1)
Predicate = Callable[[Event], bool]


def nothing(_event: Event) -> bool:
    return False


def summary(event: Event) -> str:
    return str(event.get("SUMMARY", ""))


@dataclass(frozen=True)
class Rules:
    """The settings of a feed, and what they ask of an event by itself."""

    settings: str
    # A rule drops it, unless one before that keeps it.
    drops: Predicate = nothing
    keeps: Predicate = nothing
    # `hide` is asked when no rule has said anything.
    hides: Predicate = nothing
    # Days before and after today.
    window: tuple[int, int] | None = None
    # How long before its time, or after, it takes place.
    shift: datetime.timedelta = datetime.timedelta()
    # The zone of times that have none.
    pin: str | None = None
    title: Callable[[Event], str] = summary
    # It is told only that somebody is busy.
    busy: Predicate = nothing
    # Other people's addresses are gone.
    anonymous: bool = False


def is_override(event: Event) -> bool:
    return "RECURRENCE-ID" in event


def is_recurring(event: Event) -> bool:
    return any(name in event for name in ("RRULE", "RDATE", "RECURRENCE-ID"))


def is_all_day(event: Event) -> bool:
    return not isinstance(event["DTSTART"].dt, datetime.datetime)


def says(name: str, word: str) -> Predicate:
    return lambda event: str(event.get(name, "")).upper() == word


def titled(pattern: str) -> Predicate:
    return lambda event: re.search(pattern, summary(event)) is not None


def attendees(event: Event) -> list:
    found = event.get("ATTENDEE", [])
    return found if isinstance(found, list) else [found]


def answered(word: str) -> Predicate:
    """I have, with this word; whoever has said nothing needs to act (RFC 5545 §3.2.12)."""

    def predicate(event: Event) -> bool:
        for attendee in attendees(event):
            names = [str(attendee).lower().removeprefix("mailto:"), str(attendee.params.get("EMAIL", "")).lower()]
            if ME in names:
                return attendee.params.get("PARTSTAT", "NEEDS-ACTION").upper() == word
        return False

    return predicate


def length(event: Event) -> datetime.timedelta:
    """What it says of its length; else how much time passes, whatever clocks show in between."""
    if "DURATION" in event:
        return event["DURATION"].dt
    start, end = event.start, event.end
    if isinstance(start, datetime.datetime) and start.tzinfo is not None:
        start, end = start.astimezone(datetime.timezone.utc), end.astimezone(datetime.timezone.utc)
    return end - start


def local_start(event: Event) -> datetime.datetime:
    """When it begins where it takes place; what is written in UTC, where its calendar is."""
    start = event["DTSTART"].dt
    if is_all_day(event):
        return datetime.datetime.combine(start, datetime.time())
    if start.tzname() == "UTC" and event.zone_of_calendar:
        start = start.astimezone(event.zone_of_calendar)
    return start.replace(tzinfo=None)


def weekday_in_shanghai(event: Event) -> int:
    start = event["DTSTART"].dt
    zoned = isinstance(start, datetime.datetime) and start.tzinfo is not None
    return (start.astimezone(zoneinfo.ZoneInfo("Asia/Shanghai")) if zoned else start).weekday()


WHO = f'me = ["{ME}"]\n'
RULE = "[[feed.me.rule]]\n"
STAND_UP = titled("(?i)stand-?up")

RULE_SETS = {
    "nothing": Rules(""),
    "time zones as they are": Rules('time_zones = "keep"'),
    "drop by title": Rules(RULE + 'when = { summary = "(?i)stand-?up" }\ndrop = true', drops=STAND_UP),
    "drop changed instances by title": Rules(
        RULE + 'when = { summary = "^moved", override = true }\ndrop = true',
        drops=lambda event: is_override(event) and titled("^moved")(event)),
    "drop series, and keep changed instances": Rules(
        RULE + 'when = { override = true }\nkeep = true\n' + RULE + "when = { recurring = true }\ndrop = true",
        keeps=is_override, drops=is_recurring),
    "drop series": Rules(RULE + "when = { recurring = true }\ndrop = true", drops=is_recurring),
    "drop what is single": Rules(RULE + "when = { recurring = false }\ndrop = true", drops=lambda event: not is_recurring(event)),
    "drop every changed instance": Rules(RULE + "when = { override = true }\ndrop = true", drops=is_override),
    "drop whole days": Rules(RULE + "when = { all_day = true }\ndrop = true", drops=is_all_day),
    "drop what is long": Rules(
        RULE + 'when = { length = ">= 2h, < 3d" }\ndrop = true',
        drops=lambda event: datetime.timedelta(hours=2) <= length(event) < datetime.timedelta(days=3)),
    "drop weekends": Rules(
        RULE + 'when = { weekdays = "sat,sun", zone = "Asia/Shanghai" }\ndrop = true', drops=lambda event: weekday_in_shanghai(event) > 4),
    "drop the night": Rules(
        RULE + 'when = { hours = "22:00-07:30", all_day = false }\ndrop = true',
        drops=lambda event: not is_all_day(event) and not datetime.time(7, 30) <= local_start(event).time() < datetime.time(22)),
    "drop what begins from a day on": Rules(
        RULE + 'when = { from = "2026-04-01" }\ndrop = true', drops=lambda event: local_start(event).date() >= datetime.date(2026, 4, 1)),
    "hide what I declined": Rules(WHO + 'hide = ["declined"]', hides=answered("DECLINED")),
    "hide what is cancelled": Rules('hide = ["cancelled"]', hides=says("STATUS", "CANCELLED")),
    "hide what is free or not sure": Rules(
        'hide = ["free", "tentative"]',
        hides=lambda event: says("TRANSP", "TRANSPARENT")(event) or says("STATUS", "TENTATIVE")(event)),
    "a window": Rules('window = { past = "30d", future = "60d" }', window=(30, 60)),
    "a window and what is hidden": Rules(
        WHO + 'hide = ["declined", "cancelled"]\nwindow = { past = "5d", future = "20d" }',
        hides=lambda event: answered("DECLINED")(event) or says("STATUS", "CANCELLED")(event), window=(5, 20)),
    "a window, and keep some": Rules(
        'window = { past = "5d", future = "5d" }\n' + RULE + 'when = { summary = "keep|(?i)stand-up" }\nkeep = true',
        keeps=titled("keep|(?i:stand-up)"), window=(5, 5)),
    "strip": Rules(RULE + 'strip = ["ATTENDEE", "ORGANIZER", "X-GOOGLE-*", "VALARM", "DESCRIPTION"]'),
    "rewrite": Rules(
        RULE + 'set = { location = "{summary}; here, there", categories = ["A,B", "{summary}"], x-note = "a\\nb" }\nprefix = "[{source}] "\n'
        + RULE + 'when = { override = true }\nsuffix = " (changed)"\n' + RULE + "replace = { field = \"summary\", pattern = '(a)(n?)', with = '${2}$1, ' }",
        title=lambda event: re.sub("(a)(n?)", r"\2\1, ", f"[one] {summary(event)}{' (changed)' if is_override(event) else ''}")),
    "prefix by source": Rules('prefix = { one = "1: " }', title=lambda event: f"1: {summary(event)}"),
    "busy": Rules(RULE + 'busy = "taken"', title=lambda _event: "taken", busy=lambda _event: True),
    "busy where it is private, or a changed instance": Rules(
        RULE + 'when = { any = [{ class = "private" }, { override = true }] }\nbusy = "taken"',
        title=lambda event: "taken" if is_override(event) or says("CLASS", "PRIVATE")(event) else summary(event),
        busy=lambda event: is_override(event) or says("CLASS", "PRIVATE")(event)),
    "alarms": Rules('alarms = ["-10m", "0m"]'),
    "alarms in the place of others": Rules(RULE + 'alarms = ["-1d"]'),
    "alarms beside others": Rules(RULE + 'add_alarms = ["-15m"]\nprefix = "⏰ "', title=lambda event: f"⏰ {summary(event)}"),
    "join": Rules("join = true"),
    "anonymise": Rules("anonymise = true", anonymous=True),
    "anonymise, and strip attendees": Rules("anonymise = true\n" + RULE + 'strip = ["ATTENDEE"]', anonymous=True),
    "plain text": Rules(RULE + "plain_text = true"),
    "a quarter of an hour earlier": Rules(RULE + 'shift = "-15m"', shift=-15 * MINUTE),
    "three hours later": Rules(RULE + 'shift = "3h"', shift=180 * MINUTE),
    "a day later": Rules(RULE + 'shift = "1d"', shift=datetime.timedelta(days=1)),
    "pin": Rules(RULE + 'pin = "Asia/Shanghai"', pin="Asia/Shanghai"),
    "everything at once": Rules(
        WHO + 'hide = ["declined", "cancelled"]\nwindow = { past = "100d", future = "200d" }\njoin = true\nanonymise = true\nalarms = ["-5m"]\n'
        'prefix = { one = "1: " }\nname = "All; of, it"\ncolor = "tomato"\n' + RULE + "when = { summary = '(?i)stand-?up' }\ndrop = true\n"
        + RULE + 'plain_text = true\nsuffix = "!"\nstrip = ["CATEGORIES"]',
        drops=STAND_UP, hides=lambda event: answered("DECLINED")(event) or says("STATUS", "CANCELLED")(event), window=(100, 200),
        title=lambda event: f"1: {summary(event)}!", anonymous=True),
}
