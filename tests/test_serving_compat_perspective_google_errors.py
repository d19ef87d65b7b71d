"""The failures of the Perspective door: Google's words, and nothing of a comment or a key in them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from perspective_client import ANALYZE, CANARY, SUGGEST, analyze, error_type, failure, recorded
from serving_client import Service, service


@pytest.fixture
def running(sqlite_url: str, tmp_path: Path) -> Iterator[Service]:
    with service(sqlite_url, tmp_path) as started:
        yield started


WRONG: list[tuple[dict[str, Any], str | None, str]] = [
    ({"comment": {"text": " \n"}}, "COMMENT_EMPTY", "Comment must be non-empty."),
    ({"comment": None}, "COMMENT_EMPTY", "Comment must be non-empty."),
    ({"comment": {"text": "<p> </p>", "type": "HTML"}}, "COMMENT_EMPTY", "Comment must be non-empty."),
    ({"comment": {"text": "\u00e9" * 10_241}}, "COMMENT_TOO_LONG", "Comment text too long."),
    ({"comment": {"text": "<b>" * 7_000 + "a", "type": "HTML"}}, "COMMENT_TOO_LONG", "Comment text too long."),
    ({"requestedAttributes": {}}, "NO_REQUESTED_ATTRIBUTES", "Missing requested_attributes"),
    ({"requestedAttributes": {"FLIRTATION": {}}}, "INVALID_REQUEST", "Unknown requested attribute: FLIRTATION."),
    (
        {"requestedAttributes": {"INSULT": {"scoreType": "RAW"}}},
        "INVALID_REQUEST",
        "Requested score type is not supported by attribute INSULT",
    ),
    ({"comment": {"text": "a", "type": "RTF"}}, "INVALID_REQUEST", "Unknown text type"),
    (
        {"context": {"entries": [{"text": "a"}], "articleAndParentComment": {}}},
        "INVALID_REQUEST",
        "Context can have either entries or article_and_parent_comment",
    ),
    (
        {"languages": ["xx"]},
        "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE",
        "Attribute TOXICITY does not support request languages: xx",
    ),
    (
        {"comment": {"text": "foreign"}},
        "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE",
        "Attribute TOXICITY does not support request languages: en",
    ),
    ({"unheard": 1}, None, 'Invalid JSON payload received. Unknown name "unheard": Cannot find field.'),
    (
        {"comment": {"text": "a", "lang": "en"}},
        None,
        "Invalid JSON payload received. Unknown name \"lang\" at 'comment': Cannot find field.",
    ),
    ({"doNotStore": "yes"}, None, "Invalid value at 'doNotStore', must be true or false"),
    ({"comment": {"text": 1}}, None, "Invalid value at 'comment.text', must be a string"),
    ({"comment": ["a"]}, None, "Invalid value at 'comment', must be an object"),
    ({"languages": [1]}, None, "Invalid value at 'languages'"),
    ({"requestedAttributes": {"INSULT": {"scoreThreshold": "0.5"}}}, None, "Invalid value at 'requested_attributes"),
    ({"clientToken": "a", "client_token": "b"}, None, "Invalid JSON payload received. A name stands twice"),
]


@pytest.mark.parametrize(("changed", "kind", "message"), WRONG, ids=[message[:60] for *_, message in WRONG])
def test_what_is_wrong_is_said_in_perspectives_words(
    running: Service, changed: dict[str, Any], kind: str | None, message: str
) -> None:
    response = analyze(running, "calm", **changed)
    status, word, said = failure(response)
    assert (status, word, said[: len(message)]) == (400, "INVALID_ARGUMENT", message)
    if kind is None:
        assert response.json()["error"]["details"][0]["fieldViolations"][0]["description"] == said
    else:
        assert error_type(response) == kind


def test_a_lone_surrogate_is_no_text(running: Service) -> None:
    raw = json.dumps({"comment": {"text": "\ud800"}, "requestedAttributes": {"INSULT": {}}})
    response = running.client.post(ANALYZE, params={"key": running.keys["admin"]}, content=raw)
    assert failure(response) == (400, "INVALID_ARGUMENT", "Invalid value at 'comment.text'")


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'{"comment": {"text": "a", "text": "b"}}', b'{"a": NaN}', b""])
def test_a_body_that_is_no_message_is_400(running: Service, body: bytes) -> None:
    for path in (ANALYZE, SUGGEST):
        response = running.client.post(path, params={"key": running.keys["admin"]}, content=body)
        assert failure(response)[:2] == (400, "INVALID_ARGUMENT")


def test_a_comment_up_to_the_limit_is_scored(running: Service) -> None:
    assert analyze(running, "\u00e9" * 10_240).status_code == 200


@pytest.mark.parametrize(
    ("text", "languages", "reason", "status", "word"),
    [
        ("faulty", [], "internal_fault", 500, "INTERNAL"),
        ("stuck", [], "deadline", 504, "DEADLINE_EXCEEDED"),
        ("foreign", [], "unreadable_language", 400, "INVALID_ARGUMENT"),
        ("calm", ["xx"], "unreadable_language", 400, "INVALID_ARGUMENT"),
    ],
)
def test_a_comment_without_scores_is_recorded_for_a_person_and_never_scored_low(
    sqlite_url: str, tmp_path: Path, text: str, languages: list[str], reason: str, status: int, word: str
) -> None:
    with service(sqlite_url, tmp_path, deadline_ms=300) as running:
        response = analyze(running, text, spanAnnotations=True, languages=languages)
        assert failure(response)[:2] == (status, word)
        assert recorded(running) == [("review", reason)]
        assert "attributeScores" not in response.text
        running.scorer.release.set()


def test_other_failures_of_the_api_are_googles_too(sqlite_url: str, tmp_path: Path) -> None:
    with service(sqlite_url, tmp_path, max_body_bytes=2_000, max_queued_tokens=1) as running:
        client, key = running.client, {"key": running.keys["pipeline"]}
        too_large = client.post(ANALYZE, params=key, content=b" " * 2_001)
        assert failure(too_large)[:2] == (413, "INVALID_ARGUMENT")
        assert failure(client.get(ANALYZE, params=key))[:2] == (405, "UNIMPLEMENTED")
        assert failure(client.post("/v1alpha1/comments:delete", params=key))[:2] == (404, "NOT_FOUND")
        assert failure(client.get("/$discovery/rest?version=v2"))[:2] == (404, "NOT_FOUND")
        assert failure(client.get("/$discovery/rest", headers={"host": "a'b"}))[:2] == (400, "INVALID_ARGUMENT")
        running.app.state.parts.admission._bytes = running.app.state.parts.settings.max_waiting_bytes
        running.app.state.parts.admission.inside = 1
        busy = analyze(running, "calm")
        running.app.state.parts.admission.inside = 0
        assert failure(busy)[:2] == (429, "RESOURCE_EXHAUSTED")
        assert busy.json()["error"]["details"][1]["retryDelay"] == f"{busy.headers['retry-after']}s"
        client.portal.call(running.app.state.running.engine.stop)  # type: ignore[union-attr]
        assert failure(analyze(running, "calm"))[:2] == (503, "UNAVAILABLE")


def test_a_fault_says_only_that_it_is_one(
    running: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_args: object, **_named: object) -> None:
        raise RuntimeError(CANARY)

    monkeypatch.setattr("prefilter.serving.compat.perspective.comment_routes._scores", fail)
    response = analyze(running, CANARY)
    assert failure(response)[:2] == (500, "INTERNAL")
    assert "kanarienvogel" not in response.text + caplog.text


def test_a_key_comes_by_query_by_header_or_as_a_bearer(running: Service) -> None:
    body, key = {"comment": {"text": "calm"}, "requestedAttributes": {"INSULT": {}}}, running.keys["pipeline"]
    ways: tuple[dict[str, Any], ...] = (
        {"params": {"key": key}},
        {"headers": {"X-Goog-Api-Key": key}},
        {"headers": {"Authorization": f"Bearer {key}"}},
    )
    assert [running.client.post(ANALYZE, json=body, **way).status_code for way in ways] == [200, 200, 200]
    assert analyze(running, "calm", role="admin").status_code == 200


def test_a_wrong_key_is_told_from_a_wrong_comment_as_google_tells_it(running: Service) -> None:
    for path in (ANALYZE, SUGGEST):
        for way in ({"params": {"key": "AIza"}}, {"headers": {"X-Goog-Api-Key": running.keys["admin"][:-1] + "~"}}):
            response = running.client.post(path, **way)
            assert failure(response) == (
                400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.",
            )  # fmt: skip
            assert response.json()["error"]["details"][0]["reason"] == "API_KEY_INVALID"
        for headers in ({}, {"Authorization": "Bearer pf_none"}):
            assert failure(running.client.post(path, headers=headers))[:2] == (401, "UNAUTHENTICATED")
        for role in ("reviewer", "lead", "safety"):
            response = running.client.post(path, params={"key": running.keys[role]})
            assert failure(response)[:2] == (403, "PERMISSION_DENIED")


def test_neither_keys_nor_comments_reach_the_log_or_an_error(
    running: Service, caplog: pytest.LogCaptureFixture
) -> None:
    key = running.keys["pipeline"]
    said = []
    with caplog.at_level(logging.DEBUG):
        for path in (ANALYZE, SUGGEST, "/v1alpha1/nowhere", "/$discovery/rest", "/discovery/v1/apis"):
            for body in (
                {},
                {CANARY: 1},
                {"comment": {"text": CANARY, CANARY: 1}},
                {"requestedAttributes": {CANARY: 1}},
            ):
                for method in ("GET", "POST", "PUT"):
                    answer = running.client.request(method, path, params={"key": key}, json=body)
                    said.append(answer.text + str(answer.headers))
        said.append(analyze(running, f"{CANARY} faulty").text)
    logged = [str(vars(record)) for record in caplog.records if record.name.startswith(("prefilter", "uvicorn"))]
    for line in (*said, *logged, running.client.get("/metrics").text):
        assert key not in line
        assert "kanarienvogel" not in line
