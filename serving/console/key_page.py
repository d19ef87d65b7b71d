"""The key page, for admins: make, rotate and revoke. A new key is shown once, on the answer to its making."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from prefilter.serving.auth import ROLES
from prefilter.serving.console.console_session import Admin
from prefilter.serving.console.form_fields import Fields
from prefilter.serving.console.guard import ConsoleRoute
from prefilter.serving.console.rendering import render
from prefilter.serving.state import parts_of

# What each role may do, in the words of the page.
ROLE_WORDS: dict[str, str] = {
    "pipeline": "programs that score",
    "reviewer": "decides cases",
    "lead": "decides cases, escalated ones too",
    "safety": "policies, audit; sees no case text",
    "admin": "everything, and keys",
}

router = APIRouter(route_class=ConsoleRoute)


@router.get("/keys")
def keys_page(request: Request, who: Admin) -> Response:
    """List all keys, without their secrets: those are kept nowhere."""
    return _show(request, who)


@router.post("/keys")
def create_key(request: Request, who: Admin, fields: Fields) -> Response:
    """Make a key and show it this once."""
    name = fields.get("name", "")
    secret = parts_of(request).auth.create_key(fields.get("role", ""), name, who)
    return _show(request, who, fresh=(name, secret))


@router.post("/keys/rotate")
def rotate_key(request: Request, who: Admin, fields: Fields) -> Response:
    """Replace a key's secret and show the new one this once."""
    name = fields.get("name", "")
    secret = parts_of(request).auth.rotate(name, who)
    return _show(request, who, fresh=(name, secret))


@router.post("/keys/revoke")
def revoke_key(request: Request, who: Admin, fields: Fields) -> Response:
    """End a key and its sessions."""
    parts_of(request).auth.revoke(fields.get("name", ""), who)
    return RedirectResponse(f"{request.scope.get('root_path', '')}/console/keys", status_code=303)


def _show(request: Request, who: Admin, *, fresh: tuple[str, str] | None = None) -> Response:
    keys = parts_of(request).auth.list_keys()
    context = {
        "principal": who,
        "living": [key for key in keys if key.revoked_at is None],
        "revoked": [key for key in keys if key.revoked_at is not None],
        "fresh": fresh,
        "roles": [(role, ROLE_WORDS.get(role, "")) for role in ROLES],
    }
    return render(request, "keys.html", context)
