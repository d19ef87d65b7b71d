"""Metrics of one score against one label: ranking, recall at few false alarms, calibration; with intervals.

It knows arrays of numbers only: no suites, no models. Unknown labels are masked before they get here. A
metric that the data cannot define (no positives, say) is NaN here and null in JSON; never a flattering
constant.

Definitions, the same for the value and for its bootstrap replicates:

- `auroc`: area under the ROC curve, ties count half.
- `auprc`: average precision (the step-wise sum, no interpolation); tied scores enter together.
- `recall_at_1pct_fpr`: the highest recall of any threshold whose false-positive rate is at most 1 %. With
  fewer than 100 negatives that means no false positive at all.
- `ece`: expected calibration error over 15 bins of equal mass; rows with the same score share a bin.

Intervals resample rows with replacement: percentile intervals for the ranking metrics. Noise can only push
`ece` up, so percentiles would lie above the truth: its interval has their spread around the value, and
reaches down by the error that a perfectly calibrated score would show by chance. Rather too wide than too
narrow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

METRICS: tuple[str, ...] = ("auroc", "auprc", "recall_at_1pct_fpr", "ece")
ECE_BINS = 15
MAX_FPR = 0.01
REPLICATES = 1_000
_CHUNK_CELLS = 4_000_000  # bounds the memory of one batch of replicates
_LEAST_VALID = 0.9  # an interval needs this share of replicates in which its metric is defined

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Measures:
    """Metrics of one score on `n` rows, NaN where undefined; `ci95` maps a metric to its 95 % interval."""

    n: int
    positives: int
    auroc: float = math.nan
    auprc: float = math.nan
    recall_at_1pct_fpr: float = math.nan
    ece: float = math.nan
    ci95: dict[str, tuple[float, float]] = field(default_factory=dict)


def defined(value: float) -> float | None:
    """Return the value as a plain float, or None where it is not a finite number."""
    return float(value) if math.isfinite(value) else None


def measure(
    scores: NDArray[np.floating],
    positive: NDArray[np.bool_],
    *,
    seed: int = 0,
    replicates: int = REPLICATES,
) -> Measures:
    """Measure scores [n] in [0,1] against labels [n]; `replicates=0` leaves the intervals out.

    The same input and seed give the same intervals. Raises ValueError for a NaN score or unequal lengths.
    """
    if scores.shape != positive.shape or scores.ndim != 1:
        raise ValueError("scores and labels must be one-dimensional and of one length")
    if np.isnan(scores).any():
        raise ValueError("a score is NaN: mask rows without scores first")
    n, positives = int(positive.size), int(positive.sum())
    if n == 0:
        return Measures(0, 0)
    ranking = _Ranking(scores, positive)
    values = {name: float(row[0]) for name, row in ranking.evaluate(ranking.cells[None, :]).items()}
    ci95: dict[str, tuple[float, float]] = {}
    if replicates:
        drawn, noise = ranking.replicate(replicates, seed), ranking.chance_ece()
        ci95 = {
            name: bounds
            for name in METRICS
            if (bounds := _interval(name, values[name], drawn[name], noise=noise))
        }
    return Measures(n, positives, ci95=ci95, **values)


def auroc(positive_scores: NDArray[np.floating], negative_scores: NDArray[np.floating]) -> float:
    """Chance that a positive outscores a negative, ties half; NaN where either side is empty."""
    if not positive_scores.size or not negative_scores.size:
        return math.nan
    ordered = np.sort(negative_scores)
    below = np.searchsorted(ordered, positive_scores, side="left")
    not_above = np.searchsorted(ordered, positive_scores, side="right")
    return float((below + not_above).sum() / (2.0 * positive_scores.size * negative_scores.size))


def auroc_interval(
    positive_scores: NDArray[np.floating], negative_scores: NDArray[np.floating]
) -> tuple[float, float] | None:
    """Return the 95 % interval of `auroc` by DeLong's variance; None with fewer than two rows on a side."""
    m, n = positive_scores.size, negative_scores.size
    if min(m, n) < 2:
        return None
    area = auroc(positive_scores, negative_scores)
    variance = 0.0
    for own, other in ((positive_scores, negative_scores), (negative_scores, positive_scores)):
        ordered = np.sort(other)
        below = np.searchsorted(ordered, own, side="left") + np.searchsorted(ordered, own, side="right")
        variance += float((below / (2.0 * other.size)).var(ddof=1)) / own.size
    spread = 1.959963984540054 * math.sqrt(variance)
    return max(0.0, area - spread), min(1.0, area + spread)


def wilson(successes: int, n: int) -> tuple[float, float] | None:
    """Return the 95 % Wilson interval of a share, None for n = 0."""
    if n == 0:
        return None
    z = 1.959963984540054
    share = successes / n
    middle = share + z * z / (2 * n)
    spread = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # At the ends the bound is exactly 0 or 1; rounding must not say otherwise.
    low = 0.0 if successes == 0 else max(0.0, (middle - spread) / scale)
    return low, 1.0 if successes == n else min(1.0, (middle + spread) / scale)


