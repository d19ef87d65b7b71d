"""Streams of both clients against a real server: what is released, where it is cut, and that the source is closed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from prefilter_client import AsyncClient, Client, ConnectionFailed, Cut, Done, Release, StreamRefused, Unauthorised

from client_samples import NEVER, Served, served
from client_stream_samples import Guard, Source, guard, words
from fakes import CLEAN_TEXT, HARMFUL_TEXT, build_artefact

__all__ = ["guard"]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    with served(folder / "home", build_artefact(folder / "fake-1")) as found:
        yield found


def test_a_harmless_text_comes_out_whole(guard: Guard, small: Served) -> None:
    source = Source(words(CLEAN_TEXT, 40))
    out, stream = guard(small.url, small.key, source, id=f"whole-{guard.kind}")
    assert "".join(out) == "".join(source.given)
    assert isinstance(stream.result, Done)
    assert stream.result.total_chars == stream.result.released_chars == len("".join(out))
    assert (stream.result.outcome, stream.result.enforced) == ("allow", True)
    assert stream.started.policy.name == "model-output"
    with Client(small.url, small.key) as client:
        assert client.decision(stream.result.decision_id).id == f"whole-{guard.kind}"


def test_a_cut_ends_the_iteration_closes_the_source_and_is_the_result(guard: Guard, small: Served) -> None:
    def endless() -> Iterator[str]:
        yield from words(CLEAN_TEXT, 5)
        yield from words(HARMFUL_TEXT)
        while True:
            yield from words(CLEAN_TEXT)

    source = Source(endless())
    out, stream = guard(small.url, small.key, source)
    assert isinstance(stream.result, Cut)
    assert stream.result.outcome == "block"
    assert source.closed.wait(5)
    released = "".join(out)
    assert "".join(source.given).startswith(released)
    assert len(released) == stream.result.released_chars
    assert stream.result.unsafe_chars <= stream.started.max_unsafe_chars
    assert "to say" not in released


def test_a_policy_that_only_watches_cuts_nothing(guard: Guard, small: Served) -> None:
    source = Source(words(HARMFUL_TEXT))
    out, stream = guard(small.url, small.key, source, policy="monitor-only", language="en", context="Well?")
    assert "".join(out) == "".join(source.given)
    assert isinstance(stream.result, Done)
    assert (stream.result.outcome, stream.result.enforced) == ("block", False)


def test_what_the_source_raises_is_raised_and_the_source_is_closed(guard: Guard, small: Served) -> None:
    class Stopped(Exception):
        pass

    source = Source(words(CLEAN_TEXT), fault=Stopped("the model went away"))
    with pytest.raises(Stopped):
        guard(small.url, small.key, source)
    assert source.closed.is_set()


def test_a_stream_is_refused_like_any_request(guard: Guard, small: Served) -> None:
    with pytest.raises(Unauthorised) as refusal:
        guard(small.url, "pf_no_such_key", Source([]))
    assert refusal.value.request_id
    with pytest.raises(StreamRefused) as refused:
        guard(small.url, small.key, Source([]), policy="no-such-policy")
    assert refused.value.field == "policy"
    with pytest.raises(ConnectionFailed):
        guard("http://127.0.0.1:1", small.key, Source([]), retries=NEVER)


def test_who_stops_reading_stops_the_source(small: Served) -> None:
    source = Source(words(CLEAN_TEXT, 10_000))
    with Client(small.url, small.key) as client, client.stream() as stream:
        next(stream.guard(source))
    assert source.closed.wait(5)
    assert len(source.given) < 10_000

    async def first(source: Source) -> None:
        async with AsyncClient(small.url, small.key) as client, client.stream() as stream:
            async for _ in stream.guard(source):
                break

    source = Source(words(CLEAN_TEXT, 10_000))
    asyncio.run(first(source))
    assert source.closed.is_set()
    assert len(source.given) < 10_000


def test_the_pieces_can_be_sent_and_heard_by_hand(small: Served) -> None:
    with Client(small.url, small.key) as client, client.stream() as stream:
        stream.send(CLEAN_TEXT)
        stream.end()
        events = list(stream.events())
    assert "".join(event.text for event in events if isinstance(event, Release)) == CLEAN_TEXT
    assert events[-1] is stream.result

    async def by_hand() -> list[Any]:
        async with AsyncClient(small.url, small.key) as client, client.stream() as stream:
            await stream.send(CLEAN_TEXT)
            await stream.end()
            return [event async for event in stream.events()]

    assert [type(event) for event in asyncio.run(by_hand())] == [type(event) for event in events]
