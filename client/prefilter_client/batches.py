"""Batches: any number of items cut into requests bounded by items and by bytes, lazily and in order.

The bounds are the client's own, chosen so that a request is answered soon. They do not know the service's limits:
where these are lower, the service refuses a request and `calls.score_rows` halves it.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from dataclasses import dataclass

from prefilter_client.wire import Sendable, Submission, sendable

Batch = tuple[Sendable, ...]
MAX_ITEMS = 256
MAX_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one request holds; an item over `max_bytes` travels alone."""

    max_items: int
    max_bytes: int

    def __post_init__(self) -> None:
        """Refuse bounds under which nothing could ever be sent."""
        if self.max_items < 1 or self.max_bytes < 1:
            raise ValueError("a request holds at least one item and one byte")


class _Growing:
    """The batch that is being filled."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._items: list[Sendable] = []
        self._bytes = 0

    def add(self, submission: Submission) -> Iterator[Batch]:
        """Take an item; gives the batches that it fills."""
        item = sendable(submission)
        size = len(item.body) + 1
        if self._items and self._bytes + size > self._bounds.max_bytes:
            yield self.rest()
        self._items.append(item)
        self._bytes += size
        if len(self._items) >= self._bounds.max_items:
            yield self.rest()

    def rest(self) -> Batch:
        """Return the items that are left as a batch, and start an empty one."""
        batch, self._items, self._bytes = tuple(self._items), [], 0
        return batch


def batches(items: Iterable[Submission], bounds: Bounds) -> Iterator[Batch]:
    """Cut items into batches."""
    growing = _Growing(bounds)
    for item in items:
        yield from growing.add(item)
    if rest := growing.rest():
        yield rest


async def async_batches(
    items: Iterable[Submission] | AsyncIterable[Submission], bounds: Bounds
) -> AsyncIterator[Batch]:
    """Cut the items of a blocking or an asynchronous iterable into batches."""
    if not isinstance(items, AsyncIterable):
        for batch in batches(items, bounds):
            yield batch
        return
    growing = _Growing(bounds)
    async for item in items:
        for full in growing.add(item):
            yield full
    if rest := growing.rest():
        yield rest
