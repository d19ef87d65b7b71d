"""The exchange of a stream: messages in, events out, whichever transport carries them.

Messages are read here, and events written; nothing is decided. Whatever goes wrong is the last event. What a client
does not read for too long, or does not write, ends its stream; one that leaves is noticed at any time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.requests import HTTPConnection

from prefilter.serving.api.bodies.item_body import read_item
from prefilter.serving.api.bodies.stream_messages import (
    StreamEvent,
    broken_event,
    ended_event,
    failed_event,
    read_piece,
    read_start,
    release_event,
    started_event,
)
from prefilter.serving.auth import Principal
from prefilter.serving.errors import BadRequest, InternalFault, PrefilterError
from prefilter.serving.http.screening_metrics import count
from prefilter.serving.screening.item import BadRow
from prefilter.serving.state import parts_of, running_of
from prefilter.serving.stream.streaming import Broken, Ended, Released, Streaming
from prefilter.serving.telemetry import where

logger = logging.getLogger("prefilter.stream")

MAX_MESSAGE_BYTES = 1024 * 1024
END = b'{"type":"end"}'
Incoming = AsyncIterator[str | bytes]
Deliver = Callable[[StreamEvent], Awaitable[None]]


class Gone(Exception):
    """The client went away, or does not read what it is sent."""


async def exchange(connection: HTTPConnection, who: Principal, incoming: Incoming, deliver: Deliver) -> None:
    """Read messages and deliver events until the stream has ended; what goes wrong is its last event."""
    parts = parts_of(connection)
    telemetry, idle_s = parts.telemetry, parts.settings.stream_idle_s
    request_id: str | None = getattr(connection.state, "request_id", None)
    reader: asyncio.Task[None] | None = None
    streaming: Streaming | None = None
    end = "gone"

    async def say(event: StreamEvent) -> None:
        try:
            async with asyncio.timeout(idle_s):
                await deliver(event)
        except TimeoutError:
            raise Gone from None

    try:
        async with asyncio.timeout(idle_s):
            first = await anext(incoming)
        streaming = await _opened(connection, who, first)
        await say(started_event(streaming))
        reader = asyncio.create_task(_read(incoming, streaming, idle_s=idle_s))
        last = await _deliver_all(streaming, reader, say, request_id)
        end = "broken" if isinstance(last, Broken) else "cut" if last.cut else "done"
        if isinstance(last, Ended) and last.screened is not None:
            count(telemetry, [last.screened])
    except (Gone, StopAsyncIteration):
        pass
    except Exception as fault:
        end = "broken"
        with contextlib.suppress(Gone):
            await say(failed_event(_error_of(fault, request_id), request_id))
    finally:
        if reader is not None:
            reader.cancel()
        telemetry.streams.labels(end).inc()
        if streaming is not None and end in ("gone", "broken"):
            with contextlib.suppress(PrefilterError):
                await streaming.abandon()


def _error_of(fault: Exception, request_id: str | None) -> PrefilterError:
    """Return what a client is told of a fault; one that nobody foresaw is logged by its kind."""
    if isinstance(fault, PrefilterError):
        return fault
    if isinstance(fault, TimeoutError):
        return BadRequest("nothing came for too long", code="idle")
    logger.error("%s: a stream failed: %s", request_id, where(fault))
    return InternalFault()


async def _deliver_all(
    streaming: Streaming, reader: asyncio.Task[None], say: Deliver, request_id: str | None
) -> Ended | Broken:
    """Deliver every event of the stream and return the last; raises what ends its reader before that."""
    events = streaming.events()
    step: asyncio.Future[Released | Ended | Broken] | None = None
    try:
        while True:
            step = asyncio.ensure_future(anext(events))
            await asyncio.wait({step, reader}, return_when=asyncio.FIRST_COMPLETED)
            if not step.done():
                raise reader.exception() or Gone
            match event := step.result():
                case Released():
                    await say(release_event(event))
                case Ended():
                    await say(ended_event(event))
                    return event
                case Broken():
                    await say(broken_event(event, request_id))
                    return event
    finally:
        if step is not None and not step.done():
            step.cancel()
            await asyncio.wait({step})
        await events.aclose()


async def _read(incoming: Incoming, streaming: Streaming, *, idle_s: int) -> None:
    """Feed the stream until its text has ended, and then hear whether its client leaves; never returns."""
    while not streaming.ended:
        async with asyncio.timeout(idle_s):
            piece = read_piece(await anext(incoming))
        if piece is None:
            streaming.end()
        else:
            streaming.add(piece)
    async for _ in incoming:
        pass


async def _opened(connection: HTTPConnection, who: Principal, raw: str | bytes) -> Streaming:
    """Read the first message; raises BadRequest, or Unprocessable for an unknown policy."""
    message = read_start(raw)
    settings, running = parts_of(connection).settings, running_of(connection)
    fields = {name: message.get(name) for name in ("id", "language", "source", "context")}
    # The text itself comes later: whatever else an item may hold is checked as an item's.
    item = read_item(
        {**fields, "text": "-"}, max_text_chars=settings.max_text_chars, max_id_chars=settings.max_id_chars
    )
    if isinstance(item, BadRow):
        raise BadRequest(item.error.message, code=item.error.code, field="start")
    return Streaming(
        item,
        await running.screening.policy(message.get("policy")),
        screening=running.screening,
        engine=running.engine,
        principal=who,
        deadline_ms=settings.deadline_ms,
        max_chars=settings.max_stream_chars,
    )

