"""Streams of both clients against a server that is full, slow, broken or wrong: nothing unsafe is released."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from prefilter_client import (
    AsyncClient,
    Client,
    ConnectionFailed,
    Cut,
    Overloaded,
    Release,
    Started,
    TimedOut,
    UnexpectedAnswer,
)

from client_samples import NEVER
from client_stream_samples import Guard, Source, guard, rules_of_its_own, words
from fakes import CLEAN_TEXT

__all__ = ["guard"]
STARTED = {"type": "started", "max_unsafe_chars": 4, "policy": {"name": "p", "version": 1}, "model_version": "m"}
ENDED = {"outcome": "allow", "because": [], "decision_id": "dec_1", "enforced": True, "released_chars": 2}


def test_a_source_that_thinks_does_not_hold_up_a_cut() -> None:
    thinking = threading.Event()

    def source() -> Iterator[str]:
        yield "ab"
        thinking.wait(20)

    with rules_of_its_own([STARTED], [{"type": "cut", "unsafe_chars": 0, **ENDED}]) as place:
        began = time.monotonic()
        with Client(place.url, "k") as client, client.stream() as stream:
            assert list(stream.guard(source())) == []
            assert isinstance(stream.result, Cut)
        assert time.monotonic() - began < 5
    thinking.set()

    async def slowly() -> AsyncIterator[str]:
        yield "ab"
        await asyncio.sleep(20)

    async def guarded(url: str) -> Any:
        async with AsyncClient(url, "k") as client, client.stream() as stream:
            assert [text async for text in stream.guard(slowly())] == []
            return stream.result

    with rules_of_its_own([STARTED], [{"type": "cut", "unsafe_chars": 0, **ENDED}]) as place:
        began = time.monotonic()
        assert isinstance(asyncio.run(guarded(place.url)), Cut)
        assert time.monotonic() - began < 5


def test_a_full_service_is_asked_again(guard: Guard) -> None:
    done = {"type": "done", "total_chars": 2, **ENDED}
    with rules_of_its_own([STARTED], [{"type": "release", "text": "ab"}, done], refusals=2) as place:
        out, stream = guard(place.url, "k", Source(["ab"]))
        assert (out, stream.result.outcome, place.asked) == (["ab"], "allow", 3)
    with rules_of_its_own(refusals=9) as place, pytest.raises(Overloaded) as refusal:
        guard(place.url, "k", Source(["ab"]), retries=NEVER)
    assert (refusal.value.code, refusal.value.retry_after_s) == ("overloaded", 0.0)


def test_a_connection_that_breaks_is_never_taken_for_an_end(guard: Guard) -> None:
    with (
        rules_of_its_own([STARTED], [{"type": "release", "text": "ab"}]) as place,
        pytest.raises(ConnectionFailed, match="broke off") as refusal,
    ):
        guard(place.url, "k", Source(words(CLEAN_TEXT)))
    assert refusal.value.out == ["ab"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "said",
    [
        [{"type": "release", "text": "ab"}], [STARTED, STARTED], [STARTED, {"type": "release"}], [STARTED, []], ["x"],
        [STARTED, {"type": "done", "total_chars": 2, **ENDED, "outcome": "maybe"}], [STARTED, {"type": "later"}],
    ],
)  # fmt: skip
def test_what_is_out_of_place_is_never_released(guard: Guard, said: list[Any]) -> None:
    with rules_of_its_own(said, []) as place, pytest.raises(UnexpectedAnswer) as refusal:
        guard(place.url, "k", Source(["ab"]))
    assert refusal.value.out == []  # type: ignore[attr-defined]


def test_a_stream_that_does_not_start_times_out() -> None:
    with rules_of_its_own([], []) as place:
        with Client(place.url, "k", timeout=0.2) as client, pytest.raises(TimedOut):
            client.stream().__enter__()

        async def wait() -> None:
            async with AsyncClient(place.url, "k", timeout=0.2) as client, client.stream():
                pass

        with pytest.raises(TimedOut):
            asyncio.run(wait())


def test_no_error_of_a_stream_holds_its_text(guard: Guard) -> None:
    canary = "kanarienvogel"
    odd = {"type": "release", "text": [canary]}
    with rules_of_its_own([STARTED], [odd]) as place, pytest.raises(UnexpectedAnswer) as refusal:
        guard(place.url, "k", Source([canary]), context=canary)
    assert canary not in str(refusal.value) + repr(vars(refusal.value))
    assert refusal.value.__context__ is None
    assert canary not in repr(Release(canary)) + repr(Started(0, None, "m"))  # type: ignore[arg-type]