def reliability(
    scores: NDArray[np.floating], positive: NDArray[np.bool_], *, bins: int = ECE_BINS
) -> list[tuple[float, float, int]]:
    """Return (mean score, share of positives, rows) of each equal-mass bin that holds rows, lowest first."""
    if not scores.size:
        return []
    ranking = _Ranking(scores, positive, bins=bins)
    negatives, hits = ranking.cells[0::2], ranking.cells[1::2]
    starts = ranking.bin_starts
    mass = np.add.reduceat(negatives + hits, starts)
    mean = np.add.reduceat((negatives + hits) * ranking.values, starts) / mass
    share = np.add.reduceat(hits, starts) / mass
    return [(float(m), float(s), int(c)) for m, s, c in zip(mean, share, mass, strict=True)][::-1]


class _Ranking:
    """Rows reduced to cells: for each distinct score, from the highest down, its negatives and positives.

    A bootstrap replicate is then a vector of cell counts, and every metric a few cumulative sums over it.
    """

    def __init__(
        self, scores: NDArray[np.floating], positive: NDArray[np.bool_], *, bins: int = ECE_BINS
    ) -> None:
        ascending, inverse = np.unique(scores.astype(np.float64), return_inverse=True)
        self.values: Floats = ascending[::-1]
        self.row_cell = 2 * (ascending.size - 1 - inverse) + positive
        self.cells = np.bincount(self.row_cell, minlength=2 * ascending.size).astype(np.float64)
        mass = self.cells[0::2] + self.cells[1::2]
        middle = (np.cumsum(mass) - mass / 2) / mass.sum()
        bin_of = np.minimum((middle * bins).astype(np.int64), bins - 1)
        self.bin_starts = np.flatnonzero(np.diff(bin_of, prepend=-1))

    def evaluate(self, cells: Floats) -> dict[str, Floats]:
        """Return each metric [replicates] of cell counts [replicates, 2 · distinct scores]."""
        negative, hit = cells[:, 0::2], cells[:, 1::2]
        true, false = np.cumsum(hit, axis=1), np.cumsum(negative, axis=1)
        positives, negatives = true[:, -1], false[:, -1]
        with np.errstate(divide="ignore", invalid="ignore"):
            both = np.where((positives > 0) & (negatives > 0), 1.0, np.nan)
            area = (negative * (true - hit / 2)).sum(axis=1) / (positives * negatives)
            flagged = true + false
            precision = np.divide(true, flagged, out=np.zeros_like(true), where=flagged > 0)
            step = (hit * precision).sum(axis=1) / positives
            few = false / negatives[:, None] <= MAX_FPR
            recall = (true * few).max(axis=1) / positives
            gap = np.add.reduceat(hit - (hit + negative) * self.values, self.bin_starts, axis=1)
            ece = np.abs(gap).sum(axis=1) / (positives + negatives)
        return {"auroc": area * both, "auprc": step * both, "recall_at_1pct_fpr": recall * both, "ece": ece}

    def chance_ece(self) -> float:
        """Return the `ece` that perfectly calibrated scores would be expected to show on as many rows."""
        negatives = np.add.reduceat(self.cells[0::2], self.bin_starts)
        hits = np.add.reduceat(self.cells[1::2], self.bin_starts)
        mass = negatives + hits
        # The mean of |N(0, s)| is s·√(2/π), with s² = p(1-p)·mass for the positives of a bin.
        return float(np.sqrt(2 / np.pi * hits * negatives / mass).sum() / mass.sum())

    def replicate(self, replicates: int, seed: int) -> dict[str, Floats]:
        """Return each metric [replicates] on rows drawn with replacement."""
        rng = np.random.default_rng(seed)
        rows, width = self.row_cell.size, self.cells.size
        chunk = max(1, min(replicates, _CHUNK_CELLS // max(rows, width)))
        parts: list[dict[str, Floats]] = []
        for start in range(0, replicates, chunk):
            size = min(chunk, replicates - start)
            drawn = self.row_cell[rng.integers(0, rows, size=(size, rows))]
            drawn += (np.arange(size) * width)[:, None]
            counts = np.bincount(drawn.ravel(), minlength=size * width).reshape(size, width)
            parts.append(self.evaluate(counts.astype(np.float64)))
        return {name: np.concatenate([part[name] for part in parts]) for name in METRICS}


def _interval(name: str, value: float, drawn: Floats, *, noise: float) -> tuple[float, float] | None:
    valid = drawn[np.isfinite(drawn)]
    if not math.isfinite(value) or valid.size < _LEAST_VALID * drawn.size:
        return None
    low, middle, high = (float(q) for q in np.percentile(valid, [2.5, 50, 97.5]))
    if name == "ece":
        spread = high - middle
        low, high = max(0.0, value - noise - spread), min(1.0, value + spread)
    return low, high
