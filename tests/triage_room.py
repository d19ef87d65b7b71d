"""A room of reviewers: a store, a triage and a clock, with the few things every test of triage does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from prefilter.serving.audit import chain
from prefilter.serving.auth import Principal
from prefilter.serving.settings import Settings
from prefilter.serving.store import Store, case_rows, decision_rows
from prefilter.serving.store.case_rows import Span
from prefilter.serving.store.decision_rows import DecisionRow
from prefilter.serving.triage import ClaimedCase, Judgement, NewCase, ReviewReceipt, Triage
from serving_samples import ANN, Clock, a_decision

TEXT = "first part, second part"


class Room:
    """A store, a triage and a clock, with the few things every test does."""

    def __init__(self, url: str) -> None:
        self.url, self.store, self.clock = url, Store.open(url), Clock()
        self.store.migrate()
        self.settings = Settings(database_url=url, lease_seconds=600, retention_days=30)
        self.triage = Triage(self.store, self.settings, self.clock)

    def open(self, text: str = TEXT, spans: tuple[Span, ...] = (), **changes: Any) -> str:
        context = changes.pop("context", None)
        if context is not None:
            changes["context_digest"] = self.store.digest(context, kind="context")
        decision = a_decision(**{"text_digest": self.store.digest(text), **changes})
        with self.store.begin() as conn:
            decision_rows.insert_many(conn, [decision])
            return self.triage.intake.open_case(conn, decision=decision, text=text, spans=spans, context=context)

    def claim(self, principal: Principal = ANN, queue: str = "insult") -> ClaimedCase:
        claimed = self.triage.claim(queue, principal)
        assert claimed is not None
        return claimed

    def review(self, claimed: ClaimedCase, principal: Principal = ANN, **changes: Any) -> ReviewReceipt:
        key, token = changes.pop("idempotency_key", "k1"), changes.pop("lease_token", claimed.lease.token)
        said = Judgement(**{"labels": {"insult": "no"}, "outcome": "allow", **changes})
        return self.triage.review(
            claimed.case_id, principal, lease_token=token, judgement=said, idempotency_key=key
        )

    def row(self, case_id: str) -> case_rows.CaseRow:
        with self.store.read() as conn:
            row = case_rows.find(conn, case_id)
        assert row is not None
        return row

    def actions(self) -> list[str]:
        return [entry.action for entry in reversed(chain.page(self.store))]


@pytest.fixture
def room(database_url: str) -> Iterator[Room]:
    """A room over a fresh database, closed at the end."""
    made = Room(database_url)
    yield made
    made.store.dispose()


def many(room: Room, count: int) -> list[DecisionRow]:
    rows = [a_decision(item_id=f"itm_{n}") for n in range(count)]
    with room.store.begin() as conn:
        decision_rows.insert_many(conn, rows)
        room.triage.intake.open_cases(conn, [NewCase(row, TEXT) for row in rows])
    return rows
