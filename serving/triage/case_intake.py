"""The intake of cases: deferred decisions become cases, each item and text once.

It works in the transaction of whoever made the decisions, so that a decision and its case are stored together or not
at all. Knows neither reviewers nor leases.
"""

from __future__ import annotations

from collections.abc import Sequence

from prefilter.serving.store import Connection, Store, case_rows
from prefilter.serving.store.case_rows import Span
from prefilter.serving.store.column_types import canonical
from prefilter.serving.store.decision_rows import DecisionRow
from prefilter.serving.triage.new_case import NewCase, new_row


class CaseIntake:
    """Opens cases in one database; thread-safe."""

    def __init__(self, store: Store) -> None:
        """`store`: whose keyed digests tell cases apart."""
        self._store = store

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
        rows = [new_row(case, dedupe_key=self._dedupe_key(case.decision)) for case in new]
        return case_rows.open_many(conn, rows)

    def unopened(self, conn: Connection, new: Sequence[NewCase]) -> list[NewCase]:
        """Return those of `new` without a case, so that a retry need not store their decisions again."""
        keys = [self._dedupe_key(case.decision) for case in new]
        known = case_rows.known(conn, keys)
        return [case for case, key in zip(new, keys, strict=True) if key not in known]

    def _dedupe_key(self, decision: DecisionRow) -> str:
        # Whoever sends it: a person reads the same text of the same item once, per context.
        parts = [decision.item_id, decision.text_digest]
        if decision.context_digest is not None:
            parts.append(decision.context_digest)
        return self._store.digest(canonical(parts), kind="case")
