"""Cases, their leases and their texts. A claim is one statement, so that two reviewers never hold one case.

A lease that has expired counts as none, by the clock the caller passes in; nothing has to sweep. Every
statement that acts under a lease repeats the lease in its WHERE and says by its row count whether it still
held.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    and_,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
    update,
)

from prefilter.serving.store.database import insert_new
from prefilter.serving.store.tables import CaseStatus, case_texts, cases, decisions, exposures, keys, skips

ESCALATED_QUEUE = "escalated"


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a case's text, in code points, end exclusive, and the category it speaks for."""

    start: int
    end: int
    category: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRow:
    """One case, with its text where it still has one."""

    id: str
    decision_id: str
    item_id: str | None
    key_name: str
    source: str | None
    language: str | None
    category: str | None
    severity_band: str
    queue: str
    priority: float
    status: str
    created_at: datetime
    due_at: datetime
    lease_token: str | None
    lease_owner: str | None
    lease_expires_at: datetime | None
    escalated_by: str | None
    resolution: str | None
    resolution_reason: str | None
    resolved_by: str | None
    resolved_at: datetime | None
    unscored: str | None  # the reason code of the decision, where the text could not be scored
    text: str | None
    context: str | None  # what the text answers
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCaseRow:
    """A case to be opened."""

    id: str
    decision_id: str
    dedupe_key: str
    item_id: str | None
    key_name: str
    source: str | None
    language: str | None
    category: str | None
    severity_band: str
    queue: str
    priority: float
    created_at: datetime
    due_at: datetime
    text: str
    spans: tuple[Span, ...]
    context: str | None = None


@dataclass(frozen=True, slots=True)
class QueueCount:
    """How many cases of a queue wait for one reviewer, how many are being read, how many he left to others."""

    queue: str
    open: int
    leased: int
    skipped: int
    oldest_at: datetime | None


_TEXT_COLUMNS = ("text", "context", "spans")
_ROW = [cases.c[name] for name in CaseRow.__slots__ if name not in (*_TEXT_COLUMNS, "unscored")]


def open_many(conn: Connection, new: Sequence[NewCaseRow]) -> list[str]:
    """Open cases and return an id for each: the one opened now, or the one its dedupe key already has."""
    wanted: dict[str, NewCaseRow] = {}
    for row in sorted(new, key=lambda row: row.dedupe_key):  # one order everywhere, against deadlocks
        wanted.setdefault(row.dedupe_key, row)
    if not wanted:
        return []
    known = _ids(conn, wanted)
    fresh = [row for dedupe_key, row in wanted.items() if dedupe_key not in known]
    if fresh:
        conn.execute(insert_new(conn, cases), [_values(row) for row in fresh])
        known = _ids(conn, wanted)
        texts = [
            {
                "case_id": row.id,
                "text": row.text,
                "context": row.context,
                "spans": [[span.start, span.end, span.category] for span in row.spans],
            }
            for row in fresh
            if known[row.dedupe_key] == row.id
        ]
        if texts:
            conn.execute(case_texts.insert(), texts)
    return [known[row.dedupe_key] for row in new]


def known(conn: Connection, dedupe_keys: Sequence[str]) -> set[str]:
    """Return those of the dedupe keys that have a case."""
    return set(_ids(conn, dedupe_keys))


def find(conn: Connection, case_id: str) -> CaseRow | None:
    """Return one case."""
    return _one(conn, cases.c.id == case_id)


def held_by(conn: Connection, reviewer: str, *, now: datetime) -> CaseRow | None:
    """Return the case a reviewer holds a living lease on."""
    return _one(
        conn,
        cases.c.status == CaseStatus.LEASED,
        cases.c.lease_owner == reviewer,
        cases.c.lease_expires_at > now,
    )


