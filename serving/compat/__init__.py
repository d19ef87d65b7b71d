"""Third-party APIs: endpoints in the wire formats of OpenAI's moderation and of Perspective.

Each reads a foreign body, calls the same use case as the native API, and answers in the foreign shape, its
errors included. No scoring, no decisions and no SQL here.
"""

from __future__ import annotations

from fastapi import APIRouter

from prefilter.serving.admission.refusal import Refuse, native
from prefilter.serving.compat.openai import moderation_routes, openai_errors
from prefilter.serving.compat.perspective import comment_routes, google_errors

router = APIRouter()
for routes in (moderation_routes, comment_routes):
    router.include_router(routes.router)

_REFUSALS: tuple[tuple[str, Refuse], ...] = (
    ("/v1/moderations", openai_errors.refusal),
    *((prefix, google_errors.refusal) for prefix in ("/v1alpha1", "/discovery", "/$discovery")),
)


def refuse_for(path: str) -> Refuse:
    """Return how a request for `path` is refused: in its API's shape, else the native one."""
    for prefix, refuse in _REFUSALS:
        if path == prefix or path.startswith(f"{prefix}/"):
            return refuse
    return native


__all__ = ["refuse_for", "router"]
