"""The HTTP API: one file per group of routes, each reading a body, calling one use case, writing an answer.

No SQL, no decisions and no scoring happen here. Bodies are read by hand (`serving.schemas`), never by the
framework, whose own validation errors repeat their input.
"""

from __future__ import annotations

from fastapi import APIRouter

from prefilter.serving.api import audit, cases, decisions, items, keys, operations, policies, score, stream

router = APIRouter()
for group in (operations, score, stream, decisions, items, policies, cases, audit, keys):
    router.include_router(group.router)

__all__ = ["router"]
