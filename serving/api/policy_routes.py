"""Routes of the safety team: read policies, draft a version, see its effect, activate it, roll back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from prefilter.serving.api.bodies.policy_bodies import (
    CHANGE,
    DRAFT,
    WHAT_IF,
    ChangeBody,
    DraftBody,
    PoliciesAnswer,
    PolicyActivation,
    PolicyAnswer,
    PolicyVersion,
    WhatIfAnswer,
    WhatIfBody,
)
from prefilter.serving.errors import Forbidden
from prefilter.serving.http.answers import PolicyName, answer, named
from prefilter.serving.http.callers import Anyone, Safety
from prefilter.serving.http.descriptions import described
from prefilter.serving.http.parameters import whole_number
from prefilter.serving.http.request_bodies import read_body
from prefilter.serving.state import parts_of, running_of

if TYPE_CHECKING:
    from prefilter.serving.store.policy_rows import Activation, PolicyRow

router = APIRouter(prefix="/v1/policies", tags=["policies"])


@router.get(
    "", summary="Every policy and its active version.", openapi_extra=described(answers={200: PoliciesAnswer})
)
async def every(request: Request, who: Anyone) -> Response:
    """Answer the policies; a pipeline may see which it can name."""
    _readers(who.role)
    listed = await run_in_threadpool(parts_of(request).policy_book.list)
    body: PoliciesAnswer = {
        "policies": [
            {"name": policy.name, "active": _version(policy.active), "newest_version": policy.newest.version}
            for policy in listed
        ]
    }
    return answer(body)


@router.get(
    "/{name}",
    summary="One policy with its versions and activations.",
    openapi_extra=described(answers={200: PolicyAnswer}, refuses=(404,)),
)
async def one(request: Request, name: str, who: Anyone) -> Response:
    """Answer a policy's history, newest first."""
    _readers(who.role)
    history = await run_in_threadpool(parts_of(request).policy_book.get, name)
    body: PolicyAnswer = {
        "name": history.name,
        "active": _version(history.active),
        "versions": [_made(row) for row in history.versions],
        "activations": [_activation(change) for change in history.activations],
    }
    return answer(body)


@router.post(
    "/{name}/versions",
    summary="Draft a version.",
    status_code=201,
    openapi_extra=described(asks=DraftBody, answers={201: PolicyName}, refuses=(409,)),
)
async def draft(request: Request, name: str, who: Safety) -> Response:
    """Store a draft, which decides nothing yet, and answer its number."""
    body = await read_body(request, DRAFT)
    book = parts_of(request).policy_book
    version = await run_in_threadpool(book.draft, name, _given(body, but="reason"), who, body["reason"])
    return answer(PolicyName(name=name, version=version), status=201)


@router.post(
    "/{name}/versions/{version}/activate",
    summary="Let a version decide.",
    openapi_extra=described(asks=ChangeBody, answers={200: PolicyName}, refuses=(404, 409)),
)
async def activate(request: Request, name: str, version: str, who: Safety) -> Response:
    """Activate a version; every worker follows within seconds."""
    body = await read_body(request, CHANGE)
    number, seen = whole_number(version, field="version"), body.get("active_version")
    activate = parts_of(request).policy_book.activate
    policy = await run_in_threadpool(activate, name, number, who, body["reason"], seen=seen)
    return answer(named(policy))


@router.post(
    "/{name}/rollback",
    summary="Return to the version before.",
    openapi_extra=described(asks=ChangeBody, answers={200: PolicyName}, refuses=(404, 409)),
)
async def rollback(request: Request, name: str, who: Safety) -> Response:
    """Go back to the version that was active before the present one."""
    body = await read_body(request, CHANGE)
    seen = body.get("active_version")
    book = parts_of(request).policy_book
    policy = await run_in_threadpool(book.rollback, name, who, body["reason"], seen=seen)
    return answer(named(policy))


@router.post(
    "/{name}/what-if",
    summary="What a draft would change.",
    openapi_extra=described(asks=WhatIfBody, answers={200: WhatIfAnswer}),
)
async def what_if(request: Request, name: str, who: Safety) -> Response:
    """Answer how the stored scores of recent decisions would be decided; no model runs."""
    body = await read_body(request, WHAT_IF)
    book, uncalibrated = parts_of(request).policy_book, running_of(request).scorer.uncalibrated
    change = await run_in_threadpool(book.what_if, name, _given(body), uncalibrated=uncalibrated)
    return answer(change)


def _readers(role: str) -> None:
    if role not in ("pipeline", "safety", "admin"):
        raise Forbidden


def _given(body: Mapping[str, object], *, but: str | None = None) -> dict[str, object]:
    return {name: value for name, value in body.items() if value is not None and name != but}


def _version(row: PolicyRow | None) -> PolicyVersion | None:
    return None if row is None else _made(row)


def _made(row: PolicyRow) -> PolicyVersion:
    return {
        "version": row.version,
        "status": str(row.status),
        "body": dict(row.body),
        "reason": row.reason,
        "created_at": row.created_at.isoformat(),
        "created_by": row.created_by,
    }


def _activation(change: Activation) -> PolicyActivation:
    return {
        "version": change.version,
        "previous_version": change.previous_version,
        "rolled_back": change.rolled_back,
        "at": change.at.isoformat(),
        "actor": change.actor,
        "reason": change.reason,
    }
