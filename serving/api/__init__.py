"""The HTTP API: one file per group of routes, each reading a body, calling one use case, writing an answer.

No SQL, no decisions and no scoring happen here. Bodies are read by hand (`serving.schemas`), never by the
framework, whose own validation errors repeat their input.
"""

from __future__ import annotations

from fastapi import APIRouter

from prefilter.serving.api import (
    audit_routes,
    case_routes,
    decision_routes,
    erasure_routes,
    key_routes,
    operation_routes,
    policy_routes,
    score_routes,
    stream_routes,
)

router = APIRouter()
for group in (
    operation_routes,
    score_routes,
    stream_routes,
    decision_routes,
    erasure_routes,
    policy_routes,
    case_routes,
    audit_routes,
    key_routes,
):
    router.include_router(group.router)

__all__ = ["router"]
