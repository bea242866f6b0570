"""Forms that are rare, and that some program or other does write: each in the smallest calendar that shows it."""

import pytest

import mending
import reading

# RFC 5545 §3.1 lets a fold stand anywhere, even in a name; old Mozilla calendars fold before every colon.
# In all of these DTSTAMP is later than the last revision, unless the name says otherwise.
EVENT = {
    "a fold in a value": b"SUMMARY:one\r\n  two",
    "a fold that begins with a tab": b"SUMMARY:one\r\n\ttwo",
    "a fold with nothing in it": b"SUMMARY:one\r\n \r\n two",
    "a fold before the colon": b"SUMMARY\r\n :one",
    "a fold in a name": b"SUMM\r\n ARY:one",
    "a fold in a quoted parameter": b'ATTENDEE;CN="Li: \r\n Wei";X=1:mailto:a@example.com',
    "a parameter with a colon in quotes": b'ATTENDEE;CN="Li: Wei":mailto:a@example.com',
    "a stamp": b"DTSTAMP:20261122T070312Z\r\nCREATED:20260101T000000Z",
    "a stamp with a parameter": b"DTSTAMP;X-A=1:20261122T070312Z\r\nCREATED:20260101T000000Z",
    "a stamp in small letters": b"dtstamp:20261122T070312Z\r\ncreated:20260101T000000Z",
    "a stamp behind an inner component": b"CREATED:20260101T000000Z\r\nBEGIN:VALARM\r\nACTION:DISPLAY\r\nEND:VALARM\r\nDTSTAMP:20261122T070312Z",
    "a stamp and a revision that is not of this component":
        b"DTSTAMP:20261122T070312Z\r\nBEGIN:VALARM\r\nLAST-MODIFIED:20260101T000000Z\r\nEND:VALARM",
    "a stamp earlier than the revision": b"DTSTAMP:20260101T000000Z\r\nLAST-MODIFIED:20261122T070312Z",
    "a stamp and a revision without a time": b"DTSTAMP:20261122T070312Z\r\nLAST-MODIFIED:20260101\r\nCREATED:20250101T000000Z",
    "a folded stamp": b"DTSTAMP:20261122T07\r\n 0312Z\r\nCREATED:20260101T000000Z",
    "a folded stamp with a parameter": b"DTSTAMP;VALUE=DATE-TIME:20261122T07\r\n 0312Z\r\nCREATED:20260101T000000Z",
    "a folded stamp earlier than the revision": b"DTSTAMP:20260101T00\r\n 0000Z\r\nCREATED:20261122T070312Z",
    "a stamp with a fold with nothing in it": b"DTSTAMP:20260101T000000Z\r\n \r\nCREATED:20261122T070312Z",
    "a stamp folded before the colon": b"DTSTAMP\r\n :20261122T070312Z\r\nCREATED:20260101T000000Z",
    "a stamp and a folded revision": b"DTSTAMP:20261122T070312Z\r\nLAST-MODIFIED:2026\r\n 0202T000000Z\r\nCREATED:20260101T000000Z",
    "a stamp and a revision folded before the colon":
        b"DTSTAMP:20261122T070312Z\r\nLAST-MODIFIED\r\n :20260202T000000Z\r\nCREATED:20260101T000000Z",
    "a METHOD that is not the calendar's": b"METHOD:PUBLISH",
    "a character cut after its first byte": b"SUMMARY:\xf0\r\n \x9f\x9a\x80 x",
    "a character cut after its second byte": b"SUMMARY:\xf0\x9f\r\n \x9a\x80 x",
    "a character cut after its third byte": b"SUMMARY:\xf0\x9f\x9a\r\n \x80 x",
    "a character cut in a long text": b"SUMMARY:" + "日程😀".encode() * 20 + b"\xe4\xb8\r\n \xad" + "文é".encode() * 40,
    "a character cut in a line with LF": b"SUMMARY:\xe4\xb8\n \xad\nLOCATION:x",
    "a byte that is not UTF-8 among many lines that are": b"SUMMARY:\xff\r\nLOCATION:\xe4\xb8\xad\r\nCOMMENT:\xe4\xb8\xad",
    "a Unicode line separator": "SUMMARY:one\u2028two\u0085three".encode(),
    "a control character": b"SUMMARY:one\x0b\x0c\x1ctwo",
    "a CR alone": b"SUMMARY:one\rtwo",
    "two CRs before an LF": b"SUMMARY:one\r\r\nLOCATION:two",
    "blank lines": b"SUMMARY:one\r\n\r\n\n\r\nLOCATION:two",
    "a line without a colon": b"SUMMARY:one\r\nhello world\r\n again\r\nLOCATION:two",
    "a line with a colon in quotes alone": b'SUMMARY;CN="a:b\r\nLOCATION:two',
    "an empty value": b"SUMMARY:\r\nLOCATION;X=:",
    "a component of its own": b"BEGIN:X-THING\r\nX-A:1\r\nEND:x-thing",
    "a long component name": b"BEGIN:X-" + b"A" * 200 + b"\r\nX-A:1\r\nEND:X-" + b"A" * 200,
    "a name with an underscore": b"X-A_B:1\r\nSUMMARY:x",
    "a stamp in a line with a cut character": b"DTSTAMP;X-A=\xe4\xb8\r\n \xad:20261122T070312Z\r\nCREATED:20260101T000000Z",
    "a stamp that is a date": b"DTSTAMP;VALUE=DATE:20261122\r\nCREATED:20260101T000000Z",
    "a stamp in local time": b"DTSTAMP;TZID=Asia/Shanghai:20261122T150312\r\nCREATED:20260101T000000Z",
    "a name with a full stop": b"X.A:1\r\nSUMMARY:x",
    "empty lines between all lines of a folded text": b"SUMMARY:one\r\n\r\n\r\n two\r\n\r\nLOCATION:three",
    "a blank line and a fold that make a content line": b"SUMMARY:one\r\n\r\n X-A:1",
    "more lines that are not UTF-8 than lines that are and stay": b"SUMMARY:\xff\r\n\xe6\x97\xa5",
}


