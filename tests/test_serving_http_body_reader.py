"""Bodies are read by what describes them: which fault is said, in which words, and how few of them are looked for."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

import pytest

from prefilter.serving.api.bodies.case_bodies import LEASE, REVIEW, ReviewBody
from prefilter.serving.api.bodies.item_body import read_items
from prefilter.serving.api.bodies.policy_bodies import DRAFT
from prefilter.serving.api.bodies.score_bodies import read_score_request
from prefilter.serving.compat.openai.moderation_body import read_moderation
from prefilter.serving.compat.perspective.comment_answers import AnalyzeAnswer, SuggestAnswer
from prefilter.serving.compat.perspective.comment_messages import fields_of
from prefilter.serving.errors import BadRequest
from prefilter.serving.http.descriptions import schemas
from prefilter.serving.http.json_reader import read_json
from prefilter.serving.screening.item import BadRow, Item

LIMITS = {"max_items": 1_000, "max_text_chars": 100, "max_id_chars": 9}
REVIEWED = {"lease_token": "t", "labels": {}, "outcome": "allow"}


def refused(read: Any, raw: bytes, **limits: int) -> tuple[str, str | None]:
    with pytest.raises(BadRequest) as caught:
        read(raw, **limits)
    return caught.value.code, caught.value.field


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"5", ("wrong_type", "body")),
        (b'{"severity": 1, "severity": 1}', ("duplicate_field", "body")),
        (b'{"severity": "x", "unheard": 1}', ("unknown_field", "unheard")),
        (b'{"severity": "x", "two words": 1}', ("unknown_field", "?")),
        (b'{"severity": "x", "labels": 1}', ("missing_field", "lease_token")),
        (b'{"lease_token": 1, "labels": 1, "outcome": 1, "note": 1}', ("wrong_type", "note")),
        (b'{"lease_token": 1, "labels": 1, "outcome": 1}', ("wrong_type", "lease_token")),
        (b'{"lease_token": "t", "labels": {"a": 1, "a": 1}, "outcome": "o"}', ("duplicate_field", "labels")),
        (b'{"lease_token": "t", "labels": {}, "outcome": "\\u0000"}', ("bad_string", "outcome")),
        (b'{"lease_token": "t", "labels": {}, "outcome": "o", "severity": true}', ("wrong_type", "severity")),
        (b'{"lease_token": "t", "labels": {}, "outcome": "o", "severity": 1.0}', ("wrong_type", "severity")),
    ],
)
def test_the_first_fault_is_named_in_one_order(body: bytes, expected: tuple[str, str]) -> None:
    assert refused(REVIEW.read, body) == expected


def test_null_is_an_absent_optional_field_and_inner_objects_are_the_use_cases() -> None:
    assert REVIEW.check({**REVIEWED, "note": None}).get("note") is None
    labels = {"labels": {"\ud800": 5}}
    assert REVIEW.check({**REVIEWED, **labels})["labels"] == labels["labels"]
    draft = {"categories": {"hate": {"review": "high", "more": 1}}, "reason": "r"}
    assert DRAFT.check(draft) == draft


def test_no_fault_holds_anything_of_the_input() -> None:
    with pytest.raises(BadRequest) as caught:
        LEASE.read(b'{"lease_token": ["kanarienvogel"]}')
    assert "kanarienvogel" not in f"{vars(caught.value)} {caught.value.__cause__} {caught.value.__context__}"


def test_a_bad_row_is_its_own_error_whichever_check_finds_it() -> None:
    values = [{"text": "a"}, {"text": 5}, {"text": "b", "id": 5}, {"text": "b", "id": ""}, 7, {"text": " ", "x": 1}]
    rows = read_items(values, max_text_chars=9, max_id_chars=9)
    codes = [row.error.code if isinstance(row, BadRow) else row.text for row in rows]
    assert codes == ["a", "not_a_string", "wrong_type", "bad_id", "wrong_type", "unknown_field"]


def test_an_item_keeps_its_text_out_of_its_repr() -> None:
    assert repr(Item("a", "kanarienvogel", context="kanarienvogel")) == "Item(id='a', language=None, source=None)"


@pytest.mark.parametrize(
    ("read", "body"),
    [
        (REVIEW.read, {f"f{number}": 1 for number in range(200_000)}),
        (read_score_request, {"items": [{f"f{number}": 1 for number in range(200_000)}]}),
        (read_moderation, {"input": [0] * 200_000}),
        (read_moderation, {"input": "x", "x_prefilter": {f"f{number}": 1 for number in range(200_000)}}),
    ],
)
def test_a_body_of_many_faults_costs_little_more_than_its_json(read: Any, body: object) -> None:
    raw = json.dumps(body).encode()
    limits = {} if read == REVIEW.read else LIMITS

    def took(act: Any) -> float:
        start = time.process_time()
        act()
        return time.process_time() - start

    def refuse() -> None:
        with contextlib.suppress(BadRequest):
            read(raw, **limits)

    refuse()  # which builds the validator
    assert min(took(refuse) for _ in range(3)) < 3 * min(took(lambda: read_json(raw)) for _ in range(3)) + 0.02


def test_what_the_reader_knows_is_what_the_document_describes() -> None:
    described = schemas()["ReviewBody"]
    assert set(described["properties"]) == set(ReviewBody.__annotations__)
    assert described["required"] == ["lease_token", "labels", "outcome"]
    assert described["additionalProperties"] is False
    assert described["properties"]["labels"]["additionalProperties"]["enum"] == ["yes", "no", "unsure"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [(AnalyzeAnswer, "AnalyzeCommentResponse"), (SuggestAnswer, "SuggestCommentScoreResponse")],
)
def test_the_answers_to_googles_clients_are_those_of_the_discovery_document(answer: Any, message: str) -> None:
    assert set(answer.__annotations__) == fields_of(message)
