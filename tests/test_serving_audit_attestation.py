"""Attestation: a decision, a policy or a key that was edited without an entry in the chain is found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from prefilter.serving.audit.attestation import mismatches
from prefilter.serving.store import Store
from serving_client import Service, service

DRAFT = {"categories": {"threat": {"review": 0.2, "block": 0.5}}, "reason": "stricter"}
POLICY = "/v1/policies/model-output"


@pytest.fixture
def store(database_url: str, tmp_path: Path) -> Iterator[Store]:
    with service(database_url, tmp_path) as running:
        _a_day(running)
        yield running.app.state.parts.store


def _a_day(running: Service) -> None:
    running.score({"id": "a", "text": "threat=0.6"}, {"id": "b", "text": "threat=0.999"}, {"text": "foreign"})
    running.score({"id": "c", "text": "calm"}, policy="monitor-only", role="admin")
    running.call("POST", f"{POLICY}/versions", "safety", json=DRAFT)
    running.call("POST", f"{POLICY}/versions/2/activate", "safety", json={"reason": "previewed"})
    running.call("POST", f"{POLICY}/versions", "safety", json=DRAFT)
    running.call("DELETE", "/v1/items/a", "pipeline")
    for role in ("reviewer", "lead"):
        name = f"{role} one"
        getattr(running.app.state.parts.auth, "revoke" if role == "lead" else "rotate")(name)


def test_all_agree_after_an_honest_day(store: Store) -> None:
    assert mismatches(store) == []


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ("update decisions set outcome = 'allow' where outcome = 'block'", "not what was decided"),
        ("update decisions set score_threat = 0.1 where item_id = 'b'", "not what was decided"),
        ("delete from decisions where item_id = 'b'", "not what was decided"),
        ("delete from decisions where item_id = 'c'", "are gone"),
        ("update decisions set created_at = created_at + 1 where item_id = 'c'", "no entry says"),
        ("update policies set body = replace(body, '0.5', '1.0') where version = 2", "@2: not as it was written"),
        ("update policies set body = replace(body, '0.35', '0.99') where version = 1", "@1: not as it was written"),
        ("update policies set status = 'retired' where version = 2", "another version decides"),
        ("update keys set role = 'admin' where role = 'pipeline'", "not the name and role"),
        ("update keys set name = 'nobody' where role = 'safety'", "not the name and role"),
        ("update keys set revoked_at = null where role = 'lead'", "revoked in one place only"),
    ],
)
def test_what_was_edited_beside_the_chain_is_found(store: Store, edit: str, said: str) -> None:
    with store.begin() as conn:
        assert conn.execute(text(edit)).rowcount
    assert any(said in line for line in mismatches(store))


def test_no_more_is_said_than_asked_for(store: Store) -> None:
    with store.begin() as conn:
        conn.execute(text("update keys set role = 'admin'"))
    assert len(mismatches(store, limit=2)) == 2
