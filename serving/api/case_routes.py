"""Routes of the reviewers: queues, claims, leases, reveals, reviews. The console runs the same use cases."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from prefilter.serving.api.bodies.case_bodies import (
    LEASE,
    REVIEW,
    ClaimAnswer,
    LeaseAnswer,
    LeaseBody,
    QueuesAnswer,
    RevealAnswer,
    ReviewAnswer,
    ReviewBody,
    StatusAnswer,
    claim_answer,
    judgement,
    lease_fields,
    queue_entry,
    reveal_answer,
    review_answer,
)
from prefilter.serving.auth import Principal
from prefilter.serving.http.answers import answer
from prefilter.serving.http.callers import Reviewer
from prefilter.serving.http.descriptions import described
from prefilter.serving.http.parameters import IDEMPOTENCY_KEY, idempotency_key
from prefilter.serving.http.request_bodies import read_body
from prefilter.serving.state import parts_of

router = APIRouter(prefix="/v1", tags=["triage"])

Done = TypeVar("Done")
Done_co = TypeVar("Done_co", covariant=True)


class UnderLease(Protocol[Done_co]):
    """A use case on a case that its caller holds."""

    def __call__(self, case_id: str, principal: Principal, /, *, lease_token: str) -> Done_co:
        """Do it; raises LeaseLost."""
        ...


def _leased(answered: type) -> dict[str, Any]:
    return described(asks=LeaseBody, answers={200: answered}, refuses=(404, 409))


@router.get("/queues", summary="How much waits in each queue.", openapi_extra=described(answers={200: QueuesAnswer}))
async def queues(request: Request, who: Reviewer) -> Response:
    """Answer the queues this reviewer may claim from."""
    views = await run_in_threadpool(parts_of(request).triage.queues, who)
    return answer(QueuesAnswer(queues=[queue_entry(view) for view in views]))


@router.post(
    "/queues/{name}/claim",
    summary="Lease the next case, masked.",
    openapi_extra=described(answers={200: ClaimAnswer, 204: None}, refuses=(400, 404, 409)),
)
async def claim(request: Request, name: str, who: Reviewer) -> Response:
    """Answer the case now leased (or already held), or 204 when none waits."""
    claimed = await run_in_threadpool(parts_of(request).triage.claim, name, who)
    return Response(status_code=204) if claimed is None else answer(claim_answer(claimed))


@router.post("/cases/{case_id}/renew", summary="Begin the lease anew.", openapi_extra=_leased(LeaseAnswer))
async def renew(request: Request, case_id: str, who: Reviewer) -> Response:
    """Answer the lease with its new end."""
    lease = await _under_lease(request, parts_of(request).triage.renew, case_id, who)
    return answer(LeaseAnswer(lease=lease_fields(lease)))


@router.post("/cases/{case_id}/release", summary="Give a case back.", openapi_extra=_leased(StatusAnswer))
async def release(request: Request, case_id: str, who: Reviewer) -> Response:
    """Return the case to its queue."""
    await _under_lease(request, parts_of(request).triage.release, case_id, who)
    return answer(StatusAnswer(status="open"))


@router.post("/cases/{case_id}/skip", summary="Give a case back for good.", openapi_extra=_leased(StatusAnswer))
async def skip(request: Request, case_id: str, who: Reviewer) -> Response:
    """Return the case to its queue, never to be served to this reviewer again."""
    await _under_lease(request, parts_of(request).triage.skip, case_id, who)
    return answer(StatusAnswer(status="open"))


@router.post("/cases/{case_id}/escalate", summary="Hand a case to the leads.", openapi_extra=_leased(StatusAnswer))
async def escalate(request: Request, case_id: str, who: Reviewer) -> Response:
    """Move the case to the queue `escalated`."""
    await _under_lease(request, parts_of(request).triage.escalate, case_id, who)
    return answer(StatusAnswer(status="escalated"))


@router.post("/cases/{case_id}/reveal", summary="Read the whole text.", openapi_extra=_leased(RevealAnswer))
async def reveal(request: Request, case_id: str, who: Reviewer) -> Response:
    """Answer the unmasked text and its context; that they were shown is recorded."""
    revealed = await _under_lease(request, parts_of(request).triage.reveal, case_id, who)
    return answer(reveal_answer(revealed))


@router.post(
    "/cases/{case_id}/reviews",
    summary="Decide a case.",
    status_code=201,
    openapi_extra=described(
        asks=ReviewBody, reads=(IDEMPOTENCY_KEY,), answers={201: ReviewAnswer}, refuses=(404, 409)
    ),
)
async def review(request: Request, case_id: str, who: Reviewer) -> Response:
    """Store a review and close the case; the same Idempotency-Key and body get the same answer again."""
    body = await read_body(request, REVIEW)
    receipt = await run_in_threadpool(
        parts_of(request).triage.review,
        case_id,
        who,
        lease_token=body["lease_token"],
        judgement=judgement(body),
        idempotency_key=idempotency_key(request),
    )
    return answer(review_answer(receipt), status=201)


async def _under_lease(request: Request, act: UnderLease[Done], case_id: str, who: Principal) -> Done:
    body = await read_body(request, LEASE)
    return await run_in_threadpool(act, case_id, who, lease_token=body["lease_token"])
