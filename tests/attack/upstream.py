"""The upstream: a server whose every answer is in the test's hands."""

import datetime
import http.server
import threading

# Within any window of time that a feed may have.
SOON = (datetime.date.today() + datetime.timedelta(days=10)).strftime("%Y%m%d")
HEAD = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//attack//attack//EN\r\n"


def calendar(canary: str, events: int = 3, more: str = "", padding: str = "") -> bytes:
    """A proper calendar that shows by `canary` whose it is; `more` are properties of the calendar itself."""
    each = (
        f"BEGIN:VEVENT\r\nUID:{at}@{canary}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:{SOON}T{at % 24:02}0000Z\r\n"
        f"SUMMARY:{canary} {at}\r\n{padding}END:VEVENT\r\n"
        for at in range(events)
    )
    return f"{HEAD}{more}{''.join(each)}END:VCALENDAR\r\n".encode()


class Upstream:
    def __init__(self):
        self.acts, self.hits = {}, {}
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.hits[self.path] = outer.hits.get(self.path, 0) + 1
                try:
                    outer.acts[self.path](self)
                except (OSError, KeyError):
                    self.close_connection = True

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def address(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server.server_port}{path}"

    def on(self, path: str, body: bytes, **headers: str) -> str:
        """Answers `path` with `body`, and gives its address."""

        def act(handler):
            handler.send_response(200)
            handler.send_header("Content-Type", "text/calendar; charset=utf-8")
            for name, value in headers.items():
                handler.send_header(name.replace("_", "-"), value)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

        return self.act(path, act)

    def act(self, path: str, act) -> str:
        self.acts[path] = act
        return self.address(path)

    def stream(self, path: str, pieces, status: int = 200, **headers: str) -> str:
        """Answers with the bytes that `pieces()` gives, until the other side has had enough."""

        def act(handler):
            handler.close_connection = True
            handler.send_response(status)
            for name, value in headers.items():
                handler.send_header(name.replace("_", "-"), value)
            handler.end_headers()
            for piece in pieces():
                handler.wfile.write(piece)
                handler.wfile.flush()

        return self.act(path, act)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def settings(sources: dict[str, str], more: str = "") -> str:
    """A feed for every source, of the same name."""
    text = "[fetch]\nallow_private = true\nrefresh = \"1m\"\n" + more
    for name, address in sources.items():
        text += f'\n[source.{name}]\nurl = "{address}"\n[feed.{name}]\nsources = ["{name}"]\n'
    return text
