"""Turns: which of the waiting callers a worker serves next.

Whoever has had least goes first, until each has had `burst` tokens; from there on all are equal and take turns.
So one text never waits for a thousand, however many thousands wait, and two large batches share evenly. One turn
in `PATIENCE` goes to the caller who has waited longest since its last one, so that a stream of small callers
starves nobody. Knows no threads, no locks and no texts: whoever uses it holds the lock.
"""

from __future__ import annotations

import heapq
from typing import Generic, TypeVar

PATIENCE = 4

Caller = TypeVar("Caller")


class Turns(Generic[Caller]):
    """The callers who wait for a turn, each once."""

    def __init__(self, *, burst: int) -> None:
        """Nobody waits yet."""
        self._burst = burst
        self._waiting: dict[Caller, int] = {}  # in the order of their last turn; the number of their entry
        self._least: list[tuple[int, int, Caller]] = []  # entries of callers who have left stay until they are met
        self._entries = 0
        self._taken = 0

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def __contains__(self, caller: object) -> bool:
        """Whether this one waits."""
        return caller in self._waiting

    def wait(self, caller: Caller, *, used: int) -> None:
        """Let a caller wait for a turn who has used so many tokens; one who waits already stays where it is."""
        if caller in self._waiting:
            return
        self._entries += 1
        self._waiting[caller] = self._entries
        heapq.heappush(self._least, (min(used, self._burst), self._entries, caller))

    def leave(self, caller: Caller) -> None:
        """Let a caller wait no longer; harmless for one who does not."""
        self._waiting.pop(caller, None)

    def take(self) -> Caller:
        """Return whose turn it is, who then waits no more; raises IndexError where nobody waits."""
        self._taken += 1
        if self._taken % PATIENCE == 0 and self._waiting:
            caller = next(iter(self._waiting))
            del self._waiting[caller]
            return caller
        while True:
            _, entry, caller = heapq.heappop(self._least)
            if self._waiting.get(caller) == entry:
                del self._waiting[caller]
                return caller
