"""Normalisation: a text as the model reads it, checked, cleaned of disguises, with a map back to the text as sent.

`check_text` tells whether a value is a text; `normalise` undoes what hides words from a tokenizer (entities, invisible
characters, look-alike letters, spelled-out words, digits for letters) and keeps, for every character it leaves, the
code point it came from. Case is left to the tokenizer. A step that finds nothing costs one search, and plain ASCII text
skips the Unicode steps; both ways give the same text (tested). Every step is linear in the length of the text. Knows
nothing of tokens, languages or harm.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prefilter.models.text import lookalikes
from prefilter.models.text.lookalikes import Edit
from prefilter.models.text.triggers import BLANKS, triggers

MAX_CHARS = 1_000_000
Offsets = NDArray[np.int64]

ENTITY = re.compile(r"&(?:#0{0,99}[0-9]{1,7};?|#[xX]0{0,99}[0-9a-fA-F]{1,6};?|[A-Za-z][A-Za-z0-9]{1,31};)")
"""As browsers read them: a number needs no semicolon and may begin with zeros."""
ENTITY_ROUNDS = 4
"""An entity may be written in entities: `&amp;#107;`."""
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
SPELLED = re.compile(r"(?<![^\W_])[A-Za-z]([ .\-_*])[A-Za-z](?:\1[A-Za-z]){2,}(?![^\W_])")
LEET = re.compile(r"(?<=[A-Za-z])(?:00|33|55|\$\$|[013457@$!])(?=[A-Za-z])")
LEET_LETTER = {"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s", "!": "i"}
CODE = re.compile(r"[/\\=_:2689]|\w[.#]\w|^\W*(?:0x)?[0-9a-fA-F]{6,}\W*$")
"""Addresses, numbers with a unit, versions, hexadecimal: tokens whose digits are digits."""
SHORT = re.compile(r"^\W*[a-z][^a-z][a-z]\W*$")
SHOUT = re.compile(r"^\W*[A-Za-z]{1,2}![A-Za-z]{1,5}\W*$")
LEET_WORD_CHARS = 40
TOKEN = re.compile(r"\S+")
STRETCH = re.compile(r"([^\W\d_])\1{3,}")
SPACES = re.compile(r"\s{2,}|[^\S ]")


@dataclass(frozen=True, slots=True)
class RowError:
    """Why a row breaks the contract. `message` never repeats the text."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Normalised:
    """A normalised text and where it came from.

    `offsets`: int64 [len(text) + 1], the code-point offset in the original of each character, never
    decreasing (a character that became several gives each of them its own offset); the last is the
    original's length.
    """

    text: str
    offsets: Offsets

    def original_span(self, start: int, end: int) -> tuple[int, int]:
        """The half-open span of the original that normalised characters [start, end) came from."""
        if end <= start:
            return int(self.offsets[start]), int(self.offsets[start])
        following = int(np.searchsorted(self.offsets, self.offsets[end - 1], side="right"))
        last = int(self.offsets[min(following, len(self.offsets) - 1)])
        return int(self.offsets[start]), max(last, int(self.offsets[start]))


def check_text(text: object, *, max_chars: int | None = MAX_CHARS) -> RowError | None:
    """None for a text that can be scored, else what is wrong with it. `max_chars` None lifts the limit."""
    if not isinstance(text, str):
        return RowError("not_a_string", f"text must be a string, not {type(text).__name__}")
    if max_chars is not None and len(text) > max_chars:
        return RowError("text_too_long", f"text has {len(text)} code points; the limit is {max_chars}")
    if not text or text.isspace():
        return RowError("empty_text", "text is empty or white space only")
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            return RowError("lone_surrogate", f"text has a lone surrogate at code point {error.start}")
    return None


def normalise(text: str) -> Normalised:
    """`text` without disguises. Takes any string; lone surrogates become U+FFFD."""
    return _normalise(text, ascii_path=True)


def _normalise(text: str, *, ascii_path: bool) -> Normalised:
    draft = _Draft(text)
    if ascii_path and "&" not in text and text.isascii() and not (found := triggers(text)).dropped:
        if found.blanks:
            draft.text = text.translate(BLANKS)
        steps = ((_spelled, found.spelled), (_leet, found.leet), (_stretched, found.stretched), (_spaces, found.spaces))
        for step, needed in steps:
            if needed or draft.moved:
                draft.apply(step)
        return Normalised(draft.text, draft.offsets())
    _read_entities(draft)
    if not ascii_path or not draft.text.isascii() or CONTROL.search(draft.text):
        draft.apply(lookalikes.characters)
    if not ascii_path or not draft.text.isascii():
        draft.apply(lookalikes.compose)
        draft.apply(lookalikes.letters)
    for step in (_spelled, _leet, _stretched, _spaces):
        draft.apply(step)
    return Normalised(draft.text, draft.offsets())


