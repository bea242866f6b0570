"""Every feed shows its own calendar and no other's, whatever changes meanwhile. The defences: the keys of `publisher`'s
cache, the catalog of tokens, that all of a feed is swapped at once, and that `http::turns` mixes no answers of a turn."""

import json
import os
import random
import subprocess
import sys
import time

import pytest

from asking import Asker
from client import Place, Reply
from conftest import place_of
from program import FULL, Program
from upstream import calendar
from waiting import eventually

FEEDS, ROTATIONS, WORKERS = 64, 4, 2
# Of both ways together.
REQUESTS = int(os.environ.get("CALFERRY_REQUESTS", 1_000_000 if FULL else 20_000)) // 2


class World:
    """48 feeds with sources of their own, and 16 that share eight sources and differ by what their rules write."""

    def __init__(self, upstream):
        self.upstream, self.dice = upstream, random.Random(5)
        self.rotations = [0] * FEEDS
        self.generation = 0
        self.addresses = {}
        for source in range(56):
            self.refresh(source)

    def refresh(self, source: int) -> None:
        """Another text at another address, which is fetched at once."""
        self.generation += 1
        canary = f"canary-{source}x" if source < 48 else "shared"
        body = calendar(f"{canary} {self.generation}", self.dice.randrange(1, 12))
        self.addresses[source] = self.upstream.on(f"/isolation-{source}-{self.generation}.ics", body)

    def settings(self, rotations: list[int] | None = None) -> str:
        # Little room for what is ready to send, so that it is made anew all the time.
        text = '[fetch]\nallow_private = true\nrefresh = "1m"\nper_host = 100\nper_host_minute = 1000000\ncollapse_percent = 100\n'
        for source, address in self.addresses.items():
            text += f'[source.s{source}]\nurl = "{address}"\n'
        for feed, rotation in enumerate(rotations or self.rotations):
            source = feed if feed < 48 else 48 + (feed - 48) // 2
            text += f'[feed.f{feed}]\nsources = ["s{source}"]\ndevice.phone.rotation = {rotation}\n'
            if feed >= 48:
                text += f'[[feed.f{feed}.rule]]\nprefix = "canary-{feed}x "\n'
        return text


@pytest.mark.parametrize("way", ["HTTP/1.1", "HTTP/2 over TLS"])
def test_no_feed_ever_shows_what_is_another_feeds(upstream, report, way):
    world = World(upstream)
    program = Program(world.settings(), tls=way != "HTTP/1.1", top='edition_budget = "512KiB"\n')
    try:
        doors = []
        for rotation in range(ROTATIONS):
            program.configure(world.settings([rotation] * FEEDS))
            doors += [(path, int(name[1:])) for name, path in program.paths().items()]
        assert len({path for path, _ in doors}) == FEEDS * ROTATIONS
        program.reload(world.settings())
        eventually("all copies", lambda: all(program.source(f"s{at}")["events"] for at in range(56)))
        began, reloads, stops, kills = time.monotonic(), 0, 0, 0
        place = place_of(program)
        workers = [
            subprocess.Popen(
                [sys.executable, "asking.py", str(place.port), str(REQUESTS // WORKERS), str(seed), *filter(None, [place.pem])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for seed in range(WORKERS)
        ]
        for worker in workers:
            json.dump(doors, worker.stdin)
            worker.stdin.close()
        while any(worker.poll() is None for worker in workers):
            for source in world.dice.sample(range(56), 8):
                world.refresh(source)
            for feed in world.dice.sample(range(FEEDS), 8):
                world.rotations[feed] = world.dice.randrange(ROTATIONS)
            said = program.said().count("in force")
            program.reload(world.settings())
            eventually("settings in force", lambda said=said: program.said().count("in force") > said)
            reloads += 1
            if reloads % 20 == 5:
                # What has been said of it survives this, and what has been promised survives a stop.
                if stops > kills:
                    program.process.kill()
                    kills += 1
                else:
                    stops += 1
                program.stop()
                program.start()
        took = time.monotonic() - began
        results = [json.loads(worker.stdout.read()) for worker in workers]
        requests = sum(sum(result["statuses"].values()) for result in results)
        statuses = {status: sum(result["statuses"].get(status, 0) for result in results) for status in ("200", "304", "404", "410")}
        bodies = max(result["bodies"] for result in results)
        broken = sum(result["broken"] for result in results)
        report(
            f"{requests} requests in {took:.0f} s ({requests / took:.0f}/s) during {reloads} reloads with 8 refreshes and 8 rotations each, "
            f"{stops} stops and {kills} kills, which broke {broken} connections: "
            f"{', '.join(f'{count} × {status}' for status, count in statuses.items())}, {bodies} different bodies, "
            f"{sum(result['count'] for result in results)} wrong"
        )
        assert not [one for result in results for one in result["wrong"]]
        assert requests >= REQUESTS and reloads >= 3 and all(statuses.values()) and bodies > FEEDS
        # A stop of HTTP/2 is announced, and answers what had been asked.
        assert broken <= (kills if place.pem else stops + kills) * WORKERS
        assert program.alive() and "panicked" not in program.said()
    finally:
        program.stop()


def test_who_asks_finds_anothers_calendar_a_part_of_one_and_a_tag_of_two_bodies():
    """The control."""
    own, others = (calendar(f"canary-{feed}x", 2) for feed in (3, 4))

    def wrong(*bodies: bytes, status: int = 200, whose: int | None = None) -> int:
        asker = Asker(Place(0), [], 0)
        for body in bodies:
            asker.judge((3, whose), Reply(status, b'HTTP/2 %d\r\netag: "a"' % status, body))
        return len(asker.wrong)

    assert wrong(own, own) == 0 and wrong(b"", status=304, whose=3) == 0
    assert wrong(others) == wrong(own[:-9]) == wrong(own, calendar("canary-3x", 3)) == 1
    assert wrong(b"", status=304, whose=4) == wrong(b"", status=503) == 1
