"""A review: what a reviewer may say of a case, and the receipt for what was stored.

Checks the fields of a review, each by name; knows neither the case nor the database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from prefilter.models.labels import CATEGORIES
from prefilter.serving.errors import BadRequest
from prefilter.serving.store.review_rows import ReviewRow

MAX_NOTE_CHARS = 4_000
MAX_REASON_CHARS = 200
STORED_LABELS: Mapping[str, str] = {"yes": "yes", "no": "no", "unsure": "unknown"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a reviewer says of a case, as it was sent: `labels` by category, and the outcome that closes the case."""

    labels: Mapping[str, str]
    outcome: str
    severity: int | None = None
    reason: str | None = field(default=None, repr=False)
    note: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewReceipt:
    """What a review has done. `replayed`: an earlier request with the same Idempotency-Key stored it."""

    review_id: str
    case_id: str
    outcome: str
    labels: Mapping[str, str]  # as stored: yes | no | unknown
    resolved_at: datetime
    replayed: bool


def receipt(row: ReviewRow, labels: Mapping[str, str], *, replayed: bool) -> ReviewReceipt:
    """The receipt for a stored review."""
    return ReviewReceipt(
        review_id=row.id,
        case_id=row.case_id,
        outcome=row.outcome,
        labels=dict(sorted(labels.items())),
        resolved_at=row.at,
        replayed=replayed,
    )


def check_review(judgement: Judgement, idempotency_key: str) -> None:
    """Raise BadRequest, naming the field, unless the review is whole and of the right kinds."""
    labels, severity = judgement.labels, judgement.severity
    if not isinstance(idempotency_key, str) or not 0 < len(idempotency_key) <= 256:
        raise BadRequest("An Idempotency-Key of 1 to 256 characters is required.", field="Idempotency-Key")
    if not isinstance(labels, Mapping) or any(category not in CATEGORIES for category in labels):
        raise BadRequest("labels maps categories to yes, no or unsure.", field="labels")
    for category, label in labels.items():
        if not isinstance(label, str) or label not in STORED_LABELS:
            raise BadRequest("A label is yes, no or unsure.", field=f"labels.{category}")
    if judgement.outcome not in ("allow", "block"):
        raise BadRequest("outcome is allow or block.", field="outcome")
    if severity is not None and (type(severity) is not int or not 1 <= severity <= 7):
        raise BadRequest("severity is a whole number from 1 to 7.", field="severity")
    if severity is None and "yes" in labels.values():
        raise BadRequest("severity is required when a label is yes.", field="severity")
    for name, value, limit in (
        ("reason", judgement.reason, MAX_REASON_CHARS),
        ("note", judgement.note, MAX_NOTE_CHARS),
    ):
        if value is not None and (not isinstance(value, str) or len(value) > limit):
            raise BadRequest(f"{name} is a string of at most {limit} characters.", field=name)
