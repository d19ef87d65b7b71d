"""The Perspective door: its contract, its errors, what it keeps and what it must not."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text as sql

from prefilter.serving.audit import chain
from prefilter.serving.compat.perspective.attributes import ATTRIBUTES
from prefilter.serving.store import case_rows, outside_labels
from prefilter.serving.store.tables import metadata
from serving_client import Service, service

GOLDEN = sorted((Path(__file__).parent / "golden" / "perspective").glob("*.json"))
ANALYZE, SUGGEST = "/v1alpha1/comments:analyze", "/v1alpha1/comments:suggestscore"
POLICY = {"categories": {"threat": {"review": 0.25, "block": None}}, "reason": "r"}
CANARY = "kanarienvogel im bergwerk"


@pytest.fixture
def running(sqlite_url: str, tmp_path: Path) -> Iterator[Service]:
    with service(sqlite_url, tmp_path) as started:
        yield started


def analyze(running: Service, text: object, *names: str, role: str = "pipeline", **more: Any) -> Any:
    """Ask for attributes (TOXICITY unless named) as Perspective's clients do, the key in the query."""
    asked = {"requestedAttributes": {name: {} for name in names or ("TOXICITY",)}, "comment": {"text": text}}
    return running.client.post(ANALYZE, params={"key": running.keys[role]}, json={**asked, **more})


def suggest(running: Service, text: str, value: float = 1.0, **more: Any) -> Any:
    said = {"comment": {"text": text}, "attributeScores": {"TOXICITY": {"summaryScore": {"value": value}}}}
    return running.client.post(SUGGEST, params={"key": running.keys["pipeline"]}, json={**said, **more})


def spans(response: Any, name: str = "TOXICITY") -> list[tuple[int, int, float]]:
    found = response.json()["attributeScores"][name]["spanScores"]
    return [(span["begin"], span["end"], round(span["score"]["value"], 3)) for span in found]


def failure(response: Any) -> tuple[int, str, str]:
    """Return the status, Google's word for it and the message; the shape is checked."""
    body = response.json()
    assert set(body) == {"error"}
    error = body["error"]
    assert set(error) == {"code", "message", "status", "details"}
    assert error["code"] == response.status_code
    assert all(detail["@type"].startswith("type.googleapis.com/google.") for detail in error["details"])
    assert error["details"][-1]["requestId"] == response.headers["x-request-id"]
    return response.status_code, error["status"], error["message"]


def error_type(response: Any) -> str:
    word: str = response.json()["error"]["details"][0]["errorType"]
    return word


def recorded(running: Service) -> list[tuple[str, str | None]]:
    with running.app.state.parts.store.read() as conn:
        rows = conn.execute(sql("SELECT outcome, unscored FROM decisions ORDER BY created_at"))
        return [(row[0], row[1]) for row in rows]


def kept(running: Service) -> str:
    """Return every row of every table as one string, bytes decoded."""
    with running.app.state.parts.store.read() as conn:
        rows = [tuple(row) for table in metadata.sorted_tables for row in conn.execute(sql(f"SELECT * FROM {table}"))]
    return " ".join(
        bytes(value).decode("utf-8", "replace") if isinstance(value, bytes | memoryview) else str(value)
        for row in rows
        for value in row
    )


# --- the contract -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden_pairs(running: Service, path: Path) -> None:
    pair = json.loads(path.read_text(encoding="utf-8"))
    asked = pair["request"]
    key = running.keys["pipeline"] if asked["key"] == "KEY" else asked["key"]
    response = running.client.request(
        asked["method"],
        asked["path"],
        headers={"x-request-id": "golden"},
        json=asked.get("body"),
        **({"params": {"key": key}} if key else {}),
    )
    assert {"status": response.status_code, "body": response.json()} == pair["response"]


