"""Erasure: what a person may ask to have forgotten."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from prefilter.serving.api.wire import Anyone, answer, part, run
from prefilter.serving.errors import Forbidden

router = APIRouter(prefix="/v1/items", tags=["items"])


@router.delete("/{item_id:path}", summary="Erase the texts and notes kept for an item.")
async def erase(request: Request, item_id: str, who: Anyone) -> Response:
    """Erase an item: a pipeline its own, a lead or admin anyone's; decisions stay, without text."""
    if who.role not in ("pipeline", "lead", "admin"):
        raise Forbidden
    erased = await run(part(request, "triage").retention.erase, item_id, who)
    return answer({"erased_cases": erased})