def claim(
    conn: Connection, queue: str, reviewer: str, *, token: str, now: datetime, expires_at: datetime
) -> str | None:
    """Lease the most uncertain free case that the reviewer has not skipped; returns its id, or None."""
    waiting = cases.alias("waiting")
    next_case = (
        select(waiting.c.id)
        .where(
            waiting.c.queue == queue,
            _unresolved(waiting),
            _free(waiting, now),
            ~_skipped_by(waiting, reviewer),
        )
        .order_by(waiting.c.priority, waiting.c.created_at, waiting.c.id)
        .limit(1)
    )
    if conn.dialect.name == "postgresql":
        next_case = next_case.with_for_update(skip_locked=True)
    claimed = conn.execute(
        update(cases)
        .where(cases.c.id == next_case.scalar_subquery(), _free(cases, now))
        .values(
            status=CaseStatus.LEASED, lease_token=token, lease_owner=reviewer, lease_expires_at=expires_at
        )
        .returning(cases.c.id)
    )
    case_id: str | None = claimed.scalar_one_or_none()
    return case_id


def renew(
    conn: Connection, case_id: str, reviewer: str, *, token: str, now: datetime, expires_at: datetime
) -> bool:
    """Move the end of a living lease; returns whether it lived."""
    return _under_lease(conn, case_id, reviewer, token, now, lease_expires_at=expires_at)


def release(conn: Connection, case_id: str, reviewer: str, *, token: str, now: datetime) -> bool:
    """Give a case back to its queue; returns whether the lease lived."""
    status = case((cases.c.queue == ESCALATED_QUEUE, CaseStatus.ESCALATED.value), else_=CaseStatus.OPEN.value)
    return _under_lease(conn, case_id, reviewer, token, now, status=status, **NO_LEASE)


def skip(conn: Connection, case_id: str, reviewer: str, *, token: str, now: datetime) -> bool:
    """Give a case back and never serve it to this reviewer again; returns whether the lease lived."""
    if not release(conn, case_id, reviewer, token=token, now=now):
        return False
    conn.execute(insert_new(conn, skips).values(case_id=case_id, reviewer=reviewer, at=now))
    return True


def hand_to_leads(conn: Connection, case_id: str) -> bool:
    """Move an open case to the leads' queue if every reviewer has skipped it; returns whether it moved.

    Beside a single reviewer, or none, leads and admins read the queues themselves, and nothing moves.
    """
    reviewer = and_(keys.c.role == "reviewer", keys.c.revoked_at.is_(None))
    several = select(func.count()).select_from(keys).where(reviewer).scalar_subquery() > 1
    has_skipped = exists().where(skips.c.case_id == case_id, skips.c.reviewer == keys.c.name)
    moved = conn.execute(
        update(cases)
        .where(
            cases.c.id == case_id,
            cases.c.status == CaseStatus.OPEN,
            several,
            ~exists().where(reviewer, ~has_skipped),
        )
        .values(status=CaseStatus.ESCALATED, queue=ESCALATED_QUEUE)
    )
    return moved.rowcount == 1


def escalate(conn: Connection, case_id: str, reviewer: str, *, token: str, now: datetime) -> bool:
    """Move a case to the leads' queue; returns whether the lease lived."""
    return _under_lease(
        conn,
        case_id,
        reviewer,
        token,
        now,
        status=CaseStatus.ESCALATED,
        queue=ESCALATED_QUEUE,
        escalated_by=reviewer,
        **NO_LEASE,
    )


def resolve(
    conn: Connection, case_id: str, reviewer: str, *, token: str, now: datetime, resolution: str
) -> bool:
    """Close a case with the outcome of its review; returns whether the lease lived."""
    return _under_lease(
        conn,
        case_id,
        reviewer,
        token,
        now,
        status=CaseStatus.RESOLVED,
        resolution=resolution,
        resolution_reason="reviewed",
        resolved_by=reviewer,
        resolved_at=now,
        **NO_LEASE,
    )