def test_only_what_was_requested_is_answered_as_float32(running: Service) -> None:
    body = analyze(running, "insult=0.1234567 threat=0.9", "INSULT", "PROFANITY").json()
    assert list(body["attributeScores"]) == ["INSULT", "PROFANITY"]
    score = body["attributeScores"]["INSULT"]["summaryScore"]
    assert score == {"value": float(np.float32(0.1234567)), "type": "PROBABILITY"}
    assert (body["languages"], body["detectedLanguages"], "clientToken" in body) == (["en"], ["en"], False)


def test_severe_toxicity_is_derived_and_never_above_toxicity(running: Service) -> None:
    answer = analyze(running, "toxicity=0.8 hate=0.5 profanity=0.2", "TOXICITY", "SEVERE_TOXICITY").json()
    values = {name: scores["summaryScore"]["value"] for name, scores in answer["attributeScores"].items()}
    assert values == pytest.approx({"TOXICITY": 0.8, "SEVERE_TOXICITY": 0.4})
    assert [name for name, attribute in ATTRIBUTES.items() if not attribute.trained] == ["SEVERE_TOXICITY"]


def test_a_score_below_its_threshold_is_left_out(running: Service) -> None:
    text = "toxicity=0.5 insult=0.5"
    asked = {"TOXICITY": {"scoreThreshold": 0.5}, "INSULT": {"scoreThreshold": 0.51, "scoreType": "PROBABILITY"}}
    assert list(analyze(running, text, requestedAttributes=asked).json()["attributeScores"]) == ["TOXICITY"]


def test_one_span_over_the_whole_comment_counts_utf16(running: Service) -> None:
    assert spans(analyze(running, " \U0001f600 toxicity=0.5 ")) == [(0, 17, 0.5)]


def test_span_annotations_score_each_sentence_at_its_utf16_place(running: Service) -> None:
    text = "toxicity=0.9 \U0001f600\U0001f468\u200d\U0001f469!  calm \U0001f600.\nas toxicity=0.25"
    found = spans(analyze(running, text, spanAnnotations=True))
    wide = text.encode("utf-16-le")
    assert [wide[2 * begin : 2 * end].decode("utf-16-le") for begin, end, _ in found] == [
        "toxicity=0.9 \U0001f600\U0001f468\u200d\U0001f469!", "calm \U0001f600.", "as toxicity=0.25",
    ]  # fmt: skip
    assert [score for *_, score in found] == [0.9, 0.01, 0.25]


def test_many_sentences_are_joined_to_a_bounded_number_and_none_is_lost(running: Service) -> None:
    text = "so. " * 1_000 + "toxicity=0.7"
    found = spans(analyze(running, text, spanAnnotations=True))
    assert len(found) == 64
    assert (found[0][0], found[-1][1], found[-1][2]) == (0, len(text), 0.7)


