"""Waiting for what comes, in every suite that is written in Python. The `run` of each names this folder in PYTHONPATH."""

import time


def eventually(what: str, true, seconds: float = 30):
    """Waits until `true()` gives something, and gives it."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.02)
    return found
