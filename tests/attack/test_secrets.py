"""No secret comes out, whatever goes wrong: addresses of sources, their passwords, a proxy's password, tokens. The program
says all it can (`--log trace`), and everything that leaves it is searched. The defences: types that cannot be printed, and
errors with words of their own."""

import base64
import os
import pathlib
import re
import socket
import ssl
import subprocess
import threading
import urllib.parse

import pytest

from client import Place, Reading, admin, get, request
from conftest import place_of, served
from program import PROGRAM, Program, certificate
from upstream import HEAD, calendar
from waiting import eventually

# Each place where a secret can be has one of its own, so that a leak tells where it comes from.
PLACES = "address file variable user password query proxyuser proxypass egress token badtoken badurl badway badkey".split()
SECRET = {place: f"c0ffee{at:02}{place}c0ffeec0ffee" for at, place in enumerate(PLACES)}
CLI = ["check", "check --online", "fetch good", "fetch refused", "fetch tls", "fetch quarantined", "fetch socks", "preview good",
       "explain good 0@good", "explain good nothing", "preview nothing", "accept good", "accept quarantined", "accept nothing",
       "health", "url nothing", "fetch nothing", "doctor", "doctor --json --skip-sources"]  # fmt: skip
TRACE = {"CALFERRY_LOG": "trace", "SECRET_URL": "", "RUST_BACKTRACE": "full"}


