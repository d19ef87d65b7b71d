"""`prefilter model …`: which models are here, whether their files are intact, and which one is live."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prefilter.tables import show_table

app = typer.Typer(help="Models: what is here, and what is live.", no_args_is_help=True, rich_markup_mode=None)
Store = Annotated[
    Path | None, typer.Option("--store", help="The folder of models; default: the one installed.")
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
def promote(name: Annotated[str, typer.Argument(help="A model's name.")], store: Store = None) -> None:
    """Make a model the live one, after its files have been verified."""
    from prefilter.live import set_live

    before = set_live(name, store=store)
    print(f"live: {name} (before: {before or 'none'}); a running server follows when it is restarted")


@app.command()
def rollback(store: Store = None) -> None:
    """Make the model that was live before the live one again."""
    from prefilter.live import go_back

    now, before = go_back(store=store)
    print(f"live: {now} (before: {before}); a running server follows when it is restarted")
