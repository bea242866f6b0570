"""Runs tests once for each calendar, and tells at the end what became of them."""

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
            metafunc.parametrize(name, [pytest.param(path, id=key) for key, path in calendars().items()])


def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    for item in items:
        case = item.callspec.id if hasattr(item, "callspec") else ""
        for (name, end), reason in KNOWN.items():
            if item.originalname == name and case.endswith(end):
                item.add_marker(pytest.mark.xfail(strict=True, raises=AssertionError, reason=reason))


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
