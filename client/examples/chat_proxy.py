"""A proxy before any OpenAI-compatible chat server: its answers pass through `/v1/stream` before anybody reads them.

    python chat_proxy.py --upstream http://127.0.0.1:8000 --prefilter http://127.0.0.1:8080 --key KEY --port 8081

Point a chat client at `http://127.0.0.1:8081/v1` and change nothing else. An answer that is cut ends with
`finish_reason: "content_filter"`, and the chat server is hung up on, so that it stops generating. The last message
goes along as what the answer answers. What a model wants a tool to do is screened whole, when it is known. Fails
closed: while the pre-filter does not answer, no answer goes through.

Needs harm-prefilter-client, starlette and uvicorn. One answer a request (`n` of 1); all other paths pass as they are.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn
from prefilter_client import AsyncClient, AsyncStream, Cut, Item, PrefilterError, Retries
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

UNFORWARDED = {"host", "content-length", "connection", "accept-encoding", "transfer-encoding"}
UNRETURNED = {"content-length", "content-encoding", "connection", "transfer-encoding"}
FILTERED = "content_filter"
RETRY_S = 2.0
"""How long a reader waits for a pre-filter that does not answer, or has no room."""
Chunk = dict[str, Any]


class Answer:
    """One streamed answer of the chat server, taken apart: its text is a source, the rest is kept."""

    def __init__(self, upstream: httpx.Response) -> None:
        self._upstream = upstream
        self.head: Chunk = {}
        self.finish: str | None = "stop"
        self.usage: Chunk | None = None
        self.tools: list[Chunk] = []

    async def text(self) -> AsyncIterator[str]:
        """Give the pieces of the text; closing it hangs up on the chat server."""
        try:
            async for line in self._upstream.aiter_lines():
                if not line.startswith("data:") or line.endswith("[DONE]"):
                    continue
                chunk = json.loads(line.removeprefix("data:"))
                self.head = {name: chunk[name] for name in ("id", "created", "model") if name in chunk}
                self.usage = chunk if chunk.get("usage") else self.usage
                for choice in chunk.get("choices", ()):
                    self.finish = choice.get("finish_reason") or self.finish
                    delta = choice.get("delta") or {}
                    self.tools += delta.get("tool_calls") or ()
                    for name in ("content", "refusal"):
                        if delta.get(name):
                            yield delta[name]
        finally:
            await self._upstream.aclose()

    def chunk(self, delta: Chunk, finish: str | None = None) -> bytes:
        """Write one event of this answer."""
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return event({"object": "chat.completion.chunk", **self.head, "choices": [choice]})


def event(body: Chunk) -> bytes:
    """Write a server-sent event."""
    return f"data: {json.dumps(body)}\n\n".encode()


async def chat(request: Request) -> Response:
    """Answer `POST /v1/chat/completions`, streamed or whole."""
    body = await request.json()
    if body.get("n", 1) != 1:
        return refused(400, "invalid_request_error", "this proxy passes one answer a request: n must be 1")
    http: httpx.AsyncClient = request.app.state.http
    asked = http.build_request("POST", "/v1/chat/completions", json=body, headers=forwarded(request))
    upstream = await http.send(asked, stream=True)
    if upstream.status_code != 200:
        return returned(upstream, await upstream.aread())
    screen = whole if not body.get("stream") else streamed
    return await screen(request, upstream, context=last_message(body))


async def whole(request: Request, upstream: httpx.Response, *, context: str | None) -> Response:
    """Screen an answer that came whole."""
    body = json.loads(await upstream.aread())
    choice = body["choices"][0]
    message = choice["message"]
    texts = [message.get("content"), message.get("refusal"), arguments(message.get("tool_calls") or ())]
    try:
        allowed = await allows(request.app.state.prefilter, [text for text in texts if text and text.strip()], context)
    except PrefilterError:
        return refused(503, "server_error", "the pre-filter does not answer")
    if not allowed:
        choice["message"] = {"role": "assistant", "content": ""}
        choice["finish_reason"] = FILTERED
    return JSONResponse(body)


async def streamed(request: Request, upstream: httpx.Response, *, context: str | None) -> Response:
    """Screen an answer while it is written; the stream is open before the first byte goes out."""
    prefilter: AsyncClient = request.app.state.prefilter
    stream = prefilter.stream(context=context)
    try:
        await stream.__aenter__()
    except PrefilterError:
        await upstream.aclose()
        return refused(503, "server_error", "the pre-filter does not answer")
    return StreamingResponse(pass_on(Answer(upstream), stream, prefilter, context), media_type="text/event-stream")


async def pass_on(
    answer: Answer, stream: AsyncStream, prefilter: AsyncClient, context: str | None
) -> AsyncIterator[bytes]:
    """Give the events of a screened answer; whatever fails ends it as a cut does."""
    finish: str | None = FILTERED
    try:
        yield answer.chunk({"role": "assistant", "content": ""})
        async for text in stream.guard(answer.text()):
            yield answer.chunk({"content": text})
        if not isinstance(stream.result, Cut):
            called = arguments(answer.tools)
            if not called or await allows(prefilter, [called], context):
                for call in answer.tools:
                    yield answer.chunk({"tool_calls": [call]})
                finish = answer.finish
    except (PrefilterError, httpx.HTTPError):
        pass
    finally:
        await stream.__aexit__(None, None, None)
    yield answer.chunk({}, finish)
    if answer.usage is not None:
        yield event(answer.usage)
    yield b"data: [DONE]\n\n"


async def allows(prefilter: AsyncClient, texts: list[str], context: str | None) -> bool:
    """Say whether every text is allowed, or would be, were the policy enforced by nobody."""
    if not texts:
        return True
    rows = await prefilter.score([Item(text, context=context) for text in texts])
    return all(row.allowed or getattr(row, "enforced", True) is False for row in rows)


def arguments(calls: Iterable[Chunk]) -> str:
    """Return what tools are told, the pieces of streamed calls together."""
    return "".join((call.get("function") or {}).get("arguments") or "" for call in calls)


def last_message(body: Chunk) -> str | None:
    """Return the text of the last message: what the answer answers."""
    messages = body.get("messages") or [{}]
    content = messages[-1].get("content")
    if isinstance(content, list):
        content = "\n".join(part.get("text", "") for part in content)
    return content or None


async def others(request: Request) -> Response:
    """Pass any other path on as it is."""
    http: httpx.AsyncClient = request.app.state.http
    answer = await http.request(
        request.method, request.url.path, params=request.query_params, content=await request.body(),
        headers=forwarded(request),
    )  # fmt: skip
    return returned(answer, answer.content)


def forwarded(request: Request) -> dict[str, str]:
    """Return the headers that go to the chat server, the caller's key among them."""
    return {name: value for name, value in request.headers.items() if name not in UNFORWARDED}


