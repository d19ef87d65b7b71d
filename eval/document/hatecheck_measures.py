"""HateCheck: a score's accuracy at one threshold on all cases, by functionality and by the group targeted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prefilter.eval.document.category_measures import Intervals
from prefilter.eval.document.json_parts import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy(Part):
    """The share of `n` cases that are right, None of no cases."""

    n: int
    accuracy: float | None
    ci95: Intervals


@dataclass(frozen=True, slots=True, kw_only=True)
class HatecheckHeadlines(Part):
    """The three accuracies that a comparison shows."""

    all: Accuracy
    hateful: Accuracy
    non_hateful: Accuracy


@dataclass(frozen=True, slots=True, kw_only=True)
class HatecheckMeasures(Part):
    """The check of one head."""

    head: str
    threshold: float
    all: Accuracy
    hateful: Accuracy
    non_hateful: Accuracy
    functionalities: Mapping[str, Accuracy]
    targets: Mapping[str, Accuracy]
