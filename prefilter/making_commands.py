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
        list[str], typer.Argument(metavar="SUITE_OR_PARQUET...", help="Suites, or Parquet files.")
    ],
    split: Annotated[str | None, typer.Option(help="Only the rows of this split; default: all.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="End with one JSON document on the last line.")
    ] = False,
    model: Annotated[
        str | None, typer.Option(help="A model's name or folder; default: the live one.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Also write this report (.md), with its plots beside it.")
    ] = None,
) -> None:
    """Measure a model on labelled suites."""
    from prefilter.eval.command import evaluate as run

    run(targets, split=split, as_json=as_json, model=model, report=report)


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
