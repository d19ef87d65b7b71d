"""Points of curves, thinned to a few dozen, so that plots can be drawn from the document alone."""

from __future__ import annotations

from dataclasses import dataclass

from prefilter.eval.document.json_parts import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class PrecisionRecall(Part):
    """Precision at each recall."""

    recall: tuple[float, ...]
    precision: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LowRoc(Part):
    """Recall at each false-positive rate."""

    fpr: tuple[float, ...]
    recall: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictCurves(Part):
    """The curves of the verdict of harm on one suite."""

    prevalence: float
    pr: PrecisionRecall
    roc: LowRoc


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityBins(Part):
    """One head on all suites together: (mean score, share of positives, rows) of each bin of equal mass."""

    n: int
    bins: tuple[tuple[float, float, int], ...]
