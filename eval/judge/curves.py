"""Curves: precision against recall, ROC at few false alarms, reliability, each thinned to a few dozen points.

They are part of the results document, so that the page of plots can be drawn again from it alone. Knows scores
and labels, draws nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from prefilter.eval.document import LowRoc, PrecisionRecall, ReliabilityBins, VerdictCurves
from prefilter.eval.judge.assessment import Assessment
from prefilter.eval.metrics import reliability
from prefilter.eval.suites.suite import verdict
from prefilter.models.labels import ANY, HEADS

LEAST_ROWS = 20  # fewer rows on either side make no curve
_POINTS = 48
_LOWEST_FPR = 1e-3

Scores = NDArray[np.float64]
Truth = NDArray[np.bool_]


def verdict_curves(assessment: Assessment) -> VerdictCurves | None:
    """Return the curves of the verdict of harm on one suite, None where it has too few rows of a kind."""
    scores, positive = _judged(assessment, ANY)
    harmful, benign = int(positive.sum()), int((~positive).sum())
    if min(harmful, benign) < LEAST_ROWS:
        return None
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), scores.size - 1)  # one point a distinct score
    true, false = np.cumsum(positive[order])[ends], np.cumsum(~positive[order])[ends]
    recall = true / harmful
    # The last point at or below each place on the axis; the end is always kept.
    places = np.linspace(0, 1, _POINTS)
    picked = np.unique(np.append(np.searchsorted(recall, places, side="right") - 1, recall.size - 1).clip(0))
    rates = np.geomspace(_LOWEST_FPR, 1, _POINTS)
    at = np.searchsorted(false / benign, rates, side="right") - 1
    caught = np.where(at >= 0, true[at.clip(0)], 0) / harmful
    return VerdictCurves(
        prevalence=harmful / (harmful + benign),
        pr=PrecisionRecall(recall=_short(recall[picked]), precision=_short((true / (true + false))[picked])),
        roc=LowRoc(fpr=_short(rates), recall=_short(caught)),
    )


def pooled_reliability(assessments: Sequence[Assessment]) -> dict[str, ReliabilityBins]:
    """Return per head the bins (mean score, share of positives, rows) of all suites together."""
    found = {}
    for head in HEADS:
        pairs = [_judged(assessment, head) for assessment in assessments]
        scores = np.concatenate([scores for scores, _ in pairs]) if pairs else np.empty(0)
        positive = np.concatenate([own for _, own in pairs]) if pairs else np.empty(0, dtype=bool)
        if min(int(positive.sum()), int((~positive).sum())) >= LEAST_ROWS:
            bins = tuple((_four(mean), _four(share), rows) for mean, share, rows in reliability(scores, positive))
            found[head] = ReliabilityBins(n=int(positive.size), bins=bins)
    return found


def _judged(assessment: Assessment, head: str) -> tuple[Scores, Truth]:
    """Return scores and labels of the rows where both are known."""
    suite, part = assessment.suite, assessment.scoring.declared
    if head == ANY:
        known, positive = verdict(suite)
    elif head in suite.labels:
        known, positive = suite.known(head), suite.positive(head)
    else:
        return np.empty(0), np.empty(0, dtype=bool)
    scores = part.of(head)
    rows = known & ~np.isnan(scores)
    return scores[rows].astype(np.float64), positive[rows]


def _short(values: Scores) -> tuple[float, ...]:
    return tuple(_four(value) for value in values)


def _four(value: float) -> float:
    """A plot needs no more than four places."""
    return round(float(value), 4)