SETTLED_CHARS = 32
"""So many characters at the end of a normalised text may change when more follows: up to three single letters turn
out to begin a spelled-out word, and the end of a spelled-out word has other pieces when it goes on."""


def settled(text: str) -> int:
    """Up to which place of `text` its normalised form cannot change, whatever follows.

    After it come the last word, which may go on, the last SETTLED_CHARS characters, and everything from the first
    word of look-alike letters on: whether it is a disguise depends on every other word.
    """
    last = text.rsplit(maxsplit=1)[-1] if text and not text[-1].isspace() else ""
    place = min(_tail(text), len(text) - len(last))
    if "&" not in text and text.isascii():
        return place
    draft = _Draft(text)
    _read_entities(draft)
    for step in (lookalikes.characters, lookalikes.compose):
        draft.apply(step)
    unsettled = lookalikes.unsettled(draft.text)
    return place if unsettled is None else min(place, int(draft.offsets()[unsettled]))


def _tail(text: str) -> int:
    """Where the last SETTLED_CHARS characters of the normalised text begin; invisible ones may be many."""
    length = 2 * SETTLED_CHARS
    while True:
        begin = max(0, len(text) - length)
        found = normalise(text[begin:])
        if begin == 0 or len(found.text) > SETTLED_CHARS:
            return begin + int(found.offsets[max(0, len(found.text) - SETTLED_CHARS)])
        length *= 4


def _read_entities(draft: _Draft) -> None:
    for _ in range(ENTITY_ROUNDS):
        before = draft.text
        draft.apply(_entities)
        if draft.text == before:
            return


class _Draft:
    """The text between two steps; its offsets are made when the first step changes something."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._length = len(text)
        self._offsets: Offsets | None = None

    @property
    def moved(self) -> bool:
        """Whether a step has changed something, so that the triggers of the original text no longer hold."""
        return self._offsets is not None

    def offsets(self) -> Offsets:
        """int64 [len(text) + 1]."""
        return np.arange(self._length + 1, dtype=np.int64) if self._offsets is None else self._offsets

    def apply(self, step: Callable[[str], Iterable[Edit]]) -> None:
        """Run one step and carry the offsets along."""
        edits = list(step(self.text))
        if not edits:
            return
        parts: list[str] = []
        starts, lengths, lasts = [], [], []
        position = 0
        for start, end, new in edits:
            if start > position:
                parts.append(self.text[position:start])
                starts.append(position)
                lengths.append(start - position)
                lasts.append(start - 1)
            if new:
                parts.append(new)
                starts.append(start)
                lengths.append(len(new))
                lasts.append(max(end - 1, start))
            position = end
        parts.append(self.text[position:])
        starts.append(position)
        lengths.append(len(self.text) + 1 - position)
        lasts.append(len(self.text))
        length = np.array(lengths, dtype=np.int64)
        out_start = np.cumsum(length) - length
        source = np.repeat(np.array(starts, dtype=np.int64) - out_start, length)
        source += np.arange(len(source), dtype=np.int64)
        np.minimum(source, np.repeat(np.array(lasts, dtype=np.int64), length), out=source)
        self._offsets = self.offsets()[source]
        self.text = "".join(parts)


def _entities(text: str) -> Iterable[Edit]:
    if "&" not in text:
        return
    for match in ENTITY.finditer(text):
        plain = html.unescape(match[0])
        if plain != match[0]:
            yield match.start(), match.end(), plain


def _spelled(text: str) -> Iterable[Edit]:
    """Drop the separators of four or more single letters that are separated by the same character."""
    for match in SPELLED.finditer(text):
        for position in range(match.start() + 1, match.end(), 2):
            yield position, position + 1, ""


def _leet(text: str) -> Iterable[Edit]:
    """Letters for digits and signs between letters, in tokens that look like words and not like codes."""
    if LEET.search(text) is None:
        return
    for token in TOKEN.finditer(text):
        word = token[0]
        if len(word) > LEET_WORD_CHARS or LEET.search(word) is None or CODE.search(word):
            continue
        if sum(c.isalpha() for c in word) == 2 and not SHORT.match(word):
            continue
        for match in LEET.finditer(word):
            if "!" in match[0] and not SHOUT.match(word):
                continue
            start = token.start() + match.start()
            yield start, start + len(match[0]), "".join(LEET_LETTER[c] for c in match[0])


def _stretched(text: str) -> Iterable[Edit]:
    """Two of a letter that occurs four or more times in a row."""
    for match in STRETCH.finditer(text):
        yield match.start() + 2, match.end(), ""


def _spaces(text: str) -> Iterable[Edit]:
    """One blank for a run of white space, none at the ends."""
    head = len(text) - len(text.lstrip())
    tail = len(text.rstrip())
    if head:
        yield 0, head, ""
    if head < len(text):
        for match in SPACES.finditer(text, head, tail):
            yield match.start(), match.end(), " "
        if tail < len(text):
            yield tail, len(text), ""
