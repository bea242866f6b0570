"""A calferry with one calendar, and the tools that read what is in deploy/."""

import http.server
import os
import re
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from waiting import eventually

REPO = Path(__file__).resolve().parents[2]
DEPLOY = REPO / "deploy"
PROGRAM = os.environ["CALFERRY_BIN"]
CALENDAR = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//x//EN\r\n"
    + "".join(
        f"BEGIN:VEVENT\r\nUID:{n}@x\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20990101T{n:02}0000Z\r\n"
        f"SUMMARY:event number {n}\r\nEND:VEVENT\r\n"
        for n in range(20)
    )
    + "END:VCALENDAR\r\n"
).encode()


def run(*command, timeout=60, **more):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=timeout, **more)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


class Upstream(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/calendar")
        self.send_header("Content-Length", str(len(CALENDAR)))
        self.end_headers()
        self.wfile.write(CALENDAR)

    def log_message(self, *_):
        pass


class Calferry:
    def __init__(self, folder, upstream):
        self.port, self.admin, self.log = free_port(), free_port(), folder / "log"
        self.config = folder / "calferry.toml"
        self.config.write_text(
            f'state_dir = "{folder}/state"\npublic_url = "https://cal.example.com"\n[server]\n'
            f'listen = "127.0.0.1:{self.port}"\nadmin_listen = "127.0.0.1:{self.admin}"\n'
            f'trusted_proxies = ["127.0.0.1"]\nwrong_tokens_per_minute = 5\n[fetch]\nallow_private = true\n'
            f'[source.work]\nurl = "http://127.0.0.1:{upstream}/x.ics"\n[feed.me]\nsources = ["work"]\ndevices = ["phone"]\n'
        )
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--log", "debug", "--config", self.config], stderr=self.log.open("w"), stdout=subprocess.DEVNULL
        )
        eventually("calferry listens", lambda: answers(self.port) and answers(self.admin))
        shown = run(PROGRAM, "url", "--config", self.config)
        self.path = re.search(r"https://cal\.example\.com(/\S+)", shown.stdout)[1]
        self.token = self.path.removeprefix("/").removesuffix(".ics")


@pytest.fixture
def calferry(tmp_path):
    upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    program = Calferry(tmp_path, upstream.server_address[1])
    yield program
    program.process.terminate()
    program.process.wait(20)
    upstream.shutdown()


@pytest.fixture(scope="session")
def package(tmp_path_factory) -> Path:
    """Debian's, of the program under test."""
    folder = tmp_path_factory.mktemp("package")
    where = os.environ | {"BINARY": PROGRAM, "CARGO_TARGET_DIR": str(folder / "target")}
    made = run(DEPLOY / "package", "--fast", "--output", folder / "calferry.deb", timeout=180, env=where)
    assert made.returncode == 0, made.stderr
    return folder / "calferry.deb"
