"""The HTTP API: one file for each group of routes.

A route reads a body, calls one use case and writes an answer.

No SQL, no decisions and no scoring happen here. What a body holds is
described beside its routes and read by `serving.body_reader`, never by the framework, whose own validation errors
repeat their input.
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
