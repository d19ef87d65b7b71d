"""Cases as rows: opened once for what is to be read, and found again with their texts.

A case is known by its dedupe key, so that opening one again returns the one that is there. Its text, context and spans
are kept in a table of their own, to be erased alone. Who may read a case and when is `lease_rows`; what waits where
is `queue_rows`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from prefilter.serving.store.database import chunks, insert_new
from prefilter.serving.store.tables import CaseStatus, case_texts, cases, decisions


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a case's text, in code points, end exclusive, and the category it speaks for."""

    start: int
    end: int
    category: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _OpenedCase:
    """What a case has from its opening on."""

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
    created_at: datetime
    due_at: datetime
    context: str | None
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCaseRow(_OpenedCase):
    """A case to be opened."""

    dedupe_key: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRow(_OpenedCase):
    """One case, with its text where it still has one."""

    status: str
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


_TEXT_COLUMNS = ("text", "context", "spans")
_KEPT = [field.name for field in fields(NewCaseRow) if field.name not in _TEXT_COLUMNS]
_ROW = [cases.c[field.name] for field in fields(CaseRow) if field.name not in (*_TEXT_COLUMNS, "unscored")]


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
        _add_texts(conn, [row for row in fresh if known[row.dedupe_key] == row.id])
    return [known[row.dedupe_key] for row in new]


def known(conn: Connection, dedupe_keys: Sequence[str]) -> set[str]:
    """Return those of the dedupe keys that have a case."""
    return set(_ids(conn, dedupe_keys))


def find(conn: Connection, case_id: str) -> CaseRow | None:
    """Return one case."""
    return find_where(conn, cases.c.id == case_id)


def find_where(conn: Connection, *where: ColumnElement[bool]) -> CaseRow | None:
    """Return a case for which all of this is true."""
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


def _add_texts(conn: Connection, rows: Sequence[NewCaseRow]) -> None:
    texts = [
        {
            "case_id": row.id,
            "text": row.text,
            "context": row.context,
            "spans": [[span.start, span.end, span.category] for span in row.spans],
        }
        for row in rows
    ]
    if texts:
        conn.execute(case_texts.insert(), texts)


def _values(row: NewCaseRow) -> dict[str, Any]:
    return {**{name: getattr(row, name) for name in _KEPT}, "status": CaseStatus.OPEN}
