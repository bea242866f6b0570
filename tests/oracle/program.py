"""The program under test."""

import functools
import os
import pathlib
import subprocess
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
    """What calferry would serve for the calendar `text`."""
    return run("-", text)


@functools.cache
def publish_file(path: pathlib.Path) -> Published:
    return run(str(path), b"")


def run(argument: str, given: bytes) -> Published:
    done = subprocess.run([PROGRAM, "publish", argument], input=given, capture_output=True, timeout=SECONDS)
    return Published(done.returncode, done.stdout, done.stderr.decode("utf-8", "replace"))
