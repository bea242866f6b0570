"""Texts that want out of the value they stand in, and what must become of them."""

import random
import unicodedata

PIECES = [
    "\r", "\n", "\r\n", "\n\n", "\r\r\n", "\n ", "\r\n\t", "\u2028", "\u2029", "\u0085", "\0", "\x1b", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x7f",
    "\x9f", "\t", " ", "  ", "\u00a0", "\u3000", "\ufeff", "\u200b", "\u202e", "\\", "\\\\", "\\n", "\\N", "\\;", "\\,", "\\:", "\\r", ";", ",", ":", '"',
    "'", "^n", "^'", "^^", "=", "%0D%0A", "&#10;", "{", "}", "{summary}", "{{", "}}", "$1", "${0}", "$$", "#", "日程", "é", "e\u0301", "🏠", "👩‍💻",
    "\U0010ffff", "\ufffd", "\ufffe", "BEGIN:VEVENT", "END:VEVENT", "END:VCALENDAR", "BEGIN:VCALENDAR", "BEGIN:VALARM", "END:VALARM", "METHOD:CANCEL",
    "X-EVIL:1", "UID:evil", "SUMMARY:evil", "ATTENDEE:mailto:evil@example.com", "DTSTART:19700101T000000Z", "RRULE:FREQ=DAILY", ";VALUE=URI:",
    ";ENCODING=BASE64:", "https://evil.example/?a=b;c,d", "<b>", "a", "b", "word", "0",
]
LINE_BREAKS = ["\r\nBEGIN:VEVENT\r\n", "\nEND:VEVENT\nEND:VCALENDAR\n", "\rX-EVIL:1\r", "\u2028X-EVIL:1", "\u0085END:VEVENT\u0085", "\\nEND:VEVENT", "\x0bX-EVIL:1"]


def text(chance: random.Random) -> str:
    kind = chance.random()
    if kind < 0.1:
        return chance.choice(LINE_BREAKS)
    if kind < 0.2:
        # Any characters there are, surrogates aside: those are none.
        ranges = [(0, 0x100), (0, 0xD800), (0xE000, 0x110000)]
        return "".join(chr(chance.randrange(*chance.choice(ranges))) for _ in range(chance.randrange(1, 12)))
    if kind < 0.2005:
        return chance.choice(PIECES) * chance.randrange(1_000, 20_000)
    found = "".join(chance.choices(PIECES, k=chance.randrange(1, 9)))
    # Folds are at 75 bytes: what matters may stand right there.
    return "x" * chance.randrange(50, 80) + found if kind < 0.4 else found


def is_control(char: str) -> bool:
    return unicodedata.category(char) == "Cc"


def cleaned(text: str) -> str:
    """What must come of a text as a property's value: every line end is a line break, and other controls are gone."""
    for end in ("\r\n", "\r", "\u2028", "\u2029", "\u0085"):
        text = text.replace(end, "\n")
    return "".join(char for char in text if char in "\n\t" or not is_control(char))


def cleaned_address(text: str) -> str:
    """What must come of it as an address: there is no white space in it, and no control."""
    return "".join(char for char in text if not is_control(char) and not char.isspace())


def escaped(text: str) -> str:
    """As upstream writes a text (RFC 5545 §3.3.11). Only LF ends a line: all else stands as it is."""
    for char in "\\;,":
        text = text.replace(char, f"\\{char}")
    return text.replace("\n", "\\n")
