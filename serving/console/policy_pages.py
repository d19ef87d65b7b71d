"""The policy pages: look, edit as a draft, preview on stored scores, activate, roll back, and who did what
why.

Every page works by plain forms; a small module only fetches the preview while somebody types. A preview
never runs the model: it decides the recent stored scores again.
"""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from prefilter.serving.console.console_session import Safety
from prefilter.serving.console.form_fields import Fields
from prefilter.serving.console.guard import ConsoleRoute
from prefilter.serving.console.policy_form import body_of, rows
from prefilter.serving.console.rendering import render
from prefilter.serving.errors import BadRequest, NotFound, PrefilterError
from prefilter.serving.policy.policy import Policy, PolicyError
from prefilter.serving.policy.policy_history import PolicyHistory
from prefilter.serving.state import parts_of, running_of

router = APIRouter(route_class=ConsoleRoute)


@router.get("/policies")
def policies_page(request: Request, who: Safety) -> Response:
    """List the policies with what each has active and drafted."""
    return render(request, "policies.html", {"principal": who, "policies": parts_of(request).policy_book.list()})


@router.get("/policies/{name}")
def policy_page(request: Request, who: Safety, name: str, base: int | None = None) -> Response:
    """Show one policy: the editor, begun from version `base` or the active one, and the history."""
    return _editor(request, who, name, edited=_version(request, name, base) if base else None)


@router.post("/policies/{name}/preview")
def preview(request: Request, who: Safety, name: str, fields: Fields) -> Response:
    """Show what the edited edges would have done to recent decisions; a module gets the fragment alone."""
    body = _read(request, name, fields)
    effect = _effect(request, name, body)
    if request.headers.get("x-fragment"):
        return render(request, "effect.html", {"effect": effect})
    return _editor(request, who, name, edited=_policy(name, body), effect=effect, fields=fields)


@router.post("/policies/{name}/drafts")
def save_draft(request: Request, who: Safety, name: str, fields: Fields) -> Response:
    """Keep the edited edges as a new draft version, and show it."""
    edited: Policy | None = None
    try:
        body = _read(request, name, fields)
        edited = _policy(name, body)
        version = parts_of(request).policy_book.draft(name, body, who, _reason(fields))
    except PrefilterError as error:
        if error.status not in (400, 409, 422):
            raise
        return _editor(request, who, name, edited=edited, fields=fields, problem=error)
    return _to(request, f"/policies/{name}/versions/{version}")


@router.get("/policies/{name}/versions/{version}")
def version_page(request: Request, who: Safety, name: str, version: int) -> Response:
    """Show one version against the active one: its differences, its effect, and the way to activate it."""
    history = parts_of(request).policy_book.get(name)
    row = next((row for row in history.versions if row.version == version), None)
    if row is None:
        raise NotFound("There is no such version of this policy.")
    active, shown = _deciding(history), _policy(name, row.body, version)
    context = {
        "principal": who,
        "active": active,
        "policy": shown,
        "row": row,
        "rows": rows(active, shown),
        "effect": None if version == active.version else _effect(request, name, shown.to_body()),
    }
    return render(request, "version.html", context)


@router.post("/policies/{name}/versions/{version}/activate")
def activate(request: Request, who: Safety, name: str, version: int, fields: Fields) -> Response:
    """Make a version decide from now on."""
    parts_of(request).policy_book.activate(name, version, who, _reason(fields), seen=_seen(fields))
    return _to(request, f"/policies/{name}")


@router.post("/policies/{name}/rollback")
def roll_back(request: Request, who: Safety, name: str, fields: Fields) -> Response:
    """Return to the version that was active before."""
    parts_of(request).policy_book.rollback(name, who, _reason(fields), seen=_seen(fields))
    return _to(request, f"/policies/{name}")


def _editor(
    request: Request,
    who: Safety,
    name: str,
    *,
    edited: Policy | None = None,
    effect: Mapping[str, object] | None = None,
    fields: Mapping[str, str] | None = None,
    problem: PrefilterError | None = None,
) -> Response:
    history = parts_of(request).policy_book.get(name)
    active = _deciding(history)
    shown = edited or (active if history.active else _policy(name, history.versions[0].body))
    context = {
        "principal": who,
        "active": active,
        "edited": shown,
        "rows": rows(active, shown),
        "uncalibrated": running_of(request).scorer.uncalibrated,
        "typed": fields or {},
        "base_version": (fields or {}).get("base_version") or str(shown.version),
        "effect": effect,
        "problem": problem,
        "versions": history.versions,
        "activations": history.activations,
        "earlier": history.earlier,
    }
    return render(request, "policy.html", context, status_code=problem.status if problem else 200)


def _read(request: Request, name: str, fields: Mapping[str, str]) -> dict[str, object]:
    raw = fields.get("base_version", "")
    known = raw.isdecimal() and len(raw) < 10 and int(raw) > 0
    base = _version(request, name, int(raw)) if known else _deciding(parts_of(request).policy_book.get(name))
    body = body_of(fields, base)
    _policy(name, body)
    return body


def _policy(name: str, body: Mapping[str, object], version: int = 0) -> Policy:
    try:
        return Policy.from_body(name, version, body)
    except PolicyError as error:
        raise BadRequest(error.message.capitalize() + ".", field=error.field) from None


def _version(request: Request, name: str, version: int) -> Policy:
    return parts_of(request).policy_book.version(name, version)


def _deciding(history: PolicyHistory) -> Policy:
    """Return the active version; version 0 without any band where none was ever activated."""
    if history.active is None:
        return Policy(history.name, 0, {})
    return _policy(history.name, history.active.body, history.active.version)


def _effect(request: Request, name: str, body: Mapping[str, object]) -> Mapping[str, object]:
    # The same rule as live decisions: an uncalibrated category never blocks alone.
    return parts_of(request).policy_book.what_if(name, body, uncalibrated=running_of(request).scorer.uncalibrated)


def _reason(fields: Mapping[str, str]) -> str:
    reason = fields.get("reason", "")
    if not reason:
        raise BadRequest("Say why: those who come after you will want to know.", field="reason")
    return reason


def _seen(fields: Mapping[str, str]) -> int | None:
    """Return the version that decided when the page was made: a change is refused when it no longer does."""
    raw = fields.get("active_version", "")
    return int(raw) if raw.isascii() and raw.isdecimal() and len(raw) < 10 else None


def _to(request: Request, path: str) -> RedirectResponse:
    return RedirectResponse(f"{request.scope.get('root_path', '')}/console{path}", status_code=303)
