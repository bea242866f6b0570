"""A network of its own: every address is this machine's, so whatever is asked for answers, forbidden or not. It has one
name server, one web server, and a count of each packet to an address that no source may reach."""

import http.client
import http.server
import ipaddress
import os
import pathlib
import re
import socket
import socketserver
import struct
import subprocess
import tempfile
import threading
from collections import Counter

PROGRAM = os.environ["CALFERRY_BIN"]
NAME_SERVER, NAME_SERVER_6 = "9.9.9.9", "2620:fe::fe"
# Addresses of the public network, as far as the guard can know.
PUBLIC, PUBLIC_6 = "8.8.4.4", "2606:4700::1111"
BLACK_HOLE, BLACK_HOLE_6 = "8.8.8.8", "2606:4700::dead"
# The link to the namespace that has only a proxy.
OUTSIDE, INSIDE = "10.254.254.1", "10.254.254.2"
CALENDAR = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//guard//guard//EN\r\nBEGIN:VEVENT\r\nUID:1@guard\r\n"
    "DTSTAMP:20260101T000000Z\r\nDTSTART:20260101T000000Z\r\nSUMMARY:guard\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
).encode()

# By the special-purpose registries of IANA, and not by the program's own list.
FORBIDDEN_4 = """0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24
    192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24
    203.0.113.0/24 224.0.0.0/4 240.0.0.0/4""".split()
FORBIDDEN_6 = """::/3 2001::/23 2001:db8::/32 2002::/16 2620:4f:8000::/48 2a00::5efe:0:0/96 2a00:0:0:0:200:5efe::/96 3fff::/20
    4000::/2 8000::/1""".split()

NFT = f"""
table inet guard {{
    set forbidden_4 {{ type ipv4_addr; flags interval; elements = {{ {", ".join(FORBIDDEN_4)} }} }}
    set forbidden_6 {{ type ipv6_addr; flags interval; elements = {{ {", ".join(FORBIDDEN_6)} }} }}
    set seen_4 {{ type ipv4_addr; size 65535; flags dynamic; counter; }}
    set seen_6 {{ type ipv6_addr; size 65535; flags dynamic; counter; }}
    chain output {{
        type filter hook output priority 0;
        ip daddr {BLACK_HOLE} drop
        ip6 daddr {BLACK_HOLE_6} drop
        oifname "outside" accept
        ip daddr @forbidden_4 add @seen_4 {{ ip daddr }}
        ip6 daddr @forbidden_6 add @seen_6 {{ ip6 daddr }}
    }}
}}
"""


