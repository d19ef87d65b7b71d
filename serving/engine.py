"""The engine: one owner of the queue, and the worker threads that prepare rows and run their windows.

A row is prepared (checked, normalised, cleared by the fast stage where it may be, cut into windows) before it
enters the queue of the network, which holds windows and nothing else: a row that needs no network is answered
without ever being in it. One run holds one window, since a score must not depend on its neighbours, and one
turn is one window, so that a book holds no thread longer than a line; `turns` says whose turn it is.

The workers prepare too. A thread apart for it would be one more than there are cores, and the network would
wait for the processor instead of for the tokenizer: preparing costs one hundredth to one tenth of a run, and a
turn that prepares goes on to run. Only a long text, whose preparing takes longer than a window's run, is
prepared on another thread, one at a time, and costs the workers a share of the processor but no turn.

Work is bounded by the tokens that wait, estimated from characters until a row is prepared, and refused before
it is accepted: whoever finds the queue full. One that does not find it full is accepted whole, however large,
or a large request could wait for ever. Small requests have a queue of their own: batches that fill theirs
keep no single text out. What was accepted is always answered: a row that outlives its deadline
comes back unscored as `deadline`, one that made the scorer fail as `internal_fault`; both mean REVIEW. Rows of
a caller who left are skipped. Nothing sleeps or polls: workers wait on a condition, callers on a future.
It knows neither policies nor storage nor HTTP: rows in, Scored out, in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from prefilter.models.scored import Scored
from prefilter.serving.errors import NotReady, Overloaded
from prefilter.serving.turns import Turns

logger = logging.getLogger("prefilter.engine")

SMALL_TOKENS = 1_024
"""Eight windows: a request of no more is small."""
SMALL_SHARE = 4
"""The queue of small requests is this much smaller: whoever sends one waits for it."""
LONG_CHARS = 16_384
"""From here on preparing takes longer than a window's run."""
CHARS_PER_TOKEN = 4
ROW_TOKENS = 4
"""Marks around a row's pieces, and what the shortest row costs beside its pieces."""
NICENESS = 10
"""How far the workers stand back. With as many of them as cores, each step of a request (and it has ten) would
else wait for a time slice: a text among batches took twice as long."""
_MAX_RETRY_AFTER_S = 60


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
class _Windows:
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
class _Caller:
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
    windows: deque[_Windows] = field(default_factory=deque)
    """The network's queue, as far as it is this caller's."""
    left: int = 0
    """The sum of `held`."""
    closed: bool = False
    small: bool = False

    @property
    def has_work(self) -> bool:
        return bool(self.windows) or (self.taken < len(self.rows) and not self.preparing)


class _Step(NamedTuple):
    """What one turn is: a row of a caller to prepare, or one window of a prepared row to run."""

    caller: _Caller
    row: int
    windows: _Windows | None = None
    number: int = 0


