"""Identity bias: three areas under the ROC curve per identity term, the worst of each and their means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prefilter.eval.document.category_measures import Intervals
from prefilter.eval.document.json_parts import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class TermMeasures(Part):
    """One identity term."""

    n: int
    subgroup: float | None
    bpsn: float | None
    bnsp: float | None
    mean_benign_score: float
    ci95: Intervals | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstTerm(Part):
    """The term of the lowest area of one kind."""

    term: str
    auroc: float
    ci95: Intervals | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstTerms(Part):
    """The worst term of each kind, None where no term has enough texts."""

    worst: Mapping[str, WorstTerm | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class BiasMeasures(Part):
    """One head; `power_mean` and `worst` by kind of area."""

    overall_auroc: float | None
    terms: Mapping[str, TermMeasures]
    power_mean: Mapping[str, float | None]
    worst: Mapping[str, WorstTerm | None]
