"""The calls of both clients against a real server with the shipped model: each item comes back as a value."""

from __future__ import annotations

import json

import httpx
import numpy as np
import pytest
from prefilter_client import (
    CATEGORIES,
    Client,
    Conflict,
    Decision,
    Forbidden,
    Item,
    NotFound,
    RowError,
    ServerFault,
    SettingsError,
    Unauthorised,
    Unprocessable,
)

import served as server_process
from client_samples import CLEAN, FOREIGN, Caller, Hurdle, Served, call, hurdles, shipped

__all__ = ["call", "shipped"]


def test_rows_come_back_in_order_a_decision_or_an_error_each(call: Caller, shipped: Served) -> None:
    sent = [Item(CLEAN, id="a"), FOREIGN, {"id": "c", "text": "  "}, None, {"text": CLEAN, "colour": "red"}]
    answer = call(shipped, "score", sent)
    first, second, *errors = answer
    assert isinstance(first, Decision)
    assert (first.id, first.outcome, first.allowed, first.case_id) == ("a", "allow", True, None)
    assert isinstance(second, Decision)
    assert (second.outcome, second.scores, second.because[0].reason) == ("review", {}, "unreadable_language")
    assert second.case_id is not None
    assert [(row.id, row.code, row.allowed) for row in errors if isinstance(row, RowError)] == [
        ("c", "empty_text", False), (None, "not_a_string", False), (None, "unknown_field", False),
    ]  # fmt: skip
    assert (answer.policy.name, answer.policy, len(answer)) == ("model-output", first.policy, 5)
    assert answer.model_version == first.model_version
    assert set(answer.uncalibrated) < set(CATEGORIES)


def test_a_value_holds_all_that_the_service_says(shipped: Served) -> None:
    item = {"id": "x", "text": CLEAN, "context": "And how was yours?"}
    (raw,) = server_process.score(shipped.started, shipped.key, items=[item], explain=True).json()["results"]
    with Client(shipped.url, shipped.key) as client:
        (row,) = client.score(item, explain=True)
    assert isinstance(row, Decision)
    assert row.scores == raw["scores"]
    assert {name: float(np.float32(score)) for name, score in row.scores.items()} == row.scores
    assert row.bands is not None
    assert row.context is not None
    written = {
        **{name: getattr(row, name) for name in ("id", "outcome", "scores", "windows", "stage", "enforced")},
        "because": [{"category": b.category, "score": b.score, "band": list(b.band or ())} for b in row.because],
        "tokens": {"seen": row.tokens.seen, "total": row.tokens.total},
        "context": {"seen": row.context.seen, "total": row.context.total},
        "evidence": [{"category": e.category, "start": e.start, "end": e.end, "score": e.score} for e in row.evidence],
        "bands": {name: {"outcome": p.outcome, "band": list(p.band)} for name, p in row.bands.items()},
        "decision_id": raw["decision_id"],
    }
    assert written == raw


def test_a_text_alone_is_one_item_and_a_lone_surrogate_is_that_rows_error(call: Caller, shipped: Served) -> None:
    assert [row.allowed for row in call(shipped, "score", CLEAN)] == [True]
    rows = call(shipped, "score", ["Grüße, \N{GRINNING FACE}", "half \ud83d of it", CLEAN])
    assert [getattr(row, "code", None) for row in rows] == [None, "lone_surrogate", None]


def test_policy_and_exactness_reach_the_service(call: Caller, shipped: Served) -> None:
    answer = call(shipped, "score", [FOREIGN], "monitor-only", exact=True)
    assert answer.policy.name == "monitor-only"
    assert not answer[0].enforced
    assert answer[0].case_id is None


