"""Keys and the audit trail over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from serving_client import Service, service


@pytest.fixture
def running(sqlite_url: str, tmp_path: Path) -> Iterator[Service]:
    with service(sqlite_url, tmp_path) as started:
        yield started


def status_with(running: Service, key: str) -> int:
    headers = {"Authorization": f"Bearer {key}"}
    return int(running.client.get("/v1/policies", headers=headers).status_code)


def test_a_key_is_made_shown_once_rotated_and_revoked(running: Service) -> None:
    made = running.call("POST", "/v1/keys", json={"role": "pipeline", "name": "corpus"})
    assert made.status_code == 201
    key_id, first = made.json()["id"], made.json()["key"]
    assert first not in running.call("GET", "/v1/keys").text
    second = running.call("POST", f"/v1/keys/{key_id}/rotate").json()["key"]
    assert (status_with(running, first), status_with(running, second)) == (401, 200)
    assert running.call("POST", f"/v1/keys/{key_id}/revoke").json()["revoked_at"]
    assert status_with(running, second) == 401


def test_a_rotated_key_may_live_on_for_its_grace(running: Service) -> None:
    made = running.call("POST", "/v1/keys", json={"role": "pipeline", "name": "corpus"}).json()
    rotated = running.call("POST", f"/v1/keys/{made['id']}/rotate", json={"grace_seconds": 60}).json()
    assert [status_with(running, body["key"]) for body in (made, rotated)] == [200, 200]


def test_wrong_keys_are_refused_by_name(running: Service) -> None:
    wrong = running.call("POST", "/v1/keys", json={"role": "king", "name": "x"})
    assert (wrong.status_code, wrong.json()["error"]["field"]) == (400, "role")
    taken = running.call("POST", "/v1/keys", json={"role": "lead", "name": "lead one"})
    assert (taken.status_code, taken.json()["error"]["code"]) == (409, "name_taken")
    assert running.call("POST", "/v1/keys/key_0/revoke").status_code == 404


def test_only_admin_sees_keys(running: Service) -> None:
    for role in ("pipeline", "reviewer", "lead", "safety"):
        assert running.call("GET", "/v1/keys", role).status_code == 403


def test_one_request_is_one_audit_entry_with_the_digest_of_its_decisions(running: Service) -> None:
    running.score({"text": "calm"}, {"text": "threat=0.5"}, {"text": ""})
    (entry,) = running.call("GET", "/v1/audit?action=decision.made", "safety").json()["entries"]
    body = entry["body"]
    assert (entry["actor"], body["decisions"], body["cases"]) == ("pipeline one", 2, 1)
    assert body["outcomes"] == {"allow": 1, "review": 1, "block": 0}
    assert len(body["digest"]) == 64


def test_the_chain_verifies_and_is_read_in_pages(running: Service) -> None:
    assert running.call("GET", "/v1/audit/verify", "safety").json()["ok"]
    first = running.call("GET", "/v1/audit?limit=2", "safety").json()
    rest = running.call("GET", f"/v1/audit?before={first['next_before']}", "safety").json()
    assert first["entries"][-1]["seq"] == rest["entries"][0]["seq"] + 1


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "before=-1", "since=1", "limit=2000"])
def test_a_wrong_page_of_the_audit_is_400(running: Service, query: str) -> None:
    assert running.call("GET", f"/v1/audit?{query}", "safety").status_code == 400


def test_models_are_for_safety(running: Service) -> None:
    assert running.call("GET", "/v1/models", "safety").json()["live"]["version"] == "spoken-1"
    assert running.call("GET", "/v1/models", "pipeline").status_code == 403
