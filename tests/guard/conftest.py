import pytest

import world

REPORT: list[str] = []


@pytest.fixture(scope="session", autouse=True)
def network():
    world.build()


@pytest.fixture(scope="session")
def names(network):
    return world.Names()


@pytest.fixture(scope="session")
def web(network):
    return world.Web()


@pytest.fixture(autouse=True)
def from_zero(network):
    """Each test counts for itself."""
    world.seen()


@pytest.fixture
def report(request):
    """Says a line at the end of the run, whatever it was that was measured."""
    return lambda line: REPORT.append(f"{request.node.name}: {line}")


def pytest_terminal_summary(terminalreporter):
    for line in REPORT:
        terminalreporter.write_line(line)