def in_event(body: bytes) -> bytes:
    return b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\n" + body + b"\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"


def stamped(component: bytes) -> bytes:
    body = b"DTSTAMP:20261122T070312Z\r\nLAST-MODIFIED:20260101T000000Z\r\n"
    return b"BEGIN:VCALENDAR\r\nBEGIN:" + component + b"\r\n" + body + b"END:" + component + b"\r\nEND:VCALENDAR\r\n"


PLAIN = in_event(b"SUMMARY:x")
CALENDAR = {
    "a byte order mark": reading.BYTE_ORDER_MARK + PLAIN,
    "a byte order mark and blank lines": reading.BYTE_ORDER_MARK + b"\r\n \n\n" + PLAIN,
    "LF alone": PLAIN.replace(b"\r\n", b"\n"),
    "two CRs before every LF": PLAIN.replace(b"\r\n", b"\r\r\n"),
    "two CRs before the LF of a line with a cut character": PLAIN.replace(b"SUMMARY:x\r\n", b"SUMMARY:\xe4\xb8\r\n \xad\r\r\n"),
    "no line end at the end": PLAIN.removesuffix(b"\r\n"),
    "half a line end at the end": PLAIN.removesuffix(b"\n"),
    "blank lines at the end": PLAIN + b"\r\n\n \r\n",
    "text behind the calendar": PLAIN + b"X-A:1\r\n<html>\r\n",
    "two calendars with text between": PLAIN + b"X-A:1\r\n" + PLAIN,
    "BEGIN and END in small letters": PLAIN.replace(b"BEGIN:VEVENT", b"begin:vevent").replace(b"END:VEVENT", b"end:Vevent"),
    "a METHOD": PLAIN.replace(b"VERSION", b"METHOD:PUBLISH\r\nVERSION"),
    "a METHOD in small letters with a parameter": PLAIN.replace(b"VERSION", b"method;x=1:REQUEST\r\nVERSION"),
    "a METHOD behind the events": PLAIN.replace(b"END:VCAL", b"METHOD:PUBLISH\r\nEND:VCAL"),
    "a METHOD folded before the colon": PLAIN.replace(b"VERSION", b"METHOD\r\n :PUBLISH\r\nVERSION"),
    "a METHOD folded in its value": PLAIN.replace(b"VERSION", b"METHOD:PUB\r\n LISH\r\nVERSION"),
    "a METHOD folded in its name": PLAIN.replace(b"VERSION", b"MET\r\n HOD:PUBLISH\r\nVERSION"),
    "a component name folded": PLAIN.replace(b"BEGIN:VEVENT", b"BEGIN:VEV\r\n ENT"),
    "a BEGIN folded in its name": PLAIN.replace(b"BEGIN:VEVENT", b"BEG\r\n IN:VEVENT"),
    "a BEGIN and an END folded in their names":
        PLAIN.replace(b"BEGIN:VEVENT", b"BEG\r\n IN:VEVENT").replace(b"END:VEVENT", b"E\r\n ND:VEVENT"),
    "spaces behind BEGIN:VCALENDAR": PLAIN.replace(b"VCALENDAR\r\nVER", b"VCALENDAR  \r\nVER"),
    "a fold with nothing in it behind BEGIN:VCALENDAR": PLAIN.replace(b"VCALENDAR\r\nVER", b"VCALENDAR\r\n \r\nVER"),
    "spaces behind END:VCALENDAR": PLAIN.replace(b"END:VCALENDAR", b"END:VCALENDAR  "),
    "END:VCALENDAR in small letters": PLAIN.replace(b"END:VCALENDAR", b"end:vcalendar"),
    "a stamped VTODO": stamped(b"VTODO"),
    "a stamped VJOURNAL": stamped(b"VJOURNAL"),
    "a stamped VFREEBUSY": stamped(b"VFREEBUSY"),
    "a stamped VTIMEZONE": stamped(b"VTIMEZONE"),
    "a stamped component of its own": stamped(b"X-THING"),
    "components eight deep": b"BEGIN:VCALENDAR\r\n" + b"BEGIN:X\r\n" * 7 + b"END:X\r\n" * 7 + b"END:VCALENDAR\r\n",
    "components nine deep": b"BEGIN:VCALENDAR\r\n" + b"BEGIN:X\r\n" * 8 + b"END:X\r\n" * 8 + b"END:VCALENDAR\r\n",
    "a line of a mebibyte": in_event(b"SUMMARY:" + b"x" * ((1 << 20) - 8)),
    "a line beyond a mebibyte": in_event(b"SUMMARY:" + b"x" * (1 << 20)),
    "a line of a mebibyte with LF in its folds": in_event(b"SUMMARY:x" + b"\n y" * 349_000),
    "a NUL near the beginning": PLAIN.replace(b"VERSION:2.0", b"VERSION:2.0\0"),
    "a NUL that comes nearer to the beginning": b"\r\n" * 32 + PLAIN.replace(b"VERSION:2.0", b"VERSION:2.0\0"),
    "a calendar in a calendar": b"BEGIN:VCALENDAR\r\n" + PLAIN + b"END:VCALENDAR\r\n",
    "an event outside the calendar": PLAIN + b"BEGIN:VEVENT\r\nEND:VEVENT\r\n",
    "an END without a BEGIN": PLAIN.replace(b"END:VEVENT", b"END:VEVENT\r\nEND:VEVENT"),
    "an end inside the event": PLAIN.partition(b"END:VEVENT")[0],
    "a beginning in small letters": PLAIN.replace(b"BEGIN:VCALENDAR", b"begin:vcalendar"),
    "text before the calendar": b"hello\r\n" + PLAIN,
    "nothing": b"",
    "blank lines alone": b"\r\n\r\n",
    "UTF-16": PLAIN.decode().encode("utf-16"),
    "UTF-16 without its mark": PLAIN.decode().encode("utf-16-le"),
    "Latin-1": in_event("SUMMARY:Grün\r\nLOCATION:Köln".encode("latin-1")),
}
FORMS = {name: in_event(body) for name, body in EVENT.items()} | CALENDAR

# Forms known to come out wrong. Each must fail: mending calferry ends in taking its line out here.
KNOWN: dict[str, str] = {}


def form(name: str, text: bytes):
    marks = [pytest.mark.xfail(strict=True, raises=AssertionError, reason=KNOWN[name])] if name in KNOWN else []
    return pytest.param(text, id=name, marks=marks)


@pytest.mark.parametrize("text", [form(*item) for item in FORMS.items()])
def test_a_rare_form_is_served_as_it_came_or_refused_for_a_reason(text):
    mending.assert_served_right(text)
