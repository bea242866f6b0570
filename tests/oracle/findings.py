"""What a run found, told at its end; and what is known to be wrong."""

from collections import Counter

TALLY: Counter[str] = Counter()
REMARKS: list[str] = []

# Calendars known to come out wrong, by test. Each must fail: mending calferry ends in taking its line out here.
KNOWN: dict[tuple[str, str], str] = {}
