"""Asks for many feeds as fast as it can, and holds every answer to be of the feed that was asked for. A program of its own,
so that several share the cores."""

import collections
import functools
import json
import random
import re
import sys
import zlib

import brotli

from client import Place, Reading

AHEAD = 32
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


def ask(port: int, doors: list[tuple[str, int]], count: int, seed: int) -> dict:
    """`doors` are paths and the feeds behind them, now, before or later."""
    dice, statuses, wrong = random.Random(seed), collections.Counter(), []
    tags: dict[int, str] = {}
    with Place(port).connect() as connection:
        reading = Reading(connection)
        while statuses.total() < count:
            asked = []
            for _ in range(AHEAD):
                path, feed = dice.choice(doors)
                # Often a tag that is known, be it of this feed or of another.
                whose = dice.choice([feed, dice.randrange(64), None])
                tag = tags.get(whose)
                more = f"If-None-Match: {tag}\r\n" if tag else ""
                asked.append((feed, whose if tag else None, f"GET {path} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {dice.choice(CODINGS)}\r\n{more}\r\n"))
            connection.sendall("".join(text for _, _, text in asked).encode())
            for feed, whose, _ in asked:
                reply = reading.reply()
                statuses[reply.status] += 1
                if reply.status == 200:
                    tags[feed] = reply.header("etag")
                    found, whole = shown(reply.body, reply.header("content-encoding"))
                    if found != {feed} or not whole:
                        wrong.append(f"feed {feed} showed {sorted(found)}, {'whole' if whole else 'in part'}")
                elif reply.status == 304:
                    # With another's tag it would make a phone keep another's calendar.
                    if whose != feed:
                        wrong.append(f"feed {feed} is unchanged by the tag of {whose}")
                elif reply.status not in (404, 410):
                    wrong.append(f"feed {feed}: {reply.status}")
    return {"statuses": statuses, "wrong": wrong[:10], "count": len(wrong), "bodies": shown.cache_info().currsize}


if __name__ == "__main__":
    port, count, seed = map(int, sys.argv[1:])
    print(json.dumps(ask(port, json.load(sys.stdin), count, seed)))
