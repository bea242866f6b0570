"""The program's lives: started, reloaded, stopped and killed; and what must hold over all of them."""

import asyncio
import contextlib
import http.client
import json
import os
import pathlib
import random
import signal
import statistics
import time

from .truth import BASE, Feed, Source, Violations

SETTINGS = """
public_url = "http://127.0.0.1:{port}"
state_dir = "{folder}/state"
[server]
listen = "127.0.0.1:{port}"
admin_listen = "127.0.0.1:{admin}"
requests_per_minute = 10000000
wrong_tokens_per_minute = 10000000
first_wait = "1s"
drain = "3s"
{more}
[fetch]
allow_private = true
refresh = "1m"
max_backoff = "1m"
concurrent = 400
header_timeout = "4s"
timeout = "8s"
"""
# Limits that a version may not have yet.
MORE = ("token_requests_per_minute = 10000000", "connections_per_client = 100000")

# How long old settings may be in force after SIGHUP.
RELOADED = 8


class Life:
    """One process of the program."""

    def __init__(self, process):
        self.process, self.began = process, time.monotonic()
        self.ready, self.ending = False, False
        self.rss, self.files = [], []

    def should_answer(self):
        return self.ready and not self.ending

    def sample(self):
        with contextlib.suppress(OSError, StopIteration):
            folder = pathlib.Path(f"/proc/{self.process.pid}")
            line = next(line for line in (folder / "status").read_text().splitlines() if line.startswith("VmRSS:"))
            self.rss.append(int(line.split()[1]) / 1024)
            self.files.append(len(os.listdir(folder / "fd")))


def trend(samples):
    """Medians of a life's second and last quarter: the first is for filling caches."""
    quarter = len(samples) // 4
    return statistics.median(samples[quarter : 2 * quarter]), statistics.median(samples[-quarter:])


