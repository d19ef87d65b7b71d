"""The proxy example in front of a small chat server: a chat client reads what is allowed, and nothing unscreened."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from openai import InternalServerError, OpenAI

from chat_server import ChatServer, characters, chat_server
from fakes import CLEAN_TEXT, HARMFUL_TEXT, build_artefact
from served import key_of, server

EXAMPLE = Path(__file__).parents[2] / "client" / "examples" / "chat_proxy.py"
FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"
LONG = f"{CLEAN_TEXT} " * 12
ANSWERS = {
    "mild": f"{LONG}{FAMILY} and so on.",
    "harmful": f"{LONG}{HARMFUL_TEXT} {LONG * 20}",
    "harmful at once": HARMFUL_TEXT,
}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def proxy(upstream: str, prefilter: str, key: str) -> Iterator[OpenAI]:
    port = free_port()
    command = [sys.executable, str(EXAMPLE), "--upstream", upstream, "--prefilter", prefilter, "--port", str(port)]
    with subprocess.Popen(command, env={**os.environ, "PREFILTER_API_KEY": key}) as process:
        try:
            deadline = time.monotonic() + 20
            while True:
                try:
                    httpx.get(f"http://127.0.0.1:{port}/v1/models", timeout=5)
                    break
                except httpx.ConnectError:
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
            with OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="of the chat server", max_retries=0) as client:
                yield client
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture(scope="module")
def chat() -> Iterator[ChatServer]:
    with chat_server(ANSWERS, cut=characters, pause_s=0.001) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, chat: ChatServer) -> Iterator[OpenAI]:
    model = build_artefact(tmp_path_factory.mktemp("model") / "fake-1")
    with (
        server(tmp_path_factory.mktemp("home"), model) as started,
        proxy(chat.url.removesuffix("/v1"), started.url, key_of(started)) as client,
    ):
        yield client


def stream(client: OpenAI, prompt: str) -> tuple[list[str], str | None]:
    """The pieces of a streamed answer, and why it ended."""
    pieces, reason = [], None
    messages = [{"role": "user", "content": prompt}]
    for chunk in client.chat.completions.create(model="echo-1", messages=messages, stream=True):  # type: ignore[call-overload]
        for choice in chunk.choices:
            pieces += [choice.delta.content] if choice.delta.content else []
            reason = choice.finish_reason or reason
    return pieces, reason


def test_a_mild_answer_comes_through_as_it_was_written(client: OpenAI) -> None:
    pieces, reason = stream(client, "mild")
    assert "".join(pieces) == ANSWERS["mild"]
    assert reason == "stop"
    assert len(pieces) > 2
    assert any(FAMILY in piece for piece in pieces)  # whole, though it was written by code points


def test_a_harmful_answer_is_cut_and_the_chat_server_hung_up_on(client: OpenAI, chat: ChatServer) -> None:
    chat.hung_up.clear()
    pieces, reason = stream(client, "harmful")
    assert reason == "content_filter"
    assert LONG.startswith("".join(pieces)[: len(LONG)])
    assert HARMFUL_TEXT not in "".join(pieces)
    assert chat.hung_up.wait(10)


@pytest.mark.parametrize(("prompt", "reason"), [("mild", "stop"), ("harmful at once", "content_filter")])
def test_a_whole_answer_is_screened_too(client: OpenAI, prompt: str, reason: str) -> None:
    messages = [{"role": "user", "content": prompt}]
    choice = client.chat.completions.create(model="echo-1", messages=messages).choices[0]  # type: ignore[call-overload]
    assert choice.finish_reason == reason
    assert choice.message.content == (ANSWERS[prompt] if reason == "stop" else "")


def test_other_paths_pass_as_they_are(client: OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["echo-1"]


class Scripted(BaseHTTPRequestHandler):
    """A chat server that answers every request with the same bytes."""

    script = b""
    kind = "application/json"

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Type", self.kind)
        self.send_header("Content-Length", str(len(self.script)))
        self.end_headers()
        self.wfile.write(self.script)

    do_GET = do_POST


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a proxy before the scripted server."""
    model = build_artefact(tmp_path_factory.mktemp("model") / "fake-1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Scripted) as upstream:
        threading.Thread(target=upstream.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{upstream.server_port}"
        with (
            server(tmp_path_factory.mktemp("home"), model) as started,
            proxy(address, started.url, key_of(started)) as client,
        ):
            yield str(client.base_url)
        upstream.shutdown()


def ask(address: str, script: object, **body: object) -> httpx.Response:
    """The whole answer to a question, when the chat server answers with this script: JSON, or events."""
    if isinstance(script, list):
        Scripted.script = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in script)
    else:
        Scripted.script = json.dumps(script).encode()
    asked = {"model": "m", "messages": [{"role": "user", "content": "hello"}], **body}
    return httpx.post(f"{address}chat/completions", json=asked, timeout=30)


def whole(*messages: dict[str, object], **more: object) -> dict[str, object]:
    return {"id": "1", "choices": [{"index": i, "message": m, **more} for i, m in enumerate(messages)]}


CALL = {"id": "c", "type": "custom", "custom": {"name": "write", "input": HARMFUL_TEXT}}


@pytest.mark.parametrize(
    ("script", "finish"),
    [
        (whole({"content": HARMFUL_TEXT}, logprobs={"content": [{"token": HARMFUL_TEXT}]}), "content_filter"),
        (whole({"content": CLEAN_TEXT, "reasoning_content": HARMFUL_TEXT}, finish_reason="stop"), "stop"),
        (whole({"content": None, "tool_calls": [CALL]}), "content_filter"),
        (whole({"content": CLEAN_TEXT}, {"content": HARMFUL_TEXT}), None),
    ],
)
def test_nothing_of_a_whole_answer_goes_out_unscreened(scripted: str, script: object, finish: str | None) -> None:
    answer = ask(scripted, script)
    assert HARMFUL_TEXT not in answer.text
    if finish is None:
        assert (answer.status_code, answer.json()["error"]["type"]) == (502, "server_error")
    else:
        assert answer.json()["choices"][0]["finish_reason"] == finish


def test_nothing_of_a_streamed_answer_goes_out_unscreened(scripted: str) -> None:
    delta = {"index": 0, "delta": {"content": HARMFUL_TEXT, "tool_calls": [CALL]}, "finish_reason": "stop"}
    usage = {"total_tokens": 9}
    answer = ask(scripted, [{"choices": [delta], "usage": usage}], stream=True)
    assert HARMFUL_TEXT not in answer.text
    assert "content_filter" in answer.text
    assert '"total_tokens": 9' in answer.text


@pytest.mark.parametrize("end", [{"error": {"message": "out of memory"}}, {"choices": "no list"}])
def test_a_chat_server_that_breaks_off_ends_in_an_error(scripted: str, end: object) -> None:
    begun = {"choices": [{"index": 0, "delta": {"content": CLEAN_TEXT}}]}
    answer = ask(scripted, [begun, end], stream=True)
    assert '"error"' in answer.text
    assert '"stop"' not in answer.text


@pytest.mark.parametrize("path", ["completions", "responses", "chat/completions/"])
def test_paths_that_generate_text_unscreened_do_not_pass(scripted: str, path: str) -> None:
    assert httpx.post(f"{scripted}{path}", json={}).status_code == 404


def test_a_chat_server_that_is_down_is_a_bad_gateway(client: OpenAI, tmp_path: Path) -> None:
    model = build_artefact(tmp_path / "fake-1")
    with (
        server(tmp_path / "home", model) as started,
        proxy(f"http://127.0.0.1:{free_port()}", started.url, key_of(started)) as nobody,
        pytest.raises(InternalServerError) as failed,
    ):
        stream(nobody, "mild")
    assert failed.value.status_code == 502


def test_without_the_prefilter_no_answer_goes_through(chat: ChatServer) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    stranger = "pf_00000000_" + "x" * 43
    with proxy(chat.url.removesuffix("/v1"), nobody, stranger) as client, pytest.raises(InternalServerError):
        stream(client, "mild")
