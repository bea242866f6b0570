"""What recurring-ical-events makes of a calendar."""

import datetime

import icalendar
import recurring_ical_events

from series import MARK

UTC = datetime.timezone.utc
Time = datetime.datetime | datetime.date


def parsed(text: bytes) -> icalendar.Calendar:
    return icalendar.Calendar.from_ical(text)


def expanded(calendar: icalendar.Calendar, first: Time, behind: Time) -> list[icalendar.Event]:
    """Every instance between two moments, each as an event of its own; of a series it cannot expand, none."""
    return list(recurring_ical_events.of(calendar, skip_bad_series=True).between(first, behind))


def span(instance: icalendar.Event) -> tuple[str, str]:
    """When it takes place: the same for times that are the same, in whichever zone they are written."""
    return written(instance.start), written(instance.end)


def written(time: Time) -> str:
    if isinstance(time, datetime.datetime) and time.tzinfo is not None:
        return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return str(time)


def mark(component: icalendar.Event) -> str:
    """Which component it is, or came from."""
    return str(component.get(MARK, ""))
