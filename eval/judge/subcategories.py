"""Sub-categories without a head of their own: how well other heads' scores find them, where labels exist.

Which they are, whose score stands in, and which suites label them is data (`subcategories.toml`). The score is
the parent head's, unchanged: a threshold on it that finds the sub-category finds the rest of the parent too. Of
several heads it is the least: the text must be all of them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prefilter.eval.document import EvidenceMeasures, RankedMeasures, SubcategoryMeasures, widened
from prefilter.eval.judge.assessment import Assessment
from prefilter.eval.metrics import measure
from prefilter.eval.suites.suite import Suite
from prefilter.eval.suites.suite_plan import Role

SUBCATEGORIES_FILE = Path(__file__).parent / "subcategories.toml"
MAX_ROWS = 3_000

Floats = NDArray[np.float32]
Rows = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Evidence:
    """A suite that labels a sub-category; `weak`: not people's labels; `seen`: perhaps trained on."""

    name: str
    split: str | None = None
    weak: bool = False
    seen: bool = False


@dataclass(frozen=True, slots=True)
class Subcategory:
    """A sub-category, the heads whose least score stands in for it, and its evidence (none: unmeasured)."""

    name: str
    heads: tuple[str, ...]
    labels: tuple[str, ...]
    suites: tuple[Evidence, ...]


@lru_cache(maxsize=1)
def subcategories() -> tuple[Subcategory, ...]:
    """Return the sub-categories of `subcategories.toml` in order."""
    raw = tomllib.loads(SUBCATEGORIES_FILE.read_text(encoding="utf-8"))
    return tuple(
        Subcategory(
            name=entry["name"],
            heads=tuple(entry["heads"]),
            labels=tuple(entry["labels"]),
            suites=tuple(Evidence(**suite) for suite in entry["suites"]),
        )
        for entry in raw["subcategory"]
    )


def labelled(suite: Suite, labels: Sequence[str]) -> tuple[Rows, Rows]:
    """Return (known [n], positive [n]): positive where all labels are, negative where any is absent."""
    columns = [suite.labels.get(label, np.full(suite.n, np.nan)) for label in labels]
    positive = np.all([column >= 0.5 for column in columns], axis=0)
    absent = np.any([column < 0.5 for column in columns], axis=0)
    return positive | absent, positive


def measure_subcategories(
    load: Callable[[Evidence], Suite],
    score: Callable[[Suite], Mapping[str, Floats]],
    *,
    benign: Mapping[str, Floats],
    rows: int = MAX_ROWS,
) -> tuple[SubcategoryMeasures, ...]:
    """Measure every sub-category: `load` reads a suite, `score` gives its scores by head.

    `benign`: scores by head of texts that are benign by origin, for a suite that knows positives only. Of a
    suite with more than `rows` labelled rows so many are drawn, the same each time.
    """
    return tuple(
        SubcategoryMeasures(
            name=sub.name,
            heads=sub.heads,
            evidence=tuple(
                _measured(sub, own, _drawn(load(own), sub.labels, rows), score, benign) for own in sub.suites
            ),
        )
        for sub in subcategories()
    )


def _drawn(suite: Suite, labels: Sequence[str], rows: int) -> Suite:
    known = np.flatnonzero(labelled(suite, labels)[0])
    picked = np.zeros(suite.n, dtype=bool)
    picked[np.random.default_rng(0).permutation(known)[:rows]] = True
    return suite.take(picked)


def _measured(
    sub: Subcategory,
    evidence: Evidence,
    suite: Suite,
    score: Callable[[Suite], Mapping[str, Floats]],
    benign: Mapping[str, Floats],
) -> EvidenceMeasures:
    scores, positive = _least(score(suite), sub.heads), labelled(suite, sub.labels)[1]
    against = "its own negatives" if not positive.all() else "benign suites"
    if positive.all():
        harmless = _least(benign, sub.heads)
        scores = np.concatenate([scores, harmless])
        positive = np.concatenate([positive, np.zeros(harmless.size, dtype=bool)])
    usable = ~np.isnan(scores)
    return widened(
        EvidenceMeasures,
        RankedMeasures.of(measure(scores[usable], positive[usable])),
        suite=evidence.name,
        split=evidence.split,
        weak=evidence.weak,
        seen=evidence.seen,
        against=against,
    )


def _least(scores: Mapping[str, Floats], heads: Sequence[str]) -> Floats:
    least: Floats = np.minimum.reduce([scores[head] for head in heads])
    return least


def benign_scores(
    assessments: Sequence[Assessment], roles: Sequence[Role], heads: Sequence[str]
) -> dict[str, Floats]:
    """Return per head the scores of all suites that are benign by origin."""
    benign = [a for a, role in zip(assessments, roles, strict=True) if role is Role.BENIGN]
    empty = np.empty(0, dtype=np.float32)
    return {head: np.concatenate([empty, *(a.scoring.declared.of(head) for a in benign)]) for head in heads}
