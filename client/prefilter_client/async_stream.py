# The source of both streams: `make unasync` writes stream.py from it.
"""An asynchronous stream: text in as it is generated, out once it is known to be safe enough.

It knows the connection, not the protocol (`streaming`), nor how a source is fed while the caller reads (`feeder`).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from prefilter_client.connection import Connection
from prefilter_client.errors import ConnectionFailed, TimedOut
from prefilter_client.exchange import Answer, Lost, Request
from prefilter_client.feeder import AsyncFeeder
from prefilter_client.opening import FAILURES, OPENED, not_opened, open_arguments
from prefilter_client.streaming import END, Cut, Done, Event, Release, Start, Started, Transcript, text_message
from prefilter_client.transport import opening_s

AsyncOpener = Callable[[Request], Awaitable[Answer | Lost]]


class AsyncStream:
    """One guarded text, from `AsyncClient.stream`; `async with` opens and closes it.

        async with client.stream() as stream:
            async for text in stream.guard(tokens):
                print(text, end="")
        print(stream.result.outcome)

    `started` says what the service promised, `result` how it ended: Done, Cut, or None before the end.
    """

    def __init__(
        self,
        start: Start,
        *,
        connection: Connection,
        open_with: Callable[[AsyncOpener], Awaitable[Answer]],
        timeout: httpx.Timeout | float,
        ssl_context: ssl.SSLContext | None,
    ) -> None:
        """Prepare; nothing is opened yet."""
        self._start = start
        self._connection = connection
        self._open_with = open_with
        self._timeout = timeout
        self._ssl_context = ssl_context
        self._opened = AsyncExitStack()
        self._socket: ClientConnection | None = None
        self._feeder: AsyncFeeder | None = None
        self._fault: BaseException | None = None
        self._transcript = Transcript()

    @property
    def started(self) -> Started | None:
        """What the service promised."""
        return self._transcript.started

    @property
    def result(self) -> Done | Cut | None:
        """How the stream ended."""
        return self._transcript.result

    async def __aenter__(self) -> AsyncStream:
        """Open the stream; raises ApiError for a refusal, after the retries it allows."""
        await self._open_with(self._connect)
        try:
            await self._write(self._start.to_message())
            await self._receive(opening_s(self._timeout))
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop feeding and close the connection; the service stops too."""
        await self._close()

    async def send(self, text: str) -> None:
        """Send the next piece of the text."""
        await self._write(text_message(text))

    async def end(self) -> None:
        """Send the end: the text is complete."""
        await self._write(END)

    async def events(self) -> AsyncIterator[Event]:
        """Give the service's messages, up to and with Done or Cut; raises StreamRefused for an error."""
        while self.result is None:
            yield await self._receive()

    async def guard(self, source: AsyncIterable[str]) -> AsyncIterator[str]:
        """Feed a source in a task and give what is released; ends with `result` set.

        A cut ends the iteration and closes the source. What the source raises is raised here, after what was
        released before it.
        """
        if self._feeder is not None:
            raise RuntimeError("a stream guards one text")
        self._feeder = AsyncFeeder(source, sent=self._sent, failed=self._failed)
        try:
            async for event in self.events():
                if isinstance(event, Release):
                    yield event.text
        finally:
            self._feeder.stop()
            await self._feeder.join()

    async def _failed(self, fault: BaseException) -> None:
        """Keep what the source raised, and wake the reader, who raises it."""
        self._fault = fault
        await self._socket_open().close()

    async def _receive(self, timeout_s: float | None = None) -> Event:
        fault: BaseException
        try:
            message = await asyncio.wait_for(self._socket_open().recv(), timeout_s)
        except asyncio.TimeoutError:
            fault = TimedOut("the stream did not start in time")
        except ConnectionClosed as closed:
            fault = self._fault or self._transcript.broken(closed.rcvd.code if closed.rcvd else None)
        else:
            return self._transcript.read(message)
        raise fault

    async def _sent(self, message: str) -> bool:
        """Send a message; False where the connection has ended, and the reader finds out why."""
        with suppress(ConnectionClosed):
            await self._socket_open().send(message)
            return True
        return False

    async def _write(self, message: str) -> None:
        if not await self._sent(message):
            raise ConnectionFailed("the stream has ended")

    def _socket_open(self) -> ClientConnection:
        if self._socket is None:
            raise RuntimeError("a stream is opened by `async with`")
        return self._socket

    async def _connect(self, request: Request) -> Answer | Lost:
        arguments: Any = open_arguments(self._connection, request, self._timeout, self._ssl_context)
        try:
            self._socket = await self._opened.enter_async_context(connect(**arguments))
        except FAILURES as fault:
            return not_opened(fault)
        return OPENED

    async def _close(self) -> None:
        if self._feeder is not None:
            self._feeder.stop()
        await self._opened.aclose()
        if self._feeder is not None:
            await self._feeder.join()
