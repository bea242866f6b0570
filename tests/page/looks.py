"""What every page must bear, on every screen, light and dark, in every language."""

import pathlib

SCREENS = {"narrow": (320, 640), "phone": (390, 844), "desktop": (1280, 900)}
LOOKS = [(screen, scheme, language) for screen in SCREENS for scheme in ("light", "dark") for language in ("en", "zh-Hans")]
OPEN_ALL = "document.querySelectorAll('details').forEach(one => one.open = true)"


def is_quiet(browser, origin: str) -> None:
    """Nothing was complained of, and nothing was asked of anybody else."""
    assert [entry for entry in browser.log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []
    foreign = [url for url in browser.requests() if not url.startswith((origin, "data:", "about:"))]
    assert foreign == []


def fits_and_is_usable(browser, axe: str, scheme: str, picture: pathlib.Path) -> None:
    """Folded and with everything open: nothing is cut off sideways, and axe has nothing to say."""
    for state, name in (("", ""), (OPEN_ALL, "-open")):
        browser.run(state)
        wide = browser.run("return [document.documentElement.scrollWidth, innerWidth]")
        assert wide[0] <= wide[1], f"scrolls sideways: {wide}"
        browser.run(axe)
        found = browser.run_async("axe.run().then(arguments[arguments.length - 1])")
        assert [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found["violations"]] == []
        assert len(found["passes"]) > 20
        browser.picture(picture.with_name(f"{picture.name}{name}.png"))
    paper = "rgb(250, 249, 247)" if scheme == "light" else "rgb(22, 24, 26)"
    assert browser.run("return getComputedStyle(document.body).backgroundColor") == paper
