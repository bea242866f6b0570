"""Series written by hand, each with what other programs have been seen to get wrong, and series made at random.

Every event has an X-COMPONENT of its own, by which an instance tells from which component it came.
"""

import datetime
import itertools
import random

HEAD = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//oracle//series//EN\n"
MARK = "X-COMPONENT"
WEEKDAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]


def calendar(events: dict[str, list[str]], head: str = "") -> bytes:
    """A calendar of the series in `events`: for each UID the texts of its master and its changed instances.

    Lines of an event stand behind each other with `|` between them.
    """
    numbers = itertools.count(1)
    body = [vevent(uid, text, next(numbers)) for uid, texts in events.items() for text in texts]
    return f"{HEAD}{head}{''.join(body)}END:VCALENDAR\n".replace("\n", "\r\n").encode()


def vevent(uid: str, text: str, number: int) -> str:
    lines = [line for line in text.split("|")]
    if not any(line.startswith("SUMMARY") for line in lines):
        lines.append(f"SUMMARY:{uid}")
    own = [f"UID:{uid}", "DTSTAMP:20250101T000000Z", f"{MARK}:{number}", *lines]
    return "\n".join(["BEGIN:VEVENT", *own, "END:VEVENT\n"])


# Clocks change in Berlin on 29 March and 25 October 2026, in New York on 8 March and 1 November.
BERLIN = {
    "single": ["DTSTART;TZID=Europe/Berlin:20260329T013000|DTEND;TZID=Europe/Berlin:20260329T033000"],
    "daily at the hour that is skipped": ["DTSTART;TZID=Europe/Berlin:20260320T023000|DURATION:PT30M|RRULE:FREQ=DAILY;COUNT=20"],
    "daily at the hour that comes twice": ["DTSTART;TZID=Europe/Berlin:20261020T023000|DURATION:PT1H|RRULE:FREQ=DAILY;UNTIL=20261030T013000Z"],
    "daily without end": ["DTSTART;TZID=Europe/Berlin:20250601T073000|DTEND;TZID=Europe/Berlin:20250601T080000|RRULE:FREQ=DAILY"],
    "every third day over midnight": ["DTSTART;TZID=Europe/Berlin:20260101T233000|DTEND;TZID=Europe/Berlin:20260102T010000|RRULE:FREQ=DAILY;INTERVAL=3;COUNT=90"],
    "weekly on two days": [
        "DTSTART;TZID=Europe/Berlin:20260302T090000|DURATION:PT45M|RRULE:FREQ=WEEKLY;BYDAY=MO,TH;UNTIL=20261130T230000Z"
        "|EXDATE;TZID=Europe/Berlin:20260330T090000,20260402T090000|SUMMARY:Stand-up"],
    "every other week from Sunday": ["DTSTART;TZID=Europe/Berlin:20260104T100000|DURATION:PT1H|RRULE:FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=SU,MO"],
    "monthly on the last Friday": ["DTSTART;TZID=Europe/Berlin:20260130T160000|DURATION:PT2H|RRULE:FREQ=MONTHLY;BYDAY=-1FR"],
    "monthly on the 31st": ["DTSTART;TZID=Europe/Berlin:20260131T120000|DURATION:PT1H|RRULE:FREQ=MONTHLY;COUNT=8"],
    "dates alone": [
        "DTSTART;TZID=Europe/Berlin:20260210T080000|DURATION:PT1H|RDATE;TZID=Europe/Berlin:20260328T080000,20260330T080000"
        "|RDATE:20261026T070000Z"],
    "a rule and dates": [
        "DTSTART;TZID=Europe/Berlin:20260601T180000|DURATION:PT1H|RRULE:FREQ=WEEKLY;COUNT=3|RDATE;TZID=Europe/Berlin:20270105T180000"],
}
OVERRIDES = {
    "moved and cancelled": [
        "DTSTART;TZID=America/New_York:20260301T100000|DTEND;TZID=America/New_York:20260301T110000|RRULE:FREQ=WEEKLY;COUNT=12|SUMMARY:Review",
        "RECURRENCE-ID;TZID=America/New_York:20260308T100000|DTSTART;TZID=America/New_York:20260309T140000|DTEND;TZID=America/New_York:20260309T150000"
        "|SUMMARY:Review moved",
        "RECURRENCE-ID;TZID=America/New_York:20260315T100000|DTSTART;TZID=America/New_York:20260315T100000|DTEND;TZID=America/New_York:20260315T110000"
        "|STATUS:CANCELLED|SUMMARY:Review"],
    "moved far away": [
        "DTSTART;TZID=America/New_York:20260105T100000|DURATION:PT1H|RRULE:FREQ=DAILY;COUNT=5",
        "RECURRENCE-ID;TZID=America/New_York:20260107T100000|DTSTART;TZID=America/New_York:20270615T100000|DURATION:PT1H|SUMMARY:moved"],
    "named in UTC": [
        "DTSTART;TZID=America/New_York:20261026T093000|DURATION:PT1H|RRULE:FREQ=DAILY;COUNT=12",
        "RECURRENCE-ID:20261028T133000Z|DTSTART;TZID=America/New_York:20261028T180000|DURATION:PT1H|SUMMARY:moved evening",
        "RECURRENCE-ID:20261031T133000Z|DTSTART;TZID=America/New_York:20261031T180000|DURATION:PT1H|SUMMARY:moved on the eve of the change",
        "RECURRENCE-ID:20261103T143000Z|DTSTART;TZID=America/New_York:20261103T180000|DURATION:PT1H|SUMMARY:moved after the change"],
    "excluded in UTC": [
        "DTSTART;TZID=America/New_York:20261026T093000|DURATION:PT1H|RRULE:FREQ=DAILY;UNTIL=20261106T143000Z|EXDATE:20261028T133000Z"
        "|EXDATE:20261031T133000Z,20261103T143000Z"],
    "monthly with a changed instance": [
        "DTSTART:20260115T100000Z|DURATION:PT1H|RRULE:FREQ=MONTHLY;COUNT=6",
        "RECURRENCE-ID:20260315T100000Z|DTSTART:20260316T100000Z|DURATION:PT1H|SUMMARY:moved"],
    "declined once": [
        "DTSTART:20260401T120000Z|DTEND:20260401T130000Z|RRULE:FREQ=WEEKLY|ORGANIZER;CN=Boss:mailto:boss@corp.example"
        "|ATTENDEE;PARTSTAT=ACCEPTED;CN=\"Me, myself\":mailto:me@corp.example|ATTENDEE;CN=ann@corp.example:MAILTO:Ann@corp.example",
        "RECURRENCE-ID:20260408T120000Z|DTSTART:20260408T120000Z|DTEND:20260408T130000Z"
        "|ATTENDEE;PARTSTAT=DECLINED;EMAIL=me@corp.example:urn:uuid:1|ATTENDEE;SENT-BY=\"mailto:aide@corp.example\":mailto:ann@corp.example"],
    "declined altogether but once": [
        "DTSTART:20260402T120000Z|DURATION:PT1H|RRULE:FREQ=WEEKLY;COUNT=6|ATTENDEE;PARTSTAT=DECLINED:mailto:ME@corp.example",
        "RECURRENCE-ID:20260409T120000Z|DTSTART:20260409T120000Z|DURATION:PT1H|ATTENDEE;PARTSTAT=ACCEPTED:mailto:me@corp.example"],
    "cancelled altogether": [
        "DTSTART:20260403T120000Z|DURATION:PT1H|RRULE:FREQ=WEEKLY;COUNT=6|STATUS:CANCELLED",
        "RECURRENCE-ID:20260410T120000Z|DTSTART:20260411T120000Z|DURATION:PT1H|SUMMARY:moved"],
    "all but its changed instances excluded": [
        "DTSTART;VALUE=DATE:20260501|DTEND;VALUE=DATE:20260502|RRULE:FREQ=DAILY;COUNT=3|EXDATE;VALUE=DATE:20260501,20260503|TRANSP:TRANSPARENT",
        "RECURRENCE-ID;VALUE=DATE:20260502|DTSTART;VALUE=DATE:20260510|DTEND;VALUE=DATE:20260512|TRANSP:TRANSPARENT"],
    "an orphan": ["RECURRENCE-ID;TZID=Europe/Berlin:20260330T080000|DTSTART;TZID=Europe/Berlin:20260330T090000|DURATION:PT1H|SUMMARY:moved orphan"],
    "an orphan of a cancelled series": ["RECURRENCE-ID:20261101T080000Z|DTSTART:20261101T080000Z|DURATION:PT1H|STATUS:CANCELLED|SUMMARY:orphan"],
    "every instance changed": [
        "DTSTART:20260701T080000Z|DURATION:PT1H|RRULE:FREQ=DAILY;COUNT=2|SUMMARY:Stand-up",
        "RECURRENCE-ID:20260701T080000Z|DTSTART:20260704T080000Z|DURATION:PT1H|SUMMARY:moved one",
        "RECURRENCE-ID:20260702T080000Z|DTSTART:20260705T080000Z|DURATION:PT1H|SUMMARY:keep two"],
}
DAYS = {
    "a day": ["DTSTART;VALUE=DATE:20260401"],
    "three days": ["DTSTART;VALUE=DATE:20260327|DTEND;VALUE=DATE:20260330|TRANSP:TRANSPARENT"],
    "two days by duration": ["DTSTART;VALUE=DATE:20260610|DURATION:P2D|STATUS:TENTATIVE"],
    "a birthday": ["DTSTART;VALUE=DATE:19800229|DTEND;VALUE=DATE:19800301|RRULE:FREQ=YEARLY|CLASS:PRIVATE"],
    "every year": ["DTSTART;VALUE=DATE:20000310|RRULE:FREQ=YEARLY|SUMMARY:Stand-up day"],
    "weekends without one": ["DTSTART;VALUE=DATE:20260103|DTEND;VALUE=DATE:20260105|RRULE:FREQ=WEEKLY;UNTIL=20260601|EXDATE;VALUE=DATE:20260214"],
    "the first workday of the month": ["DTSTART;VALUE=DATE:20260101|RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1"],
}
PLAIN = {
    "floating": ["DTSTART:20260329T020000|DTEND:20260329T030000"],
    "floating daily": ["DTSTART:20260301T220000|DURATION:PT3H|RRULE:FREQ=DAILY;COUNT=40|EXDATE:20260329T220000"],
    "in UTC": ["DTSTART:20260401T235900Z|DTEND:20260402T000100Z|LOCATION:https://us02web.zoom.us/j/80000000001?pwd=Abc"],
    "of no length": ["DTSTART:20260402T000000Z|STATUS:TENTATIVE"],
    "at midnight": ["DTSTART:20260403T000000Z|DTEND:20260404T000000Z|RRULE:FREQ=WEEKLY;COUNT=4"],
    "over new year": ["DTSTART:20261231T220000Z|DTEND:20270101T020000Z|RRULE:FREQ=YEARLY;COUNT=3"],
    "with an HTML description": ["DTSTART:20260405T100000Z|DTEND:20260405T110000Z|DESCRIPTION:<b>Bring</b> a pen<br>and <a href=\"https://x.example/a\">this</a>"],
    "with alarms": [
        "DTSTART:20260406T100000Z|DTEND:20260406T110000Z|RRULE:FREQ=MONTHLY;BYMONTHDAY=6,-1;COUNT=30|CATEGORIES:A,B\\,C"
        "|BEGIN:VALARM|ACTION:DISPLAY|TRIGGER:-PT5M|DESCRIPTION:soon|END:VALARM"],
    "with a parameter that tells": ['DTSTART;X-NOTE="the secret room":20260407T100000Z|DTEND;X-NOTE=secret:20260407T110000Z'],
    "until a date": ["DTSTART:20260410T100000Z|DURATION:PT90M|RRULE:FREQ=DAILY;UNTIL=20260420"],
}
BY_HAND = {"Berlin": BERLIN, "overrides": OVERRIDES, "days": DAYS, "plain": PLAIN}
EVERYTHING = {uid: texts for events in BY_HAND.values() for uid, texts in events.items()}


