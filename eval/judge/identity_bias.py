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
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from prefilter.eval.document import BiasMeasures, TermMeasures, WorstTerm, estimate
from prefilter.eval.metrics import auroc, auroc_interval, defined
from prefilter.eval.suites.identity_terms import load_terms, mark_terms

KINDS: tuple[str, ...] = ("subgroup", "bpsn", "bnsp")
LEAST_ROWS = 10  # fewer rows of a term on either side say nothing about it
_POWER = -5.0  # the generalised mean of the Jigsaw 2019 benchmark: the worst terms weigh most


def identity_bias(
    texts: Sequence[object],
    scores: NDArray[np.floating],
    toxic: NDArray[np.bool_],
    *,
    terms: Sequence[str] | None = None,
) -> BiasMeasures:
    """Return the three areas per term, and of each its worst term and its mean that weighs bad terms most.

    `scores` [n] without NaN, `toxic` [n]. A text counts for the one term it names (the longest where terms
    overlap); a term with fewer than LEAST_ROWS toxic or benign texts is left out.
    """
    listed = list(load_terms() if terms is None else terms)
    named = np.array([term or "" for term in mark_terms(texts, listed)])
    by_term: dict[str, TermMeasures] = {}
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
        by_term[term] = TermMeasures(
            n=int(inside.sum()),
            subgroup=defined(auroc(*sides["subgroup"])),
            bpsn=defined(auroc(*sides["bpsn"])),
            bnsp=defined(auroc(*sides["bnsp"])),
            mean_benign_score=float(in_benign.mean()),
            ci95={kind: auroc_interval(*pair) for kind, pair in sides.items()},
        )
    return BiasMeasures(
        overall_auroc=defined(auroc(scores[toxic], scores[~toxic])),
        terms=by_term,
        power_mean={kind: defined(power_mean(list(_areas(by_term, kind).values()))) for kind in KINDS},
        worst={kind: _worst(by_term, kind) for kind in KINDS},
    )


def _areas(by_term: Mapping[str, TermMeasures], kind: str) -> dict[str, float]:
    """The areas of one kind by term, where they are defined."""
    areas = {term: estimate(row, kind).value for term, row in by_term.items()}
    return {term: area for term, area in areas.items() if area is not None}


def _worst(by_term: Mapping[str, TermMeasures], kind: str) -> WorstTerm | None:
    areas = _areas(by_term, kind)
    lowest = min(areas, key=lambda term: (areas[term], term), default=None)
    if lowest is None:
        return None
    return WorstTerm(term=lowest, auroc=areas[lowest], ci95={"auroc": estimate(by_term[lowest], kind).ci95})


def power_mean(values: Sequence[float]) -> float:
    """Return the generalised mean with power -5; NaN of nothing, 0 where a value is 0."""
    if not values:
        return math.nan
    if min(values) <= 0:
        return 0.0
    return float(np.mean(np.asarray(values, dtype=np.float64) ** _POWER) ** (1 / _POWER))
