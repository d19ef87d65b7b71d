"""`/v1/stream`: text in as it is written, out as it is known to be safe enough.

One exchange (`exchange`) over two transports. A WebSocket carries it both ways at once, which every client library
can do. `POST` takes the same messages as lines of its body and answers server-sent events, which is what a model's own
output comes as; it too answers while the body is still coming, for clients that can read before they have written all.
A client that goes away ends its stream and frees its place.
"""

from __future__ import annotations

import asyncio
import contextlib
import json

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from prefilter.serving.admission.refusal import native
from prefilter.serving.api.bodies.stream_messages import EVENTS, MESSAGES, StreamEvent
from prefilter.serving.api.stream_exchange import (
    END,
    MAX_MESSAGE_BYTES,
    Gone,
    Incoming,
    exchange,
)
from prefilter.serving.auth import Principal
from prefilter.serving.errors import BadRequest, PrefilterError
from prefilter.serving.http.callers import caller
from prefilter.serving.http.descriptions import described, event_stream

router = APIRouter(tags=["scoring"])


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

    async def deliver(event: StreamEvent) -> None:
        try:
            await websocket.send_text(json.dumps(event, ensure_ascii=True, separators=(",", ":")))
        except (WebSocketDisconnect, RuntimeError):
            raise Gone from None

    await exchange(websocket, who, _frames(websocket), deliver)
    with contextlib.suppress(RuntimeError, WebSocketDisconnect):
        await websocket.close()


@router.post(
    "/v1/stream",
    summary="Screen a text while it is written.",
    response_class=Response,
    openapi_extra={
        **described(
            asks=MESSAGES,
            media_type="application/x-ndjson",
            answers={200: event_stream(*EVENTS)},
            refuses=(429,),
        ),
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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})

        async def deliver(event: StreamEvent) -> None:
            data = json.dumps(event, ensure_ascii=True, separators=(",", ":"))
            chunk = f"event: {event['type']}\ndata: {data}\n\n".encode("ascii")
            try:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            except OSError:
                raise Gone from None

        await exchange(self._request, self._who, _lines(receive), deliver)
        with contextlib.suppress(OSError):
            await send({"type": "http.response.body", "body": b""})


async def _frames(websocket: WebSocket) -> Incoming:
    """Yield the messages of a WebSocket; raises Gone when it closes."""
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise Gone
        yield message["text"] if message.get("text") is not None else message.get("bytes") or b""


async def _lines(receive: Receive) -> Incoming:
    """Yield the lines of a body as they come in, then that nothing follows; raises Gone when the client goes away,
    BadRequest for a line that is too long, TooLarge as the gate does."""
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
        if len(rest) > MAX_MESSAGE_BYTES:
            raise BadRequest(f"a line has at most {MAX_MESSAGE_BYTES} bytes", code="message_too_long", field="body")
    if rest.strip():
        yield rest
    yield END
    while (await receive())["type"] != "http.disconnect":
        pass
    raise Gone
