"""Routes on a pipeline's own decisions: read one, appeal one."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from prefilter.models.text.context import check_context, given_context
from prefilter.models.text.normalisation import check_text
from prefilter.serving.api.bodies.decision_bodies import APPEAL, AppealAnswer, AppealBody, DecisionAnswer
from prefilter.serving.errors import Forbidden, Unprocessable
from prefilter.serving.http.answers import answer
from prefilter.serving.http.callers import Anyone, Pipeline
from prefilter.serving.http.descriptions import described
from prefilter.serving.http.request_bodies import read_body
from prefilter.serving.policy.decide import Ground
from prefilter.serving.state import parts_of, running_of

if TYPE_CHECKING:
    from prefilter.serving.store.decision_rows import DecisionRow

router = APIRouter(prefix="/v1/decisions", tags=["decisions"])


@router.get(
    "/{decision_id}",
    summary="One recorded decision.",
    openapi_extra=described(answers={200: DecisionAnswer}, refuses=(404,)),
)
async def read(request: Request, decision_id: str, who: Anyone) -> Response:
    """Answer a decision: a pipeline's own, or any for safety and admin."""
    if who.role not in ("pipeline", "safety", "admin"):
        raise Forbidden
    row = await run_in_threadpool(running_of(request).screening.decision, decision_id, who)
    return answer(_body(row))


@router.post(
    "/{decision_id}/appeal",
    summary="Ask for a person to look at a decision.",
    status_code=201,
    openapi_extra=described(asks=AppealBody, answers={201: AppealAnswer}, refuses=(404, 422)),
)
async def appeal(request: Request, decision_id: str, who: Pipeline) -> Response:
    """Open a case for a decision; the text, and its context, are sent again, since they were not kept."""
    body = await read_body(request, APPEAL)
    limit = parts_of(request).settings.max_text_chars
    text, context = body["text"], body.get("context")
    for name, error in (
        ("text", check_text(text, max_chars=limit)),
        ("context", check_context(context, max_chars=limit)),
    ):
        if error is not None:
            raise Unprocessable(error.message, code=error.code, field=name)
    appeal = running_of(request).screening.appeal
    case_id = await run_in_threadpool(appeal, decision_id, text, who, context=given_context(context))
    return answer(AppealAnswer(decision_id=decision_id, case_id=case_id), status=201)


def _body(row: DecisionRow) -> DecisionAnswer:
    return {
        "decision_id": row.id,
        "id": row.item_id,
        "outcome": row.outcome,
        "because": cast("list[Ground]", list(row.because)),
        "scores": dict(row.scores),
        "tokens": {"seen": row.tokens_seen, "total": row.tokens_total},
        "stage": row.stage,
        "enforced": row.enforced,
        "language": row.language,
        "source": row.source,
        "policy": {"name": row.policy_name, "version": row.policy_version},
        "model_version": row.model_version,
        "created_at": row.created_at.isoformat(),
    }
