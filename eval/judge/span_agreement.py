"""Spans: do the characters that the model marks coincide with those that people marked?

Character F1 as SemEval-2021 task 5 defines it (Pavlopoulos et al. 2021): for each text the F1 of two sets of
character offsets, the marked and the true ones; 1 where both are empty, 0 where exactly one is; then the mean
over texts. Precision and recall are of characters over all texts together, and `masked_share` says how much
of the text a reviewer would not see. Measured twice: as `explain` shows it, which points at the strongest
words where none reaches the head's edge, and (`at_edge`) of what reaches it alone. Knows offsets, never
prints a character.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from prefilter.eval.document import ShownSpanMeasures, SpanMeasures, widened
from prefilter.eval.metrics import REPLICATES
from prefilter.eval.scoring.span_marks import Marked
from prefilter.eval.suites.suite import Spans, Suite


def judge_spans(suite: Suite, marked: Marked) -> ShownSpanMeasures | None:
    """Return the measures of what is shown, and under `at_edge` of what reached the edge."""
    shown = measure_spans(suite, marked.shown)
    return None if shown is None else widened(ShownSpanMeasures, shown, at_edge=measure_spans(suite, marked.reached))


def measure_spans(
    suite: Suite, marked: Sequence[Spans], *, replicates: int = REPLICATES, seed: int = 0
) -> SpanMeasures | None:
    """Return the measures over the rows that people marked; None where there is no such row.

    A row that people read without marking anything counts: there the model must mark nothing either.
    """
    f1: list[float] = []
    shared = predicted = true = characters = 0
    for text, gold, own in zip(suite.texts, suite.spans or [], marked, strict=True):
        if gold is None or not isinstance(text, str):
            continue
        said, meant = _mask(own, len(text)), _mask(gold, len(text))
        both = int((said & meant).sum())
        f1.append(character_f1(both, int(said.sum()), int(meant.sum())))
        shared, predicted, true = shared + both, predicted + int(said.sum()), true + int(meant.sum())
        characters += len(text)
    if not f1:
        return None
    values = np.array(f1)
    drawn = np.random.default_rng(seed).integers(0, values.size, size=(replicates, values.size))
    low, high = np.percentile(values[drawn].mean(axis=1), [2.5, 97.5])
    return SpanMeasures(
        n=values.size,
        f1=float(values.mean()),
        precision=shared / predicted if predicted else None,
        recall=shared / true if true else None,
        masked_share=predicted / characters if characters else None,
        gold_share=true / characters if characters else None,
        ci95={"f1": (float(low), float(high))},
    )


def character_f1(shared: int, predicted: int, true: int) -> float:
    """Return the F1 of one text from sizes of sets: 1 where both are empty, 0 where exactly one is."""
    if predicted == 0 and true == 0:
        return 1.0
    return 2 * shared / (predicted + true)


def _mask(spans: Spans, length: int) -> NDArray[np.bool_]:
    """True [length] inside any span; what reaches beyond the text is cut off."""
    mask = np.zeros(length, dtype=bool)
    for start, end in spans:
        mask[start:end] = True
    return mask
