"""Decisions as rows: inserted many at once, a column per score, read back for what-ifs. No text, only keyed digests.

Knows no policy but by its name and version.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, insert, select, true

from prefilter.models.labels import HEADS
from prefilter.models.scored import FAST
from prefilter.serving.store.tables import decisions


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRow:
    """One decision as it is stored. `item_id`: None when the caller sent none; `scores`: {} when unscored."""

    id: str  # dec_…
    item_id: str | None
    text_digest: str  # Store.digest(text)
    outcome: str  # allow | review | block
    because: Sequence[Mapping[str, Any]]  # Because.to_json() of each
    scores: Mapping[str, float]  # category or "any" -> float32 value
    enforced: bool
    policy_name: str
    policy_version: int
    model_version: str
    key_name: str  # the Principal's name
    created_at: datetime
    context_digest: str | None = None  # Store.digest(context, kind="context")
    source: str | None = None
    language: str | None = None
    unscored: str | None = None  # the reason code of a valid text that could not be scored
    stage: str = "full"
    tokens_seen: int = 0
    tokens_total: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionColumns:
    """What a what-if needs of n decisions: their outcomes as recorded, and what a policy decides by."""

    outcomes: Sequence[str]
    sources: Sequence[str | None]
    unscored: Sequence[str | None]
    scores: Mapping[str, NDArray[np.float32]]  # per head a column [n], NaN for no score
    estimated: int = 0  # how many the fast stage cleared: their scores are its estimates

    def __len__(self) -> int:
        """Return n."""
        return len(self.outcomes)


_INSERT = insert(decisions)
_SCORES = [decisions.c[f"score_{head}"] for head in HEADS]


def insert_many(conn: Connection, rows: Sequence[DecisionRow]) -> None:
    """Store decisions: one statement for all of them."""
    if rows:
        conn.execute(_INSERT, [_values(row) for row in rows])


def find(conn: Connection, decision_id: str, *, key_name: str | None = None) -> DecisionRow | None:
    """Return one decision, only if `key_name` (when given) asked for it."""
    statement = select(decisions).where(decisions.c.id == decision_id)
    if key_name is not None:
        statement = statement.where(decisions.c.key_name == key_name)
    row = conn.execute(statement).one_or_none()
    return None if row is None else _row(row)


def stream(conn: Connection) -> Generator[DecisionRow, None, None]:
    """Yield every decision, those of one request together; close it when stopping early."""
    statement = select(decisions).order_by(decisions.c.created_at, decisions.c.key_name, decisions.c.id)
    with conn.execute(statement.execution_options(yield_per=1_000)) as result:
        for row in result:
            yield _row(row)


def recent_columns(conn: Connection, policy_name: str | None, *, limit: int) -> DecisionColumns:
    """Return the newest `limit` decisions made under any version of a policy (None: of all), newest first.

    Only those of the model that made the newest: scores of two models do not compare.
    """
    chosen = true() if policy_name is None else decisions.c.policy_name == policy_name
    newest = decisions.c.created_at.desc(), decisions.c.id.desc()
    model = select(decisions.c.model_version).where(chosen).order_by(*newest).limit(1).scalar_subquery()
    statement = (
        select(decisions.c.outcome, decisions.c.source, decisions.c.unscored, decisions.c.stage, *_SCORES)
        .where(chosen, decisions.c.model_version == model)
        .order_by(*newest)
        .limit(limit)
    )
    rows = conn.execute(statement).all()
    scores = np.array([row[4:] for row in rows], dtype=np.float32).reshape(len(rows), len(HEADS))
    return DecisionColumns(
        outcomes=[row[0] for row in rows],
        sources=[row[1] for row in rows],
        unscored=[row[2] for row in rows],
        scores={head: scores[:, place] for place, head in enumerate(HEADS)},
        estimated=sum(row[3] == FAST for row in rows),
    )


def _values(row: DecisionRow) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(row, name) for name in DecisionRow.__slots__ if name != "scores"}
    values["because"] = [dict(because) for because in row.because]
    for head in HEADS:
        score = row.scores.get(head)
        values[f"score_{head}"] = None if score is None else float(np.float32(score))
    return values


def _row(row: Row[Any]) -> DecisionRow:
    values = dict(row._mapping)
    scores = {head: value for head in HEADS if (value := values.pop(f"score_{head}")) is not None}
    return DecisionRow(scores=scores, **values)
