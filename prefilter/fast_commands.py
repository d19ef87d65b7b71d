"""`prefilter distil`: the fast stage of a model, taught, certified and put beside it."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from prefilter.complaints import refuse
from prefilter.tables import show_table


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.command()(distil)


def distil(
    recipe: Annotated[Path, typer.Argument(help="The recipe (TOML) of the fast stage.")],
    run_dir: Annotated[
        Path | None, typer.Option(help="The run's folder; default: runs/, the recipe's name and -fast.")
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="The labelled data; default: PREFILTER_DATA_DIR.")
    ] = None,
    store: Annotated[
        Path | None, typer.Option("--store", help="The folder of models to write into; not the live model's.")
    ] = None,
) -> None:
    """Teach a fast stage by a model's own scores, certify it, and write the model with it into a store."""
    if not recipe.is_file():
        raise refuse(f"{recipe}: no such recipe")
    from prefilter.classifier.distil import distil as teach_it
    from prefilter.classifier.distil import verdict_name
    from prefilter.classifier.distilrecipe import DistilRecipe
    from prefilter.classifier.fastrelease import write_artefact
    from prefilter.classifier.lessons import teach
    from prefilter.classifier.train import data_dir_from_env
    from prefilter.eval.clearing import Cannot, issue, judge
    from prefilter.models.fast import FastStage
    from prefilter.models.labels import HEADS
    from prefilter.models.registry import live_name, resolve, store_dir
    from prefilter.models.scorer import Scorer
    from prefilter.serving.policies import load_preset

    wanted = DistilRecipe.load(recipe)
    target = store or store_dir()
    if live_name(target) == wanted.name:
        raise refuse(f"{wanted.name} is live: write into another --store, or give the recipe a new name")
    data = data_dir or data_dir_from_env()
    if data is None:
        raise refuse("distil needs the labelled data: set PREFILTER_DATA_DIR or give --data-dir")
    teacher = resolve(wanted.teacher)
    scorer = Scorer.load(teacher, threads=len(os.sched_getaffinity(0)), max_chars=None)
    lessons = teach(wanted, run_dir or Path("runs") / f"{wanted.name}-fast", data, scorer)
    edges = {policy: load_preset(policy).edges_for(None) for policy in wanted.policies}
    learned = lessons.of("lesson")
    arrays = teach_it(wanted, learned, edges)
    outputs = [*HEADS, *map(verdict_name, edges)]
    stage = FastStage(arrays, outputs=outputs)
    held_out = lessons.of("calibration")
    judged = judge(stage, held_out.texts, held_out.scores, held_out.source)
    certificates, rows = [], []
    for policy, own in edges.items():
        found = issue(policy, judged, stage, own, verdict=verdict_name(policy))
        if isinstance(found, Cannot):
            rows.append((policy, "cannot certify", f"{found.needed} more flagged texts needed", ""))
            continue
        certificates.append(found)
        rows.append((policy, f"{found['bound']:.4f}", str(found["flagged"]), str(found["flagged_cleared"])))
    folder = write_artefact(
        wanted,
        teacher,
        target,
        arrays=arrays,
        outputs=outputs,
        certificates=certificates,
        taught_by=dict(sorted(Counter(learned.source).items())),
    )
    show_table(("policy", "bound", "flagged", "of them cleared"), rows)
    print(folder)
