"""The output table of a run: its columns, and how scored rows are decided and become values in them.

One row per input row. `because` and `error` are JSON strings; numbers that do not exist are null, never 0.
Beside the columns that other programs rely on there are `source` (a policy may have bands per stream, so a
later decision needs it), `enforced`, and how much of a row's context was read. Knows no file format.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prefilter.models.labels import HEADS
from prefilter.serving.bulk.read.input_rows import Row
from prefilter.serving.bulk.run_terms import Terms
from prefilter.serving.bulk.write.compact_json import to_json
from prefilter.serving.bulk.write.outcome_columns import outcome_columns
from prefilter.serving.policy.columns import ColumnDecisions, ScoreColumns, decide_columns

if TYPE_CHECKING:
    import pyarrow as pa

    from prefilter.models.scored import Scored
    from prefilter.models.text.normalisation import RowError

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


def output_table(rows: Sequence[Row], scored: Sequence[Scored | None], terms: Terms) -> pa.Table:
    """Return the output rows; `scored` is None for a row that never reached the scorer."""
    import pyarrow as pa

    count = len(rows)
    errors = [_error(row, found) for row, found in zip(rows, scored, strict=True)]
    answers = [None if error else found for error, found in zip(errors, scored, strict=True)]
    valid = np.fromiter((answer is not None for answer in answers), bool, count)
    matrix = np.full((count, len(HEADS)), np.nan, np.float32)
    for number, answer in enumerate(answers):
        if answer is not None and answer.scores:
            matrix[number] = [answer.scores.get(head, np.nan) for head in HEADS]
    decisions = _decide(rows, answers, matrix, terms)
    grounds = decisions.grounds()
    leading = [ground.category for ground in grounds.leading()]
    spans = [_evidence_span(a, leading[n]) if a else _NO_SPAN for n, a in enumerate(answers)]
    values: dict[str, pa.Array | list[str] | list[str | None] | list[int | None]] = {
        "id": [row.id for row in rows],
        "error": [None if e is None else to_json({"code": e.code, "message": e.message}) for e in errors],
        "tokens_seen": [a.tokens_seen if a else None for a in answers],
        "tokens_total": [a.tokens_total if a else None for a in answers],
        "windows": [a.windows if a else None for a in answers],
        "evidence_start": [start for start, _ in spans],
        "evidence_end": [end for _, end in spans],
        "stage": [a.stage if a else None for a in answers],
        "model_version": [terms.model_version] * count,
        "source": [row.source for row in rows],
        "context_seen": [a.context_seen if a and a.context_total else None for a in answers],
        "context_total": [a.context_total if a and a.context_total else None for a in answers],
        **outcome_columns(decisions.codes, grounds, terms.policy, decided=valid),
    }
    values |= score_arrays(matrix)
    schema = arrow_schema()
    arrays = [
        value if isinstance(value := values[field.name], pa.Array) else pa.array(value, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _decide(
    rows: Sequence[Row], answers: Sequence[Scored | None], matrix: NDArray[np.float32], terms: Terms
) -> ColumnDecisions:
    """Apply the policy of the run; what it says of a row without an answer means nothing."""
    columns = ScoreColumns(
        scores={head: matrix[:, number] for number, head in enumerate(HEADS)},
        sources=np.array([row.source for row in rows], dtype=np.object_),
        unscored=np.array([(answer.unscored or None) if answer else None for answer in answers], dtype=np.object_),
    )
    return decide_columns(columns, terms.policy, uncalibrated=terms.uncalibrated)


def score_arrays(matrix: NDArray[np.float32]) -> dict[str, pa.Array]:
    """The score columns of a matrix of rows and HEADS; what is no number is null."""
    import pyarrow as pa

    missing = np.isnan(matrix)
    return {
        name: pa.array(np.ascontiguousarray(matrix[:, n]), pa.float32(), mask=missing[:, n])
        for n, name in enumerate(SCORE_COLUMNS)
    }


_NO_SPAN = (None, None)


def _error(row: Row, scored: Scored | None) -> RowError | None:
    """What is wrong with a row: what its reader found, else the scorer's word, which then names the row."""
    if row.error is not None:
        return row.error
    if scored is None:
        raise ValueError("a row without an error needs scores")
    if scored.error is None:
        return None
    return type(scored.error)(scored.error.code, f"{row.where}: {scored.error.message}")


def _evidence_span(scored: Scored, wanted: str | None) -> tuple[int | None, int | None]:
    """The evidence of the first ground of the decision; where it has none, the strongest evidence."""
    for evidence in (*(e for e in scored.evidence if e.category == wanted), *scored.evidence):
        return evidence.start, evidence.end
    return _NO_SPAN
