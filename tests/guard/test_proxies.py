"""Sources that are reached through a proxy: `source::tunnel`. The program is in a second namespace, from which every
address would answer by the link to the first one, where the proxy is; the kernel there counts whatever does not go to the
proxy."""

import json
import pathlib
import re
import shlex
import subprocess
import tempfile
import time

import pytest

from spellings import SPELT
from waiting import eventually
from world import INSIDE, OUTSIDE, PUBLIC, seen, sh, verdicts

SOCKS, CONNECT, DEAD = (
    f"socks5h://lin:s3cret@{OUTSIDE}:1080",
    f"http://lin:s3cret@{OUTSIDE}:8888",
    f"socks5h://{OUTSIDE}:1",
)
NFT = f"""
table inet inside {{
    counter proxy {{ }}
    counter lookups {{ }}
    counter direct {{ }}
    chain output {{
        type filter hook output priority 0;
        oifname "inside" ip daddr {OUTSIDE} tcp dport {{ 1080, 8888, 1 }} counter name proxy accept
        udp dport 53 counter name lookups
        oifname "inside" meta l4proto {{ tcp, udp }} counter name direct
    }}
}}
"""


class Room:
    """The second namespace."""

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        space = f"/proc/{self.holder.pid}/ns/net"
        ours = pathlib.Path("/proc/self/ns/net").readlink()
        eventually("a second namespace", lambda: pathlib.Path(space).readlink() != ours)
        self.where = ["nsenter", f"--net={space}"]
        sh(f"ip link add outside type veth peer name inside netns {self.holder.pid}")
        sh(f"ip addr add {OUTSIDE}/30 dev outside && ip link set outside up")
        self.sh(f"ip addr add {INSIDE}/30 dev inside && ip link set lo up && ip link set inside up")
        self.sh(f"ip route add default via {OUTSIDE}")
        self.sh("nft -f -", NFT)

    def sh(self, command: str, text: str | None = None) -> str:
        return sh(f"{' '.join(self.where)} sh -c {shlex.quote(command)}", text)

    def sent(self) -> dict[str, int]:
        """Packets to the proxy, look-ups, and packets to anything else, since it was last asked."""
        found = self.sh("nft reset counters table inet inside")
        return {name: int(count) for name, count in re.findall(r"counter (\w+) \{\s+packets (\d+)", found)}


@pytest.fixture(scope="module")
def room():
    room = Room()
    yield room
    room.holder.kill()
    room.holder.wait()


@pytest.fixture(scope="module")
def proxies():
    settings = pathlib.Path(tempfile.mkdtemp(prefix="guard-"), "tinyproxy.conf")
    settings.write_text(
        f"Port 8888\nListen {OUTSIDE}\nTimeout 20\nMaxClients 100\nBasicAuth lin s3cret\nConnectPort 80\nConnectPort 443\n"
    )
    running = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for command in (
            ["microsocks", "-i", OUTSIDE, "-p", "1080", "-u", "lin", "-P", "s3cret"],
            ["tinyproxy", "-d", "-c", str(settings)],
        )
    ]
    yield running
    for proxy in running:
        proxy.kill()
        proxy.wait()


@pytest.fixture
def ready(room, proxies, names, web):
    """Both proxies listen, and nothing is counted yet."""
    for port in (1080, 8888):
        eventually("a proxy that listens", lambda: sh(f"ss -Hltn sport = :{port}"))
    names.answers["start.example"] = [PUBLIC]
    names.askers.clear()
    room.sent()
    return room


def ways(*them: str) -> str:
    return f"egress = {json.dumps(them)}\n"


def fetched(room: Room, egress: str, url: str = "http://start.example/c.ics") -> str:
    return verdicts({"a": url}, egress, room.where)["a"]


def test_straight_from_the_namespace_a_fetch_works_and_is_counted(ready):
    """The control: nothing but the proxy settings keeps the program from going straight."""
    assert fetched(ready, ways("direct")) == "good"
    sent = ready.sent()
    assert sent["direct"] > 0 and sent["lookups"] > 0 and sent["proxy"] == 0


@pytest.mark.parametrize("proxy", [SOCKS, CONNECT], ids=["microsocks", "tinyproxy"])
def test_through_a_proxy_nothing_goes_straight_and_the_proxy_resolves_the_names(ready, names, proxy):
    assert fetched(ready, ways(proxy)) == "good"
    sent = ready.sent()
    assert sent["direct"] == 0 and sent["lookups"] == 0 and sent["proxy"] > 0
    assert names.askers and INSIDE not in names.askers


@pytest.mark.parametrize("proxy", [SOCKS, CONNECT], ids=["microsocks", "tinyproxy"])
def test_a_forbidden_address_is_not_even_asked_of_a_proxy(ready, web, proxy):
    """The settings refuse what is written in them, so it comes by redirects."""
    hosts = [host for host, _ in SPELT if host.isascii() and "\n" not in host] + [
        "localhost",
        "LOCALHOST.",
        "a.localhost",
    ]
    web.targets[:] = [f"http://{host}/c.ics" for host in hosts]
    found = verdicts({f"r-{at}": f"http://start.example/to/{at}" for at in range(len(hosts))}, ways(proxy), ready.where)
    assert set(found.values()) == {"private_address"}, found
    assert seen() == {}
    sent = ready.sent()
    assert sent["direct"] == 0 and sent["lookups"] == 0


@pytest.mark.parametrize(
    ("proxy", "expected"),
    [
        (DEAD, "proxy_unreachable"),
        (SOCKS.replace("s3cret", "wrong"), "proxy_auth"),
        # To a wrong password tinyproxy says 401, which is not what a proxy says.
        (CONNECT.replace("s3cret", "wrong"), "proxy_refused"),
    ],
    ids=["down", "microsocks", "tinyproxy"],
)
def test_a_proxy_that_is_down_or_refuses_is_no_reason_to_go_straight(ready, proxy, expected):
    assert fetched(ready, ways(proxy)) == expected
    sent = ready.sent()
    assert sent["direct"] == 0 and sent["lookups"] == 0 and sent["proxy"] > 0


def test_the_next_way_is_tried_and_only_those_that_are_named(ready):
    assert fetched(ready, ways(DEAD, CONNECT)) == "good"
    sent = ready.sent()
    assert sent["direct"] == 0 and sent["lookups"] == 0
    # The control: where it is named, it is used.
    assert fetched(ready, ways(DEAD, "direct")) == "good"
    assert ready.sent()["direct"] > 0


def test_what_a_proxy_cannot_resolve_is_not_resolved_here(ready):
    for proxy in (SOCKS, CONNECT):
        assert fetched(ready, ways(proxy), "http://nowhere.example/c.ics") == "proxy_refused"
    sent = ready.sent()
    assert sent["direct"] == 0 and sent["lookups"] == 0 and sent["proxy"] > 0


def test_a_proxy_that_dies_between_two_fetches_fails_closed(ready, proxies):
    """Last, for the proxies are gone afterwards."""
    assert fetched(ready, ways(SOCKS, CONNECT)) == "good"
    for proxy in proxies:
        proxy.kill()
        proxy.wait()
    ready.sent()
    began = time.monotonic()
    assert fetched(ready, ways(SOCKS, CONNECT)) == "proxy_unreachable"
    assert time.monotonic() - began < 20
    sent = ready.sent()
    assert sent["direct"] == 0 and sent["lookups"] == 0 and sent["proxy"] > 0
