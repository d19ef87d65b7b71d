"""HateCheck: accuracy on each functionality, the small things a hate classifier must get right.

Each case is short and unmistakable; a functionality's name ends in `_h` where its cases are hateful and
in `_nh` where they only look it (negation, quotation, counter-speech, reclaimed words). Accuracy is at
one stated threshold; cases without scores are left out and counted. Röttger et al. 2021, CC BY 4.0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prefilter.eval.document import Accuracy, HatecheckMeasures
from prefilter.eval.metrics import wilson
from prefilter.eval.scoring.suite_scores import Pass
from prefilter.eval.suites.suite import Suite
from prefilter.models.labels import ANY

THRESHOLD = 0.5
HATE = "hate"


def is_hatecheck(suite: Suite) -> bool:
    """Return True for a suite with functionalities and labels for hate."""
    return "functionality" in suite.extra and HATE in suite.labels


def check(suite: Suite, part: Pass, *, head: str = HATE, threshold: float = THRESHOLD) -> HatecheckMeasures:
    """Return accuracy on all, hateful and non-hateful cases, by functionality and by group targeted."""
    hateful, scored = suite.positive(HATE), part.scored & suite.known(HATE)
    scores = part.of(head)
    scored = scored & ~np.isnan(scores)
    with np.errstate(invalid="ignore"):
        right = (scores >= np.float32(threshold)) == hateful
    return HatecheckMeasures(
        head=head,
        threshold=threshold,
        all=_accuracy(right, scored),
        hateful=_accuracy(right, scored & hateful),
        non_hateful=_accuracy(right, scored & ~hateful),
        functionalities=_by(suite.extra["functionality"], right, scored),
        targets=_by(suite.extra.get("target_ident", []), right, scored),
    )


def check_both(suite: Suite, part: Pass, heads: tuple[str, ...]) -> dict[str, HatecheckMeasures]:
    """Return the check of the `hate` head and of `any`, of those that the model has."""
    return {head: check(suite, part, head=head) for head in (HATE, ANY) if head in heads}


def _by(
    names: list[str | None], right: NDArray[np.bool_], scored: NDArray[np.bool_]
) -> dict[str, Accuracy]:
    column = np.array([name or "" for name in names])
    return {
        str(name): _accuracy(right, scored & (column == name))
        for name in sorted(set(column.tolist()))
        if name
    }


def _accuracy(right: NDArray[np.bool_], rows: NDArray[np.bool_]) -> Accuracy:
    n, hits = int(rows.sum()), int((right & rows).sum())
    return Accuracy(n=n, accuracy=None if n == 0 else hits / n, ci95={"accuracy": wilson(hits, n)})
