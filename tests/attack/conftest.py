"""Every attack is made on a running program, in clear text and over TLS, and afterwards the program must be as before."""

import os
import re
from dataclasses import dataclass

import pytest

import client
from client import Place
from program import FULL, MIB, Program, certificate, understands
from upstream import Upstream, calendar, settings
from waiting import eventually

REPORT: list[str] = []
TLS = 'certificate = "{pem}"\nkey = "{key}"'


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `target` is run in clear text, and over TLS if this build can."""
    if "target" in metafunc.fixturenames:
        with_tls = os.environ.get("CALFERRY_ATTACK_TLS") == "1" or understands("server.tls", TLS)
        metafunc.parametrize("target", ["plain"] + ["tls"] * with_tls, indirect=True, scope="module")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in REPORT:
        terminalreporter.write_line(line)


@pytest.fixture
def report(request):
    """Says a line at the end of the run, whatever it was that was measured."""
    return lambda line: REPORT.append(f"{request.node.name}: {line}")


@dataclass
class Target:
    """A program with a small feed, `small`, and a large one, `large`."""

    program: Program
    upstream: Upstream
    place: Place
    small: str
    large: str
    body: bytes

    def visitor(self) -> client.Visitor:
        return client.Visitor(self.place, self.small, self.body)


@pytest.fixture(scope="session")
def upstream():
    upstream = Upstream()
    yield upstream
    upstream.stop()


def served(program: Program, path: str, canary: str) -> bytes:
    """The body of a feed, once it is there."""
    place = place_of(program)
    reply = eventually("a first copy", lambda: (found := client.get(place, path)).status == 200 and found, 60)
    assert canary.encode() in reply.text()
    return reply.text()


def place_of(program: Program) -> Place:
    return Place(program.port, certificate()[0] if program.tls else None)


@pytest.fixture(scope="module")
def target(request, upstream):
    import random

    dice = random.Random(1)
    # Nothing that compresses: an answer must be larger than any socket's buffers.
    noise = "".join(f"X-NOISE-{at}:{dice.randbytes(30000).hex()}\r\n" for at in range(10))
    sources = {
        "small": upstream.on("/small.ics", calendar("small canary", 20)),
        "large": upstream.on("/large.ics", calendar("large canary", 16, padding=noise)),
    }
    program = Program(settings(sources), tls=request.param == "tls")
    try:
        paths = program.paths()
        body = served(program, paths["small"], "small canary")
        served(program, paths["large"], "large canary")
        yield Target(program, upstream, place_of(program), paths["small"], paths["large"], body)
    finally:
        program.stop()


@pytest.fixture(autouse=True)
def as_before(request):
    """After every attack on a target: alive, no panic, an ordinary client is served, no descriptor and little memory is
    held."""
    if "target" not in request.fixturenames:
        yield
        return
    target = request.getfixturevalue("target")
    descriptors, rss = target.program.descriptors(), target.program.rss()
    yield
    well(target.program, target.place, target.small, target.body)
    # Connections to the upstream may come and go.
    eventually("file descriptors are given back", lambda: target.program.descriptors() <= descriptors + 4, 30)
    grown = target.program.rss() - rss
    assert grown <= (48 if FULL else 16) * MIB, f"grew by {grown / MIB:.1f} MiB"


def well(program: Program, place: Place, path: str, body: bytes) -> None:
    assert program.alive(), program.said()[-2000:]
    assert not re.search("panicked|overflow", program.said()), program.said()[-2000:]
    reply = client.get(place, path)
    assert reply.status == 200 and reply.text() == body
