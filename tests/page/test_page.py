"""The subscription page as people meet it: on narrow and wide screens, light and dark, in both languages, without a mouse."""

import subprocess

import pytest

from browser import ENTER, TAB
from looks import LOOKS, OPEN_ALL, SCREENS, fits_and_is_usable, is_quiet
from waiting import eventually
from world import NAME

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile Safari/604.1"


@pytest.mark.parametrize("screen, scheme, language", LOOKS)
def test_the_page_fits_every_screen_and_everybody_can_use_it(browser, world, pictures, axe, screen, scheme, language):
    browser.look(*SCREENS[screen], scheme, agent=IPHONE)
    browser.open(f"{world.page}?lang={language}&tz=Asia/Shanghai")
    assert browser.run("return document.title") == NAME
    assert browser.run("return document.documentElement.lang") == language
    fits_and_is_usable(browser, axe, scheme, pictures / f"page-{screen}-{scheme}-{language}")
    is_quiet(browser, world.origin)


def test_one_request_brings_it_all(browser, world):
    browser.look(*SCREENS["desktop"])
    browser.open(f"{world.page}?tz=Asia/Shanghai")
    assert [url for url in browser.requests() if url.startswith("http")] == [f"{world.page}?tz=Asia/Shanghai"]


def test_the_clocks_are_the_browsers(browser, world):
    browser.look(*SCREENS["phone"], zone="America/New_York")
    browser.open(f"{world.page}?lang=zh-Hans")
    eventually("the clocks of the browser", lambda: browser.run("return document.documentElement.dataset.zone") == "America/New_York")
    assert browser.run("return document.querySelector('#tz').value") == "America/New_York"
    assert browser.run("return location.search") == "?lang=zh-Hans&tz=America%2FNew_York"
    # What is chosen stays.
    browser.run("document.querySelector('#tz').value = 'Asia/Tokyo'")
    browser.click("form.zone button")
    eventually("the chosen clocks", lambda: browser.run("return document.documentElement.dataset.zone") == "Asia/Tokyo")
    assert browser.run("return document.documentElement.lang") == "zh-Hans"
    is_quiet(browser, world.origin)


def test_hostile_events_do_nothing(browser, world):
    browser.look(*SCREENS["desktop"])
    browser.open(f"{world.page}?tz=Asia/Shanghai")
    browser.run(OPEN_ALL)
    assert "window.hurt=1" in browser.run("return document.querySelector('#agenda').innerText"), "it is shown as text"
    browser.run("document.querySelectorAll('.event *').forEach(one => one.matches('a') || one.click())")
    assert browser.run("return window.hurt") is None
    assert browser.run("return document.images.length") == 0
    links = browser.run("return [...document.links].map(link => link.protocol)")
    assert set(links) <= {"https:", "http:", "webcal:"}
    is_quiet(browser, world.origin)


def test_without_scripts_everything_is_there(browser, world):
    browser.look(*SCREENS["phone"])
    browser.scripts(False)
    browser.open(f"{world.page}?lang=en")
    shown = browser.devtools("DOM.getOuterHTML", nodeId=browser.devtools("DOM.getDocument")["root"]["nodeId"])["outerHTML"]
    assert "Stand-up" in shown and world.url in shown
    copies = browser.find("[data-copy]")
    assert not browser.call("GET", f"/element/{copies}/displayed"), "a button that does nothing is not shown"
    browser.click("details.device summary")
    browser.click("form.zone button")
    eventually("the chosen clocks", lambda: "tz=Asia%2FShanghai" in browser.call("GET", "/url"))


def test_the_keyboard_reaches_everything(browser, world):
    browser.look(*SCREENS["desktop"])
    browser.open(f"{world.page}?lang=en&tz=Asia/Shanghai")
    reached = []
    for _ in range(12):
        browser.press(TAB)
        reached.append(browser.run("let at = document.activeElement; return at.textContent.trim() || at.id"))
        outline = browser.run("return getComputedStyle(document.activeElement).outlineWidth")
        assert outline == "3px", reached
    assert reached[:6] == ["Skip to the agenda", "English", "简体中文", "Open in the calendar app", "Copy the address", world.url]
    # The device's own steps are not folded; the others open with a key.
    assert "iPhone, iPad" in reached
    browser.run("document.querySelector('details.device summary').focus()")
    browser.press(ENTER)
    assert browser.run("return document.querySelector('details.device').open")


def test_the_address_is_copied(browser, world):
    browser.look(*SCREENS["phone"])
    browser.devtools("Browser.grantPermissions", origin=world.origin, permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    browser.open(f"{world.page}?lang=en&tz=Asia/Shanghai")
    browser.click("[data-copy]")
    eventually("the words", lambda: browser.run("return document.querySelector('[data-copy]').textContent") == "Copied")
    assert browser.run_async("navigator.clipboard.readText().then(arguments[0], error => arguments[0](String(error)))") == world.url


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_scanner_reads_the_address(browser, world, pictures, scheme):
    browser.look(*SCREENS["phone"], scheme)
    browser.open(f"{world.page}?tz=Asia/Shanghai")
    picture = pictures / f"scanned-{scheme}.png"
    browser.picture(picture)
    read = subprocess.run(["zbarimg", "-q", "--raw", picture], capture_output=True, check=True)
    assert read.stdout.decode().strip() == world.url
