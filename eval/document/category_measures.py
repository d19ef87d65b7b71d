"""What one score measures against one label: ranking, recall at few false alarms, calibration, each with its interval.

The same shape for a category, the verdict of harm, a slice and the evidence of a sub-category. None is undefined.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from prefilter.eval.document.json_parts import LEADING, Part
from prefilter.eval.metrics import METRICS, Measures, defined, wilson

Interval = tuple[float, float]
Intervals = Mapping[str, Interval | None]


class Estimated(Protocol):
    """A part whose `ci95` maps the name of a measure to its 95 % interval."""

    @property
    def ci95(self) -> Intervals | None:
        """The intervals by name."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measure's value and 95 % interval, None where undefined."""

    value: float | None
    ci95: Interval | None = None


def estimate(row: Estimated, name: str) -> Estimate:
    """Return the measure that a part has under `name`, with the interval beside it."""
    return Estimate(getattr(row, name), (row.ci95 or {}).get(name))


def share_of(value: float, n: int) -> Estimate:
    """Return a share of `n` rows with its 95 % interval."""
    return Estimate(value, wilson(round(value * n), n))


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedMeasures(Part):
    """Measures on `n` rows with scores and known labels."""

    n: int
    positives: int
    auroc: float | None
    auprc: float | None
    recall_at_1pct_fpr: float | None
    ece: float | None
    ci95: Intervals

    @staticmethod
    def of(own: Measures) -> RankedMeasures:
        """Return what was measured as a document holds it: every measure is named, None where undefined."""
        return RankedMeasures(
            n=own.n,
            positives=own.positives,
            auroc=defined(own.auroc),
            auprc=defined(own.auprc),
            recall_at_1pct_fpr=defined(own.recall_at_1pct_fpr),
            ece=defined(own.ece),
            ci95={name: own.ci95.get(name) for name in METRICS},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryMeasures(RankedMeasures):
    """A category of a suite, or the verdict; `n_unscored` rows have a label and no score."""

    n_unscored: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceMeasures(CategoryMeasures):
    """A slice of a suite: `fpr_at_half` is the share of its benign rows with a score of one half or more."""

    fpr_at_half: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthMeasures(SliceMeasures):
    """All suites of harm together, texts of `chars` code points (shortest, longest)."""

    chars: tuple[int, int] = field(metadata=LEADING)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceMeasures(RankedMeasures):
    """A sub-category on one suite that labels it; `against` says where its negatives are from."""

    suite: str = field(metadata=LEADING)
    split: str | None = field(metadata=LEADING)
    weak: bool = field(metadata=LEADING)
    seen: bool = field(metadata=LEADING)
    against: str = field(metadata=LEADING)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubcategoryMeasures(Part):
    """A sub-category without a head, the heads whose least score stands in for it, and its evidence."""

    name: str
    heads: tuple[str, ...]
    evidence: tuple[EvidenceMeasures, ...]
