"""A progress bar with rate and time left, on a terminal only; anywhere else it says nothing.

Knows only numbers of rows.
"""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import Protocol, Self


class _Bar(Protocol):
    """What is needed of a bar of tqdm."""

    def update(self, rows: int) -> object: ...

    def close(self) -> object: ...


class Progress:
    """Counts rows. On a terminal (stderr) it draws; `total` None draws a bar without an end."""

    def __init__(
        self, *, total: int | None, done: int = 0, label: str = "scored", visible: bool | None = None
    ) -> None:
        """`done` rows were finished by an earlier run and do not count towards the rate."""
        self._bar: _Bar | None = None
        if is_terminal() if visible is None else visible:
            from tqdm import tqdm

            size = {"dynamic_ncols": True} if _has_size() else {"ncols": 80, "nrows": 24}
            self._bar = tqdm(
                total=total, initial=done, desc=label, unit=" rows", file=sys.stderr, leave=False, **size
            )

    def advance(self, rows: int = 1) -> None:
        """Say that `rows` more are done."""
        if self._bar is not None:
            self._bar.update(rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()


def is_terminal() -> bool:
    """Whether somebody looks at stderr."""
    return sys.stderr is not None and sys.stderr.isatty()


def _has_size() -> bool:
    """Whether the terminal knows its size; one that says 0 would see no bar at all."""
    try:
        return min(os.get_terminal_size(sys.stderr.fileno())) > 0
    except (OSError, ValueError):
        return False
