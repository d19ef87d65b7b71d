"""Applies a policy to a scores file: no model, no text, seconds for a million rows.

The outcome is `policies.decide`'s, row for row. What is allowed, which is most of any stream, is found for
whole columns at once; every other row goes through `decide` itself.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from prefilter.models.labels import HEADS
from prefilter.serving.bulk.columns import because_json, policy_label
from prefilter.serving.bulk.errors import WrongRequest
from prefilter.serving.bulk.formats import recognise
from prefilter.serving.bulk.outputs import read_identity, read_scores, write_scores
from prefilter.serving.bulk.run import Summary
from prefilter.serving.policies import Bands, Decision, Outcome, Policy, decide

if TYPE_CHECKING:
    import pyarrow as pa


def decide_file(
    scores: Path, output: Path, *, policy: Policy, uncalibrated: Collection[str] | None = None
) -> Summary:
    """Write `scores` again with the outcomes of `policy`.

    `uncalibrated` is needed where the file does not say which categories of its model are (see
    `uncalibrated_of`). Raises WrongRequest or InputUnreadable.
    """
    recognise(output, for_output=True)
    if not scores.is_file():
        raise WrongRequest(f"{scores}: no such file", field=str(scores))
    if scores.resolve() == output.resolve():
        raise WrongRequest(f"{output}: is also the input", field="output")
    known = uncalibrated_of(scores) if uncalibrated is None else uncalibrated
    if known is None:
        raise WrongRequest(
            f"{scores}: does not say which categories are uncalibrated; name its model", field="model"
        )
    summary = Summary()

    def decided() -> Iterator[pa.Table]:
        for table in read_scores(scores):
            again = decide_table(table, policy, uncalibrated=known)
            summary.count(again)
            yield again

    identity = {
        **(read_identity(scores) or {}),
        "policy": {"name": policy_label(policy), "body": policy.to_body()},
    }
    partial = output.with_name(f".{output.name}.partial")
    try:
        write_scores(output, decided(), identity=identity, partial=partial)
    finally:
        partial.unlink(missing_ok=True)
    return summary


def uncalibrated_of(scores: Path) -> tuple[str, ...] | None:
    """Return the uncalibrated categories that a Parquet output of `prefilter score` names in its metadata."""
    model = (read_identity(scores) or {}).get("model", {})
    named = model.get("uncalibrated") if isinstance(model, dict) else None
    return None if named is None else tuple(named)


def model_version_of(scores: Path) -> str | None:
    """Return the model version that the first row names."""
    table = next(read_scores(scores, batch_rows=1), None)
    return None if table is None or not table.num_rows else table.column("model_version")[0].as_py()


def decide_table(table: pa.Table, policy: Policy, *, uncalibrated: Collection[str] = ()) -> pa.Table:
    """Return `table` (of the scores schema) with the outcomes of `policy`; rows with an error keep it."""
    import pyarrow as pa

    scores = {head: table.column(f"score_{head}").to_numpy().astype(np.float32, copy=False) for head in HEADS}
    errors = table.column("error").is_valid().to_numpy()
    old = table.column("because").to_pylist()
    sources = table.column("source").to_pylist()
    outcomes: list[str | None] = [None] * table.num_rows
    because: list[str | None] = [None] * table.num_rows
    for source, rows in _rows_by_source(sources, policy, ~errors):
        allowed, texts = _allowed(scores, rows, policy.bands_for(source))
        for row, text in zip(rows[allowed], texts, strict=True):
            outcomes[row], because[row] = Outcome.ALLOW.value, text
        for row in rows[~allowed]:
            decision = _decide_row(row, scores, old[row], policy, source, uncalibrated)
            outcomes[row], because[row] = decision.outcome.value, because_json(decision.because)
    enforced = [None if outcome is None else policy.enforced for outcome in outcomes]
    return _replaced(
        table,
        outcome=pa.array(outcomes, pa.string()),
        because=pa.array(because, pa.string()),
        enforced=pa.array(enforced, pa.bool_()),
        policy_version=pa.array([policy_label(policy)] * table.num_rows, pa.string()),
    )


def _rows_by_source(
    sources: list[str | None], policy: Policy, valid: np.ndarray[Any, Any]
) -> Iterator[tuple[str | None, np.ndarray[Any, Any]]]:
    """Group the valid rows by the source that the policy knows; None for every other."""
    groups: dict[str | None, list[int]] = {}
    for row in np.flatnonzero(valid):
        source = sources[row]
        groups.setdefault(source if source in policy.sources else None, []).append(int(row))
    for source, rows in groups.items():
        yield source, np.asarray(rows)


def _allowed(scores: dict[str, Any], rows: Any, bands: Any) -> tuple[Any, list[str]]:
    """Return which rows every category allows, and their `because`: the category closest to its edge."""
    names = list(bands)
    matrix = np.stack([scores[name][rows] for name in names], axis=1) if names else np.empty((len(rows), 0))
    edges = [_first_edge(bands[name]) for name in names]
    limits = np.asarray(
        [np.float32(np.inf) if edge is None else np.float32(edge) for edge in edges], np.float32
    )
    with np.errstate(invalid="ignore"):
        allowed = np.isfinite(matrix).all(axis=1) & (matrix < limits).all(axis=1) & bool(names)
    kept = matrix[allowed].astype(np.float64)
    highs = np.asarray([bands[name].first_edge for name in names], np.float64)
    closest = np.argmin(highs - kept, axis=1) if len(kept) else []
    texts = [
        f'[{{"category":"{names[c]}","score":{float(kept[i, c])!r},"band":[0.0,{float(highs[c])!r}]}}]'
        for i, c in enumerate(closest)
    ]
    return allowed, texts


def _first_edge(bands: Bands) -> float | None:
    edges = [edge for edge in (bands.review, bands.block) if edge is not None]
    return min(edges) if edges else None


def _decide_row(
    row: int,
    scores: dict[str, Any],
    because: str | None,
    policy: Policy,
    source: str | None,
    uncalibrated: Any,
) -> Decision:
    present = {head: values[row] for head, values in scores.items() if np.isfinite(values[row])}
    return decide(
        present, policy, source=source, unscored=_unscored_reason(because), uncalibrated=uncalibrated
    )


def _unscored_reason(because: str | None) -> str | None:
    """The reason why a row has no scores at all: the one ground that names no category."""
    for ground in json.loads(because) if because else []:
        if "category" not in ground:
            return str(ground.get("reason", "no_scores"))
    return None


def _replaced(table: pa.Table, **columns: pa.Array) -> pa.Table:
    for name, values in columns.items():
        position = table.schema.get_field_index(name)
        table = table.set_column(position, table.schema.field(position), values)
    return table
