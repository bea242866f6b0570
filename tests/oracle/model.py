"""What must become of a calendar's instances under rules, made from what README.md says and not from calferry's code."""

import datetime
import zoneinfo
from collections import defaultdict
from collections.abc import Iterable

from icalendar import Calendar, Event

from expansion import expanded, mark, written
from rule_sets import Rules, is_override

UTC = datetime.timezone.utc
DAY = datetime.timedelta(days=1)
# Parts of a rule that stay right when a series moves to other days.
MOVABLE = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY"}
Instance = tuple[str, str, str, str]


def zone_of(calendar: Calendar) -> zoneinfo.ZoneInfo | None:
    name = calendar.get("X-WR-TIMEZONE")
    return zoneinfo.ZoneInfo(str(name)) if name else None


def events_of(calendar: Calendar) -> list[Event]:
    events = calendar.walk("VEVENT")
    for event in events:
        event.zone_of_calendar = zone_of(calendar)
    return events


def survivors(calendar: Calendar, rules: Rules, today: datetime.date) -> set[str]:
    """The marks of the components that come out."""
    series = defaultdict(list)
    for event in events_of(calendar):
        series[str(event["UID"])].append(event)
    return {mark(event) for events in series.values() for event in of_series(events, calendar, rules, today)}


def of_series(events: list[Event], calendar: Calendar, rules: Rules, today: datetime.date) -> list[Event]:
    verdicts = {mark(event): verdict(event, rules) for event in events}
    of_masters = {verdicts[mark(event)] for event in events if not is_override(event)}
    # A series that a rule drops, or that is cancelled, takes its changed instances with it. What I have answered to the
    # series says nothing of an instance that has an answer of its own.
    with_master = bool(of_masters) and of_masters <= {"dropped", "cancelled"}
    left = [event for event in events if verdicts[mark(event)] in ("kept", "stays")]
    if with_master:
        left = [event for event in left if verdicts[mark(event)] == "kept"]
    kept = any(verdicts[mark(event)] == "kept" for event in left)
    if rules.window and not kept and not in_window(left, events, calendar, rules.window, today):
        return []
    return left


def verdict(event: Event, rules: Rules) -> str:
    if rules.keeps(event):
        return "kept"
    if rules.drops(event):
        return "dropped"
    if rules.hides(event):
        return "cancelled" if str(event.get("STATUS", "")).upper() == "CANCELLED" else "hidden"
    return "stays"


def in_window(left: list[Event], events: list[Event], calendar: Calendar, window: tuple[int, int], today: datetime.date) -> bool:
    midnight = datetime.datetime.combine(today, datetime.time(), UTC)
    first, behind = midnight - window[0] * DAY, midnight + (window[1] + 1) * DAY
    alone = Calendar()
    alone.subcomponents = list(events)
    marks = {mark(event) for event in left}
    instances = expanded(alone, first - 2 * DAY, behind + 2 * DAY)
    zone = zone_of(calendar) or UTC
    return any(
        instant(instance.start, zone) < behind and max(instant(instance.end, zone), instant(instance.start, zone) + datetime.timedelta.resolution) > first
        for instance in instances if mark(instance) in marks)


def instant(time: datetime.date, zone: datetime.tzinfo) -> datetime.datetime:
    """Whole days and times without a zone are where the calendar is."""
    if not isinstance(time, datetime.datetime):
        time = datetime.datetime.combine(time, datetime.time())
    return time if time.tzinfo else time.replace(tzinfo=zone)


def moved(time: datetime.date, rules: Rules) -> datetime.date:
    if not isinstance(time, datetime.datetime):
        # A whole day moves by whole days only.
        return time + abs(rules.shift) // DAY * DAY * (1 if rules.shift > 0 * DAY else -1)
    if time.tzinfo is None and rules.pin:
        time = time.replace(tzinfo=zoneinfo.ZoneInfo(rules.pin))
    # Clocks are moved, not instants.
    return time + rules.shift


def can_follow(events: Iterable[Event], rules: Rules) -> bool:
    """Whether the series can move: not to another day if its rule names days by number, month or year."""
    for event in events:
        found = event.get("RRULE", [])
        for rule in found if isinstance(found, list) else [found]:
            names = {name.upper() for name in rule}
            start = event["DTSTART"].dt
            date = start.date() if isinstance(start, datetime.datetime) else start
            moves = moved(start, rules)
            other_day = (moves.date() if isinstance(moves, datetime.datetime) else moves) != date
            by_day = str(rule["FREQ"][0]).upper() == "WEEKLY" or "BYDAY" not in names
            plain = names <= MOVABLE and str(rule["FREQ"][0]).upper() in ("DAILY", "WEEKLY") and by_day
            if other_day and not plain:
                return False
    return True


def expected(calendar: Calendar, instances: list[Event], rules: Rules, today: datetime.date) -> list[tuple]:
    """Every instance that must come out, of all there are: where it comes from, its start and end, and its title."""
    marks = survivors(calendar, rules, today)
    series, sources = defaultdict(list), {}
    for event in events_of(calendar):
        series[str(event["UID"])].append(event)
        sources[mark(event)] = event
    unmoved = Rules("", pin=rules.pin)
    found = []
    for instance in instances:
        if mark(instance) in marks:
            how = rules if can_follow(series[str(instance["UID"])], rules) else unmoved
            found.append((mark(instance), moved(instance.start, how), moved(instance.end, how), rules.title(sources[mark(instance)])))
    return found


def between(instances: Iterable[tuple], first: datetime.date, behind: datetime.date) -> list[Instance]:
    """Those that begin between two days, as they are compared."""
    begins = ((instance, instance[1].date() if isinstance(instance[1], datetime.datetime) else instance[1]) for instance in instances)
    return sorted((name, written(start), written(end), title) for (name, start, end, title), day in begins if first <= day < behind)