def sh(command: str, text: str | None = None) -> str:
    done = subprocess.run(command, shell=True, input=text, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def build() -> None:
    """Makes the network in the namespace that this process is in."""
    # Private, or the mounts below would be everybody's.
    sh("mount --make-rprivate /")
    for path, text in {
        "/etc/resolv.conf": f"nameserver {NAME_SERVER}\noptions timeout:1 attempts:1\n",
        "/etc/nsswitch.conf": "hosts: files dns\n",
        "/etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
    }.items():
        own = pathlib.Path(tempfile.mkdtemp(prefix="guard-"), "file")
        own.write_text(text)
        own.parent.chmod(0o755)
        sh(f"mount --bind {own} $(realpath -m {path})")
    sh("ip link set lo up")
    sh(f"ip addr add {NAME_SERVER}/32 dev lo && ip -6 addr add {NAME_SERVER_6}/128 dev lo nodad")
    sh(f"ip route add local default dev lo src {NAME_SERVER} table main")
    sh(f"ip -6 route add local default dev lo src {NAME_SERVER_6} table main")
    sh("nft -f -", NFT)


def seen() -> dict[str, int]:
    """How many packets went to which forbidden addresses since it was last asked."""
    found = sh("nft list set inet guard seen_4; nft list set inet guard seen_6")
    sh("nft flush set inet guard seen_4; nft flush set inet guard seen_6")
    counts = re.findall(r"(\S+) counter packets (\d+)", found)
    return {str(ipaddress.ip_address(ip)): int(count) for ip, count in counts}


class Names:
    """The name server. `answers` has for a name the addresses to tell, or what gives them, each time anew."""

    def __init__(self):
        self.answers, self.asked, self.askers = {}, Counter(), set()
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                query, answering = self.request
                answering.sendto(outer.answer(query, self.client_address[0]), self.client_address)

        self.server = socketserver.UDPServer((NAME_SERVER, 53), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, query: bytes, asker: str) -> bytes:
        labels, at = [], 12
        while length := query[at]:
            labels.append(query[at + 1 : at + 1 + length].decode().lower())
            at += 1 + length
        name, question = ".".join(labels), query[12 : at + 5]
        (kind,) = struct.unpack(">H", query[at + 1 : at + 3])
        self.asked[name, {1: "A", 28: "AAAA"}[kind]] += 1
        self.askers.add(asker)
        found = self.answers.get(name)
        if found is None:
            return query[:2] + b"\x81\x83" + struct.pack(">4H", 1, 0, 0, 0) + question
        addresses = [ipaddress.ip_address(one) for one in (found(kind) if callable(found) else found)]
        addresses = [one for one in addresses if one.version == {1: 4, 28: 6}[kind]]
        # The name is a pointer to the question; nothing may be kept, for its time to live is 0.
        records = (struct.pack(">3HIH", 0xC00C, kind, 1, 0, len(one.packed)) + one.packed for one in addresses)
        return query[:2] + b"\x81\x80" + struct.pack(">4H", 1, len(addresses), 0, 0) + question + b"".join(records)


class Web:
    """A calendar at every address, and at `/to/N` a redirect to `targets[N]`. Each connection is for one request, so
    that each request makes the program connect anew."""

    def __init__(self):
        self.targets, self.served = [], Counter()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.close_connection = True
                to = re.fullmatch("/to/([0-9]+)", self.path)
                head = b"HTTP/1.1 200 OK\r\nContent-Type: text/calendar\r\n"
                if to:
                    head = b"HTTP/1.1 302 Found\r\nLocation: " + outer.targets[int(to[1])].encode() + b"\r\n"
                outer.served[self.connection.getsockname()[0].removeprefix("::ffff:")] += 1
                body = b"" if to else CALENDAR
                self.wfile.write(head + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            address_family, daemon_threads, request_queue_size = socket.AF_INET6, True, 128

        self.server = Server(("::", 80), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def settings(sources: dict[str, str], more: str = "") -> pathlib.Path:
    folder = pathlib.Path(tempfile.mkdtemp(prefix="guard-"))
    quoted = {name: '"' + "".join(f"\\U{ord(char):08x}" for char in url) + '"' for name, url in sources.items()}
    text = f'state_dir = "{folder}/state"\n[server]\nlisten = "unix:{folder}/public"\nadmin_listen = "unix:{folder}/admin"\n'
    text += f'[fetch]\nconnect_timeout = "4s"\nper_host = 100\nconcurrent = 100\n{more}\n'
    for name, url in quoted.items():
        text += f'[source.{name}]\nurl = {url}\n[feed.{name}]\nsources = ["{name}"]\n'
    path = folder / "calferry.toml"
    path.write_text(text)
    return path


def calferry(*arguments, where=(), environment=None) -> subprocess.CompletedProcess:
    return subprocess.run(
        [*where, PROGRAM, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **(environment or {})},
    )


def verdicts(sources: dict[str, str], more: str = "", where=(), environment=None) -> dict[str, str]:
    """What becomes of a fetch of each: an error's name, or "good"."""
    done = calferry("check", "--online", "--config", settings(sources, more), where=where, environment=environment)
    found = {name: "good" for name in re.findall(r"^source (\S+): 1 event", done.stdout, re.MULTILINE)}
    found |= dict(re.findall(r"^source (\S+): (\w+): ", done.stdout, re.MULTILINE))
    assert found.keys() == sources.keys(), f"{done.stdout[-3000:]} {done.stderr[-3000:]}"
    return found


def ask(path: pathlib.Path, target: str) -> bytes | None:
    """What the program answers on a Unix socket, once it is there."""
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    try:
        connection.sock.connect(str(path))
        connection.request("GET", target)
        return connection.getresponse().read()
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    finally:
        connection.close()
