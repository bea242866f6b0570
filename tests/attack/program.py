"""The program under attack, as a process with settings, a state folder and an upstream of its own."""

import contextlib
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import weakref
from functools import cache

from client import admin
from waiting import eventually

PROGRAM = os.environ["CALFERRY_BIN"]
FULL = os.environ.get("CALFERRY_ATTACK", "quick") == "full"
KEEP = os.environ.get("CALFERRY_ATTACK_KEEP") == "1"
MIB = 1 << 20
TICKS = os.sysconf("SC_CLK_TCK")

# As short as settings may be, so that all deadlines pass within a test.
DEADLINES = {"first_byte_timeout": 1, "header_timeout": 2, "idle_timeout": 2, "write_timeout": 2}
# How much later a connection may be cut: the program looks once a second, and two busy cores take their time.
LATE = 4


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@cache
def understands(section: str, line: str) -> bool:
    """Whether this build knows a setting."""
    with tempfile.TemporaryDirectory() as folder:
        pem, key = certificate()
        settings = pathlib.Path(folder, "calferry.toml")
        settings.write_text(
            f'state_dir = "{folder}/state"\n[source.a]\nurl = "https://a.example/a.ics"\n[feed.a]\nsources = ["a"]\n'
            f"[{section}]\n{line.format(pem=pem, key=key)}\n"
        )
        done = subprocess.run([PROGRAM, "check", "--config", settings], capture_output=True, timeout=60)
        return done.returncode == 0


@cache
def certificate() -> tuple[str, str]:
    """A certificate for this machine that nobody else believes, and its key."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tls-"))
    pem, key = str(folder / "cert.pem"), str(folder / "key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]
        + ["-subj", "/CN=cal.example.com", "-addext", "subjectAltName=DNS:cal.example.com,IP:127.0.0.1"]
        + ["-keyout", key, "-out", pem],
        check=True,
        capture_output=True,
    )
    os.chmod(key, 0o600)
    return pem, key


class Program:
    """`calferry serve` on free ports. `settings` are the sections without [server]; `server` its keys, `top` what stands
    before them."""

    def __init__(self, settings: str, tls=False, server=None, wrap=(), environment=None, state=None, wait=True, top=""):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="program-"))
        if not KEEP:
            # It goes with this object, which is at the end of its test.
            weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self.state = pathlib.Path(state or self.folder / "state")
        self.config, self.log = self.folder / "calferry.toml", self.folder / "log"
        self.port, self.admin_port, self.tls = free_port(), free_port(), tls
        keys = {"requests_per_minute": 10_000_000, "wrong_tokens_per_minute": 10_000_000, **DEADLINES, **(server or {})}
        if understands("server", "connections_per_client = 100000"):
            keys.setdefault("connections_per_client", 100_000)
        if understands("server", "token_requests_per_minute = 1000000"):
            keys.setdefault("token_requests_per_minute", 10_000_000)
        spelt = {key: f'"{value}s"' if key.endswith("_timeout") else value for key, value in keys.items()}
        self.server = "".join(f"{key} = {value}\n" for key, value in spelt.items())
        self.top = top
        self.wrap, self.environment = list(wrap), {**os.environ, **(environment or {})}
        self.configure(settings)
        self.process = None
        self.start(wait)

    def configure(self, settings: str) -> None:
        scheme = "https" if self.tls else "http"
        tls = '[server.tls]\ncertificate = "{}"\nkey = "{}"\n'.format(*certificate()) if self.tls else ""
        self.config.write_text(
            f'{self.top}state_dir = "{self.state}"\npublic_url = "{scheme}://127.0.0.1:{self.port}"\n'
            f'[server]\nlisten = "127.0.0.1:{self.port}"\nadmin_listen = "127.0.0.1:{self.admin_port}"\n{self.server}{tls}'
            f"{settings}\n",
            "utf-8",
        )

    def start(self, wait=True) -> None:
        # Nothing of it is left behind if the tests are killed.
        self.process = subprocess.Popen(
            [*self.wrap, PROGRAM, "serve", "--config", str(self.config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self.log.open("ab"),
            env=self.environment,
            preexec_fn=_many_files,
        )
        if wait:
            eventually("listening", self.listens)

    def listens(self) -> bool:
        assert self.alive(), self.said()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.admin_port)) == 0

    def reload(self, settings: str) -> None:
        self.configure(settings)
        self.process.send_signal(signal.SIGHUP)

    def stop(self) -> int:
        if self.alive():
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()

    def alive(self) -> bool:
        return self.process.poll() is None

    def said(self) -> str:
        return self.log.read_text("utf-8", "replace")

    def paths(self) -> dict[str, str]:
        """The secret path of each feed."""
        done = subprocess.run([PROGRAM, "url", "--config", self.config], capture_output=True, timeout=60, text=True)
        assert done.returncode == 0, done.stderr
        return dict(re.findall(r"^feed (\S+) .*://[^/]+(/\S+)$", done.stdout, re.MULTILINE))

    def every_path(self, feed: str) -> dict[str, str]:
        """The secret path of each device of a feed."""
        done = subprocess.run([PROGRAM, "url", "--config", self.config], capture_output=True, timeout=60, text=True)
        assert done.returncode == 0, done.stderr
        return dict(re.findall(rf"^feed {feed} +device (\S+) .*://[^/]+(/\S+)$", done.stdout, re.MULTILINE))

    def probe_path(self) -> str:
        """The secret path of the probe: what `calferry doctor` asks of a front that says nothing."""
        with socket.create_server(("127.0.0.1", 0)) as front:
            front.settimeout(60)
            config = self.folder / "doctor.toml"
            public = f"http://127.0.0.1:{front.getsockname()[1]}"
            config.write_text(re.sub('^public_url = ".*"$', f'public_url = "{public}"', self.config.read_text(), flags=re.MULTILINE))
            doctor = subprocess.Popen(
                [PROGRAM, "doctor", "--skip-sources", "--config", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=self.environment
            )
            try:
                while True:
                    with front.accept()[0] as connection:
                        connection.settimeout(60)
                        if found := re.match(rb"GET (/\S+/probe) ", connection.recv(4096)):
                            return found[1].decode()
            finally:
                doctor.kill()
                doctor.wait()

    def source(self, name: str) -> dict:
        """What the status says of a source."""
        return json.loads(admin(self.admin_port, "/status.json"))["sources"][name]

    def age_copies(self) -> None:
        """Makes a program that is stopped ask all its sources again soon after it starts."""
        with contextlib.closing(sqlite3.connect(self.state / "calferry.db")) as database, database:
            database.execute("UPDATE snapshot SET confirmed_at = confirmed_at - 7200")

    def rss(self) -> int:
        found = re.search(r"^VmRSS:\s+(\d+) kB", self._proc("status"), re.MULTILINE)
        return int(found[1]) * 1024

    def peak(self) -> int:
        """The most memory it has ever had."""
        found = re.search(r"^VmHWM:\s+(\d+) kB", self._proc("status"), re.MULTILINE)
        return int(found[1]) * 1024

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        fields = self._proc("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def _proc(self, name: str) -> str:
        return pathlib.Path(f"/proc/{self.process.pid}/{name}").read_text()


def _many_files() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
