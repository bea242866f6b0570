"""Clients that are slow, silent or idle, in every way there is. The defences: the deadlines of `http::vigil`, and the cap
of connections in `http::server`."""

import contextlib
import os
import pathlib
import select
import socket
import subprocess
import time

import pytest

from client import ORDINARY, Ended, Place, Visitor, admin, get, request
from conftest import place_of, served
from program import DEADLINES, FULL, LATE, Program
from upstream import calendar, settings
from waiting import eventually

SOCKETS = int(os.environ.get("CALFERRY_ATTACK_SOCKETS", 1000 if FULL else 200))
P99 = 0.25
HEAD = b"GET /healthz HTTP/1.1\r\nHost: a\r\n"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\0\0\0\4\0\0\0\0\0"

# What a client says first, what it says every now and then, and how long it may.
WAYS = {
    "silent": (b"", b"", "first_byte_timeout"),
    "one byte": (b"G", b"", "header_timeout"),
    "slow head": (HEAD + b"X-Slow: ", b"x", "header_timeout"),
    "slow head of lines": (HEAD, b"X-Slow: 1\r\n", "header_timeout"),
    "half a preface": (PREFACE[:18], b"", "header_timeout"),
    "preface only": (PREFACE, b"", "header_timeout"),
    "preface and pings": (PREFACE + SETTINGS, b"\0\0\x08\6\0\0\0\0\0" + b"12345678", "header_timeout"),
    "slow body": (b"POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n", b"x", "idle_timeout"),
    "slow chunks": (b"GET /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", "idle_timeout"),
    "idle after an answer": (HEAD + b"\r\n", b"", "idle_timeout"),
    "slow head after an answer": (HEAD + b"\r\n" + HEAD, b"X: 1\r\n", "header_timeout"),
}
LONGEST = max(DEADLINES.values())


def test_slow_and_silent_sockets_are_cut_within_their_deadlines_while_a_phone_is_served(target, report):
    """Takes hold on: every deadline of the vigil."""
    ways = [*WAYS.items()]
    if target.place.pem:
        # Before TLS there is another silence, and another slowness.
        ways += [("no handshake", (b"", b"", "first_byte_timeout")), ("slow handshake", (b"\x16", b"\x03", "header_timeout"))]
    with contextlib.ExitStack() as stack, target.visitor() as visitor:
        poll, sockets = select.poll(), {}
        for at in range(SOCKETS):
            way, (first, drip, deadline) = ways[at % len(ways)]
            held = stack.enter_context(target.place.connect(bare="handshake" in way))
            with contextlib.suppress(OSError):
                held.sendall(first)
            held.setblocking(False)
            sockets[held.fileno()] = (way, held, drip, DEADLINES[deadline], time.monotonic())
            poll.register(held, select.POLLRDHUP | select.POLLHUP | select.POLLERR)
        lasted, next_drip = {}, time.monotonic()
        end = time.monotonic() + LONGEST + LATE
        while sockets and time.monotonic() < end:
            for number, _ in poll.poll(100):
                way, held, _, allowed, began = sockets.pop(number)
                poll.unregister(held)
                lasted[way] = max(lasted.get(way, 0), time.monotonic() - began - allowed)
            if time.monotonic() >= next_drip:
                next_drip += 0.3
                for _, held, drip, _, _ in [*sockets.values()]:
                    with contextlib.suppress(OSError):
                        held.send(drip) if drip else None
        left = sorted({way for way, *_ in sockets.values()})
        assert not left, f"still open after {LONGEST + LATE} s: {left}"
        late = {way: f"{over:.1f} s" for way, over in lasted.items() if over > LATE}
        assert not late, f"cut later than allowed: {late}"
    worst = max(lasted, key=lasted.get)
    report(f"{SOCKETS} sockets, {len(ways)} ways, the last cut {lasted[worst]:.1f} s after its deadline ({worst}); {visitor}")
    assert visitor.p99 <= P99


