"""The safety team's routes: draft, preview, activate, roll back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from serving_client import Service, service

PATH = "/v1/policies/model-output"
STRICT = {"categories": {"threat": {"review": 0.2, "block": 0.5}}}


@pytest.fixture
def running(database_url: str, tmp_path: Path) -> Iterator[Service]:
    with service(database_url, tmp_path) as started:
        yield started


def code(response: Any) -> tuple[int, str, str | None]:
    error = response.json()["error"]
    return response.status_code, error["code"], error.get("field")


def outcome(running: Service) -> tuple[str, int]:
    answer = running.score({"text": "threat=0.6"}).json()
    return answer["results"][0]["outcome"], answer["policy"]["version"]


def test_a_draft_decides_once_activated_and_no_more_once_rolled_back(running: Service) -> None:
    assert outcome(running) == ("review", 1)
    drafted = running.call("POST", f"{PATH}/versions", "safety", json={**STRICT, "reason": "stricter"})
    assert (drafted.status_code, drafted.json()["version"]) == (201, 2)
    assert outcome(running) == ("review", 1)
    running.call("POST", f"{PATH}/versions/2/activate", "safety", json={"reason": "as previewed"})
    assert outcome(running) == ("block", 2)
    back = running.call("POST", f"{PATH}/rollback", "safety", json={"reason": "too strict"})
    assert back.json() == {"name": "model-output", "version": 1}
    assert outcome(running) == ("review", 1)


def test_a_preview_counts_the_flips_without_a_model(running: Service) -> None:
    running.score({"text": "threat=0.1"}, {"text": "threat=0.3"}, {"text": "threat=0.6"})
    seen = len(running.scorer.seen)
    change = running.call("POST", f"{PATH}/what-if", "safety", json=STRICT).json()
    assert change == {
        "before": {"allow": 2, "review": 1, "block": 0},
        "after": {"allow": 1, "review": 1, "block": 1},
        "flips": {"allow>review": 1, "review>block": 1},
        "n": 3,
        "decisions_of": "model-output",
        "estimated": 0,
    }
    assert len(running.scorer.seen) == seen


def test_a_preview_knows_what_is_uncalibrated(running: Service) -> None:
    running.score({"text": "illicit=0.99"})
    draft = {"categories": {"illicit": {"review": 0.2, "block": 0.5}}}
    change = running.call("POST", f"{PATH}/what-if", "safety", json=draft).json()
    assert change["after"] == {"allow": 0, "review": 1, "block": 0}


def test_policies_are_listed_with_who_changed_them_and_why(running: Service) -> None:
    running.call("POST", f"{PATH}/versions", "safety", json={**STRICT, "reason": "stricter"})
    listed = running.call("GET", "/v1/policies", "pipeline").json()["policies"]
    assert [row["name"] for row in listed] == ["model-output", "monitor-only", "pretraining-corpus"]
    history = running.call("GET", PATH, "safety").json()
    newest = history["versions"][0]
    assert (newest["version"], newest["status"], newest["created_by"], newest["reason"]) == (
        2, "draft", "safety one", "stricter",
    )  # fmt: skip
    entry = running.call("GET", "/v1/audit?action=policy.drafted", "safety").json()["entries"][0]
    assert (entry["actor"], entry["body"]["reason"]) == ("safety one", "stricter")


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("/versions", STRICT, (400, "missing_field", "reason")),
        ("/versions", {"categories": {"threat": {"review": 2}}, "reason": "x"}, (400, "bad_policy", None)),
        ("/versions/9/activate", {"reason": "x"}, (404, "not_found", "version")),
        ("/versions/x/activate", {"reason": "x"}, (400, "wrong_type", "version")),
        ("/versions/1/activate", {"reason": "x"}, (409, "already_active", None)),
        ("/rollback", {"reason": "x"}, (409, "no_earlier_version", None)),
        ("/rollback", {"reason": "x", "active_version": 3}, (409, "version_conflict", "active_version")),
        ("/rollback", {"reason": "x", "active_version": "1"}, (400, "wrong_type", "active_version")),
        ("/rollback", {}, (400, "missing_field", "reason")),
        ("/what-if", {"categories": []}, (400, "wrong_type", "categories")),
    ],
)
def test_a_wrong_change_is_refused_by_name(
    running: Service, path: str, body: dict[str, Any], expected: tuple[int, str, str | None]
) -> None:
    status, name, field = code(running.call("POST", PATH + path, "safety", json=body))
    assert (status, name) == expected[:2]
    assert field == (expected[2] or field)


def test_only_safety_and_admin_change_policies(running: Service) -> None:
    for role, status in {"pipeline": 403, "reviewer": 403, "lead": 403, "safety": 200, "admin": 200}.items():
        assert running.call("POST", f"{PATH}/what-if", role, json=STRICT).status_code == status
