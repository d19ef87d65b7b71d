"""The way in and out: log in with a key, and log out."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from prefilter.serving.console.console_session import COOKIE, REVIEWERS, forget, home_of, remember
from prefilter.serving.console.form_fields import Fields
from prefilter.serving.console.guard import ConsoleRoute
from prefilter.serving.console.rendering import render
from prefilter.serving.errors import Overloaded, Unauthorised
from prefilter.serving.state import parts_of

router = APIRouter(route_class=ConsoleRoute)


@router.get("/login")
def log_in_page(request: Request, ended: bool = False) -> Response:
    """Ask for a key."""
    return render(request, "login.html", {"ended": ended, "problem": None})


@router.post("/login")
def log_in(request: Request, fields: Fields) -> Response:
    """Exchange a key for a session cookie; a wrong key and too many tries are told on the same page."""
    parts = parts_of(request)
    client = request.client.host if request.client else "unknown"
    try:
        token = parts.auth.login(fields.get("key", ""), client)
        who = parts.auth.session(token)
    except Unauthorised:
        return _refuse(request, 401, "This key is not known, or it was revoked.", {})
    except Overloaded as error:
        wait_s = error.retry_after_s or 60
        problem = f"Too many tries. Wait {wait_s} seconds, then try again."
        return _refuse(request, 429, problem, {"Retry-After": str(wait_s)})
    # Somebody whose session ended in the middle of a case goes on with it.
    held = parts.triage.current(who) if who.role in REVIEWERS else None
    response = _to(request, f"/console/cases/{held.case_id}" if held else home_of(who))
    remember(request, response, token)
    return response


@router.post("/logout")
def log_out(request: Request) -> Response:
    """End the session here and on the server."""
    token = request.cookies.get(COOKIE)
    if token:
        parts_of(request).auth.logout(token)
    response = _to(request, "/console/login")
    forget(response)
    return response


def _to(request: Request, path: str) -> RedirectResponse:
    return RedirectResponse(f"{request.scope.get('root_path', '')}{path}", status_code=303)


def _refuse(request: Request, status: int, problem: str, headers: dict[str, str]) -> Response:
    context = {"ended": False, "problem": problem}
    return render(request, "login.html", context, status_code=status, headers=headers)
