"""The wide part: a linear model on word pieces and neighbouring pairs of them, fitted by itself and then added.

Wide and deep learning (Cheng et al. 2016, arXiv:1606.07792) with one change: the two parts are fitted apart. A linear
model on words and a network err on different texts, above all on unseen sources; fitted together, the wide part would
only learn what the deep one leaves. `Wide` is the part of the network, tables and sums alone, so that it runs inside
the same ONNX graph; `fit_wide` makes its tables by logistic regression, one head at a time (scikit-learn). Pairs are
hashed into `PAIRS` rows. Knows word pieces, not texts.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits
from torch import Tensor, nn

from prefilter.models.labels import HEADS

PAIRS = 2**17
LEFT, RIGHT = 1_000_003, 7_919
"""Factors of the pair's hash: (first · LEFT + second · RIGHT) mod PAIRS."""
LEAST_TEXTS = 4
"""A piece or pair in fewer training texts than this has no weight: it would only name its text."""
LEAST_OF_A_KIND = 10
Floats = NDArray[np.float32]


class Wide(nn.Module):
    """Piece ids [batch, tokens] and a keep mask (1 = a piece of the text, no mark) to logits [batch, heads].

    The logit of a window is the sum over its pieces and neighbouring pairs of their table rows, divided by the square
    root of the number of pieces, so that long windows do not dominate.
    """

    def __init__(self, vocabulary: int, *, heads: int = len(HEADS), pairs: int = PAIRS) -> None:
        super().__init__()
        self.pairs_count = pairs
        self.pieces = nn.Parameter(torch.zeros(vocabulary, heads), requires_grad=False)
        self.pairs = nn.Parameter(torch.zeros(pairs, heads), requires_grad=False)
        self.bias = nn.Parameter(torch.zeros(heads), requires_grad=False)

    def forward(self, input_ids: Tensor, keep: Tensor) -> Tensor:
        pair = (input_ids[:, :-1] * LEFT + input_ids[:, 1:] * RIGHT) % self.pairs_count
        both = (keep[:, :-1] * keep[:, 1:]).unsqueeze(-1)
        said = (self.pieces[input_ids] * keep.unsqueeze(-1)).sum(dim=1) + (self.pairs[pair] * both).sum(dim=1)
        pieces = keep.sum(dim=1, keepdim=True).clamp(min=1.0)
        return said / pieces.sqrt() + self.bias


def piece_counts(
    ids: NDArray[np.int32], owner: NDArray[np.int64], marks: tuple[int, int], rows: int, *, vocabulary: int
) -> sparse.csr_matrix:
    """Scaled counts [rows, vocabulary + PAIRS] of ids laid end to end; `owner` [ids] is each id's row.

    The columns are the pieces by id, then the hashed pairs; a row is divided by the square root of its number of
    pieces, as `Wide` does.
    """
    pieces = ids.astype(np.int64)
    kept = ~np.isin(pieces, marks)
    pair = (pieces[:-1] * LEFT + pieces[1:] * RIGHT) % PAIRS
    joined = kept[:-1] & kept[1:] & (owner[:-1] == owner[1:])
    row = np.concatenate([owner[kept], owner[:-1][joined]])
    column = np.concatenate([pieces[kept], vocabulary + pair[joined]])
    counts = sparse.csr_matrix(
        (np.ones(len(row), dtype=np.float32), (row, column)), shape=(rows, vocabulary + PAIRS)
    )
    counts.sum_duplicates()
    length = np.maximum(np.bincount(owner[kept], minlength=rows), 1)
    scaled: sparse.csr_matrix = (sparse.diags((length**-0.5).astype(np.float32)) @ counts).tocsr()
    return scaled


def fit_wide(
    counts: sparse.csr_matrix, labels: Floats, weights: Floats, *, strength: float = 1.0
) -> tuple[Floats, Floats]:
    """Table [columns, heads] and bias [heads] by logistic regression on the known labels of each head.

    `counts` from `piece_counts`; `labels`, `weights` [rows, heads], weight 0 where unknown. Columns are weighted by
    ln(rows / rows that have it) while fitting, and that weight is part of the table returned. `strength` is the
    inverse of the L2 penalty at mean weight 1. A head without `LEAST_OF_A_KIND` of both kinds stays 0.
    """
    having = np.asarray((counts > 0).sum(axis=0)).ravel()
    rarity = np.where(having >= LEAST_TEXTS, np.log((counts.shape[0] + 1) / np.maximum(having, 1)), 0.0)
    rarity = rarity.astype(np.float32)
    scaled = (counts @ sparse.diags(rarity)).tocsr()
    table = np.zeros((counts.shape[1], labels.shape[1]), dtype=np.float32)
    bias = np.zeros(labels.shape[1], dtype=np.float32)
    for head in range(labels.shape[1]):
        rows = np.flatnonzero(weights[:, head] > 0)
        positive, weight = labels[rows, head] >= 0.5, weights[rows, head]
        if min(positive.sum(), (~positive).sum()) < LEAST_OF_A_KIND:
            continue
        model = LogisticRegression(C=strength / float(weight.mean()), max_iter=200, tol=1e-3)
        with threadpool_limits(1, user_api="blas"):
            model.fit(scaled[rows], positive, sample_weight=weight)
        table[:, head], bias[head] = model.coef_[0] * rarity, model.intercept_[0]
    return table, bias
