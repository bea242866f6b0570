"""Hostile answers of an upstream. The defences: `source::body` (size), `calendar::scan` (lines, depth, properties), the
bounds of recurrence, the timeouts of `source::client`, and `refresh::judge` with its guard against a collapse.

A source that has a good copy is given a new address, where the bomb is: it is fetched at once, and the old copy must be
served until the new address gives a good one."""

import base64
import gzip
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from client import Visitor, get
from conftest import place_of, served, well
from program import FULL, MIB, Program
from upstream import HEAD, SOON, calendar, settings
from waiting import eventually

SIZE = (50 if FULL else 9) * MIB
# Smaller bounds in quick mode: a debug build reads 64 MiB slowly.
BOUNDS = "timeout = \"20s\"\nheader_timeout = \"3s\"\n" + ("" if FULL else 'max_size = "8MiB"\nmax_lines = 100000\n')
EVENT = f"BEGIN:VEVENT\r\nUID:{{at}}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:{SOON}T000000Z\r\n{{more}}END:VEVENT\r\n"


def body(more: str) -> bytes:
    return f"{HEAD}{more}END:VCALENDAR\r\n".encode()


def recurring(rule: str, more: str = "") -> bytes:
    return body("".join(EVENT.format(at=at, more=f"SUMMARY:bomb\r\nRRULE:{rule}\r\n{more}") for at in range(20)))


def gzip_bomb(layers: int = 1) -> bytes:
    packed = HEAD.encode() + b"X" * (8 * SIZE)
    for _ in range(layers):
        packed = gzip.compress(packed, 9)
    return packed


