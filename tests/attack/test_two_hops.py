"""nginx and haproxy in front, as a CDN would be: no answer may ever go to another's request. The defences: one way to
read a request (`http::front`), and the end of every connection on which something was refused."""

import concurrent.futures
import contextlib
import pathlib
import random
import shutil
import subprocess

import pytest

from client import ATTACKER, Ended, Place, Reading, request
from conftest import place_of, served, well
from program import FULL, Program, free_port
from upstream import calendar, settings
from waiting import eventually

REQUESTS = 100_000 if FULL else 5_000
FEEDS = 20
TOGETHER = 25

NGINX = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e; keepalive_requests 1000000;
  upstream calferry {{ server 127.0.0.1:{back}; keepalive 8; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://calferry; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_request_buffering off;
                  proxy_set_header Host $http_host; proxy_ignore_client_abort on; }}
  }}
}}
"""
HAPROXY = """
global
  maxconn 1000
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  option http-keep-alive
frontend front
  bind 127.0.0.1:{port}
  default_backend back
backend back
  http-reuse always
  server calferry 127.0.0.1:{back} maxconn 8
"""


@contextlib.contextmanager
def front(kind: str, back: int, folder: pathlib.Path):
    port, config = free_port(), folder / "config"
    config.write_text({"nginx": NGINX, "haproxy": HAPROXY}[kind].format(folder=folder, port=port, back=back))
    command = {"nginx": ["nginx", "-e", f"{folder}/start.log", "-p", folder, "-c", config], "haproxy": ["haproxy", "-db", "-f", config]}[kind]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        place = Place(port)

        def listens():
            with contextlib.suppress(OSError), place.connect():
                return True

        eventually(kind, listens)
        yield place
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def many(upstream):
    sources = {f"f{at}": upstream.on(f"/hop-{at}.ics", calendar(f"hop {at} canary", at + 1)) for at in range(FEEDS)}
    # The front keeps connections open; they are not to be cut while it thinks.
    program = Program(settings(sources), server={"idle_timeout": 60, "header_timeout": 20})
    try:
        paths = program.paths()
        yield program, [(paths[f"f{at}"], served(program, paths[f"f{at}"], f"hop {at} canary")) for at in range(FEEDS)]
    finally:
        program.stop()


# What an attacker sends through the same front meanwhile. Whether the front refuses it or passes it on is its affair.
HOSTILE = [
    b"GET {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 44\r\n\r\nGET /robots.txt HTTP/1.1\r\nHost: a\r\nX-Ignore: x",
    b"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 44\r\n\r\nGET /robots.txt HTTP/1.1\r\nHost: a\r\nX-Ignore: x",
    b"POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\nGET /robots.txt HTTP/1.1\r\nHost: a\r\nX: x",
    b"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
    b"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding:\x0bchunked\r\n\r\n5\r\nx\r\n0\r\n\r\n",
    b"GET {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nGET /\r\n0\r\nX: y\r\n\r\n",
    b"GET {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n",
    b"PUT {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\nGET / HTT",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET {path} HTTP/1.1\nHost: a\n\n",
    b"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"HEAD {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nGET /",
    b"GET {path} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"GET http://b{path} HTTP/1.1\r\nHost: a\r\n\r\n",
]


def attack(place: Place, path: str, message: bytes) -> None:
    with contextlib.suppress(OSError), place.connect(ATTACKER, seconds=2) as connection:
        connection.sendall(message.replace(b"{path}", path.encode()))
        connection.recv(1 << 16)


def visit(place: Place, feeds: list, count: int, seed: int) -> tuple[int, int]:
    """Requests many feeds on one connection, some at once; how many answers there were, and how many were another's."""
    dice, answered, wrong = random.Random(seed), 0, 0
    while answered < count:
        # A front ends a connection now and then; what was asked on it is asked again.
        with contextlib.suppress(Ended, ConnectionError), place.connect() as connection:
            reading = Reading(connection)
            while answered < count:
                asked = [(dice.randrange(len(feeds)), dice.choice(["GET"] * 8 + ["HEAD", "wrong"])) for _ in range(TOGETHER)]
                connection.sendall(b"".join(message(feeds[at][0], kind, place.port) for at, kind in asked))
                for at, kind in asked:
                    reply = reading.reply(of_head=kind == "HEAD")
                    body = {"GET": feeds[at][1], "HEAD": b"", "wrong": b"Not found.\n"}[kind]
                    right = reply.status == (404 if kind == "wrong" else 200) and reply.text() == body if kind != "HEAD" else reply.status == 200
                    answered, wrong = answered + 1, wrong + (not right)
    return answered, wrong


def message(path: str, kind: str, port: int) -> bytes:
    return request(path[:-6] + ".ics" if kind == "wrong" else path, port, method="HEAD" if kind == "HEAD" else "GET")


@pytest.mark.parametrize("kind", ["nginx", "haproxy"])
def test_behind_a_front_every_answer_goes_to_whoever_asked_for_it(many, kind, tmp_path, report):
    program, feeds = many
    assert shutil.which(kind), f"{kind} is not installed"
    visitors = 4
    with front(kind, program.port, tmp_path) as place, concurrent.futures.ThreadPoolExecutor(visitors) as pool:
        running = [pool.submit(visit, place, feeds, REQUESTS // visitors, seed) for seed in range(visitors)]
        attacks = 0
        while not all(one.done() for one in running):
            attack(place, feeds[attacks % FEEDS][0], HOSTILE[attacks % len(HOSTILE)])
            attacks += 1
        found = [one.result() for one in running]
    answered, wrong = (sum(column) for column in zip(*found, strict=True))
    report(f"{answered} answers, {attacks} hostile requests between them, {wrong} mismatches")
    assert answered >= REQUESTS and wrong == 0 and attacks > 0
    well(program, place_of(program), *feeds[0])
