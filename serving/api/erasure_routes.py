"""Erasure: what a person may ask to have forgotten."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from prefilter.serving.errors import Forbidden
from prefilter.serving.http.answers import answer
from prefilter.serving.http.callers import Anyone
from prefilter.serving.http.descriptions import described
from prefilter.serving.state import parts_of

router = APIRouter(prefix="/v1/items", tags=["items"])


class ErasureAnswer(TypedDict):
    """How many cases lost their text."""

    erased_cases: int


@router.delete(
    "/{item_id:path}",
    summary="Erase the texts and notes kept for an item.",
    openapi_extra=described(answers={200: ErasureAnswer}),
)
async def erase(request: Request, item_id: str, who: Anyone) -> Response:
    """Erase an item: a pipeline its own, a lead or admin anyone's; decisions stay, without text."""
    if who.role not in ("pipeline", "lead", "admin"):
        raise Forbidden
    erased = await run_in_threadpool(parts_of(request).triage.retention.erase, item_id, who)
    return answer(ErasureAnswer(erased_cases=erased))
