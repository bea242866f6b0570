"""Asks for many feeds as fast as it can, and holds every answer to be of the feed that was asked for. A program of its own,
so that several share the cores."""

import collections
import functools
import json
import random
import re
import sys
import time
import zlib

import brotli

from client import Ended, Place, Reply
from streams import Lines, Streams

CODINGS = ["gzip", "gzip", "br", "identity"]
CANARY = re.compile(rb"canary-(\d+)x")


@functools.lru_cache(maxsize=100_000)
def shown(body: bytes, coding: str | None) -> tuple[frozenset[int], bool]:
    """The canaries of a body, and whether it is whole."""
    text = {"gzip": lambda: zlib.decompress(body, 31), "br": lambda: brotli.decompress(body), None: lambda: body}[coding]()
    # A canary may be folded in two.
    text = text.replace(b"\r\n ", b"")
    whole = text.startswith(b"BEGIN:VCALENDAR\r\n") and text.endswith(b"END:VCALENDAR\r\n")
    return frozenset(map(int, CANARY.findall(text))), whole


class Asker:
    """`doors` are paths and the feeds behind them, now, before or later."""

    def __init__(self, place: Place, doors: list[tuple[str, int]], seed: int):
        self.place, self.doors, self.dice = place, doors, random.Random(seed)
        self.statuses, self.wrong = collections.Counter(), []
        # Connections that ended while they owed answers, and those that were refused.
        self.broken = self.refused = 0
        self.tags: dict[int, str] = {}
        # One tag, one body, and the other way round, whatever happens.
        self.bodies: dict[tuple[int, str], int] = {}
        self.tagged: dict[tuple[int, str | None, int], str] = {}

    def ask(self, count: int) -> None:
        while self.statuses.total() < count:
            try:
                line = (Streams if self.place.pem else Lines)(self.place, self.dice)
            except OSError:
                # There is no program now.
                self.refused += 1
                time.sleep(0.02)
                continue
            # Some connections are short.
            last = min(count, self.statuses.total() + self.dice.choice([50, 1000, 100_000]))
            try:
                while self.statuses.total() < last:
                    for _ in range(line.room()):
                        self.choose(line)
                    self.judge(*line.answer())
            except (OSError, Ended):
                self.broken += line.owes
            finally:
                line.close()

    def choose(self, line: Lines | Streams) -> None:
        path, feed = self.dice.choice(self.doors)
        # Often a tag that is known, be it of this feed or of another.
        whose = self.dice.choice([feed, self.dice.randrange(64), None])
        tag = self.tags.get(whose)
        more = [("If-None-Match", tag)] if tag else []
        line.ask((feed, whose if tag else None), path, [("Accept-Encoding", self.dice.choice(CODINGS)), *more])

    def judge(self, asked: tuple[int, int | None], reply: Reply) -> None:
        feed, whose = asked
        self.statuses[reply.status] += 1
        if reply.status == 200:
            tag, coding = reply.header("etag"), reply.header("content-encoding")
            found, whole = shown(reply.body, coding)
            if found != {feed} or not whole:
                self.wrong.append(f"feed {feed} showed {sorted(found)}, {'whole' if whole else 'in part'}")
            digest = zlib.crc32(reply.body)
            if self.bodies.setdefault((feed, tag), digest) != digest or self.tagged.setdefault((feed, coding, digest), tag) != tag:
                self.wrong.append(f"feed {feed}: a tag of two bodies, or a body of two tags: {tag}")
            self.tags[feed] = tag
        elif reply.status == 304:
            # With another's tag it would make a phone keep another's calendar.
            if whose != feed:
                self.wrong.append(f"feed {feed} is unchanged by the tag of {whose}")
        elif reply.status not in (404, 410):
            self.wrong.append(f"feed {feed}: {reply.status}")

    def found(self) -> dict:
        kept = {"statuses": self.statuses, "wrong": self.wrong[:10], "count": len(self.wrong), "broken": self.broken}
        return kept | {"refused": self.refused, "bodies": shown.cache_info().currsize}


if __name__ == "__main__":
    port, count, seed = map(int, sys.argv[1:4])
    asker = Asker(Place(port, *sys.argv[4:]), json.load(sys.stdin), seed)
    asker.ask(count)
    print(json.dumps(asker.found()))
