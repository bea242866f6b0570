"""Runs tests once for each calendar, and tells at the end what became of them."""

import pathlib
from collections import Counter

import pytest

from corpus import corpus, with_fate
from findings import KNOWN, REMARKS, TALLY
from program import publish_file

pytest.register_assert_rewrite("mending")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `calendar` runs once for each; `accepted` and `refused` are those with that fate."""
    chosen = {"calendar": corpus, "accepted": lambda: with_fate(0), "refused": lambda: with_fate(1)}
    for name, calendars in chosen.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, [case(metafunc.function.__name__, *item) for item in calendars().items()])


def case(test: str, key: str, path: pathlib.Path):
    reason = next((reason for (name, end), reason in KNOWN.items() if name == test and key.endswith(end)), None)
    marks = [pytest.mark.xfail(strict=True, raises=AssertionError, reason=reason)] if reason else []
    return pytest.param(path, id=key, marks=marks)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    write = terminalreporter.write_line
    fates = Counter(publish_file(path).code for path in corpus().values())
    write(f"{len(corpus())} calendars: {fates[0]} accepted, {fates[1]} refused")
    for key, path in with_fate(1).items():
        write(f"  refused: {key}: {publish_file(path).errors.strip().rpartition('served: ')[2]}")
    for what, count in sorted(TALLY.items()):
        write(f"{what}: {count}")
    for remark in REMARKS:
        write(f"  {remark}")
