"""A client of HTTP/2 that writes whatever frames it is told to, in whatever order."""

import contextlib
import socket
import struct
import threading

from hpack import Encoder
from hyperframe.frame import Frame, GoAwayFrame, RstStreamFrame

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, _, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, ACK = 1, 4, 1


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def number(value: int) -> bytes:
    return struct.pack(">I", value)


class Frames:
    """A connection that has sent its preface. What comes back is read by a thread, and counted."""

    def __init__(self, connection: socket.socket, port: int, first: bytes = b"", reading: bool = True):
        self.connection, self.authority = connection, f"127.0.0.1:{port}"
        self.encoder, self.counts, self.said, self.resets, self.ended = Encoder(), {}, None, 0, threading.Event()
        # What came back of PINGs, and the streams of which the end came.
        self.acknowledged, self.whole = set(), set()
        self.connection.sendall(PREFACE + frame(SETTINGS, payload=first))
        if reading:
            threading.Thread(target=self._read, daemon=True).start()

    def head(self, path: str, method: str = "GET", more=()) -> bytes:
        return block([(":method", method), (":scheme", "http"), (":authority", self.authority), (":path", path), *more])

    def send(self, data: bytes) -> bool:
        """`False` once the other side has had enough."""
        try:
            for at in range(0, len(data), 1 << 16):
                if self.ended.is_set():
                    return False
                self.connection.sendall(data[at : at + (1 << 16)])
            return True
        except OSError:
            self.ended.wait(5)
            return False

    def _read(self) -> None:
        buffer = b""
        with contextlib.suppress(OSError):
            while got := self.connection.recv(1 << 16):
                buffer += got
                while len(buffer) >= 9:
                    length = int.from_bytes(buffer[:3], "big")
                    if len(buffer) < 9 + length:
                        break
                    one, buffer = buffer[: 9 + length], buffer[9 + length :]
                    self._count(one)
        self.ended.set()

    def _count(self, one: bytes) -> None:
        kind = one[3]
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if kind == PING and one[4] & ACK:
            self.acknowledged.add(one[9:])
        if kind in (DATA, HEADERS) and one[4] & END_STREAM:
            self.whole.add(int.from_bytes(one[5:9], "big"))
        if kind in (GOAWAY, RST_STREAM):
            found, _ = Frame.parse_frame_header(memoryview(one[:9]))
            found.parse_body(memoryview(one[9:]))
            if isinstance(found, GoAwayFrame):
                self.said = (found.error_code, found.additional_data.decode("latin-1"))
            elif isinstance(found, RstStreamFrame):
                self.resets += 1


def block(fields) -> bytes:
    """A block of headers that leaves no trace in the table of either side."""
    return b"".join(_literal(name, value) for name, value in fields)


def _literal(name: str, value: str) -> bytes:
    """Without indexing (RFC 7541 6.2.2), so that every block can be read by itself."""
    return b"\x00" + _string(name) + _string(value)


def _string(text: str) -> bytes:
    data = text.encode()
    if len(data) < 127:
        return bytes([len(data)]) + data
    rest, out = len(data) - 127, b"\x7f"
    while rest >= 128:
        out, rest = out + bytes([rest % 128 + 128]), rest // 128
    return out + bytes([rest]) + data
