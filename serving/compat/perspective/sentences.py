"""Sentences: where those of a comment lie, as Perspective gave its spans, and offsets as its clients count them.

A sentence ends at a full stop, a question or exclamation mark (and the quotation marks after it) before a blank, or
at the end of a line. No dictionary of abbreviations: a span cut too early is still scored. Knows nothing of scores.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

MAX_SPANS = 64
"""Each span is scored by itself: where there are more sentences, neighbours are joined, and nothing is left out."""

_END = re.compile(r"(?<![.!?\u2026\u3002])[.!?\u2026\u3002]++[\"')\]\u2019\u201d]*+(?=\s)|\n")


def sentences(text: str) -> list[tuple[int, int]]:
    """Return the sentences of a text that is not blank, in order, [start, end) in code points without blanks around."""
    found = list(_sentences(text))
    share, more = divmod(len(found), MAX_SPANS)
    if not share or (share == 1 and not more):
        return found
    joined, first = [], 0
    for number in range(MAX_SPANS):
        last = first + share + (number < more) - 1
        joined.append((found[first][0], found[last][1]))
        first = last + 1
    return joined


def utf16(text: str, offset: int) -> int:
    """Return how many UTF-16 code units the first `offset` code points take; the text has no lone surrogates."""
    return len(text[:offset].encode("utf-16-le")) // 2


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for end in (*(match.end() for match in _END.finditer(text)), len(text)):
        part = text[start:end]
        if part and not part.isspace():
            yield start + len(part) - len(part.lstrip()), start + len(part.rstrip())
        start = end
