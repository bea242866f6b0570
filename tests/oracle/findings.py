"""What a run found, told at its end; and what is known to be wrong."""

from collections import Counter

TALLY: Counter[str] = Counter()
REMARKS: list[str] = []

# What is known to come out wrong, by test and the end of its case. Each must fail: mending calferry ends in taking its
# line out here.
KNOWN: dict[tuple[str, str], str] = {}
