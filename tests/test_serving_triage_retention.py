"""Retention: erased texts are gone, from the files too, and what became of the case is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from prefilter.serving.errors import (
    Forbidden,
    LeaseLost,
)
from prefilter.serving.store import review_rows
from serving_samples import ADA, ANN, PIPE, SAM
from triage_room import TEXT, Room, room

__all__ = ["room"]


def test_erasure_and_retention_take_what_a_text_answers_too(room: Room) -> None:
    erased = room.open(item_id="itm_1", context="why")
    room.triage.retention.erase("itm_1", SAM)
    reviewed = room.open(item_id="itm_2", context="why")
    room.review(room.claim())
    room.clock.advance(days=31)
    assert room.triage.retention.purge() == 1
    assert [(room.row(c).text, room.row(c).context) for c in (erased, reviewed)] == [(None, None)] * 2


def test_erasing_an_item_removes_its_text_and_closes_its_cases(room: Room) -> None:
    erased = [room.open(item_id="itm_1"), room.open(item_id="itm_1", text="another")]
    kept = room.open(item_id="itm_2")
    held = room.claim()
    assert room.triage.retention.erase("itm_1", SAM) == 2
    assert [room.row(case_id).text for case_id in [*erased, kept]] == [None, None, TEXT]
    assert {room.row(case_id).resolution_reason for case_id in erased} == {"erased"}
    if held.case_id in erased:
        with pytest.raises(LeaseLost):
            room.triage.reveal(held.case_id, ANN, lease_token=held.lease.token)
    assert room.actions()[-1] == "item.erased"


def test_erasing_removes_notes_of_reviews(room: Room) -> None:
    case_id = room.open(item_id="itm_1")
    room.review(room.claim(), note="quotes the text", reason="quotes it too")
    room.triage.retention.erase("itm_1", ADA)
    with room.store.read() as conn:
        [(review, labels)] = review_rows.of_case(conn, case_id)
    assert (review.note, review.reason, labels) == (None, None, {"insult": "no"})
    assert room.row(case_id).resolution == "allow"


def test_a_pipeline_erases_only_its_own_items(room: Room) -> None:
    theirs = room.open(item_id="itm_1", key_name="another pipeline", text="other")
    shared = room.open(item_id="itm_1", key_name="another pipeline")
    assert room.triage.retention.erase("itm_1", PIPE) == 0
    assert room.open(item_id="itm_1", key_name="pipe") == shared
    assert room.triage.retention.erase("itm_1", PIPE) == 1
    assert room.row(shared).text is None
    assert room.row(theirs).text == "other"
    with pytest.raises(Forbidden):
        room.triage.retention.erase("itm_1", ANN)


def test_text_is_kept_until_retention_after_resolution_has_passed(room: Room) -> None:
    resolved, waiting = room.open(), room.open()
    claimed = room.claim()
    room.review(claimed)
    resolved, waiting = (claimed.case_id, ({resolved, waiting} - {claimed.case_id}).pop())
    room.clock.advance(days=29)
    assert room.triage.retention.purge() == 0
    room.clock.advance(days=2)
    assert (room.triage.retention.purge(), room.triage.retention.purge()) == (1, 0)
    assert (room.row(resolved).text, room.row(waiting).text) == (None, TEXT)


def test_erased_text_is_gone_from_the_files(sqlite_url: str, tmp_path: Path) -> None:
    room, canary = Room(sqlite_url), "canary-7f3a91"
    room.open(text=canary * 500, item_id="itm_1")
    assert any(canary.encode() in path.read_bytes() for path in tmp_path.iterdir())
    room.triage.retention.erase("itm_1", ADA)
    assert not any(canary.encode() in path.read_bytes() for path in tmp_path.iterdir())
    room.store.dispose()