def test_html_is_read_without_its_tags_and_counted_with_them(running: Service) -> None:
    text = "<p>calm &amp; kind.</p><p>tox<b>icity</b>=0.75 \U0001f600!</p>"
    asked = {"comment": {"text": text, "type": "HTML"}}
    found = spans(analyze(running, "", spanAnnotations=True, **asked))
    wide = text.encode("utf-16-le")
    assert [wide[2 * begin : 2 * end].decode("utf-16-le") for begin, end, _ in found] == [
        "calm &amp; kind.", "tox<b>icity</b>=0.75 \U0001f600!",
    ]  # fmt: skip
    assert [score for *_, score in found] == [0.01, 0.75]
    assert spans(analyze(running, "", **asked)) == [(0, len(wide) // 2, 0.75)]
    assert analyze(running, text).json()["attributeScores"]["TOXICITY"]["summaryScore"]["value"] < 0.1


def test_what_a_cleaner_of_markup_might_show_is_read(running: Service) -> None:
    for hidden in ("<!-- {} -->", "<!--> {} -->", "<script>{}</script>", "<![CDATA[ > {} ]]>", "<style>{}", "<![; {}>"):
        asked = {"comment": {"text": f"calm {hidden.format('toxicity=0.75')}", "type": "HTML"}}
        assert spans(analyze(running, "", **asked))[0][2] == 0.75, hidden


def test_names_in_snake_case_and_nulls_are_read_as_google_reads_them(running: Service) -> None:
    body = {
        "comment": {"text": "a. toxicity=0.5", "type": None},
        "requested_attributes": {"TOXICITY": {"score_threshold": 0.1}},
        "span_annotations": True,
        "client_token": "t",
        "languages": None,
    }
    answer = running.client.post(ANALYZE, params={"key": running.keys["admin"]}, json=body)
    assert (len(spans(answer)), answer.json()["clientToken"]) == (2, "t")


def test_context_reaches_the_model_where_it_reads_one(running: Service) -> None:
    for context in (
        {"entries": [{"text": "calm"}, {"text": "toxicity=0.5"}]},
        {"articleAndParentComment": {"article": {"text": "toxicity=0.5"}, "parentComment": {"text": "<p>b"}}},
    ):
        assert spans(analyze(running, "yes", context=context))[0][2] == 0.5
    running.scorer.reads_context = False
    assert spans(analyze(running, "yes", context=context))[0][2] == 0.01


def test_any_readable_language_of_several_is_taken(running: Service) -> None:
    body = analyze(running, "calm", languages=["fr", "en-US"]).json()
    assert (body["languages"], body["detectedLanguages"]) == (["fr", "en-US"], ["en"])


def test_thresholds_are_the_clients_so_the_transformer_scores_every_comment(running: Service) -> None:
    running.call("POST", "/v1/policies/model-output/versions", json=POLICY)
    running.call("POST", "/v1/policies/model-output/versions/2/activate", json={"reason": "r"})
    text = "obvious toxicity=0.2"
    assert running.score({"text": text}).json()["results"][0]["stage"] == "fast"
    assert spans(analyze(running, text))[0][2] == 0.2


def test_a_comment_is_screened_like_any_item(running: Service) -> None:
    analyze(running, "threat=0.5")
    analyze(running, "threat=0.5")
    analyze(running, "calm", role="admin")
    assert [outcome for outcome, _ in recorded(running)] == ["review", "review", "allow"]
    assert "threat=0.5" in kept(running)
    queues = running.call("GET", "/v1/queues", "reviewer").json()["queues"]
    assert sum(queue["open"] for queue in queues) == 1


# --- failures ---------------------------------------------------------------------------------------

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


def test_other_failures_of_the_door_are_googles_too(sqlite_url: str, tmp_path: Path) -> None:
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


# --- keys -------------------------------------------------------------------------------------------


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


# --- what is kept -----------------------------------------------------------------------------------


def test_do_not_store_keeps_nothing_that_comes_from_the_text(database_url: str, tmp_path: Path) -> None:
    with service(database_url, tmp_path) as running:
        store = running.app.state.parts.store
        text, context = f"{CANARY} threat=0.5", {"entries": [{"text": f"{CANARY} above"}]}
        asked = {"context": context, "spanAnnotations": True, "doNotStore": True, "communityId": CANARY}
        assert analyze(running, text, **asked).status_code == 200
        assert recorded(running) == [("review", None)]
        traces = ("kanarienvogel", store.digest(text), store.digest(f"{CANARY} above", kind="context"))
        assert [trace for trace in traces if trace in kept(running)] == []
        analyze(running, text, context=context)
        assert [trace for trace in traces if trace not in kept(running)] == []


def test_do_not_store_leaves_no_byte_in_the_database_files(running: Service, sqlite_url: str) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    analyze(running, f"{CANARY} threat=0.5", doNotStore=True)
    suggest(running, CANARY)
    assert b"kanarienvogel" not in b"".join(part.read_bytes() for part in path.parent.glob(f"{path.name}*"))


def test_a_suggested_score_is_an_outside_label_beside_a_digest(database_url: str, tmp_path: Path) -> None:
    with service(database_url, tmp_path) as running:
        store = running.app.state.parts.store
        span = {"begin": 0, "end": 4, "score": {"value": 0.25, "type": "PROBABILITY"}}
        scores = {"INSULT": {"summaryScore": {"value": 1}, "spanScores": [span]}, "THREAT": {"summaryScore": {}}}
        asked = {"attributeScores": scores, "communityId": "c\x00", "languages": ["en"], "clientToken": "t"}
        answer = suggest(running, CANARY, **asked).json()
        assert isinstance(answer.pop("detectedLanguages"), list)
        assert answer == {"clientToken": "t", "requestedLanguages": ["en"]}
        with store.read() as conn:
            labels = outside_labels.of_text(conn, store.digest(CANARY))
            entry = chain.page(store, action="label.suggested", limit=1)[0]
            assert conn.execute(sql("SELECT count(*) FROM labels")).scalar_one() == 0
            assert case_rows.find(conn, labels[0].id) is None
        assert sorted((x.attribute, x.value, x.span_begin, x.span_end) for x in labels if x.span_end is None) == [
            ("INSULT", 1.0, None, None), ("THREAT", 0.0, None, None),
        ]  # fmt: skip
        assert [(x.value, x.span_begin, x.span_end) for x in labels if x.span_end] == [(0.25, 0, 4)]
        assert {(x.key_name, x.community_id) for x in labels} == {("pipeline one", "c\x00")}
        assert [x.languages for x in labels] == [["en"]] * 3
        assert (entry.actor, entry.body) == ("pipeline one", {"labels": 3, "attributes": ["INSULT", "THREAT"]})
        assert "kanarienvogel" not in kept(running)
        assert chain.verify(store).ok


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ({}, "Missing attribute_scores"),
        ({"INSULT": {}}, "Missing a score for attribute INSULT"),
        ({"SPAM": {"summaryScore": {"value": 1}}}, "Unknown requested attribute: SPAM."),
        ({"INSULT": {"summaryScore": {"value": 1.5}}}, "A score of attribute INSULT is not a probability"),
        ({"INSULT": {"spanScores": [{"begin": 1, "end": 6, "score": {"value": 1}}]}}, "A span of attribute INSULT"),
        ({"INSULT": {"spanScores": [{"begin": {}, "end": 1, "score": {}}]}}, "A span of attribute INSULT"),
        ({"INSULT": {"spanScores": [{"end": 1}]}}, "Missing a score for a span of attribute INSULT"),
        ({"INSULT": {"spanScores": [{"end": 1}] * 257}}, "At most 256 span_scores"),
        ({"INSULT": {"summaryScore": {"value": 1, "type": "RAW"}}}, "Requested score type is not supported"),
    ],
)
def test_a_suggestion_that_cannot_be_meant_is_refused(running: Service, scores: dict[str, Any], message: str) -> None:
    assert failure(suggest(running, "calm!", attributeScores=scores))[2].startswith(message)
    assert failure(suggest(running, " "))[2] == "Comment must be non-empty."


