"""The gate that every request passes, in and out: id, body limit, headers, timing, and of a fault only its kind.

Plain ASGI, around everything else, so that it also covers routes that the application does not know. A scoring request
needs a permit, and where there is none it is refused before any of it is read. The body is counted as it streams in,
with or without a Content-Length. A refusal reads what is still being sent, or the caller would see a broken connection
instead of the reason. An unhandled exception ends here: the HTTP server would print its message, and messages quote
input.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from prefilter.serving.admission.permits import Permits
from prefilter.serving.admission.refusal import Refuse, native
from prefilter.serving.errors import InternalFault, NotReady, Overloaded, PrefilterError, TooLarge
from prefilter.serving.telemetry import UNMATCHED, Telemetry, where

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

logger = logging.getLogger("prefilter.gate")

CLIENT_GONE = 499
LINGER_S = 10
STRANGER_LINGER_S = 1  # who has no key does not hold a permit for long
SCORING = frozenset(
    {"/v1/score", "/v1/moderations", "/v1alpha1/comments:analyze", "/v1alpha1/comments:suggestscore"}
)
STREAM = "/v1/stream"
UNANNOUNCED_BYTES = 1024 * 1024
"""What a body without a Content-Length is taken to announce."""
BEFORE_READINESS = ("/healthz", "/readyz", "/metrics")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)


class RequestGate:
    """ASGI middleware; the outermost of the application's own."""

    def __init__(
        self,
        app: App,
        *,
        telemetry: Telemetry,
        admission: Permits,
        streams: Permits,
        max_body_bytes: int,
        started: Callable[[], bool],
        refuse_for: Callable[[str], Refuse] = lambda _path: native,
    ) -> None:
        """Wrap `app`; until `started` says so, everything but BEFORE_READINESS answers 503.

        `admission` has the permits of requests, `streams` those of streams, which stay. `refuse_for`: how a
        request for a path is refused.
        """
        self._app = app
        self._admission = admission
        self._streams = streams
        self._telemetry = telemetry
        self._max_body_bytes = max_body_bytes
        self._started = started
        self._refuse_for = refuse_for

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        kind = _Passage if scope["type"] == "http" else _Channel
        passage = kind(scope, receive, send, self._max_body_bytes, self._refuse_for(scope["path"]))
        scope.setdefault("state", {})["request_id"] = passage.request_id
        started = time.perf_counter()
        try:
            if _content_length(scope) > self._max_body_bytes:
                await passage.refuse(TooLarge())
            elif scope["path"] not in BEFORE_READINESS and not self._started():
                await passage.refuse(NotReady("the server is starting", retry_after_s=1))
            elif scope["path"] == STREAM:
                with self._streams.permit(0):
                    await self._app(scope, passage.receive, passage.send)
            elif scope.get("method") == "POST" and scope["path"] in SCORING:
                with self._admission.permit(_content_length(scope) or UNANNOUNCED_BYTES):
                    await self._app(scope, passage.receive, passage.send)
            else:
                await self._app(scope, passage.receive, passage.send)
        except Overloaded as refusal:
            await passage.refuse(refusal)
        except Exception as fault:
            logger.error("%s: unhandled %s", passage.request_id, where(fault))
            if not passage.status:
                await passage.refuse(InternalFault())
        finally:
            self._telemetry.answered(
                method=scope.get("method", "WEBSOCKET"),
                route=_route(scope),
                status=passage.status or CLIENT_GONE,
                seconds=time.perf_counter() - started,
                request_id=passage.request_id,
            )


class _Passage:
    """The two directions of one request."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, max_body_bytes: int, refuse: Refuse) -> None:
        self._refuse = refuse
        self._receive = receive
        self._send = send
        self.request_id = _request_id(scope)
        self._left_bytes = max_body_bytes
        self._body_is_coming = _sends_body(scope)
        self.status = 0

    async def receive(self) -> Message:
        message = await self._next()
        if self._left_bytes < 0:
            raise TooLarge
        return message

    async def _next(self) -> Message:
        message = await self._receive()
        self._body_is_coming = message["type"] == "http.request" and bool(message.get("more_body"))
        if message["type"] == "http.request":
            self._left_bytes -= len(message.get("body", b""))
        return message

    async def _linger(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._body_is_coming:
                    await self._next()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self.status >= 400:  # else whoever answers has read what it wants to, or is still reading
                await self._linger(STRANGER_LINGER_S if _asks_for_a_key(message) else LINGER_S)
            headers = list(message.get("headers", ()))
            present = {name.lower() for name, _ in headers}
            headers += [header for header in _HEADERS if header[0] not in present]
            if not present & {b"cache-control", b"etag"}:
                headers.append((b"cache-control", b"no-store"))
            message = {**message, "headers": [*headers, (b"x-request-id", self.request_id.encode())]}
        await self._send(message)

    async def refuse(self, error: PrefilterError) -> None:
        status, headers, body = self._refused(error)
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})

    def _refused(self, error: PrefilterError) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        refusal = self._refuse(error, self.request_id)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(refusal.body)).encode()),
            *((name.lower().encode(), value.encode()) for name, value in refusal.headers.items()),
        ]
        return refusal.status, headers, refusal.body


class _Channel(_Passage):
    """The two directions of one WebSocket."""

    async def receive(self) -> Message:
        return await self._receive()

    async def send(self, message: Message) -> None:
        if message["type"] == "websocket.accept":
            self.status = 101
            message = {**message, "headers": [*message.get("headers", ()), self._own_header]}
        elif message["type"] == "websocket.http.response.start":
            self.status = message["status"]
            message = {**message, "headers": [*message.get("headers", ()), *_HEADERS, self._own_header]}
        elif message["type"] == "websocket.close" and not self.status:
            self.status = 403  # what a server makes of it
        await self._send(message)

    async def refuse(self, error: PrefilterError) -> None:
        status, headers, body = self._refused(error)
        await self.send({"type": "websocket.http.response.start", "status": status, "headers": headers})
        await self.send({"type": "websocket.http.response.body", "body": body})

    @property
    def _own_header(self) -> tuple[bytes, bytes]:
        return b"x-request-id", self.request_id.encode()


def _asks_for_a_key(message: Message) -> bool:
    return any(name.lower() == b"www-authenticate" for name, _ in message.get("headers", ()))


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return str(value.decode("ascii"))
    return f"req_{secrets.token_hex(12)}"


def _sends_body(scope: Scope) -> bool:
    """Whether a body follows unasked; one announced by `Expect: 100-continue` waits to be asked for."""
    names = {name for name, _ in scope["headers"]}
    return b"expect" not in names and (b"transfer-encoding" in names or _content_length(scope) > 0)


def _content_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and len(value) < 20:
            return int(value)
    return 0


def _route(scope: Scope) -> str:
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else UNMATCHED
