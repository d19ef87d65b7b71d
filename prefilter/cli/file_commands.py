"""`prefilter score`, `decide` and `cases import`: files in, files out. The bulk room does the work."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prefilter.cli.shared_options import LanguageColumn, Model, PolicySource, TextColumn
from prefilter.models.known_error import WrongUse

if TYPE_CHECKING:
    from prefilter.serving.bulk.read.input_rows import Columns
    from prefilter.serving.policy.policy import Policy

Inputs = Annotated[list[str], typer.Argument(help="JSONL (.gz, .zst), CSV or Parquet files, or globs.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="Parquet, or JSONL (.gz, .zst) by its name.")]
PolicyName = Annotated[
    str | None, typer.Option("--policy", help="A preset, a TOML file or an exported NAME@VERSION.")
]
IdColumn = Annotated[
    str, typer.Option(help="The column that holds the id; without one, rows are numbered from 0.")
]
SourceColumn = Annotated[str, typer.Option(help="The column that names the stream, where there is one.")]
ContextColumn = Annotated[
    str | None, typer.Option(help="The column that holds the context of the text; read only where it is named.")
]

cases = typer.Typer(help="Cases for people, from files.", no_args_is_help=True, rich_markup_mode=None)


def add_to(app: typer.Typer) -> None:
    """Register the commands that have no group."""
    app.command()(score)
    app.command()(decide)


def score(
    inputs: Inputs,
    output: Output,
    policy: PolicyName = None,
    model: Model = None,
    text_column: TextColumn = "text",
    id_column: IdColumn = "id",
    language_column: LanguageColumn = "language",
    source_column: SourceColumn = "source",
    context_column: ContextColumn = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Every score is the transformer's; the fast stage clears nothing.")
    ] = False,
    engine: Annotated[str, typer.Option(help="local, or ray: the cluster of RAY_ADDRESS.")] = "local",
    workers: Annotated[
        int, typer.Option(min=0, help="Scoring processes; 0: one per core, here or of the cluster.")
    ] = 0,
    ordered: Annotated[
        bool, typer.Option("--ordered/--unordered", help="Rows in input order; --unordered only with ray.")
    ] = True,
    open_cases: Annotated[
        bool, typer.Option("--cases", help="Also open cases for the rows to review.")
    ] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Drop an unfinished run, and score anew.")
    ] = False,
    part_rows: Annotated[int, typer.Option(min=1, hidden=True)] = 5_000,
) -> None:
    """Score every row of the inputs into OUTPUT, one row per row, in order.

    A run that was stopped goes on when the same command is run again.
    """
    if engine not in ("local", "ray"):
        raise WrongUse("--engine is local or ray")
    if open_cases and not ordered:
        raise WrongUse("--cases reads the inputs beside the output row by row: not with --unordered")
    from prefilter.models.registry import resolve
    from prefilter.serving.bulk.run.bulk_run import Run, score_files

    columns = _columns(text_column, id_column, language_column, source_column, context_column)
    run = Run(
        inputs=inputs,
        output=output,
        policy=_policy(policy),
        model=resolve(model),
        columns=columns,
        exact=exact,
        engine=engine,
        workers=workers if workers or engine == "ray" else len(os.sched_getaffinity(0)),
        ordered=ordered,
        restart=restart,
        part_rows=part_rows,
    )
    summary = score_files(run)
    _say(f"{summary.to_line()} → {output}")
    if open_cases:
        _import(output, inputs, columns)


def decide(
    scores: Annotated[Path, typer.Argument(help="An output of `prefilter score`.")],
    output: Output,
    policy: PolicySource,
    model: Annotated[
        str | None, typer.Option(help="The model the scores come from, where the file does not say enough.")
    ] = None,
) -> None:
    """Apply a policy to stored scores, without a model."""
    from prefilter.serving.bulk.redecision import decide_file
    from prefilter.serving.bulk.scores_origin import uncalibrated_behind

    wanted = _policy(policy)
    summary = decide_file(scores, output, policy=wanted, uncalibrated=uncalibrated_behind(scores, model=model))
    _say(f"{summary.to_line()} → {output}")
    if summary.estimated:
        _say(
            f"{summary.estimated} of them to review only because the fast stage cleared them under other edges, "
            "and gave estimates: `prefilter score --exact` gives their scores"
        )


@cases.command("import")
def import_cases(
    scores: Annotated[Path, typer.Argument(metavar="OUTPUT", help="An output of `prefilter score`.")],
    more: Annotated[
        list[str] | None, typer.Argument(metavar="[INPUT...]", help="Further inputs, in order.")
    ] = None,
    inputs: Annotated[
        list[str] | None, typer.Option("--input", help="The input it was made from; repeat for several.")
    ] = None,
    text_column: TextColumn = "text",
    id_column: IdColumn = "id",
    language_column: LanguageColumn = "language",
    source_column: SourceColumn = "source",
    context_column: ContextColumn = None,
) -> None:
    """Open a case for every row to review, once each, however often this is run."""
    given = [*(inputs or []), *(more or [])]  # a shell turns `--input *.jsonl` into one option and arguments
    if not given:
        raise WrongUse("cases import needs the input that was scored: --input INPUT")
    _import(scores, given, _columns(text_column, id_column, language_column, source_column, context_column))


def _import(scores: Path, inputs: list[str], columns: Columns) -> None:
    from prefilter.cli.workplace import open_workplace
    from prefilter.serving.bulk.case_import import import_cases as open_them

    with open_workplace() as place:
        opened = open_them(
            scores, inputs, columns, store=place.store, triage=place.triage, actor=place.operator
        )
    _say(opened.to_line())


def _columns(text: str, identity: str, language: str, source: str, context: str | None) -> Columns:
    from prefilter.serving.bulk.read.input_rows import Columns

    return Columns(text=text, id=identity, language=language, source=source, context=context)


def _policy(name: str | None) -> Policy:
    from prefilter.serving.bulk.named_policy import find_policy

    return find_policy(name or os.environ.get("PREFILTER_POLICY") or "model-output")


def _say(line: str) -> None:
    print(line, file=sys.stderr)
