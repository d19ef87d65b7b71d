"""Fidelity: a graph that is not the network is refused, and what int8 loses is counted in decisions."""

from __future__ import annotations

import numpy as np
import pytest

from prefilter.classifier.graph.fidelity import ExportRefused, check_parity, flips, outcomes, parity
from prefilter.models.labels import HEADS


def test_a_graph_that_is_not_the_network_is_refused():
    ours = np.zeros((2, len(HEADS)), dtype=np.float32)
    with pytest.raises(ExportRefused, match="differs"):
        check_parity(parity(ours, ours + 0.5), budget=0.01)


def test_a_flip_is_any_change_of_outcome():
    edges = {"hate": (0.5, 0.9)}
    scores = np.zeros((4, len(HEADS)), dtype=np.float32)
    scores[:, HEADS.index("hate")] = [0.1, 0.5, 0.89, 0.9]
    assert outcomes(scores, edges).tolist() == [0, 1, 1, 2]
    assert flips(np.array([0, 1, 2], np.int8), np.array([0, 1, 1], np.int8), budget=0.5) == pytest.approx(1 / 3)
