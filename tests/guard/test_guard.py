"""The address guard: `source::guard`, and where it is asked: in `settings::fetch` and twice in `source::connect`."""

import concurrent.futures
import itertools
import json
import re
import subprocess
import time

import pytest

import world
from spellings import FORBIDDEN, NONSENSE, ONLY_REDIRECTS, OTHER_SCHEMES, SPELT, kernel_refuses, reached
from waiting import eventually
from world import PUBLIC, PUBLIC_6, calferry, seen, settings, verdicts

ANY = "allow_private = true\n"
# What a header cannot hold is no redirect.
LOCATIONS = [one for one in SPELT if one[0].isascii() and "\n" not in one[0]]


def written() -> dict[str, str]:
    return {f"written-{at}": f"http://{host}/c.ics" for at, (host, _) in enumerate(SPELT)}


def told(names) -> dict[str, str]:
    """A name for each forbidden address, and one that has a public address beside it."""
    for at, address in enumerate(FORBIDDEN):
        names.answers[f"told-{at}.example"] = [address]
        names.answers[f"among-{at}.example"] = [PUBLIC, PUBLIC_6, address]
    kinds = itertools.product(("told", "among"), range(len(FORBIDDEN)))
    return {f"{kind}-{at}": f"http://{kind}-{at}.example/c.ics" for kind, at in kinds}


def redirected(names, web) -> dict[str, str]:
    names.answers["start.example"] = [PUBLIC]
    names.answers["start6.example"] = [PUBLIC_6]
    names.answers["localhost"] = names.answers["a.localhost"] = ["127.0.0.1"]
    told(names)
    targets = (
        [f"http://{host}/c.ics" for host, _ in LOCATIONS]
        + ONLY_REDIRECTS
        + ["http://localhost/", "//LocalHost./", "//a.localhost/"]
    )
    targets += [f"http://told-{at}.example/" for at in range(len(FORBIDDEN))]
    web.targets[:] = targets
    return {f"redirect-{at}": f"http://start{at % 2 * '6'}.example/to/{at}" for at in range(len(targets))}


def test_an_address_that_the_settings_spell_is_refused_and_no_packet_goes_there(report):
    sources = written() | {"name": "http://localhost/c.ics"}
    done = calferry("check", "--config", settings(sources))
    assert done.returncode == 1
    named = re.findall(r"source\.(\S+)\.url: this address is not on the public network", done.stderr)
    assert sorted(named) == sorted(written())
    assert seen() == {}
    report(f"{len(SPELT)} spellings of {len(FORBIDDEN)} addresses")


def test_an_address_on_the_command_line_is_refused_and_no_packet_goes_there(names):
    names.answers["localhost"] = ["127.0.0.1"]
    urls = [
        f"{'https' if at % 2 and ':80' not in host and ':0080' not in host else 'http'}://{host}/c.ics"
        for at, (host, _) in enumerate(SPELT)
    ]
    urls += [
        "http://localhost/",
        "http://LOCALHOST./",
        "webcal://localhost/",
        "webcals://127.1/",
        "HTTP://[::1]/",
        " <http://127.0.0.1/> ",
    ]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        said = list(pool.map(lambda url: calferry("fetch", url).stderr, urls))
    wrong = [(url, words) for url, words in zip(urls, said, strict=True) if "leads into a private network" not in words]
    assert not wrong
    assert seen() == {}


def test_what_is_no_address_is_refused_and_no_packet_goes_anywhere():
    sources = {f"n-{at}": f"http://{host}/c.ics" for at, host in enumerate(NONSENSE)}
    sources |= {f"s-{at}": url for at, url in enumerate(OTHER_SCHEMES)}
    done = calferry("check", "--online", "--config", settings(sources))
    named = re.findall(r"source\.(\S+)\.url: ", done.stderr)
    assert sorted(named) == sorted(sources), [sources[name] for name in sources.keys() ^ set(named)]
    assert seen() == {}


def test_a_name_that_leads_to_a_forbidden_address_is_refused_and_no_packet_goes_there(names, web, report):
    sources = told(names)
    found = verdicts(sources)
    assert set(found.values()) == {"private_address"}, found
    assert seen() == {}
    report(f"{len(found)} names")


def test_a_redirect_to_a_forbidden_address_is_refused_and_no_packet_goes_there(names, web, report):
    sources = redirected(names, web)
    before = web.served[PUBLIC] + web.served[PUBLIC_6]
    found = verdicts(sources)
    wrong = {
        web.targets[int(name.partition("-")[2])]: verdict
        for name, verdict in found.items()
        if verdict != "private_address"
    }
    assert not wrong
    assert web.served[PUBLIC] + web.served[PUBLIC_6] - before == len(sources)
    assert seen() == {}
    report(f"{len(found)} redirects")


def test_a_redirect_that_leads_to_no_address_of_the_web_is_refused(names, web):
    names.answers["start.example"] = [PUBLIC]
    web.targets[:] = [f"http://{host}/" for host in NONSENSE] + OTHER_SCHEMES
    found = verdicts({f"r-{at}": f"http://start.example/to/{at}" for at in range(len(web.targets))})
    wrong = {web.targets[int(name[2:])]: verdict for name, verdict in found.items() if verdict != "bad_redirect"}
    assert not wrong
    assert seen() == {}


