"""`POST /v1/moderations`: OpenAI's moderation endpoint, answered by this service.

A client of OpenAI's changes its base URL and nothing else. `flagged` is true where the active policy, if it is
enforced, does not allow the text, so also where it could not be scored; `categories` says which of the 13 it is
flagged for (`openai_categories`). Everything OpenAI has no word for is under
`x_prefilter`: in each result the decision, and once per answer what the categories are made of.
"""

from __future__ import annotations

import asyncio
import secrets
import time

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from prefilter.serving.admission.request_gate import CLIENT_GONE
from prefilter.serving.compat.openai.moderation_answer import ModerationAnswer, ModerationResult, OwnResult
from prefilter.serving.compat.openai.moderation_body import ModerationBody, read_moderation
from prefilter.serving.compat.openai.openai_categories import marked, openai_categories
from prefilter.serving.compat.openai.openai_errors import OpenAIError
from prefilter.serving.errors import BadRequest, Unprocessable
from prefilter.serving.http.answers import answer, grounds_of, named, scores_of, spans_of
from prefilter.serving.http.callers import caller
from prefilter.serving.http.descriptions import described
from prefilter.serving.http.interruptible_screening import screened
from prefilter.serving.http.request_bodies import read_items
from prefilter.serving.policy.policy import Outcome
from prefilter.serving.screening.screening import ScreenedItem, ScreeningResult
from prefilter.serving.state import parts_of, running_of

router = APIRouter(tags=["openai"])


@router.post(
    "/v1/moderations",
    summary="Classify text, as OpenAI's moderation endpoint does.",
    openapi_extra={
        **described(asks=ModerationBody, answers={200: ModerationAnswer}, refuses=(429,), errors=OpenAIError),
        "security": [{"HTTPBearer": []}],
    },
)
async def moderations(request: Request) -> Response:
    """Screen the inputs and answer in OpenAI's shape."""
    started = time.perf_counter()
    who = await asyncio.to_thread(caller, request, "pipeline")
    body = await read_items(request, read_moderation)
    try:
        result = await screened(
            request, body.items, principal=who, policy=body.policy, explain=True, exact=body.exact
        )
    except Unprocessable as error:
        error.field = f"x_prefilter.{error.field}"  # where it stands in this body
        raise
    if result is None:
        return Response(status_code=CLIENT_GONE)
    for row in result.rows:  # what only the model could tell: a context that it does not read
        if row.error is not None:
            raise BadRequest(row.error.message, code=row.error.code, field="x_prefilter.context")
    response = answer(_body(result))
    response.headers.update(_headers(request, started))
    return response


def _body(result: ScreeningResult) -> ModerationAnswer:
    return {
        "id": f"modr-{secrets.token_hex(12)}",
        "model": result.model_version,
        "results": [_result(row, result) for row in result.rows],
        "x_prefilter": {
            "categories": {category.name: category.to_json() for category in openai_categories()},
            "uncalibrated": list(result.uncalibrated),
        },
    }


def _result(row: ScreenedItem, result: ScreeningResult) -> ModerationResult:
    assert row.scored is not None
    assert row.decision is not None
    scored, decision = row.scored, row.decision
    bands = result.policy.bands_for(row.source)
    flagged = decision.enforced and decision.outcome is not Outcome.ALLOW
    because = [ground.category for ground in decision.because]
    true = marked(scored.scores, bands, because) if flagged else frozenset()
    categories = openai_categories()
    assert row.decision_id is not None
    own: OwnResult = {
        "outcome": decision.outcome.value,
        "because": grounds_of(decision.because),
        "spans": spans_of(scored.spans),
        "tokens": {"seen": scored.tokens_seen, "total": scored.tokens_total},
        "stage": scored.stage,
        "model_version": result.model_version,
        "policy": named(result.policy),
        "enforced": decision.enforced,
        "decision_id": row.decision_id,
        "scores": scores_of(scored),
    }
    if row.case_id is not None:
        own["case_id"] = row.case_id
    return {
        "flagged": flagged,
        "categories": {c.name: c.name in true for c in categories},
        "category_scores": {c.name: c.score(scored.scores) for c in categories},
        "category_applied_input_types": {c.name: ["text"] for c in categories},
        "x_prefilter": own,
    }


def _headers(request: Request, started: float) -> dict[str, str]:
    """Return the rate-limit headers OpenAI's clients read: what is inside now, not what a key has used up."""
    parts, engine = parts_of(request), running_of(request).engine
    settings = parts.settings
    wait = f"{engine.retry_after_s()}s" if engine.queued_tokens else "0s"
    return {
        "x-ratelimit-limit-requests": str(settings.max_waiting),
        "x-ratelimit-remaining-requests": str(max(0, settings.max_waiting - parts.admission.inside)),
        "x-ratelimit-reset-requests": wait,
        "x-ratelimit-limit-tokens": str(settings.max_queued_tokens),
        "x-ratelimit-remaining-tokens": str(max(0, settings.max_queued_tokens - engine.queued_tokens)),
        "x-ratelimit-reset-tokens": wait,
        "openai-processing-ms": str(round((time.perf_counter() - started) * 1_000)),
    }
