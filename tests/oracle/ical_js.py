"""Reading with ical.js, in one process of node for all calendars."""

import base64
import json
import os
import pathlib
import subprocess

READERS = pathlib.Path(os.environ["CALFERRY_ORACLE"])


def read(texts: dict[str, bytes]) -> dict[str, dict]:
    """For each text what ical.js makes of it: a `calendar` in its JSON form, or an `error`."""
    script = pathlib.Path(__file__).with_name("ical_js.mjs")
    done = subprocess.run(
        ["node", script, READERS / "node"],
        input=json.dumps([(key, base64.b64encode(text).decode()) for key, text in texts.items()]),
        capture_output=True, text=True, timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
