"""What every door writes alike of a screened item: its scores, what speaks for them, the policy that decided."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from prefilter.models.scored import Evidence, Scored
from prefilter.serving.policy.policy import Policy


def scores_of(scored: Scored) -> dict[str, float]:
    """Return the float32 scores by head, widened and unrounded."""
    return {category: float(score) for category, score in scored.scores.items()}


def spans_of(found: Iterable[Evidence]) -> list[dict[str, Any]]:
    """Return evidence in order: `{"category", "start", "end", "score"}`, code points of the text as sent."""
    return [{"category": e.category, "start": e.start, "end": e.end, "score": float(e.score)} for e in found]


def named(policy: Policy) -> dict[str, Any]:
    """Return which policy it was: `{"name", "version"}`."""
    return {"name": policy.name, "version": policy.version}