# --- the documents ----------------------------------------------------------------------------------


def test_the_discovery_document_names_the_host_that_was_asked_and_needs_no_key(running: Service) -> None:
    for path in ("/$discovery/rest?version=v1alpha1", "/discovery/v1/apis/commentanalyzer/v1alpha1/rest"):
        for host in ("moderation.example:8443", "[::1]:8080"):
            found = running.client.get(path, headers={"host": host}).json()
            assert (found["rootUrl"], found["baseUrl"]) == (f"http://{host}/", f"http://{host}/")
    assert found["resources"]["comments"]["methods"]["analyze"]["path"] == "v1alpha1/comments:analyze"


def test_openapi_describes_both_routes(running: Service) -> None:
    paths = running.app.openapi()["paths"]
    asked = paths[ANALYZE]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(asked["properties"]["requestedAttributes"]["properties"]) == set(ATTRIBUTES)
    for path in (ANALYZE, SUGGEST):
        operation = paths[path]["post"]
        assert {"200", "400", "401", "403", "413", "429", "500", "503"} <= set(operation["responses"])
        assert [list(way) for way in operation["security"]] == [["PerspectiveKey"], ["HTTPBearer"]]
    assert running.app.openapi()["components"]["securitySchemes"]["PerspectiveKey"]["in"] == "query"
