"""Answers: JSON as every route writes it, and the fields of a screened item that all of them write alike."""

from __future__ import annotations

import json
from collections.abc import Iterable

from starlette.responses import Response

from prefilter.models.scored import Evidence, Scored
from prefilter.serving.policy.policy import Policy


def answer(body: object, *, status: int = 200) -> Response:
    """Write a JSON answer; characters outside ASCII are escaped, so that any string can be written."""
    content = json.dumps(body, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii")
    return Response(content, status_code=status, media_type="application/json")


def scores_of(scored: Scored) -> dict[str, float]:
    """Return the float32 scores by head, widened and unrounded."""
    return {category: float(score) for category, score in scored.scores.items()}


def spans_of(found: Iterable[Evidence]) -> list[dict[str, object]]:
    """Return evidence in order: `{"category", "start", "end", "score"}`, code points of the text as sent."""
    return [{"category": e.category, "start": e.start, "end": e.end, "score": float(e.score)} for e in found]


def named(policy: Policy) -> dict[str, object]:
    """Return which policy it was: `{"name", "version"}`."""
    return {"name": policy.name, "version": policy.version}
