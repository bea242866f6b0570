"""Requests that two readers could read in two ways. The defences: hyper's parser, and in `http::front` `is_well_framed`
and `is_other_method`, `http::answer` that ends the connection with both; the sizes in `http::server`.

Each message is sent with another request right behind it, as a body or as the next request. Nothing of what stands behind
a message that is refused may ever be answered."""

import pytest

from client import Ended, Reading, request

# What is smuggled asks for the one answer with this text in it.
SMUGGLED = b"GET /robots.txt HTTP/1.1\r\nHost: a\r\n\r\n"
ANSWER = b"Disallow"


def get(*lines: bytes, version: bytes = b"1.1", path: bytes = b"/healthz", method: bytes = b"GET") -> bytes:
    return b"\r\n".join([method + b" " + path + b" HTTP/" + version, *lines, b"", b""])


H = b"Host: a"
TE = b"Transfer-Encoding: chunked"
BODY = b"0\r\n\r\n"

# Refused: an answer of 4xx, then the end, and nothing of what follows.
REFUSED = {
    "CL and TE": get(H, b"Content-Length: 5", TE) + BODY,
    "TE and CL": get(H, TE, b"Content-Length: 5") + BODY,
    "a body by length": get(H, b"Content-Length: 5") + b"GET /",
    "a body that is a request": get(H, b"Content-Length: %d" % len(SMUGGLED)),
    "a body in chunks": get(H, TE) + b"5\r\nGET /\r\n0\r\n\r\n",
    "a body in no chunks": get(H, TE) + BODY,
    "chunk extensions": get(H, TE) + b"5;a=b\r\nGET /\r\n0\r\n\r\n",
    "a chunk extension with a line feed": get(H, TE) + b"5;\nGET /\r\n0\r\n\r\n",
    "trailers": get(H, TE, b"Trailer: X") + b"0\r\nX: y\r\n\r\n",
    "a chunk size that is negative": get(H, TE) + b"-1\r\n\r\n",
    "a chunk size that overflows": get(H, TE) + b"fffffffffffffffff\r\n\r\n",
    "a chunk without its end": get(H, TE) + b"5\r\nGET /0\r\n\r\n",
    "TE twice": get(H, TE, TE) + BODY,
    "TE identity": get(H, b"Transfer-Encoding: identity") + BODY,
    "TE of another name": get(H, b"Transfer-Encoding: xchunked") + BODY,
    "TE gzip, chunked": get(H, b"Transfer-Encoding: gzip, chunked") + BODY,
    "TE chunked, identity": get(H, b"Transfer-Encoding: chunked, identity") + BODY,
    "TE with a tab": get(H, b"Transfer-Encoding:\tchunked") + BODY,
    "TE with a vertical tab": get(H, b"Transfer-Encoding: \x0bchunked") + BODY,
    "TE in quotes": get(H, b'Transfer-Encoding: "chunked"') + BODY,
    "TE that is empty": get(H, b"Transfer-Encoding: ") + BODY,
    "TE in another case": get(H, b"tRANSFER-eNCODING: cHUNKED") + BODY,
    "TE in HTTP/1.0": get(H, TE, version=b"1.0") + BODY,
    "TE with a space before the colon": get(H, b"Transfer-Encoding : chunked") + BODY,
    "TE on a folded line": get(H, b"Transfer-Encoding:\r\n chunked") + BODY,
    "TE behind a bare carriage return": get(H, b"X: y\rTransfer-Encoding: chunked") + BODY,
    "TE behind a NUL": get(H, b"X: y\0Transfer-Encoding: chunked") + BODY,
    "CL twice, different": get(H, b"Content-Length: 5", b"Content-Length: 0") + b"GET /",
    "CL twice, the same": get(H, b"Content-Length: 5", b"Content-Length: 5") + b"GET /",
    "CL of two values": get(H, b"Content-Length: 5, 5") + b"GET /",
    "CL with a sign": get(H, b"Content-Length: +5") + b"GET /",
    "CL negative": get(H, b"Content-Length: -5") + b"GET /",
    "CL in hexadecimal": get(H, b"Content-Length: 0x5") + b"GET /",
    "CL that overflows": get(H, b"Content-Length: 18446744073709551617") + b"G",
    "CL that is empty": get(H, b"Content-Length: ") + b"GET /",
    "CL with a space inside": get(H, b"Content-Length: 1 0"),
    "CL with a space before the colon": get(H, b"Content-Length : 5") + b"GET /",
    "a header with no name": get(H, b": x"),
    "a header with no colon": get(H, b"X"),
    "a header name with a space": get(H, b"X Y: z"),
    "a header name with a control": get(H, b"X\x01Y: z"),
    "a header name beyond ASCII": get(H, "X-\u00e9: z".encode()),
    "a folded header": get(H, b"X: y", b" z"),
    "a space before the first header": get(b" " + H),
    "a bare carriage return in a value": get(H, b"X: y\rz"),
    "a NUL in a value": get(H, b"X: y\0z"),
    "a bare carriage return in the target": get(H, path=b"/a\rb"),
    "a NUL in the target": get(H, path=b"/a\0b"),
    "a space in the target": get(H, path=b"/a b"),
    "no Host": get(b"X: y"),
    "two Hosts": get(H, b"Host: b"),
    "two equal Hosts": get(H, H),
    "an empty Host": get(b"Host: "),
    "Host with userinfo": get(b"Host: x@a"),
    "Host with a path": get(b"Host: a/b"),
    "Host with a space": get(b"Host: a b"),
    "an absolute target of another host": get(H, path=b"http://b/healthz"),
    "an absolute target of another port": get(H, path=b"http://a:81/healthz"),
    "an absolute target with no Host": get(path=b"http://a/healthz"),
    "an absolute target with userinfo": get(H, path=b"http://x@a/healthz"),
    "an authority as the target": get(H, path=b"a:80"),
    "CONNECT": get(b"Host: a:80", path=b"a:80", method=b"CONNECT"),
    "CONNECT to a path": get(H, method=b"CONNECT"),
    "OPTIONS *": get(H, path=b"*", method=b"OPTIONS"),
    "TRACE": get(H, method=b"TRACE"),
    "a lower case method": get(H, method=b"get"),
    "a method of our own": get(H, method=b"X" * 30),
    "POST": get(H, b"Content-Length: 5", method=b"POST") + b"GET /",
    "POST in chunks": get(H, TE, method=b"POST") + b"5\r\nGET /\r\n0\r\n\r\n",
    "POST with CL and TE": get(H, TE, b"Content-Length: 5", method=b"POST") + BODY,
    "PUT that expects 100": get(H, b"Content-Length: 5", b"Expect: 100-continue", method=b"PUT"),
    "GET that expects 100": get(H, b"Content-Length: 5", b"Expect: 100-continue"),
    "PRI": get(H, path=b"*", method=b"PRI", version=b"2.0"),
    "HTTP/0.9": b"GET /healthz\r\n",
    "HTTP/1.2": get(H, version=b"1.2"),
    "HTTP/2.0 in words": get(H, version=b"2.0"),
    "HTTP/1.1 with a space behind": b"GET /healthz HTTP/1.1 \r\nHost: a\r\n\r\n",
    "http in lower case": b"GET /healthz http/1.1\r\nHost: a\r\n\r\n",
    "two spaces before the target": b"GET  /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    "a target that is no path": get(H, path=b"healthz"),
    "a backslash as the target": get(H, path=b"\\healthz"),
    "a target of 70 kB": get(H, path=b"/" + b"a" * 70_000),
    "a header of 20 kB": get(H, b"X: " + b"y" * 20_000),
    "a header of 500 kB": get(H, b"X: " + b"y" * 500_000),
    "a header name of 70 kB": get(H, b"X" * 70_000 + b": y"),
    "101 headers": get(H, *(b"X-%d: y" % at for at in range(101))),
    "65 headers": get(H, *(b"X-%d: y" % at for at in range(64))),
    "TLS in clear text": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 60 + b"\r\n\r\n",
    "only line ends": b"\r\n" * 20_000,
}

