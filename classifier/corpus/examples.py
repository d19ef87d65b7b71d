"""Examples: distinct labelled texts as arrays, each with its labels, weights, source and split.

A text's identity is the normalised, case-folded text together with its context; its hash also decides its split.
Knows labels and weights; knows nothing of files, tokens or networks.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prefilter.classifier.corpus.sources import Spans
from prefilter.models.text.normalisation import normalise

SPLITS = ("train", "calibration", "development")


@dataclass(frozen=True, slots=True)
class Examples:
    """`n` distinct texts with, per head, a soft label and a loss weight (0 where unknown).

    `labels`, `weights`: float32 [n, heads]. `known`: bool [n, heads], True where the
    source itself says so and nothing was presumed; `human`: True where a person did. `source`: index into
    `source_names`. `split`: index into `SPLITS`. `share`: float32 [n], the chance that one pass over the data takes the
    example, below 1 for those of large sources. `contexts`: each text's context ("" for none); `spans`: the
    characters people marked in it, None where nobody judged.
    """

    texts: list[str]
    labels: NDArray[np.float32]
    weights: NDArray[np.float32]
    known: NDArray[np.bool_]
    human: NDArray[np.bool_]
    source: NDArray[np.int32]
    split: NDArray[np.int8]
    share: NDArray[np.float32]
    contexts: list[str]
    spans: list[Spans | None]
    source_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)

    def of(self, split: str) -> Examples:
        """The examples of one split."""
        return self.take(np.flatnonzero(self.split == SPLITS.index(split)))

    def take(self, rows: NDArray[np.int64]) -> Examples:
        """The examples at `rows`, in that order."""
        return Examples(
            texts=[self.texts[i] for i in rows],
            labels=self.labels[rows],
            weights=self.weights[rows],
            known=self.known[rows],
            human=self.human[rows],
            source=self.source[rows],
            split=self.split[rows],
            share=self.share[rows],
            contexts=[self.contexts[i] for i in rows],
            spans=[self.spans[i] for i in rows],
            source_names=self.source_names,
        )


def text_key(text: str, context: str = "") -> bytes:
    """16 bytes that two texts share when they are the same after normalisation and case folding.

    A text with a context is another one than the same text without.
    """
    said = normalise(text).text.casefold()
    if context:
        said += "\0" + normalise(context).text.casefold()
    return hashlib.blake2b(said.encode("utf-8"), digest_size=16).digest()


def unit_interval(key: bytes) -> float:
    """Where a text's key lies on the scale [0, 1) by which texts are split."""
    return int.from_bytes(hashlib.blake2b(key, digest_size=8, person=b"split").digest(), "big") / 2**64
