"""What the package brings, run by a systemd of its own: this machine's files below, and what changes in memory above."""

import os
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest

from conftest import DEPLOY, PROGRAM, REPO, run
from waiting import eventually

SETTINGS = "/etc/calferry/calferry.toml"
DROP_INS = "/etc/systemd/system/calferry.service.d"


class System:
    """A booted systemd in namespaces of its own, with the package's files."""

    def __init__(self, folder: Path):
        self.folder, self.root = folder, folder / "root"
        mount = f'mount -t tmpfs tmpfs "$0" && mkdir "$0/up" "$0/work" "$0/root" && \
            mount -t overlay -o "lowerdir=/,upperdir=$0/up,workdir=$0/work" overlay "$0/root"'
        if os.getuid() != 0 or run("sh", "-c", mount, folder).returncode != 0:
            pytest.skip("needs root, and a file system that can be laid over another")
        self.log = (folder / "log").open("w")
        options = ["--register=no", "--keep-unit", "--private-network", "--console=pipe", "--boot"]
        command = ["systemd-nspawn", "-q", "-D", self.root, *options, "systemd.unit=basic.target"]
        self.nspawn = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.leader = eventually("the first process", self.first_process, 30)
        eventually("a systemd that runs", lambda: self.does("systemctl is-system-running").stdout.strip() == "running", 60)

    def first_process(self) -> str | None:
        assert self.nspawn.poll() is None, (self.folder / "log").read_text()
        return Path(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children").read_text().split(" ")[0]

    def does(self, command: str, **more):
        inside = ["nsenter", "-t", self.leader, "-m", "-u", "-i", "-n", "-p", "-C"]
        return run(*inside, "sh", "-c", command, **more)

    def must(self, command: str, **more) -> str:
        done = self.does(command, **more)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}\n{self.journal()}"
        return done.stdout

    def put(self, path: str, text: str, mode="644") -> None:
        self.must(f"install -D -m {mode} /dev/stdin {shlex.quote(path)}", input=text)

    def install(self) -> None:
        """As the package does. Its pages and completions are not made here."""
        deb = tomllib.loads((REPO / "Cargo.toml").read_text())["package"]["metadata"]["deb"]
        for source, to, mode in deb["assets"]:
            file = Path(PROGRAM) if source == "target/release/calferry" else REPO / source
            if file.is_file():
                with file.open("rb") as content:
                    to = f"/{to}{file.name}" if to.endswith("/") else f"/{to}"
                    self.must(f"install -D -m {mode} /dev/stdin {to}", stdin=content)
        self.script("postinst", "configure")

    def script(self, name: str, action: str) -> None:
        self.must(f"sh -s {action}", input=(REPO / "deploy/debian" / name).read_text())

    def journal(self) -> str:
        return self.does("journalctl -u calferry --no-pager -n 40").stdout

    def service(self, name: str) -> str:
        return self.must(f"systemctl show calferry.service --property {name} --value").strip()

    def as_user(self, command: str) -> str:
        return self.must(f"runuser -u calferry -- env -i HOME=/var/lib/calferry PATH=/usr/bin:/bin {command}")

    def get(self, path: str) -> str:
        return self.must(f"curl -sS --fail --max-time 20 http://127.0.0.1:443{path}")

    def close(self) -> None:
        self.does("systemctl poweroff --force")
        try:
            self.nspawn.wait(20)
        except subprocess.TimeoutExpired:
            self.nspawn.kill()
        self.log.close()
        run("umount", "--lazy", self.root, self.folder)


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    system = System(tmp_path_factory.mktemp("system"))
    upstream = None
    try:
        system.install()
        inside = ["nsenter", "-t", system.leader, "-m", "-u", "-i", "-n", "-p", "-C"]
        upstream = subprocess.Popen(
            [*inside, "/usr/bin/calferry", "demo", "--listen", "127.0.0.1:8081"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        address = next(found[0] for line in upstream.stdout if (found := re.search(r"http://127\.0\.0\.1:8081/\S+\.ics", line)))
        prepare(system, address)
        yield system
    finally:
        if upstream:
            upstream.terminate()
        system.close()


def prepare(system: System, address: str) -> None:
    """As the comments in the files say."""
    settings = system.must(f"cat {SETTINGS}")
    settings = re.sub(r"(?m)^#(?=[\[a-z])", "", settings)
    settings = re.sub(r"(?m)^listen .*", 'listen = "systemd:public"', settings)
    system.must(f"cat > {SETTINGS}", input=f"{settings}[fetch]\nallow_private = true\nports = [8081]\n")
    credential = re.search(r"(?m)^#(LoadCredential=.*)", (DEPLOY / "calferry.service").read_text())[1]
    system.put("/etc/calferry/secrets/family", address, "600")
    # It barks sooner.
    system.put(f"{DROP_INS}/here.conf", f"[Service]\n{credential}\nWatchdogSec=3s\n")
    system.must("systemctl daemon-reload && systemctl enable --now calferry.socket calferry.service")


@pytest.fixture
def path(system) -> str:
    url = system.as_user(f"calferry url family --device iphone --config {SETTINGS}").strip()
    return url.removeprefix("https://cal.example.com")


def test_what_is_installed_belongs_to_whom_it_should(system):
    assert system.must(f"stat -c '%U:%G %a' {SETTINGS} /var/lib/calferry /var/lib/calferry/key").split("\n")[:3] == [
        "root:calferry 640", "calferry:calferry 700", "calferry:calferry 600"]


def test_the_url_that_the_services_user_is_told_is_the_one_that_is_served(system, path):
    assert "BEGIN:VEVENT" in eventually("a copy", lambda: system.does(f"curl -sS --fail http://127.0.0.1:443{path}").stdout)
    assert "Serving 2 devices from 1 sources" in system.service("StatusText")


def test_the_service_can_do_nothing_that_it_need_not(system):
    status = system.must(f"cat /proc/{system.service('MainPID')}/status")
    found = dict(re.findall(r"(?m)^(NoNewPrivs|Seccomp|CapEff|CapBnd|CapAmb):\t(\S+)", status))
    nothing = "0" * 16
    assert found == {"NoNewPrivs": "1", "Seccomp": "2", "CapEff": nothing, "CapBnd": nothing, "CapAmb": nothing}


def test_a_reload_puts_changed_settings_in_force(system, path):
    before = system.service("MainPID")
    system.must(f"""sed -i 's/^\\[feed.family\\]/&\\nname = "After the reload"/' {SETTINGS} && systemctl reload calferry""")
    eventually("the new name", lambda: "X-WR-CALNAME:After the reload" in system.get(path))
    assert system.service("MainPID") == before


def test_no_request_is_refused_while_it_restarts(system, path):
    before = system.service("MainPID")
    ask = f"for n in $(seq 60); do curl -sS --fail --max-time 20 -o /dev/null http://127.0.0.1:443{path} || exit 1; done"
    system.must(f"systemctl restart calferry & {ask}; wait $!")
    assert system.service("MainPID") != before


@pytest.mark.parametrize("signal", ["KILL", "STOP"])
def test_one_that_was_killed_or_is_stuck_is_started_again(system, path, signal):
    before = system.service("MainPID")
    system.must(f"kill -{signal} {before}")
    eventually("another process", lambda: system.service("MainPID") not in (before, "0"), 30)
    assert "BEGIN:VEVENT" in system.get(path)


def test_it_stops_in_order_and_goes(system):
    system.must("systemctl stop calferry.service")
    assert (system.service("Result"), system.service("ExecMainStatus")) == ("success", "0"), system.journal()
    system.script("prerm", "remove")
    assert system.does("systemctl is-enabled calferry.service calferry.socket").stdout.split() == ["disabled"] * 2
