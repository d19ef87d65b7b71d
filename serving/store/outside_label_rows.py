"""Outside labels as rows: what a client says a text should have scored. No text, only its keyed digest.

They are kept apart from the labels of reviewers, and nothing that trains, calibrates or certifies reads them, since
anybody with a pipeline's key may add one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from prefilter.serving.store.tables import outside_labels


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideLabelRow:
    """One score that somebody suggested, in [0, 1], for a text or for one span of it, as it was sent."""

    id: str  # out_…
    text_digest: str  # Store.digest(text)
    attribute: str
    value: float
    span_begin: int | None  # in UTF-16 code units; None where the whole text is meant
    span_end: int | None
    languages: Sequence[str]
    community_id: str | None
    key_name: str  # the Principal's name
    created_at: datetime


_COLUMNS = [outside_labels.c[name] for name in OutsideLabelRow.__slots__]


def insert_many(conn: Connection, labels: Sequence[OutsideLabelRow]) -> None:
    """Store labels: one statement for all of them."""
    if labels:
        conn.execute(
            insert(outside_labels),
            [
                {name: getattr(label, name) for name in OutsideLabelRow.__slots__ if name != "languages"}
                | {"languages": list(label.languages)}
                for label in labels
            ],
        )


def of_text(conn: Connection, text_digest: str) -> list[OutsideLabelRow]:
    """Return what was said of a text, oldest first."""
    statement = (
        select(*_COLUMNS)
        .where(outside_labels.c.text_digest == text_digest)
        .order_by(outside_labels.c.created_at, outside_labels.c.id)
    )
    return [OutsideLabelRow(**row._mapping) for row in conn.execute(statement)]
