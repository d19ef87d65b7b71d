"""Who is at the console: the session cookie and the person behind it.

The cookie holds an opaque token; what it means and until when only `auth` knows. It is never readable by
scripts and never sent by another site's page.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from prefilter.serving.auth import Principal
from prefilter.serving.errors import Forbidden, Unauthorised
from prefilter.serving.state import parts_of

COOKIE = "prefilter_session"
PATH = "/console"

REVIEWERS = frozenset({"reviewer", "lead", "admin"})
LEADS = frozenset({"lead", "admin"})
SAFETY = frozenset({"safety", "admin"})
ADMINS = frozenset({"admin"})


def remember(request: Request, response: Response, token: str) -> None:
    """Give the browser the session `token` until the session ends."""
    settings = parts_of(request).settings
    response.set_cookie(
        COOKIE,
        token,
        max_age=settings.session_hours * 3600,
        path=PATH,
        httponly=True,
        samesite="strict",
        secure=settings.cookie_secure,
    )


def forget(response: Response) -> None:
    """Take the session cookie back."""
    response.delete_cookie(COOKIE, path=PATH, httponly=True, samesite="strict")


def principal(request: Request) -> Principal:
    """Return who asks; raises Unauthorised without a living session."""
    token = request.cookies.get(COOKIE)
    if not token:
        raise Unauthorised("Log in first.")
    who = parts_of(request).auth.session(token)
    request.state.principal = who
    return who


def allow(roles: frozenset[str]) -> Callable[[Request], Principal]:
    """Return a dependency that lets only these roles in; it raises Unauthorised or Forbidden."""

    def check(request: Request) -> Principal:
        who = principal(request)
        if who.role not in roles:
            raise Forbidden("This page is not for your role.")
        return who

    return check


Anyone = Annotated[Principal, Depends(principal)]
Reviewer = Annotated[Principal, Depends(allow(REVIEWERS))]
Safety = Annotated[Principal, Depends(allow(SAFETY))]
Admin = Annotated[Principal, Depends(allow(ADMINS))]


def home_of(who: Principal) -> str:
    """Return the first page for this role; raises Forbidden for a role without pages."""
    if who.role in REVIEWERS:
        return "/console/queues"
    if who.role in SAFETY:
        return "/console/policies"
    raise Forbidden("This key is for programs: the console has no page for it.")
