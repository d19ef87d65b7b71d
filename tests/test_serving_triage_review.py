"""A review: it closes the case once, however often it is sent, and says which field makes no sense."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from prefilter.serving.api.bodies.case_bodies import review_answer
from prefilter.serving.audit import chain
from prefilter.serving.errors import (
    BadRequest,
    IdempotencyConflict,
    LeaseLost,
)
from prefilter.serving.store import review_rows
from serving_samples import ANN, BEN, NOW
from triage_room import Room, many, room

__all__ = ["room"]


def test_a_review_closes_the_case_with_its_labels(room: Room) -> None:
    case_id = room.open()
    labels = {"insult": "yes", "hate": "unsure", "threat": "no"}
    receipt = room.review(room.claim(), labels=labels, outcome="block", severity=3, reason="r", note="n")
    row = room.row(case_id)
    assert (row.status, row.resolution, row.resolved_by, row.resolved_at) == ("resolved", "block", "ann", NOW)
    with room.store.read() as conn:
        [(review, stored)] = review_rows.of_case(conn, case_id)
    assert (review.severity, review.reason, review.note) == (3, "r", "n")
    assert stored == {"insult": "yes", "hate": "unknown", "threat": "no"} == receipt.labels


def test_the_same_key_and_body_replays_the_answer(room: Room) -> None:
    room.open()
    claimed = room.claim()
    first = room.review(claimed)
    room.clock.advance(days=1)
    again = room.review(claimed)
    assert (first.replayed, again.replayed) == (False, True)
    assert review_answer(first) == review_answer(again)
    assert room.actions().count("review.submitted") == 1


def test_the_same_key_with_another_body_is_a_conflict(room: Room) -> None:
    room.open()
    claimed = room.claim()
    room.review(claimed)
    with pytest.raises(IdempotencyConflict):
        room.review(claimed, outcome="block")
    assert room.row(claimed.case_id).resolution == "allow"


def test_the_same_request_sent_twice_at_once_is_one_review(room: Room) -> None:
    room.open()
    claimed = room.claim()
    with ThreadPoolExecutor(4) as pool:
        receipts = list(pool.map(lambda _: room.review(claimed), range(8)))
    assert len({receipt.review_id for receipt in receipts}) == 1
    assert sum(not receipt.replayed for receipt in receipts) == 1


def test_keys_of_two_reviewers_do_not_collide(room: Room) -> None:
    many(room, 2)
    mine, theirs = room.claim(ANN), room.claim(BEN)
    assert room.review(mine, ANN).review_id != room.review(theirs, BEN).review_id


def test_a_second_review_of_a_closed_case_is_refused(room: Room) -> None:
    room.open()
    claimed = room.claim()
    room.review(claimed)
    with pytest.raises(LeaseLost):
        room.review(claimed, idempotency_key="k2")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"labels": {"nonsense": "yes"}}, "labels"),
        ({"labels": {"insult": "maybe"}}, "labels.insult"),
        ({"labels": {"insult": None}}, "labels.insult"),
        ({"labels": {"insult": "yes"}}, "severity"),
        ({"severity": 8}, "severity"),
        ({"severity": True}, "severity"),
        ({"outcome": "review"}, "outcome"),
        ({"idempotency_key": ""}, "Idempotency-Key"),
        ({"note": "x" * 4_001}, "note"),
        ({"reason": 1}, "reason"),
    ],
)
def test_a_review_that_makes_no_sense_names_its_field(
    room: Room, changes: dict[str, Any], field: str
) -> None:
    room.open()
    with pytest.raises(BadRequest) as caught:
        room.review(room.claim(), **changes)
    assert caught.value.field == field


def test_a_failing_audit_takes_the_review_back(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.open()
    claimed = room.claim()
    monkeypatch.setattr(chain, "append", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        room.review(claimed)
    monkeypatch.undo()
    assert room.row(claimed.case_id).status == "leased"
    assert not room.review(claimed).replayed
