"""Callers: who sends a request, told by the key it carries, and which roles a route lets in.

A route names the roles it is for, and admin always passes. Nobody is told apart before the service has started. Knows
no use case but `auth`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Security
from fastapi.security import HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials
from starlette.requests import HTTPConnection, Request

from prefilter.serving.auth import Principal, require
from prefilter.serving.errors import Unauthorised
from prefilter.serving.state import parts_of, running_of

_bearer = HTTPBearer(auto_error=False, description="A key made by `prefilter key create`.")


def principal(
    request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
) -> Principal:
    """Return who calls, from `Authorization: Bearer KEY`; raises NotReady before the start, Unauthorised."""
    running_of(request)
    if given is None or not given.credentials:
        raise Unauthorised
    return parts_of(request).auth.authenticate(given.credentials)


def allow(*roles: str) -> Callable[[Principal], Awaitable[Principal]]:
    """Return a dependency that lets these roles in, and always admin; raises Forbidden for the others."""

    async def check(who: Annotated[Principal, Depends(principal)]) -> Principal:  # not worth a thread
        require(who, *roles, "admin")
        return who

    return check


def caller(request: HTTPConnection, *roles: str) -> Principal:
    """Return who calls, as the dependencies above do, for a route whose time counts; blocks on the database."""
    running_of(request)
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not credentials:
        raise Unauthorised
    return holder(request, credentials, *roles)


def holder(request: HTTPConnection, key: str, *roles: str) -> Principal:
    """Return whose key this is, however it came; raises Unauthorised, Forbidden unless of these roles or admin."""
    who = parts_of(request).auth.authenticate(key)
    require(who, *roles, "admin")
    return who


Anyone = Annotated[Principal, Depends(principal)]
Pipeline = Annotated[Principal, Depends(allow("pipeline"))]
Reviewer = Annotated[Principal, Depends(allow("reviewer", "lead"))]
Safety = Annotated[Principal, Depends(allow("safety"))]
Admin = Annotated[Principal, Depends(allow())]
