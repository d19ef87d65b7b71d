"""Windows: a normalised text cut into pieces the model can read whole, nothing truncated, nothing hidden.

A window ends at the end of a sentence if there is one in its second half, else between words; neighbours overlap, so
that a phrase cut in two is read whole once. WordPiece turns a word it cannot spell (too long, or one odd character)
into a single unknown piece and so hides it: such words are cut before they are read. Every window carries the end of
the context, if there is one, behind the text, marked as type 1; the text's own pieces keep their places. Knows
tokenizers, not models or scores. Linear in the length of the text.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from prefilter.models.text.normalisation import Normalised, normalise

LENGTH = 128
OVERLAP = 32
MIN_ROOM = 8
"""Text pieces that a window must at least hold beside its context."""
CHUNK_CHARS = 8_192
"""Texts are tokenized in chunks of this size, cut at blanks: a huge call costs memory and saves no time."""
LONG_WORD = re.compile(r"[^\s!-/:-@\[-`{-~]{33,}")
"""What the tokenizer may take for one word. It gives up on words above 100 characters, counted after
splitting accents off, which makes at most three of one: 96 ASCII or 32 other characters are safe."""
PLAIN_WORD_CHARS, WORD_CHARS = 96, 32
SCRIPT_RUN = re.compile(r"[\x00-\x7f]+|[^\x00-\x7f]+")
SPELLED_BLOCKS = ((0x20, 0x7F), (0xA0, 0x250), (0x2010, 0x2070), (0x20A0, 0x20C0), (0x2122, 0x2123))
"""Basic and extended Latin, general punctuation, currency signs, the trade mark: [low, high)."""
FOLLOWED = sys.maxsize
"""Where the last window is decided: anything that follows may change it."""
SENTENCE_ENDS = (".", "!", "?", "\u2026", "\u3002")


@dataclass(frozen=True, slots=True)
class Window:
    """One row of the model: [CLS] text [SEP], and behind them context [SEP] where there is one.

    `ids`: int64 [n]. `types`: int64 [n], 0 up to the text's [SEP], 1 behind it. `start`, `end`: the text
    part's span in the original text. `pieces`: int64 [text pieces, 2], each text piece's span in the original
    text; piece i is `ids[i + 1]`. `begins`: bool [text pieces], whether a piece begins a word. `decided`:
    up to where the original text must not change for this window not to change, whatever follows: to the end of the
    piece that had no room in it, FOLLOWED where there is none.
    """

    ids: NDArray[np.int64]
    types: NDArray[np.int64]
    start: int
    end: int
    pieces: NDArray[np.int64]
    begins: NDArray[np.bool_]
    decided: int


@dataclass(frozen=True, slots=True)
class _Pieces:
    """A text's word pieces: ids, spans in the normalised text, and whether a piece begins a word."""

    ids: NDArray[np.int64]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    begins: NDArray[np.bool_]


