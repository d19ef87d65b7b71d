"""Turns: the request with the least left goes first, among equals the earliest, and none waits without end."""

from __future__ import annotations

import pytest

from prefilter.serving.engine.turns import PATIENCE, Turns


def test_who_needs_least_goes_before_those_who_came_first() -> None:
    turns: Turns[str] = Turns()
    for caller, left in (("batch", 9_000), ("book", 50_000), ("line", 20)):
        turns.wait(caller, left=left)
    assert [turns.take(), turns.take(), turns.take()] == ["line", "batch", "book"]


def test_what_was_begun_is_finished_before_its_like_is_begun() -> None:
    turns: Turns[str] = Turns()
    left = {"first": 300, "second": 300, "third": 300}
    for caller in left:
        turns.wait(caller, left=300)
    done = []
    while len(turns):
        caller = turns.take()
        left[caller] -= 100
        if left[caller]:
            turns.wait(caller, left=left[caller])
        else:
            done.append(caller)
    assert done == ["first", "second", "third"]


def test_a_stream_of_small_callers_starves_nobody() -> None:
    turns: Turns[str] = Turns()
    turns.wait("batch", left=9_000)
    order = []
    for number in range(4 * PATIENCE):
        turns.wait(f"line {number}", left=20)
        turns.wait("batch", left=9_000)
        order.append(turns.take())
    assert order.count("batch") == 4


def test_one_who_leaves_is_met_no_more_and_nobody_waits_twice() -> None:
    turns: Turns[str] = Turns()
    for caller in ("a", "b", "b"):
        turns.wait(caller, left=1)
    turns.leave("a")
    turns.leave("nobody")
    assert (len(turns), turns.take(), len(turns)) == (1, "b", 0)
    for _ in range(PATIENCE):
        with pytest.raises(IndexError):
            turns.take()
