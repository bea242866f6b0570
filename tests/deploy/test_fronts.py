"""The fronts as they are shipped, before the program, by TLS; and the image's folder."""

import http.server
import json
import os
import re
import shutil
import subprocess
import threading
import uuid
from pathlib import Path

import pytest

from conftest import CALENDAR, DEPLOY, PROGRAM, answers, free_port, run
from waiting import eventually


CHROOT = shutil.which("chroot", path="/usr/sbin:/usr/bin")


def certificate(folder):
    made = run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
               "-subj", "/CN=cal.example.com", "-addext", "subjectAltName=DNS:cal.example.com",
               "-keyout", folder / "key.pem", "-out", folder / "cert.pem")
    assert made.returncode == 0, made.stderr


def replaced(text, pairs):
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


def nginx(folder, back, port):
    server = replaced((DEPLOY / "nginx.conf").read_text(), [
        ("127.0.0.1:8080", f"127.0.0.1:{back}"), ("listen 443", f"listen 127.0.0.1:{port}"),
        ("    listen [::]:443 ssl http2;\n", ""), ("/etc/ssl/cal.example.com/fullchain.pem", f"{folder}/cert.pem"),
        ("/etc/ssl/cal.example.com/key.pem", f"{folder}/key.pem")])
    temporary = "".join(f"{kind}_temp_path {folder}/t-{kind};" for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"])
    # What a distribution's nginx.conf does around it: a log of every request.
    (folder / "nginx.conf").write_text(
        f"pid {folder}/pid; daemon off; error_log {folder}/front.log debug; events {{}}\n"
        f"http {{ access_log {folder}/front.log; {temporary}\n{server}\n}}\n")
    return ["nginx", "-c", folder / "nginx.conf", "-e", folder / "start.log"]


def caddy(folder, back, port):
    text = replaced((DEPLOY / "Caddyfile").read_text(), [
        ("127.0.0.1:8080", f"127.0.0.1:{back}"), ("{\n\tlog {", "{\n\tadmin off\n\tauto_https disable_redirects\n\tlog {"),
        ("cal.example.com {", f"https://cal.example.com:{port} {{\n\tbind 127.0.0.1\n\ttls {folder}/cert.pem {folder}/key.pem")])
    (folder / "Caddyfile").write_text(text)
    return ["caddy", "run", "--adapter", "caddyfile", "--config", folder / "Caddyfile"]


@pytest.mark.parametrize("front", [nginx, caddy])
def test_a_front_hands_through_what_matters_and_keeps_no_token(front, calferry, tmp_path):
    certificate(tmp_path)
    port = free_port()
    home = {**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    log = (tmp_path / "front.out").open("w")
    process = subprocess.Popen([str(part) for part in front(tmp_path, calferry.port, port)], stdout=log, stderr=log, env=home)

    def curl(path, *options):
        return run("curl", "-s", "--cacert", tmp_path / "cert.pem", "--noproxy", "*", "--max-time", "20",
                   "--connect-to", f"cal.example.com:443:127.0.0.1:{port}", *options, f"https://cal.example.com{path}")

    try:
        eventually("the front listens", lambda: answers(port))
        seen = curl(calferry.path, "-D-", "-H", "Accept-Encoding: gzip", "-o", tmp_path / "body")
        head = dict(line.lower().split(": ", 1) for line in seen.stdout.splitlines() if ": " in line)
        assert seen.stdout.startswith("HTTP/2 200"), seen.stdout
        assert head["content-encoding"] == "gzip" and head["content-type"] == "text/calendar; charset=utf-8"
        tag = next(line.split(": ", 1)[1] for line in seen.stdout.splitlines() if line.lower().startswith("etag: "))
        assert run("gzip", "-dc", stdin=(tmp_path / "body").open()).stdout.count("BEGIN:VEVENT") == CALENDAR.count(b"BEGIN:VEVENT")
        assert curl(calferry.path, "-D-", "-o", "/dev/null", "-H", f"If-None-Match: {tag}").stdout.startswith("HTTP/2 304")
        assert curl(calferry.path, "-I", "--http1.1").stdout.startswith("HTTP/1.1 200")
        # Five wrong tokens are free, whatever address the client claims to have: the sixth meets the limit of its own.
        codes = [curl(f"/{uuid.uuid4().hex}.ics", "-o", "/dev/null", "-w", "%{http_code}", "-H", f"X-Forwarded-For: 203.0.113.{n}",
                      "-H", f"CF-Connecting-IP: 203.0.113.{n}", "-H", f"Forwarded: for=203.0.113.{n}").stdout for n in range(8)]
        assert codes[0] == "404" and codes[-1] == "429", codes
        # With the program gone the front has an error to tell, and must not tell whose.
        calferry.process.terminate()
        calferry.process.wait(20)
        assert curl(calferry.path, "-o", "/dev/null", "-w", "%{http_code}").stdout == "502"
    finally:
        process.terminate()
        process.wait(20)
    for file in tmp_path.rglob("*"):
        if file.suffix in {".log", ".out"}:
            assert calferry.token not in file.read_text(errors="replace"), file.name


def keeping(folder, back, port):
    """nginx with a cache that heeds nothing, and says nothing of itself."""
    command = nginx(folder, back, port)
    text = replaced((folder / "nginx.conf").read_text(), [
        # Its workers write into this folder.
        ("daemon off;", "daemon off; user root;" if os.geteuid() == 0 else "daemon off;"),
        ("upstream calferry {", f"proxy_cache_path {folder}/kept keys_zone=kept:1m;\nupstream calferry {{"),
        ("    location / {\n", "    location / {\n        proxy_cache kept;\n        proxy_cache_valid any 10m;\n"
                              "        proxy_ignore_headers Cache-Control Expires Vary Set-Cookie;\n")])
    (folder / "nginx.conf").write_text(text)
    return command


@pytest.mark.parametrize("front,found", [(nginx, set()), (caddy, set()), (keeping, {"calendar_cached"})])
def test_the_doctor_sees_a_front_as_it_is(front, found, calferry, tmp_path):
    """Its certificate is self-signed, by `openssl req -x509`."""
    certificate(tmp_path)
    port = free_port()
    home = {**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    log = (tmp_path / "front.out").open("w")
    process = subprocess.Popen([str(part) for part in front(tmp_path, calferry.port, port)], stdout=log, stderr=log, env=home)
    try:
        eventually("the front listens", lambda: answers(port))
        seen = run(PROGRAM, "doctor", "--json", "--skip-sources", "--config", calferry.config, "--ca-file", tmp_path / "cert.pem",
                   "--resolve", f"cal.example.com:443:127.0.0.1:{port}")
        findings = json.loads(seen.stdout)
        wrong = {finding["name"] for finding in findings if finding["severity"] in ("warning", "error")}
        # Here the client has the front's own address, so that none is named that could be believed.
        assert wrong - {"client_address_lost", "certificate_ends"} == found, seen.stdout
        assert ("feed_arrives" in {finding["name"] for finding in findings}) == (not found), seen.stdout
    finally:
        process.terminate()
        process.wait(20)


class Listener(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.heard = dict(self.headers.items())
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def behind_cloudflare(front, at="127.0.0.0/8"):
    """With what its comments say for that, and Cloudflare on this machine."""
    def command(folder, back, port):
        line = front(folder, back, port)
        file = Path(line[2] if front is nginx else line[-1])
        text = re.sub(r"(?m)^([ \t]+)#(?=\S)", r"\1", file.read_text())
        file.write_text(replaced(text, [("173.245.48.0/20", at)]))
        return line
    return command


# The client is who connects, unless that is Cloudflare; the rest of what it claims is nothing.
@pytest.mark.parametrize("front,expected", [
    (nginx, "127.0.0.1"), (behind_cloudflare(nginx), "203.0.113.7"), (behind_cloudflare(nginx, at="192.0.2.0/24"), "127.0.0.1"),
    (caddy, "127.0.0.1"), (behind_cloudflare(caddy), "203.0.113.7"), (behind_cloudflare(caddy, at="192.0.2.0/24"), "127.0.0.1")])
def test_a_front_says_itself_who_asks(front, expected, tmp_path):
    certificate(tmp_path)
    back = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=back.serve_forever, daemon=True).start()
    port = free_port()
    log = (tmp_path / "front.out").open("w")
    command = [str(part) for part in front(tmp_path, back.server_address[1], port)]
    process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "HOME": str(tmp_path)})
    try:
        eventually("the front listens", lambda: answers(port))
        claims = {"CF-Connecting-IP": "203.0.113.7", "X-Forwarded-For": "203.0.113.8", "Forwarded": "for=203.0.113.9"}
        claims = [part for name, value in claims.items() for part in ["-H", f"{name}: {value}"]]
        run("curl", "-sk", "--noproxy", "*", *claims, "--connect-to", f"cal.example.com:443:127.0.0.1:{port}", "https://cal.example.com/x")
        assert back.heard.pop("X-Forwarded-For") == expected and "203.0.113." not in str(back.heard), back.heard
    finally:
        process.terminate()
        process.wait(20)
        back.shutdown()


@pytest.mark.parametrize("name", ["nginx.conf", "Caddyfile"])
def test_a_front_knows_cloudflare_by_the_ranges_that_the_program_does(name):
    ranges = re.compile(r"[0-9a-f.:]+/\d+")
    known = (DEPLOY / "cloudflare-ips.txt").read_text().split("\n")
    assert ranges.findall((DEPLOY / name).read_text()) == [line for line in known if ranges.fullmatch(line)]


@pytest.mark.skipif(os.geteuid() != 0, reason="chroot needs root")
def test_nobody_can_run_it_in_an_otherwise_empty_read_only_root(tmp_path):
    root = tmp_path / "root"
    libraries = [line.split()[2] for line in run("ldd", PROGRAM).stdout.splitlines() if "=> /" in line]
    loader = [word for line in run("ldd", PROGRAM).stdout.splitlines() for word in line.split()[:1] if word.startswith("/")]
    for file in [*libraries, *loader]:
        (root / file[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, root / file[1:])
    for folder in ["usr/bin", "etc/calferry", "var/lib/calferry", "proc"]:
        (root / folder).mkdir(parents=True, exist_ok=True)
    shutil.copy(PROGRAM, root / "usr/bin/calferry")
    os.chown(root / "var/lib/calferry", 65532, 65532)
    port = free_port()
    (root / "etc/calferry/calferry.toml").write_text(
        f'[server]\nlisten = "0.0.0.0:{port}"\n[source.a]\nurl = "https://a.invalid/x.ics"\n[feed.a]\nsources = ["a"]\n')
    # A read-only root with the volume alone writable, the image's user, its command and its check.
    script = (
        f"mount --bind {root} {root} && mount --bind {root}/var/lib/calferry {root}/var/lib/calferry && "
        f"mount -o remount,bind,ro {root} || exit; "
        f"in='env -i STATE_DIRECTORY=/var/lib/calferry setpriv --no-new-privs {CHROOT} --userspec=65532:65532 {root}'; "
        "$in /usr/bin/calferry serve --config /etc/calferry/calferry.toml & p=$!; "
        "for i in $(seq 100); do $in /usr/bin/calferry health --config /etc/calferry/calferry.toml 2>/dev/null && well=1 && break; sleep 0.1; done; "
        f"touch {root}/tmp-file 2>/dev/null && echo WRITABLE; "
        "kill $p; wait $p; $in /usr/bin/calferry health --config /etc/calferry/calferry.toml 2>/dev/null && echo STILL; [ \"${well:-}\" ] && echo WELL")
    seen = run("unshare", "--mount", "bash", "-c", script)
    assert "WELL" in seen.stdout and "STILL" not in seen.stdout and "WRITABLE" not in seen.stdout, seen.stdout + seen.stderr
    assert (root / "var/lib/calferry/key").stat().st_uid == 65532