def spelt(secret: str) -> list[bytes]:
    """A secret as it is, and as it looks on its way."""
    twice = secret.encode() * 2
    # Whatever stands before it, base64 looks in one of three ways.
    codes = [base64.b64encode(b"x" * shift + twice)[4:-8] for shift in range(3)]
    return [secret.encode(), secret.encode().hex().encode(), *(code[: len(code) // 2 - 4] for code in codes)]


class Answering:
    """Something on a port that answers each connection with the same bytes, over TLS if it has a certificate."""

    def __init__(self, answer: bytes, tls: ssl.SSLContext | None = None):
        self.listener, self.answer, self.tls, self.heard = socket.create_server(("127.0.0.1", 0)), answer, tls, b""
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            try:
                if self.tls:
                    connection = self.tls.wrap_socket(connection, server_side=True)
                connection.settimeout(2)
                self.heard += connection.recv(4096)
                connection.sendall(self.answer)
                self.heard += connection.recv(4096)
            except OSError:
                pass
            finally:
                connection.close()


@pytest.fixture(scope="module")
def leaky(upstream, tmp_path_factory):
    """The settings: a source for every way to fail, each with secrets; and the canary of each in what it answers."""
    folder = tmp_path_factory.mktemp("secrets")
    all_of_them = " ".join(SECRET.values())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate())
    echo = all_of_them.encode()
    ports = {
        "tls": Answering(b"", context).port,
        "plain": Answering(b"HTTP/1.1 400 " + echo + b"\r\n\r\n" + echo).port,
        "noise": Answering(echo * 10).port,
        "refusing": Answering(b"HTTP/1.1 407 " + echo + b"\r\nProxy-Authenticate: Basic realm=\"" + echo + b'"\r\n\r\n').port,
        "forbidding": Answering(b"HTTP/1.1 403 " + echo + b"\r\n\r\n" + echo).port,
        "socks": Answering(b"\x05\x02\x01\x01").port,
        "socks-none": Answering(b"\x05\xff").port,
    }
    ports["dead"] = 1
    path = f"/{SECRET['address']}/basic.ics?key={SECRET['query']}"
    userinfo = f"{SECRET['user']}:{SECRET['password']}@"

    def status(code, **headers):
        def act(handler):
            body = f"<html>{all_of_them}</html>".encode()
            handler.send_response(code, all_of_them)
            for name, value in {"Content-Length": str(len(body)), "X-Echo": all_of_them, **headers}.items():
                handler.send_header(name.replace("_", "-"), value)
            handler.end_headers()
            handler.wfile.write(body)

        return act

    def on(name, act) -> str:
        address = upstream.act(f"/{name}{path}", act)
        return address.replace("://", f"://{userinfo}")

    def here(name, more="") -> str:
        body = calendar(name, 40, more)
        address = upstream.on(f"/{name}{path}", body)
        return address.replace("://", f"://{userinfo}")

    def at(port, scheme="http") -> str:
        return f"{scheme}://{userinfo}127.0.0.1:{port}{path}"

    own = upstream.address(f"/good{path}")
    far = f"http://{userinfo}far.invalid{path}"
    sources = {
        "good": f'url = "{here("good", f"X-ORIGINAL-URL:{own}{chr(13)}{chr(10)}SOURCE;VALUE=URI:{own}{chr(13)}{chr(10)}")}"',
        "quarantined": f'url = "{here("quarantined")}"',
        "aside": f'url = "{here("aside")}"',
        "gone": f'url = "{on("gone", status(404))}"',
        "refused": f'url = "{on("refused", status(403))}"',
        "failing": f'url = "{on("failing", status(500))}"',
        "throttled": f'url = "{on("throttled", status(429, Retry_After=all_of_them))}"',
        "odd": f'url = "{on("odd", status(299))}"',
        "page": f'url = "{on("page", status(200, Content_Type="text/html"))}"',
        "coded": f'url = "{on("coded", status(200, Content_Encoding=all_of_them))}"',
        "ring": f'url = "{on("ring", status(302, Location=f"/ring{path}"))}"',
        "elsewhere": f'url = "{on("elsewhere", status(302, Location=far))}"',
        "nowhere": f'url = "{on("nowhere", status(302, Location=f"ftp://{all_of_them}"))}"',
        "sign-in": f'url = "{on("sign-in", status(302, Location=f"https://accounts.google.com/ServiceLogin?continue={own}"))}"',
        "broken": f'url = "{upstream.on(f"/broken{path}", (HEAD + "BEGIN:" + all_of_them).encode()).replace("://", f"://{userinfo}")}"',
        "junk": f'url = "{upstream.on(f"/junk{path}", calendar("junk", 3, more=upstream.address(f"/junk{path}") + chr(13) + chr(10))).replace("://", f"://{userinfo}")}"',
        "tls": f'url = "{at(ports["tls"], "https")}"',
        "no-tls": f'url = "{at(ports["plain"], "https")}"',
        "plain": f'url = "{at(ports["plain"])}"',
        "noise": f'url = "{at(ports["noise"])}"',
        "dead": f'url = "{at(1)}"',
        "unknown": f'url = "https://{userinfo}{SECRET["address"]}.invalid{path}"',
        "private": f'allow_private = false\nurl = "http://{userinfo}localhost{path}"',
        "file": f'url_file = "{folder}/file"',
        "variable": 'url_env = "SECRET_URL"',
        "egress": f'url = "{far}"\negress_file = "{folder}/egress"',
    }
    for name, way in {"socks": "socks5h", "socks-none": "socks5h", "refusing": "http", "forbidding": "http", "noise": "http", "tls": "socks5h", "dead": "socks5h"}.items():
        proxy = f"{way}://{SECRET['proxyuser']}:{SECRET['proxypass']}@127.0.0.1:{ports[name]}"
        sources["by-" + name if name in sources else name] = f'url = "http://{userinfo}by-{name}.invalid{path}"\negress = ["{proxy}"]'
    (folder / "file").write_text(f"http://127.0.0.1:{ports['plain']}/{SECRET['file']}/basic.ics\n")
    (folder / "egress").write_text(f"http://{SECRET['proxyuser']}:{SECRET['egress']}@127.0.0.1:{ports['refusing']}\n")
    (folder / "token").write_text(SECRET["token"] + "\n")
    os.environ["SECRET_URL"] = f"http://127.0.0.1:{ports['plain']}/{SECRET['variable']}/basic.ics"
    for name in ("file", "egress", "token"):
        (folder / name).chmod(0o600)
    text = '[fetch]\nallow_private = true\nrefresh = "1m"\nconnect_timeout = "2s"\ntimeout = "5s"\ncollapse_percent = 80\n'
    for name, lines in sources.items():
        text += f'[source.{name}]\n{lines}\n[feed.{name}]\nsources = ["{name}"]\n'
    text += f'[feed.good.device.phone]\n[feed.good.device.kept]\ntoken_file = "{folder}/token"\n'
    return folder, text, list(sources), path


def bad_settings(text: str, folder: pathlib.Path) -> dict[str, str]:
    """What is wrong in the very line that holds the secret."""
    (folder / "bad-token").write_text(f"{SECRET['badtoken']} with spaces\n")
    (folder / "bad-url").write_text(f"ftp://{SECRET['badurl']}/\n")
    (folder / "bad-way").write_text(f"socks4://{SECRET['badway']}@127.0.0.1:1\n")
    first = "[source.bad]\n{}\n[feed.bad]\nsources = [\"bad\"]\n"
    return {
        "a string without end": text + f'[source.bad]\nurl = "https://a.example/{SECRET["badurl"]}\n',
        "no address": text + first.format(f'url = "{SECRET["badurl"]}"'),
        "another scheme": text + first.format(f'url = "ftp://{SECRET["badurl"]}/"'),
        "a list": text + first.format(f'url = ["https://a.example/{SECRET["badurl"]}"]'),
        "a number": text + first.format(f'url = "https://a.example/{SECRET["badurl"]}"\nrefresh = "soon"'),
        "a key": text + first.format(f'url = "https://a.example/{SECRET["badurl"]}"\nurll = "{SECRET["badkey"]}"'),
        "two addresses": text + first.format(f'url = "https://a.example/{SECRET["badurl"]}"\nurl_file = "{folder}/file"'),
        "a key twice": text + first.format(f'url = "https://a.example/{SECRET["badurl"]}"\nurl = "https://b.example/{SECRET["badurl"]}"'),
        "a host of nonsense": text + first.format(f'url = "https://[{SECRET["badurl"]}/"'),
        "a private address": text + first.format(f'allow_private = false\nurl = "https://127.0.0.1/{SECRET["badurl"]}"'),
        "a port": text + first.format(f'allow_private = false\nurl = "https://{SECRET["user"]}:{SECRET["password"]}@a.example:22/{SECRET["badurl"]}"'),
        "a page": text + first.format(f'url = "https://calendar.google.com/calendar/u/0?cid={SECRET["badurl"]}"'),
        "a file with another scheme": text + first.format(f'url_file = "{folder}/bad-url"'),
        "a way": text + first.format(f'url = "https://a.example/"\negress = ["socks4://{SECRET["badway"]}@127.0.0.1:1"]'),
        "a way without a port": text + first.format(f'url = "https://a.example/"\negress = ["http://x:{SECRET["badway"]}@127.0.0.1"]'),
        "a way twice": text + first.format(f'url = "https://a.example/"\negress = ["http://x:{SECRET["badway"]}@a:1", "http://x:{SECRET["badway"]}@a:1"]'),
        "a file with a bad way": text + first.format(f'url = "https://a.example/"\negress_file = "{folder}/bad-way"'),
        "a token": text + f'[feed.good.device.bad]\ntoken_file = "{folder}/bad-token"\n',
        "a token twice": text + f'[feed.good.device.bad]\ntoken_file = "{folder}/token"\n',
        "different ways to one address": text + first.format(f'url_env = "SECRET_URL"\negress = ["http://x:{SECRET["badway"]}@127.0.0.1:1"]'),
    }  # fmt: skip


def handshake(program: Program, alpn: str) -> bytes:
    """All that comes of offering `alpn`, as it is on the wire."""
    context = ssl.create_default_context(cafile=certificate()[0])
    context.set_alpn_protocols([alpn])
    came, going = ssl.MemoryBIO(), ssl.MemoryBIO()
    side = context.wrap_bio(came, going, server_hostname="cal.example.com")
    heard = b""
    with place_of(program).connect(bare=True) as connection:
        while True:
            try:
                side.do_handshake()
                break
            except ssl.SSLWantReadError:
                connection.sendall(going.read())
                part = connection.recv(65536)
                heard += part
                came.write(part) if part else came.write_eof()
            except ssl.SSLError:
                # Refused, which is an answer too.
                break
    assert heard
    return heard


def watch(program: Program, out: dict[str, bytes]) -> None:
    """Looks at the status page in each of its views, and sends its form in every way, the one that is heard last."""

    def ask(what: str, target: str, more: str = "", method: str = "GET", body: str = "", host: str = "127.0.0.1") -> str:
        more += f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n" if method == "POST" else ""
        text = f"{method} {target} HTTP/1.1\r\nHost: {host}:{program.admin_port}\r\nConnection: close\r\n{more}\r\n{body}"
        with Place(program.admin_port).connect() as connection:
            connection.sendall(text.encode())
            reply = Reading(connection).reply(of_head=method == "HEAD")
        out[f"{method} {what}, {reply.status}: head and body"] = reply.head + reply.body
        return (reply.head + reply.body).decode()

    def send(what: str, fields: dict[str, str], more: str = "", host: str = "127.0.0.1") -> str:
        return ask(f"a form {what}", "/accept", more, "POST", urllib.parse.urlencode(fields), host)

    queries = ["", "?state=quarantined", "?state=troubled", "?page=2", "?page=2&feeds=2", f"?state={SECRET['query']}&done={SECRET['query']}"]
    for query in [*queries, *(f"?done={done}" for done in ("accepted", "changed", "busy", "failed"))]:
        for language in ("en", "zh-CN"):
            page = ask(f"the status page {query} in {language}", f"/{query}", f"Accept-Language: {language}\r\n")
            assert 'name="proof"' in page or query not in ("", "?state=quarantined")
    forms = [dict(re.findall(r'name="(\w+)" value="([^"]*)"', form)) for form in re.findall("<form.*?</form>", ask("the status page", "/"), re.DOTALL)]
    (good,) = [form for form in forms if form["source"] == "aside"]
    secret = {name: SECRET["query"] for name in good}
    ask("where forms go", "/accept")
    ask("the status page", "/", method="HEAD")
    ask("the status page", "/", method="POST", body=urllib.parse.urlencode(secret))
    send("of nothing", {})
    send("of secrets", secret)
    send("that is too long", good | {"back": SECRET["query"] * 1000})
    send("whose proof is of another", good | {"proof": good["copy"]})
    send("of another site", good, "Sec-Fetch-Site: cross-site\r\n")
    send("at a stranger's name", good, host=f"{SECRET['address']}.example")
    assert "done=accepted" in send("that is heard", good | {"back": f"?state={SECRET['query']}&lang=zh-CN"})
    assert "done=changed" in send("that comes again", good)


def test_no_secret_comes_out_whatever_goes_wrong(leaky, upstream, report):
    folder, text, sources, path = leaky
    program = Program(text, environment=TRACE | {"SECRET_URL": os.environ["SECRET_URL"]}, state=folder / "state", server={"wrong_tokens_per_minute": 10}, tls=True)
    out: dict[str, bytes] = {}

    def command(line: str) -> subprocess.CompletedProcess:
        done = subprocess.run([PROGRAM, *line.split(), "--config", program.config], capture_output=True, timeout=120, env=program.environment)
        out[f"calferry {line}, standard error"] = done.stderr
        out[f"calferry {line}, standard output"] = done.stdout
        return done

    def settled() -> bool:
        return all(one["state"] == "fresh" or one["trouble"] for one in map(program.source, sources))

    try:
        paths = {name: list(program.every_path(name).values()) for name in sources}
        tokens = {one.strip("/").removesuffix(".ics") for each in paths.values() for one in each} - {SECRET["token"]}
        assert len(tokens) == len(sources)
        place, good = place_of(program), program.every_path("good")
        served(program, good["phone"], "good")
        for name in ("quarantined", "aside"):
            served(program, program.every_path(name)["phone"], name)
        eventually("a verdict on every source", settled, 60)
        # Most events of two are gone at the next fetch.
        program.stop()
        program.age_copies()
        for name in ("quarantined", "aside"):
            upstream.on(f"/{name}{path}", calendar(name, 1))
        program.start()
        eventually("kept aside", lambda: all(program.source(name)["quarantine"] for name in ("quarantined", "aside")), 60)
        eventually("a verdict on every source", settled, 60)
        reasons = {name: (program.source(name)["trouble"] or {}).get("reason") for name in sources}
        for name in sources:
            (door,) = [one for one in paths[name] if SECRET["token"] not in one]
            for method, target in (("GET", door), ("GET", door[:-4] + "/health"), ("HEAD", door), ("POST", door), ("GET", door + "/x"), ("GET", f"/x{door}"), ("GET", f"{door}?{SECRET['query']}")):
                with place.connect() as connection:
                    connection.sendall(request(target, program.port, "", method, "close"))
                    reply = Reading(connection).reply(of_head=method == "HEAD")
                out[f"{method} {name} {target.replace(door[:-4], '…')}: head"] = reply.head
                out[f"{method} {name} {target.replace(door[:-4], '…')}: body"] = reply.text() if reply.body else b""
        assert get(place, good["kept"]).status == 200
        probe = program.probe_path()
        for method, target in (("GET", probe), ("HEAD", probe), ("POST", probe), ("GET", probe + "/x"), ("GET", f"{probe}?{SECRET['query']}"), ("GET", f"/{SECRET['token']}/probe")):
            with place.connect() as connection:
                connection.sendall(request(target, program.port, "", method, "close"))
                reply = Reading(connection).reply(of_head=method == "HEAD")
            assert (reply.status == 200) == (method != "POST" and target.partition("?")[0] == probe), target
            out[f"{method} the probe, {len(out)}: head and body"] = reply.head + reply.body
        for alpn in ("acme-tls/1", "http/1.1"):
            out[f"a handshake for {alpn}"] = handshake(program, alpn)
        for target in ("/metrics", "/status.json", "/healthz", "/nothing", f"/{SECRET['token']}.ics"):
            out[f"admin {target.replace(SECRET['token'], '…')}"] = admin(program.admin_port, target)
        watch(program, out)
        for line in CLI:
            command(line)
        for what, bad in bad_settings(text, folder).items():
            refusals = program.said().count("settings are refused")
            program.reload(bad)
            eventually(f"refused: {what}", lambda refusals=refusals: program.said().count("settings are refused") > refusals)
            assert command("check").returncode == 1, what
            out[f"check of {what}"] = out.pop("calferry check, standard error") + out.pop("calferry check, standard output")
            out[f"fetch of {what}"] = command("fetch good").stderr
        program.reload(text)
        eventually("as before", lambda: program.said().rstrip().count("settings are in force"))
        program.stop()
        # The copies are there, and nothing that leads to where they come from.
        for file in sorted(program.state.iterdir()):
            out[f"state file {file.name}"] = file.read_bytes()
        database = program.state / "calferry.db"
        for damage in (lambda whole: whole[:5000], lambda whole: b"x" * 100 + whole[100:], lambda whole: whole[:4096] + os.urandom(len(whole) - 4096)):
            whole = database.read_bytes()
            database.write_bytes(damage(whole))
            program.start(wait=False)
            eventually("an end or a start", lambda: not program.alive() or program.listens(), 30)
            program.stop()
            command("check")
            out[f"check of a damaged store {len(out)}"] = out["calferry check, standard error"]
            database.write_bytes(whole)
    finally:
        program.stop()
    out["log"] = program.said().encode()
    # What is said only on request is there: this is of more than ten wrong tokens.
    assert b"DEBUG calferry" in out["log"] and b"panicked" not in out["log"]
    secrets = SECRET | {f"token {at}": token for at, token in enumerate(sorted(tokens))} | {"the probe's token": probe.split("/")[1]}
    secrets |= {f"line {at} of the key": line for at, line in enumerate(pathlib.Path(certificate()[1]).read_text().splitlines()) if len(line) > 40}
    leaks = []
    for place_name, data in out.items():
        for secret_name, secret in secrets.items():
            for form in spelt(secret) if secret_name in SECRET else [secret.encode()]:
                if (where := data.find(form)) >= 0:
                    leaks.append(f"{place_name} shows {secret_name}: {data[max(0, where - 120) : where + 60]!r}")
                    break
    assert not leaks, "\n".join(leaks)
    assert {"proxy_auth", "proxy_refused", "proxy_unreachable", "tls", "dns", "connect", "not_http", "denied", "redirects", "private_address"} <= set(reasons.values()), reasons
    report(f"{len(secrets)} secrets, {len(out)} places, {sum(map(len, out.values())) / 1e6:.1f} MB searched, errors: {', '.join(sorted(filter(None, set(reasons.values()))))}")


def test_the_search_finds_a_secret_in_each_of_its_forms():
    """The control."""
    secret = SECRET["password"]
    for text in (secret, secret.encode().hex(), *(base64.b64encode(f"{user}:{secret}".encode()).decode() for user in ("", "a", "ab", "abc"))):
        assert any(form in text.encode() for form in spelt(secret)), text
