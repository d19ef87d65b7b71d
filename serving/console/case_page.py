"""The case page and its actions: renew, reveal, review, skip, release, escalate.

The page carries the text with its deciding spans already taken out; only `reveal`, which is recorded,
answers with the whole text, as JSON, and nothing of it is kept by the page. Every action names the lease
token the page was given, so an old tab can never decide a case that has gone back to the queue: the answer
is 409 and the page keeps the draft. After a review the next case of the same queue is claimed in the same
answer.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Header
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from prefilter.models.labels import CATEGORIES
from prefilter.models.taxonomy import taxonomy
from prefilter.serving.api.bodies.case_bodies import LEASE, LeaseBody, judgement
from prefilter.serving.console.case_calls import JUDGEMENT, LEAVING, JudgementCall, LeavingCall
from prefilter.serving.console.console_session import LEADS, Reviewer
from prefilter.serving.console.form_fields import payload
from prefilter.serving.console.guard import ConsoleRoute
from prefilter.serving.console.masked_passage import pieces
from prefilter.serving.console.queue_page import ON_PURPOSE, case_path, claim_next
from prefilter.serving.console.rendering import render
from prefilter.serving.state import parts_of
from prefilter.serving.triage import ClaimedCase

# What makes a judgement hard, in a reviewer's words: the benign look-alikes every classifier stumbles over.
REASONS: tuple[str, ...] = (
    "clear as it stands",
    "quotation or reporting",
    "counter-speech or negation",
    "reclaimed or in-group use",
    "fiction, satire or joke",
    "medical, legal or educational",
    "a name or an unlucky word",
    "needs more context",
    "not readable to me",
)

# Why the machine could not score a text, by reason code.
UNSCORED: Mapping[str, str] = {
    "unreadable_language": "The model does not read this language, so a person decides.",
    "unreadable_script": "The model does not read this script, so a person decides.",
    "unknown_word_pieces": "The model does not know most of these words, so a person decides.",
    "deadline": "Scoring took too long, so a person decides.",
    "internal_fault": "Scoring failed, so a person decides.",
}

router = APIRouter(route_class=ConsoleRoute)

Held = Annotated[LeaseBody, Depends(payload(LEASE))]
Leaving = Annotated[LeavingCall, Depends(payload(LEAVING))]
Judgement = Annotated[JudgementCall, Depends(payload(JUDGEMENT))]


@router.get("/cases/{case_id}")
def case_page(request: Request, who: Reviewer, case_id: str) -> Response:
    """Show the case this person holds; any other case is gone from here, and the page says where to."""
    case = parts_of(request).triage.current(who)
    if case is None or case.case_id != case_id:
        return render(request, "case_gone.html", {"principal": who, "held": case}, status_code=404)
    now = datetime.now(UTC)
    cut = pieces(case.text_masked, _hidden_spans(case), hidden=True)
    context = {
        "principal": who,
        "case": case,
        "pieces": cut,
        "whole": all(piece.kind == "hidden" for piece in cut),
        "masks": sum(piece.kind == "hidden" for piece in cut),
        "why_unscored": UNSCORED.get(case.unscored or ""),
        "meaning": taxonomy().get(case.category or ""),
        "now": now,
        "lease_seconds": parts_of(request).settings.lease_seconds,
        "idempotency_key": f"console-{secrets.token_urlsafe(18)}",
        "categories": _deciding_first(case.category),
        "deciding": case.category if case.category in CATEGORIES else None,
        "reasons": REASONS,
    }
    return render(request, "case.html", context)


@router.post("/cases/{case_id}/renew")
def renew(request: Request, who: Reviewer, case_id: str, body: Held) -> Response:
    """Extend the lease; 409 when it is lost."""
    lease = parts_of(request).triage.renew(case_id, who, lease_token=body["lease_token"])
    return JSONResponse({"expires_at": lease.expires_at.isoformat(), "now": datetime.now(UTC).isoformat()})


@router.post("/cases/{case_id}/reveal")
def reveal(request: Request, who: Reviewer, case_id: str, body: Held) -> Response:
    """Answer with the whole text and its context in pieces, and record who asked."""
    triage = parts_of(request).triage
    revealed = triage.reveal(case_id, who, lease_token=body["lease_token"])
    case = triage.current(who)
    spans = [(span.start, span.end) for span in case.spans] if case and case.case_id == case_id else []
    answer = {"pieces": [piece.to_json() for piece in pieces(revealed.text, spans, hidden=False)]}
    if revealed.context is not None:
        answer["context"] = [piece.to_json() for piece in pieces(revealed.context, [], hidden=False)]
    return JSONResponse(answer)


@router.post("/cases/{case_id}/reviews")
def review(
    request: Request,
    who: Reviewer,
    case_id: str,
    body: Judgement,
    idempotency_key: Annotated[str, Header()],
) -> Response:
    """Record the judgement once, however often it is sent, and claim the next case unless `stop` is set."""
    triage, said = parts_of(request).triage, judgement(body)
    triage.review(case_id, who, lease_token=body["lease_token"], judgement=said, idempotency_key=idempotency_key)
    return _onwards(request, who, body.get("queue"), stop=body.get("stop") is True)


@router.post("/cases/{case_id}/skip")
def skip(request: Request, who: Reviewer, case_id: str, body: Leaving) -> Response:
    """Give the case to somebody else for good, and claim the next one."""
    parts_of(request).triage.skip(case_id, who, lease_token=body["lease_token"])
    return _onwards(request, who, body.get("queue"))


@router.post("/cases/{case_id}/escalate")
def escalate(request: Request, who: Reviewer, case_id: str, body: Leaving) -> Response:
    """Hand the case to a lead, and claim the next one."""
    parts_of(request).triage.escalate(case_id, who, lease_token=body["lease_token"])
    return _onwards(request, who, body.get("queue"))


@router.post("/cases/{case_id}/release")
def release(request: Request, who: Reviewer, case_id: str, body: Held) -> Response:
    """Put the case back and go to the queues: releasing is how a person stops."""
    parts_of(request).triage.release(case_id, who, lease_token=body["lease_token"])
    return JSONResponse({"location": f"{request.scope.get('root_path', '')}/console/queues"})


def _hidden_spans(case: ClaimedCase) -> list[tuple[int, int]]:
    # A case without spans is masked as a whole.
    return [(span.start, span.end) for span in case.spans] or [(0, len(case.text_masked))]


def _deciding_first(category: str | None) -> list[str]:
    return sorted(CATEGORIES, key=lambda name: name != category)


def _onwards(request: Request, who: Reviewer, queue: str | None, *, stop: bool = False) -> Response:
    root = request.scope.get("root_path", "")
    if stop:
        return JSONResponse({"location": f"{root}/console/queues"})
    if queue in ON_PURPOSE and who.role in LEADS:
        # A lead who works through the escalated cases stays with them, and is not sent on into another queue.
        case = parts_of(request).triage.claim(queue, who)
        path = case_path(request, case) if case else f"{root}/console/queues?empty={queue}"
        return JSONResponse({"location": path})
    prefer = queue if queue and queue not in ON_PURPOSE else None
    return JSONResponse({"location": case_path(request, claim_next(parts_of(request).triage, who, prefer))})
