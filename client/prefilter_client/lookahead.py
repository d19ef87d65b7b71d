"""The look-ahead of `score_many`: requests that run ahead of the row that is given out, in tasks or in threads.

Results are taken in the order in which the requests were started; what a request is, it does not know. Both classes
are written by hand, because a task can be cancelled and a thread can only be asked to stop.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Generic, TypeVar

from prefilter_client.exchange import Flow
from prefilter_client.values import Row

ASYNC_CONCURRENCY = 4
CONCURRENCY = 2
"""How many requests are under way unless the caller says otherwise; each blocking one costs a thread."""

Rows = tuple[Row, ...]
W = TypeVar("W")
AsyncPause = Callable[[float], Awaitable[None]]
Pause = Callable[[float], None]


class _UnderWay(Generic[W]):
    """Work that was started and whose results were not taken, oldest first; at most `width` of it."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._started: deque[W] = deque()

    def __len__(self) -> int:
        """Count the flows under way."""
        return len(self._started)

    @property
    def full(self) -> bool:
        """Whether a result must be taken before another flow is started."""
        return len(self._started) >= self._width


class AsyncLookahead(_UnderWay[asyncio.Task[Rows]]):
    """Up to `width` flows in tasks; leaving it cancels those that still run."""

    def __init__(self, run: Callable[[Flow[Rows], AsyncPause], Coroutine[Any, Any, Rows]], width: int) -> None:
        """Begin with nothing under way; `run` carries out a flow."""
        super().__init__(width)
        self._run = run

    async def __aenter__(self) -> AsyncLookahead:
        """Return it."""
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Cancel what is under way and wait until it has ended."""
        for task in self._started:
            task.cancel()
        await asyncio.gather(*self._started, return_exceptions=True)

    def start(self, flow: Flow[Rows]) -> None:
        """Start a flow."""
        self._started.append(asyncio.create_task(self._run(flow, asyncio.sleep)))

    async def first(self) -> Rows:
        """Wait for the flow that was started first and return its result, or raise its error."""
        return await self._started.popleft()


class Lookahead(_UnderWay[Future[Rows]]):
    """Up to `width` flows in threads; leaving it ends those that still run at their next wait."""

    def __init__(self, run: Callable[[Flow[Rows], Pause], Rows], width: int) -> None:
        """Begin with nothing under way; `run` carries out a flow."""
        super().__init__(width)
        self._run = run
        self._stopped = threading.Event()
        self._pool = ThreadPoolExecutor(width, thread_name_prefix="prefilter-client")

    def __enter__(self) -> Lookahead:
        """Return it."""
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop what is under way and wait until it has ended."""
        self._stopped.set()
        self._pool.shutdown(cancel_futures=True)

    def start(self, flow: Flow[Rows]) -> None:
        """Start a flow."""
        self._started.append(self._pool.submit(self._run, flow, self._pause))

    def first(self) -> Rows:
        """Wait for the flow that was started first and return its result, or raise its error."""
        return self._started.popleft().result()

    def _pause(self, seconds: float) -> None:
        if self._stopped.wait(seconds):
            raise RuntimeError("stopped")
