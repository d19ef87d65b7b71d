"""The decision of one row: scores and a policy in, an outcome and its grounds out.

`decide` takes no clock, no database and no model, so a decision can be repeated on stored scores at any time.
Whatever cannot be judged becomes REVIEW. `columns.py` is the same rule for many rows at once; a property test
holds the two equal. This file imports no sibling but the policy.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import NotRequired

import numpy as np
from typing_extensions import TypedDict

from prefilter.models.labels import ANY, HEADS
from prefilter.serving.policy.policy import Outcome, Policy

NO_SCORE = "no_score"
"""The reason of a ground: the category has no finite score."""
NO_SCORES = "no_scores"
"""The reason of a decision under a policy that asks for no category."""
UNCALIBRATED = "uncalibrated"
"""The reason of a ground in the band to block that defers, since the category's scores are not calibrated."""


class Ground(TypedDict):
    """One ground of a decision: a category's score in its band, a reason, or both."""

    category: NotRequired[str]
    score: NotRequired[float]
    band: NotRequired[list[float]]
    reason: NotRequired[str]


@dataclass(frozen=True, slots=True)
class Because:
    """One ground of a decision: a category's score in its band, or the reason nothing could be scored."""

    category: str | None = None
    score: float | None = None
    band: tuple[float, float] | None = None
    reason: str | None = None

    def to_json(self) -> Ground:
        """Return its JSON shape."""
        return ground_body(self.category, self.score, self.band, self.reason)


@dataclass(frozen=True, slots=True)
class Decision:
    """The machine's answer for one item: the outcome, why, and under which version of which policy."""

    outcome: Outcome
    because: tuple[Because, ...]
    policy_name: str
    policy_version: int
    enforced: bool


def decide(
    scores: Mapping[str, np.float32],
    policy: Policy,
    *,
    source: str | None = None,
    unscored: str | None = None,
    uncalibrated: Collection[str] = (),
) -> Decision:
    """Apply `policy` to the scores of one item and say why.

    `unscored` is the reason a valid text has no scores: REVIEW, or the policy's `unreadable` outcome where
    the model cannot read the language. A category in `uncalibrated` never blocks alone: it defers to a person
    instead. A category of the policy without a finite score defers as well. `because` lists the grounds of
    the outcome, most harmful first and `any` last; an allowed item names the category that came closest to
    not being allowed.
    """
    if unscored is not None:
        return _decision(policy.outcome_of_unscored(unscored), (Because(reason=unscored),), policy)
    placed: list[tuple[Outcome, Because]] = []
    for category, bands in policy.bands_for(source).items():
        raw = scores.get(category)
        score = math.nan if raw is None else float(np.float32(raw))
        if not math.isfinite(score):
            placed.append((Outcome.REVIEW, Because(category=category, reason=NO_SCORE)))
            continue
        outcome, band = bands.place(score)
        reason = None
        if outcome is Outcome.BLOCK and category in uncalibrated:
            outcome, reason = Outcome.REVIEW, UNCALIBRATED
        placed.append((outcome, Because(category=category, score=score, band=band, reason=reason)))
    outcome = max((own for own, _ in placed), key=attrgetter("severity"), default=Outcome.REVIEW)
    grounds = [because for own, because in placed if own is outcome]
    if not grounds:
        grounds = [Because(reason=NO_SCORES)]
    elif outcome is Outcome.ALLOW:
        grounds = [min(grounds, key=_margin)]
    else:
        grounds.sort(key=_harm_order)
    return _decision(outcome, tuple(grounds), policy)


def ground_body(
    category: str | None, score: float | None, band: tuple[float, float] | None, reason: str | None
) -> Ground:
    """Return a ground as JSON: `{"category", "score", "band"}`, `{"reason"}` or both, without empty keys."""
    body: Ground = {}
    if category is not None:
        body["category"] = category
    if score is not None:
        body["score"] = score
    if band is not None:
        body["band"] = list(band)
    if reason is not None:
        body["reason"] = reason
    return body


def _decision(outcome: Outcome, because: tuple[Because, ...], policy: Policy) -> Decision:
    return Decision(outcome, because, policy.name, policy.version, policy.enforced)


def _margin(because: Because) -> float:
    high = because.band[1] if because.band else 1.0
    return high - (because.score or 0.0)


def _harm_order(because: Because) -> tuple[bool, float, int]:
    position = HEADS.index(because.category) if because.category in HEADS else len(HEADS)
    return because.category == ANY, -(because.score if because.score is not None else 0.0), position
