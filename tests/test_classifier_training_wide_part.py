"""The wide part: what is fitted on counts is what the network adds, piece by piece and pair by pair."""

from __future__ import annotations

import numpy as np
import torch

from prefilter.classifier.training.wide_part import PAIRS, Wide, fit_wide, piece_counts
from prefilter.models.labels import HEADS

MARKS = (101, 102)
VOCABULARY = 200


def rows(count=400, seed=3):
    """Windows of random pieces; those of the second half hold piece 150 before piece 151."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        pieces = rng.integers(103, 150, rng.integers(3, 9)).tolist()
        made.append([101, *pieces, *([150, 151] if number >= count // 2 else [151, 150]), 102])
    return made


def counts(windows):
    ids = np.array([i for window in windows for i in window], dtype=np.int32)
    owner = np.repeat(np.arange(len(windows)), [len(w) for w in windows])
    return piece_counts(ids, owner, MARKS, len(windows), vocabulary=VOCABULARY)


def fitted(windows):
    labels = np.zeros((len(windows), len(HEADS)), dtype=np.float32)
    labels[len(windows) // 2 :, 0] = 1.0
    weights = np.zeros_like(labels)
    weights[:, 0] = 1.0
    return fit_wide(counts(windows), labels, weights, strength=10.0)


def test_the_order_of_two_pieces_is_learned_from_their_pair():
    windows = rows()
    table, bias = fitted(windows)
    logits = counts(windows) @ table + bias
    assert (logits[200:, 0] > 0).mean() > 0.95
    assert (logits[:200, 0] < 0).mean() > 0.95


def test_a_head_without_labels_stays_silent():
    table, bias = fitted(rows())
    assert not table[:, 1:].any()
    assert not bias[1:].any()


def test_the_network_computes_what_was_fitted():
    windows = rows(50)
    table, bias = fitted(rows())
    wide = Wide(VOCABULARY)
    wide.pieces.data, wide.pairs.data = torch.from_numpy(table[:VOCABULARY]), torch.from_numpy(table[VOCABULARY:])
    wide.bias.data = torch.from_numpy(bias)
    ids = torch.zeros((50, 16), dtype=torch.int64)
    for row, window in enumerate(windows):
        ids[row, : len(window)] = torch.tensor(window)
    keep = ((ids > 0) & (ids != 101) & (ids != 102)).float()
    assert np.allclose(wide(ids, keep).numpy(), counts(windows) @ table + bias, atol=1e-4)
    assert wide.pairs.shape == (PAIRS, len(HEADS))
