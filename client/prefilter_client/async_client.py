# The source of both clients: `make unasync` writes client.py from it.
"""The asynchronous client: carries out the flows of `calls` over one httpx client.

It knows no JSON and no retry rules.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from types import TracebackType
from typing import TypeVar

import httpx

from prefilter_client import calls
from prefilter_client.async_stream import AsyncOpener, AsyncStream
from prefilter_client.batches import MAX_BYTES, MAX_ITEMS, Bounds, async_batches
from prefilter_client.calls import ScoreOptions
from prefilter_client.connection import Connection
from prefilter_client.exchange import Answer, Flow, Lost, Request, Retries, Sleep
from prefilter_client.lookahead import ASYNC_CONCURRENCY, AsyncLookahead, AsyncPause
from prefilter_client.streaming import Start
from prefilter_client.transport import DEFAULT_TIMEOUT, lost, send_arguments
from prefilter_client.values import RecordedDecision, Row, ScoreResponse
from prefilter_client.wire import Submission

T = TypeVar("T")


class AsyncClient:
    """Calls one service with one key; it belongs to one event loop.

    `base_url` and `api_key` default to PREFILTER_URL and PREFILTER_API_KEY. `timeout` bounds each attempt, in
    seconds or as an httpx.Timeout; `retries` says how long attempts are repeated. `ssl_context` serves requests and
    streams; `http` replaces the httpx client (for a proxy, say): it is used with its own settings but our timeout,
    and is not closed.

        async with AsyncClient("http://127.0.0.1:8080") as client:
            async for row in client.score_many(texts):
                print(row.allowed)
    """

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        timeout: httpx.Timeout | float = DEFAULT_TIMEOUT,
        retries: Retries | None = None,
        ssl_context: ssl.SSLContext | None = None,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        """Set up; connects at the first call. Raises SettingsError."""
        self._connection = Connection.of(base_url, api_key)
        self._timeout = timeout
        self._retries = retries or Retries()
        self._ssl_context = ssl_context
        self._owned = http is None
        self._http = http or httpx.AsyncClient(verify=ssl_context or True)

    def __repr__(self) -> str:
        """Name the service, not the key."""
        return f"AsyncClient({self._connection.base_url!r})"

    async def __aenter__(self) -> AsyncClient:
        """Return the client."""
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the client."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        if self._owned:
            await self._http.aclose()

    async def score(
        self,
        items: Submission | Iterable[Submission],
        policy: str | None = None,
        *,
        explain: bool = False,
        exact: bool = False,
    ) -> ScoreResponse:
        """Screen items in one request; returns a row for each, in their order.

        The service takes 1 to 1,000 items at once (Unprocessable otherwise): for any number, see `score_many`.
        """
        options = ScoreOptions(policy, explain, exact)
        return await self._run(calls.score(calls.as_batch(items), options, self._retries))

    def score_many(
        self,
        items: Iterable[Submission] | AsyncIterable[Submission],
        policy: str | None = None,
        *,
        explain: bool = False,
        exact: bool = False,
        max_items: int = MAX_ITEMS,
        max_bytes: int = MAX_BYTES,
        concurrency: int = ASYNC_CONCURRENCY,
    ) -> AsyncIterator[Row]:
        """Screen any number of items, in requests of up to `max_items` and `max_bytes`; rows in order, as they come.

        The items may come from an asynchronous iterable.
        Items are taken only as needed: up to `concurrency` requests are under way ahead of the row that is given
        out. An item over the service's limits is that row's error. What fails for good is raised after the rows
        before it.
        """
        bounds, options = Bounds(max_items, max_bytes), ScoreOptions(policy, explain, exact)
        if concurrency < 1:
            raise ValueError("concurrency is at least 1")
        return self._score_many(items, options, bounds, concurrency)

    async def _score_many(
        self,
        items: Iterable[Submission] | AsyncIterable[Submission],
        options: ScoreOptions,
        bounds: Bounds,
        concurrency: int,
    ) -> AsyncIterator[Row]:
        async with AsyncLookahead(self._run, concurrency) as lookahead:
            async for batch in async_batches(items, bounds):
                lookahead.start(calls.score_rows(batch, options, self._retries))
                if lookahead.full:
                    for row in await lookahead.first():
                        yield row
            while lookahead:
                for row in await lookahead.first():
                    yield row

    async def decision(self, decision_id: str) -> RecordedDecision:
        """Read a recorded decision; a pipeline's key reads only its own."""
        return await self._run(calls.decision(decision_id, self._retries))

    async def appeal(self, decision_id: str, text: str, context: str | None = None) -> str:
        """Ask for a person to look at a decision; returns the id of the case.

        The text, and the context it came with, are sent again: the service did not keep them. Another text than
        was decided is Unprocessable.
        """
        return await self._run(calls.appeal(decision_id, text, context, self._retries))

    async def erase(self, item_id: str) -> int:
        """Erase the texts and notes kept for an item; returns how many cases it had. The decision stays."""
        return await self._run(calls.erase(item_id, self._retries))

    async def ready(self) -> bool:
        """Ask once whether the service can screen now; False where nothing answers."""
        return await self._run(calls.ready())

    def stream(
        self,
        policy: str | None = None,
        *,
        id: str | None = None,  # noqa: A002
        language: str | None = None,
        source: str | None = None,
        context: str | None = None,
    ) -> AsyncStream:
        """Guard a text while it is written; see `AsyncStream`."""
        start = Start(policy=policy, id=id, language=language, source=source, context=context)
        return AsyncStream(
            start,
            connection=self._connection,
            open_with=lambda connect: self._run(calls.open_stream(self._retries), send=connect),
            timeout=self._timeout,
            ssl_context=self._ssl_context,
        )

    async def _run(self, flow: Flow[T], pause: AsyncPause = asyncio.sleep, *, send: AsyncOpener | None = None) -> T:
        """Carry out a flow's steps."""
        send = send or self._send
        reply: Answer | Lost | None = None
        while True:
            try:
                step = flow.send(reply)
            except StopIteration as end:
                returned: T = end.value
                return returned
            if isinstance(step, Sleep):
                reply = None
                await pause(step.seconds)
            else:
                reply = await send(step.request)

    async def _send(self, request: Request) -> Answer | Lost:
        try:
            response = await self._http.request(**send_arguments(self._connection, request, self._timeout))
        except httpx.RequestError as fault:
            return lost(fault)
        return Answer(response.status_code, response.headers, response.content)
