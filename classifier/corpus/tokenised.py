"""Tokenised texts: the windows of many texts laid end to end, with the marks that people made in them.

Texts are normalised, cut and encoded exactly as the scorer does. Knows texts and pieces; knows neither labels nor how
windows are put into batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from prefilter.classifier.corpus.examples import Examples
from prefilter.classifier.corpus.sources import Spans
from prefilter.classifier.recipe import Recipe
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
