"""Phones: many connections that are kept alive, some requests ahead on each, every answer held against the truth."""

import asyncio
import collections
import email.utils
import functools
import random
import re

from .truth import edition_of

AHEAD = 8
CODINGS = ["gzip"] * 7 + ["identity", "br", "zstd"]

TAG = re.compile(rb"(?i)\r\netag: ([^\r]*)\r\n")
DATE = re.compile(rb"(?i)\r\nlast-modified: ([^\r]*)\r\n")
LENGTH = re.compile(rb"(?i)\r\ncontent-length: (\d+)\r\n")
CODING = re.compile(rb"(?i)\r\ncontent-encoding: ([^\r]*)\r\n")


@functools.lru_cache(maxsize=10_000)
def seconds(date):
    return int(email.utils.parsedate_to_datetime(date.decode()).timestamp())


@functools.lru_cache(maxsize=10_000)
def written(date):
    return email.utils.formatdate(date, usegmt=True)


class Asked:
    """One request under way, and what was known when it was sent."""

    __slots__ = ("feed", "method", "tag", "since", "floor", "date", "had_copy")

    def __init__(self, feed, method, tag, since):
        self.feed, self.method, self.tag, self.since = feed, method, tag, since
        self.floor, self.date, self.had_copy = feed.floor, feed.date, feed.has_copy


class Load:
    """All phones."""

    def __init__(self, feeds, port, world):
        self.feeds, self.port, self.world = feeds, port, world
        self.statuses, self.lost, self.cut = collections.Counter(), 0, 0

    @property
    def requests(self):
        return sum(self.statuses.values())

    async def run(self, connections, rate, stop):
        pause = connections * AHEAD / rate
        await asyncio.gather(*(self.phone(pause, stop) for _ in range(connections)))

    async def phone(self, pause, stop):
        await asyncio.sleep(random.random() * pause)
        loop = asyncio.get_running_loop()
        while not stop.is_set():
            life = self.world.life
            # What it was when it was asked counts: the answer may be heard much later.
            answering = life.should_answer()
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)
            except OSError:
                if answering and life is self.world.life and life.should_answer():
                    self.world.violations.add("connection refused", "while the program was up")
                await asyncio.sleep(0.05)
                continue
            under_way = 0
            try:
                while not stop.is_set():
                    began = loop.time()
                    asked = [self.choose() for _ in range(AHEAD)]
                    under_way = len(asked)
                    writer.write(b"".join(text for text, _ in asked))
                    for _, what in asked:
                        await self.take(reader, what)
                        under_way -= 1
                    if random.random() < 0.002:
                        # One that hangs up with requests under way.
                        writer.write(b"".join(self.choose()[0] for _ in range(AHEAD)))
                        self.cut += 1
                        break
                    await asyncio.sleep(max(0, pause - (loop.time() - began)) * random.uniform(0.8, 1.2))
            except (OSError, asyncio.IncompleteReadError):
                self.lost += under_way
                if life is self.world.life and not life.ending:
                    self.world.violations.add("connection lost", "while the program was up")
                    await asyncio.sleep(0.05)
            finally:
                writer.transport.abort()

    def choose(self):
        """The next request."""
        feed = self.feeds[min(int(random.paretovariate(0.5)), 10**9) % len(self.feeds)] if random.random() < 0.5 else random.choice(self.feeds)
        coding, method, tag, since = random.choice(CODINGS), "GET", None, None
        dice = random.random()
        if dice < 0.6:
            tag = feed.latest.get(coding)
        elif dice < 0.66 and feed.tags:
            tag = random.choice(list(feed.tags.values())[-20:])
        elif dice < 0.69:
            tag = '"0123456789abcdef0123456789abcdef"'
        elif dice < 0.72 and feed.date:
            since = feed.date - 1
        elif dice < 0.75:
            method = "HEAD"
        lines = [f"{method} {feed.path} HTTP/1.1", "Host: soak"]
        if coding != "identity":
            lines.append(f"Accept-Encoding: {coding}")
        if tag:
            lines.append(f"If-None-Match: {tag}")
        if since:
            lines.append(f"If-Modified-Since: {written(since)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode(), Asked(feed, method, tag, since)

    async def take(self, reader, asked):
        head = await reader.readuntil(b"\r\n\r\n")
        status = int(head[9:12])
        length = LENGTH.search(head)
        body = b""
        if asked.method == "GET" and status != 304:
            if not length:
                raise OSError("an answer without a length")
            body = await reader.readexactly(int(length[1]))
        self.statuses[status] += 1
        self.judge(asked, status, head, body)

    def judge(self, asked, status, head, body):
        feed = asked.feed
        if status not in (200, 304):
            # Before the first copy there is nothing to answer with.
            if status != 503 or asked.had_copy:
                feed.wrong(f"status {status}", head.decode("latin-1")[:200])
            return
        tag, date = TAG.search(head), DATE.search(head)
        if not tag:
            feed.wrong("no validator", head.decode("latin-1"))
            return
        tag, date = tag[1].decode(), date and seconds(date[1])
        feed.dated(tag, date, asked.date)
        if status == 304:
            if asked.tag is None or edition_of(asked.tag) != edition_of(tag):
                feed.wrong("304 for another validator", f"asked with {asked.tag} and {asked.since}, answered {tag}")
            feed.fresh(edition_of(tag), asked.floor, f"304 {tag}")
            return
        if asked.tag and edition_of(asked.tag) == edition_of(tag):
            feed.wrong("200 for a validator that is current", tag)
        if asked.method == "GET":
            coding = CODING.search(head)
            coding = coding[1].decode() if coding else "identity"
            if tag.strip('"').partition("-")[2] != ("" if coding == "identity" else coding):
                feed.wrong("tag of another coding", f"{coding} {tag}")
            feed.body(coding, tag, body, asked.floor)
        else:
            feed.fresh(edition_of(tag), asked.floor, f"HEAD {tag}")
