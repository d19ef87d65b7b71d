"""The gate: a caller whose body is refused reads the reason, not a broken connection."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from prefilter.serving.admission import request_gate
from prefilter.serving.admission.permits import Permits
from prefilter.serving.admission.request_gate import RequestGate
from prefilter.serving.telemetry import Telemetry

CHUNKS = 8


class Caller:
    """Sends a body in chunks whoever reads it, and notes how much was read before the answer came."""

    def __init__(self, **headers: str) -> None:
        self.scope: dict[str, Any] = {
            "type": "http",
            "method": "POST",
            "path": "/v1/score",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        self.read = 0
        self.answers: list[tuple[int, int]] = []

    async def receive(self) -> dict[str, Any]:
        self.read += 1
        if self.read > CHUNKS:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": b"x" * 100, "more_body": self.read < CHUNKS}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.answers.append((message["status"], self.read))

    def call(
        self, app: Any, *, max_body_bytes: int = 10_000, admission: Permits | None = None
    ) -> list[tuple[int, int]]:
        passed = RequestGate(
            app,
            telemetry=Telemetry(),
            admission=admission or Permits(permits=1, max_bytes=max_body_bytes),
            streams=Permits(permits=1, max_bytes=1),
            max_body_bytes=max_body_bytes,
            started=lambda: True,
        )
        asyncio.run(passed(self.scope, self.receive, self.send))
        return self.answers


async def refuse(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 401, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def read_all(_scope: Any, receive: Any, _send: Any) -> None:
    while (await receive())["more_body"]:
        pass


def test_a_refusal_comes_after_the_body_nobody_wanted() -> None:
    assert Caller(**{"content-length": "800"}).call(refuse) == [(401, CHUNKS)]
    assert Caller(**{"transfer-encoding": "chunked"}).call(refuse) == [(401, CHUNKS)]


def test_a_body_over_the_limit_is_read_to_its_end_before_it_is_refused() -> None:
    assert Caller(**{"content-length": "800"}).call(read_all, max_body_bytes=300) == [(413, CHUNKS)]
    assert Caller(**{"transfer-encoding": "chunked"}).call(read_all, max_body_bytes=300)[0][1] == CHUNKS


def test_no_body_and_a_body_that_waits_to_be_asked_for_are_not_waited_for() -> None:
    assert Caller().call(refuse) == [(401, 0)]
    assert Caller(**{"content-length": "800", "expect": "100-continue"}).call(refuse) == [(401, 0)]


def test_a_body_that_never_ends_does_not_keep_the_answer_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_gate, "LINGER_S", 0.05)
    caller = Caller(**{"content-length": "9000"})
    caller.read = CHUNKS
    assert caller.call(refuse) == [(401, CHUNKS + 1)]


def test_without_a_permit_a_scoring_request_is_refused_and_nothing_behind_the_gate_hears_of_it() -> None:
    heard: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        heard.append(scope["path"])
        await refuse(scope, receive, send)

    caller = Caller(**{"content-length": "800"})
    admission = Permits(permits=1, max_bytes=10_000)
    with admission.permit(1):
        assert caller.call(app, admission=admission) == [(429, CHUNKS)]
        caller.scope["path"] = "/v1/queues"
        caller.call(app, admission=admission)
    assert heard == ["/v1/queues"]
    assert admission.inside == 0


async def refuse_a_wrong_key(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 400, "headers": [(b"www-authenticate", b"Bearer")]})
    await send({"type": "http.response.body", "body": b""})


def test_whoever_has_no_key_is_not_waited_for_whatever_the_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_gate, "STRANGER_LINGER_S", 0.01)
    caller = Caller(**{"transfer-encoding": "chunked"})

    async def endless() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    caller.receive = endless  # type: ignore[method-assign]
    assert [status for status, _ in caller.call(refuse_a_wrong_key)] == [400]
