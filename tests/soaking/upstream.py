"""Upstreams that behave badly, all on one port of this machine: sources tell hosts apart by addresses of 127.0.0.0/8."""

import asyncio
import collections
import contextlib
import gzip
import random
import re
import socket

from .truth import calendar

# How often an answer is bad, and how often there is something new.
BAD, NEW = 0.7, 0.6
# Longer than the program waits for a head.
HANG = 20

PAGE = b"<!DOCTYPE html><html><title>Sign in</title><body>Please sign in to see this calendar.</body></html>"
EMPTY = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//soak//EN\r\nEND:VCALENDAR\r\n"
ASKED = re.compile(rb"GET /(\w+)\.ics\?\S* HTTP/1\.1\r\n")
MATCH = re.compile(rb"(?i)\r\nif-none-match: ([^\r]*)\r\n")


def head(status, length, *more):
    lines = [f"HTTP/1.1 {status}", "Content-Type: text/calendar; charset=utf-8", f"Content-Length: {length}", *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Upstreams:
    """All sources, by name."""

    def __init__(self):
        self.sources = {}
        self.faults, self.good = collections.Counter(), collections.Counter()
        self.kinds = [name.removeprefix("bad_") for name in dir(self) if name.startswith("bad_")]

    async def start(self):
        self.server = await asyncio.start_server(self.connection, "0.0.0.0", 0, backlog=4096)
        self.port = self.server.sockets[0].getsockname()[1]

    async def connection(self, reader, writer):
        # Cancelled at the end of it all, and asyncio of Python 3.11 prints a page for each that says so.
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            while True:
                asked = await reader.readuntil(b"\r\n\r\n")
                found = ASKED.match(asked)
                source = self.sources.get(found[1].decode()) if found else None
                if source is None or not await self.answer(source, asked, writer):
                    break
        writer.close()

    async def answer(self, source, asked, writer):
        """Whether the connection stays open."""
        if random.random() < NEW:
            source.version += 1
        version = source.version
        source.offered = max(source.offered, version)
        body = calendar(source.name, version)
        if random.random() < BAD and b"moved=" not in asked:
            kind = random.choice(self.kinds)
            if kind == "empty" and not source.held:
                kind = "nothing"
            self.faults[kind] += 1
            return await getattr(self, f"bad_{kind}")(source, body, writer)
        tag = f'"{source.name}-{version}"'
        held = MATCH.search(asked)
        if held and held[1].decode() == tag:
            self.good["304"] += 1
            writer.write(f"HTTP/1.1 304 Not Modified\r\nETag: {tag}\r\n\r\n".encode())
        elif random.random() < 0.5:
            self.good["200 gzip"] += 1
            packed = gzip.compress(body, 1)
            writer.write(head("200 OK", len(packed), f"ETag: {tag}", "Content-Encoding: gzip") + packed)
        else:
            self.good["200"] += 1
            writer.write(head("200 OK", len(body), f"ETag: {tag}") + body)
        await writer.drain()
        return True

    async def bad_hang(self, _source, _body, _writer):
        await asyncio.sleep(HANG)
        return False

    async def bad_reset(self, _source, body, writer):
        """RST in the middle of the body."""
        writer.write(head("200 OK", len(body)) + body[: len(body) // 2])
        await writer.drain()
        linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()
        return False

    async def bad_closed(self, _source, _body, _writer):
        return False

    async def bad_throttled(self, _source, _body, writer):
        writer.write(head("429 Too Many Requests", 0, f"Retry-After: {random.choice([1, 2, 5, 30])}"))
        return True

    async def bad_gone(self, _source, _body, writer):
        writer.write(head("404 Not Found", 9) + b"not here\n")
        return True

    async def bad_broken(self, _source, _body, writer):
        writer.write(head("500 Internal Server Error", 7) + b"broken\n")
        return True

    async def bad_unavailable(self, _source, _body, writer):
        writer.write(head("503 Service Unavailable", 0, "Retry-After: 2"))
        return True

    async def bad_page(self, _source, _body, writer):
        writer.write(head("200 OK", len(PAGE)) + PAGE)
        return True

    async def bad_truncated(self, _source, body, writer):
        """Less than was announced."""
        writer.write(head("200 OK", len(body)) + body[: random.randrange(len(body))])
        await writer.drain()
        return False

    async def bad_cut(self, _source, body, writer):
        """Part of a calendar, announced as such."""
        part = body[: random.randrange(1, len(body) - 16)]
        writer.write(head("200 OK", len(part)) + part)
        return True

    async def bad_unframed(self, _source, body, writer):
        """Part of a calendar, ended by the end of the connection."""
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body[: random.randrange(1, len(body) - 16)])
        await writer.drain()
        return False

    async def bad_length(self, _source, body, writer):
        """More than was announced: the rest would be the next answer."""
        writer.write(head("200 OK", len(body) // 2) + body)
        await writer.drain()
        return False

    async def bad_chunks(self, _source, body, writer):
        part = body[: random.randrange(1, len(body))]
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(part), part) + b"zz\r\n")
        await writer.drain()
        return False

    async def bad_gzip(self, _source, body, writer):
        garbage = random.choice([random.randbytes(500), gzip.compress(body, 1)[:-12], gzip.compress(body, 1)[:10] + random.randbytes(300)])
        writer.write(head("200 OK", len(garbage), "Content-Encoding: gzip") + garbage)
        return True

    async def bad_empty(self, _source, _body, writer):
        writer.write(head("200 OK", len(EMPTY)) + EMPTY)
        return True

    async def bad_nothing(self, _source, _body, writer):
        writer.write(head("200 OK", 0))
        return True

    async def bad_noise(self, _source, _body, writer):
        writer.write(random.randbytes(300) + b"\r\n\r\n")
        await writer.drain()
        return False

    async def bad_drip(self, _source, body, writer):
        """All of it, slowly; it may be cut off by the program's own patience."""
        writer.write(head("200 OK", len(body)))
        for at in range(0, len(body), len(body) // 8 + 1):
            writer.write(body[at : at + len(body) // 8 + 1])
            await writer.drain()
            await asyncio.sleep(random.choice([0.05, 0.1, 1]))
        return True

    async def bad_loop(self, source, _body, writer):
        writer.write(head("302 Found", 0, f"Location: /{source.name}.ics?again={random.random()}"))
        return True

    async def bad_moved(self, source, _body, writer):
        writer.write(head("301 Moved Permanently", 0, f"Location: /{source.name}.ics?moved=1"))
        return True
