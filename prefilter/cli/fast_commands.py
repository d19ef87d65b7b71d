"""`prefilter distil` and `model certify`: the fast stage of a model, taught and certified."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from prefilter.cli.complaints import FAILED, refuse
from prefilter.cli.plain_table import show_table


def add_to(app: typer.Typer, *, model: typer.Typer) -> None:
    """Register these commands, `certify` among those of the `model` group."""
    app.command()(distil)
    model.command()(certify)


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
    from prefilter.classifier.fast.distil_recipe import DistilRecipe
    from prefilter.classifier.fast.distillation import distil as teach_it
    from prefilter.classifier.fast.distillation import verdict_name
    from prefilter.classifier.fast.fast_release import write_artefact
    from prefilter.classifier.fast.lessons import teach
    from prefilter.classifier.training.trainer import data_dir_from_env
    from prefilter.eval.certify.certificates import Cannot, issue, judge
    from prefilter.models.fast.fast_stage import FastStage
    from prefilter.models.labels import HEADS
    from prefilter.models.registry import live_name, resolve, store_dir
    from prefilter.models.scorer import Scorer
    from prefilter.serving.policy.presets import load_preset

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
    held_out = lessons.of("calibration").of_sources([n for n, rule in wanted.sources.items() if not rule.paired])
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


def certify(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT...", help="Texts: JSONL, CSV or Parquet files.")],
    policy: Annotated[str, typer.Option(help="A preset, a TOML file or an exported NAME@VERSION.")],
    model: Annotated[
        str | None, typer.Option(help="A model's name or folder; default: the live one.")
    ] = None,
    text_column: Annotated[str, typer.Option(help="The column of the texts.")] = "text",
    verdict: Annotated[
        str | None, typer.Option(help="The verdict to cut; default: the policy's own, else the first.")
    ] = None,
) -> None:
    """Let the fast stage clear under a policy's edges, if texts of your stream prove how little harm it would let by.

    The texts need no labels. They must be such as the policy will meet, and never have trained a model.
    """
    from prefilter.eval.certify.certificates import Cannot
    from prefilter.eval.certify.recertification import certify as try_it
    from prefilter.models.registry import resolve
    from prefilter.serving.bulk.named_policy import find_policy
    from prefilter.serving.bulk.read.input_files import find_inputs
    from prefilter.serving.bulk.read.input_rows import Columns
    from prefilter.serving.bulk.read.row_readers import read_rows

    wanted = find_policy(policy)
    rows = read_rows(find_inputs(inputs), Columns(text=text_column))
    by_source: dict[str | None, list[str]] = {}
    for row in rows:
        if row.error is None:
            own = row.source if row.source in wanted.sources else None
            by_source.setdefault(own, []).append(row.text)
    threads = len(os.sched_getaffinity(0))
    failed = False
    for source in (None, *wanted.sources):
        name = wanted.name if source is None else f"{wanted.name}:{source}"
        found = try_it(
            resolve(model),
            by_source.get(source, []),
            wanted.edges_for(source),
            name=name,
            threads=threads,
            verdict=verdict,
        )
        if isinstance(found, Cannot):
            failed = True
            few = f"{found.needed} more flagged texts are needed; what was certified before stays"
            why = few if found.needed else "it clears harm too early; what was certified for these edges is withdrawn"
            print(f"{name}: cannot certify, {why}", file=sys.stderr)
        else:
            said = f"of {found['flagged']} flagged texts {found['flagged_cleared']} cleared"
            print(f"{name}: certified, {said}, bound {found['bound']:.4f} at {found['confidence']:.0%}")
    if failed:
        raise typer.Exit(FAILED)
