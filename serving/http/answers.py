"""Answers: JSON as every route writes it, and the fields of a screened item that all of them write alike.

The shapes of all answers are TypedDicts: the type checker sees that a route builds what its description says, and
the OpenAPI document is made of them; nothing is validated while answering.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Annotated

from starlette.responses import Response
from typing_extensions import TypedDict

from prefilter.models.scored import FAST, FULL, Evidence, Scored
from prefilter.serving.http.body_reader import hint
from prefilter.serving.policy.decide import Because, Ground
from prefilter.serving.policy.policy import Outcome, Policy

OutcomeWord = Annotated[str, hint(enum=[outcome.value for outcome in Outcome])]
Stage = Annotated[str, hint(enum=[FAST, FULL])]


class Span(TypedDict):
    """Code points [start, end) of the text as sent that speak for a category."""

    category: str
    start: int
    end: int
    score: float


class Tokens(TypedDict):
    """How many word pieces there are, and how many of them were read."""

    seen: int
    total: int


class PolicyName(TypedDict):
    """Which version of which policy."""

    name: str
    version: int


def json_bytes(body: Mapping[str, object]) -> bytes:
    """Return a body as JSON; characters outside ASCII are escaped, so that any string can be written."""
    return json.dumps(body, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii")


def answer(body: Mapping[str, object], *, status: int = 200) -> Response:
    """Write a JSON answer."""
    return Response(json_bytes(body), status_code=status, media_type="application/json")


def scores_of(scored: Scored) -> dict[str, float]:
    """Return the float32 scores by head, widened and unrounded."""
    return {category: float(score) for category, score in scored.scores.items()}


def spans_of(found: Iterable[Evidence]) -> list[Span]:
    """Return evidence in order."""
    return [{"category": e.category, "start": e.start, "end": e.end, "score": float(e.score)} for e in found]


def grounds_of(because: Iterable[Because]) -> list[Ground]:
    """Return the grounds of a decision in order, without empty keys."""
    return [one.to_json() for one in because]


def named(policy: Policy) -> PolicyName:
    """Return which policy it was."""
    return {"name": policy.name, "version": policy.version}
