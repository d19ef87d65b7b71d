"""Two scores of the same rows as one value: ranks, what each edge flags, and the edge of ours that meets theirs.

Weights [n] count each row once, or as often as it was drawn. It knows arrays only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prefilter.eval.matching.move_measures import EdgeCost, Share, share

LEAST_FLAGGED = 10
"""An edge that rests on fewer flagged rows is noise; by precision none is matched."""
LEAST_LABELS = 10
"""Fewer harmful or fewer benign labels match nothing by recall or precision."""

Floats = NDArray[np.float64]
Scores = NDArray[np.floating]
Rows = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ScoreOrder:
    """A score's distinct values from the highest down [m], and which of them each row has [n]."""

    values: Floats
    cell: NDArray[np.int64]

    @classmethod
    def of(cls, scores: Scores) -> ScoreOrder:
        ascending, inverse = np.unique(scores.astype(np.float64), return_inverse=True)
        return cls(ascending[::-1], (ascending.size - 1 - inverse).astype(np.int64))

    def tally(self, weights: Floats) -> Floats:
        """The weight [m] that an edge at each value flags."""
        return np.cumsum(np.bincount(self.cell, weights, minlength=self.values.size))

    def ranks(self, weights: Floats) -> Floats:
        """The middle rank [n] of each row, ties sharing one."""
        flagged = self.tally(weights)
        middle: Floats = (flagged - np.diff(flagged, prepend=0.0) / 2)[self.cell]
        return middle


@dataclass(frozen=True, slots=True)
class ScorePair:
    """Rows with both scores; weights [n] count each row once, or as often as it was drawn."""

    theirs: Floats
    ours: Floats
    harmful: Floats
    benign: Floats
    their_order: ScoreOrder
    our_order: ScoreOrder

    @classmethod
    def of(
        cls, theirs: Scores, ours: Scores, labels: Scores | None
    ) -> ScorePair:
        known = np.full(theirs.size, np.nan) if labels is None else labels
        return cls(
            theirs.astype(np.float64),
            ours.astype(np.float64),
            (known == 1).astype(np.float64),
            (known == 0).astype(np.float64),
            ScoreOrder.of(theirs),
            ScoreOrder.of(ours),
        )

    @property
    def n(self) -> int:
        return self.theirs.size

    @property
    def labelled_enough(self) -> bool:
        return bool(min(self.harmful.sum(), self.benign.sum()) >= LEAST_LABELS)

    def spearman(self, weights: Floats) -> float:
        """Rank correlation, ties at their middle rank; NaN where a score is the same everywhere."""
        a, b = self.their_order.ranks(weights), self.our_order.ranks(weights)
        total = weights.sum()
        a, b = a - a @ weights / total, b - b @ weights / total
        scale = math.sqrt(float((a * a) @ weights) * float((b * b) @ weights))
        return float((a * b) @ weights) / scale if scale > 0 else math.nan

    def match(self, flagged: Rows, weights: Floats) -> dict[str, float]:
        """Our edge by each way for the rows that they flag; a way that no edge goes is absent."""
        values, found = self.our_order.values, {}
        wanted = float(weights[flagged].sum())
        if wanted == 0:
            return {}
        volume = self.our_order.tally(weights)
        # Between the last edge that flags too few and the first that flags enough, the nearer; enough, where they tie.
        enough = int(np.searchsorted(volume, wanted))
        fewer = enough > 0 and wanted - volume[enough - 1] < volume[enough] - wanted
        found["volume"] = float(values[enough - 1 if fewer else enough])
        if not self.labelled_enough:
            return found
        hits = self.our_order.tally(weights * self.harmful)
        their_hits = float((weights * self.harmful)[flagged].sum())
        if their_hits > 0:
            found["recall"] = float(values[int(np.searchsorted(hits, their_hits))])
        labelled = hits + self.our_order.tally(weights * self.benign)
        their_labelled = their_hits + float((weights * self.benign)[flagged].sum())
        if their_labelled >= LEAST_FLAGGED:
            right = (hits * their_labelled >= their_hits * labelled) & (labelled >= LEAST_FLAGGED)
            if right.any():
                found["precision"] = float(values[int(np.flatnonzero(right)[-1])])
        return found

    def cost(self, edge: float, flagged: Rows) -> EdgeCost:
        """What an edge that flags these rows costs: volume, and precision and recall where labels are."""
        hits, wrong = int(self.harmful[flagged].sum()), int(self.benign[flagged].sum())
        precision: Share | None = None
        recall: Share | None = None
        if self.harmful.any() or self.benign.any():
            precision, recall = share(hits, hits + wrong), share(hits, int(self.harmful.sum()))
        return EdgeCost(edge=edge, volume=share(int(flagged.sum()), self.n), precision=precision, recall=recall)

    @property
    def labels(self) -> Floats | None:
        if not (self.harmful.any() or self.benign.any()):
            return None
        return np.where(self.harmful > 0, 1.0, np.where(self.benign > 0, 0.0, np.nan))
