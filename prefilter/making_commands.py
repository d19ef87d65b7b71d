"""`prefilter train`, `calibrate`, `export` and `evaluate`: how a model is made and judged."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prefilter.complaints import refuse

Recipe = Annotated[Path, typer.Argument(help="The recipe (TOML) of the model.")]


def add_to(app: typer.Typer) -> None:
    """Register these commands, and those of later releases, which say so."""
    for command in (train, calibrate, export, evaluate):
        app.command()(command)
    for command in (bench, certify):
        app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(command)


def train(recipe: Recipe) -> None:
    """Train a network by a recipe; goes on after an interruption."""
    from prefilter.classifier.train import main

    main(_there(recipe))


def calibrate(recipe: Recipe) -> None:
    """Fit the calibration of a trained network on its own split."""
    from prefilter.classifier.calibrate import main

    main(_there(recipe))


def export(recipe: Recipe) -> None:
    """Export a calibrated network as an artefact, if parity and the flip budget hold."""
    from prefilter.classifier.export import main

    main(_there(recipe))


def evaluate(
    targets: Annotated[
        list[str] | None, typer.Argument(metavar="SUITE_OR_PARQUET...", help="Suites, or Parquet files.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Only the rows of this split; default: all.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="End with one JSON document on the last line.")
    ] = False,
    model: Annotated[
        str | None, typer.Option(help="A model's name or folder; default: the live one.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Also write REPORT.md, REPORT.json and REPORT.html (with plots).")
    ] = None,
    all_suites: Annotated[bool, typer.Option("--all", help="Every public test suite of the plan.")] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many rows of each suite, drawn with a fixed seed.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Threads; default: one per core.")] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Keep no scores under PREFILTER_HOME.")] = False,
) -> None:
    """Measure a model on labelled suites: names found in PREFILTER_DATA_DIR, or Parquet files."""
    from prefilter.eval.command import evaluate as run

    code = run(
        targets or [],
        split=split,
        json_out=as_json,
        model=model,
        report=report,
        all_suites=all_suites,
        limit=limit,
        workers=workers,
        no_cache=no_cache,
    )
    raise typer.Exit(code)


def bench() -> None:
    """Not in this release."""
    raise refuse("bench is not in this release")


def certify() -> None:
    """Not in this release."""
    raise refuse("certify is not in this release")


def _there(recipe: Path) -> Path:
    if not recipe.is_file():
        raise refuse(f"{recipe}: no such recipe")
    return recipe
