"""The queue page: how much waits, since when, and the one button that takes the next case.

Live counts come as server-sent events, one per connection: the browser's own reconnect is the clock. So no
connection stays open, a stopping server waits for nobody, and a hidden tab asks for nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from prefilter.serving.auth import Principal
from prefilter.serving.console.console_session import Reviewer
from prefilter.serving.console.guard import ConsoleRoute
from prefilter.serving.console.rendering import render, since
from prefilter.serving.state import parts_of
from prefilter.serving.triage import ClaimedCase, QueueView, Triage

REFRESH_MS = 5_000
# The escalated queue holds what a reviewer wanted a second pair of eyes for: a lead takes it on purpose.
ON_PURPOSE = frozenset({"escalated"})

router = APIRouter(route_class=ConsoleRoute)


@router.get("/queues")
def queues_page(request: Request, who: Reviewer, empty: str = "") -> Response:
    """Show every queue of this person in which something waits, and the case they hold, if any."""
    triage = parts_of(request).triage
    views = triage.queues(who)
    context = {
        "principal": who,
        "queues": [view for view in views if view.open or view.leased],
        "total": _total(views),
        "skipped": sum(view.skipped for view in views),
        "held": triage.current(who),
        "empty": empty,
    }
    return render(request, "queues.html", context)


@router.get("/queues/events")
def queue_events(request: Request, who: Reviewer) -> Response:
    """Answer one server-sent event with the counts, and the time after which to come again."""
    views = parts_of(request).triage.queues(who)
    data = json.dumps(
        {"total": _total(views), "queues": [_row(view) for view in views if view.open or view.leased]}
    )
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return Response(f"retry: {REFRESH_MS}\ndata: {data}\n\n", media_type="text/event-stream", headers=headers)


@router.post("/queues/claim")
def claim_any(request: Request, who: Reviewer) -> Response:
    """Take the next case from the queue whose oldest case waits longest, and show it."""
    return show_or_queues(request, claim_next(parts_of(request).triage, who))


@router.post("/queues/{name}/claim")
def claim_one(request: Request, who: Reviewer, name: str) -> Response:
    """Take the next case of one queue and show it."""
    return show_or_queues(request, parts_of(request).triage.claim(name, who), name)


def claim_next(triage: Triage, who: Principal, prefer: str | None = None) -> ClaimedCase | None:
    """Claim from `prefer` first, then from the other queues, longest wait first; None when all are empty."""
    never = datetime.max.replace(tzinfo=UTC)
    waiting = [view for view in triage.queues(who) if view.open and view.name not in ON_PURPOSE]
    names = [view.name for view in sorted(waiting, key=lambda view: view.oldest_at or never)]
    for name in [prefer, *names] if prefer else names:
        case = triage.claim(name, who)
        if case is not None:
            return case
    return None


def case_path(request: Request, case: ClaimedCase | None) -> str:
    """Return the address of a case's page, or of the queues when there is none."""
    root = request.scope.get("root_path", "")
    return f"{root}/console/cases/{case.case_id}" if case else f"{root}/console/queues?empty=all"


def show_or_queues(request: Request, case: ClaimedCase | None, queue: str = "all") -> Response:
    """Redirect to the claimed case, or back to the queues saying which one is empty."""
    root = request.scope.get("root_path", "")
    path = case_path(request, case) if case else f"{root}/console/queues?empty={queue}"
    return RedirectResponse(path, status_code=303)


def _total(views: Sequence[QueueView]) -> dict[str, int]:
    return {"open": sum(view.open for view in views), "leased": sum(view.leased for view in views)}


def _row(view: QueueView) -> dict[str, object]:
    return {"name": view.name, "open": view.open, "leased": view.leased, "oldest": since(view.oldest_at)}


__all__ = ["case_path", "claim_next", "router", "show_or_queues"]
