"""The callers who wait for the engine, and how far the work of each has come.

A caller waits for rows; a row that needs the network has windows; a step is one turn of a worker. Values and
their bookkeeping, which whoever holds the engine's lock changes. Knows no threads and no queue.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from prefilter.models.scored import Scored
from prefilter.serving.engine.row import Row

if TYPE_CHECKING:  # the engine loads no model
    from prefilter.models.onnx_network import Run
    from prefilter.models.scorer import Prepared

logger = logging.getLogger("prefilter.engine")


@dataclass(eq=False, slots=True)
class Windows:
    """A prepared row: which of its windows are to be run, how many were begun, and what those that are done gave."""

    row: int
    prepared: Prepared = field(repr=False)
    runs: list[Run | None] = field(repr=False)
    todo: list[int]
    missing: int
    begun: int = 0

    @property
    def cost(self) -> int:
        """The tokens of one window."""
        return max(1, self.prepared.tokens // len(self.runs))


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


def complete(runs: Sequence[Run | None]) -> list[Run]:
    """Return what the windows of a row gave; raises ValueError unless every one was run."""
    found = [run for run in runs if run is not None]
    if len(found) < len(runs):
        raise ValueError("a window has not been run")
    return found


def settle(caller: Caller) -> None:
    """Wake a caller from any thread; one that has left, or whose loop is gone, is nobody to wake."""

    def wake() -> None:
        if not caller.done.done():
            caller.done.set_result(None)

    try:
        caller.loop.call_soon_threadsafe(wake)
    except RuntimeError:
        logger.debug("a caller's event loop is closed")
