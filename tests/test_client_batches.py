"""`score_many`: any number of items, in order, lazily, in bounded requests, whatever the service's limits are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from prefilter_client import AsyncClient, Client, Decision, Item, Overloaded, RowError
from prefilter_client.batches import Bounds, batches

from client_samples import CLEAN, FAST, NEVER, Caller, Hurdle, Served, call, hurdles, served
from fakes import build_artefact

__all__ = ["call"]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with a small model and small limits."""
    folder = tmp_path_factory.mktemp("served")
    limits = {"PREFILTER_MAX_ITEMS": "10", "PREFILTER_MAX_BODY_BYTES": "4000"}
    with served(folder / "home", build_artefact(folder / "fake-1"), **limits) as found:
        yield found


def items(count: int) -> list[Item]:
    return [Item(f"{CLEAN} {number}", id=str(number)) for number in range(count)]


def test_rows_come_in_the_order_of_the_items(call: Caller, small: Served) -> None:
    for concurrency in (1, 4):
        rows = call(small, "score_many", items(57), max_items=5, concurrency=concurrency)
        assert [row.id for row in rows] == [str(number) for number in range(57)]
    assert call(small, "score_many", []) == []


def test_limits_of_the_service_split_a_request_and_one_item_over_them_is_a_row_error(
    call: Caller, small: Served
) -> None:
    sent = [*items(45), Item("word " * 1_000, id="long"), *items(3)]
    rows = call(small, "score_many", sent)
    assert [row.id for row in rows] == [item.id for item in sent]
    assert [(row.id, row.code) for row in rows if isinstance(row, RowError)] == [("long", "body_too_large")]


def test_items_are_taken_only_as_far_as_needed(small: Served) -> None:
    taken: list[int] = []

    def source() -> Iterator[str]:
        for number in range(1_000):
            taken.append(number)
            yield f"{CLEAN} {number}"

    with Client(small.url, small.key) as client:
        rows = client.score_many(source(), max_items=5, concurrency=2)
        assert taken == []
        next(rows)
        assert len(taken) == 10
        rows.close()  # type: ignore[attr-defined]
    assert len(taken) == 10


def test_an_asynchronous_source_is_read_only_as_far_as_needed(small: Served) -> None:
    taken: list[int] = []

    async def source() -> AsyncIterator[str]:
        for number in range(1_000):
            taken.append(number)
            yield f"{CLEAN} {number}"

    async def first() -> Any:
        async with AsyncClient(small.url, small.key) as client:
            async for row in client.score_many(source(), max_items=5, concurrency=3):
                return row
        return None

    assert isinstance(asyncio.run(first()), Decision)
    assert len(taken) == 15


def test_no_more_requests_are_under_way_than_asked(call: Caller, small: Served) -> None:
    with hurdles(small.url, delay_s=0.1) as course:
        rows = call(small, "score_many", items(40), url=course.url, max_items=5, concurrency=4)
    assert len(rows) == 40
    assert course.most_at_once == 4


def test_a_refused_batch_is_retried_and_the_others_keep_their_places(call: Caller, small: Served) -> None:
    with hurdles(small.url, Hurdle(), Hurdle(429, {"Retry-After": "0"}), Hurdle(503)) as course:
        rows = call(small, "score_many", items(30), url=course.url, max_items=5, concurrency=3)
    assert [row.id for row in rows] == [str(number) for number in range(30)]


def test_what_fails_for_good_is_raised_after_the_rows_before_it(small: Served) -> None:
    seen = []
    with (
        hurdles(small.url, None, Hurdle(429)) as course,
        Client(course.url, small.key, retries=NEVER) as client,
        pytest.raises(Overloaded),
    ):
        seen.extend(row.id for row in client.score_many(items(20), max_items=5, concurrency=1))
    assert seen == ["0", "1", "2", "3", "4"]


def test_who_stops_early_does_not_wait_for_retries(small: Served) -> None:
    with hurdles(small.url, None, None, Hurdle(429, {"Retry-After": "5"})) as course:
        with Client(course.url, small.key, retries=FAST) as client:
            rows = client.score_many(items(30), max_items=5, concurrency=2)
            next(rows)
            course.wait_for(2)
            assert [row.id for _, row in zip(range(5), rows, strict=False)] == ["1", "2", "3", "4", "5"]
            course.wait_for(3)
            began = time.monotonic()
            rows.close()  # type: ignore[attr-defined]
        assert time.monotonic() - began < 2


def test_batches_are_bounded_by_items_and_by_bytes() -> None:
    found = list(batches(["a" * 40] * 10, Bounds(max_items=4, max_bytes=10_000)))
    assert [len(batch) for batch in found] == [4, 4, 2]
    found = list(batches(["a" * 40, "b" * 40, "c" * 400, "d", "e"], Bounds(max_items=100, max_bytes=110)))
    assert [len(batch) for batch in found] == [2, 1, 2]
    assert all(sum(len(item.body) + 1 for item in batch) <= 110 for batch in found if len(batch) > 1)
    with pytest.raises(ValueError, match="at least one"):
        Bounds(max_items=0, max_bytes=1)
