"""What the TLS listener lets itself be talked into. The defence: rustls, and what `tls` asks of it."""

import re
import socket
import ssl
import subprocess

import pytest

from client import get
from program import FULL


@pytest.fixture
def listening(target):
    if not target.place.pem:
        pytest.skip("clear text")
    return target


def test_nothing_weaker_than_tls_1_2_with_authenticated_ciphers_is_spoken(listening, report):
    said = subprocess.check_output(["sslscan", "--no-colour", "--no-check-certificate", f"127.0.0.1:{listening.place.port}"], text=True, timeout=120)
    for old in ("SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1"):
        assert re.search(rf"^{re.escape(old)}\s+disabled", said, re.MULTILINE), said
    accepted = re.findall(r"^(?:Accepted|Preferred)\s+(TLSv1\.[0-9])\s+\d+ bits\s+(\S+)", said, re.MULTILINE)
    assert accepted and all(version in ("TLSv1.2", "TLSv1.3") for version, _ in accepted), accepted
    assert all(re.search("GCM|CHACHA20", cipher) for _, cipher in accepted), accepted
    assert all(version == "TLSv1.3" or cipher.startswith("ECDHE") for version, cipher in accepted), "no forward secrecy"
    # Where the tool itself was built without compression it says so instead.
    assert "Compression enabled" not in said and "vulnerable to heartbleed" not in said.replace("not vulnerable to heartbleed", "")
    report(", ".join(f"{version} {cipher}" for version, cipher in accepted))


@pytest.mark.skipif(not FULL, reason="only in full mode: takes a minute")
def test_testssl_finds_no_weakness(listening, report):
    place = f"127.0.0.1:{listening.place.port}"
    command = ["testssl", "--quiet", "--color", "0", "-p", "-s", "-f", "-U", "--nodns", "none", "--warnings", "batch", place]
    said = subprocess.run(command, capture_output=True, text=True, timeout=500).stdout
    bad = [line for line in said.splitlines() if re.search(r"\bVULNERABLE\b|\(NOT ok\)|NOT ok", line) and "not vulnerable" not in line]
    assert not bad, bad
    report(f"{said.count('not vulnerable (OK)')} times not vulnerable")


def test_garbage_instead_of_a_handshake_ends_the_connection(listening):
    for garbage in (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\0" * 65535, b"\x80\x2e\x01\0\x02", b"\0" * 5000, b"\x15\x03\x03\0\x02\x02\x28"):
        with listening.place.connect(bare=True) as connection:
            try:
                connection.sendall(garbage)
                heard = b""
                while got := connection.recv(1 << 16):
                    heard += got
            except ConnectionError:
                continue
            assert len(heard) < 200 and not heard.startswith(b"HTTP/")


def test_a_handshake_with_what_is_obsolete_fails(listening):
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = context.maximum_version = version
        context.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.raises(OSError), socket.create_connection(("127.0.0.1", listening.place.port), 10) as plain:
            context.wrap_socket(plain).close()
    assert get(listening.place, listening.small).status == 200
