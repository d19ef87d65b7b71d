"""`prefilter train`, `calibrate`, `export`, `distil`, `baseline` and `leave-out`: what is done by a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prefilter.cli.plain_table import show_table
from prefilter.cli.shared_options import DataDir, Store
from prefilter.models.known_error import WrongUse

Recipe = Annotated[Path, typer.Argument(help="The recipe (TOML) of the model.")]
RunDir = Annotated[Path | None, typer.Option(help="The run's folder; default: runs/ and the recipe's name.")]


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    for command in (train, calibrate, export, distil, baseline):
        app.command()(command)
    app.command("leave-out")(leave_out)


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


def baseline(
    recipe: Recipe,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the summary of its numbers is written.")],
    data_dir: DataDir = None,
    rows: Annotated[int | None, typer.Option(min=1, help="So many training texts; default: 150,000.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="So many rows of each suite.")] = None,
) -> None:
    """Measure TF-IDF and logistic regression, fitted on a recipe's training split, for `evaluate --beside`."""
    there = _there(recipe)
    from prefilter.eval.rivals.baseline import MAX_ROWS, main

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
    from prefilter.eval.leave_out.leave_out_rounds import ROUND_TOKENS, main

    path = main(
        there,
        output=output,
        run_dir=run_dir,
        data_dir=data_dir,
        tokens=tokens or ROUND_TOKENS,
        groups_file=groups,
    )
    print(path)


def distil(
    recipe: Annotated[Path, typer.Argument(help="The recipe (TOML) of the fast stage.")],
    run_dir: Annotated[
        Path | None, typer.Option(help="The run's folder; default: runs/, the recipe's name and -fast.")
    ] = None,
    data_dir: DataDir = None,
    store: Annotated[
        Path | None, typer.Option("--store", help="The folder of models to write into; not the live model's.")
    ] = None,
) -> None:
    """Teach a fast stage by a model's own scores, certify it, and write the model with it into a store."""
    there = _there(recipe)
    from prefilter.classifier.fast.distil_recipe import DistilRecipe
    from prefilter.eval.certify.certificates import Cannot
    from prefilter.eval.certify.taught_stage import teach_stage

    taught = teach_stage(DistilRecipe.load(there), run_dir=run_dir, data_dir=data_dir, store=store)
    rows = [
        (policy, "cannot certify", f"{found.needed} more flagged texts needed", "")
        if isinstance(found, Cannot)
        else (policy, f"{found.bound:.4f}", str(found.flagged), str(found.cleared))
        for policy, found in taught.found.items()
    ]
    show_table(("policy", "bound", "flagged", "of them cleared"), rows)
    print(taught.folder)


def _release(recipe: Path, run_dir: Path | None, data_dir: Path | None, store: Path | None) -> None:
    from prefilter.classifier.release.release import main
    from prefilter.models.registry import store_dir

    print(main(recipe, run_dir=run_dir, store=store or store_dir(), data_dir=data_dir))


def _there(recipe: Path) -> Path:
    if not recipe.is_file():
        raise WrongUse(f"{recipe}: no such recipe")
    return recipe
