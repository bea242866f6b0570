"""Clients that have several requests under way on one connection, and give back each answer with what was asked: over
HTTP/1.1 one after the other, over HTTP/2 whichever is whole first."""

import collections
import contextlib
import random

from hpack import Decoder

from client import Ended, Place, Reading, Reply
from frames import ACK, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PREFACE, RST_STREAM, SETTINGS, WINDOW_UPDATE, block, frame, number


class Lines:
    """HTTP/1.1: requests that are sent ahead."""

    AHEAD = 32

    def __init__(self, place: Place, dice: random.Random):
        self.connection, self.under_way, self.unsent = place.connect(), collections.deque(), []
        self.reading, self.heard = Reading(self.connection), False

    @property
    def owes(self) -> bool:
        """Whether answers are owed. As long as nothing has come, nobody may have taken the connection."""
        return self.heard

    def ask(self, what, path: str, fields: list[tuple[str, str]]) -> None:
        more = "".join(f"{name}: {value}\r\n" for name, value in fields)
        self.unsent.append(f"GET {path} HTTP/1.1\r\nHost: a\r\n{more}\r\n")
        self.under_way.append(what)

    def answer(self):
        """What was asked, and its answer."""
        if self.unsent:
            self.connection.sendall("".join(self.unsent).encode())
            self.unsent.clear()
        reply = self.reading.reply()
        self.heard = True
        return self.under_way.popleft(), reply

    def room(self) -> int:
        """How many more may be asked: none, or so many that they are worth a write."""
        return self.AHEAD - len(self.under_way) if len(self.under_way) <= self.AHEAD // 2 else 0

    def close(self) -> None:
        self.connection.close()


class Streams:
    """HTTP/2. Windows are small on some connections, so that answers come in parts, and every part taken is told."""

    AHEAD = 10

    def __init__(self, place: Place, dice: random.Random):
        self.connection, self.authority = place.connect(alpn="h2"), f"127.0.0.1:{place.port}"
        assert self.connection.selected_alpn_protocol() == "h2"
        window = dice.choice([700, 65_535])
        self.decoder, self.buffer, self.unsent = Decoder(), b"", PREFACE + frame(SETTINGS, payload=b"\0\4" + number(window))
        self.next, self.heard, self.last, self.under_way, self.whole = 1, False, None, {}, collections.deque()

    @property
    def owes(self) -> bool:
        """Whether answers are owed: all, until it is said which is the last that will be given."""
        return self.heard and (self.last is None or any(stream <= self.last for stream in self.under_way))

    def ask(self, what, path: str, fields: list[tuple[str, str]]) -> None:
        head = [(":method", "GET"), (":scheme", "https"), (":authority", self.authority), (":path", path), *fields]
        self.unsent += frame(HEADERS, END_STREAM | END_HEADERS, self.next, block((name.lower(), value) for name, value in head))
        self.under_way[self.next] = [what, None, b""]
        self.next += 2

    def answer(self):
        """What was asked, and its answer."""
        while not self.whole:
            if self.last is not None and not self.owes:
                raise Ended("as was said")
            if self.unsent:
                # Where nobody listens any more, answers may still be on their way.
                with contextlib.suppress(OSError):
                    self.connection.sendall(self.unsent)
                self.unsent = b""
            got = self.connection.recv(1 << 16)
            if not got:
                raise Ended("without a word" if self.last is None else "before all that was promised")
            self.heard = True
            self.buffer += got
            self._take()
        return self.whole.popleft()

    def room(self) -> int:
        return 0 if self.last is not None else self.AHEAD - len(self.under_way)

    def close(self) -> None:
        self.connection.close()

    def _take(self) -> None:
        at = 0
        while len(self.buffer) - at >= 9:
            length = int.from_bytes(self.buffer[at : at + 3], "big")
            if len(self.buffer) - at < 9 + length:
                break
            kind, flags, stream = self.buffer[at + 3], self.buffer[at + 4], int.from_bytes(self.buffer[at + 5 : at + 9], "big")
            self._frame(kind, flags, stream, self.buffer[at + 9 : at + 9 + length])
            at += 9 + length
        self.buffer = self.buffer[at:]

    def _frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == HEADERS:
            # Each head fits a frame, and nothing here comes after a body.
            assert flags & END_HEADERS and self.under_way[stream][1] is None, "two heads on one stream"
            self.under_way[stream][1] = self.decoder.decode(payload)
        elif kind == DATA:
            self.under_way[stream][2] += payload
            if payload:
                self.unsent += frame(WINDOW_UPDATE, 0, 0, number(len(payload)))
                if not flags & END_STREAM:
                    self.unsent += frame(WINDOW_UPDATE, 0, stream, number(len(payload)))
        elif kind == GOAWAY:
            assert int.from_bytes(payload[4:8], "big") == 0, f"an error: {payload!r}"
            self.last = int.from_bytes(payload[:4], "big")
        elif kind in (SETTINGS, PING) and not flags & ACK:
            self.unsent += frame(kind, ACK, 0, payload if kind == PING else b"")
        assert kind != RST_STREAM, f"stream {stream} was reset: {payload!r}"
        if kind in (HEADERS, DATA) and flags & END_STREAM:
            what, head, body = self.under_way.pop(stream)
            self.whole.append((what, reply(head, body)))


def reply(head: list[tuple[str, str]], body: bytes) -> Reply:
    (status,) = [value for name, value in head if name == ":status"]
    told = [value for name, value in head if name == "content-length"]
    assert status == "304" or told == [str(len(body))], f"{told} told, {len(body)} bytes came"
    lines = [f"HTTP/2 {status}", *(f"{name}: {value}" for name, value in head if name != ":status")]
    return Reply(int(status), "\r\n".join(lines).encode(), body)
