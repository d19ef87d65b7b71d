"""The reviewers' routes: a case is claimed masked, revealed, and reviewed once, by one reviewer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from serving_client import Service, service

LABELS = {"threat": "yes", "hate": "unsure"}
VERDICT = {"labels": LABELS, "outcome": "block", "severity": 4, "reason": "plain"}


@pytest.fixture
def running(database_url: str, tmp_path: Path) -> Iterator[Service]:
    with service(database_url, tmp_path) as started:
        started.score({"id": "a", "text": "threat=0.6 said", "source": "forum"})
        yield started


def claim(running: Service, role: str = "reviewer") -> dict[str, Any]:
    body: dict[str, Any] = running.call("POST", "/v1/queues/threat/claim", role).json()
    return body


def act(running: Service, held: dict[str, Any], step: str, **more: Any) -> Any:
    body = {"lease_token": held["lease"]["token"], **more.pop("body", {})}
    return running.call("POST", f"/v1/cases/{held['case']['id']}/{step}", "reviewer", json=body, **more)


def code(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def test_queues_say_how_much_waits_and_escalated_is_for_leads(running: Service) -> None:
    names = {
        role: {row["name"]: row for row in running.call("GET", "/v1/queues", role).json()["queues"]}
        for role in ("reviewer", "lead")
    }
    assert names["reviewer"]["threat"]["open"] == 1
    assert set(names["reviewer"]["threat"]) == {"name", "open", "leased", "oldest_at"}
    assert set(names["lead"]) - set(names["reviewer"]) == {"escalated"}


def test_a_claimed_case_is_masked_and_revealing_is_recorded(running: Service) -> None:
    held = claim(running)
    case = held["case"]
    assert (case["category"], case["severity_band"], case["source"]) == ("threat", "high", "forum")
    assert (case["text_masked"], case["context_masked"]) == ("█" * len("threat=0.6") + " said", None)
    assert act(running, held, "reveal").json() == {"text": "threat=0.6 said"}
    entries = running.call("GET", "/v1/audit?action=case.revealed", "safety").json()["entries"]
    assert [entry["subject"] for entry in entries] == [case["id"]]


def test_nobody_else_gets_a_leased_case(running: Service) -> None:
    claim(running)
    assert running.call("POST", "/v1/queues/threat/claim", "lead").status_code == 204


def test_a_review_closes_the_case_and_is_replayed_by_its_key(running: Service) -> None:
    held = claim(running)
    once = {"headers": {"Idempotency-Key": "k1"}, "body": VERDICT}
    first, again = act(running, held, "reviews", **once), act(running, held, "reviews", **once)
    assert (first.status_code, first.json()["outcome"]) == (201, "block")
    assert (again.status_code, again.json()) == (201, first.json())
    other = act(running, held, "reviews", headers={"Idempotency-Key": "k1"}, body={**VERDICT, "severity": 5})
    assert code(other) == (409, "idempotency_conflict")
    late = act(running, held, "reviews", headers={"Idempotency-Key": "k2"}, body=VERDICT)
    assert code(late) == (409, "lease_lost")


def test_a_skipped_case_is_never_served_again_to_the_one_who_skipped(running: Service) -> None:
    assert act(running, claim(running), "skip").status_code == 200
    assert running.call("POST", "/v1/queues/threat/claim", "reviewer").status_code == 204
    assert claim(running, "lead")["case"]["category"] == "threat"


@pytest.mark.parametrize(("step", "queue"), [("release", "threat"), ("escalate", "escalated")])
def test_a_case_given_back_waits_in_its_queue(running: Service, step: str, queue: str) -> None:
    held = claim(running)
    assert act(running, held, "renew").json()["lease"]["token"] == held["lease"]["token"]
    assert act(running, held, step).status_code == 200
    assert code(act(running, held, "renew")) == (409, "lease_lost")
    taken = running.call("POST", f"/v1/queues/{queue}/claim", "lead").json()
    assert taken["case"]["id"] == held["case"]["id"]


@pytest.mark.parametrize(
    ("headers", "change", "expected"),
    [
        ({}, {}, (400, "missing_field")),
        ({"Idempotency-Key": "k" * 256}, {}, (400, "wrong_type")),
        ({"Idempotency-Key": "k"}, {"outcome": "maybe"}, (400, "bad_request")),
        ({"Idempotency-Key": "k"}, {"labels": {"threat": "perhaps"}}, (400, "bad_request")),
        ({"Idempotency-Key": "k"}, {"labels": []}, (400, "wrong_type")),
        ({"Idempotency-Key": "k"}, {"severity": None}, (400, "bad_request")),
        ({"Idempotency-Key": "k"}, {"severity": 8}, (400, "bad_request")),
        ({"Idempotency-Key": "k"}, {"lease_token": "wrong"}, (409, "lease_lost")),
    ],
)
def test_a_wrong_review_is_refused(
    running: Service, headers: dict[str, str], change: dict[str, Any], expected: tuple[int, str]
) -> None:
    held = claim(running)
    assert code(act(running, held, "reviews", headers=headers, body={**VERDICT, **change})) == expected


def test_neither_pipelines_nor_safety_read_cases(running: Service) -> None:
    for role in ("pipeline", "safety"):
        assert running.call("GET", "/v1/queues", role).status_code == 403
        assert running.call("POST", "/v1/queues/threat/claim", role).status_code == 403


def test_unknown_queues_and_cases_are_404(running: Service) -> None:
    assert code(running.call("POST", "/v1/queues/nowhere/claim", "reviewer")) == (404, "not_found")
    unknown = running.call("POST", "/v1/cases/cas_0/reveal", "reviewer", json={"lease_token": "x"})
    assert code(unknown) == (404, "not_found")
