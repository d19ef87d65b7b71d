"""The exchange of a stream: messages in, events out, whichever transport carries them.

Messages are read here, and events written; nothing is decided. Whatever goes wrong is the last event. What a client
does not read for too long, or does not write, ends its stream; one that leaves is noticed at any time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import HTTPConnection

from prefilter.serving import schemas
from prefilter.serving.api.answers import named, scores_of
from prefilter.serving.api.screening_metrics import count
from prefilter.serving.auth import Principal
from prefilter.serving.errors import BadRequest, InternalFault, PrefilterError
from prefilter.serving.policy.policy import Outcome
from prefilter.serving.schemas import BadRow
from prefilter.serving.state import parts_of, running_of
from prefilter.serving.stream.streaming import Broken, Ended, Released, Streaming
from prefilter.serving.telemetry import where

logger = logging.getLogger("prefilter.stream")

MAX_MESSAGE_BYTES = 1024 * 1024
END = b'{"type":"end"}'
_START: dict[str, type] = {"policy": str, "id": str, "language": str, "source": str, "context": str}
MESSAGE = {
    "type": "object",
    "required": ["type"],
    "properties": {
        "type": {"enum": ["start", "text", "end"]},
        "text": {"type": "string"},
        **{name: {"type": "string"} for name in _START},
    },
}
Incoming = AsyncIterator[str | bytes]
Event = Mapping[str, object]
Deliver = Callable[[Event], Awaitable[None]]


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

    async def say(event: Event) -> None:
        try:
            async with asyncio.timeout(idle_s):
                await deliver(event)
        except TimeoutError:
            raise Gone from None

    try:
        async with asyncio.timeout(idle_s):
            first = await anext(incoming)
        streaming = await _opened(connection, who, first)
        await say(_started(streaming))
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
            await say(_failed(_error_of(fault, request_id), request_id))
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
                    await say({"type": "release", "text": event.text})
                case Ended():
                    await say(_ended(event))
                    return event
                case Broken():
                    error = BadRequest(event.error.message, code=event.error.code, field="text")
                    await say({**_failed(error, request_id), "released_chars": event.released_chars})
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
            message = _message(await anext(incoming))
        if message["type"] == "text":
            streaming.add(message["text"])
        else:
            streaming.end()
    async for _ in incoming:
        pass


async def _opened(connection: HTTPConnection, who: Principal, raw: str | bytes) -> Streaming:
    """Read the first message; raises BadRequest, or Unprocessable for an unknown policy."""
    message = _message(raw, starts=True)
    settings, running = parts_of(connection).settings, running_of(connection)
    fields = {name: message[name] for name in ("id", "language", "source", "context") if message.get(name) is not None}
    # The text itself comes later: whatever else an item may hold is checked as an item's.
    item = schemas.read_item(
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


def _message(raw: str | bytes, *, starts: bool = False) -> dict[str, Any]:
    """Read one message; raises BadRequest where it is none, or not the one that must come now."""
    body = schemas.read_json(raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw)
    kind = body.get("type") if isinstance(body, dict) else None
    expected = ("start",) if starts else ("text", "end")
    if kind not in expected:
        raise BadRequest(f"a message of type {' or '.join(expected)} must come now", code="wrong_message", field="type")
    required: dict[str, type] = {"type": str, "text": str} if kind == "text" else {"type": str}
    optional = _START if kind == "start" else None
    return schemas.check_object(body, required=required, optional=optional, storable=False)


def _started(streaming: Streaming) -> Event:
    policy = streaming.policy
    return {
        "type": "started",
        "max_unsafe_chars": policy.max_unsafe_chars,
        "enforced": policy.enforced,
        "policy": named(policy),
        "model_version": streaming.model_version,
    }


def _ended(event: Ended) -> Event:
    decision, screened = event.decision, event.screened
    body: dict[str, object] = {
        "type": "cut" if event.cut else "done",
        "outcome": Outcome.ALLOW.value if decision is None else decision.outcome.value,
        "because": [] if decision is None else [because.to_json() for because in decision.because],
        "enforced": decision is None or decision.enforced,
        "released_chars": event.released_chars,
        "total_chars": event.total_chars,
        "unsafe_chars": event.unsafe_chars,
        "windows_run": event.windows_run,
        "decision_id": None if screened is None else screened.decision_id,
    }
    if screened is not None and screened.case_id is not None:
        body["case_id"] = screened.case_id
    if screened is not None and screened.scored is not None:
        body["scores"] = scores_of(screened.scored)
    return body


def _failed(error: PrefilterError, request_id: str | None) -> Event:
    return {"type": "error", **error.to_json(request_id)}
