"""`prefilter policy …`: the policies of the database, shown, compared, drafted, activated and rolled back.

Every change needs a reason, which the audit trail keeps. Where a policy is named, `NAME@VERSION` means a
version in the database, `NAME` its active one, and the path of a file that file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prefilter.cli.plain_table import show_table
from prefilter.models.known_error import WrongUse

if TYPE_CHECKING:
    from prefilter.cli.workplace import Workplace
    from prefilter.serving.policy.policy import Policy

app = typer.Typer(
    help="Policies: bands per category, versioned.", no_args_is_help=True, rich_markup_mode=None
)
Spec = Annotated[str, typer.Argument(help="NAME, NAME@VERSION or a file.")]
Name = Annotated[str, typer.Argument(help="The policy's name.")]
Reason = Annotated[str, typer.Option(help="Why; the audit trail keeps it.")]


@app.command("list")
def list_all() -> None:
    """List the policies with their active and newest versions."""
    from prefilter.cli.workplace import open_workplace

    with open_workplace() as place:
        found = place.policies.list()
    rows = [
        (each.name, each.active and each.active.version, each.newest.version, each.newest.status)
        for each in found
    ]
    show_table(("name", "active", "newest", "status of newest"), rows)


@app.command()
def show(spec: Spec) -> None:
    """Print a policy as JSON; the output is a file that `score --policy` takes."""
    from prefilter.cli.workplace import open_workplace

    with open_workplace() as place:
        policy = _find(place, spec)
    print(json.dumps({"name": policy.name, "version": policy.version, **policy.to_body()}, indent=2))


@app.command()
def diff(old: Spec, new: Spec) -> None:
    """Print what changes from one policy to another; nothing where they decide alike."""
    from prefilter.cli.workplace import open_workplace
    from prefilter.serving.policy.policy_difference import differences

    with open_workplace() as place:
        before, after = _find(place, old), _find(place, new)
    for one in differences(before, after):
        print(f"{one.field}: {one.before} → {one.after}")


@app.command()
def apply(
    file: Annotated[Path, typer.Argument(help="A policy as TOML, or as JSON from `policy show`.")],
    reason: Reason,
    name: Annotated[str | None, typer.Option(help="The policy's name; default: the file's.")] = None,
    activate_it: Annotated[bool, typer.Option("--activate", help="Let it decide at once.")] = False,
) -> None:
    """Store a file as the next version of its policy: a draft, which decides nothing until activated."""
    from prefilter.cli.workplace import open_workplace

    policy = _read(file)
    target = name or policy.name
    with open_workplace() as place:
        version = place.policies.draft(target, policy.to_body(), place.operator, reason)
        if activate_it:
            place.policies.activate(target, version, place.operator, reason)
    print(f"{target}@{version}")


@app.command()
def activate(
    spec: Annotated[str, typer.Argument(metavar="NAME@VERSION", help="The version that is to decide.")],
    reason: Reason,
) -> None:
    """Let a version decide from now on; every server follows within seconds."""
    from prefilter.cli.workplace import open_workplace

    name, version = _split(spec)
    if version is None:
        raise WrongUse("policy activate needs NAME@VERSION")
    with open_workplace() as place:
        place.policies.activate(name, version, place.operator, reason)
    print(f"active: {name}@{version}")


@app.command()
def rollback(name: Name, reason: Reason) -> None:
    """Let the version that decided before the present one decide again."""
    from prefilter.cli.workplace import open_workplace

    with open_workplace() as place:
        policy = place.policies.rollback(name, place.operator, reason)
    print(f"active: {name}@{policy.version}")


def _find(place: Workplace, spec: str) -> Policy:
    path = Path(spec)
    if path.suffix in (".toml", ".json") or path.is_file():
        return _read(path)
    name, version = _split(spec)
    return place.policies.active(name) if version is None else place.policies.version(name, version)


def _read(path: Path) -> Policy:
    from prefilter.serving.bulk.named_policy import find_policy

    if not path.is_file():
        raise WrongUse(f"{path}: no such file")
    return find_policy(str(path))


def _split(spec: str) -> tuple[str, int | None]:
    name, sign, version = spec.partition("@")
    if sign and not version.isdecimal():
        raise WrongUse(f"{spec}: a version is a whole number, as in {name}@1")
    return name, int(version) if sign else None

