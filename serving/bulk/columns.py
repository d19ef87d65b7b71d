"""The columns of a scores file, and how a scored row becomes values in them.

One row per input row. `because` and `error` are JSON strings; numbers that do not exist are null, never 0.
Beside the columns that other programs rely on stand `source` (a policy may have bands per stream, so a
later decision needs it), `enforced`, and how much of a row's context was read. Knows no file format.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from prefilter.models.labels import HEADS
from prefilter.serving.bulk.rows import Row
from prefilter.serving.policies import Because, Policy, decide

if TYPE_CHECKING:
    import pyarrow as pa

    from prefilter.models.scored import Scored

SCORE_COLUMNS: tuple[str, ...] = tuple(f"score_{head}" for head in HEADS)
COLUMNS: tuple[str, ...] = (
    "id",
    "outcome",
    "because",
    "error",
    *SCORE_COLUMNS,
    "tokens_seen",
    "tokens_total",
    "windows",
    "evidence_start",
    "evidence_end",
    "stage",
    "model_version",
    "policy_version",
    "source",
    "enforced",
    "context_seen",
    "context_total",
)
ADDED: tuple[str, ...] = ("source", "enforced", "context_seen", "context_total")
"""Columns that files of earlier releases, and of other hands, may lack."""
_COUNTS = (
    "tokens_seen",
    "tokens_total",
    "windows",
    "evidence_start",
    "evidence_end",
    "context_seen",
    "context_total",
)


def arrow_schema(metadata: dict[str, str] | None = None) -> pa.Schema:
    """Return the Arrow schema of a scores file."""
    import pyarrow as pa

    def kind(name: str) -> pa.DataType:
        if name in SCORE_COLUMNS:
            return pa.float32()
        if name in _COUNTS:
            return pa.int64()
        return pa.bool_() if name == "enforced" else pa.string()

    return pa.schema(
        [pa.field(name, kind(name), nullable=name != "id") for name in COLUMNS], metadata=metadata
    )


def policy_label(policy: Policy) -> str:
    """Return `NAME@VERSION`, what the column `policy_version` says."""
    return f"{policy.name}@{policy.version}"


def output_row(
    row: Row, scored: Scored | None, *, policy: Policy, model_version: str, uncalibrated: Collection[str]
) -> dict[str, Any]:
    """Return the values of one output row; `scored` is None for a row that never reached the scorer."""
    values: dict[str, Any] = dict.fromkeys(COLUMNS)
    values.update(
        id=row.id, model_version=model_version, policy_version=policy_label(policy), source=row.source
    )
    error = row.error
    if scored is not None and scored.error is not None:
        error = type(scored.error)(scored.error.code, f"{row.where}: {scored.error.message}")
    if error is not None:
        values["error"] = to_json({"code": error.code, "message": error.message})
        return values
    if scored is None:
        raise ValueError("a row without an error needs scores")
    decision = decide(
        scored.scores, policy, source=row.source, unscored=scored.unscored, uncalibrated=uncalibrated
    )
    values.update({f"score_{head}": score for head, score in scored.scores.items() if head in HEADS})
    values.update(
        outcome=decision.outcome.value,
        because=because_json(decision.because),
        tokens_seen=scored.tokens_seen,
        tokens_total=scored.tokens_total,
        windows=scored.windows,
        stage=scored.stage,
        enforced=decision.enforced,
    )
    if scored.context_total:
        values.update(context_seen=scored.context_seen, context_total=scored.context_total)
    values["evidence_start"], values["evidence_end"] = _evidence_span(scored, decision.because)
    return values


def because_json(because: tuple[Because, ...]) -> str:
    """Return the grounds of a decision as the JSON string of the column."""
    return to_json([ground.to_json() for ground in because])


def to_json(value: object) -> str:
    """Return compact JSON; floats unrounded."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _evidence_span(scored: Scored, because: tuple[Because, ...]) -> tuple[int | None, int | None]:
    """The evidence of the first ground of the decision; where it has none, the strongest evidence."""
    wanted = because[0].category if because else None
    for evidence in (*(e for e in scored.evidence if e.category == wanted), *scored.evidence):
        return evidence.start, evidence.end
    return None, None