def many_members() -> bytes:
    return gzip.compress(HEAD.encode() + b"\n" * MIB, 9) * (SIZE // MIB * 4)


# 100 MiB in 111 bytes.
BROTLI_BOMB = base64.b64decode(
    "z///f/iNlKuzS6lghVUNOkmIJZ8lAiOhJA3a+R31/p/x//8ffgmAOCwA0L3/5///P/wSAHFYBKB7/8///3/4JQDisABA9/6f////8EsAxGEBgO79P///"
    "/+GXAIjDAgDd+/+EAADCLwEQhwUAy/c/"
)
# A head that announces a file's name, which never ends; and members in which there is nothing.
ENDLESS_NAME = b"\x1f\x8b\x08\x08" + bytes(6) + b"x" * MIB
NOTHING = gzip.compress(b"") * 1000


def raw_deflate(text: bytes) -> bytes:
    packing = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packing.compress(text) + packing.flush()


def endless(first: bytes, rest: bytes, count: int):
    def pieces():
        yield first
        for _ in range(count):
            yield rest

    return pieces


def a_byte_a_second(first: bytes, seconds: int):
    def pieces():
        yield first
        for _ in range(seconds):
            time.sleep(1)
            yield b"X"

    return pieces


# What is sent, and whether a program may take it: "no" for what is no calendar, "may" for one that is merely
# large, "slow" for what lasts as long as a fetch may. A third word is the name of the only error it may end with.
BOMBS = {
    "gzip": (lambda u, p: u.on(p, gzip_bomb(), Content_Encoding="gzip"), "no"),
    "gzip in gzip": (lambda u, p: u.on(p, gzip_bomb(2), Content_Encoding="gzip"), "no"),
    "gzip in gzip, said": (lambda u, p: u.on(p, gzip_bomb(2), Content_Encoding="gzip, gzip"), "no"),
    "gzip of many members": (lambda u, p: u.on(p, many_members(), Content_Encoding="gzip"), "no"),
    "gzip cut off": (lambda u, p: u.on(p, gzip.compress(calendar("cut", 2000))[:-200], Content_Encoding="gzip"), "no"),
    "deflate said to be gzip": (lambda u, p: u.on(p, zlib.compress(calendar("cut", 20)), Content_Encoding="gzip"), "no"),
    "deflate, said": (lambda u, p: u.on(p, zlib.compress(calendar("cut", 20)), Content_Encoding="deflate"), "no", "unknown_coding"),
    "a zlib bomb": (lambda u, p: u.on(p, zlib.compress(b"X" * (8 * SIZE), 9), Content_Encoding="deflate"), "no", "unknown_coding"),
    "deflate without a head, said to be gzip": (lambda u, p: u.on(p, raw_deflate(calendar("cut", 20)), Content_Encoding="gzip"), "no", "bad_coding"),
    "a brotli bomb, said": (lambda u, p: u.on(p, BROTLI_BOMB, Content_Encoding="br"), "no", "unknown_coding"),
    "a brotli bomb, said to be gzip": (lambda u, p: u.on(p, BROTLI_BOMB, Content_Encoding="gzip"), "no", "bad_coding"),
    "a brotli bomb in gzip": (lambda u, p: u.on(p, gzip.compress(BROTLI_BOMB), Content_Encoding="gzip, br"), "no", "unknown_coding"),
    "gzip and then noise": (lambda u, p: u.on(p, gzip.compress(calendar("cut", 20)) + b"noise" * 100, Content_Encoding="gzip"), "no", "bad_coding"),
    "gzip whose name never ends": (lambda u, p: u.stream(p, endless(ENDLESS_NAME, b"x" * MIB, 1024), Content_Encoding="gzip"), "no", "bad_coding"),
    "gzip of nothing without end": (lambda u, p: u.stream(p, endless(NOTHING, NOTHING * 10, 1 << 30), Content_Encoding="gzip"), "no", "too_large"),
    "a refusal of nothing without end": (lambda u, p: u.stream(p, endless(NOTHING, NOTHING * 10, 1 << 30), status=403, Content_Encoding="gzip"), "no", "denied"),
    "a coding nobody asked for": (lambda u, p: u.on(p, b"\x1b" * 1000, Content_Encoding="br"), "no"),
    "endless": (lambda u, p: u.stream(p, endless(HEAD.encode(), b"X-A:" + b"y" * 60 + b"\r\n" * 1000, 1 << 30)), "no"),
    "one line": (lambda u, p: u.stream(p, endless(HEAD.encode() + b"X-A:", b"y" * MIB, 1024)), "no"),
    "one folded line": (lambda u, p: u.stream(p, endless(HEAD.encode() + b"X-A:", b"\r\n y" * (MIB // 4), 1024)), "no"),
    "only line ends": (lambda u, p: u.stream(p, endless(HEAD.encode(), b"\r\n" * (MIB // 2), 1024)), "no"),
    "a million empty lines": (lambda u, p: u.on(p, body(EVENT.format(at=1, more="\r\n" * 1_000_000))), "may"),
    "a million stamps": (lambda u, p: u.on(p, body(EVENT.format(at=1, more=f"DTSTAMP:{SOON}T000000Z\r\n" * 1_000_000))), "no"),
    "a million properties": (lambda u, p: u.on(p, body(EVENT.format(at=1, more="X-A:1\r\n" * 1_000_000))), "no"),
    "a million parameters": (lambda u, p: u.on(p, body(EVENT.format(at=1, more="SUMMARY" + ";X=1" * 1_000_000 + ":a\r\n"))), "no"),
    "a million events": (lambda u, p: u.on(p, body("BEGIN:VEVENT\r\nEND:VEVENT\r\n" * 1_000_000)), "no"),
    "deep": (lambda u, p: u.on(p, body("BEGIN:VEVENT\r\n" * 100_000)), "no"),
    "deep and closed": (lambda u, p: u.on(p, body("BEGIN:VEVENT\r\n" * 50_000 + "END:VEVENT\r\n" * 50_000)), "no"),
    "50 MB": (lambda u, p: u.on(p, calendar("big", SIZE // 20_000, padding="X-PAD:" + "x" * 19_800 + "\r\n")), "may"),
    "per second": (lambda u, p: u.on(p, recurring("FREQ=SECONDLY")), "may"),
    "per second, counted": (lambda u, p: u.on(p, recurring("FREQ=SECONDLY;COUNT=2000000000")), "may"),
    "per second in parts": (lambda u, p: u.on(p, recurring("FREQ=SECONDLY;BYSECOND=59;BYMINUTE=59;BYHOUR=23;BYMONTHDAY=31;BYMONTH=2")), "may"),
    "never": (lambda u, p: u.on(p, recurring("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30")), "may"),
    "huge interval": (lambda u, p: u.on(p, recurring("FREQ=DAILY;INTERVAL=4294967295;COUNT=4294967295")), "may"),
    "numbers that overflow": (lambda u, p: u.on(p, recurring("FREQ=DAILY;INTERVAL=99999999999999999999;COUNT=-1")), "may"),
    "until the end": (lambda u, p: u.on(p, recurring("FREQ=MINUTELY;UNTIL=99991231T235959Z")), "may"),
    "by set position": (lambda u, p: u.on(p, recurring("FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=-366")), "may"),
    "100,000 exceptions": (lambda u, p: u.on(p, body(EVENT.format(at=1, more="RRULE:FREQ=DAILY\r\n" + "EXDATE:" + ",".join([f"{SOON}T000000Z"] * 50_000) + "\r\n"))), "may"),
    "100,000 lines of exceptions": (lambda u, p: u.on(p, body(EVENT.format(at=1, more="RRULE:FREQ=DAILY\r\n" + f"EXDATE:{SOON}T000000Z\r\n" * 19_000))), "may"),
    "no answer": (lambda u, p: u.act(p, lambda handler: time.sleep(20)), "no"),
    "a head without end": (lambda u, p: u.act(p, lambda handler: [handler.wfile.write(b"HTTP/1.1 200 OK\r\n"), *(handler.wfile.write(b"X-%d: y\r\n" % at * 100) for at in range(100_000))]), "no"),
    "a length that lies": (lambda u, p: u.act(p, lambda handler: handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nBEGIN:VCALENDAR\r\n")), "no"),
    "redirects without end": (lambda u, p: u.act(p, lambda handler: [handler.send_response(302), handler.send_header("Location", p), handler.send_header("Content-Length", "0"), handler.end_headers()]), "no"),
    "HTML": (lambda u, p: u.on(p, b"<html>" + b"<p>" * MIB), "no"),
    "NUL": (lambda u, p: u.on(p, b"\0" * MIB), "no"),
    "not UTF-8": (lambda u, p: u.on(p, calendar("x").replace(b"x", b"\xff\xfe")), "no"),
    "nothing": (lambda u, p: u.on(p, b""), "no"),
    "a byte a second": (lambda u, p: u.stream(p, a_byte_a_second(HEAD.encode(), 30)), "slow"),
}  # fmt: skip
GOOD = 40
# Seconds of processor time, looks at the status and a phone's visits included: a debug build's for 8 MiB, a release build's
# for 64. Members of gzip in which there is nothing cost a microsecond each; and what is large is also published.
CPU = 0.5 if FULL else 2.0
CPU_OF = {"gzip of nothing without end": 5.0, "50 MB": 2.0} if FULL else {}
# The largest answer there may be, once, and some room.
MEMORY = (80 if FULL else 16) * MIB
# Windows and rules make the program follow what recurs.
CURIOUS = 'window = { past = "30d", future = "400d" }\n[[feed.bomb.rule]]\nwhen = { length = ">= 30m" }\nprefix = "long "\n'


class Victim:
    def __init__(self, upstream):
        self.upstream, self.count = upstream, 0
        self.other = upstream.on("/calm.ics", calendar("calm canary", 20))
        self.program = Program(self.settings(self.good()))
        self.paths, self.place = self.program.paths(), place_of(self.program)
        self.calm = served(self.program, self.paths["calm"], "calm canary")
        served(self.program, self.paths["bomb"], "bomb canary")

    def good(self) -> str:
        self.count += 1
        return self.upstream.on(f"/good-{self.count}.ics", calendar("bomb canary", GOOD))

    def settings(self, address: str) -> str:
        return settings({"calm": self.other, "bomb": address}, BOUNDS) + CURIOUS

    def source(self) -> dict:
        return self.program.source("bomb")

    def restore(self) -> bytes:
        self.program.reload(self.settings(self.good()))
        fresh = eventually("a good copy again", lambda: self.source()["events"] == GOOD and not self.source()["inherited"], 60)
        assert fresh
        return get(self.place, self.paths["bomb"]).text()


@pytest.fixture(scope="module")
def victim(upstream):
    victim = Victim(upstream)
    try:
        yield victim
    finally:
        victim.program.stop()


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_hurts_neither_the_copy_at_hand_nor_any_other_feed(victim, name, report):
    make, fate, *reasons = BOMBS[name]
    if fate == "slow" and not FULL:
        pytest.skip("only in full mode: lasts as long as the fetch may")
    good = victim.restore()
    program = victim.program
    victim.count += 1
    address = make(victim.upstream, path := f"/bomb-{victim.count}.ics")
    rss, cpu, most = program.rss(), program.cpu(), 0
    began = time.monotonic()
    with Visitor(victim.place, victim.paths["calm"], victim.calm) as visitor:
        program.reload(victim.settings(address))

        def settled():
            nonlocal most
            most = max(most, program.rss())
            # Before the look, or that may still be at the address before.
            if not victim.upstream.hits.get(path):
                return None
            source = victim.source()
            over = source["trouble"] or source["quarantine"] or not source["inherited"]
            return not source["fetching"] and over and source

        source = eventually("the fetch is over", settled, 90)
        took = time.monotonic() - began
        reply = get(victim.place, victim.paths["bomb"], seconds=60)
        most = max(most, program.rss())
    taken = not source["trouble"] and not source["quarantine"]
    reason = "taken" if taken else "kept aside" if source["quarantine"] else source["trouble"]["reason"]
    spent = program.cpu() - cpu
    report(f"{reason} after {took:.1f} s, {spent:.1f} s of processor, {(most - rss) / MIB:+.0f} MiB; {visitor}")
    assert reply.status == 200
    if not taken:
        assert reply.text() == good, "the old copy is served"
    assert taken <= (fate == "may"), reason
    assert not reasons or reason in reasons
    assert spent <= CPU_OF.get(name, CPU), "processor time"
    assert most - rss <= MEMORY, "memory"
    assert visitor.p99 <= 0.25
    well(program, victim.place, victim.paths["calm"], victim.calm)


@pytest.mark.parametrize("left", [0, 2])
def test_a_calendar_that_loses_most_of_its_events_is_kept_aside(upstream, left, report):
    """Takes hold on: the guard against a collapse in `refresh::judge`."""
    address = upstream.on("/collapse.ics", calendar("bomb canary", GOOD))
    program = Program(settings({"bomb": address}))
    try:
        place, path = place_of(program), program.paths()["bomb"]
        good = served(program, path, "bomb canary")
        program.stop()
        program.age_copies()
        upstream.on("/collapse.ics", calendar("bomb canary", left))
        hits = upstream.hits["/collapse.ics"]
        program.start()
        eventually("asked again", lambda: upstream.hits["/collapse.ics"] > hits)
        source = eventually("kept aside", lambda: program.source("bomb")["quarantine"] and program.source("bomb"))
        assert source["quarantine"]["events"] == left
        assert get(place, path).text() == good
        report(f"{GOOD} events, then {left}: kept aside, the {source['events']} are served")
    finally:
        program.stop()


def test_fifty_megabytes_are_taken_and_served_whole(upstream, report):
    """Takes hold on: bounds that a large calendar of a real person fits into, and a memory that is bounded all the same."""
    events, padding = 2600, "X-PAD:" + "x" * 19_800 + "\r\n"
    text = calendar("large canary", events, padding=padding)
    assert len(text) > 50e6
    program = Program(settings({"large": upstream.on("/fifty.ics", text)}))
    most = 0
    try:
        place, path = place_of(program), program.paths()["large"]

        def settled():
            nonlocal most
            most = max(most, program.rss())
            return program.source("large")["events"]

        began = time.monotonic()
        assert eventually("taken", settled, 90) == events
        took = time.monotonic() - began
        body = get(place, path, seconds=90).text()
        most = max(most, program.rss())
        assert len(body) > 50e6 and body.count(b"SUMMARY:large canary") == events
        assert most <= 128 * MIB
        report(f"{len(text) / 1e6:.0f} MB taken in {took:.1f} s, served as {len(body) / 1e6:.0f} MB, {most / MIB:.0f} MiB at most")
    finally:
        program.stop()


@pytest.mark.parametrize("count", [1, 3, 8, 16] if FULL else [8])
def test_many_large_calendars_take_as_much_memory_as_one(upstream, report, count):
    """Takes hold on: `source::space` and `refresh::large`, which have large answers come, be read and be published one
    after another; and on what `refresh::judge` lets go before it takes more."""
    largest = (64 if FULL else 8) * MIB
    text = calendar("many canary", largest // 150)
    assert 0.8 * largest < len(text) < largest
    packed = gzip.compress(text, 6)
    sources = {f"large{at}": upstream.on(f"/large-{at}.ics", packed, Content_Encoding="gzip") for at in range(count)}
    sources["small"] = upstream.on("/beside.ics", calendar("small canary"))
    program = Program(settings(sources, f'max_size = "{largest}B"\n'))
    try:
        place, paths, seconds = place_of(program), program.paths(), 60 + 30 * count
        began = time.monotonic()
        served(program, paths["small"], "small canary")
        small = time.monotonic() - began
        eventually("all copies", lambda: all(program.source(name)["events"] for name in sources), seconds)
        took, fetched = time.monotonic() - began, program.peak()
        with ThreadPoolExecutor(count) as readers:
            reading = lambda name: get(place, paths[name], seconds=seconds, more="Accept-Encoding: gzip\r\n")
            assert {reply.status for reply in readers.map(reading, sources)} == {200}
        report(
            f"{count} of {len(text) / 1e6:.0f} MB: the small one after {small:.1f} s, all after {took:.1f} s, at most "
            f"{fetched / MIB:.0f} MiB; with all published, {program.peak() / MIB:.0f} MiB"
        )
        assert fetched < (300 if FULL else 75) * MIB and program.peak() < (350 if FULL else 110) * MIB
        assert all(program.source(name)["trouble"] is None for name in sources)
    finally:
        program.stop()


def test_an_upstream_that_drips_is_given_up_at_the_deadline_and_the_old_copy_is_served(upstream, report):
    """Takes hold on: `fetch.timeout`, which no byte extends."""
    more = 'timeout = "3s"\n'
    program = Program(settings({"drip": upstream.on("/drip.ics", calendar("drip canary"))}, more))
    try:
        place, path = place_of(program), program.paths()["drip"]
        good = served(program, path, "drip canary")
        began = time.monotonic()
        program.reload(settings({"drip": upstream.stream("/drips.ics", a_byte_a_second(HEAD.encode(), 60))}, more))
        trouble = eventually("given up", lambda: program.source("drip")["trouble"])
        took = time.monotonic() - began
        assert trouble["reason"] == "timeout" and took > 2.5
        assert get(place, path).text() == good
        report(f"given up after {took:.1f} s of 3")
    finally:
        program.stop()