class Engine:
    """Scores rows on `threads` worker threads; accepts while fewer than `max_queued_tokens` wait, and of small
    requests a quarter."""

    def __init__(self, scorer: RowScorer, *, threads: int, max_queued_tokens: int) -> None:
        """Remember the parts; nothing runs before `start`."""
        self._scorer = scorer
        self._count = threads
        self._max_queued_tokens = max_queued_tokens
        self._condition = threading.Condition()
        self._turns: Turns[_Caller] = Turns()
        self._callers: set[_Caller] = set()
        self._workers: list[threading.Thread] = []
        self._preparer: ThreadPoolExecutor | None = None
        self._queued_tokens = {True: 0, False: 0}  # of small requests, of others
        self._stopping = False
        self._tokens_done = 0
        self._busy_s = 0.0

    @property
    def ready(self) -> bool:
        """Whether every worker runs and work is accepted."""
        return bool(self._workers) and not self._stopping and all(w.is_alive() for w in self._workers)

    @property
    def queued_tokens(self) -> int:
        """Tokens accepted and not yet answered."""
        return self._queued_tokens[True] + self._queued_tokens[False]

    async def start(self) -> None:
        """Start the workers."""
        if self._workers:
            return
        self._stopping = False
        self._preparer = ThreadPoolExecutor(1, thread_name_prefix="prefilter-engine-long")
        self._workers = [
            threading.Thread(target=self._work, name=f"prefilter-engine-{number}", daemon=True)
            for number in range(self._count)
        ]
        for worker in self._workers:
            worker.start()

    async def stop(self) -> None:
        """Accept nothing more, answer what waits as `internal_fault`, let the workers finish their window."""
        with self._condition:
            self._stopping = True
            abandoned = list(self._callers)
            for caller in abandoned:
                self._close(caller)
            self._condition.notify_all()
        for caller in abandoned:
            _settle(caller)
        await asyncio.gather(*(asyncio.to_thread(worker.join) for worker in self._workers))
        self._workers = []
        if self._preparer is not None:
            await asyncio.to_thread(self._preparer.shutdown, cancel_futures=True)
            self._preparer = None

    def check_room(self, tokens: int) -> None:
        """Raise Overloaded (with `retry_after_s`) where a request of so many tokens would not be accepted now."""
        small = tokens <= SMALL_TOKENS
        if self._queued_tokens[small] >= max(1, self._max_queued_tokens // (SMALL_SHARE if small else 1)):
            raise Overloaded(retry_after_s=self.retry_after_s())

    def retry_after_s(self) -> int:
        """In how many seconds what waits now will have been answered, as far as one can tell."""
        per_token_s = self._busy_s / self._tokens_done if self._tokens_done else 0.0
        wait_s = math.ceil(self.queued_tokens * per_token_s / self._count)
        return min(_MAX_RETRY_AFTER_S, max(1, wait_s))

    async def score(
        self, rows: Sequence[Row], *, deadline_ms: int, accepted: bool = False
    ) -> list[Scored]:
        """Score `rows` in order; rows that miss the deadline come back unscored.

        `accepted`: they belong to what was accepted before, and are not refused now. Raises NotReady before
        `start`, Overloaded (with `retry_after_s`) where the queue is full.
        """
        if not rows:
            return []
        loop = asyncio.get_running_loop()
        held = [_estimate(row) for row in rows]
        caller = _Caller(rows, loop, loop.create_future(), held, [None] * len(rows), missing=len(rows))
        self._accept(caller, sum(held), always=accepted)
        try:
            async with asyncio.timeout(deadline_ms / 1000):
                await caller.done
        except TimeoutError:
            fallback = "deadline"
        else:
            fallback = "internal_fault"
        finally:
            with self._condition:
                self._close(caller)
        return [unscored(fallback) if answer is None else answer for answer in caller.answers]

    # --- under the lock ---------------------------------------------------------------------------

    def _accept(self, caller: _Caller, tokens: int, *, always: bool) -> None:
        with self._condition:
            if not self.ready:
                raise NotReady("the engine is not running", code="engine_not_ready")
            if not always:
                self.check_room(tokens)
            caller.left, caller.small = tokens, tokens <= SMALL_TOKENS
            self._queued_tokens[caller.small] += tokens
            self._callers.add(caller)
            self._turns.wait(caller, left=tokens)
            self._condition.notify(min(len(caller.rows), self._count))

    def _close(self, caller: _Caller) -> None:
        """Take whatever nobody has begun out of the queue, and its room with it; harmless when repeated."""
        if caller.closed:
            return
        caller.closed = True
        caller.windows.clear()
        self._queued_tokens[caller.small] -= caller.left
        self._turns.leave(caller)
        self._callers.discard(caller)

    def _take(self) -> _Step | None:
        """Wait for a step to do and return it; None when there will be no more."""
        with self._condition:
            caller: _Caller | None = None
            while caller is None or not caller.has_work:  # a fault may have taken away what a caller waited with
                while not self._turns:
                    if self._stopping:
                        return None
                    self._condition.wait()
                caller = self._turns.take()
            step = _next_window(caller) if caller.windows else self._next_row(caller)
            if caller.has_work:
                self._turns.wait(caller, left=caller.left)
            return step

    def _next_row(self, caller: _Caller) -> _Step:
        row = caller.taken
        caller.taken += 1
        caller.preparing = _chars(caller.rows[row]) >= LONG_CHARS
        return _Step(caller, row)

    def _release(self, caller: _Caller, row: int, tokens: int) -> None:
        """Give back what a row holds of the queue, up to `tokens`; a closed caller holds nothing."""
        if not caller.closed:
            tokens = min(tokens, caller.held[row])
            self._hold(caller, row, caller.held[row] - tokens)

    def _hold(self, caller: _Caller, row: int, tokens: int) -> None:
        """Change what a row holds of the queue."""
        more = tokens - caller.held[row]
        caller.held[row] = tokens
        caller.left += more
        self._queued_tokens[caller.small] += more

    # --- on the workers ---------------------------------------------------------------------------

    def _work(self) -> None:
        _step_back()
        while (step := self._take()) is not None:
            if step.windows is not None:
                self._run(step)
            elif not step.caller.preparing or self._preparer is None:
                first = self._prepare(step.caller, step.row, begun=1)
                if first is not None:
                    self._run(_Step(step.caller, step.row, first, first.todo[0]))
            else:
                with contextlib.suppress(RuntimeError):  # stopping: the caller has been answered
                    self._preparer.submit(self._prepare, step.caller, step.row, begun=0)

    def _prepare(self, caller: _Caller, row: int, *, begun: int) -> _Windows | None:
        """Prepare a row and queue its windows, but for the first `begun`; None where none is to be run."""
        if caller.closed:
            return None
        text, language, context, certificate, keep, known = caller.rows[row]
        runs: list[Any] = []
        try:
            found = self._scorer.prepare(
                text, language=language, context=context, certificate=certificate, keep=keep
            )
            if not isinstance(found, Scored):
                runs = [None] * len(found.windows) if known is None else known.known(found.windows)
        except Exception as fault:
            found = _faulted(fault)
        todo = [number for number, run in enumerate(runs) if run is None]
        with self._condition:
            caller.preparing = False
            if caller not in self._callers:
                return None
            if todo:
                self._hold(caller, row, found.tokens * len(todo) // len(runs))
                windows = _Windows(row, found, runs, todo, missing=len(todo), begun=begun)
                if begun < len(todo):
                    caller.windows.append(windows)
            if caller.has_work:
                self._turns.wait(caller, left=caller.left)
                self._condition.notify(max(1, len(todo) - begun))
        if todo:
            return windows
        self._answer(caller, row, found if isinstance(found, Scored) else self._conclude(found, runs))
        return None

    def _run(self, step: _Step) -> None:
        caller, row, windows, number = step
        assert windows is not None
        started = time.perf_counter()
        answer: Scored | None = None
        try:
            window = windows.prepared.windows[number]
            windows.runs[number] = run = self._scorer.run(window)
            if (known := caller.rows[row].known) is not None:
                known.learn(window, run)
        except Exception as fault:
            answer = _faulted(fault)
        with self._condition:
            windows.missing -= 1
            finished = windows.missing == 0
            self._tokens_done += windows.cost
            self._busy_s += time.perf_counter() - started
            self._release(caller, row, windows.cost)
            if answer is not None and windows in caller.windows:
                caller.windows.remove(windows)
        if answer is None and finished:
            answer = self._conclude(windows.prepared, windows.runs)
        if answer is not None:
            self._answer(caller, row, answer)

    def _conclude(self, prepared: Any, runs: Sequence[Any]) -> Scored:
        try:
            return self._scorer.conclude(prepared, runs)
        except Exception as fault:
            return _faulted(fault)

    def _answer(self, caller: _Caller, row: int, answer: Scored) -> None:
        with self._condition:
            if caller.closed or caller.answers[row] is not None:
                return
            caller.answers[row] = answer
            self._release(caller, row, caller.held[row])
            caller.missing -= 1
            finished = caller.missing == 0
        if finished:
            _settle(caller)


def _step_back() -> None:
    """Let the threads that take requests in and send answers out go before this one."""
    if sys.platform == "linux":  # elsewhere priorities are a process's
        with contextlib.suppress(OSError):
            me = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, me, os.getpriority(os.PRIO_PROCESS, me) + NICENESS)


def _next_window(caller: _Caller) -> _Step:
    windows = caller.windows[0]
    step = _Step(caller, windows.row, windows, windows.todo[windows.begun])
    windows.begun += 1
    if windows.begun == len(windows.todo):
        caller.windows.popleft()
    return step


def _faulted(fault: Exception) -> Scored:
    logger.error("scoring failed: %s", type(fault).__name__)
    return unscored("internal_fault")


def _chars(row: Row) -> int:
    return sum(len(part) for part in (row.text, row.context) if isinstance(part, str))


def _estimate(row: Row) -> int:
    return ROW_TOKENS + _chars(row) // CHARS_PER_TOKEN


def _settle(caller: _Caller) -> None:
    """Wake a caller from any thread; one that has left, or whose loop is gone, is nobody to wake."""

    def wake() -> None:
        if not caller.done.done():
            caller.done.set_result(None)

    try:
        caller.loop.call_soon_threadsafe(wake)
    except RuntimeError:
        logger.debug("a caller's event loop is closed")
