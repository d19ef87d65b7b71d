"""Reviews and the labels they give. One review per Idempotency-Key and reviewer; knows nothing of leases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from prefilter.serving.store.tables import labels as label_table
from prefilter.serving.store.tables import reviews


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRow:
    """One reviewer's review of one case. `body_digest` tells a replay from a misused Idempotency-Key."""

    id: str
    case_id: str
    reviewer: str
    outcome: str  # allow | block
    severity: int | None  # 1 to 7
    reason: str | None
    note: str | None
    idempotency_key: str
    body_digest: str
    at: datetime


def add(conn: Connection, row: ReviewRow, *, labels: Mapping[str, str]) -> None:
    """Store a review and its labels (category -> yes | no | unknown)."""
    conn.execute(insert(reviews).values({name: getattr(row, name) for name in ReviewRow.__slots__}))
    if labels:
        conn.execute(
            insert(label_table),
            [
                {"review_id": row.id, "category": category, "value": value}
                for category, value in labels.items()
            ],
        )


def find(conn: Connection, *, reviewer: str, idempotency_key: str) -> ReviewRow | None:
    """Return the review a reviewer sent under a key."""
    row = conn.execute(
        select(reviews).where(reviews.c.reviewer == reviewer, reviews.c.idempotency_key == idempotency_key)
    ).one_or_none()
    return None if row is None else ReviewRow(**row._mapping)


def of_case(conn: Connection, case_id: str) -> list[tuple[ReviewRow, dict[str, str]]]:
    """Return a case's reviews, oldest first, each with its labels."""
    found = [
        ReviewRow(**row._mapping)
        for row in conn.execute(select(reviews).where(reviews.c.case_id == case_id).order_by(reviews.c.at))
    ]
    return [(row, labels_of(conn, row.id)) for row in found]


def labels_of(conn: Connection, review_id: str) -> dict[str, str]:
    """Return the labels of one review: category -> yes | no | unknown."""
    statement = select(label_table.c.category, label_table.c.value).where(
        label_table.c.review_id == review_id
    )
    return {category: value for category, value in conn.execute(statement)}
