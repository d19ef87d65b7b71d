"""The fast stage: a small static-embedding model that clears what is certainly harmless, and nothing else.

Each word and each pair of words has a vector (int8, by hash bucket); a text is the highest mean of its vectors over
windows of two lengths and the mean over all of it, and two small dense layers read an estimate of every head's score
and one verdict per certified policy from that. It is trained on the transformer's own scores. It clears a text only
where the verdict is below a certificate's cut and every estimate below its edge. A certificate is issued on texts that
neither model was trained on, and holds for exactly the edges it names. A text is judged alone, so its verdict is the
same in any batch (on one CPU family). Knows no policies; a certificate only names edges.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from prefilter.models.fast.ngrams import BITS, ngrams
from prefilter.models.known_error import KnownError

WIDE, NARROW = 48, 12
"""Words in a window; neighbours share half."""
BLOCK = NARROW // 2
MIN_WORDS, MAX_WORDS = 16, 2000
"""Shorter texts hold too little evidence and cost the transformer least; longer ones were not in its training."""
NARROW_STEPS, NARROW_INSIDE = WIDE // NARROW, (WIDE - NARROW) // (NARROW // 2) + 1
"""Narrow windows from one wide window to the next, and in each."""
ALLOWANCE = np.float32(3.0)
"""Log-odds by which a window alone must exceed the whole text to count."""
UNSEEN_WORD, UNSEEN_PAIR = 0, 1
"""The rows of `unseen`: the vector of a word, and of a pair, that training did not see often enough."""

Floats = NDArray[np.float32]


class FastStageError(KnownError, ValueError):
    """The file of the fast stage, or a certificate, is not what it must be."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """Permission to clear, under these `edges`, texts whose `verdict` is below `cut`.

    `edges` maps every category the policy judges to the score from which it is not allowed. `bound`: with
    `confidence`, at most this share of the texts that the transformer would not have allowed is cleared.
    """

    name: str
    edges: Mapping[str, float]
    verdict: str
    cut: float
    bound: float
    confidence: float

    @classmethod
    def from_json(cls, body: Mapping[str, object]) -> Certificate:
        """One certificate of a manifest; raises `FastStageError`."""
        try:
            given = body["edges"]
            if not isinstance(given, Mapping):
                raise TypeError("edges are not a table")
            edges = {str(name): float(edge) for name, edge in given.items()}
            numbers = [_number(body[key]) for key in ("cut", "bound", "confidence")]
            name, verdict = str(body["name"]), str(body["verdict"])
        except (KeyError, TypeError, ValueError) as error:
            raise FastStageError(f"not a certificate: {type(error).__name__}") from error
        if not edges or not all(map(math.isfinite, [*numbers, *edges.values()])):
            raise FastStageError("a certificate needs edges, and finite numbers")
        return cls(name, edges, verdict, *numbers)

    def covers(self, edges: Mapping[str, float]) -> bool:
        """Whether it was issued for exactly these edges, as float32."""
        return self.edges.keys() == edges.keys() and all(
            np.float32(edge) == np.float32(edges[name]) for name, edge in self.edges.items()
        )


def _number(value: object) -> float:
    if not isinstance(value, int | float | str):
        raise TypeError("not a number")
    return float(value)


class FastStage:
    """The loaded fast stage. Thread-safe: it holds nothing that changes."""

    def __init__(self, arrays: Mapping[str, NDArray[np.generic]], *, outputs: Sequence[str]) -> None:
        """`outputs`: what the columns of the last layer are, heads first, then verdicts."""
        try:
            self._words = _dense(arrays["word_rows"], arrays["words"], arrays["unseen"][UNSEEN_WORD])
            self._pairs = _dense(arrays["pair_rows"], arrays["pairs"], arrays["unseen"][UNSEEN_PAIR])
            self._unseen = np.ones(1 << BITS, dtype=np.float32)
            self._unseen[arrays["word_rows"]] = 0
            self._scale, self._w1, self._b1, self._w2, self._b2 = (
                arrays[name].astype(np.float32) for name in ("scale", "w1", "b1", "w2", "b2")
            )
        except (KeyError, IndexError, ValueError) as error:
            raise FastStageError(f"not a fast stage: {type(error).__name__}") from error
        width = self._words.shape[1]
        shapes = (self._w1.shape[0] == 3 * width + 2, self._w2.shape == (len(self._b1), len(outputs)))
        if not all(shapes) or self._pairs.shape[1] != width or len(self._b2) != len(outputs):
            raise FastStageError("the layers of the fast stage do not fit together")
        self._w1 = self._w1.copy()
        self._w1[: 3 * width] *= np.tile(self._scale, 3)[:, None]  # vectors are whole numbers of `scale`
        self.outputs = tuple(outputs)

    @classmethod
    def from_bytes(cls, data: bytes, *, outputs: Sequence[str]) -> FastStage:
        """The fast stage in an npz file without objects; raises `FastStageError`."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                return cls({name: file[name] for name in file.files}, outputs=outputs)
        except (OSError, ValueError, EOFError) as error:
            if isinstance(error, FastStageError):
                raise
            raise FastStageError("not an npz file of plain arrays") from error

    def logits(self, text: str) -> Floats | None:
        """float32 [outputs] of a normalised text, None where its length is none the stage may judge.

        The highest of what the text as a whole and each of its wide windows alone would have: a harmful sentence
        is judged by its surroundings, and no length of harmless text around them hides it.
        """
        found = ngrams(text)
        if found is None or not MIN_WORDS <= len(found) <= MAX_WORDS:
            return None
        words, width = len(found), self._words.shape[1]
        blocks = _blocks(words)
        running = np.zeros((len(blocks) + 1, width), dtype=np.float32)  # exact: sums stay far below 2 ** 24
        vectors = np.add(self._words.take(found.words, 0), self._pairs.take(found.pairs, 0), dtype=np.float32)
        np.cumsum(np.add.reduceat(vectors, blocks, axis=0), axis=0, out=running[1:])
        unseen = np.zeros(len(blocks) + 1, dtype=np.float32)
        np.cumsum(np.add.reduceat(self._unseen.take(found.words), blocks), out=unseen[1:])
        wide, narrow = _windows(words, WIDE), _windows(words, NARROW)
        alone = len(wide.starts) if len(wide.starts) > 1 else 0
        rows = np.empty((1 + alone, 3 * width + 2), dtype=np.float32)
        means, near = wide.means(running), narrow.means(running)
        np.maximum.reduce(means, axis=0, out=rows[0, :width])
        np.divide(running[-1], np.float32(math.sqrt(words)), out=rows[0, width : 2 * width])
        np.maximum.reduce(near, axis=0, out=rows[0, 2 * width : 3 * width])
        rows[0, -2] = math.log(words) / 3
        rows[0, -1] = unseen[-1] / words
        if alone:
            rows[1:, :width] = rows[1:, width : 2 * width] = means
            for number, row in enumerate(rows[1:, 2 * width : 3 * width]):
                first = number * NARROW_STEPS
                np.maximum.reduce(near[first : first + NARROW_INSIDE], axis=0, out=row)
            rows[1:, -2] = wide.logs
            rows[1:, -1] = (unseen[wide.ends] - unseen[wide.starts]) / wide.counts
        hidden = np.maximum(rows @ self._w1 + self._b1, 0)
        logits: Floats = hidden @ self._w2 + self._b2
        logits[1:] -= ALLOWANCE
        highest: Floats = logits.max(axis=0)
        return highest

    def clear(self, text: str, certificate: Certificate) -> dict[str, np.float32] | None:
        """Estimated scores of a normalised text that the certificate clears, None for every other text."""
        logits = self.logits(text)
        if logits is None or not logits[self.outputs.index(certificate.verdict)] < certificate.cut:
            return None
        scores = estimates(logits, self.outputs)
        if any(not scores[name] < np.float32(edge) for name, edge in certificate.edges.items()):
            return None
        return scores


