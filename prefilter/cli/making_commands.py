"""`prefilter train`, `calibrate`, `export`, `evaluate` and `baseline`: how a model is made and judged."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prefilter.cli.complaints import refuse

Recipe = Annotated[Path, typer.Argument(help="The recipe (TOML) of the model.")]
RunDir = Annotated[Path | None, typer.Option(help="The run's folder; default: runs/ and the recipe's name.")]
DataDir = Annotated[Path | None, typer.Option(help="The labelled data; default: PREFILTER_DATA_DIR.")]
Store = Annotated[
    Path | None, typer.Option("--store", help="The folder of models; default: the one installed.")
]


def add_to(app: typer.Typer) -> None:
    """Register these commands, and those of later releases, which say so."""
    for command in (train, calibrate, export, evaluate, baseline):
        app.command()(command)
    app.command("leave-out")(leave_out)
    app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(certify)


def train(
    recipe: Recipe,
    run_dir: RunDir = None,
    data_dir: DataDir = None,
    release: Annotated[
        bool, typer.Option("--release", help="Then calibrate and export, as `export` does.")
    ] = False,
    store: Store = None,
) -> None:
    """Train a network by a recipe; goes on after an interruption."""
    there = _there(recipe)
    from prefilter.classifier.training.trainer import main

    folder = main(there, run_dir=run_dir, data_dir=data_dir)
    if release:
        _release(recipe, folder, data_dir, store)
    else:
        print(folder)


def calibrate(recipe: Recipe, run_dir: RunDir = None, data_dir: DataDir = None, store: Store = None) -> None:
    """Fit the curves of a trained network anew: they are fitted on the exported graph, as `export` does."""
    _release(_there(recipe), run_dir, data_dir, store)


def export(recipe: Recipe, run_dir: RunDir = None, data_dir: DataDir = None, store: Store = None) -> None:
    """Export a trained network, calibrated, as an artefact, if parity and the flip budget hold."""
    _release(_there(recipe), run_dir, data_dir, store)


def evaluate(
    targets: Annotated[
        list[str] | None, typer.Argument(metavar="SUITE_OR_PARQUET...", help="Suites, or Parquet files.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Only the rows of this split; default: all.")] = None,
    json_out: Annotated[
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
        int | None, typer.Option(min=1, help="So many rows of each suite, drawn by a fixed seed.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Scoring threads; default: one per core.")
    ] = None,
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
        raise refuse("evaluate needs a suite, a Parquet file, or --all")
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


def baseline(
    recipe: Recipe,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the summary of its numbers is written.")],
    data_dir: DataDir = None,
    rows: Annotated[int | None, typer.Option(min=1, help="So many training texts; default: 150,000.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="So many rows of each suite.")] = None,
) -> None:
    """Measure TF-IDF and logistic regression, fitted on a recipe's training split, for `evaluate --beside`."""
    there = _there(recipe)
    from prefilter.eval.leave_out.baseline import MAX_ROWS, main

    print(main(there, output=output, data_dir=data_dir, rows=rows or MAX_ROWS, limit=limit))


def leave_out(
    recipe: Recipe,
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the measure is written (JSON).")],
    run_dir: RunDir = None,
    data_dir: DataDir = None,
    tokens: Annotated[
        int | None, typer.Option(min=1, help="Word pieces of each round's training; default: 2 million.")
    ] = None,
    groups: Annotated[
        Path | None, typer.Option(help="Which sources leave together (TOML); default: the project's.")
    ] = None,
) -> None:
    """Measure a recipe on whole sources left out of its training, a group of sources a round."""
    there = _there(recipe)
    from prefilter.eval.leave_out.rounds import ROUND_TOKENS, main

    path = main(
        there,
        output=output,
        run_dir=run_dir,
        data_dir=data_dir,
        tokens=tokens or ROUND_TOKENS,
        groups_file=groups,
    )
    print(path)


def certify() -> None:
    """Not in this release."""
    raise refuse("certify is not in this release")


def _release(recipe: Path, run_dir: Path | None, data_dir: Path | None, store: Path | None) -> None:
    from prefilter.classifier.release.release import main
    from prefilter.models.registry import store_dir

    print(main(recipe, run_dir=run_dir, store=store or store_dir(), data_dir=data_dir))


def _there(recipe: Path) -> Path:
    if not recipe.is_file():
        raise refuse(f"{recipe}: no such recipe")
    return recipe
