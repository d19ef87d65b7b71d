"""Erasure: what is deleted of a case, by the id of its item or when its retention has passed.

Texts, contexts, spans and notes are deleted; that there was a case, and what became of it, is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, and_, select, update

from prefilter.serving.store.database import chunks
from prefilter.serving.store.lease_rows import NO_LEASE
from prefilter.serving.store.tables import CaseStatus, case_texts, cases, decisions, reviews


def erase_item(
    conn: Connection, item_id: str, *, key_name: str | None, actor: str, now: datetime
) -> list[str]:
    """Erase the texts and notes of all cases of an item, close the unresolved ones; returns the case ids."""
    mine = cases.c.item_id == item_id
    if key_name is not None:
        # The case may have been opened by another key that sent the same text before.
        of_item = decisions.c.item_id == item_id
        sent = select(decisions.c.text_digest).where(of_item, decisions.c.key_name == key_name)
        same_text = select(decisions.c.id).where(of_item, decisions.c.text_digest.in_(sent))
        mine = and_(mine, cases.c.decision_id.in_(same_text))
    statement = select(cases.c.id).where(mine).order_by(cases.c.id)
    ids = list(conn.execute(statement.with_for_update()).scalars())
    for part in chunks(ids):
        conn.execute(
            update(cases)
            .where(cases.c.id.in_(part), cases.c.status != CaseStatus.RESOLVED)
            .values(
                status=CaseStatus.RESOLVED,
                resolution_reason="erased",
                resolved_by=actor,
                resolved_at=now,
                **NO_LEASE,
            )
        )
        _erase_texts(conn, part, now=now)
        conn.execute(update(reviews).where(reviews.c.case_id.in_(part)).values(note=None, reason=None))
    return ids


def purge(conn: Connection, *, resolved_before: datetime, now: datetime, limit: int = 1_000) -> int:
    """Erase the texts of up to `limit` cases resolved before an instant; returns how many."""
    statement = (
        select(cases.c.id)
        .join(case_texts, case_texts.c.case_id == cases.c.id)
        .where(cases.c.resolved_at <= resolved_before, case_texts.c.erased_at.is_(None))
        .order_by(cases.c.id)
        .limit(limit)
    )
    ids = list(conn.execute(statement).scalars())
    for part in chunks(ids):
        _erase_texts(conn, part, now=now)
    return len(ids)


def _erase_texts(conn: Connection, ids: Sequence[str], *, now: datetime) -> None:
    statement = update(case_texts).where(case_texts.c.case_id.in_(ids), case_texts.c.erased_at.is_(None))
    conn.execute(statement.values(text=None, context=None, spans=None, erased_at=now))
