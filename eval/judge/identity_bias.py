"""Identity bias: does naming who someone is move the score, apart from what is said of them?

Three areas under the ROC curve per identity term (Borkan et al. 2019), on a template set in which every
term meets the same toxic and benign sentences:

- `subgroup`: toxic against benign texts that name the term. Low: the model cannot tell them apart for
  this group.
- `bpsn`: toxic texts of others against benign texts that name it. Low: benign texts of this group score
  too high.
- `bnsp`: toxic texts that name it against benign texts of others. Low: toxic texts of this group score
  too low.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prefilter.eval.judge.metrics import auroc, auroc_interval, defined
from prefilter.eval.suites.identity_terms import load_terms, mark_terms

KINDS: tuple[str, ...] = ("subgroup", "bpsn", "bnsp")
LEAST_ROWS = 10  # fewer rows of a term on either side say nothing about it
_POWER = -5.0  # the generalised mean of the Jigsaw 2019 benchmark: the worst terms weigh most


def identity_bias(
    texts: Sequence[object],
    scores: NDArray[np.floating[Any]],
    toxic: NDArray[np.bool_],
    *,
    terms: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Return the three areas per term, and of each its worst term and its mean that weighs bad terms most.

    `scores` [n] without NaN, `toxic` [n]. A text counts for the one term it names (the longest where terms
    overlap); a term with fewer than LEAST_ROWS toxic or benign texts is left out.
    """
    listed = list(load_terms() if terms is None else terms)
    named = np.array([term or "" for term in mark_terms(texts, listed)])
    by_term: dict[str, dict[str, Any]] = {}
    for term in listed:
        inside = named == term
        in_toxic, in_benign = scores[inside & toxic], scores[inside & ~toxic]
        if min(in_toxic.size, in_benign.size) < LEAST_ROWS:
            continue
        out_toxic, out_benign = scores[~inside & toxic], scores[~inside & ~toxic]
        sides = {
            "subgroup": (in_toxic, in_benign),
            "bpsn": (out_toxic, in_benign),
            "bnsp": (in_toxic, out_benign),
        }
        bounds = {kind: auroc_interval(*pair) for kind, pair in sides.items()}
        by_term[term] = {
            "n": int(inside.sum()),
            **{kind: defined(auroc(*pair)) for kind, pair in sides.items()},
            "mean_benign_score": float(in_benign.mean()),
            "ci95": {kind: None if own is None else list(own) for kind, own in bounds.items()},
        }
    overall = auroc(scores[toxic], scores[~toxic])
    return {"overall_auroc": defined(overall), "terms": by_term, **_summary(by_term)}


def _summary(by_term: dict[str, dict[str, Any]]) -> dict[str, Any]:
    means: dict[str, float | None] = {}
    worst: dict[str, dict[str, Any] | None] = {}
    for kind in KINDS:
        values = {term: row[kind] for term, row in by_term.items() if row[kind] is not None}
        means[kind] = defined(power_mean(list(values.values())))
        lowest = min(values, key=lambda term: (values[term], term), default=None)
        bounds = {} if lowest is None else {"auroc": by_term[lowest]["ci95"][kind]}
        worst[kind] = None if lowest is None else {"term": lowest, "auroc": values[lowest], "ci95": bounds}
    return {"power_mean": means, "worst": worst}


def power_mean(values: Sequence[float]) -> float:
    """Return the generalised mean with power -5; NaN of nothing, 0 where a value is 0."""
    if not values:
        return math.nan
    if min(values) <= 0:
        return 0.0
    return float(np.mean(np.asarray(values, dtype=np.float64) ** _POWER) ** (1 / _POWER))
