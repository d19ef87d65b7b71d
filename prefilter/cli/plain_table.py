"""Plain tables on stdout: aligned columns, one row per line, nothing that a pipe would have to take away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def show_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print `header` and `rows`; None shows as a dash."""
    lines = [list(header), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    return "-" if value is None else str(value)
