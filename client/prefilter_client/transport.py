"""httpx, as far as both clients share it: what a request is made of, and what a failure of it means.

The failure's own exception holds the request, and with it texts: only its kind goes on.
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
    """Return what httpx needs to send a request; a redirect is never followed with a key and texts."""
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
    """Return what a failure means, by its kind."""
    kind = type(fault).__name__
    if isinstance(fault, httpx.RequestError):
        return Lost(kind, isinstance(fault, httpx.TimeoutException), isinstance(fault, _PASSING))
    passing = isinstance(fault, (OSError, EOFError)) and not isinstance(fault, ssl.SSLCertVerificationError)
    return Lost(kind, isinstance(fault, TimeoutError), passing)


def opening_s(timeout: httpx.Timeout | float) -> float | None:
    """Return how long a WebSocket may take to open: connecting, and one answer."""
    bound = httpx.Timeout(timeout)
    return None if bound.connect is None or bound.read is None else bound.connect + bound.read
