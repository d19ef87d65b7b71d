"""Words and pairs of words as hash buckets, in NumPy: what the fast stage sees of a text.

A word is a run of ASCII letters, digits and bytes above 127 in the lower-cased UTF-8; its hash is polynomial,
read off one running sum over all bytes, so that a text costs a handful of array operations and no loop over
words. Integers throughout: the buckets are the same on every machine. Knows no model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BITS = 17
"""Buckets of each table: 2 to this power."""
MAX_BYTES = 1 << 17
FOLDED = {
    0x2018: "'",
    0x2019: "'",
    0x201C: '"',
    0x201D: '"',
    0x2013: "-",
    0x2014: "-",
    0x2026: ".",
    0xA0: " ",
}
"""Quotes, dashes, dots and blanks that would else stick to the words beside them."""

_BASE = 0x9E3779B97F4A7C15
_MIX, _UNI, _PAIR = (np.uint64(k) for k in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53, 0xD6E8FEB86659FD93))
_S29, _S32, _SHIFT = np.uint64(29), np.uint64(32), np.uint64(64 - BITS)
_WORD = np.zeros(256, dtype=np.bool_)
_WORD[[*range(ord("a"), ord("z") + 1), *range(ord("0"), ord("9") + 1), *range(128, 256)]] = True


@dataclass(frozen=True, slots=True)
class Ngrams:
    """int64 [words] each: the bucket of every word, and of every word with the one before it."""

    words: NDArray[np.int64]
    pairs: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.words)


def ngrams(text: str) -> Ngrams | None:
    """The buckets of a normalised text, None for one above `MAX_BYTES` of UTF-8."""
    lower = text.lower()
    if not lower.isascii():
        lower = lower.translate(FOLDED)
    data = np.frombuffer(lower.encode("utf-8"), dtype=np.uint8)
    if len(data) > MAX_BYTES:
        return None
    hashes = _word_hashes(data)
    with np.errstate(over="ignore"):
        words = (hashes * _UNI) >> _SHIFT
        pairs = hashes.copy()
        pairs[1:] += hashes[:-1] * _PAIR
        pairs ^= pairs >> _S29
        pairs *= _MIX
        pairs >>= _SHIFT
    return Ngrams(words.astype(np.int64), pairs.astype(np.int64))


def _word_hashes(data: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """uint64 [words]: sum over a word's bytes of (byte + 1) * base ** position in the word, mixed."""
    inside = np.empty(len(data) + 2, dtype=np.bool_)
    inside[0] = inside[-1] = False
    np.take(_WORD, data, out=inside[1:-1])
    edges = np.flatnonzero(inside[1:] != inside[:-1])
    starts, ends = edges[0::2], edges[1::2]
    powers, inverses = _powers()
    with np.errstate(over="ignore"):
        running = np.zeros(len(data) + 1, dtype=np.uint64)
        np.cumsum((data + np.uint64(1)) * powers[: len(data)], out=running[1:])
        hashes: NDArray[np.uint64] = (running[ends] - running[starts]) * inverses[starts]
        hashes ^= hashes >> _S32
        hashes *= _MIX
        hashes ^= hashes >> _S29
    return hashes


_TABLES: list[tuple[NDArray[np.uint64], NDArray[np.uint64]]] = []


def _powers() -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The powers of the base and of its inverse modulo 2 ** 64, made at first use."""
    if not _TABLES:
        _TABLES.append((_progression(_BASE), _progression(pow(_BASE, -1, 1 << 64))))
    return _TABLES[0]


def _progression(base: int) -> NDArray[np.uint64]:
    factors = np.full(MAX_BYTES, base, dtype=np.uint64)
    factors[0] = 1
    with np.errstate(over="ignore"):
        made: NDArray[np.uint64] = np.multiply.accumulate(factors)
    return made
