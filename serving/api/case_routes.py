"""Routes of the reviewers: queues, claims, leases, reveals, reviews. The console runs the same use cases."""

from __future__ import annotations

from typing import Protocol, TypeVar

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from prefilter.serving.api.answers import answer
from prefilter.serving.api.callers import Reviewer
from prefilter.serving.api.parameters import idempotency_key
from prefilter.serving.api.request_bodies import document, read_object
from prefilter.serving.auth import Principal
from prefilter.serving.state import parts_of

router = APIRouter(prefix="/v1", tags=["triage"])

Done = TypeVar("Done")
Done_co = TypeVar("Done_co", covariant=True)

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


class UnderLease(Protocol[Done_co]):
    """A use case on a case that its caller holds."""

    def __call__(self, case_id: str, principal: Principal, /, *, lease_token: str) -> Done_co:
        """Do it; raises LeaseLost."""
        ...


@router.get("/queues", summary="How much waits in each queue.")
async def queues(request: Request, who: Reviewer) -> Response:
    """Answer the queues this reviewer may claim from."""
    views = await run_in_threadpool(parts_of(request).triage.queues, who)
    return answer({"queues": [view.to_json() for view in views]})


@router.post("/queues/{name}/claim", summary="Lease the next case, masked.")
async def claim(request: Request, name: str, who: Reviewer) -> Response:
    """Answer the case now leased (or already held), or 204 when none waits."""
    claimed = await run_in_threadpool(parts_of(request).triage.claim, name, who)
    return Response(status_code=204) if claimed is None else answer(claimed.to_json())


@router.post("/cases/{case_id}/renew", summary="Begin the lease anew.", openapi_extra=document(_LEASE))
async def renew(request: Request, case_id: str, who: Reviewer) -> Response:
    """Answer the lease with its new end."""
    lease = await _under_lease(request, parts_of(request).triage.renew, case_id, who)
    return answer({"lease": {"token": lease.token, "expires_at": lease.expires_at.isoformat()}})


@router.post("/cases/{case_id}/release", summary="Give a case back.", openapi_extra=document(_LEASE))
async def release(request: Request, case_id: str, who: Reviewer) -> Response:
    """Return the case to its queue."""
    await _under_lease(request, parts_of(request).triage.release, case_id, who)
    return answer({"status": "open"})


@router.post("/cases/{case_id}/skip", summary="Give a case back for good.", openapi_extra=document(_LEASE))
async def skip(request: Request, case_id: str, who: Reviewer) -> Response:
    """Return the case to its queue, never to be served to this reviewer again."""
    await _under_lease(request, parts_of(request).triage.skip, case_id, who)
    return answer({"status": "open"})


@router.post("/cases/{case_id}/escalate", summary="Hand a case to the leads.", openapi_extra=document(_LEASE))
async def escalate(request: Request, case_id: str, who: Reviewer) -> Response:
    """Move the case to the queue `escalated`."""
    await _under_lease(request, parts_of(request).triage.escalate, case_id, who)
    return answer({"status": "escalated"})


@router.post("/cases/{case_id}/reveal", summary="Read the whole text.", openapi_extra=document(_LEASE))
async def reveal(request: Request, case_id: str, who: Reviewer) -> Response:
    """Answer the unmasked text and its context; that they were shown is recorded."""
    revealed = await _under_lease(request, parts_of(request).triage.reveal, case_id, who)
    return answer(revealed.to_json())


@router.post("/cases/{case_id}/reviews", summary="Decide a case.", openapi_extra=document(_REVIEW))
async def review(request: Request, case_id: str, who: Reviewer) -> Response:
    """Store a review and close the case; the same Idempotency-Key and body get the same answer again."""
    body = await read_object(
        request,
        required={"lease_token": str, "labels": dict, "outcome": str},
        optional={"severity": int, "reason": str, "note": str},
    )
    receipt = await run_in_threadpool(
        parts_of(request).triage.review,
        case_id,
        who,
        lease_token=body["lease_token"],
        labels=body["labels"],
        outcome=body["outcome"],
        severity=body.get("severity"),
        reason=body.get("reason"),
        note=body.get("note"),
        idempotency_key=idempotency_key(request),
    )
    return answer(receipt.to_json(), status=201)


async def _under_lease(request: Request, act: UnderLease[Done], case_id: str, who: Principal) -> Done:
    body = await read_object(request, required={"lease_token": str})
    return await run_in_threadpool(act, case_id, who, lease_token=body["lease_token"])
