"""Floods of HTTP/2 frames that cost the sender little. The defences: h2's own counters, the bounds that `http::server`
sets for it, and the vigil for what merely waits.

Each attack may cost a second of processor time and 10 MB, in a debug build too, and must end in the end of its
connection or leave it usable; a phone is served during it all."""

import contextlib
import threading
import time

import pytest

from frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PING,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Frames,
    frame,
    number,
)
from program import DEADLINES, FULL, LATE, MIB
from waiting import eventually

MANY = 100_000 if FULL else 20_000
CPU, MEMORY = 1.0, 10e6
# A hundred answers that were begun and are not taken are held until the vigil ends them.
HELD = 16 * MIB
WHOLE = END_STREAM | END_HEADERS
# The last PING, and a stream beyond all that are used.
LAST, FRESH = b"the last", 2 * MANY * 2 + 1


def streams(count: int):
    return range(1, 2 * count, 2)


def rapid_reset(http2, path):
    """CVE-2023-44487."""
    head = http2.head(path)
    return (frame(HEADERS, WHOLE, at, head) + frame(RST_STREAM, 0, at, number(8)) for at in streams(MANY // 4))


def made_you_reset_by_no_increment(http2, path):
    """CVE-2025-8671: the server resets the streams itself."""
    head = http2.head(path)
    return (frame(HEADERS, WHOLE, at, head) + frame(WINDOW_UPDATE, 0, at, number(0)) for at in streams(MANY // 4))


def made_you_reset_by_data_after_the_end(http2, path):
    head = http2.head(path)
    return (frame(HEADERS, WHOLE, at, head) + frame(DATA, 0, at, b"x") for at in streams(MANY // 4))


def made_you_reset_by_a_window_that_overflows(http2, path):
    head, widest = http2.head(path), number(2**31 - 1)
    return (frame(HEADERS, WHOLE, at, head) + frame(WINDOW_UPDATE, 0, at, widest) for at in streams(MANY // 4))


def made_you_reset_by_a_priority_on_itself(http2, path):
    head = http2.head(path)
    return (frame(HEADERS, WHOLE, at, head) + frame(PRIORITY, 0, at, number(at) + b"\x10") for at in streams(MANY // 4))


def headers_that_are_malformed(http2, path):
    head = http2.head(path, more=[("Upper", "case")])
    return (frame(HEADERS, WHOLE, at, head) for at in streams(MANY // 4))


def continuation_flood(http2, path):
    """CVE-2024-27316 and its kin."""
    yield frame(HEADERS, END_STREAM, 1, http2.head(path))
    for at in range(MANY):
        yield frame(CONTINUATION, 0, 1, b"\x00\x03x-%c\x01y" % (97 + at % 26))


def continuation_flood_of_nothing(http2, path):
    yield frame(HEADERS, END_STREAM, 1, http2.head(path))
    yield from (frame(CONTINUATION, 0, 1) for _ in range(MANY))


def continuation_flood_of_large_frames(http2, path):
    yield frame(HEADERS, END_STREAM, 1, http2.head(path))
    one = frame(CONTINUATION, 0, 1, (b"\x00\x03x-y\x7e" + b"z" * 126) * 120)
    yield from (one for _ in range(MANY // 40))


def empty_data_flood(http2, path):
    """CVE-2019-9518."""
    yield frame(HEADERS, END_HEADERS, 1, http2.head(path, "POST"))
    yield from (frame(DATA, 0, 1) for _ in range(MANY))


def padded_data_flood(http2, path):
    yield frame(HEADERS, END_HEADERS, 1, http2.head(path, "POST"))
    yield from (frame(DATA, 8, 1, b"\x08" + b"\0" * 8) for _ in range(MANY))


def ping_flood(http2, path):
    """CVE-2019-9512."""
    return (frame(PING, 0, 0, number(at) * 2) for at in range(MANY))


def settings_flood(http2, path):
    """CVE-2019-9515."""
    return (frame(SETTINGS) for _ in range(MANY))


def settings_flood_of_table_sizes(http2, path):
    return (frame(SETTINGS, payload=b"\0\1" + number(at % 4096)) for at in range(MANY))


def settings_flood_of_windows_while_streams_wait(http2, path):
    yield frame(SETTINGS, payload=b"\0\4" + number(0))
    yield from (frame(HEADERS, WHOLE, at, http2.head(path)) for at in streams(90))
    yield from (frame(SETTINGS, payload=b"\0\4" + number(at % 2)) for at in range(MANY // 4))


def priority_flood(http2, path):
    """CVE-2019-9513."""
    return (frame(PRIORITY, 0, at, number(at - 2 if at > 1 else 0) + b"\x10") for at in streams(MANY))


def window_update_flood(http2, path):
    return (frame(WINDOW_UPDATE, 0, 0, number(1)) for _ in range(MANY))


def data_dribble(http2, path):
    """CVE-2019-9511: answers taken byte by byte."""
    yield frame(SETTINGS, payload=b"\0\4" + number(0))
    yield from (frame(HEADERS, WHOLE, at, http2.head(path)) for at in streams(90))
    for at in range(MANY // 2):
        yield frame(WINDOW_UPDATE, 0, 2 * (at % 90) + 1, number(1))


def hpack_bomb(http2, path):
    """One long header in the table, named thousands of times in each of many small requests."""
    yield frame(HEADERS, WHOLE, 1, http2.head(path) + b"\x40\x01x\x7f\xc1\x1e" + b"y" * 4032)
    block = http2.head(path) + b"\xbe" * 14_000
    yield from (frame(HEADERS, WHOLE, at, block) for at in streams(400)[1:])


def hpack_bomb_of_one_megabyte(http2, path):
    """Small enough for a bound that is too wide."""
    yield frame(HEADERS, WHOLE, 1, http2.head(path) + b"\x40\x01x\x7f\xc1\x1e" + b"y" * 4032)
    block = http2.head(path) + b"\xbe" * 250
    yield from (frame(HEADERS, WHOLE, at, block) for at in streams(400)[1:])


def hpack_tables_of_all_sizes(http2, path):
    block = b"\x3f\xe1\x1f\x20" * 2000 + http2.head(path)
    return (frame(HEADERS, WHOLE, at, block) for at in streams(200))


def headers_of_nothing(http2, path):
    """CVE-2019-9516."""
    block = http2.head(path) + b"\x00\x00\x00" * 4000
    return (frame(HEADERS, WHOLE, at, block) for at in streams(200))


def streams_beyond_the_most(http2, path):
    head = http2.head(path, "POST")
    return (frame(HEADERS, END_HEADERS, at, head) for at in streams(MANY // 4))


def frames_of_unknown_kinds(http2, path):
    return (frame(0x20 + at % 200, at % 256, 0, b"x" * 16) for at in range(MANY))


def resets_of_streams_that_are_over(http2, path):
    yield from (frame(HEADERS, WHOLE, at, http2.head(path)) for at in streams(90))
    yield from (frame(RST_STREAM, 0, 2 * (at % 90) + 1, number(8)) for at in range(MANY))


ATTACKS = [
    rapid_reset,
    made_you_reset_by_no_increment,
    made_you_reset_by_data_after_the_end,
    made_you_reset_by_a_window_that_overflows,
    made_you_reset_by_a_priority_on_itself,
    headers_that_are_malformed,
    continuation_flood,
    continuation_flood_of_nothing,
    continuation_flood_of_large_frames,
    empty_data_flood,
    padded_data_flood,
    ping_flood,
    settings_flood,
    settings_flood_of_table_sizes,
    settings_flood_of_windows_while_streams_wait,
    priority_flood,
    window_update_flood,
    data_dribble,
    hpack_bomb,
    hpack_bomb_of_one_megabyte,
    hpack_tables_of_all_sizes,
    headers_of_nothing,
    streams_beyond_the_most,
    frames_of_unknown_kinds,
    resets_of_streams_that_are_over,
]
# Of these h2 0.4 makes an end of itself; the others it puts up with, and they must be cheap.
ENDED = {
    "rapid_reset",
    "made_you_reset_by_no_increment",
    "made_you_reset_by_data_after_the_end",
    "made_you_reset_by_a_window_that_overflows",
    "continuation_flood",
    "continuation_flood_of_large_frames",
    "empty_data_flood",
    "hpack_bomb",
    "hpack_bomb_of_one_megabyte",
    "streams_beyond_the_most",
    "resets_of_streams_that_are_over",
}


@contextlib.contextmanager
def opened(target, **more):
    with target.place.connect(alpn="h2") as connection:
        yield Frames(connection, target.place.port, **more)


@contextlib.contextmanager
def highest_rss(program):
    """The most memory that the program has while the `with` lasts."""
    most, over = [program.rss()], threading.Event()

    def look():
        while not over.wait(0.02):
            most[0] = max(most[0], program.rss())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield most
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_a_flood_of_frames_costs_little_and_ends_or_does_no_harm(target, attack, report):
    """Takes hold on: h2's counters, and `max_concurrent_streams`, `max_header_list_size` and the two limits of resets."""
    rss, cpu = target.program.rss(), target.program.cpu()
    with target.visitor() as visitor, highest_rss(target.program) as most, opened(target) as http2:
        data = b"".join(attack(http2, target.small))
        went = http2.send(data)
        # Behind all that was sent: an answer means that all of it was read, and one to a request that more would be.
        over = lambda: http2.ended.is_set() or http2.said
        if went and http2.send(frame(PING, 0, 0, LAST)):
            eventually("the last PING is acknowledged", lambda: over() or LAST in http2.acknowledged, 10)
        if not over():
            # Beyond all that were used. What waits for room among the streams has to go first.
            http2.send(frame(SETTINGS, payload=b"\0\4" + number(65_535)) + frame(WINDOW_UPDATE, 0, 0, number(1 << 20)))
            http2.send(frame(HEADERS, WHOLE, FRESH, http2.head(target.small)))
            eventually("a new request is answered", lambda: over() or FRESH in http2.whole, 10)
        spent, grown = target.program.cpu() - cpu, most[0] - rss
        said, ended = http2.said, http2.ended.is_set()
    how = f"ended, {said[0]} {said[1]}" if said else "ended" if ended else "borne"
    # The visitor's own share of the processor: some tenths of a millisecond for each visit.
    report(f"{len(data) >> 10} KiB: {how}; {spent:.2f} s, {grown / MIB:+.1f} MiB, {http2.resets} resets; {visitor}")
    assert spent <= CPU, "processor time"
    assert grown <= MEMORY, "memory"
    if attack.__name__ in ENDED:
        assert said or ended, "was not ended"


@pytest.mark.parametrize("kept", ["silent", "pinging", "acknowledging"])
def test_answers_that_nobody_takes_are_given_up(target, kept, report):
    """A window of nothing, and a hundred large answers before it. Takes hold on: the vigil, which pings do not impress."""
    rss = target.program.rss()
    with target.visitor() as visitor, highest_rss(target.program) as most, opened(target, first=b"\0\4" + number(0)) as http2:
        began = time.monotonic()
        http2.send(b"".join(frame(HEADERS, WHOLE, at, http2.head(target.large)) for at in streams(100)))
        allowed = DEADLINES["idle_timeout"] + DEADLINES["write_timeout"] + LATE
        while not http2.ended.wait(0.3) and time.monotonic() < began + allowed:
            if kept == "pinging":
                http2.send(frame(PING, 0, 0, b"12345678"))
            if kept == "acknowledging":
                http2.send(frame(PING, ACK, 0, b"12345678") + frame(SETTINGS, ACK))
        assert http2.ended.is_set(), f"still open after {allowed} s"
        lasted = time.monotonic() - began
    report(f"ended after {lasted:.1f} s, {(most[0] - rss) / MIB:+.1f} MiB; {visitor}")
    assert most[0] - rss <= HELD


def test_a_client_that_reads_no_frame_while_it_floods_is_cut(target, report):
    """Answers to pings and settings pile up where they are not taken. Takes hold on: `write_timeout`."""
    rss = target.program.rss()
    with target.visitor() as visitor, highest_rss(target.program) as most:
        with target.place.connect(buffer=4096, alpn="h2") as connection:
            http2 = Frames(connection, target.place.port, reading=False)
            connection.settimeout(DEADLINES["write_timeout"] + LATE)
            with pytest.raises(OSError):
                while True:
                    # Ends by a reset; a timeout of our own would be the server's patience.
                    connection.sendall(frame(PING, 0, 0, b"12345678") * 4000 + frame(SETTINGS) * 1000)
    report(f"{(most[0] - rss) / MIB:+.1f} MiB; {visitor}")
    assert most[0] - rss <= MEMORY
