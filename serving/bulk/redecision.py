"""Applies a policy to a scores file: no model, no text, seconds for a million rows.

The outcome of each row is the policy's, by the rule that decided it first (`serving/policy/columns.py`); a row that
the fast stage cleared under other edges is deferred (`cleared_rows.py`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prefilter.models.labels import HEADS
from prefilter.serving.bulk.bulk_errors import WrongRequest
from prefilter.serving.bulk.cleared_rows import FAST_STAGE_ONLY, held_back
from prefilter.serving.bulk.read.file_formats import recognise
from prefilter.serving.bulk.write.outcome_columns import outcome_columns
from prefilter.serving.bulk.write.run_manifest import read_identity, write_manifest
from prefilter.serving.bulk.write.run_summary import Summary
from prefilter.serving.bulk.write.scores_file import read_scores, write_scores
from prefilter.serving.policy.columns import ScoreColumns, decide_columns
from prefilter.serving.policy.policy import Policy

if TYPE_CHECKING:
    import pyarrow as pa


def decide_file(
    scores: Path, output: Path, *, policy: Policy, uncalibrated: Collection[str] | None = None
) -> Summary:
    """Write `scores` again with the outcomes of `policy`, and its manifest.

    `uncalibrated` is needed where the file does not say which categories of its model are (see
    `uncalibrated_of`). Raises WrongRequest or InputUnreadable.
    """
    recognise(output, for_output=True)
    if not scores.is_file():
        raise WrongRequest(f"{scores}: no such file", field=str(scores))
    if scores.resolve() == output.resolve():
        raise WrongRequest(f"{output}: is also the input", field="output")
    made_of = read_identity(scores) or {}
    known = _uncalibrated(made_of) if uncalibrated is None else uncalibrated
    if known is None:
        raise WrongRequest(
            f"{scores}: does not say which categories are uncalibrated; name its model", field="model"
        )
    summary = Summary()

    def decided() -> Iterator[pa.Table]:
        for table in read_scores(scores):
            again = decide_table(
                table,
                policy,
                uncalibrated=known,
                cleared_under=_cleared_under(made_of),
                decided_by=_decided_by(made_of),
            )
            summary.count(again)
            yield again

    identity = {**made_of, "policy": {"name": policy.label, "body": policy.to_body()}}
    write_scores(output, decided(), identity=identity)
    write_manifest(output, identity=identity, summary=summary)
    return summary


def uncalibrated_of(scores: Path) -> tuple[str, ...] | None:
    """Return the uncalibrated categories that an output of `prefilter score`, or its manifest, names."""
    return _uncalibrated(read_identity(scores) or {})


def model_version_of(scores: Path) -> str | None:
    """Return the model version that the first row names."""
    table = next(read_scores(scores, batch_rows=1), None)
    return None if table is None or not table.num_rows else table.column("model_version")[0].as_py()


def decide_table(
    table: pa.Table,
    policy: Policy,
    *,
    uncalibrated: Collection[str] = (),
    cleared_under: Mapping[str, object] | None = None,
    decided_by: str | None = None,
) -> pa.Table:
    """Return `table` (of the scores schema) with the outcomes of `policy`; rows with an error keep it.

    `cleared_under`: the edges by source that its fast rows were cleared under; None where nobody knows. They
    speak for rows of the policy label `decided_by` alone (None: for all): others were joined to the file.
    """
    import pyarrow.compute as pc

    scores = {head: table.column(f"score_{head}").to_numpy() for head in HEADS}
    valid = ~table.column("error").is_valid().to_numpy()
    sources = table.column("source").combine_chunks()
    stages = table.column("stage").combine_chunks()
    foreign = np.zeros(table.num_rows, dtype=np.bool_)
    if decided_by is not None:
        foreign = ~np.asarray(pc.fill_null(pc.equal(table.column("policy_version"), decided_by), False))
    unscored = np.full(table.num_rows, None, dtype=np.object_)
    unscored[held_back(sources, stages, policy, cleared_under, foreign=foreign)] = FAST_STAGE_ONLY
    scoreless = ~np.logical_or.reduce([np.isfinite(column) for column in scores.values()])
    for row, reason in _reasons(table.column("because"), valid & scoreless).items():
        unscored[row] = reason
    columns = ScoreColumns(scores, sources.to_numpy(zero_copy_only=False), unscored)
    decisions = decide_columns(columns, policy, uncalibrated=uncalibrated)
    return _replaced(table, outcome_columns(decisions.codes, decisions.grounds(), policy, decided=valid))


def _cleared_under(identity: Mapping[str, object]) -> Mapping[str, object] | None:
    """The edges by source that the fast rows of a file were cleared under, None where it does not say."""
    found = identity.get("cleared_under")
    return found if isinstance(found, Mapping) else None


def _decided_by(identity: Mapping[str, object]) -> str:
    """The label of the policy that a file says it was decided by, "" where it does not say."""
    policy = identity.get("policy")
    name = policy.get("name") if isinstance(policy, Mapping) else None
    return name if isinstance(name, str) else ""


def _uncalibrated(identity: Mapping[str, object]) -> tuple[str, ...] | None:
    model = identity.get("model", {})
    named = model.get("uncalibrated") if isinstance(model, dict) else None
    return None if named is None else tuple(named)


def _reasons(because: pa.ChunkedArray, rows: NDArray[np.bool_]) -> dict[int, str]:
    """Why rows have no scores at all: the one ground that names no category."""
    numbers = np.flatnonzero(rows)
    reasons: dict[int, str] = {}
    for number, stored in zip(numbers.tolist(), because.take(numbers).to_pylist(), strict=True):
        for ground in json.loads(stored) if stored else []:
            if "category" not in ground and ground.get("reason") != FAST_STAGE_ONLY:
                reasons[number] = str(ground.get("reason", "no_scores"))
                break
    return reasons


def _replaced(table: pa.Table, columns: Mapping[str, pa.Array]) -> pa.Table:
    for name, values in columns.items():
        position = table.schema.get_field_index(name)
        table = table.set_column(position, table.schema.field(position), values)
    return table
