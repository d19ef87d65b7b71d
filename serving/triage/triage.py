"""Triage: a case is leased to one reviewer at a time, read, and resolved by a review.

Every step and its audit entry are one transaction. Reviewers hold at most one case. What a reviewer sees first is
masked: the deciding spans, or the whole text where none is known, until revealed, and revealing is recorded. How
cases come in is `case_intake`, how long their texts are kept `retention`. Knows no web framework and no SQL.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from prefilter.serving.audit import chain
from prefilter.serving.auth import Principal, require
from prefilter.serving.errors import Forbidden, IdempotencyConflict, LeaseLost, NotFound
from prefilter.serving.settings import Settings
from prefilter.serving.store import Connection, Store, case_rows, lease_rows, new_id, queue_rows, review_rows
from prefilter.serving.store.case_rows import CaseRow
from prefilter.serving.store.column_types import canonical
from prefilter.serving.store.database import serialise
from prefilter.serving.store.lease_rows import HeldLease
from prefilter.serving.store.queue_rows import ESCALATED_QUEUE
from prefilter.serving.store.review_rows import ReviewRow
from prefilter.serving.triage.case_intake import CaseIntake
from prefilter.serving.triage.claimed_case import ClaimedCase, Lease, RevealedText, claimed
from prefilter.serving.triage.queues import QUEUES, QueueView, queue_views
from prefilter.serving.triage.retention import Retention
from prefilter.serving.triage.review import STORED_LABELS, Judgement, ReviewReceipt, check_review, receipt

REVIEWERS = ("reviewer", "lead", "admin")
LEADS = ("lead", "admin")


class Triage:
    """The use cases of reviewers, and with them the intake and the retention of cases; thread-safe, one per process."""

    def __init__(
        self, store: Store, settings: Settings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """`clock` returns the present instant, timezone-aware; leases and retention are measured by it."""
        self._store = store
        self._lease_time = timedelta(seconds=settings.lease_seconds)
        self._clock = clock
        self.intake = CaseIntake(store)
        self.retention = Retention(store, days=settings.retention_days, clock=clock)

    # --- before a case is held --------------------------------------------------------------------

    def queues(self, principal: Principal) -> list[QueueView]:
        """Return every queue this principal may claim from, empty ones too, in the order of the taxonomy."""
        require(principal, *REVIEWERS)
        with self._store.read() as conn:
            counts = queue_rows.counts(conn, principal.name, now=self._clock())
        return queue_views(counts, escalated=principal.role in LEADS)

    def claim(self, queue: str, principal: Principal) -> ClaimedCase | None:
        """Lease the next case of a queue, or return the one this reviewer holds; None when none waits.

        Raises NotFound for an unknown queue, Forbidden for `escalated` without the role lead.
        """
        require(principal, *REVIEWERS)
        if queue not in QUEUES:
            raise NotFound("There is no such queue.", field="queue")
        if queue == ESCALATED_QUEUE and principal.role not in LEADS:
            raise Forbidden("Escalated cases are for leads.")
        token, now = f"lea_{secrets.token_urlsafe(24)}", self._clock()
        with self._store.begin() as conn:
            serialise(conn, f"reviewer:{principal.name}")
            held = lease_rows.held_by(conn, principal.name, now=now)
            if held is not None:
                return claimed(held)
            expires_at = now + self._lease_time
            case_id = lease_rows.claim(conn, queue, principal.name, token=token, now=now, expires_at=expires_at)
            if case_id is None:
                return None
            row = _find(conn, case_id)
            lease = HeldLease(case_id=case_id, reviewer=principal.name, token=token, now=now)
            _audit(conn, lease, "case.claimed", {"queue": queue})
            return claimed(row)

    def current(self, principal: Principal) -> ClaimedCase | None:
        """Return the case this reviewer holds, if any."""
        require(principal, *REVIEWERS)
        with self._store.read() as conn:
            held = lease_rows.held_by(conn, principal.name, now=self._clock())
        return None if held is None else claimed(held)

    # --- under a lease ----------------------------------------------------------------------------

    def renew(self, case_id: str, principal: Principal, *, lease_token: str) -> Lease:
        """Let a living lease begin anew; raises LeaseLost where it does not live."""
        with self._under(case_id, principal, lease_token) as (conn, lease):
            expires_at = lease.now + self._lease_time
            _lived(lease_rows.renew(conn, lease, expires_at=expires_at))
            _audit(conn, lease, "case.renewed")
        return Lease(lease_token, expires_at)

    def release(self, case_id: str, principal: Principal, *, lease_token: str) -> None:
        """Give a case back to its queue; raises LeaseLost."""
        with self._under(case_id, principal, lease_token) as (conn, lease):
            _lived(lease_rows.release(conn, lease))
            _audit(conn, lease, "case.released")

    def skip(self, case_id: str, principal: Principal, *, lease_token: str) -> None:
        """Give a case back, never to be served to this reviewer again; needs no reason. Raises LeaseLost.

        A case that all of several reviewers have skipped goes to the leads, so that it does not wait for nobody.
        """
        with self._under(case_id, principal, lease_token) as (conn, lease):
            _lived(lease_rows.skip(conn, lease))
            _audit(conn, lease, "case.skipped")
            if lease_rows.hand_to_leads(conn, case_id):
                _audit(conn, lease, "case.escalated", {"because": "skipped by every reviewer"})

    def escalate(self, case_id: str, principal: Principal, *, lease_token: str) -> None:
        """Hand a case to the leads; raises LeaseLost."""
        with self._under(case_id, principal, lease_token) as (conn, lease):
            _lived(lease_rows.escalate(conn, lease))
            _audit(conn, lease, "case.escalated")

    def reveal(self, case_id: str, principal: Principal, *, lease_token: str) -> RevealedText:
        """Return text and context unmasked to the holder of the lease, record the exposure; raises LeaseLost."""
        lease = self._held(case_id, principal, lease_token)
        with self._store.begin() as conn:
            row = _find(conn, case_id)
            living = row.lease_expires_at is not None and row.lease_expires_at > lease.now
            ours = row.lease_owner == lease.reviewer and row.lease_token == lease_token
            if not (living and ours) or row.text is None:
                raise LeaseLost
            lease_rows.expose(conn, new_id("exp"), row, lease.reviewer, now=lease.now)
            _audit(conn, lease, "case.revealed", {"severity_band": row.severity_band})
            return RevealedText(row.text, row.context)

    def review(
        self,
        case_id: str,
        principal: Principal,
        *,
        judgement: Judgement,
        lease_token: str,
        idempotency_key: str,
    ) -> ReviewReceipt:
        """Store a review with its labels and close the case with the review's outcome.

        The same key and body from the same reviewer returns the first receipt with `replayed`, whatever
        became of the lease. Raises BadRequest naming the field, IdempotencyConflict for the same key with
        another body, LeaseLost where the lease does not live.
        """
        lease = self._held(case_id, principal, lease_token)
        check_review(judgement, idempotency_key)
        labels, outcome, severity = judgement.labels, judgement.outcome, judgement.severity
        body = [case_id, lease_token, dict(labels), outcome, severity, judgement.reason, judgement.note]
        row = ReviewRow(
            id=new_id("rev"),
            case_id=case_id,
            reviewer=lease.reviewer,
            outcome=outcome,
            severity=severity,
            reason=judgement.reason,
            note=judgement.note,
            idempotency_key=idempotency_key,
            body_digest=self._store.digest(canonical(body), kind="review"),
            at=lease.now,
        )
        stored = {category: STORED_LABELS[label] for category, label in labels.items()}
        with self._store.begin() as conn:
            serialise(conn, f"review:{lease.reviewer}:{idempotency_key}")
            earlier = review_rows.find(conn, reviewer=lease.reviewer, idempotency_key=idempotency_key)
            if earlier is not None:
                if earlier.body_digest != row.body_digest:
                    raise IdempotencyConflict(field="Idempotency-Key")
                return receipt(earlier, review_rows.labels_of(conn, earlier.id), replayed=True)
            _find(conn, case_id)
            _lived(lease_rows.resolve(conn, lease, resolution=outcome))
            review_rows.add(conn, row, labels=stored)
            audited = {"review_id": row.id, "outcome": outcome, "severity": severity, "labels": stored}
            _audit(conn, lease, "review.submitted", audited)
        return receipt(row, stored, replayed=False)

    @contextmanager
    def _under(self, case_id: str, principal: Principal, token: str) -> Iterator[tuple[Connection, HeldLease]]:
        """Begin a step under a lease on a case there is."""
        lease = self._held(case_id, principal, token)
        with self._store.begin() as conn:
            _find(conn, case_id)
            yield conn, lease

    def _held(self, case_id: str, principal: Principal, token: str) -> HeldLease:
        require(principal, *REVIEWERS)
        return HeldLease(case_id=case_id, reviewer=principal.name, token=token, now=self._clock())


def _find(conn: Connection, case_id: str) -> CaseRow:
    row = case_rows.find(conn, case_id)
    if row is None:
        raise NotFound("There is no such case.")
    return row


def _lived(lived: bool) -> None:
    if not lived:
        raise LeaseLost


def _audit(conn: Connection, lease: HeldLease, action: str, body: Mapping[str, object] | None = None) -> None:
    body = body or {}
    chain.append(conn, actor=lease.reviewer, action=action, subject=lease.case_id, body=body, at=lease.now)
