"""`prefilter evaluate`, and `certify`, which is hidden from the help until it works: a model and a policy judged."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prefilter.cli.shared_options import DataDir, Model, Threads
from prefilter.models.known_error import WrongUse


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.command()(evaluate)
    app.command(hidden=True, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(certify)


def evaluate(
    targets: Annotated[
        list[str] | None, typer.Argument(metavar="SUITE_OR_PARQUET...", help="Suites, or Parquet files.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Only the rows of this split; default: all.")] = None,
    json_out: Annotated[
        bool, typer.Option("--json", help="End with one JSON document on the last line.")
    ] = False,
    model: Model = None,
    report: Annotated[
        Path | None, typer.Option(help="Also write REPORT.md, REPORT.json, REPORT.html and the tables (REPORT/).")
    ] = None,
    all_suites: Annotated[bool, typer.Option("--all", help="Every public test suite of the plan.")] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="So many rows of each suite, drawn by a fixed seed.")
    ] = None,
    workers: Threads = None,
    data_dir: DataDir = None,
    cache_dir: Annotated[
        Path | None, typer.Option(help="Where scores are kept; default: PREFILTER_HOME.")
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Keep no scores on disk.")] = False,
    beside: Annotated[
        list[Path] | None, typer.Option(help="A document to compare with; default with --all: those kept.")
    ] = None,
    render: Annotated[
        Path | None, typer.Option(help="Only write a report again from its REPORT.json.")
    ] = None,
    subcategories: Annotated[
        Path | None, typer.Option(help="Only measure a report's sub-categories again: its REPORT.json.")
    ] = None,
) -> None:
    """Measure a model on labelled suites: names found in PREFILTER_DATA_DIR, or Parquet files."""
    if render is not None:
        from prefilter.eval.evaluation import render as write_again

        raise typer.Exit(write_again(render, beside=beside or []))
    if subcategories is not None:
        from prefilter.eval.evaluation import measure_again

        raise typer.Exit(
            measure_again(subcategories, model=model, workers=workers, data_dir=data_dir, cache_dir=cache_dir)
        )
    if not targets and not all_suites:
        raise WrongUse("evaluate needs a suite, a Parquet file, or --all")
    from prefilter.eval.evaluation import evaluate as run

    code = run(
        targets or [],
        split=split,
        json_out=json_out,
        model=model,
        report=report,
        all_suites=all_suites,
        limit=limit,
        workers=workers,
        data_dir=data_dir,
        cache_dir=cache_dir,
        no_cache=no_cache,
        beside=beside or [],
    )
    raise typer.Exit(code)


def certify() -> None:
    """Not in this release."""
    raise WrongUse("certify is not in this release")
