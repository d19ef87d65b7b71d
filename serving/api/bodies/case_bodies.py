"""What the routes of the reviewers read and answer."""

from __future__ import annotations

from typing import Annotated, NotRequired

from pydantic import with_config
from typing_extensions import TypedDict

from prefilter.serving.http.body_reader import CLOSED, BodyReader, DescribedAs, JsonObject, Storable, hint
from prefilter.serving.triage import ClaimedCase, QueueView
from prefilter.serving.triage.claimed_case import Lease, RevealedText
from prefilter.serving.triage.review import Judgement, ReviewReceipt

LabelWord = Annotated[str, hint(enum=["yes", "no", "unsure"])]
ResolutionWord = Annotated[str, hint(enum=["allow", "block"])]


@with_config(CLOSED)
class LeaseBody(TypedDict):
    """The token of the lease under which something is done."""

    lease_token: Storable


@with_config(CLOSED)
class ReviewBody(TypedDict):
    """A reviewer's judgement of a case: labels by category, and the outcome that closes it."""

    lease_token: Storable
    labels: Annotated[JsonObject, DescribedAs(dict[str, LabelWord])]
    outcome: Annotated[Storable, hint(enum=["allow", "block"])]
    severity: NotRequired[Annotated[int, hint(minimum=1, maximum=7)] | None]
    reason: NotRequired[Storable | None]
    note: NotRequired[Storable | None]


LEASE, REVIEW = BodyReader(LeaseBody), BodyReader(ReviewBody)


class QueueEntry(TypedDict):
    """How much waits in a queue, and since when."""

    name: str
    open: int
    leased: int
    oldest_at: str | None


class QueuesAnswer(TypedDict):
    """The queues that a reviewer may claim from."""

    queues: list[QueueEntry]


class CaseSpan(TypedDict):
    """Code points [start, end) of a case's text that speak for a category."""

    start: int
    end: int
    category: str | None


class MaskedCase(TypedDict):
    """A case as its reviewer first sees it."""

    id: str
    category: str | None
    severity_band: Annotated[str, hint(enum=["low", "medium", "high", "unknown"])]
    text_masked: str
    context_masked: str | None
    spans: list[CaseSpan]
    words: int
    language: str | None
    source: str | None
    reason: str | None
    escalated_by: str | None
    queue: str
    created_at: str


class LeaseFields(TypedDict):
    """The exclusive claim on a case."""

    token: str
    expires_at: str


class LeaseAnswer(TypedDict):
    """A lease that began anew."""

    lease: LeaseFields


class ClaimAnswer(TypedDict):
    """A case that is now leased, or already was."""

    case: MaskedCase
    lease: LeaseFields


class StatusAnswer(TypedDict):
    """What became of a case."""

    status: Annotated[str, hint(enum=["open", "escalated"])]


class RevealAnswer(TypedDict):
    """The whole text of a case, and its context where it has one."""

    text: str
    context: NotRequired[str]


class ReviewAnswer(TypedDict):
    """The receipt of a review; `labels` as they are stored."""

    review_id: str
    case_id: str
    outcome: ResolutionWord
    labels: dict[str, str]
    resolved_at: str


def judgement(body: ReviewBody) -> Judgement:
    """Return what a body says of a case; the lease it names is no part of it."""
    return Judgement(
        labels=body["labels"],
        outcome=body["outcome"],
        severity=body.get("severity"),
        reason=body.get("reason"),
        note=body.get("note"),
    )


def queue_entry(view: QueueView) -> QueueEntry:
    """Return a queue as it is answered."""
    oldest = None if view.oldest_at is None else view.oldest_at.isoformat()
    return {"name": view.name, "open": view.open, "leased": view.leased, "oldest_at": oldest}


def lease_fields(lease: Lease) -> LeaseFields:
    """Return a lease as it is answered."""
    return {"token": lease.token, "expires_at": lease.expires_at.isoformat()}


def claim_answer(claimed: ClaimedCase) -> ClaimAnswer:
    """Return a claimed case as it is answered."""
    return {
        "case": {
            "id": claimed.case_id,
            "category": claimed.category,
            "severity_band": claimed.severity_band,
            "text_masked": claimed.text_masked,
            "context_masked": claimed.context_masked,
            "spans": [{"start": span.start, "end": span.end, "category": span.category} for span in claimed.spans],
            "words": claimed.words,
            "language": claimed.language,
            "source": claimed.source,
            "reason": claimed.unscored,
            "escalated_by": claimed.escalated_by,
            "queue": claimed.queue,
            "created_at": claimed.created_at.isoformat(),
        },
        "lease": lease_fields(claimed.lease),
    }


def reveal_answer(revealed: RevealedText) -> RevealAnswer:
    """Return a revealed text as it is answered."""
    return {"text": revealed.text} if revealed.context is None else {"text": revealed.text, "context": revealed.context}


def review_answer(receipt: ReviewReceipt) -> ReviewAnswer:
    """Return a receipt as it is answered; a replay answers the same bytes, so `replayed` is left out."""
    return {
        "review_id": receipt.review_id,
        "case_id": receipt.case_id,
        "outcome": receipt.outcome,
        "labels": dict(receipt.labels),
        "resolved_at": receipt.resolved_at.isoformat(),
    }
