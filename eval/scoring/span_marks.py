"""Marks: the characters of each text that a model marks, as `explain` shows them and of those what reached the edge.

They are asked for anew each time: marks are of no fixed size, so no cache of numbers holds them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from prefilter.eval.scoring.suite_scores import TextScorer
from prefilter.eval.suites.suite import Spans, Suite

_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Marked:
    """Per row what a model marks: `shown` by `explain`, and of that what `reached` the head's edge."""

    shown: list[Spans]
    reached: list[Spans]


def mark(suite: Suite, scorer: TextScorer, *, edges: Mapping[str, float], workers: int) -> Marked:
    """Return what the model marks for any head of `edges` (log-odds); nothing for a row without scores."""
    languages = suite.extra.get("lang", [None] * suite.n)
    least = {head: 1 / (1 + math.exp(-edge)) for head, edge in edges.items()}

    def one(text: object, language: str | None) -> tuple[Spans, Spans]:
        found = [s for s in scorer.score_one(text, language=language).spans if s.category in least]
        reached = (s for s in found if s.score >= least[s.category] - _ROUNDING)
        return tuple((s.start, s.end) for s in found), tuple((s.start, s.end) for s in reached)

    with ThreadPoolExecutor(max_workers=workers) as pool:
        rows = list(pool.map(one, suite.texts, languages))
    return Marked([shown for shown, _ in rows], [reached for _, reached in rows])
