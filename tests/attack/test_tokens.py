"""Guessing tokens. The defences: `http::limits`, one answer for all that does not exist, and look-ups by hash."""

import contextlib
import math
import random
import re
import secrets
import string
import time

import pytest

from client import ATTACKER, Reading, Visitor, get, request
from conftest import place_of, served
from program import FULL, MIB, Program
from upstream import calendar, settings

# Above twice what it was before: what other work on the machine may add. In quick mode the slowest of a few visits counts.
NOISE = 0.01 if FULL else 0.1
LETTERS = string.ascii_letters + string.digits + "-_"


@pytest.fixture(scope="module")
def limited(upstream):
    """A program with the limits it has by default."""
    program = Program(
        settings({"small": upstream.on("/tokens.ics", calendar("token canary"))}),
        server={"requests_per_minute": 3000, "wrong_tokens_per_minute": 10},
    )
    try:
        path = program.paths()["small"]
        yield place_of(program), path, served(program, path, "token canary"), program
    finally:
        program.stop()


def scan(place, paths, source=ATTACKER) -> list:
    replies = []
    with place.connect(source) as connection:
        reading = Reading(connection)
        for at in range(0, len(paths), 50):
            some = paths[at : at + 50]
            connection.sendall(b"".join(request(path, place.port) for path in some))
            replies += [reading.reply() for _ in some]
    return replies


def lock_step(place, addresses: list[str], rounds: int, each: int, more=lambda: "") -> dict[int, int]:
    """Guesses from many addresses: each sends some, then all their answers are read, and so on. Counts their statuses."""
    statuses = {404: 0, 429: 0}
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(place.connect(address)) for address in addresses]
        for _ in range(rounds):
            for connection in connections:
                asked = [f"GET /{secrets.token_urlsafe(32)}.ics HTTP/1.1\r\nHost: a\r\n{more()}\r\n" for _ in range(each)]
                connection.sendall("".join(asked).encode())
            for connection in connections:
                heard = b""
                # Each ends with the only sentence that it has.
                while heard.count(b".\n") < each:
                    got = connection.recv(1 << 16)
                    assert got, heard[-500:]
                    heard += got
                for status in statuses:
                    statuses[status] += heard.count(b"HTTP/1.1 %d" % status)
    assert sum(statuses.values()) == len(addresses) * rounds * each, statuses
    return statuses


def without_date(reply) -> bytes:
    return re.sub(rb"(?im)^(date|retry-after): [^\r]*\r\n", b"", reply.head + b"\r\n") + reply.body


def test_a_scan_for_tokens_is_throttled_and_a_phone_does_not_notice(limited, report):
    """Takes hold on: `wrong_tokens_per_minute` and `requests_per_minute`."""
    place, path, body, program = limited
    dice = random.Random(2)
    paths = ["/" + "".join(dice.choices(LETTERS, k=43)) + ".ics" for _ in range(200_000 if FULL else 5000)]
    with Visitor(place, path, body) as calm:
        time.sleep(1)
    with Visitor(place, path, body) as visitor:
        began = time.monotonic()
        replies = scan(place, paths)
        took = time.monotonic() - began
    tried = sum(reply.status == 404 for reply in replies)
    # Ten at once, and one more every six seconds.
    assert 1 <= tried <= 11 + took / 6, f"{tried} guesses"
    assert {reply.status for reply in replies} == {404, 429}
    for reply in replies:
        assert reply.status != 429 or 1 <= int(reply.header("retry-after")) <= 60
    for status in (404, 429):
        assert len({without_date(reply) for reply in replies if reply.status == status}) == 1, f"{status}s differ"
    report(f"{len(paths)} guesses in {took:.1f} s, {tried} looked up; phone: {visitor} (before: {calm})")
    assert visitor.p99 <= 2 * calm.p99 + NOISE


def test_a_scan_from_many_addresses_in_step_is_throttled_and_a_phone_does_not_notice(limited, report):
    """Takes hold on: the limits of each address."""
    place, path, body, _ = limited
    addresses = [f"127.9.{at}.6" for at in range(250)]
    rounds, each = (2000, 2) if FULL else (40, 2)
    with Visitor(place, path, body) as calm:
        time.sleep(10 if FULL else 1)
    with Visitor(place, path, body) as visitor:
        began = time.monotonic()
        statuses = lock_step(place, addresses, rounds, each)
        took = time.monotonic() - began
    assert 1 <= statuses[404] <= len(addresses) * (11 + took / 6), statuses
    report(f"{sum(statuses.values())} guesses from {len(addresses)} addresses in {took:.1f} s, {statuses[404]} looked up; phone: {visitor} (before: {calm})")
    assert visitor.p99 <= 2 * calm.p99 + NOISE


