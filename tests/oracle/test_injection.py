"""No text gets out of the property it is written into, wherever it comes from and whichever rule writes it.

CALFERRY_INJECTIONS says how many texts are tried.
"""

import itertools
import os
import random
import re
from collections.abc import Iterator

import icalendar
import pytest
import vobject

import hostile
import ical_js
from findings import TALLY
from program import Published, publish_feed
from trees import Tree, components_of_icalendar, components_of_jcal, components_of_vobject

INJECTIONS = int(os.environ.get("CALFERRY_INJECTIONS", "20000"))
EVENTS_IN_ONE = 4_000
RULES_IN_ONE = 250
HEAD = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//oracle//injection//EN\r\n"

TEXTS = ["description", "location", "comment", "contact", "refid", "x-foo"]
LISTS = ["categories", "resources"]
ADDRESSES = ["url", "attach", "conference", "image", "link", "concept", "structured-data"]
UNKNOWN_TO_SOME = ["refid", "x-foo", "name", "x-wr-calname"]
SLOTS = TEXTS + LISTS + ADDRESSES
# Where a text may go beside these: in front of the title, behind it, and as the title upstream.
OF_TITLE = ["prefix", "summary", "suffix"]
PER_EVENT = len(SLOTS) + len(OF_TITLE)


def calendar(events: Iterator[list[str]]) -> bytes:
    """Upstream's calendar: events that are called by their number, with these lines beside."""
    own = ["DTSTAMP:20250101T000000Z", "DTSTART:20260101T100000Z"]
    bodies = (["BEGIN:VEVENT", f"UID:{number}", *own, *lines, "END:VEVENT", ""] for number, lines in enumerate(events))
    return (HEAD + "".join(map("\r\n".join, bodies)) + "END:VCALENDAR\r\n").encode()


def readings(text: bytes) -> dict[str, Tree]:
    read = ical_js.read({"it": text})["it"]
    assert "error" not in read, read
    return {
        "ical.js": components_of_jcal(read["calendar"]),
        "icalendar": components_of_icalendar(icalendar.Calendar.from_ical(text)),
        "vobject": components_of_vobject(vobject.readOne(text.decode(), transform=False)),
    }


def is_read_as(reader: str, slot: str, written: str | tuple, read: str | tuple) -> bool:
    """Whether a reader that gives `read` has read what was written.

    Some do not know that an address is no text, and take some backslashes in it for escapes; vobject even cuts one that
    it does not know at a comma, so its word counts for nothing there. Some leave a text escaped in
    a property that they do not know, or give a list of one for it; icalendar takes RESOURCES for one text, and ical.js a
    backslash at an item's end for the comma's.
    """
    if slot in ADDRESSES:
        return reader == "vobject" or read.replace("\\", "") in (written.replace("\\", ""), unescaped(written).replace("\\", ""))
    if slot in UNKNOWN_TO_SOME:
        return read in (written, hostile.escaped(written))
    return read in ((written, (written,)) if isinstance(written, str) else (written, ",".join(written)))


def unescaped(text: str) -> str:
    return re.sub(r"\\([\\;,nN])", lambda escape: "\n" if escape[1] in "nN" else escape[1], text)


def assert_reads_as(text: bytes, head: dict, events: list[dict], alarms: bool) -> None:
    """Every reader finds these events with these properties in a calendar with this head, and nothing else."""
    fixed = {"dtstamp", "dtstart", "uid"}
    for reader, (name, properties, inner) in readings(text).items():
        assert name == "vcalendar", reader
        assert sorted(name for name, _ in properties) == sorted(head), reader
        assert all(head[name] is None or is_read_as(reader, name, head[name], value) for name, value in properties), (reader, properties)
        assert len(inner) == len(events), reader
        for (name, properties, within), expected in zip(inner, events, strict=True):
            assert name == "vevent", reader
            assert sorted(name for name, _ in properties) == sorted(fixed | expected.keys()), (reader, expected)
            for slot, value in properties:
                assert slot in fixed or is_read_as(reader, slot, expected[slot], value), (reader, slot, expected[slot], value)
            assert [name for name, _, _ in within] == ["valarm"] * alarms, (reader, expected)
            for _, properties, none in within:
                assert not none and sorted(name for name, _ in properties) == ["action", "description", "trigger", "uid"], reader
                assert dict(properties)["description"] == expected["summary"] or not expected["summary"].strip(), reader


