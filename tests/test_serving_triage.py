"""Triage: a case reaches one person at a time, and nothing a person did is lost or done twice."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from prefilter.serving.audit import chain
from prefilter.serving.auth import Principal
from prefilter.serving.errors import (
    BadRequest,
    Forbidden,
    IdempotencyConflict,
    LeaseLost,
    NotFound,
)
from prefilter.serving.settings import Settings
from prefilter.serving.store import Store, case_rows, decision_rows, key_rows, review_rows
from prefilter.serving.store.case_rows import Span
from prefilter.serving.store.decision_rows import DecisionRow
from prefilter.serving.triage import ClaimedCase, NewCase, Revealed, ReviewReceipt, Triage, mask
from serving_samples import ADA, ANN, BEN, LEE, NOW, PIPE, SAM, Clock, a_decision

TEXT = "first part, second part"


class Room:
    """A store, a triage and a clock, with the few things every test does."""

    def __init__(self, url: str) -> None:
        self.url, self.store, self.clock = url, Store.open(url), Clock()
        self.store.migrate()
        self.settings = Settings(database_url=url, lease_seconds=600, retention_days=30)
        self.triage = Triage(self.store, self.settings, self.clock)

    def open(self, text: str = TEXT, spans: tuple[Span, ...] = (), **changes: Any) -> str:
        context = changes.pop("context", None)
        if context is not None:
            changes["context_digest"] = self.store.digest(context, kind="context")
        decision = a_decision(**{"text_digest": self.store.digest(text), **changes})
        with self.store.begin() as conn:
            decision_rows.insert_many(conn, [decision])
            return self.triage.open_case(conn, decision=decision, text=text, spans=spans, context=context)

    def claim(self, principal: Principal = ANN, queue: str = "insult") -> ClaimedCase:
        claimed = self.triage.claim(queue, principal)
        assert claimed is not None
        return claimed

    def review(self, claimed: ClaimedCase, principal: Principal = ANN, **changes: Any) -> ReviewReceipt:
        answer: dict[str, Any] = {"labels": {"insult": "no"}, "outcome": "allow", "idempotency_key": "k1"}
        answer |= {"lease_token": claimed.lease.token}
        return self.triage.review(claimed.case_id, principal, **{**answer, **changes})

    def row(self, case_id: str) -> case_rows.CaseRow:
        with self.store.read() as conn:
            row = case_rows.find(conn, case_id)
        assert row is not None
        return row

    def actions(self) -> list[str]:
        return [entry.action for entry in reversed(chain.page(self.store))]


@pytest.fixture
def room(database_url: str) -> Iterator[Room]:
    made = Room(database_url)
    yield made
    made.store.dispose()


def many(room: Room, count: int) -> list[DecisionRow]:
    rows = [a_decision(item_id=f"itm_{n}") for n in range(count)]
    with room.store.begin() as conn:
        decision_rows.insert_many(conn, rows)
        room.triage.open_cases(conn, [NewCase(row, TEXT) for row in rows])
    return rows


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


def test_what_a_text_answers_is_masked_whole_and_revealed_with_it(room: Room) -> None:
    room.open(spans=(Span(0, 5, "insult"),), context="why \x00 \U0001f600")
    claimed = room.claim()
    assert claimed.context_masked == "█" * 7
    assert room.triage.reveal(claimed.case_id, ANN, lease_token=claimed.lease.token) == Revealed(
        TEXT, "why \x00 \U0001f600"
    )


def test_erasure_and_retention_take_what_a_text_answers_too(room: Room) -> None:
    erased = room.open(item_id="itm_1", context="why")
    room.triage.erase("itm_1", SAM)
    reviewed = room.open(item_id="itm_2", context="why")
    room.review(room.claim())
    room.clock.advance(days=31)
    assert room.triage.purge() == 1
    assert [(room.row(c).text, room.row(c).context) for c in (erased, reviewed)] == [(None, None)] * 2


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
        first, second, third = room.triage.open_cases(conn, [NewCase(row, TEXT) for row in rows])
    assert first == third != second
    assert sum(view.open for view in room.triage.queues(ANN)) == 2


def test_retries_at_the_same_moment_open_one_case(room: Room) -> None:
    with ThreadPoolExecutor(6) as pool:
        opened = list(pool.map(lambda _: room.open(item_id="itm_1"), range(12)))
    assert len(set(opened)) == 1


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


def test_what_is_served_is_masked_and_shows_no_score(room: Room) -> None:
    room.open(spans=(Span(0, 5, "insult"),), language="en", source="forum")
    claimed = room.claim()
    assert claimed.text_masked == "█████ part, second part"
    assert (claimed.category, claimed.severity_band, claimed.language) == ("insult", "low", "en")
    assert "score" not in repr(claimed.to_json())
    assert claimed.lease.expires_at > room.clock.now


def test_a_text_without_spans_is_masked_as_a_whole() -> None:
    assert mask("áé\x00x", ()) == "████"
    assert mask("abcdef", (Span(1, 3), Span(2, 4), Span(5, 99), Span(7, 3))) == "a███e█"


def test_text_with_nul_comes_back_exactly(room: Room) -> None:
    odd = "a\x00b \U0001f600 \u202e"
    room.open(text=odd, spans=(Span(0, 1),))
    claimed = room.claim()
    assert claimed.text_masked == "█" + odd[1:]
    assert room.triage.reveal(claimed.case_id, ANN, lease_token=claimed.lease.token).text == odd


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


def test_a_claimed_case_says_how_long_it_is_and_why_it_could_not_be_scored(room: Room) -> None:
    room.open(
        "Vier ganz kurze Worte", because=[{"reason": "unreadable_language"}], unscored="unreadable_language"
    )
    case = room.claim(queue="unscored").to_json()["case"]
    assert (case["words"], case["reason"], case["escalated_by"]) == (4, "unreadable_language", None)


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


def test_revealing_gives_the_text_and_is_recorded(room: Room) -> None:
    room.open(because=[{"category": "threat", "score": 0.5, "band": [0.3, 0.7]}])
    claimed = room.claim(queue="threat")
    assert room.triage.reveal(claimed.case_id, ANN, lease_token=claimed.lease.token) == Revealed(TEXT)
    entry = chain.page(room.store)[0]
    assert (entry.action, entry.actor, entry.subject) == ("case.revealed", "ann", claimed.case_id)
    assert entry.body == {"severity_band": "high"}


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
    assert first.to_json() == again.to_json()
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


def test_a_failing_audit_takes_the_review_back(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.open()
    claimed = room.claim()
    monkeypatch.setattr(chain, "append", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        room.review(claimed)
    monkeypatch.undo()
    assert room.row(claimed.case_id).status == "leased"
    assert not room.review(claimed).replayed


def test_erasing_an_item_removes_its_text_and_closes_its_cases(room: Room) -> None:
    erased = [room.open(item_id="itm_1"), room.open(item_id="itm_1", text="another")]
    kept = room.open(item_id="itm_2")
    held = room.claim()
    assert room.triage.erase("itm_1", SAM) == 2
    assert [room.row(case_id).text for case_id in [*erased, kept]] == [None, None, TEXT]
    assert {room.row(case_id).resolution_reason for case_id in erased} == {"erased"}
    if held.case_id in erased:
        with pytest.raises(LeaseLost):
            room.triage.reveal(held.case_id, ANN, lease_token=held.lease.token)
    assert room.actions()[-1] == "item.erased"


def test_erasing_removes_notes_of_reviews(room: Room) -> None:
    case_id = room.open(item_id="itm_1")
    room.review(room.claim(), note="quotes the text", reason="quotes it too")
    room.triage.erase("itm_1", ADA)
    with room.store.read() as conn:
        [(review, labels)] = review_rows.of_case(conn, case_id)
    assert (review.note, review.reason, labels) == (None, None, {"insult": "no"})
    assert room.row(case_id).resolution == "allow"


def test_a_pipeline_erases_only_its_own_items(room: Room) -> None:
    theirs = room.open(item_id="itm_1", key_name="another pipeline", text="other")
    shared = room.open(item_id="itm_1", key_name="another pipeline")
    assert room.triage.erase("itm_1", PIPE) == 0
    assert room.open(item_id="itm_1", key_name="pipe") == shared
    assert room.triage.erase("itm_1", PIPE) == 1
    assert room.row(shared).text is None
    assert room.row(theirs).text == "other"
    with pytest.raises(Forbidden):
        room.triage.erase("itm_1", ANN)


def test_text_is_kept_until_retention_after_resolution_has_passed(room: Room) -> None:
    resolved, waiting = room.open(), room.open()
    claimed = room.claim()
    room.review(claimed)
    resolved, waiting = (claimed.case_id, ({resolved, waiting} - {claimed.case_id}).pop())
    room.clock.advance(days=29)
    assert room.triage.purge() == 0
    room.clock.advance(days=2)
    assert (room.triage.purge(), room.triage.purge()) == (1, 0)
    assert (room.row(resolved).text, room.row(waiting).text) == (None, TEXT)


def test_erased_text_is_gone_from_the_files(sqlite_url: str, tmp_path: Path) -> None:
    room, canary = Room(sqlite_url), "canary-7f3a91"
    room.open(text=canary * 500, item_id="itm_1")
    assert any(canary.encode() in path.read_bytes() for path in tmp_path.iterdir())
    room.triage.erase("itm_1", ADA)
    assert not any(canary.encode() in path.read_bytes() for path in tmp_path.iterdir())
    room.store.dispose()
