"""Batches: tokenised windows in a few fixed lengths, since free shapes are far slower to train on.

A text longer than one window gives one window a pass: a harmless text any of its windows, a harmful one mostly its
first. A pass takes each example with its `share`, so that no large source drowns the others. Batches hold about
`batch_tokens` token places, of one bucket length each, in an order fixed by the seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from prefilter.classifier.corpus.examples import Examples
from prefilter.classifier.corpus.sources import Spans
from prefilter.classifier.recipe import Recipe
from prefilter.models.labels import HEADS
from prefilter.models.text.cutter import Cutter
from prefilter.models.text.normalisation import normalise
from prefilter.models.text.windows import Window

UNMARKED = -1
"""The mark of a piece for which nobody judged whether it is part of the harm."""


@dataclass(frozen=True, slots=True)
class Tokenised:
    """The windows of `n` texts laid end to end: window `w` is `ids[starts[w]:starts[w+1]]`, of text `text[w]`.

    `types`: 0 for the text's pieces, 1 for its context's. `marks`: 1 for a piece that people marked, 0 for one that
    they did not, `UNMARKED` where nobody judged. Both int8, beside `ids`.
    """

    ids: NDArray[np.int32]
    types: NDArray[np.int8]
    marks: NDArray[np.int8]
    starts: NDArray[np.int64]
    text: NDArray[np.int64]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Word pieces of each window."""
        return np.diff(self.starts)

    def of_first(self, texts: int) -> Tokenised:
        """The windows of the first `texts` texts."""
        windows = int(np.searchsorted(self.text, texts))
        end = self.starts[windows]
        return Tokenised(
            self.ids[:end], self.types[:end], self.marks[:end], self.starts[: windows + 1], self.text[:windows]
        )

    def window(self, index: int) -> NDArray[np.int32]:
        """The ids of one window."""
        return self.ids[self.starts[index] : self.starts[index + 1]]

    def window_types(self, index: int) -> NDArray[np.int8]:
        """The types of one window's pieces."""
        return self.types[self.starts[index] : self.starts[index + 1]]


@dataclass(frozen=True, slots=True)
class Batch:
    """One step: `ids`, `mask`, `types`, `marks` int64 [rows, length], and the rows' example indices."""

    ids: NDArray[np.int64]
    mask: NDArray[np.int64]
    types: NDArray[np.int64]
    marks: NDArray[np.int64]
    rows: NDArray[np.int64]


def cutter_of(recipe: Recipe, tokenizer: Tokenizer) -> Cutter:
    """How a model of this recipe will cut its texts."""
    return Cutter(tokenizer, recipe.window_length, recipe.window_overlap, recipe.context_length)


def tokenise(
    texts: Sequence[str],
    tokenizer: Tokenizer,
    recipe: Recipe,
    *,
    contexts: Sequence[str] | None = None,
    spans: Sequence[Spans | None] | None = None,
    most_windows: int | None = None,
) -> Tokenised:
    """Normalise, cut into windows and encode, exactly as the scorer does."""
    ids: list[NDArray[np.int32]] = []
    types: list[NDArray[np.int8]] = []
    marks: list[NDArray[np.int8]] = []
    owner: list[int] = []
    cutter = cutter_of(recipe, tokenizer)
    for index, text in enumerate(texts):
        cut = cutter.cut(normalise(text), None if contexts is None else contexts[index])
        for window in cut.windows[:most_windows]:
            ids.append(window.ids.astype(np.int32))
            types.append(window.types.astype(np.int8))
            marks.append(_marks(window, None if spans is None else spans[index]))
            owner.append(index)
    starts = np.concatenate([[0], np.cumsum([len(p) for p in ids])]).astype(np.int64)
    return Tokenised(
        ids=np.concatenate(ids),
        types=np.concatenate(types),
        marks=np.concatenate(marks),
        starts=starts,
        text=np.array(owner, dtype=np.int64),
    )


def of_examples(
    examples: Examples, tokenizer: Tokenizer, recipe: Recipe, *, most_windows: int | None = None
) -> Tokenised:
    """The windows of examples, with their contexts and marks."""
    return tokenise(
        examples.texts,
        tokenizer,
        recipe,
        contexts=examples.contexts,
        spans=examples.spans,
        most_windows=most_windows,
    )


def _marks(window: Window, spans: Spans | None) -> NDArray[np.int8]:
    """A piece is marked where at least half of its characters are."""
    marks = np.full(len(window.ids), UNMARKED, dtype=np.int8)
    if spans is None:
        return marks
    starts, ends = window.pieces[:, 0], window.pieces[:, 1]
    covered = np.zeros(len(starts), dtype=np.int64)
    for start, end in spans:
        covered += np.maximum(np.minimum(ends, end) - np.maximum(starts, start), 0)
    marks[1 : 1 + len(starts)] = (2 * covered >= np.maximum(ends - starts, 1)).astype(np.int8)
    return marks


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
