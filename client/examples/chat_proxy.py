"""A proxy in front of any OpenAI-compatible chat server: every answer passes through `/v1/stream` before it is read.

    python chat_proxy.py --upstream http://127.0.0.1:8000 --prefilter http://127.0.0.1:8080 --key KEY --port 8081

Point a chat client at `http://127.0.0.1:8081/v1` and change nothing else. An answer that is cut ends with
`finish_reason: "content_filter"`, and the connection to the chat server is closed, so that it stops generating. The
last message is sent as the answer's context. Only what was screened goes out: an answer is written anew from its text
and its tool calls, and other parts of it (log-probabilities, a model's reasoning) are left out. The arguments of tool
calls are screened whole, at the end. Fails closed: while the pre-filter does not answer, no answer goes through; a chat
server that breaks off ends in an error.

Needs harm-prefilter-client, starlette and uvicorn. One answer per request (`n` of 1). Besides chat completions only
paths that generate no text pass (PASSED).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn
from prefilter_client import AsyncClient, AsyncStream, Cut, Item, PrefilterError, Retries
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

PASSED = {"/v1/embeddings", "/v1/moderations", "/tokenize", "/detokenize"}
"""Paths that may be posted to; GET and HEAD always pass."""
UNFORWARDED = {"host", "content-length", "connection", "accept-encoding", "transfer-encoding"}
UNRETURNED = {"content-length", "content-encoding", "connection", "transfer-encoding"}
FILTERED = "content_filter"
RETRY_S = 2.0
"""How long a caller waits for a pre-filter that does not answer or has no room."""
Chunk = dict[str, Any]


class Broken(Exception):
    """The chat server's answer cannot be read, or broke off."""


class Answer:
    """One streamed answer of the chat server: its text is a source to be guarded, its other parts are kept."""

    def __init__(self, upstream: httpx.Response) -> None:
        self._upstream = upstream
        self.head: Chunk = {}
        self.finish: str | None = None
        self.usage: Chunk | None = None
        self.tools: list[Chunk] = []

    async def text(self) -> AsyncIterator[str]:
        """Give the pieces of the text; closing it closes the connection to the chat server. Raises Broken."""
        try:
            async for line in self._upstream.aiter_lines():
                if not line.startswith("data:") or line.endswith("[DONE]"):
                    continue
                for piece in self._read(line.removeprefix("data:")):
                    yield piece
            if self.finish is None:
                raise Broken
        except (httpx.HTTPError, ValueError, TypeError, AttributeError, LookupError):
            raise Broken from None
        finally:
            await self._upstream.aclose()

    def _read(self, data: str) -> Iterator[str]:
        chunk = json.loads(data)
        if "error" in chunk:
            raise Broken
        self.head = {name: chunk[name] for name in ("id", "created", "model") if name in chunk}
        self.usage = chunk.get("usage") or self.usage
        for choice in chunk.get("choices") or ():
            if choice.get("index"):
                raise Broken
            self.finish = choice.get("finish_reason") or self.finish
            delta = choice.get("delta") or {}
            self.tools += delta.get("tool_calls") or ()
            for name in ("content", "refusal"):
                if delta.get(name):
                    yield str(delta[name])

    def chunk(self, delta: Chunk, finish: str | None = None) -> bytes:
        """Write one event of this answer."""
        return self.event([{"index": 0, "delta": delta, "finish_reason": finish}])

    def event(self, choices: list[Chunk], **more: Chunk) -> bytes:
        """Write one event with these choices."""
        return event({"object": "chat.completion.chunk", **self.head, "choices": choices, **more})


def event(body: Chunk) -> bytes:
    """Write a server-sent event."""
    return f"data: {json.dumps(body)}\n\n".encode()


async def chat(request: Request) -> Response:
    """Handle `POST /v1/chat/completions`, streamed or whole."""
    try:
        body = await request.json()
        context = last_message(body)
    except (ValueError, TypeError, AttributeError, LookupError):
        return refused(400, "invalid_request_error", "the body is no chat request")
    if body.get("n") not in (None, 1):
        return refused(400, "invalid_request_error", "this proxy passes one answer a request: n must be 1")
    http: httpx.AsyncClient = request.app.state.http
    asked = http.build_request("POST", "/v1/chat/completions", json=body, headers=forwarded(request))
    if body.get("stream"):
        return await streamed(request, asked, context=context)
    return await whole(request, asked, context=context)


