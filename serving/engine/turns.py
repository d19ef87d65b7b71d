"""Turns: which of the waiting callers a worker serves next.

Whoever needs least to be done goes first, and of equals the one who came first. So one text never waits for a
thousand, however many thousands wait; a request that was begun is finished before its like is begun; and under
more load than can be served, what is served is served whole, not everything a little. One turn in `PATIENCE`
goes to the one who came first, so that a stream of small callers starves nobody. Knows no threads, no locks and
no texts: whoever uses it holds the lock.
"""

from __future__ import annotations

import heapq
from typing import Generic, TypeVar

PATIENCE = 4

Caller = TypeVar("Caller")


class Turns(Generic[Caller]):
    """The callers who wait for a turn, each once."""

    def __init__(self) -> None:
        """Nobody waits yet."""
        self._came: dict[Caller, int] = {}  # in the order of their coming, until they leave
        self._waiting: dict[Caller, int] = {}  # the number of their present entry
        self._least: list[tuple[int, int, int, Caller]] = []  # an entry that is present no more is passed over
        self._entries = 0
        self._taken = 0

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def wait(self, caller: Caller, *, left: int) -> None:
        """Let a caller wait for a turn with so many tokens left to do; one who waits already stays as it was."""
        if caller in self._waiting:
            return
        self._entries += 1
        came = self._came.setdefault(caller, self._entries)
        self._waiting[caller] = self._entries
        heapq.heappush(self._least, (left, came, self._entries, caller))

    def leave(self, caller: Caller) -> None:
        """Forget a caller; harmless for one who never came."""
        self._came.pop(caller, None)
        self._waiting.pop(caller, None)

    def take(self) -> Caller:
        """Return whose turn it is, who then waits no more; raises IndexError where nobody waits."""
        self._taken += 1
        if self._taken % PATIENCE == 0:
            for caller in self._came:
                if self._waiting.pop(caller, None) is not None:
                    return caller
        while True:
            _, _, entry, caller = heapq.heappop(self._least)
            if self._waiting.get(caller) == entry:
                del self._waiting[caller]
                return caller
