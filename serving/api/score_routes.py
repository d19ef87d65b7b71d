"""`POST /v1/score`: a batch of items in, a decision or an error for each out, in order."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from prefilter.serving.admission.request_gate import CLIENT_GONE
from prefilter.serving.api.bodies.score_bodies import (
    FailedRow,
    PlacedScore,
    ScoreAnswer,
    ScoreBody,
    ScoredRow,
    read_score_request,
)
from prefilter.serving.http.answers import grounds_of, json_bytes, named, scores_of, spans_of
from prefilter.serving.http.callers import caller
from prefilter.serving.http.descriptions import described
from prefilter.serving.http.interruptible_screening import screened
from prefilter.serving.http.request_bodies import read_items
from prefilter.serving.policy.policy import Policy
from prefilter.serving.screening.screening import ScreenedItem, ScreeningResult

router = APIRouter(tags=["scoring"])

FEW_ROWS = 16
"""Up to these, reading and writing JSON takes less than handing it to a thread and waiting for it there."""


# No dependencies: the framework takes longer to resolve them than the database to answer.
@router.post(
    "/v1/score",
    summary="Screen items.",
    openapi_extra={
        **described(asks=ScoreBody, answers={200: ScoreAnswer}, refuses=(422, 429)),
        "security": [{"HTTPBearer": []}],
    },
)
async def score(request: Request) -> Response:
    """Screen a batch; a client that hangs up stops the scoring of its rows."""
    who = await asyncio.to_thread(caller, request, "pipeline")
    body = await read_items(request, read_score_request)
    result = await screened(
        request, body.rows, principal=who, policy=body.policy, explain=body.explain, exact=body.exact
    )
    if result is None:
        return Response(status_code=CLIENT_GONE)
    rendered = _render(result) if len(result.rows) <= FEW_ROWS else await run_in_threadpool(_render, result)
    return Response(rendered, media_type="application/json")


def _render(result: ScreeningResult) -> bytes:
    body: ScoreAnswer = {
        "results": [_row(row, result.policy, explain=result.explain) for row in result.rows],
        "model_version": result.model_version,
        "policy": named(result.policy),
        "uncalibrated": list(result.uncalibrated),
    }
    return json_bytes(body)


def _row(row: ScreenedItem, policy: Policy, *, explain: bool) -> ScoredRow | FailedRow:
    if row.error is not None:
        return {"id": row.id, "error": {"code": row.error.code, "message": row.error.message}}
    scored, decision = row.scored, row.decision
    assert scored is not None
    assert decision is not None
    assert row.id is not None
    assert row.decision_id is not None
    body: ScoredRow = {
        "id": row.id,
        "outcome": decision.outcome.value,
        "because": grounds_of(decision.because),
        "scores": scores_of(scored),
        "tokens": {"seen": scored.tokens_seen, "total": scored.tokens_total},
        "windows": scored.windows,
        "stage": scored.stage,
        "evidence": spans_of(scored.spans if explain else scored.evidence),
        "decision_id": row.decision_id,
        "enforced": decision.enforced,
    }
    if scored.context_total:
        body["context"] = {"seen": scored.context_seen, "total": scored.context_total}
    if row.case_id is not None:
        body["case_id"] = row.case_id
    if explain:
        body["bands"] = _bands(row, policy)
    return body


def _bands(row: ScreenedItem, policy: Policy) -> dict[str, PlacedScore]:
    """Return where each score of the policy fell: what `explain` adds."""
    scores = row.scored.scores if row.scored else {}
    placed: dict[str, PlacedScore] = {}
    for category, bands in policy.bands_for(row.source).items():
        if category in scores:
            outcome, band = bands.place(float(scores[category]))
            placed[category] = {"outcome": outcome.value, "band": list(band)}
    return placed
