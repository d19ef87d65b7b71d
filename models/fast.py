"""The fast stage: a small static-embedding model that clears what is plainly harmless, and nothing else.

Each word and each pair of words has a vector (int8, by hash bucket); a text is the highest mean of its vectors
over windows of two lengths and the mean over all of it, and two small dense layers read an estimate of every
head's score and one verdict per certified policy from that. It was taught by the transformer's own scores. It
may only clear: a text whose verdict lies under a certificate's cut, with every estimate under its edge. The cut
comes from a certificate in the manifest, issued on texts that neither model was trained on, and holds for
exactly the edges it names. A text is judged alone, so it has the same verdict wherever it stands (on one CPU
family). Knows no policies; a certificate only names edges.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prefilter.models.ngrams import BITS, ngrams

WIDE, NARROW = 48, 12
"""Words in a window; neighbours share half."""
MIN_WORDS, MAX_WORDS = 16, 2000
"""Shorter texts tell too little and cost the transformer least; longer ones it was not taught on."""
ALLOWANCE = np.float32(3.0)
"""Log-odds by which a window alone must say more than the whole text to count."""
UNSEEN_WORD, UNSEEN_PAIR = 0, 1
"""The rows of `unseen`: what stands for a word, and for a pair, that training did not see often enough."""

Floats = NDArray[np.float32]


class FastStageError(ValueError):
    """The file of the fast stage, or a certificate, is not what it must be."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """Leave to clear: under these `edges`, texts whose `verdict` lies below `cut`.

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
    def from_json(cls, body: Mapping[str, Any]) -> Certificate:
        """One certificate of a manifest; raises `FastStageError`."""
        try:
            edges = {str(name): float(edge) for name, edge in body["edges"].items()}
            numbers = [float(body[key]) for key in ("cut", "bound", "confidence")]
            name, verdict = str(body["name"]), str(body["verdict"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FastStageError(f"not a certificate: {type(error).__name__}") from error
        if not edges or not all(map(math.isfinite, [*numbers, *edges.values()])):
            raise FastStageError("a certificate needs edges, and finite numbers")
        return cls(name, edges, verdict, *numbers)

    def covers(self, edges: Mapping[str, float]) -> bool:
        """Whether it was issued for exactly these edges, as float32."""
        return self.edges.keys() == edges.keys() and all(
            np.float32(edge) == np.float32(edges[name]) for name, edge in self.edges.items()
        )


class FastStage:
    """The loaded fast stage. Thread-safe: it holds nothing that changes."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]], *, outputs: Sequence[str]) -> None:
        """`outputs`: what the columns of the last layer are, heads first, then verdicts."""
        try:
            self._words = _dense(arrays["word_rows"], arrays["words"], arrays["unseen"][UNSEEN_WORD])
            self._pairs = _dense(arrays["pair_rows"], arrays["pairs"], arrays["unseen"][UNSEEN_PAIR])
            self._seen = np.zeros(1 << BITS, dtype=np.bool_)
            self._seen[arrays["word_rows"]] = True
            self._scale, self._w1, self._b1, self._w2, self._b2 = (
                arrays[name].astype(np.float32) for name in ("scale", "w1", "b1", "w2", "b2")
            )
        except (KeyError, IndexError, ValueError) as error:
            raise FastStageError(f"not a fast stage: {type(error).__name__}") from error
        width = self._words.shape[1]
        shapes = (self._w1.shape[0] == 3 * width + 2, self._w2.shape == (len(self._b1), len(outputs)))
        if not all(shapes) or self._pairs.shape[1] != width or len(self._b2) != len(outputs):
            raise FastStageError("the layers of the fast stage do not fit together")
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
        words = len(found)
        running = np.zeros((words + 1, self._words.shape[1]), dtype=np.int32)
        vectors = np.add(self._words[found.words], self._pairs[found.pairs], dtype=np.int32)
        np.cumsum(vectors, axis=0, out=running[1:])
        unseen = np.zeros(words + 1, dtype=np.int64)
        np.cumsum(~self._seen[found.words], out=unseen[1:])
        starts, ends = _windows(words, WIDE)
        wide, narrow = _means(running, starts, ends), _means(running, *_windows(words, NARROW))
        rows = [self._features(wide.max(axis=0), running[-1] / _root(words), narrow.max(axis=0), words, unseen[-1])]
        step = (WIDE // 2) // (NARROW // 2)
        inside = (WIDE - NARROW) // (NARROW // 2) + 1
        if len(starts) > 1:
            for number, (mean, start, end) in enumerate(zip(wide, starts, ends, strict=True)):
                own = narrow[number * step : number * step + inside].max(axis=0)
                rows.append(self._features(mean, mean, own, end - start, unseen[end] - unseen[start]))
        hidden = np.maximum(np.stack(rows) @ self._w1 + self._b1, 0)
        logits: Floats = hidden @ self._w2 + self._b2
        logits[1:] -= ALLOWANCE
        return logits.max(axis=0)

    def _features(self, wide: Floats, whole: Floats, narrow: Floats, words: int, unseen: int) -> Floats:
        """What the layers read: the highest wide and narrow means, the mean of all, the length, unseen words."""
        scale = self._scale
        extra = np.array([math.log(words) / 3, unseen / words], dtype=np.float32)
        return np.concatenate([wide * scale, whole * scale, narrow * scale, extra], dtype=np.float32)

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


def _windows(words: int, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where windows of `size` words begin and end; neighbours share half, the last one ends with the text."""
    starts = np.arange(0, max(words - size // 2, 1), size // 2)
    return starts, np.minimum(starts + size, words)


def _means(running: NDArray[np.int32], starts: NDArray[np.int64], ends: NDArray[np.int64]) -> Floats:
    """float32 [windows, width]: the sum over each window, divided by the root of its words."""
    means: Floats = (running[ends] - running[starts]) / np.sqrt(ends - starts, dtype=np.float32)[:, None]
    return means


def _root(words: int) -> np.float32:
    return np.float32(math.sqrt(words))


def _dense(rows: NDArray[Any], vectors: NDArray[Any], unseen: NDArray[Any]) -> NDArray[np.int8]:
    """int8 [buckets, width]: the vector of every bucket, `unseen` where none is kept."""
    table = np.empty((1 << BITS, vectors.shape[1]), dtype=np.int8)
    table[:] = unseen
    table[rows] = vectors
    return table
