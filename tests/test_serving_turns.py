"""Turns: who has had least goes first, equals take turns, and nobody waits for ever."""

from __future__ import annotations

import pytest

from prefilter.serving.turns import PATIENCE, Turns


def taken(turns: Turns[str], count: int, *, cost: int = 100, used: dict[str, int] | None = None) -> list[str]:
    """Whose turns the next ones are, when everybody waits again after each."""
    used = {} if used is None else used
    order = []
    for _ in range(count):
        caller = turns.take()
        used[caller] = used.get(caller, 0) + cost
        turns.wait(caller, used=used[caller])
        order.append(caller)
    return order


def test_a_newcomer_goes_before_all_who_had_more() -> None:
    turns: Turns[str] = Turns(burst=1_000)
    for caller in ("a", "b", "c"):
        turns.wait(caller, used=500)
    turns.wait("new", used=0)
    assert turns.take() == "new"


def test_beyond_the_burst_all_are_equal_and_take_turns() -> None:
    turns: Turns[str] = Turns(burst=200)
    turns.wait("old", used=9_000)
    turns.wait("newer", used=200)
    order = taken(turns, 40, used={"old": 9_000, "newer": 200})
    assert order.count("old") == order.count("newer") == 20


def test_a_stream_of_newcomers_starves_nobody() -> None:
    turns: Turns[str] = Turns(burst=1_000)
    turns.wait("batch", used=1_000)
    order = []
    for number in range(4 * PATIENCE):
        turns.wait(f"new {number}", used=0)
        turns.wait("batch", used=1_000)
        order.append(turns.take())
    assert order.count("batch") >= 3


def test_one_who_leaves_is_met_no_more_and_waits_only_once() -> None:
    turns: Turns[str] = Turns(burst=1_000)
    for caller in ("a", "b", "b"):
        turns.wait(caller, used=0)
    turns.leave("a")
    turns.leave("nobody")
    assert (len(turns), "a" in turns, "b" in turns, turns.take(), len(turns)) == (1, False, True, "b", 0)
    with pytest.raises(IndexError):
        turns.take()
