"""Permits: who is let in, before anything of a request is read."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from prefilter.serving.admission.permits import Permits
from prefilter.serving.errors import Overloaded


def test_no_more_are_let_in_than_there_are_permits_and_one_who_leaves_makes_room() -> None:
    admission = Permits(permits=2, max_bytes=1_000)
    with admission.permit(1):
        with admission.permit(1), pytest.raises(Overloaded) as refused, admission.permit(1):
            pass
        with admission.permit(1):
            assert admission.inside == 2
    assert (admission.inside, refused.value.retry_after_s) == (0, 1)


def test_bodies_are_bounded_together_but_one_alone_is_always_let_in() -> None:
    admission = Permits(permits=9, max_bytes=100)
    with admission.permit(5_000), pytest.raises(Overloaded), admission.permit(1):
        pass
    with ExitStack() as inside:
        for _ in range(4):
            inside.enter_context(admission.permit(25))
        with pytest.raises(Overloaded):
            inside.enter_context(admission.permit(1))


def test_a_full_engine_is_asked_with_the_size_of_the_request_and_says_when_to_come_back() -> None:
    def check_room(tokens: int) -> None:
        if tokens >= 10:
            raise Overloaded(retry_after_s=7)

    admission = Permits(permits=9, max_bytes=10_000)
    admission.watch(check_room=check_room, retry_after_s=lambda: 7)
    with admission.permit(36), pytest.raises(Overloaded) as refused, admission.permit(40):
        pass
    assert refused.value.retry_after_s == 7


def test_a_permit_comes_back_when_the_request_fails() -> None:
    admission = Permits(permits=1, max_bytes=1_000)
    with pytest.raises(RuntimeError), admission.permit(1):
        raise RuntimeError
    assert admission.inside == 0