def at_random(seed: int, count: int) -> dict[str, list[str]]:
    """Series of every frequency, form and end, some with dates beside their rule, holes and changed instances."""
    chance = random.Random(seed)
    return {f"random {seed}-{number}": one_at_random(chance) for number in range(count)}


def one_at_random(chance: random.Random) -> list[str]:
    start = datetime.datetime(2024, 1, 1) + datetime.timedelta(minutes=15 * chance.randrange(4 * 24 * 900))
    form = chance.choice(["date", "floating", "utc", "Europe/Berlin", "America/New_York", "Asia/Shanghai", "Pacific/Auckland"])
    length = "P1D" if form == "date" else chance.choice(["PT30M", "PT1H", "PT3H", "P1D", "P3D"])
    lines = [time("DTSTART", form, start), f"DURATION:{length}", rule(chance, form, start)]
    # Dates near the start: they meet an instance of many a rule.
    day = datetime.timedelta(days=1)
    # An instance that is both excluded and changed is read in two ways, so days of the one are none of the other.
    lines += [time("EXDATE", form, start + day * chance.choice([2, 6, 21, 28, 31])) for _ in range(chance.choice([0, 0, 1, 3]))]
    lines += [time("RDATE", form, start + day * chance.randrange(1, 900)) for _ in range(chance.choice([0, 0, 0, 2]))]
    changed = []
    if chance.random() < 0.3:
        for days in chance.sample([0, 1, 7, 14], chance.choice([1, 2])):
            moved = time("DTSTART", form, start + day * (days + chance.choice([0, 1, 200])))
            changed.append("|".join([time("RECURRENCE-ID", form, start + day * days), moved, f"DURATION:{length}", "SUMMARY:moved"]))
    return ["|".join(lines), *changed]


