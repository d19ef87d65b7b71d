"""Batches: tokenised windows in a few fixed lengths, since free shapes are far slower to train on.

A text longer than one window gives one window a pass: a harmless text any of its windows, a harmful one mostly its
first. Batches hold about `batch_tokens` token places, of one bucket length each, in an order fixed by the seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from prefilter.classifier.examples import Examples
from prefilter.classifier.recipe import Recipe
from prefilter.models.labels import HEADS
from prefilter.models.text import normalise
from prefilter.models.windows import windows


@dataclass(frozen=True, slots=True)
class Tokenised:
    """The windows of `n` texts laid end to end: window `w` is `ids[starts[w]:starts[w+1]]`, of text `text[w]`."""

    ids: NDArray[np.int32]
    starts: NDArray[np.int64]
    text: NDArray[np.int64]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Word pieces of each window."""
        return np.diff(self.starts)

    def window(self, index: int) -> NDArray[np.int32]:
        """The ids of one window."""
        return self.ids[self.starts[index] : self.starts[index + 1]]


@dataclass(frozen=True, slots=True)
class Batch:
    """One step: ids and mask int64 [rows, length], and the rows' example indices."""

    ids: NDArray[np.int64]
    mask: NDArray[np.int64]
    rows: NDArray[np.int64]


def tokenise(texts: list[str], tokenizer: Tokenizer, recipe: Recipe, *, most_windows: int | None = None) -> Tokenised:
    """Normalise, cut into windows and encode, exactly as the scorer does."""
    pieces: list[NDArray[np.int32]] = []
    owner: list[int] = []
    for index, text in enumerate(texts):
        cut, _ = windows(
            normalise(text), tokenizer, length=recipe.window_length, overlap=recipe.window_overlap
        )
        for window in cut[:most_windows]:
            pieces.append(window.ids.astype(np.int32))
            owner.append(index)
    starts = np.concatenate([[0], np.cumsum([len(p) for p in pieces])]).astype(np.int64)
    return Tokenised(ids=np.concatenate(pieces), starts=starts, text=np.array(owner, dtype=np.int64))


def bucket_of(lengths: NDArray[np.int64], buckets: tuple[int, ...]) -> NDArray[np.int64]:
    """The smallest bucket that holds each length; the last one takes the rest."""
    return np.minimum(np.searchsorted(np.array(buckets), lengths), len(buckets) - 1)


def training_batches(
    tokenised: Tokenised, examples: Examples, recipe: Recipe, *, epoch: int
) -> list[NDArray[np.int64]]:
    """The window indices of each batch of one pass over the examples, shuffled."""
    rng = np.random.default_rng([recipe.seed, epoch])
    first = np.searchsorted(tokenised.text, np.arange(len(examples)), side="left")
    count = np.searchsorted(tokenised.text, np.arange(len(examples)), side="right") - first
    offset = (rng.random(len(examples)) * count).astype(np.int64)
    harmful = (examples.labels[:, : len(HEADS)] >= 0.5).any(axis=1)
    offset[harmful & (rng.random(len(examples)) < 0.7)] = 0
    chosen = (first + offset)[count > 0]
    bucket = bucket_of(tokenised.lengths[chosen], recipe.buckets)
    batches: list[NDArray[np.int64]] = []
    for index, length in enumerate(recipe.buckets):
        members = rng.permutation(chosen[bucket == index])
        size = max(1, recipe.batch_tokens // length)
        batches += [members[i : i + size] for i in range(0, len(members), size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def collate(tokenised: Tokenised, window_indices: NDArray[np.int64], buckets: tuple[int, ...]) -> Batch:
    """Pad the windows to their bucket's length."""
    longest = int(tokenised.lengths[window_indices].max())
    length = max(longest, buckets[int(bucket_of(np.array([longest]), buckets)[0])])
    ids = np.zeros((len(window_indices), length), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, window in enumerate(window_indices):
        piece = tokenised.window(int(window))
        ids[row, : len(piece)] = piece
        mask[row, : len(piece)] = 1
    return Batch(ids=ids, mask=mask, rows=tokenised.text[window_indices])


def ordered_batches(tokenised: Tokenised, recipe: Recipe) -> Iterator[NDArray[np.int64]]:
    """All windows, short ones first, in batches for inference."""
    order = np.argsort(tokenised.lengths, kind="stable")
    bucket = bucket_of(tokenised.lengths[order], recipe.buckets)
    for index, length in enumerate(recipe.buckets):
        members = order[bucket == index]
        size = max(1, 2 * recipe.batch_tokens // length)
        for start in range(0, len(members), size):
            yield members[start : start + size]
