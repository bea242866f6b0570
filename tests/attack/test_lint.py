"""Every kind of answer, judged by httplint, which knows what RFC 9110 to 9112 say of each header and of all together. The
defence: `http::answer` and `publisher::head`."""

import time

import pytest
from httplint import HttpRequestLinter, HttpResponseLinter
from httplint.note import levels

from client import Reading, get
from client import request as written
from conftest import place_of, served
from program import Program
from upstream import calendar, settings
from waiting import eventually


# With the shortest time at the edge, what an edge is told of dates settles within seconds.
EDGES = {"no edge": {}, "an edge": {"edge_cache": '"1s"'}}


@pytest.fixture(scope="module", params=EDGES)
def judged(upstream, request):
    """A program with a feed that has a copy, one that never gets one, one whose URL is revoked, and tight limits."""
    upstream.act("/none.ics", lambda handler: handler.send_error(404))
    sources = {"here": upstream.on("/lint.ics", calendar("lint canary", 40)), "none": upstream.address("/none.ics")}
    text = settings(sources) + 'devices = ["phone", "lost"]\n'
    server = {"first_wait": '"0s"', "modified_since_margin": '"0s"', "wrong_tokens_per_minute": 10}
    program = Program(text, server=server | EDGES[request.param])
    program.has_edge = bool(EDGES[request.param])
    try:
        paths = program.paths()
        lost = program.every_path("none")["lost"]
        program.reload(text.replace('"phone", "lost"]', '"phone"]\nrevoked = ["lost"]'))
        program.here, program.none, program.lost = paths["here"], program.every_path("none")["phone"], lost
        program.probe = program.probe_path()
        served(program, program.here, "lint canary")
        eventually("revoked", lambda: get(place_of(program), lost).status == 410)
        yield program
    finally:
        program.stop()


def known(program: Program, header: str) -> str:
    return get(place_of(program), program.here).header(header)


# What is asked, and the status of the answer that is judged: from the program, the request's line after its method and
# headers beside the phone's.
CASES = {
    "feed with gzip": (200, "GET", lambda p: (p.here, "")),
    "feed with brotli": (200, "GET", lambda p: (p.here, "Accept-Encoding: br\r\n")),
    "feed with zstd": (200, "GET", lambda p: (p.here, "Accept-Encoding: zstd\r\n")),
    "feed as it is": (200, "GET", lambda p: (p.here, "Accept-Encoding: identity\r\n")),
    "feed with a query": (200, "GET", lambda p: (f"{p.here}?x=1", "")),
    "part of a feed": (200, "GET", lambda p: (p.here, "Range: bytes=0-9\r\n")),
    "unchanged by its tag": (304, "GET", lambda p: (p.here, f"If-None-Match: {known(p, 'etag')}\r\n")),
    "unchanged by any tag": (304, "GET", lambda p: (p.here, "If-None-Match: *\r\n")),
    "unchanged by its date": (304, "GET", lambda p: (p.here, f"If-Modified-Since: {known(p, 'last-modified')}\r\n")),
    "head": (200, "HEAD", lambda p: (p.here, "")),
    "head, unchanged": (304, "HEAD", lambda p: (p.here, f"If-None-Match: {known(p, 'etag')}\r\n")),
    "wrong token": (404, "GET", lambda p: ("/wrong.ics", "")),
    "wrong token, head": (404, "HEAD", lambda p: ("/wrong.ics", "")),
    "wrong token, unchanged": (404, "GET", lambda p: ("/wrong.ics", "If-None-Match: *\r\n")),
    "revoked": (410, "GET", lambda p: (p.lost, "")),
    "too many": (429, "GET", lambda p: ("/wrong.ics", "")),
    "two hosts": (400, "GET", lambda p: (p.here, "Host: other.example\r\n")),
    "another method": (405, "POST", lambda p: (p.here, "Content-Length: 0\r\n")),
    "options": (405, "OPTIONS", lambda p: (p.here, "")),
    "no copy": (503, "GET", lambda p: (p.none, "")),
    "no copy, head": (503, "HEAD", lambda p: (p.none, "")),
    "alive": (200, "GET", lambda p: ("/healthz", "")),
    "ready": (200, "GET", lambda p: ("/readyz", "")),
    "robots": (200, "GET", lambda p: ("/robots.txt", "")),
    "health": (200, "GET", lambda p: (p.here.removesuffix(".ics") + "/health", "")),
    "health without a copy": (503, "GET", lambda p: (p.none.removesuffix(".ics") + "/health", "")),
    "health, head": (200, "HEAD", lambda p: (p.here.removesuffix(".ics") + "/health", "")),
    "health of nobody": (404, "GET", lambda p: ("/wrong/health", "")),
    "probe": (200, "GET", lambda p: (p.probe, "")),
    "probe, head": (200, "HEAD", lambda p: (p.probe, "")),
    "probe, another method": (405, "POST", lambda p: (p.probe, "Content-Length: 0\r\n")),
    "wrong probe": (404, "GET", lambda p: ("/wrong/probe", "")),
    "page": (200, "GET", lambda p: (p.here.removesuffix(".ics"), "")),
    "page, head": (200, "HEAD", lambda p: (p.here.removesuffix(".ics"), "")),
    "page without a copy": (200, "GET", lambda p: (p.none.removesuffix(".ics"), "")),
    "page of a revoked device": (410, "GET", lambda p: (p.lost.removesuffix(".ics"), "")),
}  # fmt: skip
# One that is too many is asked for often; the others each come from an address of their own.
SOURCES = {name: f"127.9.{at}.1" for at, name in enumerate(CASES)}


