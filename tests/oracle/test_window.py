"""A window keeps the series that recurring-ical-events finds an instance of in it, and no others."""

import datetime
import functools

import pytest
import recurring_ical_events

import expansion
import series
from findings import TALLY
from program import publish_feed

DAY = datetime.timedelta(days=1)
UTC = datetime.timezone.utc
SPANS = [(0, 0), (1, 1), (7, 14), (30, 90), (0, 400), (400, 0)]
# Among them the days before, of and after each change of clocks, the turns of years, and a leap day.
TODAYS = [
    "2024-02-29", "2025-12-31", "2026-01-01", "2026-03-07", "2026-03-08", "2026-03-09", "2026-03-28", "2026-03-29", "2026-03-30",
    "2026-04-01", "2026-04-02", "2026-04-03", "2026-05-03", "2026-06-15", "2026-10-24", "2026-10-25", "2026-10-26", "2026-10-31",
    "2026-11-01", "2026-11-02", "2026-12-31", "2027-01-01", "2027-06-15", "2028-02-29", "2031-05-05",
]
WINDOWS = [(today, *SPANS[(number + shift) % len(SPANS)]) for shift in (0, 1, 3) for number, today in enumerate(TODAYS)]
CALENDARS = {"by hand": series.EVERYTHING} | {f"at random {seed}": series.at_random(seed, 40) for seed in range(2)}
CASES = [(name, *window) for name in CALENDARS for window in (WINDOWS if name == "by hand" else WINDOWS[::2])]

# What calferry says that it does not follow: such a series stays, whatever the window.
NOT_FOLLOWED = {
    "every hour": ["DTSTART:20200101T000000Z|DURATION:PT5M|RRULE:FREQ=HOURLY;COUNT=5"],
    "every minute": ["DTSTART:20200101T000000Z|DURATION:PT5M|RRULE:FREQ=MINUTELY;COUNT=5"],
    "by another calendar": ["DTSTART;VALUE=DATE:20200101|RRULE:RSCALE=CHINESE;FREQ=YEARLY;COUNT=2"],
}

@functools.cache
def text_of(name: str) -> bytes:
    return series.calendar(CALENDARS[name])


@functools.cache
def expanded(name: str) -> recurring_ical_events.CalendarQuery:
    return recurring_ical_events.of(expansion.parsed(text_of(name)))


def in_window(name: str, first: datetime.datetime, behind: datetime.datetime) -> set[str]:
    return {str(instance["UID"]) for instance in expanded(name).between(first, behind)}


def kept(text: bytes, today: str, settings: str) -> set[str]:
    published = publish_feed(settings, {"one": text}, today)
    assert published.code == 0, published.errors
    return {str(event["UID"]) for event in expansion.parsed(published.text).walk("VEVENT")}


def around(today: str, past: int, future: int) -> tuple[datetime.datetime, datetime.datetime]:
    midnight = datetime.datetime.combine(datetime.date.fromisoformat(today), datetime.time(), UTC)
    return midnight - past * DAY, midnight + DAY + future * DAY


@pytest.mark.parametrize("name, today, past, future", CASES)
def test_a_series_stays_if_and_only_if_an_instance_of_it_is_in_the_window(name, today, past, future):
    expected = in_window(name, *around(today, past, future))
    found = kept(text_of(name), today, f'window = {{ past = "{past}d", future = "{future}d" }}')
    assert found == expected, {uid: (CALENDARS[name][uid], "is kept" if uid in found else "is gone") for uid in expected ^ found}
    TALLY["windows: series looked at"] += len(CALENDARS[name])


@pytest.mark.parametrize("end", ["past", "future"])
@pytest.mark.parametrize("today", TODAYS[::4])
def test_a_window_with_one_end_is_open_at_the_other(today, end):
    first, behind = around(today, 30, 30)
    # Nothing here begins before 1980, and every series that has no end has an instance in any ten years.
    first, behind = (first, behind + 3650 * DAY) if end == "past" else (datetime.datetime(1979, 1, 1, tzinfo=UTC), behind)
    assert kept(text_of("by hand"), today, f'window = {{ {end} = "30d" }}') == in_window("by hand", first, behind)


@pytest.mark.parametrize("today", ["2019-06-01", "2020-01-01", "2026-11-22"])
def test_a_series_that_is_not_followed_stays_whatever_the_window(today):
    text = series.calendar(NOT_FOLLOWED)
    assert kept(text, today, 'window = { past = "1d", future = "1d" }') == set(NOT_FOLLOWED)
