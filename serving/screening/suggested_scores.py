"""Suggested scores, a use case: what a client says a text should have scored is kept, in one audited transaction.

A suggestion is an outside label. It changes no score, no decision and no case, and never counts as a reviewer's
label; it is there for people to compare with. Of the text only the keyed digest is kept. Knows no HTTP and no SQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from prefilter.serving.audit import chain
from prefilter.serving.auth import Principal
from prefilter.serving.store import Store, new_id, outside_label_rows
from prefilter.serving.store.outside_label_rows import OutsideLabelRow


class SuggestedScore(NamedTuple):
    """A score in [0, 1] for one attribute, of the whole text or of its UTF-16 span [begin, end)."""

    attribute: str
    value: float
    begin: int | None = None
    end: int | None = None


def suggest(
    store: Store,
    text: str,
    scores: Sequence[SuggestedScore],
    *,
    principal: Principal,
    languages: Sequence[str] = (),
    community_id: str | None = None,
    at: datetime | None = None,
) -> list[str]:
    """Keep what is said of `text` and return the ids of the labels; raises NotReady as the store does."""
    at = at or datetime.now(UTC)
    digest = store.digest(text)
    labels = [
        OutsideLabelRow(
            id=new_id("out"),
            text_digest=digest,
            attribute=score.attribute,
            value=score.value,
            span_begin=score.begin,
            span_end=score.end,
            languages=tuple(languages),
            community_id=community_id,
            key_name=principal.name,
            created_at=at,
        )
        for score in scores
    ]
    with store.begin() as conn:
        outside_label_rows.insert_many(conn, labels)
        chain.append(
            conn,
            actor=principal.name,
            action="label.suggested",
            subject=labels[0].id,
            body={"labels": len(labels), "attributes": sorted({label.attribute for label in labels})},
            at=at,
        )
    return [label.id for label in labels]
