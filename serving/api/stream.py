"""`/v1/stream`: text in as it is written, out as it is known to be safe enough.

One exchange over two transports. A WebSocket carries it both ways at once, which every client library can do. `POST`
takes the same messages as lines of its body and answers server-sent events, which is what a model's own output
comes as; it too answers while the body is still coming, for clients that can read before they have written all.
Messages are read here and nothing is decided. A client that goes away ends its stream and frees its place.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

from fastapi import APIRouter
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from prefilter.serving import schemas
from prefilter.serving.api.wire import caller, part
from prefilter.serving.auth import Principal
from prefilter.serving.errors import BadRequest, InternalFault, PrefilterError
from prefilter.serving.policies import Outcome
from prefilter.serving.refusal import native
from prefilter.serving.schemas import BadRow
from prefilter.serving.streaming import Broken, Ended, Opened, Released, Streaming
from prefilter.serving.telemetry import where

router = APIRouter(tags=["scoring"])
logger = logging.getLogger("prefilter.stream")

_START: dict[str, type] = {"policy": str, "id": str, "language": str, "source": str, "context": str}
_MESSAGE = {
    "type": "object",
    "required": ["type"],
    "properties": {
        "type": {"enum": ["start", "text", "end"]},
        "text": {"type": "string"},
        **{name: {"type": "string"} for name in _START},
    },
}
Incoming = AsyncIterator[str | bytes]
Deliver = Callable[[dict[str, Any]], Awaitable[None]]


class Gone(Exception):
    """The client went away."""


@router.websocket("/v1/stream")
async def stream(websocket: WebSocket) -> None:
    """Screen one text while it is written, over a WebSocket."""
    try:
        who = await asyncio.to_thread(caller, websocket, "pipeline")
    except PrefilterError as refusal:
        refused = native(refusal, websocket.state.request_id)
        await websocket.send_denial_response(
            Response(refused.body, refused.status, refused.headers, media_type="application/json")
        )
        return
    await websocket.accept()

    async def deliver(event: dict[str, Any]) -> None:
        try:
            await websocket.send_text(json.dumps(event, ensure_ascii=True, separators=(",", ":")))
        except (WebSocketDisconnect, RuntimeError):
            raise Gone from None

    await _exchange(websocket, who, _frames(websocket), deliver)
    with contextlib.suppress(RuntimeError, WebSocketDisconnect):
        await websocket.close()


@router.post(
    "/v1/stream",
    summary="Screen a text while it is written.",
    response_class=Response,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/x-ndjson": {"schema": _MESSAGE}}},
        "security": [{"HTTPBearer": []}],
    },
)
async def stream_lines(request: Request) -> Response:
    """Screen one text while it is written: messages as lines of the body, answered by server-sent events."""
    who = await asyncio.to_thread(caller, request, "pipeline")
    return _EventStream(request, who)


class _EventStream(Response):
    """Server-sent events that begin before the body has ended."""

    def __init__(self, request: Request, who: Principal) -> None:
        super().__init__(media_type="text/event-stream", headers={"x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._request, self._who = request, who

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})

        async def deliver(event: dict[str, Any]) -> None:
            data = json.dumps(event, ensure_ascii=True, separators=(",", ":"))
            chunk = f"event: {event['type']}\ndata: {data}\n\n".encode("ascii")
            try:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            except OSError:
                raise Gone from None

        await _exchange(self._request, self._who, _lines(receive), deliver)
        with contextlib.suppress(OSError):
            await send({"type": "http.response.body", "body": b""})


async def _exchange(connection: HTTPConnection, who: Principal, incoming: Incoming, deliver: Deliver) -> None:
    """Read messages and deliver events until the stream has ended; what goes wrong is its last event."""
    settings, telemetry = part(connection, "settings"), part(connection, "telemetry")
    request_id = getattr(connection.state, "request_id", None)
    reader: asyncio.Task[None] | None = None
    streaming: Streaming | None = None
    end = "gone"
    try:
        async with asyncio.timeout(settings.stream_idle_s):
            first = await anext(incoming)
        streaming = await _opened(connection, who, first)
        await deliver(_started(streaming))
        reader = asyncio.create_task(_read(incoming, streaming, idle_s=settings.stream_idle_s))
        end = await _deliver_all(streaming, reader, deliver, request_id)
    except (Gone, StopAsyncIteration):
        pass
    except TimeoutError:
        end = "broken"
        with contextlib.suppress(Gone):
            await deliver(_failed(BadRequest("nothing came for too long", code="idle"), request_id))
    except PrefilterError as error:
        end = "broken"
        with contextlib.suppress(Gone):
            await deliver(_failed(error, request_id))
    except Exception as fault:
        end = "broken"
        logger.error("%s: a stream failed: %s", request_id, where(fault))
        with contextlib.suppress(Gone):
            await deliver(_failed(InternalFault(), request_id))
    finally:
        if reader is not None:
            reader.cancel()
        telemetry.streams.labels(end).inc()
        if streaming is not None and end in ("gone", "broken"):
            with contextlib.suppress(PrefilterError):
                await streaming.abandon()


async def _deliver_all(
    streaming: Streaming, reader: asyncio.Task[None], deliver: Deliver, request_id: str | None
) -> str:
    """Deliver every event of the stream, unless its reader ends first by raising; returns how it ended."""
    events = streaming.events()
    while True:
        step = asyncio.ensure_future(anext(events))
        await asyncio.wait({step, reader}, return_when=asyncio.FIRST_COMPLETED)
        if not step.done() and reader.exception() is not None:
            step.cancel()
            raise reader.exception() or Gone
        event = await step
        match event:
            case Released():
                await deliver({"type": "release", "text": event.text})
            case Ended():
                await deliver(_ended(event))
                return "cut" if event.cut else "done"
            case Broken():
                error = BadRequest(event.error.message, code=event.error.code, field="text")
                await deliver({**_failed(error, request_id), "released_chars": event.released_chars})
                return "broken"


async def _read(incoming: Incoming, streaming: Streaming, *, idle_s: int) -> None:
    """Feed the stream until its text has ended."""
    while True:
        try:
            async with asyncio.timeout(idle_s):
                raw = await anext(incoming)
        except StopAsyncIteration:
            streaming.end()
            return
        message = _message(raw)
        match message["type"]:
            case "text":
                streaming.add(message["text"])
            case "end":
                streaming.end()
                return


async def _opened(connection: HTTPConnection, who: Principal, raw: str | bytes) -> Streaming:
    """Read the first message; raises BadRequest, or Unprocessable for an unknown policy."""
    message = _message(raw, starts=True)
    settings, screening = part(connection, "settings"), part(connection, "screening")
    fields = {name: message.get(name) for name in ("id", "language", "source", "context")}
    # The text itself comes later: whatever else an item may hold is checked as an item's.
    row = schemas.read_item(
        {**{name: value for name, value in fields.items() if value is not None}, "text": "-"},
        max_text_chars=settings.max_text_chars,
        max_id_chars=settings.max_id_chars,
    )
    if isinstance(row, BadRow):
        raise BadRequest(row.error.message, code=row.error.code, field="start")
    opened = Opened(
        await screening.policy(message.get("policy")), row.id, row.language, row.source, row.context
    )
    return Streaming(
        opened,
        screening=screening,
        engine=part(connection, "engine"),
        principal=who,
        deadline_ms=settings.deadline_ms,
        max_chars=settings.max_stream_chars,
    )


def _message(raw: str | bytes, *, starts: bool = False) -> dict[str, Any]:
    """Read one message; raises BadRequest where it is none, or not the one that must come now."""
    data = raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw
    kind = schemas.read_json(data)
    kind = kind.get("type") if isinstance(kind, dict) else None
    expected = ("start",) if starts else ("text", "end")
    if kind not in expected:
        raise BadRequest(f"a message of type {' or '.join(expected)} must come now", code="wrong_message", field="type")
    if kind == "start":
        return schemas.read_object(data, required={"type": str}, optional=_START, storable=False)
    required: dict[str, type] = {"type": str, "text": str} if kind == "text" else {"type": str}
    return schemas.read_object(data, required=required, storable=False)


def _started(streaming: Streaming) -> dict[str, Any]:
    policy = streaming.policy
    return {
        "type": "started",
        "max_unsafe_chars": policy.max_unsafe_chars,
        "enforced": policy.enforced,
        "policy": {"name": policy.name, "version": policy.version},
        "model_version": streaming.model_version,
    }


def _ended(event: Ended) -> dict[str, Any]:
    decision, screened = event.decision, event.screened
    body: dict[str, Any] = {
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
        body["scores"] = {category: float(score) for category, score in screened.scored.scores.items()}
    return body


def _failed(error: PrefilterError, request_id: str | None) -> dict[str, Any]:
    return {"type": "error", **error.to_json(request_id)}


async def _frames(websocket: WebSocket) -> Incoming:
    """Yield the messages of a WebSocket; raises Gone when it closes."""
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise Gone
        yield message["text"] if message.get("text") is not None else message.get("bytes") or b""


async def _lines(receive: Any) -> Incoming:
    """Yield the lines of a body as they come in; raises Gone when the client goes away, TooLarge as the gate does."""
    rest = b""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        more = bool(message.get("more_body"))
        *lines, rest = (rest + message.get("body", b"")).split(b"\n")
        for line in lines:
            if line.strip():
                yield line
    if rest.strip():
        yield rest

