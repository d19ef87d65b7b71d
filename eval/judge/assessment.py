"""One suite judged: its scores and its labels become the document that `prefilter evaluate` prints.

It holds numbers and counts, never text. Unscored and erroneous rows are left out of every metric of
scores and counted beside it; the policies' shares (`operating`) include them as the outcome they get.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from prefilter.eval.document import (
    AloneRates,
    BiasMeasures,
    CategoryMeasures,
    FalseAlarms,
    Judged,
    LengthMeasures,
    OperatingMeasures,
    RankedMeasures,
    SliceMeasures,
    Undeclared,
    WithoutContext,
    widened,
)
from prefilter.eval.judge.hatecheck import check_both, is_hatecheck
from prefilter.eval.judge.identity_bias import identity_bias
from prefilter.eval.judge.operating import (
    Outcomes,
    causes,
    decide_all,
    held_by_length,
    length_parts,
    operating_point,
)
from prefilter.eval.metrics import REPLICATES, measure, wilson
from prefilter.eval.scoring.suite_scores import ERROR, UNSCORED, Scoring
from prefilter.eval.suites.suite import Suite, verdict
from prefilter.eval.suites.suite_plan import Role
from prefilter.models.labels import ANY, CATEGORIES
from prefilter.serving.policy.policy import Outcome, Policy

SLICE_REPLICATES = 200
LEAST_SLICE_ROWS = 20
MOST_SLICES = 40
LENGTH_SLICES = 4
LENGTH_EDGES: tuple[int, ...] = (0, 50, 100, 200, 500, 1_000, 10**9)
"""Edges in code points of the slices by length of all suites of harm together."""
FLAG = 0.5
Rows = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Assessment:
    """A judged suite: its result, and what is pooled over suites (its rows, their scores, each policy's outcomes)."""

    suite: Suite
    scoring: Scoring
    outcomes: Mapping[str, Outcomes]
    result: Judged


def assess(
    suite: Suite,
    scoring: Scoring,
    *,
    categories: Collection[str],
    uncalibrated: Collection[str] = (),
    policies: Collection[Policy] = (),
    bias: bool = False,
    replicates: int = REPLICATES,
) -> Assessment:
    """Judge a scored suite: metrics per category and for `any`, slices, and what each policy would do."""
    part = scoring.declared
    known, harmful = verdict(suite)
    outcomes = {p.name: decide_all(scoring.undeclared, p, uncalibrated=uncalibrated) for p in policies}
    labels = (known, harmful) if bool(known.any()) else None
    heads = (*categories, ANY)
    result = Judged(
        n=suite.n,
        available=suite.available,
        n_scored=int(part.scored.sum()),
        n_unscored=int((part.status == UNSCORED).sum()),
        n_errors=int((part.status == ERROR).sum()),
        unscored_reasons=part.reasons(UNSCORED),
        error_codes=part.reasons(ERROR),
        undeclared=_undeclared(scoring),
        tokens=int(scoring.tokens.sum()),
        categories={
            category: _measured(part.of(category), suite.positive(category), rows, replicates=replicates)
            for category in CATEGORIES
            if category in categories and category in suite.labels and (rows := suite.known(category)).any()
        },
        any=_measured(part.of(ANY), harmful, known, replicates=replicates),
        slices=_slices(suite, part.of(ANY), known, harmful),
        operating={name: _operating(own, suite, labels) for name, own in outcomes.items()},
        hatecheck=check_both(suite, part, heads) if is_hatecheck(suite) else None,
        bias=_bias(suite, scoring, heads) if bias and "toxicity" in suite.labels else None,
    )
    return Assessment(suite, scoring, outcomes, result)


def without_context(suite: Suite, scoring: Scoring, outcomes: Mapping[str, Outcomes]) -> WithoutContext:
    """Return what a suite of pairs measures when the model is not given the context.

    `scoring` is of the texts alone; `outcomes` are those of the pairs, whose policies are asked again.
    """
    known, harmful = verdict(suite)
    alone = _measured(scoring.declared.of(ANY), harmful, known, replicates=REPLICATES)
    shares = {}
    for name, own in outcomes.items():
        again = decide_all(scoring.undeclared, own.policy, uncalibrated=own.uncalibrated)
        point = operating_point(again, known=known, harmful=harmful)
        shares[name] = AloneRates(
            miss_rate=point.miss_rate, held_benign_rate=point.held_benign_rate, ci95=point.ci95 or {}
        )
    return WithoutContext(any=alone, operating=shares)


def by_length(assessments: Sequence[Assessment], roles: Sequence[Role]) -> tuple[LengthMeasures, ...]:
    """Pool the suites of harm (not those of templates): the verdict of harm by length in code points."""
    harm = [a for a, role in zip(assessments, roles, strict=True) if role is Role.HARM]
    if not harm:
        return ()
    verdicts = [verdict(a.suite) for a in harm]
    known, harmful = (np.concatenate(parts) for parts in zip(*verdicts, strict=True))
    scores = np.concatenate([a.scoring.declared.of(ANY) for a in harm])
    lengths = np.concatenate([a.suite.lengths() for a in harm])
    found = []
    for low, high in pairwise(LENGTH_EDGES):
        rows = known & (lengths >= low) & (lengths < high)
        if int(rows.sum()) >= LEAST_SLICE_ROWS:
            chars = (low, int(lengths[rows].max()))
            found.append(widened(LengthMeasures, _slice(scores, rows, harmful), chars=chars))
    return tuple(found)


def false_alarms(assessments: Sequence[Assessment], roles: Sequence[Role]) -> dict[str, FalseAlarms]:
    """Pool the suites that are benign by origin: per policy the share held, also by decile of length."""
    benign = [a for a, role in zip(assessments, roles, strict=True) if role is Role.BENIGN]
    pooled: dict[str, FalseAlarms] = {}
    for policy in benign[0].outcomes if benign else ():
        parts = [a.outcomes[policy] for a in benign]
        joined = Outcomes(
            parts[0].policy,
            np.concatenate([p.index for p in parts]),
            np.concatenate([p.first_cause for p in parts]),
            parts[0].uncalibrated,
        )
        lengths = np.concatenate([a.suite.lengths() for a in benign])
        n, held = joined.index.size, int(joined.held.sum())
        pooled[policy] = FalseAlarms(
            suites=tuple(a.suite.name for a in benign),
            n=n,
            held=held / n,
            blocked=int(joined.is_(Outcome.BLOCK).sum()) / n,
            ci95={"held": wilson(held, n)},
            by_length=held_by_length(joined, lengths),
        )
    return pooled


def _measured(
    scores: NDArray[np.float32], positive: NDArray[np.bool_], rows: NDArray[np.bool_], *, replicates: int
) -> CategoryMeasures:
    usable = rows & ~np.isnan(scores)
    measures = RankedMeasures.of(measure(scores[usable], positive[usable], replicates=replicates))
    return widened(CategoryMeasures, measures, n_unscored=int((rows & ~usable).sum()))


def _undeclared(scoring: Scoring) -> Undeclared:
    """Say what the same rows meet when nobody declares their language."""
    part = scoring.undeclared
    n, n_unscored = part.status.size, int((part.status == UNSCORED).sum())
    return Undeclared(
        n_unscored=n_unscored,
        share_unscored=n_unscored / n if n else None,
        ci95={"share_unscored": wilson(n_unscored, n)},
        unscored_reasons=part.reasons(UNSCORED),
    )


def _operating(outcomes: Outcomes, suite: Suite, labels: tuple[Rows, Rows] | None) -> OperatingMeasures:
    """What a policy does with a suite; `labels`: known [n] and harmful [n], None where nothing is known."""
    known, harmful = labels if labels is not None else (None, None)
    benign = np.ones(suite.n, dtype=bool) if known is None or harmful is None else known & ~harmful
    # Only a suite without any known harm says how false alarms depend on length.
    harmless = known is None or harmful is None or not (known & harmful).any()
    return widened(
        OperatingMeasures,
        operating_point(outcomes, known=known, harmful=harmful),
        version=outcomes.policy.version,
        enforced=outcomes.policy.enforced,
        held_first_by=causes(outcomes, benign),
        by_length=held_by_length(outcomes, suite.lengths()) if harmless else None,
    )


def _slices(
    suite: Suite, scores: NDArray[np.float32], known: NDArray[np.bool_], harmful: NDArray[np.bool_]
) -> dict[str, dict[str, SliceMeasures]]:
    slices: dict[str, dict[str, SliceMeasures]] = {"length": {}}
    for low, high, rows in length_parts(suite.lengths(), parts=LENGTH_SLICES):
        slices["length"][f"{low}-{high}"] = _slice(scores, known & rows, harmful)
    for name in ("source", "lang"):
        column = np.array([value or "" for value in suite.extra.get(name, [])])
        values, counts = np.unique(column, return_counts=True)
        if values.size < 2:
            continue  # the whole suite is no slice of it
        large = [str(v) for v, c in zip(values, counts, strict=True) if c >= LEAST_SLICE_ROWS]
        slices[name] = {v: _slice(scores, known & (column == v), harmful) for v in large[:MOST_SLICES]}
    return slices


def _slice(
    scores: NDArray[np.float32], rows: NDArray[np.bool_], harmful: NDArray[np.bool_]
) -> SliceMeasures:
    measured = _measured(scores, harmful, rows, replicates=SLICE_REPLICATES)
    benign = rows & ~harmful & ~np.isnan(scores)
    n, flagged = int(benign.sum()), int((scores[benign] >= np.float32(FLAG)).sum())
    bounds = {**measured.ci95, "fpr_at_half": wilson(flagged, n)}
    share = None if n == 0 else flagged / n
    return widened(SliceMeasures, replace(measured, ci95=bounds), fpr_at_half=share)


def _bias(suite: Suite, scoring: Scoring, heads: Collection[str]) -> dict[str, BiasMeasures]:
    found: dict[str, BiasMeasures] = {}
    for head in ("toxicity", ANY):
        if head not in heads:
            continue
        scores = scoring.declared.of(head)
        rows = suite.known("toxicity") & ~np.isnan(scores)
        texts = [text for text, keep in zip(suite.texts, rows, strict=True) if keep]
        found[head] = identity_bias(texts, scores[rows], suite.positive("toxicity")[rows])
    return found
