"""The marker: which words of a text are evidence for a head, by the model's own output and no word list.

The network gives every word piece the log-odds that it is part of the harm (`evidence`). A word is marked as a whole
when one of its pieces reaches the head's edge in any window that contains it; marked words with only blanks and
punctuation between them become one span. All offsets are code points of the text as sent, so a span covers a disguise
too. Knows neither scores nor policies.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from prefilter.models.text.windows import Window

JOIN_CHARS = 4
"""Blanks and punctuation between two marked words of one span, at most."""
MAX_SPANS = 256
"""Spans of one head; where there are more, the nearest are joined: nothing marked is ever left out."""
IN_WORD = frozenset("'\u2019*_@$#-")
"""Signs inside words: apostrophes, hyphens and what replaces letters."""


@dataclass(frozen=True, slots=True)
class Span:
    """Characters [start, end) of the text as sent and the highest log-odds in them."""

    start: int
    end: int
    log_odds: float

    @property
    def strength(self) -> float:
        """The sigmoid of the log-odds: how strong the evidence is, not a calibrated probability."""
        grown = math.exp(-abs(self.log_odds))
        return 1 / (1 + grown) if self.log_odds >= 0 else grown / (1 + grown)


@dataclass(frozen=True, slots=True)
class _Words:
    """A window's words: the first piece of each, and the spans [words, 2] in the text as sent."""

    firsts: NDArray[np.int64]
    spans: NDArray[np.int64]


class Marker:
    """The evidence on one text: `evidence` holds float32 [text pieces, heads] for every window of `cut`."""

    def __init__(self, text: str, cut: Sequence[Window], evidence: Sequence[NDArray[np.float32]]) -> None:
        self._text = text
        self._cut = cut
        self._evidence = evidence
        self._found: dict[int, _Words] = {}

    def spans(self, head: int, *, edge: float, deciding: int) -> list[Span]:
        """The spans of one head, in order, apart from each other; at least one where the text has a word.

        Where no word reaches `edge`, the strongest words of the window numbered `deciding` are it.
        """
        marked = [
            span
            for number, log_odds in enumerate(self._evidence)
            if len(log_odds) and log_odds[:, head].max() >= edge
            for span in self._marked(number, head, edge)
        ]
        return self._joined(marked or self._strongest(deciding, head))

    def _marked(self, number: int, head: int, edge: float) -> list[Span]:
        words = self._words(number)
        log_odds = np.maximum.reduceat(self._evidence[number][:, head], words.firsts)
        return self._spans(words, log_odds, np.flatnonzero(log_odds >= edge))

    def _strongest(self, number: int, head: int) -> list[Span]:
        if not len(self._evidence[number]):
            return []
        words = self._words(number)
        log_odds = np.maximum.reduceat(self._evidence[number][:, head], words.firsts)
        found = self._spans(words, log_odds, np.arange(len(log_odds)))
        best = max((span.log_odds for span in found), default=0.0)
        return [span for span in found if span.log_odds == best]

    def _spans(self, words: _Words, log_odds: NDArray[np.float32], chosen: NDArray[np.int64]) -> list[Span]:
        """The chosen words as spans, without blanks around them; a mere punctuation mark is none."""
        found = []
        for index in chosen.tolist():
            start, end = _trimmed(self._text, *words.spans[index].tolist())
            if any(map(_is_written, self._text[start:end])):
                found.append(Span(start, end, float(log_odds[index])))
        return found

    def _words(self, number: int) -> _Words:
        if number not in self._found:
            self._found[number] = _words(self._text, self._cut[number])
        return self._found[number]

    def _joined(self, spans: list[Span]) -> list[Span]:
        """United where they overlap, touch or are parted by blanks and punctuation alone, MAX_SPANS at most."""
        apart: list[Span] = []
        for span in sorted(spans, key=lambda s: (s.start, s.end)):
            if apart and self._near(apart[-1].end, span.start):
                apart[-1] = _united(apart[-1], span)
            else:
                apart.append(span)
        if len(apart) <= MAX_SPANS:
            return apart
        gaps = np.array([after.start - before.end for before, after in pairwise(apart)])
        kept = set((np.argsort(-gaps, kind="stable")[: MAX_SPANS - 1] + 1).tolist())
        fewer = apart[:1]
        for index, span in enumerate(apart[1:], start=1):
            if index in kept:
                fewer.append(span)
            else:
                fewer[-1] = _united(fewer[-1], span)
        return fewer

    def _near(self, end: int, start: int) -> bool:
        return start <= end or (start - end <= JOIN_CHARS and all(map(_separates, self._text[end:start])))


def _words(text: str, window: Window) -> _Words:
    """The words of a window: the tokenizer's, joined where a sign inside words holds them together."""
    begins = window.begins.copy()
    begins[0] = True
    pieces = window.pieces
    for index in np.flatnonzero(begins[1:]).tolist():
        before, after = pieces[index].tolist(), pieces[index + 1].tolist()
        if before[1] == after[0] and _holds(text[before[0] : before[1]], text[after[0] : after[1]]):
            begins[index + 1] = False
    firsts = np.flatnonzero(begins)
    spans = np.stack([pieces[firsts, 0], np.maximum.reduceat(pieces[:, 1], firsts)], axis=1)
    return _Words(firsts, spans)


def _holds(before: str, after: str) -> bool:
    """Whether two neighbours that touch are one word: each is a sign inside words or letters and digits."""
    signs = [all(c in IN_WORD for c in part) for part in (before, after)]
    return any(signs) and all(
        sign or part.isalnum() for sign, part in zip(signs, (before, after), strict=True)
    )


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and _blank(text[start]):
        start += 1
    while start < end and _blank(text[end - 1]):
        end -= 1
    return start, end


def _blank(character: str) -> bool:
    """White space, and what cannot be seen at all."""
    return character.isspace() or unicodedata.category(character) in ("Cc", "Cf")


def _separates(character: str) -> bool:
    """Whether a character may be between two words of one span."""
    return _blank(character) or unicodedata.category(character)[0] == "P"


def _is_written(character: str) -> bool:
    """Whether a character is part of what is written: letters, digits, signs and emoji are, punctuation is not."""
    return not _separates(character)


def _united(first: Span, second: Span) -> Span:
    return Span(first.start, max(first.end, second.end), max(first.log_odds, second.log_odds))