def estimates(logits: Floats, outputs: Sequence[str]) -> dict[str, np.float32]:
    """The estimated score of every head; verdicts, whose names hold a colon, are none."""
    return {name: p for name, p in zip(outputs, chances(logits), strict=True) if ":" not in name}


def chances(logits: Floats) -> Floats:
    """The logistic function, float32, of any shape; NaN stays NaN."""
    found: Floats = (1 / (1 + np.exp(-np.clip(logits, -30, 30)))).astype(np.float32)
    return found


@dataclass(frozen=True, slots=True)
class _Windows:
    """Windows over a text's blocks, [first, last), with their words and a third of the log of those.

    [windows] each; `roots`, of the words, [windows, 1].
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    counts: NDArray[np.int64]
    roots: Floats
    logs: Floats

    def means(self, running: Floats) -> Floats:
        """float32 [windows, width]: the sum over each window, divided by the root of its words."""
        found: Floats = (running.take(self.ends, 0) - running.take(self.starts, 0)) / self.roots
        return found


@lru_cache(maxsize=MAX_WORDS)
def _blocks(words: int) -> NDArray[np.int64]:
    """Where blocks of words begin: every window begins and ends with one, or with the text."""
    return np.arange(0, words, BLOCK)


@lru_cache(maxsize=2 * MAX_WORDS)
def _windows(words: int, size: int) -> _Windows:
    """Windows of `size` words; neighbours share half, the last one ends with the text."""
    starts = np.arange(0, max(words - size // 2, 1), size // 2)
    ends = np.minimum(starts + size, words)
    counts = ends - starts
    roots = np.sqrt(counts, dtype=np.float32)[:, None]
    logs = (np.log(counts) / 3).astype(np.float32)
    return _Windows(starts // BLOCK, -(-ends // BLOCK), counts, roots, logs)


def _dense(rows: NDArray[np.generic], vectors: NDArray[np.generic], unseen: NDArray[np.generic]) -> NDArray[np.int8]:
    """int8 [buckets, width]: the vector of every bucket, `unseen` where none is kept."""
    table = np.empty((1 << BITS, vectors.shape[1]), dtype=np.int8)
    table[:] = unseen
    table[rows] = vectors
    return table