def expose(conn: Connection, exposure_id: str, row: CaseRow, reviewer: str, *, now: datetime) -> None:
    """Record that a reviewer was shown the text of a case."""
    conn.execute(
        exposures.insert().values(
            id=exposure_id, case_id=row.id, reviewer=reviewer, severity_band=row.severity_band, at=now
        )
    )


def counts(conn: Connection, reviewer: str, *, now: datetime) -> list[QueueCount]:
    """Count the unresolved cases of each queue; those the reviewer skipped do not wait for him."""
    skipped = _skipped_by(cases, reviewer)
    waits = and_(_free(cases, now), ~skipped)
    leased = and_(cases.c.status == CaseStatus.LEASED, cases.c.lease_expires_at > now)
    statement = (
        select(
            cases.c.queue,
            func.coalesce(func.sum(case((waits, 1), else_=0)), 0),
            func.coalesce(func.sum(case((leased, 1), else_=0)), 0),
            func.coalesce(func.sum(case((and_(_free(cases, now), skipped), 1), else_=0)), 0),
            func.min(case((waits, cases.c.created_at))),
        )
        .where(_unresolved(cases))
        .group_by(cases.c.queue)
    )
    return [
        QueueCount(queue, int(free), int(held), int(left), oldest)
        for queue, free, held, left, oldest in conn.execute(statement)
    ]


NO_LEASE: dict[str, Any] = {"lease_token": None, "lease_owner": None, "lease_expires_at": None}


def _unresolved(table: FromClause) -> ColumnElement[bool]:
    # Spelled as the index ix_cases_waiting spells it: SQLite uses a partial index only for its very words.
    return table.c.status != literal_column("'resolved'")


def _free(table: FromClause, now: datetime) -> ColumnElement[bool]:
    waits = table.c.status.in_([CaseStatus.OPEN, CaseStatus.ESCALATED])
    return or_(waits, and_(table.c.status == CaseStatus.LEASED, table.c.lease_expires_at <= now))


def _skipped_by(table: FromClause, reviewer: str) -> ColumnElement[bool]:
    return exists().where(skips.c.case_id == table.c.id, skips.c.reviewer == reviewer)


def _under_lease(
    conn: Connection, case_id: str, reviewer: str, token: str, now: datetime, **values: Any
) -> bool:
    held = (
        cases.c.id == case_id,
        cases.c.status == CaseStatus.LEASED,
        cases.c.lease_owner == reviewer,
        cases.c.lease_token == token,
        cases.c.lease_expires_at > now,
    )
    return conn.execute(update(cases).where(*held).values(**values)).rowcount == 1


def _one(conn: Connection, *where: ColumnElement[bool]) -> CaseRow | None:
    joined = (
        select(*_ROW, decisions.c.unscored, case_texts.c.text, case_texts.c.context, case_texts.c.spans)
        .join_from(cases, decisions, decisions.c.id == cases.c.decision_id)
        .outerjoin(case_texts, case_texts.c.case_id == cases.c.id)
    )
    row = conn.execute(joined.where(*where).limit(1)).one_or_none()
    if row is None:
        return None
    values = dict(row._mapping)
    spans = tuple(Span(start, end, category) for start, end, category in values.pop("spans") or ())
    return CaseRow(spans=spans, **values)


def _ids(conn: Connection, dedupe_keys: Collection[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in chunks(list(dedupe_keys)):
        statement = select(cases.c.dedupe_key, cases.c.id).where(cases.c.dedupe_key.in_(part))
        found.update({dedupe_key: case_id for dedupe_key, case_id in conn.execute(statement)})
    return found


def _values(row: NewCaseRow) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in NewCaseRow.__slots__ if name not in _TEXT_COLUMNS}
    return {**values, "status": CaseStatus.OPEN}


def chunks(values: Sequence[str], size: int = 500) -> list[Sequence[str]]:
    """Return `values` in parts that fit into one statement."""
    return [values[start : start + size] for start in range(0, len(values), size)]