def test_a_client_that_takes_nothing_of_its_answer_is_cut_while_a_phone_is_served(target, report):
    """Takes hold on: `write_timeout`."""
    sockets = SOCKETS // 10
    before = target.program.descriptors()
    with contextlib.ExitStack() as stack, target.visitor() as visitor:
        held = [stack.enter_context(target.place.connect(buffer=4096)) for _ in range(sockets)]
        # Five answers of several MB each: more than the kernel takes for the client.
        for one in held:
            one.sendall(request(target.large, target.place.port, "Accept-Encoding: identity\r\n").replace(b"gzip, deflate", b"identity") * 5)
        eventually("all are in", lambda: target.program.descriptors() >= before + sockets)
        began = time.monotonic()
        eventually("all are cut", lambda: target.program.descriptors() <= before + 8, DEADLINES["write_timeout"] + 2 * LATE)
        lasted = time.monotonic() - began
    report(f"{sockets} sockets that read nothing were cut within {lasted:.1f} s; {visitor}")
    assert visitor.p99 <= P99


def test_a_client_that_reads_a_few_bytes_a_second_is_cut_as_if_it_read_none(target, report):
    """Takes hold on: the pace that `write_timeout` asks for, 1 KiB a second. What is taken below it puts nothing off."""
    with target.place.connect(buffer=4096) as held, target.visitor() as visitor:
        held.settimeout(0.1)
        held.sendall(request(target.large, target.place.port, "Accept-Encoding: identity\r\n").replace(b"gzip, deflate", b"identity"))
        began, got, patience = time.monotonic(), 0, DEADLINES["write_timeout"] + LATE
        while not (cut := was_cut(held)) and time.monotonic() < began + patience:
            with contextlib.suppress(TimeoutError):
                got += len(held.recv(100))
            time.sleep(0.2)
        lasted = time.monotonic() - began
    report(f"cut after {lasted:.1f} s and {got} bytes; {visitor}")
    assert cut, f"not within {patience} s"
    assert got < 1024 * lasted, "was too fast for this test"


def was_cut(held) -> bool:
    """Whether the program has let go of its end. The client sees that only once it has taken all that the kernel holds."""
    address, port = held.getsockname()
    own = f"{socket.inet_aton(address)[::-1].hex().upper()}:{port:04X}"
    ends = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()]
    # The inode: an end that nobody holds has none.
    return not any(end[2] == own and end[9] != "0" for end in ends)


