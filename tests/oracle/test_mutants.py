"""The fixtures, damaged at random. The seed of each is its name, so a failure can be had again."""

import random
import re

import pytest

import mending
from corpus import FIXTURES
from findings import TALLY

SEEDS = range(13)
JUNK = [
    b"", b"hello world", b":no name", b"NO COLON", b'SUMMARY;CN="a:b', b"\xe6\x97\xa5:x", b"<html>", b"\xff\xfe",
    b"X-NOTE:\xff", b"X-NOTE:\xf0\x9f", b"X-NOTE:one\rtwo", b"X-NOTE:\0", b"X-NOTE:\x0b\x0c", b"BEGIN:VEVENT", b"END:VEVENT",
    b"END:VCALENDAR", b"BEGIN:VCALENDAR", b"METHOD:CANCEL", b"DTSTAMP:29991231T235959Z", b"LAST-MODIFIED:yesterday",
    b"\xef\xbb\xbf", b"X-LONG:" + b"x" * 5000, "X-NOTE:\u2028\u0085".encode(),
]


def physical_lines(text: bytes) -> list[bytes]:
    return text.splitlines(keepends=True)


def removed(text: bytes, chance: random.Random) -> bytes:
    rate = chance.choice([0.003, 0.03, 0.3])
    return b"".join(line for line in physical_lines(text) if chance.random() > rate)


def duplicated(text: bytes, chance: random.Random) -> bytes:
    rate = chance.choice([0.003, 0.03, 0.3])
    return b"".join(line * (1 + (chance.random() < rate)) for line in physical_lines(text))


def shuffled(text: bytes, chance: random.Random) -> bytes:
    lines = physical_lines(text)
    start = chance.randrange(len(lines))
    part = lines[start : start + chance.choice([2, 4, 16, len(lines)])]
    chance.shuffle(part)
    return b"".join(lines[:start] + part + lines[start + len(part):])


def with_mixed_line_ends(text: bytes, chance: random.Random) -> bytes:
    ends = chance.choice([[b"\n"], [b"\r\n", b"\n"], [b"\r\n"] * 9 + [b"\n"], [b"\r\n", b"\n", b"\r\n\r\n"]])
    return b"".join(line.rstrip(b"\r\n") + chance.choice(ends) for line in physical_lines(text))


def cut_off(text: bytes, chance: random.Random) -> bytes:
    return text[: chance.randrange(len(text))]


def with_junk(text: bytes, chance: random.Random) -> bytes:
    lines = physical_lines(text)
    for _ in range(chance.randint(1, 4)):
        lines.insert(chance.randint(0, len(lines)), chance.choice(JUNK) + chance.choice([b"\r\n", b"\n"]))
    return b"".join(lines)


def folded_anywhere(text: bytes, chance: random.Random) -> bytes:
    """Folds behind the longest name and time that calferry looks at, as real programs do, but in any byte."""
    lines = re.split(rb"\r\n(?![ \t])", text)
    for at, line in enumerate(lines):
        line = re.sub(rb"\r\n[ \t]", b"", line)
        while len(line) > 40 and chance.random() < 0.6:
            cut = chance.randrange(40, len(line))
            line = line[:cut] + chance.choice([b"\r\n ", b"\r\n\t", b"\n "]) + line[cut:]
        lines[at] = line
    return b"\r\n".join(lines)


def with_wrong_bytes(text: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(text)
    for _ in range(chance.choice([1, 3, 30])):
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    return bytes(damaged)


DAMAGES = [removed, duplicated, shuffled, with_mixed_line_ends, cut_off, with_junk, folded_anywhere, with_wrong_bytes]
HARMLESS = [with_mixed_line_ends, folded_anywhere]


def damaged(fixture: str, damage, seed: int) -> bytes:
    return damage((FIXTURES / fixture).read_bytes(), random.Random(f"{fixture} {damage.__name__} {seed}"))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("fixture", sorted(path.name for path in FIXTURES.glob("*.ics")))
def test_a_damaged_calendar_is_served_as_far_as_it_can_be_or_refused_for_a_reason(fixture, damage, seed):
    taken = mending.assert_served_right(damaged(fixture, damage, seed))
    assert taken or damage not in HARMLESS
    TALLY[f"mutants {'accepted' if taken else 'refused'}"] += 1


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_damage_is_done(damage):
    text = (FIXTURES / "google_zoom.ics").read_bytes()
    mutants = {damaged("google_zoom.ics", damage, seed) for seed in SEEDS}
    assert len(mutants - {text}) > len(SEEDS) // 2