async def whole(request: Request, asked: httpx.Request, *, context: str | None) -> Response:
    """Screen an answer that comes whole, and write it anew from the parts that were screened."""
    upstream = await request.app.state.http.send(asked)
    if upstream.status_code != 200:
        return returned(upstream, upstream.content)
    try:
        body = upstream.json()
        (choice,) = body["choices"]
        message = {name: choice["message"].get(name) for name in ("content", "refusal", "tool_calls")}
        texts = [text for text in strings(message) if text.strip()]
    except (ValueError, TypeError, AttributeError, LookupError):
        raise Broken from None
    allowed = await allows(request.app.state.prefilter, texts, context)
    said = {name: value for name, value in message.items() if value or name == "content"}
    written = {name: body[name] for name in ("id", "object", "created", "model", "usage") if name in body}
    finish = choice.get("finish_reason") if allowed else FILTERED
    answer = {"role": "assistant", **(said if allowed else {"content": ""})}
    written["choices"] = [{"index": 0, "message": answer, "finish_reason": finish}]
    return JSONResponse(written)


async def streamed(request: Request, asked: httpx.Request, *, context: str | None) -> Response:
    """Screen an answer while it is written; the stream is open before the chat server is asked."""
    prefilter: AsyncClient = request.app.state.prefilter
    stream = prefilter.stream(context=context)
    await stream.__aenter__()
    try:
        upstream = await request.app.state.http.send(asked, stream=True)
        if upstream.status_code != 200:
            return returned(upstream, await upstream.aread())
    except BaseException:
        await stream.__aexit__(None, None, None)
        raise
    return StreamingResponse(pass_on(Answer(upstream), stream, prefilter, context), media_type="text/event-stream")


async def pass_on(
    answer: Answer, stream: AsyncStream, prefilter: AsyncClient, context: str | None
) -> AsyncIterator[bytes]:
    """Give the events of a screened answer; where the pre-filter fails it ends as a cut does."""
    finish: str | None = FILTERED
    try:
        yield answer.chunk({"role": "assistant", "content": ""})
        async for text in stream.guard(answer.text()):
            yield answer.chunk({"content": text})
        if not isinstance(stream.result, Cut):
            told = [text for text in strings(answer.tools) if text.strip()]
            if not told or await allows(prefilter, ["".join(told)], context):
                for call in answer.tools:
                    yield answer.chunk({"tool_calls": [call]})
                finish = answer.finish
    except Broken:
        yield event(error("server_error", "the chat server broke off"))
        return
    except PrefilterError:
        pass
    finally:
        await stream.__aexit__(None, None, None)
    yield answer.chunk({}, finish)
    if answer.usage is not None:
        yield answer.event([], usage=answer.usage)
    yield b"data: [DONE]\n\n"


async def allows(prefilter: AsyncClient, texts: list[str], context: str | None) -> bool:
    """Say whether every text is allowed, or the policy only watches. Raises PrefilterError."""
    if not texts:
        return True
    rows = await prefilter.score([Item(text, context=context) for text in texts])
    return all(row.allowed or getattr(row, "enforced", True) is False for row in rows)


def strings(value: object) -> Iterator[str]:
    """Give every string in a JSON value, in order: tool calls differ in shape."""
    if isinstance(value, str):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from strings(part)


def last_message(body: Chunk) -> str | None:
    """Return the text of the last message: the context of the answer."""
    messages = body.get("messages") or [{}]
    content = messages[-1].get("content")
    if isinstance(content, list):
        content = "\n".join(part.get("text", "") for part in content)
    return content if isinstance(content, str) and content else None


async def pass_through(request: Request) -> Response:
    """Forward a request that generates no text, unchanged."""
    if request.method not in ("GET", "HEAD") and request.url.path not in PASSED:
        return refused(404, "invalid_request_error", "this path is not screened, so it does not pass")
    http: httpx.AsyncClient = request.app.state.http
    answer = await http.request(
        request.method, request.url.path, params=request.query_params, content=await request.body(),
        headers=forwarded(request),
    )  # fmt: skip
    return returned(answer, answer.content)


def forwarded(request: Request) -> dict[str, str]:
    """Return the headers that go to the chat server, the caller's key for it included."""
    return {name: value for name, value in request.headers.items() if name not in UNFORWARDED}


def returned(answer: httpx.Response, content: bytes) -> Response:
    """Return the chat server's answer unchanged."""
    headers = {name: value for name, value in answer.headers.items() if name not in UNRETURNED}
    return Response(content, answer.status_code, headers)


def refused(status: int, kind: str, message: str) -> Response:
    """Refuse a request."""
    return JSONResponse(error(kind, message), status)


def error(kind: str, message: str) -> Chunk:
    """Write an error in the shape chat clients read."""
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}


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
        Route("/{path:path}", pass_through, methods=methods),
    ]
    failures: dict[Any, Any] = {Broken: no_answer, httpx.HTTPError: no_answer, PrefilterError: no_prefilter}
    return Starlette(routes=routes, lifespan=running, exception_handlers=failures)


async def no_answer(_request: Request, _error: Exception) -> Response:
    """Say that the chat server failed."""
    return refused(502, "server_error", "the chat server does not answer")


async def no_prefilter(_request: Request, _error: Exception) -> Response:
    """Say that the pre-filter failed."""
    return refused(503, "server_error", "the pre-filter does not answer")


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
