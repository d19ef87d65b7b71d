"""The tables of a recipe: TOML read into dataclasses of the same fields.

Unknown keys are refused, because a mistyped option silently ignored is a different model. Knows tables and fields, not
what a recipe means.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TypeVar

from prefilter.models.known_error import KnownError

Table = Mapping[str, object]
T = TypeVar("T")


class RecipeError(KnownError, ValueError):
    """The recipe names an unknown key, head or value; the message names it."""


def read_toml(path: Path) -> Table:
    """The tables of a TOML file."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def read_values(table: Table, kind: type, where: str) -> dict[str, object]:
    """The values of a table by key, lists as tuples; `where` says which table it is.

    Raises `RecipeError` for a key that is no field of the dataclass `kind`.
    """
    unknown = sorted(set(table) - {f.name for f in fields(kind)})
    if unknown:
        raise RecipeError(f"unknown key in {where}: {', '.join(unknown)}")
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}


def require(table: Table, keys: Iterable[str]) -> None:
    """Raise `RecipeError` naming the keys that the recipe lacks."""
    missing = set(keys) - set(table)
    if missing:
        raise RecipeError(f"the recipe lacks {', '.join(sorted(missing))}")


def named_tables(table: Table, key: str) -> dict[str, Table]:
    """The tables under `key`, by name; none where it is absent."""
    found = table.get(key, {})
    if not isinstance(found, Mapping) or not all(isinstance(part, Mapping) for part in found.values()):
        raise RecipeError(f"{key} holds tables by name")
    return dict(found)


def listed_tables(table: Table, key: str) -> list[Table]:
    """The tables listed under `key`; none where it is absent."""
    found = table.get(key, ())
    if not isinstance(found, list | tuple) or not all(isinstance(part, Mapping) for part in found):
        raise RecipeError(f"{key} holds a list of tables")
    return list(found)


def built(kind: Callable[..., T], values: Table) -> T:
    """The dataclass `kind` with these values."""
    return kind(**values)