def notes(asked: bytes, reply) -> list:
    """What httplint has to say of an answer, the request being known."""
    began = time.time()
    top, *lines = asked.partition(b"\r\n\r\n")[0].split(b"\r\n")
    method, target, version = top.split()
    question = HttpRequestLinter(start_time=began)
    question.process_request_topline(method, b"http://127.0.0.1" + target, version)
    question.process_headers([tuple(line.split(b": ", 1)) for line in lines])
    question.finish_content(True)
    answer = HttpResponseLinter(start_time=began, _related=question, no_content=method == b"HEAD")
    top, *lines = reply.head.split(b"\r\n")
    version, status, phrase = top.split(b" ", 2)
    answer.process_response_topline(version, status, phrase)
    answer.process_headers([(name, value.strip()) for name, _, value in (line.partition(b":") for line in lines)])
    answer.feed_content(reply.body)
    answer.finish_content(True)
    return list(answer.notes)


def ask(program: Program, name: str) -> tuple[bytes, object]:
    _, method, what = CASES[name]
    target, more = what(program)
    asked = written(target, program.port, more, method, "close")
    if "Accept-Encoding" in more:
        asked = asked.replace(b"Accept-Encoding: gzip, deflate\r\n", b"")
    with place_of(program).connect(SOURCES[name]) as connection:
        connection.sendall(asked)
        return asked, Reading(connection).reply(of_head=method == "HEAD")


@pytest.mark.parametrize("name", CASES)
def test_an_answer_is_as_the_standards_want_it(judged, name, report):
    status = CASES[name][0]
    asked, reply = ask(judged, name)
    if name in ("too many", "unchanged by its date"):
        asked, reply = eventually(name, lambda: (found := ask(judged, name))[1].status == status and found)
    assert reply.status == status
    edge = judged.has_edge and name.split()[0] in ("feed", "part", "unchanged", "head", "head,")
    assert (b"\r\ncdn-cache-control: max-age=1," in reply.head) == edge
    found = notes(asked, reply)
    bad = [f"{note.summary}: {note.vars}" for note in found if note.level == levels.BAD]
    assert not bad
    warnings = [note.summary for note in found if note.level == levels.WARN]
    if warnings:
        report("; ".join(warnings))


def test_the_judge_sees_what_is_wrong(judged):
    """The control."""
    asked, reply = ask(judged, "feed as it is")
    for right, wrong in ((b"date: ", b"date: x"), (b"content-length: ", b"content-length: 1"), (b"cache-control: ", b"cache-control: max-age=-1, ")):
        spoilt = type(reply)(reply.status, reply.head.replace(right, wrong), reply.body)
        assert spoilt.head != reply.head
        assert any(note.level == levels.BAD for note in notes(asked, spoilt)), wrong
