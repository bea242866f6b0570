"""Texts that would leave their place: names in headers and in the calendar. The defences: `publisher::head`, and the one
way to write a value in `calendar`."""

import re

import pytest

from client import get
from conftest import place_of, served
from program import Program
from upstream import calendar, settings

HOSTILE = {
    "line": "a\r\nSet-Cookie: evil=1\r\n\r\nHTTP/1.1 200 OK\r\n\r\nevil",
    "feed": "a\nX-EVIL:1\nBEGIN:VEVENT",
    "return": "a\rX-EVIL:1",
    "quotes": 'a"; filename="evil.html"; x="',
    "semicolon": "a; filename=evil.html",
    "override": "a\u202elmth.live\u202c\u2066",
    "separator": "a\u2028X-EVIL:1\u2029\u0085X-EVIL:1",
    "controls": "a\x00b\x01c\x08d\x1be\x7ff\tg",
    "escapes": "a\\nX-EVIL:1\\;\\,\\\\n",
    "percent": "%0d%0aSet-Cookie: evil=1",
    "encoded": "=?utf-8?Q?=0D=0ASet-Cookie:_evil=3D1?=",
    "path": "../../../etc/passwd",
    "chinese": "\u5de5\u4f5c" * 40,
    "long": "long" * 2500,
    "combined": "e\u0301" * 3000,
    "emoji": "\U0001f469\u200d\U0001f467" * 500,
}
EXPECTED = {
    "cache-control", "cache-status", "connection", "content-disposition", "content-length", "content-type", "date", "etag",
    "last-modified", "referrer-policy", "vary", "x-content-type-options", "x-robots-tag", "content-encoding",
}  # fmt: skip


def toml(text: str) -> str:
    return '"' + "".join(char if char.isalnum() and char.isascii() else f"\\U{ord(char):08x}" for char in text) + '"'


@pytest.fixture(scope="module")
def named(upstream):
    """For each text one feed whose `name` it is, and one whose source says it of itself."""
    text = "[fetch]\nallow_private = true\n"
    for name, hostile in HOSTILE.items():
        plain = upstream.on(f"/{name}.ics", calendar("name canary", 2))
        unbroken = re.sub("[\r\n]", "", hostile)
        own = upstream.on(f"/own-{name}.ics", calendar("name canary", 2, f"X-WR-CALNAME:{unbroken}\r\nX-WR-CALDESC:{unbroken}\r\n"))
        values = f"location = {toml(hostile)}, description = {toml(hostile)}, x-note = {toml(hostile)}, categories = [{toml(hostile)}]"
        text += f'[source.{name}]\nurl = "{plain}"\n[source.own-{name}]\nurl = "{own}"\n'
        text += f'[feed.said-{name}]\nsources = ["{name}"]\nname = {toml(hostile)}\n'
        text += f'[[feed.said-{name}.rule]]\nprefix = {toml(hostile)}\nset = {{ {values} }}\n'
        text += f'[feed.own-{name}]\nsources = ["own-{name}"]\n'
    program = Program(text)
    try:
        yield program, program.paths()
    finally:
        program.stop()


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("whose", ["said", "own"])
def test_a_hostile_name_stays_in_its_place(named, whose, name):
    program, paths = named
    path = paths[f"{whose}-{name}"]
    served(program, path, "name canary")
    reply = get(place_of(program), path)
    lines = reply.head.decode("ascii").split("\r\n")[1:]
    assert "\r" not in "".join(lines) and "\n" not in "".join(lines)
    names = [line.partition(":")[0].lower() for line in lines]
    assert len(names) == len(set(names)) and set(names) <= EXPECTED, names
    disposition = reply.header("content-disposition")
    assert re.fullmatch(r'inline; filename="[A-Za-z0-9_-]+\.ics"; filename\*=UTF-8\'\'[A-Za-z0-9%._~-]+\.ics', disposition)
    assert len(disposition) < 2000 and "%0D" not in disposition.upper() and "%0A" not in disposition.upper()
    proper(reply.text(), ours=whose == "said")


def proper(body: bytes, ours: bool) -> None:
    """The structure that the source had; and of what the program itself has written, lines as RFC 5545 has them. Lines
    of the source that nobody changed are passed on as they are."""
    assert body.endswith(b"\r\n")
    lines = body[:-2].split(b"\r\n")
    assert not any(b"\r" in line or b"\n" in line for line in lines), "a bare line end"
    assert not ours or all(len(line) <= 75 for line in lines), max(lines, key=len)
    assert not ours or not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", body), "a control character"
    unfolded = body.replace(b"\r\n ", b"").decode("utf-8").split("\r\n")
    structure = [line for line in unfolded if line.startswith(("BEGIN:", "END:"))]
    assert structure == ["BEGIN:VCALENDAR", *["BEGIN:VEVENT", "END:VEVENT"] * 2, "END:VCALENDAR"]
    assert not any(line.startswith(("X-EVIL", "Set-Cookie")) for line in unfolded)
