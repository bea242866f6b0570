"""The private page of the person with the server, and the one thing that can be done on it."""

import pytest

from browser import ENTER, TAB
from looks import LOOKS, OPEN_ALL, SCREENS, fits_and_is_usable, is_quiet
from waiting import eventually
from world import EVIL_RULE

FORM = "form[action='/accept']"


@pytest.fixture(scope="module")
def status(world) -> str:
    eventually("an answer to be set aside", lambda: world.sources()["family"]["state"] == "quarantine", seconds=120)
    return world.status


@pytest.mark.parametrize("screen, scheme, language", LOOKS)
def test_the_status_page_fits_every_screen_and_everybody_can_use_it(browser, status, pictures, axe, screen, scheme, language):
    browser.look(*SCREENS[screen], scheme)
    browser.open(f"{status}/?lang={language}")
    assert browser.run("return document.documentElement.lang") == language
    assert browser.run("return document.querySelectorAll('.source').length") == 3
    fits_and_is_usable(browser, axe, scheme, pictures / f"status-{screen}-{scheme}-{language}")
    is_quiet(browser, status)


def test_one_request_brings_the_status_page(browser, status):
    browser.look(*SCREENS["desktop"])
    browser.open(f"{status}/")
    assert [url for url in browser.requests() if url.startswith("http")] == [f"{status}/"]
    assert browser.run("return document.scripts.length") == 0


def test_a_hostile_name_is_shown_as_it_is(browser, status):
    browser.look(*SCREENS["desktop"])
    browser.open(f"{status}/?lang=en")
    browser.run(OPEN_ALL)
    assert EVIL_RULE in browser.run("return document.querySelector('main').innerText")
    assert browser.run("return window.hurt") is None
    assert browser.run("return document.images.length") == 0
    is_quiet(browser, status)


def test_another_site_cannot_send_the_form(browser, world, status):
    browser.look(*SCREENS["desktop"])
    browser.open(f"{status}/?lang=en")
    form = browser.run("return document.querySelector(arguments[0]).outerHTML", FORM)
    # Another port is another origin.
    browser.open(f"{world.origin}/robots.txt")
    browser.run("document.body.innerHTML = arguments[0]; document.forms[0].action = arguments[1]", form, f"{status}/accept")
    browser.click("form button")
    eventually("the refusal", lambda: browser.call("GET", "/url") == f"{status}/accept")
    assert world.sources()["family"]["state"] == "quarantine"


def test_what_is_set_aside_is_accepted_with_the_keyboard(browser, world, status):
    browser.look(*SCREENS["phone"])
    browser.open(f"{status}/?lang=zh-Hans&state=quarantine")
    assert browser.run("return document.querySelectorAll('.source').length") == 1
    for _ in range(30):
        browser.press(TAB)
        if browser.run("return document.activeElement.matches(arguments[0])", f"{FORM} button"):
            break
    assert browser.run("return getComputedStyle(document.activeElement).outlineWidth") == "3px"
    browser.press(ENTER)
    eventually("the words", lambda: "done=accepted" in browser.call("GET", "/url"))
    assert world.sources()["family"]["events"] == 2
    assert browser.run("return document.documentElement.lang") == "zh-Hans"
    is_quiet(browser, status)
