"""Intake: what is sent twice becomes one case, which waits where the category that decided sends it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from prefilter.serving.store import decision_rows
from prefilter.serving.triage import NewCase
from serving_samples import ANN, a_decision
from triage_room import TEXT, Room, room

__all__ = ["room"]


def test_a_case_waits_in_the_queue_of_the_category_that_decided(room: Room) -> None:
    room.open(because=[{"category": "hate", "score": 0.5, "band": [0.3, 0.7]}, {"category": "insult"}])
    room.open(because=[{"reason": "deadline"}])
    waiting = {view.name: view.open for view in room.triage.queues(ANN) if view.open}
    assert waiting == {"hate": 1, "unscored": 1}


def test_a_retry_opens_no_second_case(room: Room) -> None:
    first = room.open(item_id="itm_1")
    assert room.open(item_id="itm_1") == first
    room.review(room.claim())
    assert room.open(item_id="itm_1") == first
    others = {room.open(item_id="itm_2"), room.open(item_id="itm_1", text="other")}
    assert first not in others
    assert len(others) == 2


def test_the_same_text_is_read_once_for_each_thing_it_answers(room: Room) -> None:
    opened = {context: room.open(item_id="itm_1", context=context) for context in (None, "why", "how")}
    assert len(set(opened.values())) == 3
    assert room.open(item_id="itm_1", context="why") == opened["why"]


def test_the_same_text_of_an_item_is_read_once_whichever_key_sends_it(room: Room) -> None:
    first = room.open(item_id="itm_1", key_name="one pipeline")
    assert room.open(item_id="itm_1", key_name="another pipeline") == first


def test_items_without_an_id_are_known_by_their_text(room: Room) -> None:
    assert room.open(item_id=None) == room.open(item_id=None)
    assert room.open(item_id=None, text="other") != room.open(item_id=None)


def test_the_same_item_twice_in_one_request_opens_one_case(room: Room) -> None:
    rows = [a_decision(item_id="itm_1"), a_decision(item_id="itm_2"), a_decision(item_id="itm_1")]
    with room.store.begin() as conn:
        decision_rows.insert_many(conn, rows)
        first, second, third = room.triage.intake.open_cases(conn, [NewCase(row, TEXT) for row in rows])
    assert first == third != second
    assert sum(view.open for view in room.triage.queues(ANN)) == 2


def test_retries_at_the_same_moment_open_one_case(room: Room) -> None:
    with ThreadPoolExecutor(6) as pool:
        opened = list(pool.map(lambda _: room.open(item_id="itm_1"), range(12)))
    assert len(set(opened)) == 1
