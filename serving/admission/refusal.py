"""A refusal: an error as the bytes of an answer, in the error shape of the API that was called.

The native shape is here, those of third-party APIs are in `compat`. Plain values, so that the gate, which runs outside
any framework, and the application's handlers answer alike.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NotRequired

from typing_extensions import TypedDict

from prefilter.serving.errors import PrefilterError, Unauthorised


@dataclass(frozen=True, slots=True)
class Refusal:
    """A whole answer: its status, its headers beside those of every answer, and its JSON body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Refuse = Callable[[PrefilterError, str | None], Refusal]
"""Writes the refusal of one request: of the error, and the request's id where it is known."""


class _Where(TypedDict):
    field: NotRequired[str]
    row: NotRequired[int]


class ErrorFields(_Where):
    """What went wrong; `field` and `row` say where in the request."""

    code: str
    message: str
    request_id: str | None


class NativeError(TypedDict):
    """An error of the native API."""

    error: ErrorFields


def native_body(error: PrefilterError, request_id: str | None) -> NativeError:
    """Return an error as the native API writes it, without empty keys."""
    where: _Where = {}
    if error.field is not None:
        where["field"] = error.field
    if error.row is not None:
        where["row"] = error.row
    return {"error": {"code": error.code, "message": error.message, **where, "request_id": request_id}}


def native(error: PrefilterError, request_id: str | None) -> Refusal:
    """Return the refusal of the native API: `{"error": {"code", "message", "field"?, "row"?, "request_id"}}`."""
    return written(error, error.status, native_body(error, request_id))


def written(error: PrefilterError, status: int, body: Mapping[str, object]) -> Refusal:
    """Return `body` as a refusal with the headers that every API sends: when to try again, what credentials."""
    headers: dict[str, str] = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, Unauthorised):
        headers["WWW-Authenticate"] = "Bearer"
    return Refusal(status, headers, json.dumps(body, ensure_ascii=True, separators=(",", ":")).encode("ascii"))