def time(name: str, form: str, moment: datetime.datetime) -> str:
    if form == "date":
        return f"{name};VALUE=DATE:{moment:%Y%m%d}"
    head = name if form in ("floating", "utc") else f"{name};TZID={form}"
    return f"{head}:{moment:%Y%m%dT%H%M%S}{'Z' if form == 'utc' else ''}"


def rule(chance: random.Random, form: str, start: datetime.datetime) -> str:
    frequency = chance.choice(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"])
    parts = [f"FREQ={frequency}"]
    if chance.random() < 0.4:
        parts.append(f"INTERVAL={chance.choice([2, 3, 5])}")
    own = WEEKDAYS[start.weekday()]
    ordinal = (start.day - 1) // 7 + 1
    by = {
        "DAILY": ["", "", f"BYMONTH={start.month},{start.month % 12 + 1}", f"BYDAY={own},SU"],
        "WEEKLY": ["", f"BYDAY={own}", f"BYDAY={own},{chance.choice(WEEKDAYS)}", f"WKST=SU;BYDAY={own},SU"],
        "MONTHLY": ["", f"BYMONTHDAY={start.day}", f"BYMONTHDAY={start.day},-1", f"BYDAY={ordinal}{own}", f"BYDAY={own};BYSETPOS={ordinal}"],
        "YEARLY": ["", f"BYMONTH={start.month};BYDAY={ordinal}{own}", f"BYYEARDAY={start.timetuple().tm_yday}", f"BYMONTH={start.month};BYMONTHDAY={start.day}"],
    }
    parts += filter(None, [chance.choice(by[frequency])])
    end = chance.random()
    if end < 0.3:
        parts.append(f"COUNT={chance.choice([1, 2, 5, 17])}")
    elif end < 0.6:
        last = start + datetime.timedelta(days=chance.randrange(1, 700))
        parts.append(f"UNTIL={last:%Y%m%d}" if form == "date" else f"UNTIL={last:%Y%m%dT%H%M%S}{'' if form == 'floating' else 'Z'}")
    return "RRULE:" + ";".join(parts)
