"""Fidelity: what a graph loses against what it was made from, in logits and in decisions, and when that is too much.

Parity holds the fp32 graph against PyTorch, logit by logit. Flips hold int8 against fp32: the share of texts whose
outcome under given edges differs, since a logit that moves matters only where it moves a decision. Knows arrays, not
graphs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prefilter.models.known_error import KnownError
from prefilter.models.labels import HEADS


class ExportRefused(KnownError, RuntimeError):
    """The exported graph is not the network: parity or the flip budget is exceeded; the message has the figures."""


@dataclass(frozen=True, slots=True)
class Parity:
    """Absolute logit differences between two runs over the same windows."""

    windows: int
    mean: float
    highest: float


def parity(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> Parity:
    """How far two sets of logits [windows, heads] lie apart."""
    difference = np.abs(ours - theirs)
    return Parity(windows=len(ours), mean=float(difference.mean()), highest=float(difference.max()))


def check_parity(found: Parity, *, budget: float) -> None:
    """Raise `ExportRefused` where the largest difference exceeds `budget` logits."""
    if not found.highest <= budget:
        raise ExportRefused(f"fp32 ONNX differs from PyTorch by {found.highest:.4g} logits; allowed {budget:.4g}")


def outcomes(scores: NDArray[np.float32], edges: Mapping[str, tuple[float, float]]) -> NDArray[np.int8]:
    """0 allow, 1 review, 2 block for scores [n, heads] under `edges` head → (review, block): the highest of all."""
    out = np.zeros(len(scores), dtype=np.int8)
    for head, (review, block) in edges.items():
        column = scores[:, HEADS.index(head)]
        out = np.maximum(out, (column >= review).astype(np.int8) + (column >= block).astype(np.int8))
    return out


def flips(ours: NDArray[np.int8], theirs: NDArray[np.int8], *, budget: float) -> float:
    """The share of outcomes that differ; raises `ExportRefused` above `budget`."""
    share = float((ours != theirs).mean())
    if share > budget:
        raise ExportRefused(f"int8 flips {share:.2%} of decisions against fp32; allowed {budget:.2%}")
    return share
