"""One request and its answer, retried where that helps, told as steps that somebody else carries out.

A flow is a generator: it yields `Send` and is given an `Answer` or `Lost`, it yields `Sleep` and is given None, and
it returns what the caller wants. No input or output happens here, so that one flow serves the blocking client, the
asynchronous one and a WebSocket's opening. Errors are raised here, outside of whatever a library was
raising, so that none of its exceptions (which hold the request, and with it texts) stays chained to ours.

Everything this client sends may be sent again: the same id and text open no second case, an appeal answers the
case that it has, what is erased stays erased.
"""

from __future__ import annotations

import itertools
import json
import random
import time
from collections.abc import Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from prefilter_client.errors import (
    BY_STATUS,
    ApiError,
    ConnectionFailed,
    PrefilterError,
    ServerFault,
    TimedOut,
    UnexpectedAnswer,
)

RETRIED = frozenset({408, 429, 500, 502, 503, 504})
_MAX_MESSAGE_CHARS = 500

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be sent; `body` is JSON."""

    method: str
    path: str
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Send:
    """The step: send this, and come back with what answered."""

    request: Request


@dataclass(frozen=True, slots=True)
class Sleep:
    """The step: wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; the names of `headers` are lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Lost:
    """Nothing came back: the kind of failure, and whether trying again can help."""

    kind: str
    timed_out: bool = False
    passing: bool = True


Flow = Generator[Send | Sleep, Answer | Lost | None, T]


@dataclass(frozen=True, slots=True)
class Retries:
    """When to try again, and for how long.

    No attempt begins later than `total_s` after the first; 0 means never to retry. Waits are what the service
    asks for in Retry-After, never less, else grow from `first_s` to `longest_s`, doubling, half of it by chance.
    Where the service asks for more time than is left, it is not asked again.
    """

    total_s: float = 120.0
    first_s: float = 0.5
    longest_s: float = 30.0

    def wait_s(self, failures: int, asked_s: float | None) -> float:
        """Return how long to wait after so many failures; a little chance keeps callers from returning at once."""
        if asked_s is not None:
            return asked_s + random.uniform(0, self.first_s / 2)
        step = min(self.first_s * 2.0 ** min(failures - 1, 30), self.longest_s)
        return random.uniform(step / 2, step)


def exchange(request: Request, retries: Retries) -> Flow[Answer]:
    """Send a request until it is answered; returns an answer below 400, raises ApiError or ConnectionFailed."""
    started = time.monotonic()
    for failures in itertools.count(1):
        reply = yield Send(request)
        error, passing = _failure(reply)
        if error is None and isinstance(reply, Answer):
            return reply
        wait_s = retries.wait_s(failures, error.retry_after_s if isinstance(error, ApiError) else None)
        if not passing or time.monotonic() - started + wait_s > retries.total_s:
            raise error or UnexpectedAnswer("no answer was given")
        yield Sleep(wait_s)
    raise AssertionError("unreachable")


def once(request: Request) -> Flow[Answer | Lost]:
    """Send a request one time and return whatever came."""
    reply = yield Send(request)
    return reply or Lost("nothing")


def _failure(reply: Answer | Lost | None) -> tuple[PrefilterError | None, bool]:
    """Return the error that a reply stands for, if any, and whether it may pass."""
    if reply is None or isinstance(reply, Lost):
        return failed(reply or Lost("nothing")), reply is None or reply.passing
    if reply.status < 300 or reply.status == 101:
        return None, False
    if reply.status < 400:
        return UnexpectedAnswer(f"the address leads elsewhere (HTTP {reply.status})"), False
    return refused(reply), reply.status in RETRIED


def failed(lost: Lost) -> ConnectionFailed:
    """Return the error of a lost request."""
    if lost.timed_out:
        return TimedOut(f"no answer in time ({lost.kind})")
    return ConnectionFailed(f"no answer ({lost.kind})")


def refused(answer: Answer) -> ApiError:
    """Return the error that an answer of 400 or more tells, in the service's own words where they are its own."""
    status = answer.status
    kind = BY_STATUS.get(status) or (ServerFault if status >= 500 else ApiError)
    parts = error_parts(read_json(answer.body))
    parts.setdefault("request_id", answer.headers.get("x-request-id"))
    message = parts.pop("message", f"HTTP {status}, without an error of this service")
    return kind(message, status=status, retry_after_s=retry_after_s(answer.headers), **parts)


def error_parts(body: Any) -> dict[str, Any]:
    """Return what a native error body says, as far as it has the right types."""
    error = body.get("error") if isinstance(body, dict) else None
    found: dict[str, Any] = {}
    if isinstance(error, dict):
        for name in ("message", "code", "field", "request_id"):
            if isinstance(error.get(name), str):
                found[name] = error[name][:_MAX_MESSAGE_CHARS]
        if type(error.get("row")) is int:
            found["row"] = error["row"]
    return found


def read_json(raw: bytes | str) -> Any:
    """Return a JSON document, or None where there is none."""
    with suppress(ValueError, RecursionError):
        return json.loads(raw)
    return None


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the wait that Retry-After asks for, in seconds: a number, or a date beside the answer's own."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    until = _moment(value)
    if until is None:
        return None
    now = _moment(headers.get("date", "")) or datetime.now(timezone.utc)
    return max(0.0, (until - now).total_seconds())


def _moment(value: str) -> datetime | None:
    with suppress(ValueError, TypeError):
        found = parsedate_to_datetime(value)
        return found if found.tzinfo else found.replace(tzinfo=timezone.utc)
    return None
