"""A source said on a stream while the caller reads what is released: from a task, or from a thread.

Whichever ends first ends the other, and the source is closed in every case. A task is cancelled; a thread cannot
be stopped while the source computes its next piece, so the caller goes on at once and the source is closed when
that piece comes. Both classes are written by hand for this reason; all else of the two streams is written once
(`async_stream`).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Iterator

from prefilter_client.streaming import END, text_message

JOIN_S = 1.0
"""How long the end of a stream waits for a thread whose source has not come back."""


class AsyncFeeding:
    """A task that says the pieces of a source, and then the end."""

    def __init__(
        self,
        source: AsyncIterable[str],
        *,
        said: Callable[[str], Awaitable[bool]],
        failed: Callable[[BaseException], Awaitable[None]],
    ) -> None:
        """Start; `said` says a message (False: the stream has ended), `failed` is told what the source raised."""
        self._said = said
        self._failed = failed
        self._task = asyncio.create_task(self._feed(source))

    def stop(self) -> None:
        """Ask it to stop."""
        self._task.cancel()

    async def join(self) -> None:
        """Wait until it has stopped and its source is closed."""
        await asyncio.wait([self._task])

    async def _feed(self, source: AsyncIterable[str]) -> None:
        try:
            async for text in source:
                if not await self._said(text_message(text)):
                    return
            await self._said(END)
        except (Exception, asyncio.CancelledError) as fault:
            await self._failed(fault)
        finally:
            close = getattr(source, "aclose", None)
            if close is not None:
                await close()


class Feeding:
    """A thread that says the pieces of a source, and then the end."""

    def __init__(
        self,
        source: Iterable[str],
        *,
        said: Callable[[str], bool],
        failed: Callable[[BaseException], None],
    ) -> None:
        """Start; `said` says a message (False: the stream has ended), `failed` is told what the source raised."""
        self._said = said
        self._failed = failed
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._feed, args=(iter(source),), name="prefilter-stream", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask it to stop."""
        self._stopped.set()

    def join(self) -> None:
        """Wait until it has stopped, but not long for a source that does not come back."""
        self._thread.join(JOIN_S)

    def _feed(self, source: Iterator[str]) -> None:
        try:
            for text in source:
                if self._stopped.is_set() or not self._said(text_message(text)):
                    return
            self._said(END)
        except BaseException as fault:
            self._failed(fault)
        finally:
            close = getattr(source, "close", None)
            if close is not None:
                close()