class World:
    """Everything but the phones."""

    def __init__(self, binary, folder, upstreams, sources, port, admin):
        self.binary, self.folder, self.upstreams, self.port, self.admin = binary, folder, upstreams, port, admin
        self.violations = Violations()
        # A tenth share hosts, and what becomes of a host that refuses; the others have one each.
        host = lambda n: f"127.2.0.{n % 10 + 1}" if n < sources // 10 else f"127.3.{n // 250}.{n % 250 + 1}"
        self.sources = [Source(f"s{n}", host(n)) for n in range(sources)]
        for source in self.sources:
            upstreams.sources[source.name] = source
        # Some are made of several, and asked for most: they change more than once in a second.
        merged = [Feed(f"m{n}", self.sources[8 * n : 8 * n + 8], self.violations) for n in range(sources // 20)]
        self.feeds = merged + [Feed(f"f{n}", [source], self.violations) for n, source in enumerate(self.sources)]
        self.by_source = {source.name: [] for source in self.sources}
        for feed in self.feeds:
            for source in feed.sources:
                self.by_source[source.name].append(feed)
        self.rotations, self.extra = {f"f{n}": 0 for n in range(10)}, set()
        self.life, self.lives, self.calm, self.more = None, [], None, ""
        self.kills = self.stops = self.reloads = self.refused = self.reports = self.rotated = self.slowest_start = 0
        self.config = folder / "calferry.toml"

    def settings(self):
        text = SETTINGS.format(port=self.port, admin=self.admin, folder=self.folder, more=self.more)
        for source in self.sources:
            text += f'[source.{source.name}]\nurl = "{source.url(self.upstreams.port)}"\n'
        for feed in self.feeds:
            names = ", ".join(f'"{source.name}"' for source in feed.sources)
            text += f"[feed.{feed.name}]\nsources = [{names}]\nrefresh = \"15m\"\n"
            if feed.name in self.rotations:
                text += f'devices = ["phone", "lost"]\n[feed.{feed.name}.device.lost]\nrotation = {self.rotations[feed.name]}\n'
        for name in sorted(self.extra):
            text += f'[feed.{name}]\nsources = ["s0"]\n'
        return text

    def write(self, text):
        new = self.folder / "calferry.toml.new"
        new.write_text(text)
        new.rename(self.config)

    async def command(self, *words):
        process = await asyncio.create_subprocess_exec(
            self.binary, *words, "--config", self.config, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        return process.returncode, out.decode()

    async def paths(self):
        """The paths of all URLs, by feed and device."""
        code, printed = await self.command("url")
        if code:
            return None
        rows = (line.split() for line in printed.splitlines())
        return {(row[1], row[3]): "/" + row[-1].rpartition("/")[2] for row in rows}

    async def prepare(self):
        for more in ("\n".join(MORE), MORE[0], ""):
            self.more = more
            self.write(self.settings())
            if (await self.command("check"))[0] == 0:
                break
        self.tokens = await self.paths()
        for feed in self.feeds:
            feed.path = self.tokens[feed.name, "phone"]

    async def ask(self, port, path, timeout=5):
        """Status and body, or None while there is no program."""
        def asking():
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                return answer.status, answer.read()
            except (OSError, http.client.HTTPException):
                return None
            finally:
                connection.close()
        return await asyncio.to_thread(asking)

    async def start(self):
        self.write(self.settings())
        # The places that this life has known from its beginning; a later one may not be in force yet.
        self.loaded = {source.name: source.place for source in self.sources}
        log = open(self.folder / "calferry.log", "ab")
        with log:
            process = await asyncio.create_subprocess_exec(
                self.binary, "--log", "error", "serve", "--config", self.config, stdout=log, stderr=log
            )
        self.life = Life(process)
        self.lives.append(self.life)

    async def wait_ready(self):
        life = self.life
        while life.process.returncode is None and not await self.ask(self.port, "/readyz", 1):
            if time.monotonic() - life.began > 30:
                self.violations.add("start", "took longer than 30 s")
                return
            await asyncio.sleep(0.01)
        self.slowest_start = max(self.slowest_start, time.monotonic() - life.began)
        life.ready = life.process.returncode is None

    async def report(self):
        """What the program says it holds is what it must serve from now on, also after a kill."""
        places = {source.name: source.place for source in self.sources}
        answer = await self.ask(self.admin, "/status.json")
        if not answer:
            return
        self.reports += 1
        for name, source in json.loads(answer[1])["sources"].items():
            if source["events"] is not None:
                asked = self.upstreams.sources[name]
                asked.held = not source["inherited"] and asked.place == places[name] == self.loaded.get(name)
                for feed in self.by_source[name]:
                    if len(feed.sources) == 1:
                        feed.accepted(feed.sources[0], source["events"] - BASE)

    async def kill(self):
        self.life.ending = True
        self.signal(signal.SIGKILL)
        await self.life.process.wait()
        self.kills += 1

    def signal(self, name):
        if self.life.process.returncode is None:
            self.life.process.send_signal(name)
        else:
            self.violations.add("the program ended", f"by itself, with {self.life.process.returncode}")

    async def stop(self):
        self.life.ending = True
        self.signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.life.process.wait(), 15)
        except TimeoutError:
            self.violations.add("stop", "SIGTERM took longer than 15 s")
            await self.kill()
        self.stops += 1

    async def live(self, seconds):
        """Lets it live for so long, with an eye on it."""
        life, end = self.life, time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            life.sample()
            try:
                await asyncio.wait_for(life.process.wait(), min(1, left))
            except TimeoutError:
                if len(life.rss) % 3 == 0:
                    await self.report()
                continue
            self.violations.add("the program ended", f"with {life.process.returncode}, after {len(life.rss)} s")
            return

    async def lives_on(self, seconds, calm):
        """Lives and deaths for so long, of which the last seconds are a `calm` life, if any. Others are long, too: they show
        whether anything grows."""
        began = time.monotonic()
        long = [(0.35, 0.12)] if calm else [(0.35, 0.12), (0.75, 0.12)]
        while (past := time.monotonic() - began) < seconds - calm:
            await self.start()
            dice = random.random()
            if long and past > long[0][0] * seconds:
                await self.wait_ready()
                await self.live(long.pop(0)[1] * seconds)
                await self.report()
                await self.kill()
            elif dice < 0.12:
                # While it starts.
                await asyncio.sleep(random.random() * 0.3)
                await self.kill()
            else:
                await self.wait_ready()
                await self.live(min(8, max(0.3, random.expovariate(1 / 2.2))))
                if dice < 0.5:
                    await self.report()
                await (self.stop() if dice > 0.94 else self.kill())
        if calm:
            await self.start()
            await self.wait_ready()
            self.calm = self.life
            await self.live(calm)
            await self.report()
            await self.stop()

    async def reload_often(self, stop):
        kinds = [self.rotate, self.add_and_remove, self.move, self.spoil]
        while not stop.is_set():
            await asyncio.sleep(random.uniform(0.5, 3))
            life = self.life
            if life and life.should_answer():
                await random.choice(kinds)(life)

    def hang_up(self, life):
        if life.should_answer() and life.process.returncode is None:
            life.process.send_signal(signal.SIGHUP)
        self.reloads += 1

    async def until(self, words, done):
        """Waits until `done` answers true. Only time in which the program is up counts."""
        up = 0.0
        while up < RELOADED:
            answer = await done()
            if answer:
                return True
            up += 0.1 if answer is not None and self.life.should_answer() else 0
            await asyncio.sleep(0.1)
        self.violations.add("reload", words)
        return False

    async def is_status(self, path, *statuses):
        life = self.life
        answer = await self.ask(self.port, path)
        return None if not answer or life is not self.life else answer[0] in statuses

    async def rotate(self, life):
        name = random.choice(list(self.rotations))
        if self.rotations[name] == 100:
            return
        old = self.tokens[name, "lost"]
        self.rotations[name] += 1
        self.write(self.settings())
        self.hang_up(life)
        await self.until(f"{name}: the old URL is not gone", lambda: self.is_status(old, 410))
        await self.same_tokens()
        await self.until(f"{name}: the new URL is unknown", lambda: self.is_status(self.tokens[name, "lost"], 200, 503))
        self.rotated += 1

    async def same_tokens(self):
        """All URLs are what they were, but for those that were rotated just now."""
        tokens = await self.paths()
        changed = {owner for owner in tokens.keys() & self.tokens.keys() if tokens[owner] != self.tokens[owner]}
        if any(device != "lost" for _, device in changed) or len(changed) > 1:
            self.violations.add("tokens", f"changed: {sorted(changed)[:5]}")
        self.tokens |= tokens

    async def add_and_remove(self, life):
        name = f"x{random.randrange(10)}"
        self.extra ^= {name}
        self.write(self.settings())
        self.hang_up(life)
        if name in self.extra:
            await self.same_tokens()
            await self.until(f"{name} was added and is unknown", lambda: self.is_status(self.tokens[name, "phone"], 200, 503))
        else:
            await self.until(f"{name} was removed and is served", lambda: self.is_status(self.tokens[name, "phone"], 404))

    async def move(self, life):
        """Other addresses, the same calendars."""
        for source in random.sample(self.sources, 5):
            source.place, source.held = source.place + 1, False
        self.write(self.settings())
        self.hang_up(life)

    async def spoil(self, life):
        """Settings that must be refused, and not be missed by anybody."""
        good = self.settings()
        self.write(random.choice([good[: len(good) // 2] + "[[", good + "[fetch]\n", good + "\n[feed.y]\nsources = [\"nobody\"]\n", ""]))
        self.hang_up(life)
        self.refused += 1
        await asyncio.sleep(0.5)
        self.write(self.settings())
        self.hang_up(life)

    def grown(self):
        """Trends of the long lives; those that point up are violations."""
        rows = []
        for life in sorted((life for life in self.lives if len(life.rss) >= 8), key=lambda life: -len(life.rss))[:2]:
            (rss, rss_end), (files, files_end) = trend(life.rss), trend(life.files)
            rows.append((len(life.rss), rss, rss_end, files, files_end))
            # Short lives are still filling their caches.
            if len(life.rss) >= 40 and rss_end > rss * 1.15 + 8:
                self.violations.add("memory grows", f"{rss:.0f} → {rss_end:.0f} MiB in {len(life.rss)} s")
            if len(life.rss) >= 40 and files_end > files * 1.2 + 50:
                self.violations.add("files grow", f"{files} → {files_end} in {len(life.rss)} s")
        return rows

    def steady(self):
        """Memory and files of the two halves of the calm life, after a quarter in which it settles, and what they gain in a
        minute. A violation is a second half that is above the first, if the line through all of it rises as much. Sources
        are asked once a minute, each by a connection of some seconds: of files only what is there between two such waves
        counts, and even that goes up and down with them."""
        rows = []
        lowest = lambda samples: statistics.quantiles(samples, n=10)[0]
        for what, samples, unit, usual, room in (
            ("memory", self.calm.rss, "MiB", statistics.median, 4),
            ("files", self.calm.files, "files", lowest, 20),
        ):
            settled = samples[len(samples) // 4 :]
            if len(settled) < 8:
                # It ended by itself, which was noted.
                continue
            first, second = usual(settled[: len(settled) // 2]), usual(settled[len(settled) // 2 :])
            slope = statistics.linear_regression(range(len(settled)), settled).slope * 60
            rows.append((what, len(samples), first, second, unit, slope))
            bound = first * 0.05 + room
            if min(second - first, slope * len(settled) / 120) > bound:
                self.violations.add(f"{what} rises", f"{first:.0f} → {second:.0f} {unit} in {len(samples)} s, {slope:+.1f} a minute")
        return rows
