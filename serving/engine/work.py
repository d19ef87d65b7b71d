"""Work: what callers hand to the engine, and how far each of it has come.

A caller waits for rows; a row that needs the network has windows; a step is one turn of a worker. Values and
their bookkeeping, which whoever holds the engine's lock changes. Knows no threads and no queue.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from prefilter.models.scored import Scored

logger = logging.getLogger("prefilter.engine")

CHARS_PER_TOKEN = 4
ROW_TOKENS = 4
"""Marks around a row's pieces, and what the shortest row costs beside its pieces."""

CHANGED_TOKENS = 256


class Known(Protocol):
    """What the network said before of windows like those of a row."""

    def known(self, windows: Sequence[Any]) -> list[Any]:
        """Return what it said of each window, None where it must be asked."""
        ...

    def learn(self, window: Any, run: Any) -> None:
        """Keep what it said."""
        ...


class Row(NamedTuple):
    """What is scored: the text as sent, its declared language, what it answers, the certificate under which
    the fast stage may clear it (None: the transformer scores it), whether its answer may be kept and given
    again, and what is known of its windows."""

    text: object
    language: str | None = None
    context: str | None = None
    certificate: str | None = None
    keep: bool = True
    known: Known | None = None


class RowScorer(Protocol):
    """What the engine needs of a scorer, from any thread: a row prepared, a window run, a row concluded."""

    def prepare(
        self,
        text: object,
        *,
        language: str | None = None,
        context: object = None,
        certificate: str | None = None,
        keep: bool = True,
    ) -> Any:
        """Return a Scored where no network is needed, else what has `windows` and `tokens`."""
        ...

    def run(self, window: Any) -> Any:
        """Run one window."""
        ...

    def conclude(self, prepared: Any, runs: Sequence[Any]) -> Scored:
        """Return the answer of a row whose windows were all run, in order."""
        ...


def unscored(reason: str) -> Scored:
    """Return the answer for a valid text that got no scores."""
    return Scored({}, unscored=reason)


@dataclass(eq=False, slots=True)
class Windows:
    """A prepared row: which of its windows are to be run, how many were begun, and what those that are done gave."""

    row: int
    prepared: Any = field(repr=False)
    runs: list[Any] = field(repr=False)
    todo: list[int]
    missing: int
    begun: int = 0

    @property
    def cost(self) -> int:
        """The tokens of one window."""
        return max(1, int(self.prepared.tokens) // len(self.runs))


@dataclass(eq=False, slots=True)
class Caller:
    """Who waits for rows. Everything but `rows` belongs to the engine's lock."""

    rows: Sequence[Row] = field(repr=False)
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[None]
    held: list[int]
    """The tokens that each row still holds in the queue."""
    answers: list[Scored | None] = field(repr=False)
    missing: int
    taken: int = 0
    """How many rows were given to be prepared."""
    preparing: bool = False
    """Whether a long one of them is being prepared apart; no other is begun meanwhile."""
    windows: deque[Windows] = field(default_factory=deque)
    """The network's queue, as far as it is this caller's."""
    left: int = 0
    """The sum of `held`."""
    closed: bool = False
    small: bool = False

    @property
    def has_work(self) -> bool:
        """Whether a worker can do something for it now."""
        return bool(self.windows) or (self.taken < len(self.rows) and not self.preparing)


class Step(NamedTuple):
    """What one turn is: a row of a caller to prepare, or one window of a prepared row to run."""

    caller: Caller
    row: int
    windows: Windows | None = None
    number: int = 0


def next_window(caller: Caller) -> Step:
    """Take the caller's next window; it has one."""
    windows = caller.windows[0]
    step = Step(caller, windows.row, windows, windows.todo[windows.begun])
    windows.begun += 1
    if windows.begun == len(windows.todo):
        caller.windows.popleft()
    return step


def chars(row: Row) -> int:
    """Return how many characters a row has, its context's too."""
    return sum(len(part) for part in (row.text, row.context) if isinstance(part, str))


def estimate(row: Row) -> int:
    """Return about how many tokens a row will cost: of one whose windows are known, two windows at most."""
    tokens = chars(row) // CHARS_PER_TOKEN
    return ROW_TOKENS + (tokens if row.known is None else min(tokens, CHANGED_TOKENS))


def settle(caller: Caller) -> None:
    """Wake a caller from any thread; one that has left, or whose loop is gone, is nobody to wake."""

    def wake() -> None:
        if not caller.done.done():
            caller.done.set_result(None)

    try:
        caller.loop.call_soon_threadsafe(wake)
    except RuntimeError:
        logger.debug("a caller's event loop is closed")
