"""The audit page: the newest entries of the chain, and a button that walks the whole of it.

Entries hold no item text and no notes, so safety people may read all of them.
"""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from prefilter.serving.audit.chain import AuditVerification, page, verify
from prefilter.serving.console.console_session import Safety
from prefilter.serving.console.guard import ConsoleRoute
from prefilter.serving.console.rendering import render
from prefilter.serving.state import parts_of

PAGE_ENTRIES = 50

Before = Annotated[int | None, Query(ge=0, lt=2**31)]
"""A sequence number that every database can compare with."""

router = APIRouter(route_class=ConsoleRoute)


@router.get("/audit")
def audit_page(request: Request, who: Safety, before: Before = None, action: str = "") -> Response:
    """List entries, newest first, optionally below a number and of one action."""
    return _show(request, who, before=before, action=action)


@router.post("/audit/verify")
def verify_chain(request: Request, who: Safety) -> Response:
    """Walk the chain and say whether it holds."""
    return _show(request, who, verification=verify(parts_of(request).store))


def _show(
    request: Request,
    who: Safety,
    *,
    before: int | None = None,
    action: str = "",
    verification: AuditVerification | None = None,
) -> Response:
    found = page(parts_of(request).store, before=before, action=action or None, limit=PAGE_ENTRIES + 1)
    entries = found[:PAGE_ENTRIES]
    context = {
        "principal": who,
        "entries": [(entry, json.dumps(dict(entry.body), indent=1, ensure_ascii=True)) for entry in entries],
        "older": entries[-1].seq if len(found) > PAGE_ENTRIES else None,
        "action": action,
        "verification": verification,
    }
    return render(request, "audit.html", context)