def test_a_scan_from_ever_new_networks_takes_no_more_memory_than_there_is_for_clients(upstream, report):
    """Takes hold on: `limits::CLIENTS`. Behind a proxy, for who has so many networks of IPv6 at home?"""
    program = Program(settings({"small": upstream.on("/new.ics", calendar("new canary"))}), server={"trusted_proxies": f'["{ATTACKER}"]'})
    try:
        place, path = place_of(program), program.paths()["small"]
        body = served(program, path, "new canary")
        named = lambda: f"X-Forwarded-For: 2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}::1\r\n"
        lock_step(place, [ATTACKER] * 10, 10, 100, named)
        rss = program.rss()
        rounds = 1000 if FULL else 100
        with Visitor(place, path, body) as visitor:
            lock_step(place, [ATTACKER] * 10, rounds, 100, named)
        grown = program.rss() - rss
        report(f"{rounds * 1000} networks: {grown / MIB:+.1f} MiB; phone: {visitor}")
        assert grown <= 4 * MIB
    finally:
        program.stop()


def test_whoever_guesses_does_not_use_up_what_others_may_ask(limited):
    place, path, body, _ = limited
    scan(place, ["/guess.ics"] * 50, "127.6.6.7")
    reply = get(place, path, source="127.6.6.8")
    assert reply.status == 200 and reply.text() == body
    assert get(place, "/guess.ics", source="127.6.6.8").status == 404


def test_whatever_does_not_exist_is_answered_with_the_same_bytes(limited):
    """Takes hold on: `answer::unknown`."""
    place, path, _, _ = limited
    token = path[1:].removesuffix(".ics")
    wrong = [
        *(f"/{token[:keep]}{'A' * (len(token) - keep - 1)}-.ics" for keep in (0, 1, 8, 21, len(token) - 1)),
        f"/{token}//", f"/x/{token}", f"/{token}.ICS", f"/{token}.ics/", f"//{token}.ics", f"/{token}x.ics", f"/{token[:-1]}.ics",
        f"/{token.swapcase()}.ics", f"/{token}%2eics", f"/%2f{token}.ics", f"/x/{token}.ics", "/.ics", "/", "/a", "/admin",
        "/metrics", "/status.json", "/.env", "/.well-known/caldav", "/../etc/passwd", "/health", "/x/health", f"/{token[:8]}/health",
        "/" + "a" * 8000 + ".ics", "/%00.ics", "/%ff%fe.ics", "/*.ics", "/'%20or%201=1--.ics",
    ]  # fmt: skip
    # Each from an address of its own, for none may guess so often.
    replies = {one: get(place, one, source=f"127.7.{at}.1") for at, one in enumerate(wrong)}
    assert {reply.status for reply in replies.values()} == {404}
    assert len({without_date(reply) for reply in replies.values()}) == 1


@pytest.mark.skipif(not FULL, reason="only in full mode: 200,000 requests, timed")
def test_time_does_not_tell_a_token_that_begins_right_from_any_other(upstream, report):
    """Takes hold on: the look-up by a keyed hash. Welch's test, as in dudect; 4.5 is its bound."""
    program = Program(settings({"small": upstream.on("/timed.ics", calendar("timed canary"))}))
    try:
        place, path = place_of(program), program.paths()["small"]
        served(program, path, "timed canary")
        dice, token = random.Random(3), path[1:].removesuffix(".ics")
        took: dict[bool, list[float]] = {True: [], False: []}
        with place.connect() as connection:
            reading = Reading(connection)
            for _ in range(200_000):
                near = dice.random() < 0.5
                # So much is left that none is the token itself.
                kept = len(token) - 6 if near else 0
                guess = token[:kept] + "".join(dice.choices(LETTERS, k=len(token) - kept))
                message = request(f"/{guess}.ics", place.port)
                began = time.perf_counter_ns()
                connection.sendall(message)
                reply = reading.reply()
                took[near].append(time.perf_counter_ns() - began)
                assert reply.status == 404
        # What interrupts both alike is left out, as dudect does.
        bound = sorted(took[True] + took[False])[int(0.9 * 200_000)]
        near, far = ([one for one in took[kind] if one < bound] for kind in (True, False))
        t = welch(near, far)
        report(f"{len(near)} near and {len(far)} far guesses, t = {t:+.2f}, medians {sorted(near)[len(near) // 2]} and {sorted(far)[len(far) // 2]} ns")
        assert abs(t) < 4.5
    finally:
        program.stop()


def welch(one: list[float], other: list[float]) -> float:
    def moments(values):
        mean = sum(values) / len(values)
        return mean, sum((value - mean) ** 2 for value in values) / (len(values) - 1) / len(values)

    (mean, spread), (mean_other, spread_other) = moments(one), moments(other)
    return (mean - mean_other) / math.sqrt(spread + spread_other)
