"""A calendar to look at, the upstream that has it, and the program that serves it."""

import datetime
import http.server
import json
import os
import pathlib
import subprocess
import tempfile
import threading
import urllib.request

from browser import answers, free_port
from waiting import eventually

EVIL = "</title></script><script>window.hurt=1</script><img src=//evil.example/x onerror=window.hurt=1>\" onclick=\"window.hurt=1"
NAME = "林伟 · Work"


def calendar() -> bytes:
    # The clocks of the test's browser are Shanghai's.
    today = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=8)).date()

    def day(later: int) -> str:
        return f"{today + datetime.timedelta(later):%Y%m%d}"

    zoned, whole = "DTSTART;TZID=Asia/Shanghai:", "DTSTART;VALUE=DATE:"
    events = [
        f"SUMMARY:Stand-up|{zoned}{day(-20)}T093000|DURATION:PT15M|RRULE:FREQ=DAILY|LOCATION:https://us02web.zoom.us/j/8123?pwd=abc|"
        "DESCRIPTION:Short round.\\nEverybody says what is next.",
        f"SUMMARY:设计评审|{zoned}{day(0)}T150000|DURATION:PT1H|LOCATION:上海市静安区南京西路 1266 号 12 楼|"
        "DESCRIPTION:会议链接 https://meeting.tencent.com/dm/AbCdEfGh",
        f"SUMMARY:Trip to Hangzhou|{whole}{day(1)}|DTEND;VALUE=DATE:{day(4)}|LOCATION:Hangzhou",
        f"SUMMARY:Dinner|{zoned}{day(2)}T190000|DURATION:PT2H30M|URL:https://example.com/menu|LOCATION:Lost Heaven\\, 38 Gaoyou Rd",
        f"SUMMARY:Dentist|{zoned}{day(5)}T083000|DURATION:PT45M|STATUS:CANCELLED",
        f"SUMMARY:Night train|{zoned}{day(6)}T214500|DURATION:PT9H35M",
        f"SUMMARY:{'long' * 40}|{zoned}{day(7)}T100000|LOCATION:{'where' * 40}|DESCRIPTION:{'what' * 200}",
        f"SUMMARY:{EVIL}|LOCATION:{EVIL}|DESCRIPTION:{EVIL}|URL:javascript:window.hurt=1|{zoned}{day(3)}T120000|X-GOOGLE-CONFERENCE:javascript:window.hurt=1",
    ]
    body = [f"BEGIN:VEVENT\nUID:{number}\n{event}\nEND:VEVENT\n".replace("|", "\n") for number, event in enumerate(events)]
    head = f"VERSION:2.0\nPRODID:-//test//EN\nX-WR-CALNAME:{NAME}\nX-WR-TIMEZONE:Asia/Shanghai\nX-APPLE-CALENDAR-COLOR:#0B8043\n"
    return f"BEGIN:VCALENDAR\n{head}{''.join(body)}END:VCALENDAR\n".replace("\n", "\r\n").encode()


class Upstream(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        text = calendar()
        self.send_response(200)
        self.send_header("Content-Type", "text/calendar; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_) -> None:
        pass


class World:
    """The program with one feed. `page` is the page's address, `url` the one that is shown on it."""

    def __init__(self) -> None:
        self.upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
        threading.Thread(target=self.upstream.serve_forever, daemon=True).start()
        self.folder = tempfile.TemporaryDirectory()
        port, admin, source = free_port(), free_port(), self.upstream.server_address[1]
        settings = pathlib.Path(self.folder.name, "calferry.toml")
        settings.write_text(
            f'state_dir = "{self.folder.name}/state"\npublic_url = "https://cal.example.com"\n'
            f'[server]\nlisten = "127.0.0.1:{port}"\nadmin_listen = "127.0.0.1:{admin}"\ntoken_requests_per_minute = 100000\n'
            f'[fetch]\nallow_private = true\nports = [{source}]\n[source.work]\nurl = "http://127.0.0.1:{source}/a.ics"\n'
            '[feed.me]\nsources = ["work"]\ndevices = ["phone"]\n', "utf-8")
        program = os.environ["CALFERRY_BIN"]
        self.program = subprocess.Popen([program, "--log", "error", "serve", "--config", settings])
        eventually("the program", lambda: answers(port) and answers(admin))

        def has_copy() -> bool:
            with urllib.request.urlopen(f"http://127.0.0.1:{admin}/status.json", timeout=10) as answer:
                return bool(json.load(answer)["sources"]["work"]["events"])

        eventually("the first copy", has_copy)
        asked = subprocess.run([program, "url", "me", "--device", "phone", "--config", settings], capture_output=True, check=True)
        self.url = asked.stdout.decode().strip()
        self.origin = f"http://127.0.0.1:{port}"
        self.page = self.url.replace("https://cal.example.com", self.origin).removesuffix(".ics")

    def end(self) -> None:
        self.program.terminate()
        self.program.wait()
        self.upstream.shutdown()
        self.folder.cleanup()
