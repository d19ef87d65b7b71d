"""Chunks: how many rows travel to a scorer at once, and the pool that is this very process.

A chunk is bounded in rows and in characters, so that memory stays bounded and no worker waits long for
another, and holds rows of one input. Rows that the fast stage clears are cheap, so chunks grow until one
takes a noticeable time. The size of a chunk changes no score: the scorer runs one row at a time.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from prefilter.serving.bulk.read.input_rows import Row

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK_CHARS = 200_000
SHORT_SECONDS, LONG_SECONDS = 0.1, 0.5


class ScreenerLike(Protocol):
    """What is needed of a Screener."""

    def screen(self, rows: list[Row]) -> pa.Table:
        """Score and decide rows."""
        ...


class Screened(NamedTuple):
    """A chunk's output rows, and the index of the input that they came from."""

    table: pa.Table
    input_index: int


class Pool(Protocol):
    """Screens rows in order, reading only a little ahead."""

    def screen(self, rows: Iterable[Row]) -> Iterator[Screened]:
        """Yield the output rows, chunk by chunk."""
        ...


@dataclass(slots=True)
class Pace:
    """How many rows the next chunk holds, by how long the last one took."""

    rows: int = 32
    least: int = 4
    most: int = 1_024

    def saw(self, rows: int, seconds: float) -> None:
        """Learn from a chunk: a short one lets chunks grow, a long one shrink."""
        if seconds < SHORT_SECONDS and rows >= self.rows:
            self.rows = min(self.most, self.rows * 2)
        elif seconds > LONG_SECONDS:
            self.rows = max(self.least, self.rows // 2)


class InProcess:
    """The pool of one: this process."""

    def __init__(self, screener: ScreenerLike, *, pace: Pace | None = None) -> None:
        """Keep the screener."""
        self._screener = screener
        self._pace = pace or Pace()

    def screen(self, rows: Iterable[Row]) -> Iterator[Screened]:
        """Yield the output rows, chunk by chunk."""
        for chunk in cut_chunks(rows, self._pace):
            begun = time.perf_counter()
            table = self._screener.screen(chunk)
            self._pace.saw(len(chunk), time.perf_counter() - begun)
            yield Screened(table, chunk[0].input_index)


def cut_chunks(rows: Iterable[Row], pace: Pace) -> Iterator[list[Row]]:
    """Yield the rows in chunks, in order."""
    chunk: list[Row] = []
    chars = 0
    for row in rows:
        if chunk and row.input_index != chunk[0].input_index:
            yield chunk
            chunk, chars = [], 0
        chunk.append(row)
        chars += len(row.text) + len(row.context or "")
        if len(chunk) >= pace.rows or chars >= CHUNK_CHARS:
            yield chunk
            chunk, chars = [], 0
    if chunk:
        yield chunk
