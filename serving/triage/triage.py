"""Triage: how a deferred decision reaches a person and what the person makes of it.

A case is opened with its decision, waits in the queue of the category that decided, is leased to one reviewer
at a time, and is resolved by a review; every step and its audit entry are one transaction. Reviewers hold at
most one case. What a reviewer sees first is masked: the deciding spans, or the whole text where none is
known, until revealed, and revealing is recorded. Scores are not shown at all, so that they do not lead. Knows
no web framework and no SQL.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from prefilter.models.labels import HEADS
from prefilter.serving.audit import chain
from prefilter.serving.auth import Principal, require
from prefilter.serving.errors import (
    Forbidden,
    IdempotencyConflict,
    LeaseLost,
    NotFound,
)
from prefilter.serving.settings import Settings
from prefilter.serving.store import Connection, Store, case_rows, erasure, new_id, review_rows
from prefilter.serving.store.case_rows import ESCALATED_QUEUE, CaseRow, NewCaseRow, Span
from prefilter.serving.store.column_types import canonical
from prefilter.serving.store.database import serialise
from prefilter.serving.store.decision_rows import DecisionRow
from prefilter.serving.store.review_rows import ReviewRow
from prefilter.serving.triage.claimed_case import (
    ClaimedCase,
    Lease,
    NewCase,
    QueueView,
    Revealed,
    claimed,
    deciding,
)
from prefilter.serving.triage.judgement import STORED_LABELS, ReviewReceipt, check_review, receipt

UNSCORED_QUEUE = "unscored"
QUEUES: tuple[str, ...] = (*HEADS, UNSCORED_QUEUE, ESCALATED_QUEUE)
REVIEWERS = ("reviewer", "lead", "admin")
LEADS = ("lead", "admin")
DUE_HOURS = 24
# What a category prepares a reviewer for; the score is not part of it, so that it gives nothing away.
SEVERITY_BANDS: Mapping[str, str] = {
    "profanity": "low",
    "toxicity": "low",
    "insult": "low",
    "harassment": "medium",
    "sexual": "medium",
    "illicit": "medium",
    "hate": "high",
    "threat": "high",
    "violence": "high",
    "self_harm": "high",
}


class Triage:
    """The use cases of reviewers and of the cases themselves; thread-safe, one per process."""

    def __init__(
        self, store: Store, settings: Settings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """`clock` returns the present instant, timezone-aware; leases and retention are measured by it."""
        self._store = store
        self._lease_time = timedelta(seconds=settings.lease_seconds)
        self._retention = timedelta(days=settings.retention_days)
        self._clock = clock

    # --- opening ----------------------------------------------------------------------------------

    def open_case(
        self,
        conn: Connection,
        *,
        decision: DecisionRow,
        text: str,
        spans: Sequence[Span] = (),
        language: str | None = None,
        context: str | None = None,
    ) -> str:
        """Open one case in the open transaction and return its id; see `open_cases`."""
        return self.open_cases(conn, [NewCase(decision, text, spans, language, context)])[0]

    def open_cases(self, conn: Connection, new: Sequence[NewCase]) -> list[str]:
        """Open cases in the open transaction and return an id for each, in order.

        The decisions must be stored before. A case for the same item id, text and context exists already after
        a retry, or after another key sent them, open or resolved: its id is returned and nothing is opened. An
        item without an id is known by its text and context alone.
        """
        return case_rows.open_many(conn, [self._new_row(case) for case in new])

    def unopened(self, conn: Connection, new: Sequence[NewCase]) -> list[NewCase]:
        """Return those of `new` without a case, so that a retry need not store their decisions again."""
        keys = [self._dedupe_key(case.decision) for case in new]
        known = case_rows.known(conn, keys)
        return [case for case, key in zip(new, keys, strict=True) if key not in known]

    # --- the reviewer -----------------------------------------------------------------------------

    def queues(self, principal: Principal) -> list[QueueView]:
        """Return every queue this principal may claim from, empty ones too, in the order of the taxonomy."""
        require(principal, *REVIEWERS)
        with self._store.read() as conn:
            counted = {
                count.queue: count for count in case_rows.counts(conn, principal.name, now=self._clock())
            }
        views = []
        for name in QUEUES:
            if name == ESCALATED_QUEUE and principal.role not in LEADS:
                continue
            count = counted.get(name)
            views.append(
                QueueView(name, count.open, count.leased, count.oldest_at, count.skipped)
                if count
                else QueueView(name, 0, 0, None)
            )
        return views

    def claim(self, queue: str, principal: Principal) -> ClaimedCase | None:
        """Lease the next case of a queue, or return the one this reviewer holds; None when none waits.

        Raises NotFound for an unknown queue, Forbidden for `escalated` without the role lead.
        """
        require(principal, *REVIEWERS)
        if queue not in QUEUES:
            raise NotFound("There is no such queue.", field="queue")
        if queue == ESCALATED_QUEUE and principal.role not in LEADS:
            raise Forbidden("Escalated cases are for leads.")
        now = self._clock()
        with self._store.begin() as conn:
            serialise(conn, f"reviewer:{principal.name}")
            held = case_rows.held_by(conn, principal.name, now=now)
            if held is not None:
                return claimed(held)
            case_id = case_rows.claim(
                conn,
                queue,
                principal.name,
                token=f"lea_{secrets.token_urlsafe(24)}",
                now=now,
                expires_at=now + self._lease_time,
            )
            if case_id is None:
                return None
            row = case_rows.find(conn, case_id)
            assert row is not None
            self._audit(conn, principal, "case.claimed", case_id, {"queue": queue}, now)
            return claimed(row)

    def current(self, principal: Principal) -> ClaimedCase | None:
        """Return the case this reviewer holds, if any."""
        require(principal, *REVIEWERS)
        with self._store.read() as conn:
            held = case_rows.held_by(conn, principal.name, now=self._clock())
        return None if held is None else claimed(held)

    def renew(self, case_id: str, principal: Principal, *, lease_token: str) -> Lease:
        """Let a living lease begin anew; raises LeaseLost where it does not live."""
        now = self._clock()
        lease = Lease(lease_token, now + self._lease_time)
        with self._store.begin() as conn:
            self._held(conn, case_id, principal)
            lived = case_rows.renew(
                conn, case_id, principal.name, token=lease_token, now=now, expires_at=lease.expires_at
            )
            self._lived(lived)
            self._audit(conn, principal, "case.renewed", case_id, {}, now)
        return lease

    def release(self, case_id: str, principal: Principal, *, lease_token: str) -> None:
        """Give a case back to its queue; raises LeaseLost."""
        now = self._clock()
        with self._store.begin() as conn:
            self._held(conn, case_id, principal)
            self._lived(case_rows.release(conn, case_id, principal.name, token=lease_token, now=now))
            self._audit(conn, principal, "case.released", case_id, {}, now)

    def skip(self, case_id: str, principal: Principal, *, lease_token: str) -> None:
        """Give a case back, never to be served to this reviewer again; needs no reason. Raises LeaseLost.

        A case that all of several reviewers have skipped goes to the leads, so that it does not wait for nobody.
        """
        now = self._clock()
        with self._store.begin() as conn:
            self._held(conn, case_id, principal)
            self._lived(case_rows.skip(conn, case_id, principal.name, token=lease_token, now=now))
            self._audit(conn, principal, "case.skipped", case_id, {}, now)
            if case_rows.hand_to_leads(conn, case_id):
                self._audit(
                    conn, principal, "case.escalated", case_id, {"because": "skipped by every reviewer"}, now
                )

    def escalate(self, case_id: str, principal: Principal, *, lease_token: str) -> None:
        """Hand a case to the leads; raises LeaseLost."""
        now = self._clock()
        with self._store.begin() as conn:
            self._held(conn, case_id, principal)
            self._lived(case_rows.escalate(conn, case_id, principal.name, token=lease_token, now=now))
            self._audit(conn, principal, "case.escalated", case_id, {}, now)

    def reveal(self, case_id: str, principal: Principal, *, lease_token: str) -> Revealed:
        """Return text and context unmasked to the holder of the lease, record the exposure; raises LeaseLost."""
        now = self._clock()
        with self._store.begin() as conn:
            row = self._held(conn, case_id, principal)
            living = row.lease_expires_at is not None and row.lease_expires_at > now
            ours = row.lease_owner == principal.name and row.lease_token == lease_token
            if not (living and ours) or row.text is None:
                raise LeaseLost
            case_rows.expose(conn, new_id("exp"), row, principal.name, now=now)
            self._audit(conn, principal, "case.revealed", case_id, {"severity_band": row.severity_band}, now)
            return Revealed(row.text, row.context)

    def review(
        self,
        case_id: str,
        principal: Principal,
        *,
        lease_token: str,
        labels: Mapping[str, str],
        outcome: str,
        severity: int | None = None,
        reason: str | None = None,
        note: str | None = None,
        idempotency_key: str,
    ) -> ReviewReceipt:
        """Store a review with its labels and close the case with the review's outcome.

        The same key and body from the same reviewer returns the first receipt with `replayed`, whatever
        became of the lease. Raises BadRequest naming the field, IdempotencyConflict for the same key with
        another body, LeaseLost where the lease does not live.
        """
        require(principal, *REVIEWERS)
        check_review(labels, outcome, severity, reason, note, idempotency_key)
        body = [case_id, lease_token, dict(labels), outcome, severity, reason, note]
        now = self._clock()
        row = ReviewRow(
            id=new_id("rev"),
            case_id=case_id,
            reviewer=principal.name,
            outcome=outcome,
            severity=severity,
            reason=reason,
            note=note,
            idempotency_key=idempotency_key,
            body_digest=self._store.digest(canonical(body), kind="review"),
            at=now,
        )
        stored = {category: STORED_LABELS[label] for category, label in labels.items()}
        with self._store.begin() as conn:
            serialise(conn, f"review:{principal.name}:{idempotency_key}")
            earlier = review_rows.find(conn, reviewer=principal.name, idempotency_key=idempotency_key)
            if earlier is not None:
                if earlier.body_digest != row.body_digest:
                    raise IdempotencyConflict(field="Idempotency-Key")
                return receipt(earlier, review_rows.labels_of(conn, earlier.id), replayed=True)
            self._held(conn, case_id, principal)
            self._lived(
                case_rows.resolve(
                    conn, case_id, principal.name, token=lease_token, now=now, resolution=outcome
                )
            )
            review_rows.add(conn, row, labels=stored)
            body_audited = {"review_id": row.id, "outcome": outcome, "severity": severity, "labels": stored}
            self._audit(conn, principal, "review.submitted", case_id, body_audited, now)
        return receipt(row, stored, replayed=False)

    # --- erasure and retention --------------------------------------------------------------------

    def erase(self, item_id: str, principal: Principal) -> int:
        """Erase the text and notes of every case of an item and close the unresolved ones; returns how many.

        A pipeline erases only texts that it sent under its own key.
        """
        require(principal, "pipeline", "safety", "lead", "admin")
        now = self._clock()
        own = principal.name if principal.role == "pipeline" else None
        with self._store.begin() as conn:
            ids = erasure.erase_item(conn, item_id, key_name=own, actor=principal.name, now=now)
            self._audit(conn, principal, "item.erased", item_id, {"cases": ids}, now)
        self._store.forget()
        return len(ids)

    def purge(self, now: datetime | None = None) -> int:
        """Erase the texts of cases whose retention after resolution has passed; returns how many."""
        now = now or self._clock()
        erased = 0
        while True:
            with self._store.begin() as conn:
                count = erasure.purge(conn, resolved_before=now - self._retention, now=now)
            erased += count
            if count == 0:
                break
        if erased:
            self._store.forget()
        return erased

    # --- inside -----------------------------------------------------------------------------------

    def _new_row(self, new: NewCase) -> NewCaseRow:
        decision = new.decision
        category, priority = deciding(decision.because)
        return NewCaseRow(
            id=new_id("cas"),
            decision_id=decision.id,
            dedupe_key=self._dedupe_key(decision),
            item_id=decision.item_id,
            key_name=decision.key_name,
            source=decision.source,
            language=new.language or decision.language,
            category=category,
            severity_band="unknown" if category is None else SEVERITY_BANDS.get(category, "unknown"),
            queue=category or UNSCORED_QUEUE,
            priority=priority,
            created_at=decision.created_at,
            due_at=decision.created_at + timedelta(hours=DUE_HOURS),
            text=new.text,
            spans=tuple(new.spans),
            context=new.context,
        )

    def _dedupe_key(self, decision: DecisionRow) -> str:
        # Whoever sends it: a person reads the same text of the same item once, per thing that it answers.
        parts = [decision.item_id, decision.text_digest]
        if decision.context_digest is not None:
            parts.append(decision.context_digest)
        return self._store.digest(canonical(parts), kind="case")

    def _held(self, conn: Connection, case_id: str, principal: Principal) -> CaseRow:
        require(principal, *REVIEWERS)
        row = case_rows.find(conn, case_id)
        if row is None:
            raise NotFound("There is no such case.")
        return row

    @staticmethod
    def _lived(lived: bool) -> None:
        if not lived:
            raise LeaseLost

    @staticmethod
    def _audit(
        conn: Connection,
        principal: Principal,
        action: str,
        subject: str,
        body: Mapping[str, Any],
        now: datetime,
    ) -> None:
        chain.append(conn, actor=principal.name, action=action, subject=subject, body=body, at=now)