# Read in one way only: the answer's status, and why it does no harm that the next request on the connection is answered.
HARMLESS = {
    "a length of nothing": (get(H, b"Content-Length: 0"), 200, "no body, in every reader's eyes"),
    "bare line feeds": (b"GET /healthz HTTP/1.1\nHost: a\n\n", 200, "RFC 9112 2.2 lets a server read them; with no body, they hide nothing"),
    "an empty line first": (b"\r\n" + get(H), 200, "RFC 9112 2.2 asks for it"),
    "an absolute target of the same host": (get(H, path=b"http://a/healthz"), 200, "RFC 9112 3.2.2 asks for it"),
    "HTTP/1.0 that keeps the connection": (get(H, b"Connection: keep-alive", version=b"1.0"), 200, "no body"),
    "an upgrade to HTTP/2": (get(H, b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"), 200, "not taken up"),
    "an upgrade to a web socket": (get(H, b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", b"Sec-WebSocket-Version: 13"), 200, "not taken up"),
    "headers that proxies write": (get(H, b"X-Forwarded-Host: evil", b"X-Original-URL: /robots.txt", b"X-Rewrite-URL: /robots.txt", b"X-HTTP-Method-Override: POST"), 200, "not read"),
    "a connection header that names Host": (get(H, b"Connection: Host"), 200, "nothing is passed on"),
}

# What may follow or not, but never be read otherwise than as a request of its own.
EITHER = {
    "HTTP/1.0 without Host": get(version=b"1.0"),
    "GET *": get(H, path=b"*"),
    "Host of 3 kB": get(b"Host: " + b"a" * 3000),
    "a value beyond ASCII": get(H, b"X: \xff\xfe"),
    "a target beyond ASCII": get(H, path="/\u00e9".encode()),
    "a fragment in the target": get(H, path=b"/healthz#x"),
    "dots in the target": get(H, path=b"/x/../healthz"),
    "dots in the target, encoded": get(H, path=b"/%2e%2e/healthz"),
    "a slash twice": get(H, path=b"//healthz"),
    "a NUL in the target, encoded": get(H, path=b"/healthz%00"),
    "a query": get(H, path=b"/healthz?x=y"),
}


def answers(target, message: bytes) -> list[tuple[int, bytes]]:
    """All answers to `message` with a request behind it, until the connection ends or has been quiet."""
    found = []
    with target.place.connect(seconds=15) as connection:
        reading = Reading(connection)
        try:
            connection.sendall(message + SMUGGLED)
        except OSError:
            pass
        try:
            while True:
                reply = reading.reply(of_head=message.startswith(b"HEAD"))
                found.append((reply.status, reply.body))
                if ANSWER in reply.body:
                    return found
        except (Ended, ConnectionError):
            return found
        except TimeoutError:
            return [*found, (0, b"still open")]


@pytest.mark.parametrize("name", REFUSED)
def test_a_request_that_can_be_read_in_two_ways_ends_its_connection(target, name):
    """Takes hold on: hyper's parser, `is_well_framed`, `is_other_method`, HEAD_MAX, HEADERS_MAX."""
    found = answers(target, REFUSED[name])
    assert not any(ANSWER in body for _, body in found), "what was smuggled in was answered"
    assert len(found) <= 1 and all(400 <= status < 500 for status, _ in found), found


@pytest.mark.parametrize("name", HARMLESS)
def test_a_request_that_is_odd_and_clear_is_answered_and_so_is_the_next(target, name):
    message, status, why = HARMLESS[name]
    found = answers(target, message)
    assert [one for one, _ in found][:1] == [status], why
    assert len(found) <= 2


@pytest.mark.parametrize("name", EITHER)
def test_a_strange_target_is_never_read_as_two_requests(target, name):
    found = answers(target, EITHER[name])
    assert len(found) <= 2 and all(status for status, _ in found), found


def test_a_hundred_requests_sent_at_once_have_a_hundred_answers_in_order(target):
    paths = ["/healthz", target.small, "/robots.txt", "/no-such-token.ics"]
    with target.place.connect() as connection:
        reading = Reading(connection)
        connection.sendall(b"".join(request(paths[at % 4], target.place.port) for at in range(100)))
        for at in range(100):
            reply = reading.reply()
            expected = [b"ok", b"small canary", ANSWER, b"Not found"][at % 4]
            assert expected in reply.text(), f"answer {at} is another's: {reply.head!r}"


def test_what_a_client_says_of_the_host_changes_nothing_of_a_calendar(target):
    """Takes hold on: a body depends on the token alone."""
    said = ["X-Forwarded-Host: evil", "X-Forwarded-Proto: http", "X-Original-URL: /healthz", "Forwarded: host=evil", "Range: bytes=0-9",
            "Accept: text/html", "Accept-Charset: utf-7", "Origin: null", "Cookie: a=b", "X-HTTP-Method-Override: DELETE", "Via: 1.1 evil"]
    for line in said:
        with target.place.connect() as connection:
            connection.sendall(request(target.small, target.place.port, f"{line}\r\n", connection="close"))
            reply = Reading(connection).reply()
        assert reply.status == 200 and reply.text() == target.body, line
        assert b"evil" not in reply.head
