"""The program under test."""

import functools
import os
import pathlib
import subprocess
import tempfile
from dataclasses import dataclass

PROGRAM = os.environ["CALFERRY_BIN"]
SECONDS = 60


@dataclass(frozen=True)
class Published:
    """How `calferry publish` ended."""

    code: int
    text: bytes
    errors: str


def publish(text: bytes) -> Published:
    """What calferry would serve for the calendar `text`, its time zones left as they are."""
    return run(text, "-", "--time-zones", "keep")


@functools.cache
def publish_file(path: pathlib.Path) -> Published:
    return run(b"", str(path), "--time-zones", "keep")


@functools.cache
def publish_file_for_every_client(path: pathlib.Path) -> Published:
    """As [publish_file], but with names of time zones that every client knows, as is the default."""
    return run(b"", str(path))


def publish_feed(feed: str, sources: dict[str, bytes], today: str) -> Published:
    """What calferry would serve on the day `today` for these sources and the feed with the settings `feed`."""
    with tempfile.TemporaryDirectory() as folder:
        state, settings = pathlib.Path(folder, "state"), pathlib.Path(folder, "calferry.toml")
        addresses = "".join(f'[source.{name}]\nurl = "https://{name}.example/a.ics"\n' for name in sources)
        names = ", ".join(f'"{name}"' for name in sources)
        settings.write_text(f'state_dir = "{state}"\n{addresses}[feed.me]\nsources = [{names}]\n{feed}\n', "utf-8")
        files = []
        for name, text in sources.items():
            path = pathlib.Path(folder, f"{name}.ics")
            path.write_bytes(text)
            files.append(f"{name}={path}")
        return run(b"", *files, "--feed", "me", "--config", str(settings), "--today", today)


def run(given: bytes, *arguments: str) -> Published:
    done = subprocess.run([PROGRAM, "publish", *arguments], input=given, capture_output=True, timeout=SECONDS)
    return Published(done.returncode, done.stdout, done.stderr.decode("utf-8", "replace"))
