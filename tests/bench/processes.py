"""What the measurements start, and that all of it ends: servers of their own, on loopback, in a folder that goes away.

Nothing is stopped but what was started here, by its process group.
"""

import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
# About 950 bytes an event: 270 KB.
EVENTS = 271

# nginx as the origin of the others, and as a cache before it.
# Both files are there as they are sent: nothing is compressed while measuring.
ORIGIN = """
  server {{
    listen 127.0.0.1:{port};
    root {root};
    gzip_static on;
    add_header Cache-Control max-age=60;
  }}
"""

CACHE = """
  map $http_accept_encoding $coding {{ default ""; ~gzip gzip; }}
  proxy_cache_path {folder} levels=1:2 keys_zone=feeds:10m max_size=1g inactive=1d use_temp_path=off;
  upstream origin {{ server 127.0.0.1:{origin}; keepalive 8; }}
  server {{
    listen {listen};
    open_file_cache max=1000 inactive=1h;
    open_file_cache_valid 1h;
    location / {{
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Accept-Encoding $coding;
      proxy_cache feeds;
      proxy_cache_key "$uri $coding";
      proxy_cache_lock on;
      proxy_cache_revalidate on;
      proxy_cache_background_update on;
      proxy_cache_use_stale error timeout updating http_429 http_500 http_502 http_503 http_504;
      add_header Vary Accept-Encoding;
    }}
  }}
"""


def die(words):
    sys.exit(f"{pathlib.Path(sys.argv[0]).name}: {words}")


def say(words):
    print(f"· {words}", file=sys.stderr, flush=True)


def output(*command, **options):
    """What a command prints. Ends everything if it fails."""
    try:
        return subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, **options).stdout
    except FileNotFoundError:
        die(f"{command[0]} is not installed")
    except subprocess.CalledProcessError as error:
        die(f"{command[0]} failed: {error}")


def require(tools):
    """Installs the Debian packages of those `tools` (a program's name to its package's) that are missing."""
    # Servers live where an ordinary user's PATH does not look.
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    missing = sorted({package for tool, package in tools.items() if not shutil.which(tool)})
    if missing:
        say(f"installing {' '.join(missing)}")
        output("apt-get", "install", "-y", "--no-install-recommends", *missing)


def build(*examples):
    """The release binary and these examples. `CALFERRY` names a binary to measure in the place of a fresh one."""
    say("building")
    chosen = [part for example in examples for part in ("--example", example)]
    given = os.environ.get("CALFERRY")
    wanted = chosen if given else ["--bin", "calferry", *chosen]
    if wanted:
        output("cargo", "build", "--release", "--quiet", "--manifest-path", ROOT / "Cargo.toml", *wanted)
    calferry = pathlib.Path(given) if given else TARGET / "release/calferry"
    return [calferry.resolve(), *(TARGET / "release/examples" / example for example in examples)]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(port, path, headers=None, timeout=10):
    """One request: the answer's status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def wait_for(what, ready, seconds=30, every=0.05):
    """Waits until `ready` answers something true, and returns that."""
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if answer := ready():
                return answer
        if time.monotonic() > end:
            die(f"{what} took longer than {seconds} s")
        time.sleep(every)


def memory(pid, key):
    """A figure of /proc/PID/status, in bytes."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    die(f"no {key} in /proc/{pid}/status")


def cpu_seconds(pid):
    """What a process and its children have used of the processor so far."""
    used, parents = {}, {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        # A process may end while it is looked at.
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            child = int(path.parent.name)
            used[child], parents[child] = int(fields[11]) + int(fields[12]), int(fields[1])
    family = {pid}
    while grown := {child for child, parent in parents.items() if parent in family} - family:
        family |= grown
    return sum(used.get(member, 0) for member in family) / os.sysconf("SC_CLK_TCK")


def machine():
    """What is being measured on."""
    info = pathlib.Path("/proc/cpuinfo").read_text()
    model = next((line.split(":")[1].strip() for line in info.splitlines() if line.startswith("model name")), "?")
    load = "/".join(f"{load:.1f}" for load in os.getloadavg())
    return f"{model}, {os.cpu_count()} cores, Linux {os.uname().release}, load before: {load}"


class Bench:
    """A folder and the processes started in it. Leaving the `with` block ends both."""

    def __enter__(self):
        # What asks this process to stop must not leave the others running.
        for name in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(name, lambda *_: sys.exit(1))
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="calferry-bench-"))
        self.running = []
        return self

    def __exit__(self, *_):
        for process in reversed(self.running):
            self.stop(process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, *command, log):
        """Starts a server in a process group of its own. What it says goes to a file."""
        with open(self.folder / f"{log}.log", "ab") as sink:
            process = subprocess.Popen(
                [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=sink, stderr=sink,
                cwd=self.folder, start_new_session=True,
            )
        process.log = self.folder / f"{log}.log"
        self.running.append(process)
        return process

    def stop(self, process):
        if process in self.running:
            self.running.remove(process)
        # A group that was stopped with SIGSTOP must go on to end.
        for name in (signal.SIGCONT, signal.SIGTERM):
            self.signal(process, name)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            self.signal(process, signal.SIGKILL)
            process.wait()

    def signal(self, process, name):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, name)

    def ready(self, process, port, path, seconds=60):
        """Waits until a server answers 200."""
        def answers():
            if process.poll() is not None:
                die(f"{process.args[0]} ended:\n{process.log.read_text()}")
            return ask(port, path)[0] == 200
        wait_for(f"{process.args[0]}'s first answer", answers, seconds)

    def nginx(self, name, http, workers=2):
        """nginx with `http` as its http block, without access logs."""
        place = self.folder / name
        place.mkdir()
        paths = "".join(f"  {kind}_temp_path {place}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        user = "user root;\n" if os.geteuid() == 0 else ""
        (place / "nginx.conf").write_text(
            f"{user}daemon off;\nworker_processes {workers};\npid {place}/pid;\nerror_log stderr error;\n"
            "worker_rlimit_nofile 65536;\nevents { worker_connections 16384; }\n"
            "http {\n  access_log off;\n  server_tokens off;\n  sendfile on;\n  tcp_nopush on;\n"
            "  keepalive_requests 1000000000;\n  types { text/calendar ics; }\n"
            f"{paths}{http}\n}}\n"
        )
        return self.start("nginx", "-p", place, "-c", place / "nginx.conf", log=name)

    def calferry(self, binary, settings, state):
        """calferry on these settings, saying warnings only: no access log."""
        path = self.folder / "calferry.toml"
        path.write_text(settings)
        return self.start(binary, "--log", "warn", "serve", "--config", path, "--state-dir", state, log="calferry")

    def urls(self, binary, state):
        """The path of every feed's URL, in the order of the feeds' names."""
        printed = output(binary, "url", "--config", self.folder / "calferry.toml", "--state-dir", state).decode()
        return {line.split()[1]: "/" + line.rpartition("/")[2] for line in printed.splitlines()}


def status(admin_port):
    """calferry's own account of its sources."""
    return json.loads(ask(admin_port, "/status.json", timeout=60)[2])


def fetched(admin_port):
    """How many fetches have brought a copy."""
    text = ask(admin_port, "/metrics", timeout=60)[2].decode()
    lines = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return sum(int(value) for name, value in lines if name.startswith("calferry_fetches_total") and '"changed"' in name)
