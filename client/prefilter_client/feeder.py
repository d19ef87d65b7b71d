"""The feeder of a stream: sends the pieces of a source while the caller reads, from a task or from a thread.

It closes the source when it ends, however it ends, so that no text is generated that nobody may read. It does not
know the connection. Both classes are written by hand, because a task can be cancelled and a thread cannot: while
the source computes its next piece the caller goes on, and the source is closed when that piece comes.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Iterator

from prefilter_client.streaming import END, text_message

JOIN_S = 1.0
"""How long the end of a stream waits for a thread whose source has not come back."""


class AsyncFeeder:
    """A task that sends the pieces of a source, and then the end."""

    def __init__(
        self,
        source: AsyncIterable[str],
        *,
        sent: Callable[[str], Awaitable[bool]],
        failed: Callable[[BaseException], Awaitable[None]],
    ) -> None:
        """Start; `sent` sends a message (False: the stream has ended), `failed` takes what the source raised."""
        self._sent = sent
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
                if not await self._sent(text_message(text)):
                    return
            await self._sent(END)
        except (Exception, asyncio.CancelledError) as fault:
            await self._failed(fault)
        finally:
            close = getattr(source, "aclose", None)
            if close is not None:
                await close()


class Feeder:
    """A thread that sends the pieces of a source, and then the end."""

    def __init__(
        self,
        source: Iterable[str],
        *,
        sent: Callable[[str], bool],
        failed: Callable[[BaseException], None],
    ) -> None:
        """Start; `sent` sends a message (False: the stream has ended), `failed` takes what the source raised."""
        self._sent = sent
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
                if self._stopped.is_set() or not self._sent(text_message(text)):
                    return
            self._sent(END)
        except BaseException as fault:
            self._failed(fault)
        finally:
            close = getattr(source, "close", None)
            if close is not None:
                close()
