"""Spans: the characters that the model marks against those that people marked."""

from __future__ import annotations

from dataclasses import dataclass

from prefilter.eval.document.category_measures import Intervals
from prefilter.eval.document.json_parts import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanMeasures(Part):
    """F1 averaged over `n` texts; precision, recall and shares are of characters over all texts."""

    n: int
    f1: float
    precision: float | None
    recall: float | None
    masked_share: float | None
    gold_share: float | None
    ci95: Intervals


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSpanMeasures(SpanMeasures):
    """What is shown, and under `at_edge` what reached the head's edge alone."""

    at_edge: SpanMeasures | None
