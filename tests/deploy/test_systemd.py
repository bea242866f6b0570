"""What the package brings, run by a systemd of its own: this machine's files below, and what changes in memory above."""

import contextlib
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from conftest import DEPLOY, PROGRAM, REPO, run
from waiting import eventually

SETTINGS = "/etc/calferry/calferry.toml"
DROP_INS = "/etc/systemd/system/calferry.service.d"


class System:
    """A booted systemd in namespaces of its own, with the package's files."""

    def __init__(self, folder: Path):
        # In a namespace of its own, so that nothing stays mounted.
        alone = ["unshare", "--mount", "--propagation", "private", "sh", "-c"]
        mount = 'mount -t tmpfs tmpfs "$0" && mkdir "$0/up" "$0/work" "$0/root" && \
            mount -t overlay -o "lowerdir=/,upperdir=$0/up,workdir=$0/work" overlay "$0/root"'
        if os.getuid() != 0 or run(*alone, mount, folder).returncode != 0:
            pytest.skip("needs root, and a file system that can be laid over another")
        options = "-q --register=no --keep-unit --private-network --console=pipe --boot"
        # As a machine's own systemd has it, for `IPAddressDeny=`.
        filters = "--capability=CAP_BPF,CAP_NET_ADMIN --system-call-filter=bpf"
        boot = f'{mount} && exec systemd-nspawn {options} {filters} -D "$0/root" systemd.unit=basic.target'
        self.log = (folder / "log").open("w+")
        self.nspawn = subprocess.Popen([*alone, boot, folder], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.leader = None

    def boot(self) -> None:
        self.leader = eventually("the first process", self.first_process, 60)
        eventually("a systemd that runs", lambda: self.does("systemctl is-system-running").stdout.strip() == "running", 60)

    def first_process(self) -> str | None:
        assert self.nspawn.poll() is None, self.log.seek(0) or self.log.read()
        for child in Path(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children").read_text().split():
            # Others, that prepare it, come and go before.
            with contextlib.suppress(OSError):
                if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                    return child
        return None

    def inside(self, *command: str) -> list[str]:
        return ["nsenter", "-t", self.leader, "-m", "-u", "-i", "-n", "-p", "-C", *command]

    def does(self, command: str, **more):
        return run(*self.inside("sh", "-c", command), **more)

    def must(self, command: str, **more) -> str:
        done = self.does(command, **more)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}\n{self.journal()}"
        return done.stdout

    def put(self, path: str, text: str, mode="644") -> None:
        self.must(f"install -D -m {mode} /dev/stdin {shlex.quote(path)}", input=text)

    def install(self, package: Path) -> None:
        with package.open("rb") as content:
            self.must("cat > /root/calferry.deb && dpkg --install /root/calferry.deb", stdin=content)

    def journal(self) -> str:
        return self.does("journalctl -u calferry --no-pager -n 40").stdout

    def service(self, name: str) -> str:
        return self.must(f"systemctl show calferry.service --property {name} --value").strip()

    def as_user(self, command: str) -> str:
        return self.must(f"runuser -u calferry -- env -i HOME=/var/lib/calferry PATH=/usr/bin:/bin {command}")

    def get(self, path: str, port=443) -> str:
        return self.must(f"curl -sS --fail --max-time 20 http://127.0.0.1:{port}{path}")

    def close(self) -> None:
        try:
            if self.leader:
                self.does("systemctl poweroff --force")
                self.nspawn.wait(20)
        except subprocess.TimeoutExpired:
            pass
        finally:
            # What is in its namespaces goes with it.
            self.nspawn.kill()
            self.nspawn.wait()
        self.log.close()


@contextlib.contextmanager
def booted(folder: Path, program: str):
    """A system with the program at the path `program`, and an address there that gives a calendar."""
    system, upstream = System(folder), None
    try:
        system.boot()
        with open(PROGRAM, "rb") as content:
            system.must(f"install -D -m 755 /dev/stdin {program}", stdin=content)
        demo = system.inside(program, "demo", "--listen", "127.0.0.1:8081")
        upstream = subprocess.Popen(demo, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        address = next(found[0] for line in upstream.stdout if (found := re.search(r"http://127\.0\.0\.1:8081/\S+\.ics", line)))
        yield system, address
    finally:
        if upstream:
            upstream.terminate()
        system.close()


@pytest.fixture(scope="module")
def system(tmp_path_factory, package):
    with booted(tmp_path_factory.mktemp("system"), "/root/calferry") as (system, address):
        system.install(package)
        prepare(system, address)
        yield system


def prepare(system: System, address: str) -> None:
    """As the README and the comments in the files say."""
    settings = system.must(f"cat {SETTINGS}")
    settings = re.sub(r"(?m)^#(?=[\[a-z])", "", settings)
    listen = 'listen = ["systemd:public", "unix:/run/calferry/calferry.sock"]'
    settings = re.sub(r"(?m)^listen .*", listen, settings)
    system.must(f"cat > {SETTINGS}", input=f"{settings}[fetch]\nallow_private = true\nports = [8081]\n")
    credential = re.search(r"(?m)^#(LoadCredential=.*)", (DEPLOY / "calferry.service").read_text())[1]
    system.put("/etc/calferry/secrets/family", address, "600")
    # It barks sooner.
    system.put(f"{DROP_INS}/here.conf", f"[Service]\n{credential}\nWatchdogSec=3s\n")
    start = re.search(r"(?m)^sudo (systemctl enable --now [^#\n]+)", (REPO / "README.md").read_text())[1]
    system.must(f"systemctl daemon-reload && {start}")


@pytest.fixture
def path(system) -> str:
    url = system.as_user(f"calferry url family --device iphone --config {SETTINGS}").strip()
    return url.removeprefix("https://cal.example.com")


def test_what_is_installed_belongs_to_whom_it_should(system):
    assert system.must(f"stat -c '%U:%G %a' {SETTINGS} /var/lib/calferry /var/lib/calferry/key").split("\n")[:3] == [
        "root:calferry 640", "calferry:calferry 700", "calferry:calferry 600"]
    changed = system.does("dpkg --verify calferry").stdout.splitlines()
    # By prepare(), as everybody does.
    assert [line.split()[1:] for line in changed] == [["c", SETTINGS]], changed


def test_the_url_that_the_services_user_is_told_is_the_one_that_is_served(system, path):
    assert "BEGIN:VEVENT" in eventually("a copy", lambda: system.does(f"curl -sS --fail http://127.0.0.1:443{path}").stdout)
    assert "BEGIN:VEVENT" in system.must(f"curl -sS --fail --unix-socket /run/calferry/calferry.sock http://a{path}")
    assert "Serving 2 devices from 1 source" in system.service("StatusText")


def test_the_service_can_do_nothing_that_it_need_not(system):
    status = system.must(f"cat /proc/{system.service('MainPID')}/status")
    found = dict(re.findall(r"(?m)^(NoNewPrivs|Seccomp|CapEff|CapBnd|CapAmb):\t(\S+)", status))
    nothing = "0" * 16
    assert found == {"NoNewPrivs": "1", "Seccomp": "2", "CapEff": nothing, "CapBnd": nothing, "CapAmb": nothing}


METADATA = ["169.254.169.254", "100.100.100.200", "169.254.170.2", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"]


@pytest.fixture
def metadata(system):
    """A server at every metadata address, and a source and feed of each in the settings."""
    settings = added = system.must(f"cat {SETTINGS}")
    # What answers there is no calendar, and would be told as that.
    server = subprocess.Popen(system.inside("python3", "-m", "http.server", "--bind", "::", "8082"),
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for number, address in enumerate(METADATA):
            system.must(f"ip addr add {address} dev lo {'nodad' if ':' in address else ''}")
            url = f"http://{f'[{address}]' if ':' in address else address}:8082/x.ics"
            eventually("an answer", lambda: system.does(f"curl -sS --max-time 5 '{url}'").returncode == 0)
            added += f'[source.m{number}]\nurl = "{url}"\n[feed.m{number}]\nsources = ["m{number}"]\n'
        added = added.replace("ports = [8081]", 'ports = [8081, 8082]\nconnect_timeout = "1s"')
        system.must(f"cat > {SETTINGS}", input=added)
        system.must("systemctl restart calferry")
        yield
    finally:
        system.must(f"cat > {SETTINGS} && systemctl restart calferry", input=settings)
        server.terminate()


def test_a_source_at_a_metadata_address_is_not_reached_even_if_it_is_allowed(system, metadata):
    denied = {entry.rsplit("/", 1)[0] for entry in system.service("IPAddressDeny").split()}
    assert denied == set(METADATA)
    if system.does("systemd-run --quiet --wait -p IPAddressDeny=any curl -s --max-time 2 http://127.0.0.1:8081/").returncode == 0:
        pytest.skip("the kernel does not let a systemd in a namespace enforce IPAddressDeny=")
    for number, address in enumerate(METADATA):
        url = system.as_user(f"calferry url m{number} --device phone --config {SETTINGS}").strip()
        health = url.removeprefix("https://cal.example.com").replace(".ics", "/health")
        asked = f"curl -sS --max-time 5 http://127.0.0.1:443{health}"
        reason = eventually("an end", lambda: re.search(r'"reason": ?"(\w+)"', system.must(asked)))
        assert reason[1] == "timeout", address


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


def test_an_upgrade_keeps_the_settings_and_starts_the_new_program(system, package, path):
    before, settings = system.service("MainPID"), system.must(f"cat {SETTINGS}")
    system.install(package)
    assert system.must(f"cat {SETTINGS}") == settings
    assert system.must(f"stat -c '%U:%G %a' {SETTINGS}") == "root:calferry 640\n"
    assert system.service("MainPID") not in (before, "0")
    assert "BEGIN:VEVENT" in system.get(path)


def test_it_stops_in_order(system):
    system.must("systemctl stop calferry.service")
    assert (system.service("Result"), system.service("ExecMainStatus")) == ("success", "0"), system.journal()


def test_a_removed_package_leaves_what_is_the_operators_and_a_purged_one_nothing(system):
    links = "find /etc/systemd/system -name 'calferry.s*' -type l"
    system.must("systemctl start calferry.service")
    assert system.must(links)
    system.must("dpkg --remove calferry")
    assert system.must(links) == "" and system.does("pgrep --exact --uid calferry calferry").stdout == ""
    assert system.does("systemctl cat calferry.service").returncode != 0
    system.must(f"test -f {SETTINGS} && test -f /var/lib/calferry/key")
    system.must("dpkg --purge calferry")
    system.must(f"test ! -e {SETTINGS} && test ! -e /var/lib/calferry")


def test_init_hands_a_calendar_over_to_systemd_and_says_where_it_is(tmp_path):
    with booted(tmp_path, "/root/calferry") as (system, address):
        options = "--yes --address-file - --feed family --device iphone --allow-private --install-unit --lang en"
        said = system.must(f"cd /root && ./calferry init {options} 2>&1", input=address)
        # What it says is what is typed.
        command = re.search(r"sudo -u calferry (.*)", said)[1]
        url = eventually("a url", lambda: re.search(r"http://127\.0\.0\.1:8080(/\S+)", system.as_user(command)))
        assert "BEGIN:VEVENT" in eventually("a copy", lambda: system.does(f"curl -sS --fail {url[0]}").stdout)
        assert system.service("User") == "calferry" and "family" in system.as_user(command)
