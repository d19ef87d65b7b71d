"""Paths into a document: `suites.NAME.any.auprc` names one measure, `*` in a place means any one key.

The one walker of gates, targets and published numbers. It walks the plain form, so it finds whatever a document holds,
keys of another version included. What is found carries the interval and the count beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prefilter.eval.metrics import wilson

ANY_KEY = "*"
INTERVALS = "ci95"
COUNTS = {"allow": "n", "review": "n", "block": "n", "flips": "texts"}
"""Plain shares that carry no interval of their own, and the count beside them that they are shares of."""


@dataclass(frozen=True, slots=True)
class Found:
    """A number of a document: where it is, what the stars stood for, the rows it is of, its 95 % interval."""

    path: str
    stars: tuple[str, ...]
    value: float
    n: int | None = None
    ci95: tuple[float, float] | None = None


def find(document: object, path: str) -> Iterator[Found]:
    """Return every number of a document (its plain form) under a path, in the document's order."""
    tables: list[tuple[tuple[str, ...], tuple[str, ...], object]] = [((), (), document)]
    *parents, last = path.split(".")
    for part in parents:
        tables = [
            ((*place, key), (*stars, key) if part == ANY_KEY else stars, value)
            for place, stars, table in tables
            for key, value in _below(table, part)
        ]
    for place, stars, table in tables:
        for key, value in _below(table, last):
            if key != INTERVALS and isinstance(value, int | float) and not isinstance(value, bool):
                named = (*stars, key) if last == ANY_KEY else stars
                yield _found(table, ".".join((*place, key)), named, key, float(value))


def _below(table: object, part: str) -> list[tuple[str, object]]:
    if not isinstance(table, Mapping):
        return []
    if part == ANY_KEY:
        return [(str(key), value) for key, value in table.items()]
    return [(part, table[part])] if part in table else []


def _found(table: object, path: str, stars: tuple[str, ...], name: str, value: float) -> Found:
    assert isinstance(table, Mapping)
    n = table.get(COUNTS.get(name, "n"))
    rows = n if isinstance(n, int) else None
    bounds = (table.get(INTERVALS) or {}).get(name)
    if not bounds and name in COUNTS and rows:
        bounds = wilson(round(value * rows), rows)
    return Found(path, stars, value, rows, (float(bounds[0]), float(bounds[1])) if bounds else None)
