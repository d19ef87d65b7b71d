"""One suite judged: its scores and its labels become the document that `prefilter evaluate` prints.

It holds numbers and counts, never text. Unscored and erroneous rows are left out of every metric of
scores and counted beside it; the policies' shares (`operating`) include them as the outcome they get.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prefilter.eval.judge.hatecheck import check_both, is_hatecheck
from prefilter.eval.judge.identity_bias import identity_bias
from prefilter.eval.judge.metrics import REPLICATES, measure, wilson
from prefilter.eval.judge.operating import (
    Outcomes,
    causes,
    decide_all,
    held_by_length,
    length_parts,
    operating_point,
)
from prefilter.eval.judge.scoring import ERROR, UNSCORED, Scoring
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


@dataclass(frozen=True, slots=True)
class Assessment:
    """A judged suite: the document, and what plots need (the suite, its scores, each policy's outcomes)."""

    suite: Suite
    scoring: Scoring
    outcomes: Mapping[str, Outcomes]
    document: dict[str, Any]


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
    document: dict[str, Any] = {
        "n": suite.n,
        "available": suite.available,
        "n_scored": int(part.scored.sum()),
        "n_unscored": int((part.status == UNSCORED).sum()),
        "n_errors": int((part.status == ERROR).sum()),
        "unscored_reasons": part.reasons(UNSCORED),
        "error_codes": part.reasons(ERROR),
        "undeclared": _undeclared(scoring),
        "tokens": int(scoring.tokens.sum()),
        "categories": {},
    }
    for category in CATEGORIES:
        if category not in categories or category not in suite.labels or not suite.known(category).any():
            continue
        rows = suite.known(category)
        document["categories"][category] = _measured(
            part.of(category), suite.positive(category), rows, replicates=replicates
        )
    document[ANY] = _measured(part.of(ANY), harmful, known, replicates=replicates)
    document["slices"] = _slices(suite, part.of(ANY), known, harmful)
    outcomes = {p.name: decide_all(scoring.undeclared, p, uncalibrated=uncalibrated) for p in policies}
    labelled = bool(known.any())
    document["operating"] = {
        name: _operating(own, suite, known if labelled else None, harmful if labelled else None)
        for name, own in outcomes.items()
    }
    heads = (*categories, ANY)
    if is_hatecheck(suite):
        document["hatecheck"] = check_both(suite, part, heads)
    if bias and "toxicity" in suite.labels:
        document["bias"] = _bias(suite, scoring, heads)
    return Assessment(suite, scoring, outcomes, document)


def without_context(suite: Suite, scoring: Scoring, outcomes: Mapping[str, Outcomes]) -> dict[str, Any]:
    """Return what a suite of pairs measures when the model is not told what the texts answer.

    `scoring` is of the texts alone; `outcomes` are those of the pairs, whose policies are asked again.
    """
    known, harmful = verdict(suite)
    alone: dict[str, Any] = {ANY: _measured(scoring.declared.of(ANY), harmful, known, replicates=REPLICATES)}
    shares = {}
    for name, own in outcomes.items():
        again = decide_all(scoring.undeclared, own.policy, uncalibrated=own.uncalibrated)
        point = operating_point(again, known=known, harmful=harmful)
        shares[name] = {k: point[k] for k in ("miss_rate", "held_benign_rate", "ci95")}
    return {**alone, "operating": shares}


def by_length(assessments: Sequence[Assessment], roles: Sequence[Role]) -> list[dict[str, Any]]:
    """Pool the suites of harm (not those of templates): the verdict of harm by length in code points."""
    harm = [a for a, role in zip(assessments, roles, strict=True) if role is Role.HARM]
    if not harm:
        return []
    verdicts = [verdict(a.suite) for a in harm]
    known, harmful = (np.concatenate(parts) for parts in zip(*verdicts, strict=True))
    scores = np.concatenate([a.scoring.declared.of(ANY) for a in harm])
    lengths = np.concatenate([a.suite.lengths() for a in harm])
    found = []
    for low, high in pairwise(LENGTH_EDGES):
        rows = known & (lengths >= low) & (lengths < high)
        if int(rows.sum()) >= LEAST_SLICE_ROWS:
            found.append({"chars": [low, int(lengths[rows].max())], **_slice(scores, rows, harmful)})
    return found


def false_alarms(assessments: Sequence[Assessment], roles: Sequence[Role]) -> dict[str, Any]:
    """Pool the suites that are benign by origin: per policy the share held, also by decile of length."""
    benign = [a for a, role in zip(assessments, roles, strict=True) if role is Role.BENIGN]
    pooled: dict[str, Any] = {}
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
        pooled[policy] = {
            "suites": [a.suite.name for a in benign],
            "n": n,
            "held": held / n,
            "blocked": int(joined.is_(Outcome.BLOCK).sum()) / n,
            "ci95": {"held": list(wilson(held, n) or ())},
            "by_length": held_by_length(joined, lengths),
        }
    return pooled


def _measured(
    scores: NDArray[np.float32], positive: NDArray[np.bool_], rows: NDArray[np.bool_], *, replicates: int
) -> dict[str, Any]:
    usable = rows & ~np.isnan(scores)
    measures = measure(scores[usable], positive[usable], replicates=replicates).to_json()
    return {**measures, "n_unscored": int((rows & ~usable).sum())}


def _undeclared(scoring: Scoring) -> dict[str, Any]:
    """Say what the same rows meet when nobody declares their language."""
    part = scoring.undeclared
    share = wilson(n_unscored := int((part.status == UNSCORED).sum()), part.status.size)
    return {
        "n_unscored": n_unscored,
        "share_unscored": None if share is None else n_unscored / part.status.size,
        "ci95": {"share_unscored": None if share is None else list(share)},
        "unscored_reasons": part.reasons(UNSCORED),
    }


def _operating(
    outcomes: Outcomes, suite: Suite, known: NDArray[np.bool_] | None, harmful: NDArray[np.bool_] | None
) -> dict[str, Any]:
    point = operating_point(outcomes, known=known, harmful=harmful)
    policy = {"version": outcomes.policy.version, "enforced": outcomes.policy.enforced}
    benign = np.ones(suite.n, dtype=bool) if known is None or harmful is None else known & ~harmful
    table = {**policy, **point, "held_first_by": causes(outcomes, benign)}
    if known is None or not (known & (harmful if harmful is not None else known)).any():
        # Only a suite without any known harm says how false alarms depend on length.
        table["by_length"] = held_by_length(outcomes, suite.lengths())
    return table


def _slices(
    suite: Suite, scores: NDArray[np.float32], known: NDArray[np.bool_], harmful: NDArray[np.bool_]
) -> dict[str, dict[str, Any]]:
    slices: dict[str, dict[str, Any]] = {"length": {}}
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
) -> dict[str, Any]:
    measured = _measured(scores, harmful, rows, replicates=SLICE_REPLICATES)
    benign = rows & ~harmful & ~np.isnan(scores)
    n, flagged = int(benign.sum()), int((scores[benign] >= np.float32(FLAG)).sum())
    interval = wilson(flagged, n)
    measured["fpr_at_half"] = None if n == 0 else flagged / n
    measured["ci95"]["fpr_at_half"] = None if interval is None else list(interval)
    return measured


def _bias(suite: Suite, scoring: Scoring, heads: Collection[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for head in ("toxicity", ANY):
        if head not in heads:
            continue
        scores = scoring.declared.of(head)
        rows = suite.known("toxicity") & ~np.isnan(scores)
        texts = [text for text, keep in zip(suite.texts, rows, strict=True) if keep]
        found[head] = identity_bias(texts, scores[rows], suite.positive("toxicity")[rows])
    return found
