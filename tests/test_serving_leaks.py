"""What people wrote never comes back by a side door: not in errors, headers, logs, metrics or stored rows.

A canary text is sent down every route and into every failure; afterwards it may stand only where a case
keeps it.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from serving_client import Service, service

CANARY = "kanarienvogel im bergwerk"
NAMED = f"{CANARY} threat=0.5"

Call = tuple[str, str, dict[str, Any]]


@pytest.fixture
def running(sqlite_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Service]:
    with caplog.at_level(logging.DEBUG), service(sqlite_url, tmp_path, max_body_bytes=5_000) as started:
        yield started


def bodies(text: str) -> list[bytes]:
    """Return broken bodies, each with the text in another wrong place."""
    good = json.dumps({"items": [{"text": text}]})
    shapes: list[Any] = [
        text, [text], {"items": text}, {"items": [text]}, {"items": [[text]]}, {"items": [{"text": [text]}]},
        {"items": [{"text": text, "id": {text: text}}]}, {"items": [{"text": text, "context": text}]},
        {"items": [{"text": text, text: text}]}, {"items": [{"text": "x"}], "policy": text},
        {"items": [{"text": "x"}], text: 1}, {"items": [{"text": "x"}], "explain": text},
        {"items": [{"text": text, "source": text + "\x00"}]}, {"items": [{"text": text, "id": "\ud800"}]},
        {"items": [{"text": text * 500}]}, {"lease_token": text, "labels": {text: text}, "outcome": text},
        {"categories": {text: {"review": 0.5}}, "reason": "r"}, {"categories": text, "reason": "r"},
        {"categories": {"threat": {text: text}}, "reason": "r"}, {"role": text, "name": text}, {"text": text},
        {"categories": {"threat": {"review": text}}, "reason": "r", "sources": {text: text}},
    ]  # fmt: skip
    return [
        good.encode()[:-3],
        good.encode() + b"x",
        text.encode(),
        good.encode().replace(b"im", b"\xff"),
        *(json.dumps(shape).encode() for shape in shapes),
    ]


def routes(running: Service, parameter: str = "1") -> list[tuple[str, str]]:
    """Return every method and path of the API, parameters filled in."""
    found = []
    for path, operations in running.app.openapi()["paths"].items():
        for name in ("name", "case_id", "decision_id", "key_id", "version", "item_id"):
            path = path.replace(f"{{{name}}}", parameter)
        found += [(method.upper(), path) for method in operations]
    return found


def assert_silent(running: Service, caplog: pytest.LogCaptureFixture, *texts: str) -> None:
    metrics = running.client.get("/metrics").text
    ours = [str(vars(record)) for record in caplog.records if record.name != "httpx2"]  # the client's own
    for said in (*texts, metrics, *ours):
        assert "kanarienvogel" not in said


def test_no_route_repeats_what_it_could_not_read(running: Service, caplog: pytest.LogCaptureFixture) -> None:
    asked = routes(running)
    assert len(asked) > 25
    for method, path in asked:
        said = []
        for body in bodies(CANARY):
            answer = running.call(method, path, content=body, headers={"Idempotency-Key": "k"})
            said.append(answer.text + str(answer.headers))
            assert answer.status_code < 500
        assert_silent(running, caplog, *said)


def test_neither_queries_nor_paths_reach_the_log(running: Service, caplog: pytest.LogCaptureFixture) -> None:
    said = [
        running.call(method, path, params={"key": CANARY, "action": CANARY}).text
        for method, path in [*routes(running), ("GET", f"/v1/{CANARY}"), ("GET", f"/{CANARY}")]
    ]
    said.append(running.call("DELETE", f"/v1/items/{CANARY}").text)
    assert_silent(running, caplog, *said)


def test_what_no_database_holds_in_a_path_or_query_is_no_fault(database_url: str, tmp_path: Path) -> None:
    bodies_of = (
        {"lease_token": "x"},
        {"reason": "r"},
        {"categories": {"hate": {"review": 0.1}}, "reason": "r"},
    )
    with service(database_url, tmp_path) as running:
        for method, path in routes(running, "a%00b"):
            for body in bodies_of:
                answer = running.call(method, path + "?action=a%00b", json=body)
                assert answer.status_code < 500, path


def test_a_scored_item_leaves_no_text_outside_its_case(
    running: Service, caplog: pytest.LogCaptureFixture
) -> None:
    running.score({"text": "calm", "context": CANARY}, {"text": "calm faulty", "context": CANARY})
    for text in (CANARY, NAMED, f"{CANARY} faulty", f"{CANARY} foreign", f"{CANARY} threat=0.99"):
        said = running.score({"id": "a", "text": text}, explain=True).text
        assert_silent(running, caplog, said)


@pytest.mark.parametrize(
    "broken",
    [
        "prefilter.serving.triage.case_intake.CaseIntake.open_cases",
        "prefilter.serving.screening.screening.decide",
        "prefilter.serving.api.score_routes._render",
        "prefilter.serving.api.score_routes.read_score_request",
    ],
)
def test_an_exception_that_quotes_the_text_stays_inside(
    running: Service, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def fail(*_args: object, **_named: object) -> None:
        raise RuntimeError(NAMED)

    monkeypatch.setattr(broken, fail)
    answer = running.call("POST", "/v1/score", json={"items": [{"text": NAMED}]})
    assert answer.status_code in (500, 503)
    assert_silent(running, caplog, answer.text)
    assert "RuntimeError at" in caplog.text


def test_a_database_error_prints_no_parameters(
    running: Service, caplog: pytest.LogCaptureFixture, sqlite_url: str
) -> None:
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as conn:
        conn.execute("DROP TABLE case_texts")
    conn.close()
    answer = running.call("POST", "/v1/score", json={"items": [{"text": NAMED}]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "database_unavailable")
    assert_silent(running, caplog, answer.text)


def test_only_the_case_keeps_the_text_and_erasure_takes_it(running: Service, sqlite_url: str) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    running.score({"id": "a", "text": NAMED}, {"id": "b", "text": CANARY})
    running.score(
        {"id": "a", "text": "threat=0.5", "context": CANARY}, {"id": "c", "text": "x", "context": CANARY}
    )
    with sqlite3.connect(path) as conn:
        tables = [name for (name,) in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        holding = [t for t in tables if "kanarienvogel" in str(conn.execute(f"SELECT * FROM {t}").fetchall())]
    conn.close()
    assert holding == ["case_texts"]
    running.call("DELETE", "/v1/items/a", "pipeline")
    assert b"kanarienvogel" not in b"".join(p.read_bytes() for p in path.parent.glob(f"{path.name}*"))
