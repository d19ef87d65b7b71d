"""The Perspective door: its contract and the documents that describe it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from perspective_client import ANALYZE, SUGGEST, analyze, kept, recorded, spans
from prefilter.serving.compat.perspective.attributes import ATTRIBUTES
from serving_client import Service, service

GOLDEN = sorted((Path(__file__).parent / "golden" / "perspective").glob("*.json"))
POLICY = {"categories": {"threat": {"review": 0.25, "block": None}}, "reason": "r"}


@pytest.fixture
def running(sqlite_url: str, tmp_path: Path) -> Iterator[Service]:
    with service(sqlite_url, tmp_path) as started:
        yield started


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
