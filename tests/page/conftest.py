"""One browser and one program for all tests."""

import os
import pathlib

import pytest

pytest.register_assert_rewrite("looks")

from browser import Browser
from world import World


@pytest.fixture(scope="session")
def world():
    world = World()
    yield world
    world.end()


@pytest.fixture(scope="session")
def only_browser():
    browser = Browser()
    yield browser
    browser.quit()


@pytest.fixture
def browser(only_browser):
    only_browser.scripts(True)
    only_browser.open("about:blank")
    only_browser.log("browser")
    only_browser.requests()
    return only_browser


@pytest.fixture(scope="session")
def pictures() -> pathlib.Path:
    folder = pathlib.Path(os.environ["CALFERRY_PAGE_CACHE"], "pictures")
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def axe() -> str:
    return pathlib.Path(os.environ["CALFERRY_PAGE_CACHE"], "node_modules/axe-core/axe.min.js").read_text("utf-8")
