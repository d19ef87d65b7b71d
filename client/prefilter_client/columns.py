"""The columns that a table gets beside its texts, named as in the files that `prefilter score` writes.

They are the same whatever the rows hold: a table's columns must not depend on its content.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from prefilter_client.values import SCORES, Because, Decision, Row, RowError

SCORE_COLUMNS = tuple(f"score_{name}" for name in SCORES)
TEXT_COLUMNS = ("outcome", "because", "error", "decision_id", "case_id", "stage", "model_version", "policy_version")
"""`because` and `error` are JSON; `policy_version` is NAME@VERSION. Every one but `error` is None for a bad row."""
COLUMNS = ("outcome", "because", "error", *SCORE_COLUMNS, "enforced", *TEXT_COLUMNS[3:])


def columns_of(rows: Iterable[Row]) -> dict[str, list[Any]]:
    """Return the columns of rows; a missing value is None."""
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    for row in rows:
        values = _failed(row) if isinstance(row, RowError) else _decided(row)
        for name, column in columns.items():
            column.append(values.get(name))
    return columns


def given(value: object) -> str | None:
    """Return an optional cell as the service takes it: a string, or None for an empty one (None, NaN, NA)."""
    if value is None or isinstance(value, str):
        return value
    try:
        if value != value:
            return None
    except TypeError:  # pandas' NA is neither equal nor unequal to itself
        return None
    return str(value)


def _decided(row: Decision) -> Mapping[str, Any]:
    return {
        "outcome": row.outcome,
        "because": _json([_ground(because) for because in row.because]),
        "decision_id": row.decision_id,
        "case_id": row.case_id,
        "enforced": row.enforced,
        "stage": row.stage,
        "model_version": row.model_version,
        "policy_version": f"{row.policy.name}@{row.policy.version}",
        **{f"score_{category}": score for category, score in row.scores.items()},
    }


def _failed(row: RowError) -> Mapping[str, Any]:
    return {"error": _json({"code": row.code, "message": row.message})}


def _ground(because: Because) -> dict[str, Any]:
    return {name: value for name, value in asdict(because).items() if value is not None}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
