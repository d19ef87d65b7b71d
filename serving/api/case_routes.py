"""Routes of the reviewers: queues, claims, leases, reveals, reviews. The console runs the same use cases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from prefilter.serving.api.wire import (
    Reviewer,
    answer,
    document,
    idempotency_key,
    part,
    read_object,
    run,
)

router = APIRouter(prefix="/v1", tags=["triage"])

_LEASE = {
    "type": "object",
    "required": ["lease_token"],
    "properties": {"lease_token": {"type": "string"}},
}
_REVIEW = {
    "type": "object",
    "required": ["lease_token", "labels", "outcome"],
    "properties": {
        "lease_token": {"type": "string"},
        "labels": {"type": "object", "additionalProperties": {"enum": ["yes", "no", "unsure"]}},
        "outcome": {"enum": ["allow", "block"]},
        "severity": {"type": "integer", "minimum": 1, "maximum": 7},
        "reason": {"type": "string"},
        "note": {"type": "string"},
    },
}


@router.get("/queues", summary="How much waits in each queue.")
async def queues(request: Request, who: Reviewer) -> Response:
    """Answer the queues this reviewer may claim from."""
    views = await run(part(request, "triage").queues, who)
    return answer({"queues": [view.to_json() for view in views]})


@router.post("/queues/{name}/claim", summary="Lease the next case, masked.")
async def claim(request: Request, name: str, who: Reviewer) -> Response:
    """Answer the case now leased (or already held), or 204 when none waits."""
    claimed = await run(part(request, "triage").claim, name, who)
    return Response(status_code=204) if claimed is None else answer(claimed.to_json())


@router.post("/cases/{case_id}/renew", summary="Begin the lease anew.", openapi_extra=document(_LEASE))
async def renew(request: Request, case_id: str, who: Reviewer) -> Response:
    """Answer the lease with its new end."""
    lease = await _under_lease(request, part(request, "triage").renew, case_id, who)
    return answer({"lease": {"token": lease.token, "expires_at": lease.expires_at.isoformat()}})


@router.post("/cases/{case_id}/release", summary="Give a case back.", openapi_extra=document(_LEASE))
async def release(request: Request, case_id: str, who: Reviewer) -> Response:
    """Return the case to its queue."""
    await _under_lease(request, part(request, "triage").release, case_id, who)
    return answer({"status": "open"})


@router.post("/cases/{case_id}/skip", summary="Give a case back for good.", openapi_extra=document(_LEASE))
async def skip(request: Request, case_id: str, who: Reviewer) -> Response:
    """Return the case to its queue, never to be served to this reviewer again."""
    await _under_lease(request, part(request, "triage").skip, case_id, who)
    return answer({"status": "open"})


@router.post("/cases/{case_id}/escalate", summary="Hand a case to the leads.", openapi_extra=document(_LEASE))
async def escalate(request: Request, case_id: str, who: Reviewer) -> Response:
    """Move the case to the queue `escalated`."""
    await _under_lease(request, part(request, "triage").escalate, case_id, who)
    return answer({"status": "escalated"})


@router.post("/cases/{case_id}/reveal", summary="Read the whole text.", openapi_extra=document(_LEASE))
async def reveal(request: Request, case_id: str, who: Reviewer) -> Response:
    """Answer the unmasked text and what it answers; that they were shown is recorded."""
    revealed = await _under_lease(request, part(request, "triage").reveal, case_id, who)
    return answer(revealed.to_json())


@router.post("/cases/{case_id}/reviews", summary="Decide a case.", openapi_extra=document(_REVIEW))
async def review(request: Request, case_id: str, who: Reviewer) -> Response:
    """Store a review and close the case; the same Idempotency-Key and body get the same answer again."""
    body = await read_object(
        request,
        required={"lease_token": str, "labels": dict, "outcome": str},
        optional={"severity": int, "reason": str, "note": str},
    )
    given = {name: value for name, value in body.items() if value is not None}
    receipt = await run(
        part(request, "triage").review, case_id, who, idempotency_key=idempotency_key(request), **given
    )
    return answer(receipt.to_json(), status=201)


async def _under_lease(request: Request, act: Callable[..., Any], case_id: str, who: Any) -> Any:
    body = await read_object(request, required={"lease_token": str})
    return await run(act, case_id, who, lease_token=body["lease_token"])
