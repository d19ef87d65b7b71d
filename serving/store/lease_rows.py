"""Leases as the rows of cases hold them. A claim is one statement, so that two reviewers never hold one case.

Every statement that acts under a lease repeats the lease in its WHERE and says by its row count whether it still
held. A lease that has expired counts as none, by the clock the caller passes in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, case, exists, func, select, update

from prefilter.serving.store import case_rows
from prefilter.serving.store.case_rows import CaseRow
from prefilter.serving.store.database import insert_new
from prefilter.serving.store.queue_rows import ESCALATED_QUEUE, free, skipped_by, unresolved
from prefilter.serving.store.tables import CaseStatus, cases, exposures, keys, skips

NO_LEASE: dict[str, Any] = {"lease_token": None, "lease_owner": None, "lease_expires_at": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldLease:
    """A lease as its holder shows it, now; whether it lives is found by the statement that acts under it."""

    case_id: str
    reviewer: str
    token: str
    now: datetime


def held_by(conn: Connection, reviewer: str, *, now: datetime) -> CaseRow | None:
    """Return the case a reviewer holds a living lease on."""
    return case_rows.find_where(
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
            unresolved(waiting),
            free(waiting, now),
            ~skipped_by(waiting, reviewer),
        )
        .order_by(waiting.c.priority, waiting.c.created_at, waiting.c.id)
        .limit(1)
    )
    if conn.dialect.name == "postgresql":
        next_case = next_case.with_for_update(skip_locked=True)
    claimed = conn.execute(
        update(cases)
        .where(cases.c.id == next_case.scalar_subquery(), free(cases, now))
        .values(
            status=CaseStatus.LEASED, lease_token=token, lease_owner=reviewer, lease_expires_at=expires_at
        )
        .returning(cases.c.id)
    )
    case_id: str | None = claimed.scalar_one_or_none()
    return case_id


def renew(conn: Connection, lease: HeldLease, *, expires_at: datetime) -> bool:
    """Move the end of a living lease; returns whether it lived."""
    return _under_lease(conn, lease, lease_expires_at=expires_at)


def release(conn: Connection, lease: HeldLease) -> bool:
    """Give a case back to its queue; returns whether the lease lived."""
    status = case((cases.c.queue == ESCALATED_QUEUE, CaseStatus.ESCALATED.value), else_=CaseStatus.OPEN.value)
    return _under_lease(conn, lease, status=status, **NO_LEASE)


def skip(conn: Connection, lease: HeldLease) -> bool:
    """Give a case back and never serve it to this reviewer again; returns whether the lease lived."""
    if not release(conn, lease):
        return False
    skipped = insert_new(conn, skips).values(case_id=lease.case_id, reviewer=lease.reviewer, at=lease.now)
    conn.execute(skipped)
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


def escalate(conn: Connection, lease: HeldLease) -> bool:
    """Move a case to the leads' queue; returns whether the lease lived."""
    moved = {"status": CaseStatus.ESCALATED, "queue": ESCALATED_QUEUE, "escalated_by": lease.reviewer}
    return _under_lease(conn, lease, **moved, **NO_LEASE)


def resolve(conn: Connection, lease: HeldLease, *, resolution: str) -> bool:
    """Close a case with the outcome of its review; returns whether the lease lived."""
    return _under_lease(
        conn,
        lease,
        status=CaseStatus.RESOLVED,
        resolution=resolution,
        resolution_reason="reviewed",
        resolved_by=lease.reviewer,
        resolved_at=lease.now,
        **NO_LEASE,
    )


def expose(conn: Connection, exposure_id: str, row: CaseRow, reviewer: str, *, now: datetime) -> None:
    """Record that the holder of a lease was shown the text of its case."""
    conn.execute(
        exposures.insert().values(
            id=exposure_id, case_id=row.id, reviewer=reviewer, severity_band=row.severity_band, at=now
        )
    )


def _under_lease(conn: Connection, lease: HeldLease, **values: Any) -> bool:
    held = (
        cases.c.id == lease.case_id,
        cases.c.status == CaseStatus.LEASED,
        cases.c.lease_owner == lease.reviewer,
        cases.c.lease_token == lease.token,
        cases.c.lease_expires_at > lease.now,
    )
    return conn.execute(update(cases).where(*held).values(**values)).rowcount == 1
