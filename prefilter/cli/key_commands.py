"""`prefilter key …`: who may ask what. A key is printed once, alone on the last line."""

from __future__ import annotations

from typing import Annotated

import typer

from prefilter.cli.plain_table import show_table

app = typer.Typer(help="API keys and their roles.", no_args_is_help=True, rich_markup_mode=None)
Name = Annotated[str, typer.Option(help="The key's unique name: a person, or a pipeline.")]


@app.command()
def create(
    role: Annotated[str, typer.Option(help="pipeline, reviewer, lead, safety or admin.")], name: Name
) -> None:
    """Make a key and print it, the only time it can be seen."""
    from prefilter.cli.workplace import open_workplace

    with open_workplace() as place:
        print(place.auth.create_key(role, name, place.operator))


@app.command("list")
def list_keys() -> None:
    """List all keys, revoked ones too, without their secrets."""
    from prefilter.cli.workplace import open_workplace

    with open_workplace() as place:
        keys = place.auth.list_keys()
    show_table(
        ("name", "role", "prefix", "created", "revoked"),
        [
            (
                key.name,
                key.role,
                key.prefix,
                f"{key.created_at:%Y-%m-%d}",
                key.revoked_at and f"{key.revoked_at:%Y-%m-%d}",
            )
            for key in keys
        ],
    )


@app.command()
def revoke(name: Name) -> None:
    """Make a key and its sessions invalid at once."""
    from prefilter.cli.workplace import open_workplace

    with open_workplace() as place:
        place.auth.revoke(name, place.operator)
    print(f"revoked {name}")


@app.command()
def rotate(
    name: Name, grace_seconds: Annotated[int, typer.Option(help="How long the old key stays valid.")] = 0
) -> None:
    """Print a new key for a name; the old one ends."""
    from prefilter.cli.workplace import open_workplace

    with open_workplace() as place:
        print(place.auth.rotate(name, place.operator, grace_seconds=grace_seconds))
