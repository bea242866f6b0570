"""Calendars to look at, the upstream that has them, and the program that serves them."""

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
# For what may have a hundred letters.
EVIL_RULE = "</style><script>window.hurt=1</script><img src=x onerror=window.hurt=1>"
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


def shrinking(answered: int) -> bytes:
    """A calendar of which all but two events are gone after the first answer."""
    event = "BEGIN:VEVENT\nUID:{0}\nDTSTART:20991224T{0:02}0000Z\nSUMMARY:{0}\nEND:VEVENT\n"
    body = "".join(event.format(number) for number in range(2 if answered else 20))
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\n{body}END:VCALENDAR\n".replace("\n", "\r\n").encode()


class Upstream(http.server.BaseHTTPRequestHandler):
    shrinking_answers = 0

    def do_GET(self) -> None:
        if self.path == "/shrinking.ics":
            text = shrinking(Upstream.shrinking_answers)
            Upstream.shrinking_answers += 1
        else:
            text = calendar()
        self.send_response(200)
        self.send_header("Content-Type", "text/calendar; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_) -> None:
        pass


class World:
    """The program. `page` is the address of a feed's page, `url` the one that is shown on it, `status` that of the
    private page, where one source is well, one cannot be reached, and the next answer of the third is set aside.
    """

    def __init__(self) -> None:
        self.upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
        threading.Thread(target=self.upstream.serve_forever, daemon=True).start()
        self.folder = tempfile.TemporaryDirectory()
        port, admin, source = free_port(), free_port(), self.upstream.server_address[1]
        settings = pathlib.Path(self.folder.name, "calferry.toml")
        settings.write_text(
            f'state_dir = "{self.folder.name}/state"\npublic_url = "https://cal.example.com"\n'
            f'[server]\nlisten = "127.0.0.1:{port}"\nadmin_listen = "127.0.0.1:{admin}"\ntoken_requests_per_minute = 100000\n'
            f'[fetch]\nallow_private = true\nports = [{source}, 9]\n[source.work]\nurl = "http://127.0.0.1:{source}/a.ics"\n'
            f'[source.family]\nurl = "http://127.0.0.1:{source}/shrinking.ics"\nrefresh = "1m"\n'
            '[source.gone-since-monday-and-with-a-long-name]\nurl = "http://127.0.0.1:9/basic.ics"\n'
            '[feed.me]\nsources = ["work"]\ndevices = ["phone"]\n'
            '[feed.home]\nsources = ["family", "gone-since-monday-and-with-a-long-name"]\ndevices = ["tablet", "fridge"]\n'
            f'[[feed.home.rule]]\nname = {json.dumps(EVIL_RULE)}\nwhen = {{ summary = "nothing" }}\ndrop = true\n'
            '[[feed.home.rule]]\nname = "one less"\nwhen = { summary = "^1$" }\ndrop = true\n', "utf-8")
        program = os.environ["CALFERRY_BIN"]
        self.program = subprocess.Popen([program, "--log", "error", "serve", "--config", settings])

        def listens() -> bool:
            assert self.program.poll() is None, "the program has ended"
            return answers(port) and answers(admin)

        eventually("the program", listens)

        self.status = f"http://127.0.0.1:{admin}"
        eventually("the first copy", lambda: self.sources()["work"]["events"])
        self.origin = f"http://127.0.0.1:{port}"

        def url(feed: str, device: str) -> str:
            asked = subprocess.run([program, "url", feed, "--device", device, "--config", settings], capture_output=True, check=True)
            return asked.stdout.decode().strip()

        def here(url: str) -> str:
            return url.replace("https://cal.example.com", self.origin)

        self.url = url("me", "phone")
        self.page = here(self.url).removesuffix(".ics")
        # Rules and devices have something to tell once somebody has asked.
        phone = urllib.request.Request(here(url("home", "tablet")), headers={"User-Agent": "iOS/18.0 (22A3354) dataaccessd/1.0"})
        with urllib.request.urlopen(phone, timeout=30) as answer:
            assert answer.status == 200

    def sources(self) -> dict:
        """What is known of every source."""
        with urllib.request.urlopen(f"{self.status}/status.json", timeout=10) as answer:
            return json.load(answer)["sources"]

    def end(self) -> None:
        self.program.terminate()
        self.program.wait()
        self.upstream.shutdown()
        self.folder.cleanup()
