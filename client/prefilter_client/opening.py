"""The opening of a WebSocket, for both streams: its arguments, and a refusal read as an HTTP answer."""

from __future__ import annotations

import ssl
from typing import Any

import httpx
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus

from prefilter_client.connection import Connection
from prefilter_client.exchange import Answer, Lost, Request
from prefilter_client.streaming import MAX_MESSAGE_BYTES
from prefilter_client.transport import lost, opening_s
from prefilter_client.version import USER_AGENT

OPENED = Answer(101, {}, b"")
FAILURES = (OSError, EOFError, InvalidHandshake, ConnectionClosed)
"""What opening a connection raises."""
PING_S = 20.0
CLOSE_S = 5.0


def open_arguments(
    connection: Connection,
    request: Request,
    timeout: httpx.Timeout | float,
    ssl_context: ssl.SSLContext | None,
) -> dict[str, Any]:
    """Return the arguments of `connect`; messages are too small to be worth compressing."""
    arguments: dict[str, Any] = {
        "uri": connection.websocket_url(request.path),
        "additional_headers": {"Authorization": connection.headers["Authorization"]},
        "user_agent_header": USER_AGENT,
        "compression": None,
        "open_timeout": opening_s(timeout),
        "ping_interval": PING_S,
        "ping_timeout": PING_S,
        "close_timeout": CLOSE_S,
        "max_size": MAX_MESSAGE_BYTES,
    }
    if ssl_context is not None and arguments["uri"].startswith("wss"):
        arguments["ssl"] = ssl_context
    return arguments


def not_opened(fault: Exception) -> Answer | Lost:
    """Return the reply of a failed opening: an answer where the service gave one."""
    if isinstance(fault, InvalidStatus):
        response = fault.response
        headers = {name.lower(): value for name, value in response.headers.raw_items()}
        return Answer(response.status_code, headers, bytes(response.body or b""))
    if isinstance(fault, (InvalidMessage, ConnectionClosed)):
        return Lost(type(fault).__name__)
    return lost(fault)
