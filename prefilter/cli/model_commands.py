"""`prefilter model …`: which models are here, whether they are intact and good enough, and which one is live."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from prefilter.cli.plain_table import show_table
from prefilter.cli.shared_options import DataDir, Model, PolicySource, Store, Threads
from prefilter.models.known_error import FAILED

app = typer.Typer(help="Models: what is here, and what is live.", no_args_is_help=True, rich_markup_mode=None)
Gates = Annotated[
    Path | None, typer.Option("--gates", help="The gates file (TOML); default: the released model's.")
]
Name = Annotated[str | None, typer.Argument(help="A model's name or folder; default: the live one.")]


@app.command("list")
def list_all(store: Store = None) -> None:
    """List the models and their stages."""
    from prefilter.models.registry import list_models

    rows = [(entry.name, entry.version, entry.stage, entry.path) for entry in list_models(store)]
    show_table(("name", "version", "stage", "folder"), rows)


@app.command()
def verify(name: Name = None, store: Store = None) -> None:
    """Check every file of a model against its manifest."""
    from prefilter.models.registry import verify_model

    manifest = verify_model(name, store=store)
    print(f"{manifest.version}: {len(manifest.files)} files match the manifest")


@app.command()
def gauge(
    name: Name = None,
    store: Store = None,
    gates: Gates = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The file; default: beside the model.")
    ] = None,
    workers: Threads = None,
    data_dir: DataDir = None,
) -> None:
    """Measure what the gates ask of a model, and keep it beside the model for `promote`."""
    from prefilter.eval.gate.kept_measurement import measure

    measured = measure(
        name, store=store, gates=gates, output=output, workers=workers, data_dir=data_dir, cache_dir=_cache_dir()
    )
    print(f"{measured.model_version}: {measured.metrics} gated metrics → {measured.path}")


@app.command()
def promote(
    name: Annotated[str, typer.Argument(help="A model's name.")],
    store: Store = None,
    gates: Gates = None,
    every: Annotated[
        bool, typer.Option("--all", help="Show every gated metric, not only the tightest of each gate.")
    ] = False,
) -> None:
    """Make a model the live one, if its files are intact and it falls through no gate."""
    from prefilter.eval.gate.finding_table import HEADER, rows
    from prefilter.eval.gate.promotion import promote as try_it

    found = try_it(name, store=store, gates=gates, cache_dir=_cache_dir())
    show_table(HEADER, rows(found.findings, every=every))
    if found.fell:
        said = f"{name} is not promoted: {found.fell} of {len(found.findings)} gated metrics fell"
        print(f"prefilter: {said}; live: {found.before or 'none'}", file=sys.stderr)
        raise typer.Exit(FAILED)
    print(f"live: {name} (before: {found.before or 'none'}); a running server follows when it is restarted")


@app.command()
def rollback(store: Store = None) -> None:
    """Make the model that was live before the live one again; no gate is asked."""
    from prefilter.eval.gate.promotion import go_back

    now, before = go_back(store=store)
    print(f"live: {now} (before: {before}); a running server follows when it is restarted")


@app.command()
def certify(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT...", help="Texts: JSONL, CSV or Parquet files.")],
    policy: PolicySource,
    model: Model = None,
    text_column: Annotated[str, typer.Option(help="The column of the texts.")] = "text",
    verdict: Annotated[
        str | None, typer.Option(help="The verdict to cut; default: the policy's own, else the first.")
    ] = None,
) -> None:
    """Let the fast stage clear under a policy's edges, if texts of your stream prove how little harm it would let by.

    The texts need no labels. They must be such as the policy will meet, and never have trained a model.
    """
    from prefilter.eval.certify.certificates import Cannot
    from prefilter.eval.certify.stream_certificates import certify_streams
    from prefilter.models.registry import resolve
    from prefilter.serving.bulk.named_policy import find_policy

    failed = False
    for name, found in certify_streams(
        resolve(model), inputs, find_policy(policy), text_column=text_column, verdict=verdict
    ):
        if isinstance(found, Cannot):
            failed = True
            few = f"{found.needed} more flagged texts are needed; what was certified before stays"
            why = few if found.needed else "it clears harm too early; what was certified for these edges is withdrawn"
            print(f"{name}: cannot certify, {why}", file=sys.stderr)
        else:
            said = f"of {found.flagged} flagged texts {found.cleared} cleared"
            print(f"{name}: certified, {said}, bound {found.bound:.4f} at {found.confidence:.0%}")
    if failed:
        raise typer.Exit(FAILED)


def _cache_dir() -> Path:
    """Where scores are kept, the same place as `prefilter evaluate`."""
    return Path(os.environ.get("PREFILTER_HOME") or "var") / "eval-cache"
