"""THE bulk use case: the rows of input files are scored and decided, and stand in the output in input order.

Finished parts lie beside the output until it is whole; a run that was killed goes on after the last of
them, and the output is the same bytes as an unbroken run's. Knows no database, opens no case.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefilter.serving.bulk.chunks import InProcess, Pool, Text, cut_chunks
from prefilter.serving.bulk.columns import arrow_schema, output_row, policy_label
from prefilter.serving.bulk.errors import InputUnreadable, WrongRequest
from prefilter.serving.bulk.formats import recognise
from prefilter.serving.bulk.inputs import Input, find_inputs, fingerprint, look_into
from prefilter.serving.bulk.lock import sole_writer
from prefilter.serving.bulk.outputs import read_identity, write_scores
from prefilter.serving.bulk.parts import PART_ROWS, Parts
from prefilter.serving.bulk.progress import Progress, is_terminal
from prefilter.serving.bulk.readers import count_rows, read_rows
from prefilter.serving.bulk.rows import Columns, Row
from prefilter.serving.policies import Policy

if TYPE_CHECKING:
    import pyarrow as pa

    from prefilter.models.manifest import Manifest
    from prefilter.models.scored import Scored


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What to score, with which model and policy, into which file."""

    inputs: Sequence[str | Path]
    output: Path
    policy: Policy
    model: Path
    columns: Columns = field(default_factory=Columns)
    workers: int = 1
    restart: bool = False
    part_rows: int = PART_ROWS


@dataclass(slots=True)
class Summary:
    """How a run ended: rows by outcome (`error` for broken ones), and how many were finished before."""

    rows: int = 0
    resumed: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)

    def count(self, table: pa.Table) -> None:
        """Add the rows of a table of the scores schema."""
        self.rows += table.num_rows
        self.outcomes.update(value or "error" for value in table.column("outcome").to_pylist())

    def to_line(self) -> str:
        """Return one line for people."""
        parts = [f"{self.outcomes[name]} {name}" for name in ("allow", "review", "block", "error")]
        tail = f" ({self.resumed} of them by an earlier run)" if self.resumed else ""
        return f"{self.rows} rows: {', '.join(parts)}{tail}"


def score_files(run: Run, *, pool: Pool | None = None) -> Summary:
    """Score every row of the inputs into `run.output`.

    Raises WrongRequest before anything is touched, InputUnreadable where a file breaks off (finished parts
    stay), RunDiffers where parts of another run lie there, OutputBusy where another run writes them.
    """
    inputs = find_inputs(run.inputs)
    recognise(run.output, for_output=True)
    _check_places(run, inputs)
    for source in inputs:
        look_into(source, run.columns)
    manifest = _load_manifest(run.model)
    identity = _identify(run, inputs, manifest)
    parts = Parts(run.output.with_name(run.output.name + ".parts"))
    with sole_writer(parts.folder, output=run.output):
        if not run.restart and read_identity(run.output) == identity:
            parts.remove()
            return _summarise_output(run.output)
        parts.open(identity, restart=run.restart)
        resumed = parts.rows
        try:
            _score_into(parts, run, inputs, manifest, pool)
            _check_unchanged(inputs, identity)
            write_scores(
                run.output, parts.tables(), identity=identity, partial=parts.folder / "output.partial"
            )
        except BaseException:
            if not parts.finished:
                parts.remove()
            raise
        summary = Summary(resumed=resumed)
        for table in parts.tables():
            summary.count(table)
        parts.remove()
    return summary


def _score_into(parts: Parts, run: Run, inputs: list[Input], manifest: Manifest, pool: Pool | None) -> None:
    """Score the rows behind the finished parts, part by part."""
    rows = read_rows(inputs, run.columns, skip=parts.rows)
    first = next(rows, None)
    if first is None:
        return
    with ExitStack() as stack:
        total = count_rows(inputs) if is_terminal() else None
        progress = stack.enter_context(Progress(total=total, done=parts.rows))
        used = pool if pool is not None else stack.enter_context(_open_pool(run))
        waiting: list[dict[str, Any]] = []
        last_input = 0
        for row, scored in score_rows(chain([first], rows), used):
            waiting.append(
                output_row(
                    row,
                    scored,
                    policy=run.policy,
                    model_version=manifest.version,
                    uncalibrated=manifest.uncalibrated,
                )
            )
            last_input = row.input_index
            progress.advance()
            if len(waiting) == run.part_rows:
                parts.add(_table(waiting), last_input=last_input)
                waiting = []
        if waiting:
            parts.add(_table(waiting), last_input=last_input)


def score_rows(rows: Iterator[Row], pool: Pool) -> Iterator[tuple[Row, Scored | None]]:
    """Yield every row with its scores, in order; a row with an error goes past the scorer."""
    under_way: list[list[Row]] = []

    def texts() -> Iterator[list[Text]]:
        for chunk in cut_chunks(rows):
            under_way.append(chunk)
            yield [Text(row.text, row.language, row.context) for row in chunk if row.error is None]

    for scored in pool.score(texts()):
        results = iter(scored)
        for row in under_way.pop(0):
            yield row, None if row.error is not None else next(results)


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    import pyarrow as pa

    return pa.Table.from_pylist(rows, schema=arrow_schema())


def _open_pool(run: Run) -> Any:
    """One worker is this process; more are processes of their own."""
    from contextlib import nullcontext

    if run.workers == 1:
        from prefilter.models.scorer import Scorer

        return nullcontext(InProcess(Scorer.load(run.model, threads=1, max_chars=None)))
    from prefilter.serving.bulk.workers import Workers

    return Workers(run.model, count=run.workers)


def _load_manifest(model: Path) -> Manifest:
    from prefilter.models.manifest import Manifest

    return Manifest.load(model)


def _identify(run: Run, inputs: list[Input], manifest: Manifest) -> dict[str, Any]:
    """Say what is made of what; two runs with the same identity have the same output."""
    return {
        "format": 1,
        "inputs": [fingerprint(source).to_json() for source in inputs],
        "columns": run.columns.to_json(),
        "model": {
            "version": manifest.version,
            "manifest_sha256": hashlib.sha256((run.model / "manifest.json").read_bytes()).hexdigest(),
            "uncalibrated": sorted(manifest.uncalibrated),
        },
        "policy": {"name": policy_label(run.policy), "body": run.policy.to_body()},
        "part_rows": run.part_rows,
        "onnxruntime": version("onnxruntime"),
    }


def _check_places(run: Run, inputs: list[Input]) -> None:
    output = run.output
    if output.is_dir():
        raise WrongRequest(f"{output}: is a folder", field="output")
    if not output.absolute().parent.is_dir():
        raise WrongRequest(f"{output}: there is no folder {output.parent}", field="output")
    if not os.access(output.absolute().parent, os.W_OK):
        raise WrongRequest(f"{output}: its folder cannot be written", field="output")
    if any(source.path.resolve() == output.resolve() for source in inputs):
        raise WrongRequest(f"{output}: is also an input", field="output")


def _check_unchanged(inputs: list[Input], identity: dict[str, Any]) -> None:
    for source, then in zip(inputs, identity["inputs"], strict=True):
        if fingerprint(source).to_json() != then:
            raise InputUnreadable(f"{source.path}: changed while it was read", field=str(source.path))


def _summarise_output(output: Path) -> Summary:
    from prefilter.serving.bulk.outputs import read_scores

    summary = Summary()
    for table in read_scores(output):
        summary.count(table)
    summary.resumed = summary.rows
    return summary
