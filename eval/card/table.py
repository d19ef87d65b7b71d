"""Tables and sections of a model card before any file format, and how numbers are written in them.

Numbers are rounded here and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass

from prefilter.eval.document import Estimate, Estimated, estimate

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


def spread(row: Estimated, name: str) -> str:
    """Return a measure with its 95 % interval, where it has one."""
    own = estimate(row, name)
    return number(own.value) if not own.ci95 else f"{number(own.value)} ({own.ci95[0]:.3f}{NONE}{own.ci95[1]:.3f})"


def rate(row: Estimated, name: str) -> str:
    """Return a share as a percentage with its 95 % interval, where it has one."""
    return as_rate(estimate(row, name))


def as_rate(own: Estimate) -> str:
    """Return an estimated share as a percentage with its 95 % interval, where it has one."""
    value = percent(own.value)
    return value if not own.ci95 else f"{value} ({100 * own.ci95[0]:.1f}{NONE}{100 * own.ci95[1]:.1f})"
