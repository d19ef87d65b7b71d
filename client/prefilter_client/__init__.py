"""A typed client of harm-prefilter: screens items in order, guards streams, and retries what was refused.

`Client` blocks and `AsyncClient` is awaited; they have the same methods. `prefilter_client.pandas` and
`prefilter_client.datasets` screen whole tables; they are not imported here, as they need these libraries.
"""

from __future__ import annotations

from prefilter_client.async_client import AsyncClient
from prefilter_client.async_stream import AsyncStream
from prefilter_client.client import Client
from prefilter_client.errors import (
    ApiError,
    BadRequest,
    Conflict,
    ConnectionFailed,
    Forbidden,
    NotFound,
    NotReady,
    Overloaded,
    PrefilterError,
    ServerFault,
    SettingsError,
    StreamRefused,
    TimedOut,
    TooLarge,
    Unauthorised,
    UnexpectedAnswer,
    Unprocessable,
)
from prefilter_client.exchange import Retries
from prefilter_client.stream import Stream
from prefilter_client.streaming import Cut, Done, Release, Started
from prefilter_client.values import (
    CATEGORIES,
    Because,
    Decision,
    Evidence,
    Item,
    Outcome,
    Placed,
    PolicyVersion,
    RecordedDecision,
    Row,
    RowError,
    ScoreResponse,
    Tokens,
)
from prefilter_client.version import VERSION as __version__

__all__ = [
    "CATEGORIES",
    "ApiError",
    "AsyncClient",
    "AsyncStream",
    "BadRequest",
    "Because",
    "Client",
    "Conflict",
    "ConnectionFailed",
    "Cut",
    "Decision",
    "Done",
    "Evidence",
    "Forbidden",
    "Item",
    "NotFound",
    "NotReady",
    "Outcome",
    "Overloaded",
    "Placed",
    "PolicyVersion",
    "PrefilterError",
    "RecordedDecision",
    "Release",
    "Retries",
    "Row",
    "RowError",
    "ScoreResponse",
    "ServerFault",
    "SettingsError",
    "Started",
    "Stream",
    "StreamRefused",
    "TimedOut",
    "Tokens",
    "TooLarge",
    "Unauthorised",
    "UnexpectedAnswer",
    "Unprocessable",
    "__version__",
]
