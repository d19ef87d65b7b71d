"""Fixtures of the client's stream tests: a source, both streams called in one way, a scripted server."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import pytest
from prefilter_client import AsyncClient, Client
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from client_samples import FAST
from loopback import listening


@dataclass
class Source:
    """A blocking and asynchronous source; not a generator, so that only a call closes it. `given`: what was taken."""

    pieces: Iterable[str]
    fault: BaseException | None = None
    given: list[str] = field(default_factory=list)
    closed: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.left = iter(self.pieces)

    def __iter__(self) -> Source:
        return self

    def __aiter__(self) -> Source:
        return self

    def __next__(self) -> str:
        time.sleep(0.001)
        for piece in self.left:
            self.given.append(piece)
            return piece
        raise self.fault or StopIteration

    async def __anext__(self) -> str:
        await asyncio.sleep(0)
        try:
            return next(self)
        except StopIteration:
            raise StopAsyncIteration from None

    def close(self) -> None:
        self.closed.set()

    async def aclose(self) -> None:
        self.closed.set()


@dataclass(frozen=True)
class Guard:
    """Guards a source with either client; returns what was released, and the stream afterwards."""

    kind: str

    def __call__(
        self, url: str, key: str, source: Source, *, retries: Any = FAST, **start: Any
    ) -> tuple[list[str], Any]:
        out: list[str] = []
        try:
            return out, (self._sync if self.kind == "sync" else self._async)(url, key, source, out, retries, start)
        except BaseException as fault:
            fault.out = out  # type: ignore[attr-defined]
            raise

    def _sync(self, url: str, key: str, source: Source, out: list[str], retries: Any, start: Any) -> Any:
        with Client(url, key, retries=retries) as client, client.stream(**start) as stream:
            out.extend(stream.guard(source))
            return stream

    def _async(self, url: str, key: str, source: Source, out: list[str], retries: Any, start: Any) -> Any:
        async def run() -> Any:
            async with AsyncClient(url, key, retries=retries) as client, client.stream(**start) as stream:
                async for text in stream.guard(source):
                    out.append(text)
                return stream

        return asyncio.run(run())


@pytest.fixture(params=["sync", "async"])
def guard(request: pytest.FixtureRequest) -> Guard:
    return Guard(request.param)


def words(text: str, times: int = 1) -> list[str]:
    return [word + " " for word in text.split()] * times


@dataclass
class Place:
    """A WebSocket server that sends scripted messages; `asked` counts the connections."""

    url: str
    asked: int = 0


@contextmanager
def rules_of_its_own(
    first: list[Any] | None = None, then: list[Any] | None = None, *, refusals: int = 0
) -> Iterator[Place]:
    """Send `first` after the start, `then` after the first text, and close; refuse the first `refusals` connections."""
    place = Place("")
    busy = json.dumps({"error": {"code": "overloaded", "message": "come back", "request_id": "req_1"}}).encode()

    def check(connection: ServerConnection, request: Request) -> Response | None:
        place.asked += 1
        if place.asked > refusals:
            return None
        headers = Headers({"Retry-After": "0", "Content-Length": str(len(busy)), "Connection": "close"})
        return Response(HTTPStatus.TOO_MANY_REQUESTS, "Too Many Requests", headers, busy)

    def speak(connection: ServerConnection) -> None:
        try:
            for messages in (first or [], then or []):
                connection.recv()
                for message in messages:
                    connection.send(json.dumps(message))
        except ConnectionClosed:
            pass

    with serve(speak, "127.0.0.1", 0, process_request=check) as listener:
        place.url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
        with listening(listener):
            yield place
