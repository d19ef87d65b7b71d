"""Leases: a case reaches one person at a time, and nothing a person did is lost or done twice."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from prefilter.serving.audit import chain
from prefilter.serving.auth import Principal
from prefilter.serving.errors import (
    Forbidden,
    LeaseLost,
    NotFound,
)
from prefilter.serving.store import key_rows
from serving_samples import ADA, ANN, BEN, LEE, NOW, PIPE, SAM
from triage_room import Room, many, room

__all__ = ["room"]


def test_the_most_uncertain_case_comes_first_then_the_oldest(room: Room) -> None:
    def ground(score: float) -> list[dict[str, Any]]:
        return [{"category": "insult", "score": score, "band": [0.2, 0.8]}]

    edge = room.open(because=ground(0.79))
    room.clock.advance(minutes=1)
    middles = [room.open(because=ground(0.5), created_at=room.clock.now) for _ in range(2)]
    served = []
    for number in range(3):
        served.append(room.claim().case_id)
        room.review(room.claim(), idempotency_key=f"k{number}")
    assert (set(served[:2]), served[2]) == (set(middles), edge)


def test_no_case_is_claimed_twice_when_many_claim_at_once(room: Room) -> None:
    many(room, 120)
    claimed: list[str] = []
    workers, started = [room, Room(room.url)], threading.Barrier(8)

    def work(number: int) -> None:
        worker, reviewer = workers[number % 2], Principal(f"key_{number}", f"reviewer {number}", "reviewer")
        started.wait()
        while (case := worker.triage.claim("insult", reviewer)) is not None:
            claimed.append(case.case_id)
            worker.review(case, reviewer, idempotency_key=case.case_id)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    workers[1].store.dispose()
    assert (len(claimed), max(Counter(claimed).values())) == (120, 1)


def test_two_racing_for_one_case_get_one_case_and_one_nothing(room: Room) -> None:
    room.open()
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda who: room.triage.claim("insult", who), [ANN, BEN]))
    assert sorted(answer is None for answer in answers) == [False, True]


def test_claiming_again_returns_the_case_held(room: Room) -> None:
    many(room, 2)
    held = room.claim()
    assert room.claim() == held == room.triage.current(ANN)
    assert room.claim(queue="hate") == held
    assert room.triage.current(BEN) is None


def test_one_reviewer_in_many_tabs_holds_one_case(room: Room) -> None:
    many(room, 8)
    with ThreadPoolExecutor(6) as pool:
        held = {case.case_id for case in pool.map(lambda _: room.claim(), range(12))}
    assert len(held) == 1


def test_an_expired_lease_returns_the_case(room: Room) -> None:
    room.open()
    late = room.claim()
    room.clock.advance(seconds=600)
    assert room.triage.current(ANN) is None
    assert [view.open for view in room.triage.queues(BEN) if view.name == "insult"] == [1]
    assert room.claim(BEN).case_id == late.case_id
    with pytest.raises(LeaseLost):
        room.review(late)


def test_a_late_submit_is_refused_even_if_nobody_took_the_case(room: Room) -> None:
    room.open()
    late = room.claim()
    room.clock.advance(seconds=601)
    with pytest.raises(LeaseLost) as caught:
        room.review(late)
    assert (caught.value.status, caught.value.code) == (409, "lease_lost")
    assert room.row(late.case_id).status == "leased"


def test_renewing_lets_the_lease_begin_anew(room: Room) -> None:
    room.open()
    claimed = room.claim()
    room.clock.advance(seconds=500)
    lease = room.triage.renew(claimed.case_id, ANN, lease_token=claimed.lease.token)
    room.clock.advance(seconds=500)
    assert lease.expires_at > room.clock.now
    assert room.review(claimed).outcome == "allow"


@pytest.mark.parametrize("verb", ["renew", "release", "skip", "escalate", "reveal"])
def test_a_stale_token_or_another_reviewer_is_refused(room: Room, verb: str) -> None:
    room.open()
    claimed = room.claim()
    for principal, token in [(ANN, "lea_stale"), (BEN, claimed.lease.token)]:
        with pytest.raises(LeaseLost):
            getattr(room.triage, verb)(claimed.case_id, principal, lease_token=token)
    assert room.actions() == ["case.claimed"]


@pytest.mark.parametrize("verb", ["renew", "release", "skip", "escalate", "reveal"])
def test_a_case_that_does_not_exist_is_not_found(room: Room, verb: str) -> None:
    with pytest.raises(NotFound):
        getattr(room.triage, verb)("cas_nowhere", ANN, lease_token="lea_x")


def test_a_released_case_waits_again(room: Room) -> None:
    room.open()
    claimed = room.claim()
    room.triage.release(claimed.case_id, ANN, lease_token=claimed.lease.token)
    assert room.triage.current(ANN) is None
    assert room.claim(BEN).case_id == claimed.case_id


def test_a_skipped_case_is_never_served_to_the_skipper_again(room: Room) -> None:
    room.open()
    claimed = room.claim()
    room.triage.skip(claimed.case_id, ANN, lease_token=claimed.lease.token)
    assert room.triage.claim("insult", ANN) is None
    assert [view.open for view in room.triage.queues(ANN) if view.name == "insult"] == [0]
    again = room.claim(BEN)
    room.triage.release(again.case_id, BEN, lease_token=again.lease.token)
    assert room.triage.claim("insult", ANN) is None


def test_a_case_that_every_reviewer_has_skipped_goes_to_the_leads(room: Room) -> None:
    case_id = room.open()
    with room.store.begin() as conn:
        for who in (ANN, BEN, LEE):
            key_rows.add(
                conn,
                key_id=who.key_id,
                name=who.name,
                role=who.role,
                prefix="p",
                digest=who.name,
                at=NOW,
                by="x",
            )
    room.triage.skip(case_id, ANN, lease_token=room.claim(ANN).lease.token)
    assert room.row(case_id).queue == "insult"
    assert sum(view.skipped for view in room.triage.queues(ANN)) == 1
    room.triage.skip(case_id, BEN, lease_token=room.claim(BEN).lease.token)
    assert room.claim(LEE, "escalated").case_id == case_id
    assert room.actions()[-3:] == ["case.skipped", "case.escalated", "case.claimed"]


def test_what_a_single_reviewer_skips_stays_where_a_lead_reads(room: Room) -> None:
    case_id = room.open()
    with room.store.begin() as conn:
        key_rows.add(conn, key_id="key_a", name="ann", role="reviewer", prefix="p", digest="d", at=NOW, by="x")
    room.triage.skip(case_id, ANN, lease_token=room.claim(ANN).lease.token)
    assert room.claim(LEE).case_id == case_id


def test_an_escalated_case_goes_to_leads_only(room: Room) -> None:
    case_id = room.open()
    room.triage.escalate(case_id, ANN, lease_token=room.claim().lease.token)
    assert room.row(case_id).status == "escalated"
    assert room.triage.claim("insult", BEN) is None
    with pytest.raises(Forbidden):
        room.triage.claim("escalated", BEN)
    assert "escalated" not in [view.name for view in room.triage.queues(BEN)]
    assert room.claim(LEE, "escalated").case_id == case_id


def test_an_escalated_case_given_back_stays_with_the_leads(room: Room) -> None:
    case_id = room.open()
    room.triage.escalate(case_id, ANN, lease_token=room.claim().lease.token)
    claimed = room.claim(LEE, "escalated")
    room.triage.release(case_id, LEE, lease_token=claimed.lease.token)
    assert room.row(case_id).status == "escalated"
    assert room.review(room.claim(ADA, "escalated"), ADA).case_id == case_id


@pytest.mark.parametrize("principal", [SAM, PIPE])
def test_safety_and_pipelines_see_no_case(room: Room, principal: Principal) -> None:
    room.open()
    token = room.claim().lease.token
    calls = [lambda: room.triage.claim("insult", principal), lambda: room.triage.current(principal)]
    calls += [lambda: room.triage.queues(principal)]
    calls += [lambda: room.triage.reveal("cas_x", principal, lease_token=token)]
    for call in calls:
        with pytest.raises(Forbidden):
            call()


def test_an_unknown_queue_is_not_found_and_an_empty_one_gives_nothing(room: Room) -> None:
    with pytest.raises(NotFound):
        room.triage.claim("nonsense", ANN)
    assert room.triage.claim("hate", ANN) is None


def test_every_step_has_its_entry_in_the_chain(room: Room) -> None:
    many(room, 2)
    claimed = room.claim()
    room.triage.renew(claimed.case_id, ANN, lease_token=claimed.lease.token)
    room.triage.skip(claimed.case_id, ANN, lease_token=claimed.lease.token)
    claimed = room.claim()
    room.review(claimed, note="a private note")
    steps = ["case.claimed", "case.renewed", "case.skipped", "case.claimed", "review.submitted"]
    assert room.actions() == steps
    assert chain.verify(room.store).ok
    assert "note" not in repr(chain.page(room.store))
