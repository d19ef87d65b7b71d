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
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from prefilter.models.scored import Scored
from prefilter.serving.engine.row import Row, RowScorer, chars, estimate, unscored
from prefilter.serving.engine.turns import Turns
from prefilter.serving.engine.waiting_caller import Caller, Step, Windows, complete, next_window, settle
from prefilter.serving.errors import NotReady, Overloaded

if TYPE_CHECKING:  # the engine loads no model
    from prefilter.models.onnx_network import Run
    from prefilter.models.scorer import Prepared

logger = logging.getLogger("prefilter.engine")

SMALL_TOKENS = 1_024
"""Eight windows: a request of no more is small."""
SMALL_SHARE = 4
"""The queue of small requests is this much smaller: whoever sends one waits for it."""
LONG_CHARS = 16_384
"""From here on preparing takes longer than a window's run."""
NICENESS = 10
"""How far the workers stand back. With as many of them as cores, each step of a request (and it has ten) would
else wait for a time slice: a text among batches took twice as long."""
_MAX_RETRY_AFTER_S = 60


class Engine:
    """Scores rows on `threads` worker threads; accepts while fewer than `max_queued_tokens` wait, and of small
    requests a quarter."""

    def __init__(self, scorer: RowScorer, *, threads: int, max_queued_tokens: int) -> None:
        """Remember the parts; nothing runs before `start`."""
        self._scorer = scorer
        self._count = threads
        self._max_queued_tokens = max_queued_tokens
        self._condition = threading.Condition()
        self._turns: Turns[Caller] = Turns()
        self._callers: set[Caller] = set()
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
            settle(caller)
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
        held = [estimate(row) for row in rows]
        caller = Caller(rows, loop, loop.create_future(), held, [None] * len(rows), missing=len(rows))
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

    def _accept(self, caller: Caller, tokens: int, *, always: bool) -> None:
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

    def _close(self, caller: Caller) -> None:
        """Take whatever nobody has begun out of the queue, and its room with it; harmless when repeated."""
        if caller.closed:
            return
        caller.closed = True
        caller.windows.clear()
        self._queued_tokens[caller.small] -= caller.left
        self._turns.leave(caller)
        self._callers.discard(caller)

    def _take(self) -> Step | None:
        """Wait for a step to do and return it; None when there will be no more."""
        with self._condition:
            caller: Caller | None = None
            while caller is None or not caller.has_work:  # a fault may have taken away what a caller waited with
                while not self._turns:
                    if self._stopping:
                        return None
                    self._condition.wait()
                caller = self._turns.take()
            step = next_window(caller) if caller.windows else self._next_row(caller)
            if caller.has_work:
                self._turns.wait(caller, left=caller.left)
            return step

    def _next_row(self, caller: Caller) -> Step:
        row = caller.taken
        caller.taken += 1
        caller.preparing = chars(caller.rows[row]) >= LONG_CHARS
        return Step(caller, row)

    def _release(self, caller: Caller, row: int, tokens: int) -> None:
        """Give back what a row holds of the queue, up to `tokens`; a closed caller holds nothing."""
        if not caller.closed:
            tokens = min(tokens, caller.held[row])
            self._hold(caller, row, caller.held[row] - tokens)

    def _hold(self, caller: Caller, row: int, tokens: int) -> None:
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
                    self._run(Step(step.caller, step.row, first, first.todo[0]))
            else:
                with contextlib.suppress(RuntimeError):  # stopping: the caller has been answered
                    self._preparer.submit(self._prepare, step.caller, step.row, begun=0)

    def _prepare(self, caller: Caller, row: int, *, begun: int) -> Windows | None:
        """Prepare a row and queue its windows, but for the first `begun`; None where none is to be run."""
        if caller.closed:
            return None
        found = self._windows(caller.rows[row], row, begun=begun)
        todo = 0 if isinstance(found, Scored) else len(found.todo)
        with self._condition:
            caller.preparing = False
            if caller not in self._callers:
                return None
            if isinstance(found, Windows) and todo:
                self._hold(caller, row, found.prepared.tokens * todo // len(found.runs))
                if begun < todo:
                    caller.windows.append(found)
            if caller.has_work:
                self._turns.wait(caller, left=caller.left)
                self._condition.notify(max(1, todo - begun))
        if isinstance(found, Windows) and todo:
            return found
        self._answer(caller, row, found if isinstance(found, Scored) else self._conclude(found.prepared, found.runs))
        return None

    def _windows(self, row: Row, number: int, *, begun: int) -> Windows | Scored:
        """Prepare a row: its windows, of which none may be left to run, or its answer where it has none."""
        try:
            found = self._scorer.prepare(
                row.text, language=row.language, context=row.context, certificate=row.certificate, keep=row.keep
            )
            if isinstance(found, Scored):
                return found
            known = row.known
            runs: list[Run | None] = [None] * len(found.windows) if known is None else known.known(found.windows)
        except Exception as fault:
            return _faulted(fault)
        todo = [place for place, run in enumerate(runs) if run is None]
        return Windows(number, found, runs, todo, missing=len(todo), begun=begun)

    def _run(self, step: Step) -> None:
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

    def _conclude(self, prepared: Prepared, runs: Sequence[Run | None]) -> Scored:
        try:
            return self._scorer.conclude(prepared, complete(runs))
        except Exception as fault:
            return _faulted(fault)

    def _answer(self, caller: Caller, row: int, answer: Scored) -> None:
        with self._condition:
            if caller.closed or caller.answers[row] is not None:
                return
            caller.answers[row] = answer
            self._release(caller, row, caller.held[row])
            caller.missing -= 1
            finished = caller.missing == 0
        if finished:
            settle(caller)


def _step_back() -> None:
    """Let the threads that take requests in and send answers out go before this one."""
    if sys.platform == "linux":  # elsewhere priorities are a process's
        with contextlib.suppress(OSError):
            me = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, me, os.getpriority(os.PRIO_PROCESS, me) + NICENESS)


def _faulted(fault: Exception) -> Scored:
    logger.error("scoring failed: %s", type(fault).__name__)
    return unscored("internal_fault")
