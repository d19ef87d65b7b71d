"""Routes on the audit trail: read it, verify its chain."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from prefilter.serving.api.bodies.audit_bodies import AuditAnswer, VerificationAnswer
from prefilter.serving.audit import chain
from prefilter.serving.errors import BadRequest
from prefilter.serving.http.answers import answer
from prefilter.serving.http.callers import Safety
from prefilter.serving.http.descriptions import described
from prefilter.serving.http.parameters import in_query, whole_number
from prefilter.serving.state import parts_of

router = APIRouter(prefix="/v1/audit", tags=["audit"])

_MAX_LIMIT = 1_000
_PARAMETERS = (
    in_query("before", "Entries before this sequence number.", number=(0, 10**9 - 1)),
    in_query("action", "Entries of this action alone."),
    in_query("limit", "How many at the most; 100 where it is not said.", number=(1, _MAX_LIMIT)),
)
_NAMES = frozenset(str(parameter["name"]) for parameter in _PARAMETERS)


@router.get(
    "",
    summary="Entries of the audit trail, newest first.",
    openapi_extra=described(reads=_PARAMETERS, answers={200: AuditAnswer}, refuses=(400,)),
)
async def page(request: Request, who: Safety) -> Response:
    """Answer up to `limit` (default 100, at most 1,000) entries before the sequence number `before`."""
    query = request.query_params
    if not _NAMES.issuperset(query):
        raise BadRequest("unknown parameter: before, action and limit are read", code="unknown_field")
    before = whole_number(query["before"], field="before") if "before" in query else None
    limit = whole_number(query.get("limit", "100"), field="limit")
    if not 1 <= limit <= _MAX_LIMIT:
        raise BadRequest(f"must lie between 1 and {_MAX_LIMIT}", code="wrong_type", field="limit")
    store = parts_of(request).store
    entries = await run_in_threadpool(
        chain.page, store, before=before, action=query.get("action"), limit=limit
    )
    body: AuditAnswer = {
        "entries": [
            {
                "seq": entry.seq,
                "at": entry.at.isoformat(),
                "actor": entry.actor,
                "action": entry.action,
                "subject": entry.subject,
                "body": dict(entry.body),
                "prev_hash": entry.prev_hash,
                "hash": entry.hash,
            }
            for entry in entries
        ],
        "next_before": entries[-1].seq if len(entries) == limit else None,
    }
    return answer(body)


@router.get(
    "/verify", summary="Whether the chain is whole.", openapi_extra=described(answers={200: VerificationAnswer})
)
async def verify(request: Request, who: Safety) -> Response:
    """Walk the whole chain and answer where it breaks, if it does."""
    found = await run_in_threadpool(chain.verify, parts_of(request).store)
    body: VerificationAnswer = {
        "ok": found.ok,
        "entries": found.entries,
        "broken_at": found.broken_at,
        "head": found.head,
    }
    return answer(body)