def test_slowhttptest_in_three_ways_at_once_is_not_noticed_by_a_phone(target, report):
    """Takes hold on: the vigil, seen by a tool that is not ours."""
    count, seconds = (1000, 30) if FULL else (70, 5)
    scheme = "https" if target.place.pem else "http"
    common = ["-c", str(count), "-r", str(count), "-l", str(seconds), "-i", "1", "-p", "3"]
    place = f"{scheme}://127.0.0.1:{target.place.port}"
    ways = [
        ["-H", "-u", f"{place}/healthz"],
        ["-B", "-u", f"{place}/healthz"],
        ["-X", "-w", "10", "-y", "20", "-n", "1", "-z", "32", "-k", "3", "-u", f"{place}{target.large}"],
    ]
    with target.visitor() as visitor:
        running = [
            subprocess.Popen(["slowhttptest", *way, *common], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            for way in ways
        ]
        for one in running:
            said, _ = one.communicate(timeout=seconds + 60)
            assert "slow HTTP test status" in said, said[-2000:]
    report(f"3 x {count} connections; {visitor}")
    assert visitor.p99 <= P99


def crowded(upstream, most: int, patience: int) -> tuple[Program, Place, str, bytes]:
    served_here = settings({"small": upstream.on("/crowd.ics", calendar("crowd canary"))})
    server = {"max_connections": most, "connections_per_client": most, "first_byte_timeout": patience}
    program = Program(served_here, server=server)
    path = program.paths()["small"]
    return program, place_of(program), path, served(program, path, "crowd canary")


def test_beyond_the_cap_of_connections_a_phone_waits_until_the_silent_are_cut(upstream, report):
    """Takes hold on: `max_connections`, and `first_byte_timeout` that makes room."""
    # The queue of the socket holds the rest; so long that none is cut before all are there.
    most, count, patience = (8000, 10_000, 20) if FULL else (50, 120, DEADLINES["first_byte_timeout"])
    program, place, path, body = crowded(upstream, most, patience)
    try:
        descriptors, rss = program.descriptors(), program.rss()
        with contextlib.ExitStack() as stack:
            # Loopback has many addresses, and each has its own ports.
            for at in range(count):
                stack.enter_context(place.connect(f"127.6.{at // 5000}.6"))
            # The visit before may still have been counted as open.
            eventually("a full house", lambda: program.descriptors() >= descriptors + most - 4, 30)
            # All that wait could come in now.
            held = max(look() for look in [lambda: time.sleep(0.02) or program.descriptors()] * 20)
            began = time.monotonic()
            reply = get(place, path, seconds=60)
            took = time.monotonic() - began
            grown = (program.rss() - rss) / max(held - descriptors, 1)
            assert reply.status == 200 and reply.text() == body
        assert held <= descriptors + most + 8, "never more than the cap"
        assert f"all {most} places for connections are taken (max_connections)" in program.said()
        assert took <= 2 * (patience + LATE)
        eventually("descriptors are given back", lambda: program.descriptors() <= descriptors + 4)
        report(f"{count} connections at a cap of {most}: a phone was answered after {took:.1f} s; {grown / 1024:.1f} KiB each")
    finally:
        program.stop()


def test_beyond_the_places_of_the_private_listener_whoever_watches_waits_and_it_says_whose_they_are(upstream):
    """Takes hold on: the cap in `app`, which is no setting."""
    program, place, path, _ = crowded(upstream, 50, DEADLINES["first_byte_timeout"])
    try:
        with contextlib.ExitStack() as stack:
            for _ in range(65):
                stack.enter_context(Place(program.admin_port).connect())
            eventually("it is said", lambda: "places for connections are taken (the private listener's)" in program.said())
            assert "max_connections" not in program.said(), "there is nothing to be set"
            assert get(place, path).status == 200 and b"calferry_connections" in admin(program.admin_port, "/metrics")
    finally:
        program.stop()


def test_when_file_descriptors_run_out_the_program_goes_on_and_serves_phones_again(upstream, report):
    """Takes hold on: the pause after a failed accept."""
    program = Program(
        settings({"small": upstream.on("/few.ics", calendar("few canary"))}),
        wrap=["prlimit", "--nofile=64:64", "--"],
    )
    try:
        place, path = place_of(program), program.paths()["small"]
        body = served(program, path, "few canary")
        cpu, began = program.cpu(), time.monotonic()
        with contextlib.ExitStack() as stack:
            for _ in range(150):
                stack.enter_context(place.connect())
            eventually("no descriptor is left", lambda: "cannot be accepted" in program.said())
            with Visitor(place, path, body) as visitor:
                # Some minutes of an attack, as it were: those that are cut come again.
                for _ in range(60 if FULL else 15):
                    stack.enter_context(place.connect())
                    time.sleep(0.1)
        assert get(place, path).text() == body and program.alive()
        said, spent, took = program.said().count("cannot be accepted"), program.cpu() - cpu, time.monotonic() - began
        assert said <= 1 + took / 60, "says it again and again"
        assert spent <= took / 4, f"tries again and again without a pause: {spent:.1f} s of processor time in {took:.1f} s"
        report(f"64 descriptors, 150 sockets: {visitor}; said {said} times, {spent:.1f} s of processor time")
    finally:
        program.stop()


def test_one_address_cannot_have_all_the_connections(upstream):
    """Takes hold on: `connections_per_client`, where there is one."""
    from program import understands

    if not understands("server", "connections_per_client = 10"):
        pytest.skip("this build has no connections_per_client")
    program = Program(
        settings({"small": upstream.on("/share.ics", calendar("share canary"))}),
        server={"connections_per_client": 10, "max_connections": 100, "first_byte_timeout": 60},
    )
    try:
        place, path = place_of(program), program.paths()["small"]
        served(program, path, "share canary")
        with contextlib.ExitStack() as stack:
            held = [stack.enter_context(place.connect()) for _ in range(200)]
            assert get(place, path, source=ORDINARY, seconds=5).status == 200
            refused = 0
            # The first ten are held, and looked at last: each of them would be waited for.
            for one in reversed(held):
                with contextlib.suppress(OSError, Ended):
                    one.settimeout(0.5 if refused > 180 else 5)
                    refused += one.recv(1) == b""
                    if refused >= 190:
                        break
            assert refused >= 190
    finally:
        program.stop()
