"""A claimed case: masked without a score until it is revealed, and revealing is recorded."""

from __future__ import annotations

from prefilter.serving.api.bodies.case_bodies import claim_answer
from prefilter.serving.audit import chain
from prefilter.serving.store.case_rows import Span
from prefilter.serving.triage import RevealedText, mask
from serving_samples import ANN
from triage_room import TEXT, Room, room

__all__ = ["room"]


def test_what_a_text_answers_is_masked_whole_and_revealed_with_it(room: Room) -> None:
    room.open(spans=(Span(0, 5, "insult"),), context="why \x00 \U0001f600")
    claimed = room.claim()
    assert claimed.context_masked == "█" * 7
    assert room.triage.reveal(claimed.case_id, ANN, lease_token=claimed.lease.token) == RevealedText(
        TEXT, "why \x00 \U0001f600"
    )


def test_what_is_served_is_masked_and_shows_no_score(room: Room) -> None:
    room.open(spans=(Span(0, 5, "insult"),), language="en", source="forum")
    claimed = room.claim()
    assert claimed.text_masked == "█████ part, second part"
    assert (claimed.category, claimed.severity_band, claimed.language) == ("insult", "low", "en")
    assert "score" not in repr(claim_answer(claimed))
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


def test_a_claimed_case_says_how_long_it_is_and_why_it_could_not_be_scored(room: Room) -> None:
    room.open(
        "Vier ganz kurze Worte", because=[{"reason": "unreadable_language"}], unscored="unreadable_language"
    )
    case = claim_answer(room.claim(queue="unscored"))["case"]
    assert (case["words"], case["reason"], case["escalated_by"]) == (4, "unreadable_language", None)


def test_revealing_gives_the_text_and_is_recorded(room: Room) -> None:
    room.open(because=[{"category": "threat", "score": 0.5, "band": [0.3, 0.7]}])
    claimed = room.claim(queue="threat")
    assert room.triage.reveal(claimed.case_id, ANN, lease_token=claimed.lease.token) == RevealedText(TEXT)
    entry = chain.page(room.store)[0]
    assert (entry.action, entry.actor, entry.subject) == ("case.revealed", "ann", claimed.case_id)
    assert entry.body == {"severity_band": "high"}
