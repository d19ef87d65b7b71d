"""THE bulk use case: the rows of input files are scored and decided, and written in input order.

Finished parts lie beside the output until it is whole; a run that was killed goes on after the last of
them, and the output is the same bytes as an unbroken run's, and so is the manifest beside it. Knows no
database, opens no case.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from prefilter.serving.bulk.bulk_errors import InputUnreadable, WrongRequest
from prefilter.serving.bulk.read.file_formats import recognise
from prefilter.serving.bulk.read.input_files import Fingerprint, Input, find_inputs, look_into
from prefilter.serving.bulk.read.input_rows import Columns
from prefilter.serving.bulk.run.chunks import Pool, Screened
from prefilter.serving.bulk.run.local_engine import Engine, Local
from prefilter.serving.bulk.run.progress import Progress, is_terminal
from prefilter.serving.bulk.run_terms import Terms
from prefilter.serving.bulk.write.output_lock import sole_writer
from prefilter.serving.bulk.write.parts import PART_ROWS, PART_SECONDS, Parts
from prefilter.serving.bulk.write.run_manifest import has_manifest, identify, read_identity, write_manifest
from prefilter.serving.bulk.write.run_summary import Summary
from prefilter.serving.bulk.write.scores_file import read_scores, write_scores
from prefilter.serving.policy.policy import Policy

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What to score, with which model and policy, into which file.

    `exact`: the fast stage clears nothing. `engine`: `local` or `ray`. `ordered`: rows are in input order;
    only the cluster can do without, and a run without is not continued after a kill but begun anew.
    """

    inputs: Sequence[str | Path]
    output: Path
    policy: Policy
    model: Path
    columns: Columns = field(default_factory=Columns)
    exact: bool = False
    engine: str = "local"
    workers: int = 1
    ordered: bool = True
    restart: bool = False
    part_rows: int = PART_ROWS


def score_files(run: Run, *, pool: Pool | None = None) -> Summary:
    """Score every row of the inputs into `run.output`, and write its manifest.

    Raises WrongRequest before anything is touched, InputUnreadable where a file breaks off (finished parts
    stay), RunDiffers where parts of another run lie there, OutputBusy where another run writes them.
    """
    inputs = find_inputs(run.inputs)
    recognise(run.output, for_output=True)
    _check_places(run, inputs)
    for source in inputs:
        look_into(source, run.columns)
    terms = Terms.of(run.model, run.policy, exact=run.exact)
    with closing(_engine(run, pool)) as engine:
        prints = engine.fingerprints(inputs)
        identity = identify(terms, inputs=prints, columns=run.columns, ordered=run.ordered)
        parts = Parts(run.output.with_name(run.output.name + ".parts"))
        with sole_writer(parts.folder, output=run.output):
            return _continue(run, parts, identity, terms, engine, dict(zip(inputs, prints, strict=True)))


def _continue(
    run: Run,
    parts: Parts,
    identity: Mapping[str, object],
    terms: Terms,
    engine: Engine,
    inputs: Mapping[Input, Fingerprint],
) -> Summary:
    """Go on where an earlier run was stopped: behind its last part, or behind its finished output."""
    if not run.restart and read_identity(run.output) == identity:
        return _finish(run, parts, identity, read_scores(run.output), resumed=None)
    parts.open(identity, restart=run.restart or not run.ordered)
    resumed = parts.rows
    try:
        _score_into(parts, run, list(inputs), terms, engine)
        _check_unchanged(inputs, engine)
        partial = parts.folder / "output.partial"
        write_scores(run.output, parts.tables(), identity=identity, partial=partial)
    except BaseException:
        if not parts.finished:
            parts.remove()
        raise
    return _finish(run, parts, identity, parts.tables(), resumed=resumed)


def _finish(
    run: Run, parts: Parts, identity: Mapping[str, object], tables: Iterable[pa.Table], *, resumed: int | None
) -> Summary:
    """Write the manifest of the finished output, then drop the parts; `resumed` None: all rows were there."""
    summary = Summary()
    for table in tables:
        summary.count(table)
    if resumed is not None or not has_manifest(run.output):
        write_manifest(run.output, identity=identity, summary=summary)
    parts.remove()
    summary.resumed = summary.rows if resumed is None else resumed
    return summary


def _engine(run: Run, pool: Pool | None) -> Engine:
    if run.engine == "ray":
        from prefilter.serving.bulk.run.ray_cluster import Cluster

        return Cluster(workers=run.workers, ordered=run.ordered)
    if run.engine != "local":
        raise WrongRequest("--engine is local or ray", field="engine")
    if not run.ordered:
        raise WrongRequest(
            "--unordered is for --engine ray; here rows come in order at no cost", field="ordered"
        )
    return Local(workers=run.workers, pool=pool)


def _score_into(parts: Parts, run: Run, inputs: list[Input], terms: Terms, engine: Engine) -> None:
    """Score the rows behind the finished parts, part by part."""
    if run.engine == "local":  # a file is shared by the processes of one machine, not by a cluster's
        terms = replace(terms, repeats=(str(parts.folder / "repeats"), secrets.token_hex(32)))
    total = engine.count(inputs) if is_terminal() else None
    with Progress(total=total, done=parts.rows) as progress:
        screened = engine.screen(inputs, run.columns, terms, skip=parts.rows)
        for table, last_input in cut_parts(_counted(screened, progress), rows=run.part_rows):
            parts.add(table, last_input=last_input)


def _counted(screened: Iterator[Screened], progress: Progress) -> Iterator[Screened]:
    for one in screened:
        yield one
        progress.advance(one.table.num_rows)


def cut_parts(
    screened: Iterable[Screened], *, rows: int, seconds: float = PART_SECONDS
) -> Iterator[Screened]:
    """Yield tables of `rows` rows, or of fewer where they took `seconds` to come."""
    import pyarrow as pa

    waiting: list[pa.Table] = []
    count, begun, last_input = 0, time.monotonic(), 0
    for table, last_input in screened:
        waiting.append(table)
        count += table.num_rows
        late = time.monotonic() - begun >= seconds
        if count < rows and not late:
            continue
        joined = pa.concat_tables(waiting)
        while joined.num_rows >= rows or (late and joined.num_rows):
            yield Screened(joined.slice(0, rows).combine_chunks(), last_input)
            joined = joined.slice(rows)
        waiting, count, begun = ([joined] if joined.num_rows else []), joined.num_rows, time.monotonic()
    if count:
        yield Screened(pa.concat_tables(waiting).combine_chunks(), last_input)


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


def _check_unchanged(inputs: Mapping[Input, Fingerprint], engine: Engine) -> None:
    for source, now in zip(inputs, engine.fingerprints(list(inputs)), strict=True):
        if now != inputs[source]:
            raise InputUnreadable(f"{source.path}: changed while it was read", field=str(source.path))
