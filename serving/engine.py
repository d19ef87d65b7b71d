"""The engine: one owner of the queue of texts, and the worker threads that score them.

It knows neither policies nor storage nor HTTP: rows in, Scored out, in order. Work is bounded by queued
characters and refused before it is accepted, never dropped after. Each row is one run of the model (a score
must not depend on its neighbours), and the workers take rows from the waiting batches in turn, so that one
text never waits for a thousand.

Nothing sleeps or polls: workers wait on a condition, callers on a future. What was accepted is always
answered: a row that outlives its deadline comes back unscored as `deadline`, a row that made the scorer fail
as `internal_fault`; both mean REVIEW. Rows of a caller who left are skipped.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from prefilter.models.scored import Scored
from prefilter.serving.errors import NotReady, Overloaded

logger = logging.getLogger("prefilter.engine")

_MAX_RETRY_AFTER_S = 60


class Row(NamedTuple):
    """What is scored: the text as sent, its declared language, and what it answers."""

    text: object
    language: str | None = None
    context: str | None = None


class RowScorer(Protocol):
    """What the engine needs of a scorer: one row at a time, from any thread."""

    def score_one(self, text: object, *, language: str | None = None, context: object = None) -> Scored:
        """Score one text beside its context; never raises for a bad row."""
        ...


def unscored(reason: str) -> Scored:
    """Return the answer for a valid text that got no scores."""
    return Scored({}, unscored=reason)


@dataclass(eq=False, slots=True)
class _Batch:
    """The rows of one caller; `taken`, `missing` and `closed` belong to the engine's lock."""

    rows: Sequence[Row] = field(repr=False)
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[None]
    answers: list[Scored | None] = field(repr=False)
    taken: int = 0
    missing: int = 0
    closed: bool = False


class Engine:
    """Scores rows on `threads` worker threads, with at most `max_queued_chars` waiting or under way."""

    def __init__(self, scorer: RowScorer, *, threads: int, max_queued_chars: int) -> None:
        """Remember the parts; nothing runs before `start`."""
        self._scorer = scorer
        self._count = threads
        self._max_queued_chars = max_queued_chars
        self._condition = threading.Condition()
        self._waiting: deque[_Batch] = deque()
        self._workers: list[threading.Thread] = []
        self._queued_chars = 0
        self._stopping = False
        self._scored_chars = 0
        self._busy_s = 0.0

    @property
    def ready(self) -> bool:
        """Whether every worker runs and work is accepted."""
        return bool(self._workers) and not self._stopping and all(w.is_alive() for w in self._workers)

    @property
    def queued_chars(self) -> int:
        """Characters accepted and not yet scored."""
        return self._queued_chars

    async def start(self) -> None:
        """Start the workers."""
        if self._workers:
            return
        self._stopping = False
        self._workers = [
            threading.Thread(target=self._work, name=f"prefilter-engine-{number}", daemon=True)
            for number in range(self._count)
        ]
        for worker in self._workers:
            worker.start()

    async def stop(self) -> None:
        """Accept nothing more, answer what waits as `internal_fault`, let the workers finish their row."""
        with self._condition:
            self._stopping = True
            abandoned = list(self._waiting)
            for batch in abandoned:
                self._close(batch)
            self._condition.notify_all()
        for batch in abandoned:
            _settle(batch)
        await asyncio.gather(*(asyncio.to_thread(worker.join) for worker in self._workers))
        self._workers = []

    async def score(self, rows: Sequence[Row], *, deadline_ms: int) -> list[Scored]:
        """Score `rows` in order; rows that miss the deadline come back unscored.

        Raises NotReady before `start`, Overloaded (with `retry_after_s`) when the rows do not fit into the
        queue. A request larger than the whole queue is accepted only while nothing else waits.
        """
        if not rows:
            return []
        loop = asyncio.get_running_loop()
        batch = _Batch(rows, loop, loop.create_future(), [None] * len(rows), missing=len(rows))
        self._accept(batch)
        try:
            async with asyncio.timeout(deadline_ms / 1000):
                await batch.done
        except TimeoutError:
            fallback = "deadline"
        else:
            fallback = "internal_fault"
        finally:
            with self._condition:
                self._close(batch)
        return [unscored(fallback) if answer is None else answer for answer in batch.answers]

    def _accept(self, batch: _Batch) -> None:
        chars = sum(_chars(row) for row in batch.rows)
        with self._condition:
            if not self.ready:
                raise NotReady("the engine is not running", code="engine_not_ready")
            if self._queued_chars and self._queued_chars + chars > self._max_queued_chars:
                raise Overloaded(retry_after_s=self._retry_after_s())
            self._queued_chars += chars
            self._waiting.append(batch)
            self._condition.notify(len(batch.rows))

    def _retry_after_s(self) -> int:
        per_char_s = self._busy_s / self._scored_chars if self._scored_chars else 0.0
        wait_s = math.ceil(self._queued_chars * per_char_s / self._count)
        return min(_MAX_RETRY_AFTER_S, max(1, wait_s))

    def _close(self, batch: _Batch) -> None:
        """Take the rows nobody has begun out of the queue; needs the lock, harmless when repeated."""
        if batch.closed:
            return
        batch.closed = True
        self._queued_chars -= sum(_chars(row) for row in batch.rows[batch.taken :])
        if batch in self._waiting:
            self._waiting.remove(batch)

    def _take(self) -> tuple[_Batch, int] | None:
        with self._condition:
            while not self._waiting:
                if self._stopping:
                    return None
                self._condition.wait()
            batch = self._waiting.popleft()
            index = batch.taken
            batch.taken += 1
            if batch.taken < len(batch.rows):
                self._waiting.append(batch)
            return batch, index

    def _work(self) -> None:
        while (claim := self._take()) is not None:
            batch, index = claim
            started = time.perf_counter()
            answer = self._answer(batch.rows[index])
            with self._condition:
                chars = _chars(batch.rows[index])
                self._queued_chars -= chars
                self._scored_chars += chars
                self._busy_s += time.perf_counter() - started
                batch.answers[index] = answer
                batch.missing -= 1
                finished = batch.missing == 0
            if finished:
                _settle(batch)

    def _answer(self, row: Row) -> Scored:
        try:
            return self._scorer.score_one(row.text, language=row.language, context=row.context)
        except Exception as fault:
            logger.error("scoring failed: %s", type(fault).__name__)
            return unscored("internal_fault")


def _chars(row: Row) -> int:
    return max(1, sum(len(part) for part in (row.text, row.context) if isinstance(part, str)))


def _settle(batch: _Batch) -> None:
    """Wake the caller from any thread; a caller that has left, or whose loop is gone, is nobody to wake."""

    def wake() -> None:
        if not batch.done.done():
            batch.done.set_result(None)

    try:
        batch.loop.call_soon_threadsafe(wake)
    except RuntimeError:
        logger.debug("a caller's event loop is closed")