def returned(answer: httpx.Response, content: bytes) -> Response:
    """Return the chat server's own answer."""
    headers = {name: value for name, value in answer.headers.items() if name not in UNRETURNED}
    return Response(content, answer.status_code, headers)


def refused(status: int, kind: str, message: str) -> Response:
    """Return an error in the shape chat clients read."""
    return JSONResponse({"error": {"message": message, "type": kind, "param": None, "code": None}}, status)


def create_app(*, upstream: str, prefilter: str, key: str | None) -> Starlette:
    """Build the proxy."""

    @asynccontextmanager
    async def running(app: Starlette) -> AsyncIterator[None]:
        client = AsyncClient(prefilter, key, retries=Retries(total_s=RETRY_S))
        async with httpx.AsyncClient(base_url=upstream, timeout=600) as http, client:
            app.state.http, app.state.prefilter = http, client
            yield

    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    routes = [
        Route("/v1/chat/completions", chat, methods=["POST"]),
        Route("/{path:path}", others, methods=methods),
    ]
    return Starlette(routes=routes, lifespan=running)


def main() -> None:
    """Serve until it is stopped."""
    parser = argparse.ArgumentParser(description="A pre-filter before an OpenAI-compatible chat server.")
    parser.add_argument("--upstream", required=True, help="the chat server, without /v1")
    parser.add_argument("--prefilter", help="the pre-filter; default: PREFILTER_URL")
    parser.add_argument("--key", help="a pipeline's key; default: PREFILTER_API_KEY")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8081)
    given = parser.parse_args()
    app = create_app(upstream=given.upstream, prefilter=given.prefilter, key=given.key)
    uvicorn.run(app, host=given.host, port=given.port, log_level="warning")


if __name__ == "__main__":
    main()
