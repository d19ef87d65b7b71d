"""httpx, for both clients: the arguments of a request, and what a failure of it means.

Of a failure only the kind is kept: httpx's exception holds the request, and with it texts.
"""

from __future__ import annotations

import ssl
from typing import TypedDict

import httpx

from prefilter_client.connection import Connection
from prefilter_client.exchange import Lost, Request

DEFAULT_TIMEOUT = httpx.Timeout(150.0, connect=5.0)
"""Seconds. The service answers within its deadline of 120 s, with reviews for what it could not score."""
_PASSING = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError, httpx.ProxyError)


class SendArguments(TypedDict):
    """The arguments of `httpx.Client.request`."""

    method: str
    url: str
    content: bytes | None
    headers: dict[str, str]
    timeout: httpx.Timeout | float
    follow_redirects: bool


def send_arguments(connection: Connection, request: Request, timeout: httpx.Timeout | float) -> SendArguments:
    """Return the arguments of a request; redirects are not followed, as key and texts would go along."""
    headers = connection.headers
    if request.body is not None:
        headers["Content-Type"] = "application/json"
    return {
        "method": request.method,
        "url": connection.url(request.path),
        "content": request.body,
        "headers": headers,
        "timeout": timeout,
        "follow_redirects": False,
    }


def lost(fault: Exception) -> Lost:
    """Return the reply of a failed request, by the kind of its exception."""
    kind = type(fault).__name__
    if isinstance(fault, httpx.RequestError):
        return Lost(kind, isinstance(fault, httpx.TimeoutException), isinstance(fault, _PASSING))
    passing = isinstance(fault, (OSError, EOFError)) and not isinstance(fault, ssl.SSLCertVerificationError)
    return Lost(kind, isinstance(fault, TimeoutError), passing)


def opening_s(timeout: httpx.Timeout | float) -> float | None:
    """Return how long a WebSocket may take to open: connecting, and one answer."""
    bound = httpx.Timeout(timeout)
    return None if bound.connect is None or bound.read is None else bound.connect + bound.read
