"""Queues as the rows of cases make them: what waits in one, and for whom.

A queue is a column of a case and has no table. A lease that has expired counts as none, by the clock the caller
passes in; nothing has to sweep. What a reviewer has skipped waits for others and not for him.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, FromClause, and_, case, exists, func, literal_column, or_, select

from prefilter.serving.store.tables import CaseStatus, cases, skips

ESCALATED_QUEUE = "escalated"


@dataclass(frozen=True, slots=True)
class QueueCount:
    """How many cases of a queue wait for one reviewer, how many are being read, how many he left to others."""

    queue: str
    open: int
    leased: int
    skipped: int
    oldest_at: datetime | None


def counts(conn: Connection, reviewer: str, *, now: datetime) -> list[QueueCount]:
    """Count the unresolved cases of each queue; those the reviewer skipped do not wait for him."""
    skipped = skipped_by(cases, reviewer)
    waits = and_(free(cases, now), ~skipped)
    leased = and_(cases.c.status == CaseStatus.LEASED, cases.c.lease_expires_at > now)
    statement = (
        select(
            cases.c.queue,
            func.coalesce(func.sum(case((waits, 1), else_=0)), 0),
            func.coalesce(func.sum(case((leased, 1), else_=0)), 0),
            func.coalesce(func.sum(case((and_(free(cases, now), skipped), 1), else_=0)), 0),
            func.min(case((waits, cases.c.created_at))),
        )
        .where(unresolved(cases))
        .group_by(cases.c.queue)
    )
    return [
        QueueCount(queue, int(waiting), int(held), int(left), oldest)
        for queue, waiting, held, left, oldest in conn.execute(statement)
    ]


def unresolved(table: FromClause) -> ColumnElement[bool]:
    """Whether a case still waits for its resolution."""
    # Spelled as the index ix_cases_waiting spells it: SQLite uses a partial index only for its very words.
    return table.c.status != literal_column("'resolved'")


def free(table: FromClause, now: datetime) -> ColumnElement[bool]:
    """Whether nobody holds a case."""
    waits = table.c.status.in_([CaseStatus.OPEN, CaseStatus.ESCALATED])
    return or_(waits, and_(table.c.status == CaseStatus.LEASED, table.c.lease_expires_at <= now))


def skipped_by(table: FromClause, reviewer: str) -> ColumnElement[bool]:
    """Whether this reviewer has skipped a case."""
    return exists().where(skips.c.case_id == table.c.id, skips.c.reviewer == reviewer)
