"""Another reading of iCalendar text, made from RFC 5545 §3.1 and not from calferry's code.

Everything is on bytes: nothing is decoded before it is unfolded. It is written to be plain, not fast.
"""

import re
from dataclasses import dataclass

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
BLANK = b" \t\r\n\f"

# A name, parameters in which quotes are balanced, and a colon outside them. Names with `_` and `.` are written too,
# against the grammar.
CONTENT_LINE = re.compile(rb'([A-Za-z0-9._-]+)((?:;(?:[^":]|"[^"]*")*)?):')

EMPTY_BEFORE_FOLD = re.compile(rb"\n\r*\n[ \t]")

# What calferry says it takes at most, by what it counts.
CAPS = {"bytes": 64 << 20, "lines": 3_000_000, "bytes in one line": 1 << 20, "components inside one another": 8,
        "components": 400_000, "properties in one component": 20_000}


@dataclass
class Line:
    """One logical line: the physical lines it stands on, without their line ends."""

    number: int
    pieces: list[bytes]

    @property
    def unfolded(self) -> bytes:
        first, *folds = self.pieces
        return first + b"".join(fold[1:] for fold in folds)

    @property
    def folded(self) -> bytes:
        """As it stands, but with every line end CRLF."""
        return b"".join(piece + b"\r\n" for piece in self.pieces)

    @property
    def is_blank(self) -> bool:
        return not self.unfolded.strip(BLANK)

    @property
    def name(self) -> bytes:
        """The property's name in capitals; empty if this is no content line."""
        match = CONTENT_LINE.match(self.unfolded)
        return match[1].upper() if match else b""

    @property
    def head(self) -> bytes:
        """Name, parameters and colon."""
        return CONTENT_LINE.match(self.unfolded)[0]

    @property
    def value(self) -> bytes:
        return self.unfolded[len(self.head):]

    @property
    def component(self) -> bytes:
        """The component that a BEGIN or END names, in capitals."""
        return self.value.strip(BLANK).upper()

    @property
    def cuts_a_character(self) -> bool:
        """A fold stands inside a UTF-8 character."""
        return is_utf8(self.unfolded) and not all(map(is_utf8, self.pieces))


def is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def lines(text: bytes) -> list[Line]:
    """The logical lines of `text` from `BEGIN:VCALENDAR` on, whether lines end with CRLF, LF, or CR CR LF.

    An empty line before a fold is passed over: what is folded goes on with what was before.
    """
    text = text.removeprefix(BYTE_ORDER_MARK)
    body = text.lstrip(BLANK)
    number = text[: len(text) - len(body)].count(b"\n")
    *physical, last = re.split(rb"\r*\n", body)
    # Text may end without a line end, or with half of one.
    physical += [last.rstrip(b"\r")] if last else []
    found: list[Line] = []
    for number, piece in enumerate(physical, number + 1):
        behind_empty_line = bool(found) and found[-1].pieces == [b""]
        if found and piece[:1] in (b" ", b"\t") and (piece.strip(BLANK) or not behind_empty_line):
            while found[-1].pieces == [b""] and len(found) > 1:
                found.pop()
            found[-1].pieces.append(piece)
        else:
            found.append(Line(number, [piece]))
    return found


def content_lines(text: bytes) -> list[Line]:
    """The lines that belong to a calendar: no blank ones, none that are no content line, none outside VCALENDAR."""
    found = []
    depth = 0
    for line in lines(text):
        depth += line.name == b"BEGIN"
        if line.name and depth:
            found.append(line)
        depth -= line.name == b"END"
    return found


def for_readers(text: bytes) -> bytes:
    """`text` as readers can take it that decode before they unfold, or stop at a line that is no content line.

    A calendar that has nothing of the kind comes back as it is.
    """
    found = content_lines(text)
    if any(line.cuts_a_character for line in found):
        return b"".join(line.unfolded + b"\r\n" for line in found)
    if len(found) < sum(not line.is_blank for line in lines(text)) or EMPTY_BEFORE_FOLD.search(text):
        return b"".join(line.folded for line in found)
    return text


def reasons_to_refuse(text: bytes) -> set[str]:
    """Every reason not to take `text` for a whole calendar, in the words calferry uses for it."""
    found = lines(text)
    reasons = set()
    if not found or found[0].unfolded.rstrip(BLANK) != b"BEGIN:VCALENDAR":
        reasons.add("it does not begin with BEGIN:VCALENDAR")
    if text[:2] in (b"\xff\xfe", b"\xfe\xff", b"B\0", b"\0B"):  # UTF-16, with or without its mark
        reasons.add("its text is not UTF-8")
    beyond_ascii = [line.unfolded for line in content_lines(text) if not line.unfolded.isascii()]
    if sum(not is_utf8(line) for line in beyond_ascii) * 2 > len(beyond_ascii):
        reasons.add("its text is not UTF-8")
    return reasons | reasons_in_structure(text, found)


def reasons_in_structure(text: bytes, found: list[Line]) -> set[str]:
    reasons = set()
    open_components: list[bytes] = []
    properties = [0]
    counts = dict.fromkeys(CAPS, 0)
    counts |= {"bytes": len(text), "lines": len(found)}
    for line in found:
        counts["bytes in one line"] = max(counts["bytes in one line"], len(line.folded) - len(b"\r\n"))
        if line.name == b"BEGIN":
            if (line.component == b"VCALENDAR") != (not open_components):
                reasons.add("BEGIN and END do not match")
            open_components.append(line.component)
            properties.append(0)
            counts["components"] += 1
            depth = "components inside one another"
            counts[depth] = max(counts[depth], len(open_components))
        elif line.name == b"END":
            if not open_components or open_components.pop() != line.component:
                reasons.add("BEGIN and END do not match")
                break
            properties.pop()
        elif line.name and open_components:
            properties[-1] += 1
            counts["properties in one component"] = max(counts["properties in one component"], properties[-1])
    if open_components:
        reasons.add("as if it had been cut off")
    return reasons | {f"it has more than {cap} {what}" for what, cap in CAPS.items() if counts[what] > cap}
