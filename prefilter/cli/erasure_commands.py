"""`prefilter erase` and `purge`: texts taken out of the database, of one item at once, of the others in their time."""

from __future__ import annotations

from typing import Annotated

import typer


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.command()(erase)
    app.command()(purge)


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