def test_the_same_addresses_answer_and_are_counted_where_they_are_allowed(names, web, report):
    """The control: without it, a network in which nothing answers, or a counter that counts nothing, would pass."""
    spelt = {name: "http://" + host + "/c.ics" for name, (host, _) in zip(written(), SPELT, strict=True)}
    addresses = dict(zip(written(), (address for _, address in SPELT), strict=True))
    for sources, address in (
        (spelt, addresses.__getitem__),
        (
            {name: url for name, url in told(names).items() if "told" in name},
            lambda name: FORBIDDEN[int(name.partition("-")[2])],
        ),
    ):
        found = verdicts(sources, ANY)
        missing = {name for name, verdict in found.items() if verdict != "good"}
        assert missing == {name for name in sources if kernel_refuses(address(name))}
        expected = {reached(address(name)) for name in sources} - {one for one in FORBIDDEN if kernel_refuses(one)}
        counted = seen()
        assert counted.keys() >= expected, expected - counted.keys()
        report(
            f"{len(found) - len(missing)} of {len(found)} fetched, {sum(counted.values())} packets to {len(counted)} addresses"
        )


def test_the_server_refuses_at_every_refresh_what_a_name_or_a_redirect_leads_to(names, web, report):
    sources = redirected(names, web) | told(names) | {"fine": "http://start.example/c.ics"}
    config = settings(sources, "per_host_minute = 100000\n")
    with subprocess.Popen(
        [world.PROGRAM, "serve", "--config", config], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    ) as program:
        try:
            found = eventually("a verdict on every source", lambda: settled(config.parent / "admin"), 30)
        finally:
            program.terminate()
    assert found.keys() == sources.keys() and found.pop("fine") == "good"
    assert set(found.values()) == {"private_address"}
    assert seen() == {}
    report(f"{len(found)} sources")


def settled(admin) -> dict[str, str] | None:
    answer = world.ask(admin, "/status.json")
    if answer is None:
        return None
    sources = json.loads(answer)["sources"]
    found = {
        name: "good" if one["state"] == "fresh" else (one.get("trouble") or {}).get("reason")
        for name, one in sources.items()
    }
    return found if all(found.values()) else None


@pytest.mark.parametrize("how", ["in turn", "both at once", "A and AAAA in turn", "public once"])
def test_a_name_that_changes_between_two_look_ups_leads_nowhere_forbidden(names, web, report, how):
    """Rebinding: what was checked is what is connected to, for there is one look-up for each fetch."""
    count = 1000 if how == "in turn" else 200
    turn = itertools.count()
    forbidden = itertools.cycle(["127.0.0.1", "169.254.169.254", "10.0.0.1", "192.168.1.1"])

    def answer(kind: int) -> list[str]:
        four = kind == 1
        match how:
            case "in turn":
                return [PUBLIC if next(turn) % 2 == 0 else next(forbidden)] if four else []
            case "both at once":
                return [PUBLIC, next(forbidden)] if four else []
            case "A and AAAA in turn":
                return (
                    ([PUBLIC] if four else ["::1"]) if next(turn) % 3 else ([next(forbidden)] if four else [PUBLIC_6])
                )
            case "public once":
                return [PUBLIC if next(turn) == 0 else "127.0.0.1"] if four else []

    name = f"rebind-{how.replace(' ', '-').lower()}.example"
    names.answers[name] = answer
    found = list(verdicts({f"r-{at}": f"http://{name}/{at}.ics" for at in range(count)}).values())
    good = {"in turn": count // 2, "both at once": 0, "public once": 1}.get(how)
    assert good is None or found.count("good") == good
    assert found.count("good") + found.count("private_address") == count
    assert names.asked[name, "A"] == count
    assert seen() == {}
    report(f"{count} fetches, {found.count('good')} good, {found.count('private_address')} refused")


@pytest.mark.parametrize("dead", [[world.BLACK_HOLE_6], [world.BLACK_HOLE]], ids=["IPv6", "IPv4"])
def test_where_one_of_ipv4_and_ipv6_is_dead_the_other_is_tried_soon(names, web, report, dead):
    names.answers["half.example"] = dead + [PUBLIC if ":" in dead[0] else PUBLIC_6]
    names.answers["none.example"] = dead
    began = time.monotonic()
    assert verdicts({"half": "http://half.example/c.ics"}) == {"half": "good"}
    took = time.monotonic() - began
    assert took < 2
    # The control: alone, the dead one lasts until the deadline.
    began = time.monotonic()
    assert verdicts({"none": "http://none.example/c.ics"}, 'header_timeout = "3s"\n')["none"] in ("timeout", "connect")
    assert time.monotonic() - began > 2
    report(f"{took:.2f} s")


def test_proxies_in_the_environment_are_not_used(names, web):
    names.answers["start.example"] = [PUBLIC]
    proxies = {
        name: "http://10.0.0.1:80"
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
    }
    assert verdicts({"a": "http://start.example/c.ics"}, environment=proxies) == {"a": "good"}
    assert seen() == {}
