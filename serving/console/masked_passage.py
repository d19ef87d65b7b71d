"""A text cut into pieces that a page can show safely: plain, hidden or shown spans, and control characters.

Pure; it knows no page. Offsets are code points. A hidden piece carries only its length, so no page can leak
what it stands for. Characters that would reorder or hide what follows (bidirectional overrides, zero width,
NUL) are named instead of obeyed: they are a way to deceive a reader.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["plain", "hidden", "shown", "control"]
# C0 and C1 but tab and line feed, soft hyphen, bidi marks and overrides and isolates, zero width, BOM.
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
)


@dataclass(frozen=True, slots=True)
class Piece:
    """One run of a text: `text` is empty for a hidden one, a name such as `U+202E` for a control."""

    kind: Kind
    text: str
    chars: int

    def to_json(self) -> dict[str, str | int]:
        """Return the shape the page's module reads."""
        return {"kind": self.kind, "text": self.text, "chars": self.chars}


def pieces(text: str, spans: Sequence[tuple[int, int]], *, hidden: bool) -> list[Piece]:
    """Cut `text` at `spans` (code points, end exclusive, overlaps merged) and hide or mark them."""
    out: list[Piece] = []
    at = 0
    for start, end in merge(spans, len(text)):
        out += _readable(text[at:start], "plain")
        out += [Piece("hidden", "", end - start)] if hidden else _readable(text[start:end], "shown")
        at = end
    return out + _readable(text[at:], "plain")


def merge(spans: Sequence[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    """Return the spans sorted, cut to the text, without overlap and without empty ones."""
    out: list[tuple[int, int]] = []
    for raw_start, raw_end in sorted(spans):
        start, end = max(0, raw_start), min(length, raw_end)
        if start >= end:
            continue
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return out


def _readable(text: str, kind: Kind) -> list[Piece]:
    out: list[Piece] = []
    at = 0
    text = text.replace("\r\n", "\n")
    for match in _CONTROLS.finditer(text):
        if match.start() > at:
            out.append(Piece(kind, text[at : match.start()], match.start() - at))
        out.append(Piece("control", f"U+{ord(match.group()):04X}", 1))
        at = match.end()
    if at < len(text):
        out.append(Piece(kind, text[at:], len(text) - at))
    return out
