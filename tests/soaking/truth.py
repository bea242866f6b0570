"""What the upstreams have published, and what an answer may therefore be.

A source's version N has BASE + N events, each of which names the source, N and itself: every answer tells which version
of which source it is, and whether it is whole. An account of how many events a stored copy has tells its version too.
"""

import collections
import hashlib
import math
import re
import zlib

# More than `collapse_least`: an empty calendar is a collapse from the first version on.
BASE = 12

CANARY = re.compile(r"SUMMARY:(\w+) version (\d+) event (\d+)\r\n")


def event(source, version, number):
    proof = hashlib.blake2b(f"{source}/{version}/{number}".encode(), digest_size=16).hexdigest()
    return (
        f"BEGIN:VEVENT\r\nUID:{number}@{source}.soak\r\nDTSTAMP:20260101T000000Z\r\nLAST-MODIFIED:20260101T000000Z\r\n"
        f"DTSTART:202601{number % 28 + 1:02}T{number % 24:02}0000Z\r\nDURATION:PT1H\r\n"
        f"SUMMARY:{source} version {version} event {number}\r\nDESCRIPTION:{proof}\r\nEND:VEVENT\r\n"
    )


def events(source, version):
    return [event(source, version, number) for number in range(BASE + version)]


def calendar(source, version):
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//soak//EN\r\n" + "".join(events(source, version)) + "END:VCALENDAR\r\n"
    ).encode()


class Violations:
    """What must not have happened. The first few of a kind are kept in words."""

    def __init__(self):
        self.counts, self.examples = collections.Counter(), collections.defaultdict(list)

    def add(self, kind, words):
        self.counts[kind] += 1
        if len(self.examples[kind]) < 5:
            self.examples[kind].append(words)


class Source:
    """One upstream calendar."""

    def __init__(self, name, host):
        self.name, self.host = name, host
        # What is being sent now; all before it has been sent, too.
        self.version = 0
        self.offered = -1
        # Changed with the settings: the address has it, and nothing else.
        self.place = 0
        # The program has said that it holds a copy from there: an empty calendar is a collapse now, and was a calendar
        # like any other before.
        self.held = False

    def url(self, port):
        return f"http://{self.host}:{port}/{self.name}.ics?place={self.place}"


class Feed:
    """One feed as the phones of the test see it, over the whole run: restarts do not excuse anything."""

    def __init__(self, name, sources, violations):
        self.name, self.sources, self.violations = name, sources, violations
        self.path = None
        # The newest version of each source that is known to have been accepted; -1 is none.
        self.floor = [-1] * len(sources)
        self.date = 0
        self.bodies = {}     # (coding, tag) -> digest of the bytes
        self.tags = {}       # (coding, digest of the bytes) -> tag
        self.versions = {}   # what the tags of one edition begin with -> versions of the sources
        self.dates = {}      # the same -> Last-Modified
        self.dated_by = {}   # the other way round
        self.latest = {}     # coding -> tag of the latest answer

    @property
    def has_copy(self):
        return max(self.floor) >= 0

    def accepted(self, source, version):
        """The program says that it has stored this version."""
        # A list of its own each time: requests under way hold on to the one they began with.
        self.floor = [max(least, version) if own is source else least for own, least in zip(self.sources, self.floor)]

    def wrong(self, kind, words):
        self.violations.add(kind, f"{self.name}: {words}")

    def body(self, coding, tag, body, floor):
        """An answer with a body. `floor` is what was known to be accepted when it was asked for."""
        digest = hashlib.blake2b(body, digest_size=16).digest()
        known = self.bodies.setdefault((coding, tag), digest)
        if known != digest:
            return self.wrong("tag with two bodies", f"{coding} {tag}")
        if self.tags.setdefault((coding, digest), tag) != tag:
            return self.wrong("body with two tags", f"{coding} {tag} and {self.tags[coding, digest]}")
        edition = edition_of(tag)
        if edition not in self.versions:
            if (text := decoded(coding, body)) is None:
                # Its tag and bytes are held against each other all the same.
                return None
            versions = self.read(text)
            if versions is None:
                return self.wrong("wrong or mixed body", f"{coding} {tag}: {text[:200]!r} …")
            self.versions[edition] = versions
        self.fresh(edition, floor, f"200 {coding} {tag}")
        self.latest[coding] = tag
        return None

    def fresh(self, edition, floor, words):
        """The edition must not be older than what was accepted; it is what is accepted from now on."""
        versions = self.versions.get(edition)
        if versions is None:
            return
        if any(version < least for version, least in zip(versions, floor)):
            self.wrong("older than what was accepted", f"{words} is {versions}, not {floor}")
        self.floor = [max(pair) for pair in zip(self.floor, versions)]

    def read(self, text):
        """The version of each source in a published text, or None if it is not made of whole ones."""
        if not (text.startswith("BEGIN:VCALENDAR\r\n") and text.endswith("END:VEVENT\r\nEND:VCALENDAR\r\n")):
            return None
        begin = text.index("BEGIN:VEVENT\r\n")
        blocks = [block + "END:VEVENT\r\n" for block in text[begin:-len("END:VCALENDAR\r\n")].split("END:VEVENT\r\n")[:-1]]
        found = collections.defaultdict(list)
        for block in blocks:
            canary = CANARY.search(block)
            if not canary:
                return None
            found[canary[1]].append((int(canary[2]), block))
        versions = []
        for source in self.sources:
            seen = found.pop(source.name, None)
            if seen is None:
                versions.append(-1)
                continue
            version = seen[0][0]
            if version > source.offered or [block for _, block in seen] != events(source.name, version):
                return None
            versions.append(version)
        return None if found or max(versions) < 0 else tuple(versions)

    def dated(self, tag, date, earlier):
        """An answer with `Last-Modified`, or without if that has not come. `earlier` is the latest that had been seen when
        it was asked for."""
        edition = edition_of(tag)
        if date is None:
            if self.dates.get(edition, math.inf) <= earlier:
                self.wrong("date withheld that has come", f"{tag}: {self.dates[edition]}, {earlier} had been seen")
            return
        if date < earlier:
            self.wrong("Last-Modified went back", f"{tag}: {date} after {earlier}")
        if self.dates.setdefault(edition, date) != date:
            self.wrong("edition with two dates", f"{tag}: {date} and {self.dates[edition]}")
        if self.dated_by.setdefault(date, edition) != edition:
            self.wrong("date of two editions", f"{date}: {tag} and {self.dated_by[date]}")
        self.date = max(self.date, date)


def edition_of(tag):
    """What the tags of all codings of an edition have in common."""
    return tag.strip('"').partition("-")[0]


def decoded(coding, body):
    if coding == "gzip":
        return zlib.decompress(body, wbits=31).decode()
    return body.decode() if coding == "identity" else None