def load_tokenizer(source: Path | bytes) -> Tokenizer:
    """A `tokenizer.json`, by path or content, set to cut and pad nothing and to read `[SEP]` as text."""
    data = source if isinstance(source, bytes) else source.read_bytes()
    tokenizer = Tokenizer.from_str(data.decode("utf-8"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    return tokenizer


def spellable(tokenizer: Tokenizer) -> re.Pattern[str]:
    """Matches a character that could become the unknown piece: a text without a match has none.

    Tried are the blocks that English text uses; whatever lies elsewhere counts as unspellable.
    """
    normaliser, vocabulary = tokenizer.normalizer, tokenizer.get_vocab()

    def spelled(code: int) -> bool:
        plain = normaliser.normalize_str(chr(code)) if normaliser is not None else chr(code)
        return all(part == " " or {part, f"##{part}"} <= vocabulary.keys() for part in plain)

    codes = [code for low, high in SPELLED_BLOCKS for code in range(low, high) if spelled(code)]
    return re.compile(f"[^{re.escape(''.join(map(chr, codes)))}]")


def windows(
    normalised: Normalised,
    tokenizer: Tokenizer,
    *,
    length: int = LENGTH,
    overlap: int = OVERLAP,
    context: NDArray[np.int64] | None = None,
) -> tuple[list[Window], int]:
    """The windows of a text, at most `length` ids each, and its number of word pieces (overlap counted once).

    Always at least one window; a text without a word piece has one of the marks alone. `context` comes from
    `context_pieces` and is part of every window, which leaves `length - 3 - len(context)` pieces for the text.
    `tokenizer` comes from `load_tokenizer`; another that would cut, pad or read marks in the text is a
    `ValueError`, and so is a context that leaves no room.
    """
    _check_whole(tokenizer)
    first, last = _mark(tokenizer, "[CLS]"), _mark(tokenizer, "[SEP]")
    behind = [] if context is None or not len(context) else [context, np.array([last], dtype=np.int64)]
    tail = np.concatenate([np.array([last], dtype=np.int64), *behind])
    room = length - 1 - len(tail)
    if room < MIN_ROOM:
        raise ValueError(f"windows of {length} pieces leave {room} for the text; {MIN_ROOM} are needed")
    pieces = _pieces(normalised.text, tokenizer)
    spans = _original_spans(normalised, pieces)
    total = len(pieces.ids)
    if total == 0:
        return [_window(pieces, spans, (0, 0), first, tail, (0, int(normalised.offsets[-1])), FOLLOWED)], 0
    found = []
    for start, end in _cuts(pieces, normalised.text, room, min(overlap, room // 3)):
        span = normalised.original_span(int(pieces.starts[start]), int(pieces.ends[start:end].max()))
        decided = FOLLOWED if end == total else int(spans[start + room, 1])
        found.append(_window(pieces, spans, (start, end), first, tail, span, decided))
    return found, total


def context_pieces(context: str, tokenizer: Tokenizer, *, limit: int) -> tuple[NDArray[np.int64], int]:
    """The last `limit` word pieces (ids) of a context, normalised as texts are, and how many it has.

    The last, since the end of a context is nearest to the text.
    """
    _check_whole(tokenizer)
    ids = _pieces(normalise(context).text, tokenizer).ids
    return ids[max(0, len(ids) - limit) :], len(ids)


def _check_whole(tokenizer: Tokenizer) -> None:
    whole = tokenizer.truncation is None and tokenizer.padding is None
    if not (whole and tokenizer.encode_special_tokens):
        raise ValueError("the tokenizer truncates, pads or reads marks in text: use load_tokenizer")


def _window(
    pieces: _Pieces,
    spans: NDArray[np.int64],
    part: tuple[int, int],
    first: int,
    tail: NDArray[np.int64],
    span: tuple[int, int],
    decided: int,
) -> Window:
    """The window of the pieces [part), with `tail` (the text's mark, the context and its mark) behind them."""
    start, end = part
    count = end - start
    ids = np.empty(1 + count + len(tail), dtype=np.int64)
    ids[0] = first
    ids[1 : 1 + count] = pieces.ids[start:end]
    ids[1 + count :] = tail
    types = np.zeros(len(ids), dtype=np.int64)
    types[2 + count :] = 1
    return Window(ids, types, *span, spans[start:end], pieces.begins[start:end], decided)


def _original_spans(normalised: Normalised, pieces: _Pieces) -> NDArray[np.int64]:
    """int64 [pieces, 2]: what `original_span` says of each piece, for all of them at once."""
    offsets = normalised.offsets
    starts = offsets[pieces.starts]
    following = np.searchsorted(offsets, offsets[np.maximum(pieces.ends - 1, 0)], side="right")
    ends = offsets[np.minimum(following, len(offsets) - 1)]
    return np.stack([starts, np.maximum(starts, ends)], axis=1)


def _mark(tokenizer: Tokenizer, mark: str) -> int:
    found = tokenizer.token_to_id(mark)
    if found is None:
        raise ValueError(f"the tokenizer has no {mark}")
    return found


def _cuts(pieces: _Pieces, text: str, room: int, overlap: int) -> Iterator[tuple[int, int]]:
    """Half-open ranges of pieces, each at most `room` long, that cover all of them."""
    total = len(pieces.ids)
    if total <= room:
        yield 0, total
        return
    after_sentence = np.zeros(total, dtype=bool)
    ends_sentence = np.array([text[max(end - 1, 0)] in SENTENCE_ENDS for end in pieces.ends.tolist()])
    after_sentence[1:] = ends_sentence[:-1] & (pieces.starts[1:] > pieces.ends[:-1])
    start = 0
    while total - start > room:
        end = _last(after_sentence, start + room // 2 + 1, start + room) or _last(
            pieces.begins, start + room // 2 + 1, start + room
        )
        end = end or start + room
        yield start, end
        back = np.flatnonzero(pieces.begins[end - overlap : end])
        start = max(start + 1, end - overlap + int(back[0]) if len(back) else end - overlap)
    yield start, total


def _last(flags: NDArray[np.bool_], low: int, high: int) -> int:
    """The last index in [low, high] whose flag is set, or 0."""
    hits = np.flatnonzero(flags[low : high + 1])
    return low + int(hits[-1]) if len(hits) else 0


def _pieces(text: str, tokenizer: Tokenizer) -> _Pieces:
    ids: list[int] = []
    starts: list[int] = []
    ends: list[int] = []
    begins: list[bool] = []
    unknown = _mark(tokenizer, "[UNK]")
    for low, high in _chunks(text):
        _read(text[low:high], low, tokenizer, unknown, ids, starts, ends, begins)
    return _Pieces(
        ids=np.array(ids, dtype=np.int64),
        starts=np.array(starts, dtype=np.int64),
        ends=np.array(ends, dtype=np.int64),
        begins=np.array(begins, dtype=bool),
    )


def _read(
    part: str,
    offset: int,
    tokenizer: Tokenizer,
    unknown: int,
    ids: list[int],
    starts: list[int],
    ends: list[int],
    begins: list[bool],
) -> None:
    """Append the pieces of `part`. An unknown word of ASCII and other characters is read run by run."""
    encoding = tokenizer.encode(part, add_special_tokens=False)
    word_before: int | None = None
    for piece, (start, end), word in zip(encoding.ids, encoding.offsets, encoding.word_ids, strict=True):
        if piece == unknown and end - start > 1:
            runs = list(SCRIPT_RUN.finditer(part[start:end]))
            if len(runs) > 1:
                for run in runs:
                    _read(run[0], offset + start + run.start(), tokenizer, unknown, ids, starts, ends, begins)
                word_before = word
                continue
        ids.append(piece)
        starts.append(offset + start)
        ends.append(offset + end)
        begins.append(word != word_before)
        word_before = word


def _chunks(text: str) -> Iterator[tuple[int, int]]:
    """Ranges of the text that cover it, cut inside words that are too long and at blanks."""
    start = 0
    for cut in _word_cuts(text):
        yield from _blank_cuts(text, start, cut)
        start = cut
    yield from _blank_cuts(text, start, len(text))


def _word_cuts(text: str) -> Iterator[int]:
    for match in LONG_WORD.finditer(text):
        step = PLAIN_WORD_CHARS if match[0].isascii() else WORD_CHARS
        yield from range(match.start() + step, match.end(), step)


def _blank_cuts(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while end - start > CHUNK_CHARS:
        cut = text.rfind(" ", start + 1, start + CHUNK_CHARS)
        cut = cut if cut > 0 else start + CHUNK_CHARS
        yield start, cut
        start = cut
    if start < end:
        yield start, end
