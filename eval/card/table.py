"""Tables and sections of a model card before any file format, and how numbers are written in them.

Numbers are rounded here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NONE = "\N{EN DASH}"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of short strings; the first column names the row."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def is_numeric(self, column: int) -> bool:
        """Return True for a column of numbers, which a page aligns to the right."""
        return all(row[column][:1].isdigit() or row[column] in ("", NONE) for row in self.rows)

    def __bool__(self) -> bool:
        """Return False for a table without rows, which no page shows."""
        return bool(self.rows)


@dataclass(frozen=True, slots=True)
class Section:
    """A titled part of the card: a text, points, tables; `figures` names the plots that belong to it."""

    title: str
    text: str
    tables: tuple[Table, ...] = ()
    figures: tuple[str, ...] = ()
    points: tuple[str, ...] = ()


def number(value: float | None) -> str:
    """Return a number to three places, a dash for an undefined one."""
    return NONE if value is None else f"{value:.3f}"


def percent(value: float | None) -> str:
    """Return a share as a percentage to one place, a dash for an undefined one."""
    return NONE if value is None else f"{100 * value:.1f} %"


def spread(row: Mapping[str, Any], name: str) -> str:
    """Return a metric with its 95 % interval, where it has one."""
    bounds = row.get("ci95", {}).get(name)
    value = number(row[name])
    return value if not bounds else f"{value} ({bounds[0]:.3f}{NONE}{bounds[1]:.3f})"


def rate(row: Mapping[str, Any], name: str) -> str:
    """Return a share as a percentage with its 95 % interval, where it has one."""
    found = row.get("ci95", {}).get(name)
    value = percent(row[name])
    return value if not found else f"{value} ({100 * found[0]:.1f}{NONE}{100 * found[1]:.1f})"
