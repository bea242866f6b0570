"""What may come out of calferry differently from how it went in, and nothing else.

A byte order mark and blank lines before the calendar, line ends, folds that cut a character, METHOD, DTSTAMPs later
than the last revision, blank lines, lines that are no content line, and text outside VCALENDAR.
"""

import re
from dataclasses import dataclass

import reading
from program import publish
from reading import Line

# Components whose DTSTAMP tells when they were last revised, once METHOD is gone (RFC 5545 §3.8.7.2).
STAMPED = {b"VEVENT", b"VTODO", b"VJOURNAL", b"VFREEBUSY"}
UTC_TIME = re.compile(rb"\d{8}T\d{6}Z")
# Parameters that a time in UTC cannot have (RFC 5545 §3.2.19, §3.3.5).
NOT_UTC = re.compile(rb"(?i);(?:TZID=|VALUE=DATE[;:])")
FOLD_AT = 75


@dataclass
class Expected:
    """A line that must come out."""

    line: Line
    unfolded: bytes
    # With its folds; None where the line had to be folded anew.
    folded: bytes | None


def mended(text: bytes) -> list[Expected]:
    """The lines that must come out for the calendar `text`, in order."""
    expected: list[Expected] = []
    open_components: list[tuple[bytes, dict[bytes, Expected]]] = []
    for line in reading.content_lines(text):
        if line.name == b"METHOD" and len(open_components) == 1:
            continue
        kept = Expected(line, line.unfolded, None if line.cuts_a_character else line.folded)
        expected.append(kept)
        if line.name == b"BEGIN":
            open_components.append((line.component, {}))
        elif line.name == b"END":
            component, properties = open_components.pop()
            if component in STAMPED:
                mend_stamp(properties)
        else:
            open_components[-1][1].setdefault(line.name, kept)
    return expected


def mend_stamp(properties: dict[bytes, Expected]) -> None:
    """Gives a component whose DTSTAMP is later than its last revision that revision's time."""
    stamp = properties.get(b"DTSTAMP")
    times = (properties[name].line.value for name in (b"LAST-MODIFIED", b"CREATED") if name in properties)
    revised = next(filter(UTC_TIME.fullmatch, times), None)
    if stamp is None or revised is None:
        return
    # A DTSTAMP must be in UTC; one that is not cannot be compared.
    if not UTC_TIME.fullmatch(stamp.line.value) or stamp.line.value > revised:
        head = stamp.line.head
        # Parameters that speak of the old time go with it.
        stamp.unfolded = (head.split(b";")[0] + b":" if NOT_UTC.search(head) else head) + revised
        stamp.folded = stamp.unfolded + b"\r\n" if len(stamp.line.pieces) == 1 else None


def differences(before: bytes, after: bytes) -> list[str]:
    """Where `after` is not what `before` must come out as; each says the line and what is wrong with it."""
    expected = mended(before)
    found = reading.lines(after)
    wrong = []
    for want, got in zip(expected, found):
        where = f"line {want.line.number} in, line {got.number} out"
        if got.unfolded != want.unfolded:
            # All behind a line too many or too few would differ as well.
            return [*wrong, f"{where}: {got.unfolded!r} came out, not {want.unfolded!r}"]
        if want.folded is not None and got.folded != want.folded:
            wrong.append(f"{where}: folded as {got.folded!r}, not {want.folded!r}")
        if want.folded is None and max(map(len, got.pieces)) > FOLD_AT:
            wrong.append(f"{where}: folded anew, beyond {FOLD_AT} octets: {got.folded!r}")
    wrong += [f"line {want.line.number} in: {want.unfolded!r} is gone" for want in expected[len(found):]]
    wrong += [f"line {got.number} out: {got.unfolded!r} came from nowhere" for got in found[len(expected):]]
    return wrong


def faults_of_form(after: bytes) -> list[str]:
    """What a strict reader would mind in published text."""
    faults = []
    # Blanks behind it and its small letters are the calendar's own, and stay.
    if not re.match(rb"BEGIN:VCALENDAR[ \t]*\r\n", after):
        faults.append(f"begins with {after[:32]!r}")
    if not re.search(rb"(?i)\r\nEND:VCALENDAR[ \t]*\r\n\Z", after):
        faults.append(f"ends with {after[-32:]!r}")
    if loose := re.search(rb"(?<!\r)\n", after):
        faults.append(f"a line end at byte {loose.start()} is not CRLF")
    for line in reading.lines(after):
        if line.cuts_a_character:
            faults.append(f"a fold of line {line.number} cuts a character")
        if line.name == b"DTSTAMP" and UTC_TIME.fullmatch(line.value) and NOT_UTC.search(line.head):
            faults.append(f"a parameter of line {line.number} contradicts its value: {line.unfolded!r}")
    return faults


def assert_served_right(text: bytes) -> bool:
    """All that must be true of what calferry makes of `text`; says whether it took it."""
    published = publish(text)
    reasons = reading.reasons_to_refuse(text)
    assert published.code in (0, 1), published.errors
    if published.code == 1:
        assert published.text == b""
        assert len(published.errors.splitlines()) == 1, published.errors
        told = f"{published.errors.strip()} (found here: {reasons or 'nothing'})"
        assert any(reason in published.errors for reason in reasons), told
        return False
    assert published.errors == ""
    assert not reasons, f"taken, in spite of: {reasons}"
    wrong = differences(text, published.text) + faults_of_form(published.text)
    assert not wrong, "\n".join(wrong)
    again = publish(published.text)
    assert again.code == 0, again.errors
    assert again.text == published.text, "published again, it is not the same"
    return True