def test_a_decision_is_read_appealed_and_its_item_erased(call: Caller, shipped: Served) -> None:
    item = Item(CLEAN + f" {call.kind}", id=f"a/b {call.kind}?", source="mail")
    (made,) = call(shipped, "score", [item])
    kept = call(shipped, "decision", made.decision_id)
    assert (kept.id, kept.outcome, kept.scores, kept.source) == (item.id, "allow", made.scores, "mail")
    case_id = call(shipped, "appeal", made.decision_id, item.text)
    assert call(shipped, "appeal", made.decision_id, item.text) == case_id
    with pytest.raises((Unprocessable, Conflict)):
        call(shipped, "appeal", made.decision_id, "Another text.")
    assert call(shipped, "erase", item.id) == 1
    assert call(shipped, "erase", item.id) == 1  # again is the same


def test_what_does_not_exist_is_not_found_and_no_name_leads_elsewhere(call: Caller, shipped: Served) -> None:
    for name in ("dec_none", "..", "a/../../readyz"):
        with pytest.raises(NotFound) as refusal:
            call(shipped, "decision", name)
        assert refusal.value.request_id
    with hurdles(shipped.url) as course, pytest.raises(NotFound):
        call(shipped, "decision", "..", url=course.url)
    assert course.seen[0][1] == "GET /v1/decisions/%2E%2E"
    with pytest.raises(ValueError, match="at least one character"):
        call(shipped, "erase", "")


def test_refusals_say_what_the_service_said(call: Caller, shipped: Served) -> None:
    with pytest.raises(Unprocessable) as refusal:
        call(shipped, "score", [CLEAN], policy="no-such-policy")
    assert (refusal.value.status, refusal.value.field) == (422, "policy")
    assert str(refusal.value.request_id) in str(refusal.value)
    with pytest.raises(Unprocessable) as refusal:
        call(shipped, "score", [])
    assert refusal.value.code == "no_items"
    with pytest.raises(Unauthorised):
        call(Served(shipped.url, "pf_no_such_key", shipped.started), "score", [CLEAN])


def test_a_key_of_another_role_is_forbidden(shipped: Served) -> None:
    headers, body = {"Authorization": f"Bearer {shipped.key}"}, {"role": "safety", "name": "sam"}
    made = httpx.post(f"{shipped.url}/v1/keys", json=body, headers=headers)
    with Client(shipped.url, made.json()["key"]) as client, pytest.raises(Forbidden):
        client.score([CLEAN])


def test_ready_says_whether_it_is(call: Caller, shipped: Served) -> None:
    assert call(shipped, "ready") is True
    assert call(shipped, "ready", url="http://127.0.0.1:1") is False
    with hurdles(shipped.url, Hurdle(503), Hurdle(500)) as course:
        assert call(shipped, "ready", url=course.url) is False
        with pytest.raises(ServerFault):
            call(shipped, "ready", url=course.url)


def test_address_and_key_come_from_the_environment_and_the_key_is_never_shown(
    shipped: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    for missing in ("PREFILTER_URL", "PREFILTER_API_KEY"):
        monkeypatch.setenv("PREFILTER_URL", shipped.url + "/")
        monkeypatch.setenv("PREFILTER_API_KEY", shipped.key)
        with Client() as client:
            assert client.score(CLEAN)[0].allowed
            assert shipped.key not in repr(client) + repr(client._connection)
        monkeypatch.delenv(missing)
        with pytest.raises(SettingsError, match=missing):
            Client()


@pytest.mark.parametrize("address", ["127.0.0.1:8080", "ftp://host", "http://", "http://user:word@host", "http://a b"])
def test_an_address_that_cannot_be_meant_is_refused(address: str) -> None:
    with pytest.raises(SettingsError):
        Client(address, "pf_key")
    with pytest.raises(SettingsError) as refusal:
        Client("http://127.0.0.1:1", "pf_key\nX: y")
    assert "pf_key" not in str(refusal.value)


def test_values_are_plain_enough_to_be_written_down(shipped: Served) -> None:
    with Client(shipped.url, shipped.key) as client:
        (row,) = client.score(Item(CLEAN, id="n", context="Hello"))
    assert json.dumps(dict(row.scores)) if isinstance(row, Decision) else False
    assert CLEAN not in repr(Item(CLEAN, context="Hello"))
    assert "Hello" not in repr(Item(CLEAN, context="Hello"))
