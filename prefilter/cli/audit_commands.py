"""`prefilter audit …`: whether what is kept is what was written."""

from __future__ import annotations

from typing import Annotated

import typer

from prefilter.models.known_error import FAILED

app = typer.Typer(help="The audit trail.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def verify(
    head: Annotated[str | None, typer.Option(help="A head written down earlier that must still be there.")] = None,
) -> None:
    """Walk the audit chain, then compare decisions, policies and keys with it; fails where anything was changed."""
    from prefilter.cli.workplace import open_workplace
    from prefilter.serving.audit.inspection import inspect

    with open_workplace() as place:
        found = inspect(place.store, head=head)
    if found.broken_at is not None:
        print(f"broken at entry {found.broken_at}")
    for fault in found.faults:
        print(fault)
    if not found.ok:
        raise typer.Exit(FAILED)
    print(f"ok: {found.entries} entries, head {found.head}")
