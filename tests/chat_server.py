"""A small OpenAI-compatible chat server: real HTTP over loopback, streamed or whole, the same answer every time.

The last message chooses the answer: a key of `answers` gets the answer stored for it, any other message is
echoed. `seen` keeps every request's body, so that a test can say what never reached the model; `hung_up` is set
when a reader left in the middle of a stream. It knows nothing of moderation.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from loopback import listening

MODEL = "echo-1"
Cut = Callable[[str], Sequence[str]]


def words(text: str) -> list[str]:
    """Cut an answer as a model would stream it: a word and the space before it."""
    return re.findall(r"\s*\S+|\s+$", text)


def characters(text: str) -> list[str]:
    """Cut an answer into single code points: in the middle of words, of emoji of several code points too."""
    return list(text)


class ChatServer(ThreadingHTTPServer):
    """The server: its `url` (with `/v1`), the bodies it has `seen`, whether a reader `hung_up`."""

    daemon_threads = True

    def __init__(self, answers: Mapping[str, str], cut: Cut, pause_s: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers, self.cut, self.pause_s = answers, cut, pause_s
        self.url = f"http://127.0.0.1:{self.server_port}/v1"
        self.seen: list[dict[str, Any]] = []
        self.hung_up = threading.Event()

    @property
    def prompts(self) -> list[str]:
        """The last message of every request, in order."""
        return [prompt_of(body) for body in self.seen]


@contextmanager
def chat_server(
    answers: Mapping[str, str] | None = None, *, cut: Cut = words, pause_s: float = 0.0
) -> Iterator[ChatServer]:
    """Start one on a free port; `cut` says where a streamed answer is cut, `pause_s` how long between pieces."""
    with ChatServer(answers or {}, cut, pause_s) as server, listening(server, poll_interval=0.05):
        yield server


def prompt_of(body: Mapping[str, Any]) -> str:
    """Return the text of the last message, whether it is a string or parts."""
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


class _Handler(BaseHTTPRequestHandler):
    server: ChatServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Print nothing: what is asked stays in `seen`."""

    def do_GET(self) -> None:
        if self.path != "/v1/models":
            return self._whole(404, _error("no such path"))
        return self._whole(200, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path != "/v1/chat/completions":
            return self._whole(404, _error("no such path"))
        try:
            body = json.loads(raw)
            prompt = prompt_of(body)
        except (ValueError, TypeError, LookupError, AttributeError):
            return self._whole(400, _error("messages are missing"))
        self.server.seen.append(body)
        text = self.server.answers.get(prompt, f"You said: {prompt}")
        if body.get("stream"):
            return self._streamed(text, (body.get("stream_options") or {}).get("include_usage", False))
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        return self._whole(200, {**_head("chat.completion"), "choices": [choice], "usage": _usage(text)})

    def _whole(self, status: int, body: Mapping[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _streamed(self, text: str, with_usage: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            self._event({"role": "assistant", "content": ""})
            for piece in self.server.cut(text):
                self._event({"content": piece})
                time.sleep(self.server.pause_s)
            self._event({}, finish="stop")
            if with_usage:
                self._send({**_head("chat.completion.chunk"), "choices": [], "usage": _usage(text)})
            self._chunk(b"data: [DONE]\n\n")
            self._chunk(b"")
        except (BrokenPipeError, ConnectionResetError):
            self.server.hung_up.set()
            self.close_connection = True

    def _event(self, delta: Mapping[str, str], finish: str | None = None) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        self._send({**_head("chat.completion.chunk"), "choices": [choice]})

    def _send(self, body: Mapping[str, Any]) -> None:
        self._chunk(f"data: {json.dumps(body)}\n\n".encode())

    def _chunk(self, content: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(content), content))
        self.wfile.flush()


def _head(kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1_700_000_000, "model": MODEL}


def _usage(text: str) -> dict[str, int]:
    n = len(text.split())
    return {"prompt_tokens": n, "completion_tokens": n, "total_tokens": 2 * n}


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}
