"""`prefilter serve`, `audit verify`, `erase` and `purge`: the service, and what it keeps."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from prefilter.cli.complaints import FAILED

audit = typer.Typer(help="The audit trail.", no_args_is_help=True, rich_markup_mode=None)


def add_to(app: typer.Typer) -> None:
    """Register the commands that have no group."""
    for command in (serve, erase, purge):
        app.command()(command)


def serve(
    workers: Annotated[
        int | None, typer.Option(help="How many processes serve the port; default PREFILTER_WORKERS, else 1.")
    ] = None,
    as_worker: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Serve the API and the console; settings come from PREFILTER_* variables."""
    from prefilter.serving.launch import launch
    from prefilter.serving.settings import Settings
    from prefilter.serving.worker import WorkerPlace, work

    if workers is not None:
        os.environ["PREFILTER_WORKERS"] = str(workers)  # the workers read it there
    settings = Settings.from_env()
    if as_worker is None:
        launch(settings)
    else:
        work(settings, WorkerPlace.of_argument(as_worker))


@audit.command()
def verify(
    head: Annotated[str | None, typer.Option(help="A head written down earlier that must still be there.")] = None,
) -> None:
    """Walk the audit chain, then compare decisions, policies and keys with it; fails where anything was changed."""
    from prefilter.cli.workplace import open_workplace
    from prefilter.serving.audit.attestation import mismatches
    from prefilter.serving.audit.chain import holds
    from prefilter.serving.audit.chain import verify as walk

    with open_workplace() as place:
        found = walk(place.store)
        lost = head is not None and found.ok and not holds(place.store, head)
        wrong = mismatches(place.store) if found.ok else []
    if not found.ok:
        print(f"broken at entry {found.broken_at}")
        raise typer.Exit(FAILED)
    if lost:
        wrong.insert(0, "the head written down earlier is not in the chain: its end was cut or rewritten")
    for line in wrong:
        print(line)
    if wrong:
        raise typer.Exit(FAILED)
    print(f"ok: {found.entries} entries, head {found.head}")


def erase(item_id: Annotated[str, typer.Argument(help="The item's id.")]) -> None:
    """Erase the texts of every case of an item, and close those that still wait."""
    from prefilter.cli.workplace import open_workplace

    with open_workplace() as place:
        count = place.triage.retention.erase(item_id, place.operator)
    print(f"erased the texts of {count} cases")


def purge() -> None:
    """Erase the texts of cases whose retention after resolution has passed, and sessions that have ended."""
    from prefilter.cli.workplace import open_workplace

    with open_workplace() as place:
        count = place.triage.retention.purge()
        place.auth.purge()
    print(f"erased the texts of {count} cases")
