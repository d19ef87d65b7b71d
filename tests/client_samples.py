"""Fixtures of the client's tests: both clients called in one way, real servers, and a proxy with hurdles.

The proxy is a real HTTP server on loopback that refuses, drops or delays the requests it forwards.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefilter_client import AsyncClient, Client, Retries

from loopback import listening
from served import Started, key_of, server

ROOT = Path(__file__).resolve().parent.parent
CLEAN, FOREIGN = "Have a good day.", "Guten Tag, wie geht es Ihnen heute? Der Zug kommt um neun Uhr."
"""A text that the shipped model allows, and one that it cannot read: a review."""
FAST = Retries(total_s=20.0, first_s=0.02, longest_s=5.0)
NEVER = Retries(total_s=0.0)


@dataclass(frozen=True)
class Served:
    """A running server and a key to it."""

    url: str
    key: str
    started: Started


@contextmanager
def served(home: Path, model: Path, **settings: str) -> Iterator[Served]:
    with server(home, model, **settings) as started:
        yield Served(started.url, key_of(started), started)


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with the shipped model."""
    with served(tmp_path_factory.mktemp("served") / "home", Path("prefilter-en-2")) as found:
        yield found


@dataclass(frozen=True)
class Caller:
    """Calls `Client` or `AsyncClient`, which must answer alike."""

    kind: str
    retries: Retries = FAST

    def __call__(self, served: Served, method: str, *args: Any, url: str | None = None, **more: Any) -> Any:
        """Call a method with a client of its own; what comes as an iterator is returned as a list."""
        where = url or served.url
        if self.kind == "sync":
            with Client(where, served.key, retries=self.retries) as client:
                answer = getattr(client, method)(*args, **more)
                return list(answer) if isinstance(answer, Iterator) else answer
        return asyncio.run(self._awaited(where, served.key, method, *args, **more))

    async def _awaited(self, url: str, key: str, method: str, *args: Any, **more: Any) -> Any:
        async with AsyncClient(url, key, retries=self.retries) as client:
            answer = getattr(client, method)(*args, **more)
            return [row async for row in answer] if isinstance(answer, AsyncIterator) else await answer


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Caller:
    return Caller(request.param)


@dataclass(frozen=True)
class Hurdle:
    """What happens to one request: this answer, or (status 0) a closed connection; `late`: after it was forwarded."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    late: bool = False


@dataclass
class Course:
    """A proxy with hurdles: its address, and when which request came."""

    url: str
    seen: list[tuple[float, str]] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    @property
    def gaps(self) -> list[float]:
        """The seconds between one request and the next."""
        times = [moment for moment, _ in self.seen]
        return [after - before for before, after in itertools.pairwise(times)]

    def wait_for(self, requests: int) -> None:
        """Wait until so many requests have come."""
        until = time.monotonic() + 10
        while len(self.seen) < requests:
            assert time.monotonic() < until
            time.sleep(0.005)


@contextmanager
def hurdles(target: str, *script: Hurdle | None, delay_s: float = 0.0) -> Iterator[Course]:
    """Serve on a free port: a hurdle, or None, for each of the first requests; the rest goes on to `target`."""
    course, lock, left = Course(""), threading.Lock(), list(script)

    class Handler(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length", 0)))
            with lock:
                course.seen.append((time.monotonic(), f"{self.command} {self.path}"))
                course.at_once += 1
                course.most_at_once = max(course.most_at_once, course.at_once)
                hurdle = left.pop(0) if left else None
            time.sleep(delay_s)
            if hurdle is None or hurdle.late:
                headers = {"authorization": self.headers["authorization"]}
                answer = httpx.request(self.command, target + self.path, content=raw, headers=headers, timeout=30)
            with lock:
                course.at_once -= 1
            if hurdle is None:
                kept = {"content-type", "x-request-id", "retry-after"}
                self.answer(answer.status_code, {k: v for k, v in answer.headers.items() if k in kept}, answer.content)
            elif hurdle.status:
                self.answer(hurdle.status, hurdle.headers, hurdle.body.encode())

        def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
            self.send_response_only(status)
            for name, value in {**headers, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = handle_one

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        course.url = f"http://127.0.0.1:{listener.server_address[1]}"
        with listening(listener, poll_interval=0.02):
            yield course
