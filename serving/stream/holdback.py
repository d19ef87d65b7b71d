"""Holdback: how much of a text that is still being written may go out.

A word, an emoji (a grapheme cluster) and an escape go out whole or not at all. Of a text that is allowed so far, all
goes out that no later change can make part of a refusal, and `max_unsafe_chars` more. What can still change is the
last window the model reads: it begins where the one before was cut, and grows until it is cut itself. A stream is cut
because of a window, so at most `max_unsafe_chars` characters of the refused window have ever gone out, whatever the
model does. A refusal is final only when its window is whole, since half a sentence often scores worse than the whole
one; nothing goes out meanwhile. Pure: no model, no clock, no policy. Positions are code points, ranges half-open.
"""

from __future__ import annotations

from dataclasses import dataclass

import regex

MAX_WORD_CHARS = 64
"""A longer word (an address, an encoded file) leaves in parts, between clusters and escapes."""
LONGEST_CLUSTER_CHARS = 4_096
_CLUSTER = regex.compile(r"\X")
_UNFINISHED = regex.compile(
    r"(?:&#?[0-9A-Za-z]{0,31}|\\(?:x[0-9A-Fa-f]{0,1}|u[0-9A-Fa-f]{0,3}|u\{[0-9A-Fa-f]{0,6}|U[0-9A-Fa-f]{0,7})?"
    r"|%[0-9A-Fa-f]?)\Z"
)


def boundary(text: str, end: int, *, after: int = 0) -> int:
    """Return the last place up to `end` where `text` can be parted, never before `after`.

    Before white space, else (in a word over MAX_WORD_CHARS) between grapheme clusters and outside an escape. The
    last cluster of a text may still grow and is not parted from what follows it.
    """
    end = min(end, len(text))
    lowest = max(after, end - MAX_WORD_CHARS)
    for place in range(min(end, len(text) - 1), lowest, -1):
        if text[place].isspace():
            return place
    if lowest == after:
        return after
    base = max(after, end - LONGEST_CLUSTER_CHARS)
    found = base
    for cluster in _CLUSTER.finditer(text, base):
        if cluster.end() > end or cluster.end() == len(text):
            break
        found = cluster.end()
    unfinished = _UNFINISHED.search(text, base, found)
    return max(after, unfinished.start() if unfinished is not None else found)


Piece = tuple[str, int]
"""What a refusal waits for: a kind (windows, or text that cannot be read) and its number."""


@dataclass(slots=True)
class Holdback:
    """One text's state: `released` characters are out; what may still change began at `open_start` when it was last
    allowed; and with which open piece doubt began, None where there is none."""

    max_unsafe_chars: int
    released: int = 0
    open_start: int = 0
    doubted: Piece | None = None

    def allowed(self, text: str, checked: int, *, open_start: int, whole: bool) -> str:
        """The first `checked` characters are allowed: return what goes out now.

        `open_start`: where the first window begins that may still change. `whole`: nothing follows.
        """
        self.open_start, self.doubted = open_start, None
        if whole:
            return self._release(text, checked)
        limit = min(checked, open_start + self.max_unsafe_chars)
        return self._release(text, max(self.released, boundary(text, limit, after=self.released)))

    def everything(self, text: str) -> str:
        """Nothing is held back: return what has not gone out yet."""
        return self._release(text, len(text))

    def refused(self, piece: Piece, *, whole: bool) -> bool:
        """What was read is not allowed: say whether that is final.

        `piece`: what is open now. It is final when nothing follows, or when the piece that was open when doubt began
        is open no more.
        """
        if self.doubted is None or self.doubted[0] != piece[0]:
            self.doubted = piece
        return whole or piece[1] > self.doubted[1]

    def unsafe_chars(self, reopened: int | None = None) -> int:
        """How much of what could cause a refusal has gone out: a window that was closed when the text was last
        allowed cannot, unless it was `reopened`, from this place on."""
        start = self.open_start if reopened is None else min(self.open_start, reopened)
        return max(0, self.released - start)

    def _release(self, text: str, end: int) -> str:
        out = text[self.released : end]
        self.released = end
        return out
