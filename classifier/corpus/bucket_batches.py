"""Batches: tokenised windows in a few fixed lengths (buckets), since free shapes are far slower to train on.

A text longer than one window gives one window a pass: a harmless text any of its windows, a harmful one mostly its
first. A pass takes each example with its `share`, so that no large source drowns the others. Batches hold about
`batch_tokens` token places, of one bucket length each, in an order fixed by the seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prefilter.classifier.corpus.examples import Examples
from prefilter.classifier.corpus.tokenised import UNMARKED, Tokenised
from prefilter.classifier.recipe import Recipe
from prefilter.models.labels import HEADS


@dataclass(frozen=True, slots=True)
class Batch:
    """One step: `ids`, `mask`, `types`, `marks` int64 [rows, length], and the rows' example indices."""

    ids: NDArray[np.int64]
    mask: NDArray[np.int64]
    types: NDArray[np.int64]
    marks: NDArray[np.int64]
    rows: NDArray[np.int64]


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
    chosen = (first + offset)[(count > 0) & (rng.random(len(examples)) < examples.share)]
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
    shape = len(window_indices), length
    ids, mask, types = (np.zeros(shape, dtype=np.int64) for _ in range(3))
    marks = np.full(shape, UNMARKED, dtype=np.int64)
    for row, window in enumerate(window_indices):
        start, end = tokenised.starts[window], tokenised.starts[window + 1]
        ids[row, : end - start] = tokenised.ids[start:end]
        mask[row, : end - start] = 1
        types[row, : end - start] = tokenised.types[start:end]
        marks[row, : end - start] = tokenised.marks[start:end]
    return Batch(ids=ids, mask=mask, types=types, marks=marks, rows=tokenised.text[window_indices])


def ordered_batches(tokenised: Tokenised, recipe: Recipe) -> Iterator[NDArray[np.int64]]:
    """All windows, short ones first, in batches for inference."""
    order = np.argsort(tokenised.lengths, kind="stable")
    bucket = bucket_of(tokenised.lengths[order], recipe.buckets)
    for index, length in enumerate(recipe.buckets):
        members = order[bucket == index]
        size = max(1, 2 * recipe.batch_tokens // length)
        for start in range(0, len(members), size):
            yield members[start : start + size]
