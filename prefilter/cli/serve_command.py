"""`prefilter serve`: the API and the console, in one process or several."""

from __future__ import annotations

import os
from typing import Annotated

import typer


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(serve)


def serve(
    workers: Annotated[
        int | None, typer.Option(help="How many processes serve the port; default PREFILTER_WORKERS, else 1.")
    ] = None,
    as_worker: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Serve the API and the console; settings come from PREFILTER_* variables."""
    from prefilter.serving.process.launch import launch
    from prefilter.serving.process.worker import WorkerPlace, work
    from prefilter.serving.settings import Settings

    if workers is not None:
        os.environ["PREFILTER_WORKERS"] = str(workers)  # the workers read it there
    settings = Settings.from_env()
    if as_worker is None:
        launch(settings)
    else:
        work(settings, WorkerPlace.of_argument(as_worker))
