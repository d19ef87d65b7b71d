"""What a policy would do with decisions that were made already: outcomes before and after, and what flips.

Decides stored scores again by the rule that decided them; no model runs and no text is needed. Knows no
database: it is handed the columns.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from prefilter.serving.policy.columns import ScoreColumns, decide_columns
from prefilter.serving.policy.policy import OUTCOMES, Outcome, Policy
from prefilter.serving.store.decision_rows import DecisionColumns


class Effect(TypedDict):
    """Outcomes of the same n decisions before and after, `{outcome: n}`, and flips `{"allow>review": n}`."""

    before: dict[str, int]
    after: dict[str, int]
    flips: dict[str, int]
    n: int


class WhatIf(Effect):
    """The effect of a change, on which policy's decisions, and how many of their scores are estimates."""

    decisions_of: str | None
    estimated: int


def effect_of(
    draft: Policy, stored: DecisionColumns, *, active: Policy | None, uncalibrated: Collection[str] = ()
) -> Effect:
    """Compare `draft` with the `active` policy, or with what was recorded where none is active."""
    columns = ScoreColumns(
        scores=stored.scores,
        sources=np.array(stored.sources, dtype=np.object_),
        unscored=np.array(stored.unscored, dtype=np.object_),
    )
    after = decide_columns(columns, draft, uncalibrated=uncalibrated).codes
    before = recorded_codes(stored)
    if active is not None:
        before = decide_columns(columns, active, uncalibrated=uncalibrated).codes
    return compare(before, after)


def recorded_codes(stored: DecisionColumns) -> NDArray[np.int8]:
    """Return the severity [n] of the recorded outcomes."""
    return np.array([Outcome(outcome).severity for outcome in stored.outcomes], dtype=np.int8)


def compare(before: NDArray[np.int8], after: NDArray[np.int8]) -> Effect:
    """Count outcomes and flips by pair; both are severities [n]."""
    kinds = len(OUTCOMES)
    counts = np.bincount(before.astype(np.intp) * kinds + after, minlength=kinds * kinds)
    pairs = counts.reshape(kinds, kinds)
    return Effect(
        before={outcome.value: int(n) for outcome, n in zip(OUTCOMES, pairs.sum(axis=1), strict=True)},
        after={outcome.value: int(n) for outcome, n in zip(OUTCOMES, pairs.sum(axis=0), strict=True)},
        flips={
            f"{old.value}>{new.value}": int(n)
            for old in OUTCOMES
            for new in OUTCOMES
            if old is not new and (n := pairs[old.severity, new.severity])
        },
        n=len(before),
    )