def served(done: Published) -> bytes:
    assert done.code == 0, done.errors
    return done.text


OWN_HEAD = {"version": "2.0", "prodid": None, "refresh-interval": None, "x-published-ttl": None}


# Texts that come from upstream


def upstream_text(chance: random.Random) -> str:
    """A CR before a line end is part of the line end, so no text of upstream's ends with one."""
    return hostile.text(chance).rstrip("\r") or "x"


def rule_that_copies() -> str:
    places = {slot: f'"{{x-h{at}}}"' for at, slot in enumerate(SLOTS)}
    places |= {slot: f'[{places[slot]}, "b"]' for slot in LISTS}
    places = ", ".join(f"{slot} = {place}" for slot, place in places.items())
    at = len(SLOTS)
    return (f'[[feed.me.rule]]\nset = {{ {places} }}\nprefix = "{{x-h{at}}}"\nsuffix = "{{x-h{at + 1}}}"\n'
            'strip = ["X-H*"]\nadd_alarms = ["-5m"]')


def written(slot: str, text: str) -> str | tuple:
    if slot in LISTS:
        return hostile.cleaned(text), "b"
    return hostile.cleaned_address(text) if slot in ADDRESSES else hostile.cleaned(text)


def test_no_text_of_upstream_gets_out_of_where_a_rule_copies_it():
    chance = random.Random("upstream")
    left = -(-INJECTIONS // PER_EVENT)
    while left > 0:
        count = min(left, EVENTS_IN_ONE)
        left -= count
        texts = [[upstream_text(chance) for _ in range(PER_EVENT)] for _ in range(count)]
        upstream = calendar(
            [f"X-H{at}:{hostile.escaped(text)}" for at, text in enumerate(texts[:-1])] + [f"SUMMARY:{hostile.escaped(texts[-1])}"] for texts in texts)
        expected = []
        for *own, prefix, suffix, title in texts:
            properties = {slot: written(slot, text) for slot, text in zip(SLOTS, own)}
            expected.append(properties | {"summary": hostile.cleaned(prefix + title + suffix)})
        text = served(publish_feed(rule_that_copies(), {"one": upstream}, "2026-01-01"))
        assert_reads_as(text, OWN_HEAD, expected, alarms=True)
        TALLY["texts of upstream that rules copied"] += count * PER_EVENT


TITLES = {"nothing": "", "a blank": " ", "NUL, and other controls": "\0", "blanks and controls": "\x1b \t", "a line break and controls": "\x7f\\n"}


@pytest.mark.parametrize("title", TITLES.values(), ids=TITLES)
def test_an_alarm_for_a_title_of_nothing_visible_says_something(title):
    done = publish_feed('alarms = ["-5m"]\nprefix = { one = " " }', {"one": calendar(iter([[f"X-A:{'a' * 99}", f"SUMMARY:{title}"]]))}, "2026-01-01")
    [alarm] = icalendar.Calendar.from_ical(served(done)).walk("VALARM")
    assert str(alarm["DESCRIPTION"]).strip()


# Texts that stand in settings


def toml(text: str) -> str:
    """A TOML string of `text`, every character of it escaped that is no plain letter."""
    return '"' + "".join(char if char.isascii() and char.isalnum() else f"\\U{ord(char):08X}" for char in text) + '"'


def literal(chance: random.Random) -> str:
    return hostile.text(chance)[:5_000]


def in_template(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def rule_with(slot: str, text: str) -> tuple[str, str, dict]:
    """What a rule does that writes `text` there, what its event's title is then, and what else the event has."""
    place = toml(in_template(text))
    match slot:
        case "prefix":
            return f"prefix = {place}", f"{text}title", {}
        case "suffix":
            return f"suffix = {place}", f"title{text}", {}
        case "replace":
            with_text = toml(text.replace("$", "$$"))
            return f'replace = {{ field = "summary", pattern = "^t|e$", with = {with_text} }}', f"{text}itl{text}", {}
        case "busy":
            text = "x" + text.replace("{", "").replace("}", "")
            return f"busy = {toml(text)}", text, {}
        case "summary":
            return f"set = {{ summary = {place} }}", text, {}
    if slot in ADDRESSES:
        text = f"https://h.example/{text}"
        place = toml(in_template(text))
    place = f'[{place}, "b"]' if slot in LISTS else place
    return f"set = {{ {slot} = {place} }}", "title", {slot: written(slot, text)}


@pytest.mark.parametrize("run", range(max(3, INJECTIONS // 20_000)))
def test_no_text_of_the_settings_gets_out_of_where_it_is_written(run):
    chance = random.Random(f"settings {run}")
    name, prefix = "x" + literal(chance), literal(chance)
    settings, expected = [f"name = {toml(name)}\nprefix = {{ one = {toml(prefix)} }}\n"], []
    slots = itertools.islice(itertools.cycle([*SLOTS, "summary", "prefix", "suffix", "replace", "busy"]), RULES_IN_ONE)
    for number, slot in enumerate(slots):
        action, title, properties = rule_with(slot, literal(chance))
        settings.append(f'[[feed.me.rule]]\nwhen = {{ uid = "^{number}$" }}\n{action}\n')
        expected.append(properties | {"summary": hostile.cleaned(prefix + title)})
    text = served(publish_feed("".join(settings), {"one": calendar(["SUMMARY:title"] for _ in range(RULES_IN_ONE))}, "2026-01-01"))
    head = OWN_HEAD | {"x-wr-calname": hostile.cleaned(name), "name": hostile.cleaned(name)}
    assert_reads_as(text, head, expected, alarms=False)
    TALLY["texts of settings that rules wrote"] += RULES_IN_ONE + 2


# Places that hold no text, but a word or a name


REFUSED = {
    "the colour of a calendar": "color = {}",
    "the colour of an event": "[[feed.me.rule]]\nset = {{ color = {} }}",
    "a status": "[[feed.me.rule]]\nset = {{ status = {} }}",
    "a class": "[[feed.me.rule]]\nset = {{ class = {} }}",
    "a priority": "[[feed.me.rule]]\nset = {{ priority = {} }}",
    "a property's name": '[[feed.me.rule]]\nset = {{ {} = "a" }}',
    "a property of the name x-": '[[feed.me.rule]]\nset = {{ "x-{}" = "a" }}',
    "what is stripped": "[[feed.me.rule]]\nstrip = [{}]",
    "a zone": "zone = {}",
    "the zone of a pin": "[[feed.me.rule]]\npin = {}",
    "an alarm": "alarms = [{}]",
    "a source": "[source.{}]\nurl = \"https://two.example/\"",
    "a host": "join = {{ hosts = [{}] }}",
}


@pytest.mark.parametrize("where", REFUSED)
def test_where_a_word_or_a_name_is_wanted_nothing_else_is_taken(where):
    upstream = {"one": calendar(iter([["SUMMARY:title"]]))}
    for text in (*hostile.LINE_BREAKS, "tomato\r\nX-EVIL:1", "x-a:b", "Europe/Berlin\nX-EVIL:1"):
        place = toml(text) if '"x-{}"' not in REFUSED[where] else toml(text)[1:-1]
        done = publish_feed(REFUSED[where].format(place), upstream, "2026-01-01")
        assert done.code == 1 and done.text == b"", (where, text)
        assert "panicked" not in done.errors
