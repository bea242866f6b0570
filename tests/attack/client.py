"""Clients: one that is ordinary, one that asks every 50 ms as long as an attack lasts, and bare sockets for the others.

Run as a program, it is the one that asks every 50 ms: a process of its own, so that what it measures is the server and
not the attacker's interpreter."""

import json
import socket
import ssl
import subprocess
import sys
import time
import zlib
from dataclasses import dataclass

# Attackers and ordinary clients have different addresses, as out there.
ATTACKER, ORDINARY = "127.6.6.6", "127.0.0.1"

PHONE = (
    "Host: 127.0.0.1:{port}\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate\r\nAccept-Language: zh-CN,zh-Hans;q=0.9\r\n"
    "User-Agent: iOS/26.1 (23B85) dataaccessd/1.0\r\nConnection: {connection}\r\n"
)


@dataclass(frozen=True)
class Place:
    """Where a program listens."""

    port: int
    pem: str | None = None

    def connect(self, source: str = ATTACKER, seconds: float = 30, buffer: int | None = None, alpn="http/1.1", bare=False):
        """`bare` leaves out TLS, whatever is listening."""
        plain = socket.socket()
        try:
            if buffer:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            plain.settimeout(seconds)
            # With the kernel's choice of port made at connect, many sockets of one address find one.
            plain.setsockopt(socket.IPPROTO_IP, 24, 1)
            plain.bind((source, 0))
            plain.connect(("127.0.0.1", self.port))
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.pem is None or bare:
                return plain
            context = ssl.create_default_context(cafile=self.pem)
            context.set_alpn_protocols([alpn])
            return context.wrap_socket(plain, server_hostname="127.0.0.1")
        except BaseException:
            plain.close()
            raise


@dataclass(frozen=True)
class Reply:
    status: int
    head: bytes
    body: bytes

    def header(self, name: str) -> str | None:
        found = [line for line in self.head.split(b"\r\n")[1:] if line.lower().startswith(name.lower().encode() + b":")]
        assert len(found) <= 1, f"{name} twice"
        return found[0].partition(b":")[2].strip().decode() if found else None

    def text(self) -> bytes:
        return zlib.decompress(self.body, 31) if self.header("content-encoding") == "gzip" else self.body


class Ended(Exception):
    """The connection ended before a whole answer was there."""


class Reading:
    """Reads answers one after the other from a connection."""

    def __init__(self, connection):
        self.connection, self.buffer = connection, b""

    def reply(self, of_head: bool = False) -> Reply:
        while b"\r\n\r\n" not in self.buffer:
            self.more()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        reply = Reply(int(head.split()[1]), head, b"")
        if of_head or reply.status in (204, 304) or reply.status < 200:
            return reply
        length = int(reply.header("content-length") or 0)
        if (reply.header("transfer-encoding") or "") == "chunked":
            return Reply(reply.status, head, self.chunks())
        while len(self.buffer) < length:
            self.more()
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return Reply(reply.status, head, body)

    def chunks(self) -> bytes:
        body = b""
        while True:
            while b"\r\n" not in self.buffer:
                self.more()
            size, _, self.buffer = self.buffer.partition(b"\r\n")
            length = int(size.split(b";")[0], 16)
            while len(self.buffer) < length + 2:
                self.more()
            body, self.buffer = body + self.buffer[:length], self.buffer[length + 2 :]
            if length == 0:
                return body

    def more(self):
        got = self.connection.recv(1 << 16)
        if not got:
            raise Ended(f"after {self.buffer[:200]!r}")
        self.buffer += got


def request(path: str, port: int, more: str = "", method: str = "GET", connection: str = "keep-alive") -> bytes:
    head = PHONE.format(port=port, connection=connection)
    return f"{method} {path} HTTP/1.1\r\n{head}{more}\r\n".encode()


def get(place: Place, path: str, source: str = ORDINARY, seconds: float = 30, more: str = "") -> Reply:
    """What a phone does: a connection, a request, an answer."""
    with place.connect(source, seconds) as connection:
        connection.sendall(request(path, place.port, more, connection="close"))
        return Reading(connection).reply()


def admin(port: int, path: str) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        return Reading(connection).reply().body


class Visitor:
    """An ordinary client that asks every 50 ms while the `with` lasts."""

    def __init__(self, place: Place, path: str, body: bytes):
        self.arguments = [str(place.port), place.pem or "", path, str(zlib.crc32(body))]

    def __enter__(self):
        self.process = subprocess.Popen(
            [sys.executable, __file__, *self.arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.process.stdout.readline()
        return self

    def __exit__(self, kind, *_):
        said, _ = self.process.communicate()
        found = json.loads(said.splitlines()[-1])
        self.asked, self.p99, self.worst, self.failed = found["asked"], found["p99"], found["worst"], found["failed"]
        if kind is None:
            assert self.asked > 0 and not self.failed, f"of {self.asked} visits failed: {self.failed[:5]}"

    def __str__(self):
        return f"{self.asked} visits, all answered, p99 {1000 * self.p99:.0f} ms, worst {1000 * self.worst:.0f} ms"


def visit(port: str, pem: str, path: str, crc: str) -> None:
    import select

    place, took, failed = Place(int(port), pem or None), [], []
    print("ready", flush=True)
    while len(took) < 3 or not select.select([sys.stdin], [], [], 0.05)[0]:
        began = time.monotonic()
        try:
            reply = get(place, path)
            if reply.status != 200 or zlib.crc32(reply.text()) != int(crc):
                failed.append(f"{reply.status}, {len(reply.body)} bytes")
        except (OSError, Ended, zlib.error) as error:
            failed.append(repr(error))
        took.append(time.monotonic() - began)
    took.sort()
    p99 = took[int(len(took) * 0.99)]
    print(json.dumps({"asked": len(took), "p99": p99, "worst": took[-1], "failed": failed}))


if __name__ == "__main__":
    visit(*sys.argv[1:])
