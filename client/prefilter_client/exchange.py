"""One request and its answer, with retries, as a generator of steps that a client carries out.

A flow yields `Send` and is given an `Answer` or `Lost`, yields `Sleep` and is given None, and returns the result. It
does no input or output, so that the same flow serves both clients and the opening of a WebSocket. Errors are raised
here, after the library's exception is gone: that one holds the request, and with it texts, and must not be chained.
Every request may be repeated: the same id and text open no second case, an appeal returns the case that exists.
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
    """A request; `body` is JSON."""

    method: str
    path: str
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Send:
    """The step: send this request and return the answer."""

    request: Request


@dataclass(frozen=True, slots=True)
class Sleep:
    """The step: wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer; the names of `headers` are lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Lost:
    """No answer came: the kind of failure, and whether trying again can help (`passing`)."""

    kind: str
    timed_out: bool = False
    passing: bool = True


Flow = Generator[Send | Sleep, Answer | Lost | None, T]


@dataclass(frozen=True, slots=True)
class Retries:
    """When to try again, and for how long.

    No attempt begins later than `total_s` after the first; 0 means never to retry. A wait is at least what the
    service asks for in Retry-After; without that, waits double from `first_s` to `longest_s`, half of each at random.
    Where the service asks for more time than is left, there is no further attempt.
    """

    total_s: float = 120.0
    first_s: float = 0.5
    longest_s: float = 30.0

    def wait_s(self, failures: int, asked_s: float | None) -> float:
        """Return how long to wait after so many failures; at random, so that callers do not return all at once."""
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
    """Send a request once and return the reply."""
    reply = yield Send(request)
    return reply or Lost("nothing")


def _failure(reply: Answer | Lost | None) -> tuple[PrefilterError | None, bool]:
    """Return the error that a reply means, if any, and whether trying again can help."""
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
    """Return the error of an answer of 400 or more, with the service's message where the body is the service's."""
    status = answer.status
    kind = BY_STATUS.get(status) or (ServerFault if status >= 500 else ApiError)
    parts = error_parts(read_json(answer.body))
    parts.setdefault("request_id", answer.headers.get("x-request-id"))
    message = parts.pop("message", f"HTTP {status}, without an error of this service")
    return kind(message, status=status, retry_after_s=retry_after_s(answer.headers), **parts)


def error_parts(body: Any) -> dict[str, Any]:
    """Return the parts of a native error body that have the right types."""
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
    """Return the wait that Retry-After asks for, in seconds: a number, or a date minus the answer's own."""
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
