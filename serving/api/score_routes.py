"""`POST /v1/score`: a batch of items in, a decision or an error for each out, in order."""

from __future__ import annotations

import asyncio
import json

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from prefilter.serving import schemas
from prefilter.serving.admission.request_gate import CLIENT_GONE
from prefilter.serving.api.answers import named, scores_of, spans_of
from prefilter.serving.api.callers import caller
from prefilter.serving.api.interruptible_screening import screened
from prefilter.serving.api.request_bodies import document, read_items
from prefilter.serving.policy.policy import Policy
from prefilter.serving.screening import ScreenedItem, ScreeningResult

router = APIRouter(tags=["scoring"])

FEW_ROWS = 16
"""Up to these, reading and writing JSON takes less than handing it to a thread and waiting for it there."""

_ITEM = {
    "type": "object",
    "required": ["text"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string", "minLength": 1},
        "text": {"type": "string", "minLength": 1},
        "language": {"type": "string"},
        "source": {"type": "string"},
        "context": {
            "type": "string",
            "description": "What the text answers; a row error if the model reads none.",
        },
    },
}
_REQUEST = {
    "type": "object",
    "required": ["items"],
    "additionalProperties": False,
    "properties": {
        "items": {"type": "array", "minItems": 1, "items": _ITEM},
        "policy": {"type": "string"},
        "explain": {"type": "boolean"},
        "exact": {"type": "boolean"},
    },
}


# No dependencies: the framework takes longer to resolve them than the database to answer.
@router.post(
    "/v1/score",
    summary="Screen items.",
    openapi_extra={**document(_REQUEST), "security": [{"HTTPBearer": []}]},
)
async def score(request: Request) -> Response:
    """Screen a batch; a client that hangs up stops the scoring of its rows."""
    who = await asyncio.to_thread(caller, request, "pipeline")
    body = await read_items(request, schemas.read_score_request)
    result = await screened(
        request, body.rows, principal=who, policy=body.policy, explain=body.explain, exact=body.exact
    )
    if result is None:
        return Response(status_code=CLIENT_GONE)
    rendered = _render(result) if len(result.rows) <= FEW_ROWS else await run_in_threadpool(_render, result)
    return Response(rendered, media_type="application/json")


def _render(result: ScreeningResult) -> bytes:
    body = {
        "results": [_row(row, result.policy, explain=result.explain) for row in result.rows],
        "model_version": result.model_version,
        "policy": named(result.policy),
        "uncalibrated": list(result.uncalibrated),
    }
    return json.dumps(body, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii")


def _row(row: ScreenedItem, policy: Policy, *, explain: bool) -> dict[str, object]:
    if row.decision is None or row.scored is None:
        error = row.error
        return {"id": row.id, "error": {"code": error.code, "message": error.message} if error else None}
    scored, decision = row.scored, row.decision
    body: dict[str, object] = {
        "id": row.id,
        "outcome": decision.outcome.value,
        "because": [because.to_json() for because in decision.because],
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


def _bands(row: ScreenedItem, policy: Policy) -> dict[str, object]:
    """Return where each score of the policy fell: what `explain` adds."""
    scores = row.scored.scores if row.scored else {}
    placed: dict[str, object] = {}
    for category, bands in policy.bands_for(row.source).items():
        if category in scores:
            outcome, band = bands.place(float(scores[category]))
            placed[category] = {"outcome": outcome.value, "band": list(band)}
    return placed
