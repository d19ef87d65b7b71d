"""The student: the fast stage as a network that can be trained, and as the arrays that ship.

The same numbers as `models.fast` computes, on padded batches with gradients: a vector per word and per pair of words,
the highest mean over windows of two lengths, the mean over the text, two dense layers. Buckets that training saw too
seldom share one vector, which is also that of unseen words; the most frequent ones are kept up to a number that fits
into the artefact. Vectors ship as int8 with a scale per dimension. Knows neither teachers nor files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from prefilter.models.fast.fast_stage import NARROW, WIDE
from prefilter.models.fast.ngrams import BITS, Ngrams


@dataclass(frozen=True, slots=True)
class Kept:
    """The buckets that have a vector of their own: int64, rising. Row 0 of a table is that of all others."""

    words: NDArray[np.int64]
    pairs: NDArray[np.int64]

    @classmethod
    def most_frequent(
        cls, texts: Sequence[Ngrams], *, words: int, pairs: int, least_words: int, least_pairs: int
    ) -> Kept:
        """The buckets met most often, at most so many, each at least so often."""
        return cls(
            _top([text.words for text in texts], words, least_words),
            _top([text.pairs for text in texts], pairs, least_pairs),
        )

    def rows(self, text: Ngrams) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The table rows of a text's words and pairs, int32 [words] each."""
        return _rows(self.words, text.words), _rows(self.pairs, text.pairs)


class Student(nn.Module):
    """Logits [texts, outputs] from padded rows: `words`, `pairs` int64 [texts, longest], `lengths` [texts]."""

    def __init__(self, kept: Kept, *, width: int, hidden: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.words = nn.Embedding(len(kept.words) + 1, width, sparse=True)
        self.pairs = nn.Embedding(len(kept.pairs) + 1, width, sparse=True)
        for table in (self.words, self.pairs):
            nn.init.normal_(table.weight, std=0.01)
        self.first = nn.Linear(3 * width + 2, hidden)
        self.second = nn.Linear(hidden, outputs)
        nn.init.constant_(self.second.bias, -3.0)
        self.dropout = nn.Dropout(dropout)

    def forward(self, words: Tensor, pairs: Tensor, lengths: Tensor) -> Tensor:
        longest = words.shape[1]
        inside = torch.arange(longest)[None, :] < lengths[:, None]
        vectors = (self.words(words) + self.pairs(pairs)) * inside[:, :, None]
        running = torch.cat([torch.zeros(len(words), 1, vectors.shape[2]), vectors.cumsum(1)], 1)
        whole = running[:, -1] / lengths.sqrt()[:, None]
        pooled = torch.cat([_highest(running, lengths, WIDE), whole, _highest(running, lengths, NARROW)], 1)
        unseen = ((words == 0) & inside).sum(1) / lengths
        extra = torch.stack([lengths.log() / 3, unseen], 1)
        logits: Tensor = self.second(torch.relu(self.first(torch.cat([self.dropout(pooled), extra], 1))))
        return logits

    def arrays(self, kept: Kept) -> dict[str, NDArray[np.generic]]:
        """What `models.fast.FastStage` loads."""
        words, pairs = (table.weight.detach().numpy() for table in (self.words, self.pairs))
        scale = np.maximum(np.abs(words).max(axis=0), np.abs(pairs).max(axis=0)) / 127
        small_words, small_pairs = (np.round(t / scale).astype(np.int8) for t in (words, pairs))
        return {
            "word_rows": kept.words.astype(np.uint32),
            "pair_rows": kept.pairs.astype(np.uint32),
            "words": small_words[1:],
            "pairs": small_pairs[1:],
            "unseen": np.stack([small_words[0], small_pairs[0]]),
            "scale": scale.astype(np.float32),
            "w1": self.first.weight.detach().numpy().T.astype(np.float32),
            "b1": self.first.bias.detach().numpy().astype(np.float32),
            "w2": self.second.weight.detach().numpy().T.astype(np.float32),
            "b2": self.second.bias.detach().numpy().astype(np.float32),
        }


def _highest(running: Tensor, lengths: Tensor, size: int) -> Tensor:
    """[texts, width]: the highest sum over a window of `size` words, divided by the root of its words."""
    longest = running.shape[1] - 1
    starts = torch.arange(0, max(longest - size // 2, 1), size // 2)
    ends = torch.minimum(starts[None, :] + size, lengths[:, None]).long()
    counts = (ends - starts[None, :]).clamp(min=1)
    index = ends[:, :, None].expand(-1, -1, running.shape[2])
    means = (running.gather(1, index) - running[:, starts]) / counts.sqrt()[:, :, None]
    # a text has the windows that `models.fast` cuts: the first, and every other that reads half a window anew
    there = (starts[None, :] == 0) | (ends - starts[None, :] > size // 2)
    highest: Tensor = means.masked_fill(~there[:, :, None], -torch.inf).max(1).values
    return highest


def _top(buckets: Sequence[NDArray[np.int64]], most: int, least: int) -> NDArray[np.int64]:
    counts = np.bincount(np.concatenate(buckets), minlength=1 << BITS)
    order = np.argsort(-counts, kind="stable")[:most]
    return np.sort(order[counts[order] >= least])


def _rows(kept: NDArray[np.int64], buckets: NDArray[np.int64]) -> NDArray[np.int32]:
    table = np.zeros(1 << BITS, dtype=np.int32)
    table[kept] = np.arange(1, len(kept) + 1)
    return table[buckets]
