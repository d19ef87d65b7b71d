"""Permits: how many scoring requests may be inside at once, decided before their bodies are read.

A request takes a permit when its headers are in and gives it back when its answer is out. The engine bounds its own
queue by tokens; permits bound what else a request costs: its connection, its body, its wait for the database. So a
refusal needs neither parsing nor a query and is quick under any load. One request is always let in, however large.
Knows no HTTP and no engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prefilter.serving.errors import Overloaded

BYTES_PER_TOKEN = 4
"""Of a body, roughly; where that is too much or too little, the engine knows better once it is read."""


class Permits:
    """The permits of one application, given on its event loop."""

    def __init__(self, *, permits: int, max_bytes: int) -> None:
        """Let in up to `permits` requests, whose bodies announce up to `max_bytes` together."""
        self._permits = permits
        self._max_bytes = max_bytes
        self._check_room: Callable[[int], None] = lambda _tokens: None
        self._retry_after_s: Callable[[], int] = lambda: 1
        self.inside = 0
        self._bytes = 0

    def watch(self, *, check_room: Callable[[int], None], retry_after_s: Callable[[], int]) -> None:
        """Ask the engine too: `check_room` raises Overloaded where it is full for so many tokens."""
        self._check_room, self._retry_after_s = check_room, retry_after_s

    @contextmanager
    def permit(self, announced_bytes: int) -> Iterator[None]:
        """Hold a permit; raises Overloaded where there is none."""
        if self.inside and (self.inside >= self._permits or self._bytes + announced_bytes > self._max_bytes):
            raise Overloaded(retry_after_s=self._retry_after_s())
        self._check_room(announced_bytes // BYTES_PER_TOKEN)
        self.inside += 1
        self._bytes += announced_bytes
        try:
            yield
        finally:
            self.inside -= 1
            self._bytes -= announced_bytes
