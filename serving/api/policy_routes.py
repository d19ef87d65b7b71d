"""Routes of the safety team: read policies, draft a version, see its effect, activate it, roll back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from prefilter.serving.api.answers import answer
from prefilter.serving.api.callers import Anyone, Safety
from prefilter.serving.api.parameters import whole_number
from prefilter.serving.api.request_bodies import document, read_object
from prefilter.serving.errors import Forbidden
from prefilter.serving.policy.policy import MAX_UNSAFE_CHARS
from prefilter.serving.state import parts_of, running_of

if TYPE_CHECKING:
    from prefilter.serving.store.policy_rows import PolicyRow

router = APIRouter(prefix="/v1/policies", tags=["policies"])

_EDGE = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
_CATEGORIES = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "properties": {"review": _EDGE, "block": _EDGE, "reason": {"type": "string"}},
    },
}
_FIELDS = {
    "categories": _CATEGORIES,
    "unreadable": {"enum": ["review", "block"]},
    "enforced": {"type": "boolean"},
    "sources": {"type": "object", "additionalProperties": _CATEGORIES},
    "streaming": {
        "type": "object",
        "additionalProperties": False,
        "properties": {"max_unsafe_chars": {"type": "integer", "minimum": 0, "maximum": MAX_UNSAFE_CHARS}},
    },
    "reason": {"type": "string"},
}
_DRAFT = {"type": "object", "required": ["categories", "reason"], "properties": _FIELDS}
_WHAT_IF = {"type": "object", "required": ["categories"], "properties": _FIELDS}
_CHANGE = {
    "type": "object",
    "required": ["reason"],
    "properties": {"reason": {"type": "string"}, "active_version": {"type": "integer", "minimum": 0}},
}
_OPTIONAL: dict[str, type] = {"unreadable": str, "enforced": bool, "sources": dict, "streaming": dict}


@router.get("", summary="Every policy and its active version.")
async def every(request: Request, who: Anyone) -> Response:
    """Answer the policies; a pipeline may see which it can name."""
    _readers(who.role)
    listed = await run_in_threadpool(parts_of(request).policy_book.list)
    return answer(
        {
            "policies": [
                {
                    "name": policy.name,
                    "active": _version(policy.active),
                    "newest_version": policy.newest.version,
                }
                for policy in listed
            ]
        }
    )


@router.get("/{name}", summary="One policy with its versions and activations.")
async def one(request: Request, name: str, who: Anyone) -> Response:
    """Answer a policy's history, newest first."""
    _readers(who.role)
    history = await run_in_threadpool(parts_of(request).policy_book.get, name)
    return answer(
        {
            "name": history.name,
            "active": _version(history.active),
            "versions": [_version(row) for row in history.versions],
            "activations": [
                {
                    "version": change.version,
                    "previous_version": change.previous_version,
                    "rolled_back": change.rolled_back,
                    "at": change.at.isoformat(),
                    "actor": change.actor,
                    "reason": change.reason,
                }
                for change in history.activations
            ],
        }
    )


@router.post("/{name}/versions", summary="Draft a version.", openapi_extra=document(_DRAFT))
async def draft(request: Request, name: str, who: Safety) -> Response:
    """Store a draft, which decides nothing yet, and answer its number."""
    body = await read_object(request, required={"categories": dict, "reason": str}, optional=_OPTIONAL)
    reason = body.pop("reason")
    book = parts_of(request).policy_book
    version = await run_in_threadpool(book.draft, name, _given(body), who, reason)
    return answer({"name": name, "version": version}, status=201)


@router.post(
    "/{name}/versions/{version}/activate",
    summary="Let a version decide.",
    openapi_extra=document(_CHANGE),
)
async def activate(request: Request, name: str, version: str, who: Safety) -> Response:
    """Activate a version; every worker follows within seconds."""
    body = await read_object(request, required={"reason": str}, optional={"active_version": int})
    number, seen = whole_number(version, field="version"), body.get("active_version")
    activate = parts_of(request).policy_book.activate
    policy = await run_in_threadpool(activate, name, number, who, body["reason"], seen=seen)
    return answer({"name": policy.name, "version": policy.version})


@router.post("/{name}/rollback", summary="Return to the version before.", openapi_extra=document(_CHANGE))
async def rollback(request: Request, name: str, who: Safety) -> Response:
    """Go back to the version that was active before the present one."""
    body = await read_object(request, required={"reason": str}, optional={"active_version": int})
    seen = body.get("active_version")
    book = parts_of(request).policy_book
    policy = await run_in_threadpool(book.rollback, name, who, body["reason"], seen=seen)
    return answer({"name": policy.name, "version": policy.version})


@router.post("/{name}/what-if", summary="What a draft would change.", openapi_extra=document(_WHAT_IF))
async def what_if(request: Request, name: str, who: Safety) -> Response:
    """Answer how the stored scores of recent decisions would be decided; no model runs."""
    body = await read_object(request, required={"categories": dict}, optional={**_OPTIONAL, "reason": str})
    book, uncalibrated = parts_of(request).policy_book, running_of(request).scorer.uncalibrated
    change = await run_in_threadpool(book.what_if, name, _given(body), uncalibrated=uncalibrated)
    return answer(change)


def _readers(role: str) -> None:
    if role not in ("pipeline", "safety", "admin"):
        raise Forbidden


def _given(body: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in body.items() if value is not None}


def _version(row: PolicyRow | None) -> dict[str, object] | None:
    if row is None:
        return None
    return {
        "version": row.version,
        "status": str(row.status),
        "body": dict(row.body),
        "reason": row.reason,
        "created_at": row.created_at.isoformat(),
        "created_by": row.created_by,
    }
