"""`POST /v1/score`: the shape of its answers, its limits, and what happens to a bad row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prefilter.models.labels import HEADS
from prefilter.serving.api.bodies.score_bodies import read_score_request
from prefilter.serving.screening.item import BadRow
from serving_client import Service, service


@pytest.fixture
def running(sqlite_url: str, tmp_path: Path) -> Iterator[Service]:
    with service(sqlite_url, tmp_path, max_items=5, max_text_chars=100, max_body_bytes=2_000) as started:
        yield started


def error(response: Any) -> tuple[int, str, str | None]:
    body = response.json()["error"]
    assert body["request_id"] == response.headers["x-request-id"]
    return response.status_code, body["code"], body.get("field")


def test_an_item_is_answered_in_the_documented_shape(running: Service) -> None:
    answer = running.score({"id": "a", "text": "threat=0.5"}).json()
    (row,) = answer.pop("results")
    assert answer == {
        "model_version": "spoken-1",
        "policy": {"name": "model-output", "version": 1},
        "uncalibrated": ["illicit"],
    }
    assert row.pop("decision_id").startswith("dec_")
    assert row.pop("case_id").startswith("cas_")
    assert set(row.pop("scores")) == set(HEADS)
    assert row == {
        "id": "a",
        "outcome": "review",
        "because": [{"category": "threat", "score": 0.5, "band": [0.35, 0.9]}],
        "tokens": {"seen": 1, "total": 1},
        "windows": 1,
        "stage": "full",
        "evidence": [{"category": "threat", "start": 0, "end": 10, "score": 0.5}],
        "enforced": True,
    }


def test_scores_are_float32_widened_and_unrounded(running: Service) -> None:
    (row,) = running.score({"text": "threat=0.1234567"}).json()["results"]
    assert row["scores"]["threat"] == float(np.float32(0.1234567)) != 0.1234567


def test_only_a_review_opens_a_case_and_rows_keep_their_order(running: Service) -> None:
    texts = ["calm", "threat=0.5", "threat=0.99", "foreign words", "faulty"]
    rows = running.score(*({"text": text} for text in texts)).json()["results"]
    assert [row["outcome"] for row in rows] == ["allow", "review", "block", "review", "review"]
    assert ["case_id" in row for row in rows] == [False, True, False, True, True]
    assert rows[3]["because"] == [{"reason": "unreadable_language"}]
    assert (rows[4]["because"], rows[4]["scores"]) == ([{"reason": "internal_fault"}], {})


def test_monitoring_says_what_it_would_do_and_opens_no_case(running: Service) -> None:
    (row,) = running.score({"text": "threat=0.5"}, policy="monitor-only").json()["results"]
    assert (row["outcome"], row["enforced"], "case_id" in row) == ("review", False, False)


def test_a_retry_is_the_same_case(running: Service) -> None:
    for item in ({"id": "a", "text": "threat=0.5"}, {"text": "threat=0.6"}):
        first, second = (running.score(item).json()["results"][0] for _ in range(2))
        assert first["case_id"] == second["case_id"]
        assert (first["id"], first["decision_id"] == second["decision_id"]) == (second["id"], False)


def test_explain_adds_the_band_of_every_category(running: Service) -> None:
    (row,) = running.score({"text": "threat=0.5"}, explain=True, exact=True).json()["results"]
    assert row["bands"]["threat"] == {"outcome": "review", "band": [0.35, 0.9]}
    assert set(row["bands"]) == set(HEADS)


@pytest.mark.parametrize(
    ("item", "code"),
    [
        ("text", "wrong_type"),
        (None, "wrong_type"),
        ({}, "missing_text"),
        ({"text": 5}, "not_a_string"),
        ({"text": None}, "not_a_string"),
        ({"text": ""}, "empty_text"),
        ({"text": " \n\t"}, "empty_text"),
        ({"text": "x" * 101}, "text_too_long"),
        ({"text": "\ud800"}, "lone_surrogate"),
        ({"text": "fine", "id": 5}, "wrong_type"),
        ({"text": "fine", "id": ""}, "bad_id"),
        ({"text": "fine", "id": "x" * 257}, "bad_id"),
        ({"text": "fine", "id": "a\x00b"}, "bad_id"),
        ({"text": "fine", "id": "\udfff"}, "bad_id"),
        ({"text": "fine", "language": 5}, "wrong_type"),
        ({"text": "fine", "source": ["a"]}, "wrong_type"),
        ({"text": "fine", "source": "\x00"}, "bad_source"),
        ({"text": "fine", "context": 5}, "context_not_a_string"),
        ({"text": "fine", "context": "x" * 101}, "context_too_long"),
        ({"text": "fine", "context": "\ud800"}, "context_lone_surrogate"),
        ({"text": "fine", "lang": "en"}, "unknown_field"),
    ],
)
def test_a_bad_row_is_its_own_error_and_the_others_are_scored(
    running: Service, item: object, code: str
) -> None:
    body = json.dumps({"items": [{"text": "calm"}, item, {"id": "z", "text": "calm"}]})
    response = running.call("POST", "/v1/score", "pipeline", content=body)
    assert response.status_code == 200
    first, bad, last = response.json()["results"]
    assert (first["outcome"], last["outcome"], last["id"]) == ("allow", "allow", "z")
    assert bad["error"]["code"] == code
    assert "outcome" not in bad


def test_a_text_is_screened_by_what_it_answers_and_the_row_says_how_much_of_it_was_read(
    running: Service,
) -> None:
    items = [
        {"text": "calm"},
        {"text": "calm", "context": "a question threat=0.5"},
        {"text": "calm", "context": " "},
    ]
    alone, pair, blank = running.score(*items).json()["results"]
    assert [row["outcome"] for row in (alone, pair, blank)] == ["allow", "review", "allow"]
    assert pair["context"] == {"seen": 2, "total": 3}
    assert pair["tokens"] == alone["tokens"]
    assert "context" not in alone
    assert "context" not in blank


def test_a_model_that_reads_no_context_says_so_of_the_row(running: Service) -> None:
    running.scorer.reads_context = False
    pair, alone = running.score({"text": "calm", "context": "why"}, {"text": "calm"}).json()["results"]
    assert pair["error"]["code"] == "context_unsupported"
    assert "outcome" not in pair
    assert alone["outcome"] == "allow"


def test_explain_points_to_words_where_the_plain_answer_points_to_the_window(running: Service) -> None:
    item = {"text": "calm threat=0.5 and any=0.4"}
    (plain,), (explained,) = (running.score(item, explain=e).json()["results"] for e in (False, True))
    assert [(e["category"], e["start"], e["end"]) for e in plain["evidence"]] == [("threat", 0, 27)]
    assert [(e["category"], e["start"], e["end"]) for e in explained["evidence"]] == [
        ("threat", 5, 15),
        ("any", 20, 27),
    ]
    assert set(explained["evidence"][0]) == set(plain["evidence"][0]) == {"category", "start", "end", "score"}
    assert "bands" in explained


def test_the_same_text_under_another_context_is_another_decision(running: Service) -> None:
    def case(**more: str) -> str:
        (row,) = running.score({"text": "threat=0.5", **more}).json()["results"]
        found: str = row["case_id"]
        return found

    for more in ({}, {"id": "a"}):
        assert case(**more, context="why") == case(**more, context="why")
        assert len({case(**more), case(**more, context="why"), case(**more, context="how")}) == 3


def test_a_case_masks_the_words_that_speak_and_all_of_what_it_answers(running: Service) -> None:
    running.score({"text": "calm threat=0.5 words", "context": "why so"})
    held = running.call("POST", "/v1/queues/threat/claim", "reviewer").json()
    assert held["case"]["text_masked"] == "calm ██████████ words"
    assert held["case"]["context_masked"] == "██████"
    token = {"lease_token": held["lease"]["token"]}
    revealed = running.call("POST", f"/v1/cases/{held['case']['id']}/reveal", "reviewer", json=token)
    assert revealed.json() == {"text": "calm threat=0.5 words", "context": "why so"}


@pytest.mark.parametrize("nothing", ["", " "])
def test_an_empty_context_is_none(running: Service, nothing: str) -> None:
    item = {"id": "a", "text": "threat=0.5"}
    sent = [item, {**item, "context": nothing}]
    assert len({running.score(one).json()["results"][0]["case_id"] for one in sent}) == 1
    asked = {"input": "threat=0.5", "x_prefilter": {"context": nothing}}
    for body in ({"input": "threat=0.5"}, asked):
        running.call("POST", "/v1/moderations", "pipeline", json=body)
    queues = running.call("GET", "/v1/queues", "reviewer").json()["queues"]
    assert next(queue["open"] for queue in queues if queue["name"] == "threat") == 2
    for _ in range(2):
        held = running.call("POST", "/v1/queues/threat/claim", "reviewer").json()
        assert held["case"]["context_masked"] is None
        token = {"lease_token": held["lease"]["token"]}
        revealed = running.call("POST", f"/v1/cases/{held['case']['id']}/reveal", "reviewer", json=token)
        assert revealed.json() == {"text": "threat=0.5"}
        running.call("POST", f"/v1/cases/{held['case']['id']}/skip", "reviewer", json=token)


def test_a_case_whose_category_no_word_speaks_for_is_masked_whole(running: Service) -> None:
    running.score({"text": "insult=0.2 words", "context": "threat=0.6"})
    case = running.call("POST", "/v1/queues/threat/claim", "reviewer").json()["case"]
    assert (case["text_masked"], case["spans"]) == ("█" * 16, [])


def test_a_bad_row_keeps_the_id_it_came_with(running: Service) -> None:
    (row,) = running.score({"id": "a", "text": ""}).json()["results"]
    assert (row["id"], row["error"]["code"]) == ("a", "empty_text")


def test_a_field_that_stands_twice_in_an_item_is_that_rows_error(running: Service) -> None:
    body = '{"items": [{"text": "calm", "text": "threat=0.99"}, {"text": "calm"}]}'
    rows = running.call("POST", "/v1/score", "pipeline", content=body).json()["results"]
    assert [row.get("error", {}).get("code") for row in rows] == ["duplicate_field", None]


def test_a_number_of_any_length_in_an_item_is_that_rows_error() -> None:
    body = b'{"items": [{"id": %s, "text": "calm"}, {"text": "calm"}]}' % (b"9" * 5_000)
    rows = read_score_request(body, max_items=2, max_text_chars=9, max_id_chars=9).rows
    assert [row.error.code if isinstance(row, BadRow) else None for row in rows] == ["wrong_type", None]


def test_nul_is_a_character_like_any_other(running: Service) -> None:
    (row,) = running.score({"text": "nul \x00 threat=0.5"}).json()["results"]
    assert row["outcome"] == "review"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", (400, "not_json", "body")),
        (b"{", (400, "not_json", "body")),
        (b'{"items": [{"text": NaN}]}', (400, "not_json", "body")),
        (b"[" * 1_900, (400, "not_json", "body")),
        (b'{"items": [{"text": "\xff"}]}', (400, "invalid_utf8", "body")),
        (b"[]", (400, "wrong_type", "body")),
        (b"{}", (400, "missing_field", "items")),
        (b'{"items": {}}', (400, "wrong_type", "items")),
        (b'{"items": [{"text": "x"}], "polcy": "a"}', (400, "unknown_field", "polcy")),
        (b'{"items": [{"text": "x"}], "policy": 5}', (400, "wrong_type", "policy")),
        (b'{"items": [{"text": "x"}], "explain": "yes"}', (400, "wrong_type", "explain")),
        (b'{"items": [], "items": [{"text": "x"}]}', (400, "duplicate_field", "body")),
        (b'{"items": []}', (422, "no_items", "items")),
        (b'{"items": [0, 1, 2, 3, 4, 5]}', (422, "too_many_items", "items")),
        (b'{"items": [{"text": "x"}], "policy": "nobody"}', (422, "unknown_policy", "policy")),
        (b'{"items": [{"text": "x"}], "policy": ""}', (422, "unknown_policy", "policy")),
        (b'{"items": [{"text": "x"}], "policy": "\\ud800"}', (400, "bad_string", "policy")),
    ],
)
def test_a_body_that_cannot_be_read_names_its_field(
    running: Service, body: bytes, expected: tuple[int, str, str]
) -> None:
    assert error(running.call("POST", "/v1/score", "pipeline", content=body)) == expected


def test_a_body_over_the_limit_is_refused_with_and_without_a_length(running: Service) -> None:
    big = b'{"items": [{"text": "' + b"x" * 3_000 + b'"}]}'
    for content in (big, (big[i : i + 500] for i in range(0, len(big), 500))):
        response = running.call("POST", "/v1/score", "pipeline", content=content)
        assert error(response) == (413, "body_too_large", None)


def test_who_may_score(running: Service) -> None:
    items = {"items": [{"text": "calm"}]}
    seen = {
        role: running.call("POST", "/v1/score", role, json=items).status_code
        for role in (None, "pipeline", "reviewer", "lead", "safety", "admin")
    }
    assert seen == {None: 401, "pipeline": 200, "reviewer": 403, "lead": 403, "safety": 403, "admin": 200}


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x", "Basic eDp5", "Bearer pf_00000000_" + "A" * 43])
def test_a_wrong_key_is_401_and_says_how_to_log_in(running: Service, header: str) -> None:
    response = running.client.post("/v1/score", headers={"Authorization": header}, json={"items": []})
    assert error(response) == (401, "unauthorised", None)
    assert response.headers["www-authenticate"] == "Bearer"


def test_a_pipeline_reads_and_appeals_its_own_decision(running: Service) -> None:
    (row,) = running.score({"id": "a", "text": "threat=0.99"}).json()["results"]
    path = f"/v1/decisions/{row['decision_id']}"
    stored = running.call("GET", path, "pipeline").json()
    assert (stored["outcome"], stored["scores"]) == ("block", row["scores"])
    wrong = running.call("POST", f"{path}/appeal", "pipeline", json={"text": "another text"})
    assert error(wrong) == (422, "text_differs", "text")
    cases = {
        running.call("POST", f"{path}/appeal", "pipeline", json={"text": "threat=0.99"}).json()["case_id"]
        for _ in range(2)
    }
    assert len(cases) == 1
    assert running.call("GET", path, "reviewer").status_code == 403


def test_an_appeal_may_send_what_the_text_answered_and_is_the_same_case_without_it(running: Service) -> None:
    (row,) = running.score({"text": "threat=0.99", "context": "why"}).json()["results"]
    path = f"/v1/decisions/{row['decision_id']}/appeal"

    def appeal(**more: object) -> Any:
        return running.call("POST", path, "pipeline", content=json.dumps({"text": "threat=0.99", **more}))

    assert error(appeal(context="how")) == (422, "context_differs", "context")
    assert error(appeal(context="\ud800")) == (422, "context_lone_surrogate", "context")
    assert (
        len({appeal(**more).json()["case_id"] for more in ({"context": "why"}, {}, {"context": None})}) == 1
    )
    case = running.call("POST", "/v1/queues/threat/claim", "reviewer").json()["case"]
    assert case["context_masked"] == "███"


def test_another_pipelines_decision_does_not_exist(running: Service) -> None:
    (row,) = running.score({"text": "calm"}, role="admin").json()["results"]
    response = running.call("GET", f"/v1/decisions/{row['decision_id']}", "pipeline")
    assert error(response) == (404, "not_found", None)


def test_erasing_an_item_closes_its_cases_and_only_ones_own(running: Service) -> None:
    for role, text in (("pipeline", "threat=0.5"), ("admin", "threat=0.6")):
        running.score({"id": "a/b", "text": text}, role=role)
    assert running.call("DELETE", "/v1/items/a/b", "reviewer").status_code == 403
    assert running.call("DELETE", "/v1/items/a/b", "pipeline").json() == {"erased_cases": 1}
    assert running.call("DELETE", "/v1/items/a/b", "lead").json() == {"erased_cases": 2}
    assert running.call("POST", "/v1/queues/threat/claim", "reviewer").status_code == 204


THREAT_ALONE = {"categories": {"threat": {"review": 0.25}}, "reason": "r"}


def test_the_fast_stage_clears_under_the_policys_own_certificate_and_says_so(running: Service) -> None:
    made = running.call("POST", "/v1/policies/threat-alone/versions", json=THREAT_ALONE)
    running.call("POST", f"/v1/policies/threat-alone/versions/{made.json()['version']}/activate", json={"reason": "r"})
    items = {"text": "obvious"}, {"text": "threat=0.5"}
    rows = running.score(*items, policy="threat-alone").json()["results"]
    assert [(row["stage"], row["outcome"]) for row in rows] == [("fast", "allow"), ("full", "review")]
    stored = running.call("GET", f"/v1/decisions/{rows[0]['decision_id']}").json()
    assert stored["stage"] == "fast"
    for policy, exact in (("threat-alone", True), ("model-output", False)):
        (row, _) = running.score(*items, policy=policy, exact=exact).json()["results"]
        assert row["stage"] == "full"
    metrics = running.client.get("/metrics").text
    assert 'prefilter_scored_items_total{stage="fast"} 1.0' in metrics
    assert 'prefilter_scored_items_total{stage="full"} 5.0' in metrics


def test_a_server_can_make_exact_its_rule(sqlite_url: str, tmp_path: Path) -> None:
    with service(sqlite_url, tmp_path, exact=True) as exacting:
        exacting.call("POST", "/v1/policies/threat-alone/versions", json=THREAT_ALONE)
        exacting.call("POST", "/v1/policies/threat-alone/versions/1/activate", json={"reason": "r"})
        (row,) = exacting.score({"text": "obvious"}, policy="threat-alone").json()["results"]
    assert row["stage"] == "full"
