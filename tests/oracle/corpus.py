"""The calendars to read: our fixtures, and those that other projects test themselves with."""

import functools
import os
import pathlib

from program import publish_file

CORPUS = pathlib.Path(os.environ["CALFERRY_ORACLE"]) / "corpus"
FIXTURES = pathlib.Path(__file__).parent.parent / "fixtures"


@functools.cache
def corpus() -> dict[str, pathlib.Path]:
    """Every calendar, by a short name."""
    found = {f"fixtures/{path.name}": path for path in sorted(FIXTURES.glob("*.ics"))}
    found |= {str(path.relative_to(CORPUS)): path for path in sorted(CORPUS.rglob("*.ics"))}
    return found


def with_fate(code: int) -> dict[str, pathlib.Path]:
    """The calendars that calferry accepts (0) or refuses (1)."""
    return {key: path for key, path in corpus().items() if publish_file(path).code == code}
