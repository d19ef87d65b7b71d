"""The engine: order, bounds, deadlines, faults, callers who leave."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from prefilter.serving.engine import Engine, Row
from prefilter.serving.errors import NotReady, Overloaded
from serving_fakes import SpokenScorer


@asynccontextmanager
async def running(
    scorer: SpokenScorer, *, threads: int = 1, max_queued_chars: int = 10_000
) -> AsyncIterator[Engine]:
    engine = Engine(scorer, threads=threads, max_queued_chars=max_queued_chars)
    await engine.start()
    try:
        yield engine
    finally:
        scorer.release.set()
        await engine.stop()


def test_answers_come_in_the_order_of_the_rows() -> None:
    async def scenario() -> list[float]:
        async with running(SpokenScorer(), threads=4) as engine:
            rows = [Row(f"any={index / 100}") for index in range(100)]
            return [round(float(s.scores["any"]), 2) for s in await engine.score(rows, deadline_ms=5_000)]

    assert asyncio.run(scenario()) == [index / 100 for index in range(100)]


def test_nothing_is_scored_before_start_or_after_stop() -> None:
    async def scenario() -> None:
        engine = Engine(SpokenScorer(), threads=1, max_queued_chars=10)
        for steps in ((), (engine.start, engine.stop)):
            for step in steps:
                await step()
            assert not engine.ready
            with pytest.raises(NotReady):
                await engine.score([Row("x")], deadline_ms=100)

    asyncio.run(scenario())


def test_a_row_past_its_deadline_is_unscored_and_the_others_keep_their_scores() -> None:
    async def scenario() -> list[str | None]:
        async with running(SpokenScorer(), threads=2) as engine:
            scored = await engine.score([Row("fine"), Row("stuck")], deadline_ms=200)
            return [row.unscored for row in scored]

    assert asyncio.run(scenario()) == [None, "deadline"]


def test_a_fault_of_the_scorer_is_one_row_unscored_and_tells_no_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> list[str | None]:
        async with running(SpokenScorer()) as engine:
            rows = [Row("faulty canary"), Row("fine")]
            return [row.unscored for row in await engine.score(rows, deadline_ms=5_000)]

    with caplog.at_level(logging.DEBUG):
        assert asyncio.run(scenario()) == ["internal_fault", None]
    assert "RuntimeError" in caplog.text
    assert "canary" not in caplog.text


def test_overload_is_refused_before_it_is_accepted_and_says_when_to_return() -> None:
    async def scenario() -> Overloaded:
        scorer = SpokenScorer()
        async with running(scorer, max_queued_chars=20) as engine:
            first = asyncio.create_task(engine.score([Row("stuck")], deadline_ms=5_000))
            await asyncio.to_thread(scorer.entered.wait)
            with pytest.raises(Overloaded) as refused:
                await engine.score([Row("y" * 16)], deadline_ms=5_000)
            scorer.release.set()
            assert (await first)[0].unscored is None
            assert engine.queued_chars == 0
            return refused.value

    assert (asyncio.run(scenario()).retry_after_s or 0) >= 1


def test_what_a_text_answers_counts_in_the_queue_and_leaves_it() -> None:
    async def scenario() -> None:
        scorer = SpokenScorer()
        async with running(scorer, max_queued_chars=20) as engine:
            first = asyncio.create_task(engine.score([Row("stuck", None, "y" * 14)], deadline_ms=5_000))
            await asyncio.to_thread(scorer.entered.wait)
            assert engine.queued_chars == 19
            with pytest.raises(Overloaded):
                await engine.score([Row("x", None, "yy")], deadline_ms=5_000)
            scorer.release.set()
            assert (await first)[0].context_total == 1
            assert engine.queued_chars == 0

    asyncio.run(scenario())


def test_a_request_larger_than_the_queue_is_accepted_when_nothing_waits() -> None:
    async def scenario() -> int:
        async with running(SpokenScorer(), max_queued_chars=5) as engine:
            return len(await engine.score([Row("longer than five")] * 3, deadline_ms=5_000))

    assert asyncio.run(scenario()) == 3


def test_rows_of_a_caller_who_left_are_skipped_and_free_their_room() -> None:
    async def scenario() -> tuple[list[object], int]:
        scorer = SpokenScorer()
        async with running(scorer) as engine:
            holder = asyncio.create_task(engine.score([Row("stuck")], deadline_ms=5_000))
            await asyncio.to_thread(scorer.entered.wait)
            leaver = asyncio.create_task(engine.score([Row("left behind")] * 9, deadline_ms=5_000))
            await asyncio.sleep(0)
            leaver.cancel()
            await asyncio.gather(leaver, return_exceptions=True)
            scorer.release.set()
            await holder
            return scorer.seen, engine.queued_chars

    assert asyncio.run(scenario()) == (["stuck"], 0)


def test_one_text_does_not_wait_for_a_thousand() -> None:
    async def scenario() -> int:
        scorer = SpokenScorer()
        async with running(scorer, max_queued_chars=100_000) as engine:
            crowd = [Row("stuck")] + [Row("crowd")] * 999
            first = asyncio.create_task(engine.score(crowd, deadline_ms=20_000))
            await asyncio.to_thread(scorer.entered.wait)
            alone = asyncio.create_task(engine.score([Row("alone")], deadline_ms=20_000))
            await asyncio.sleep(0)
            scorer.release.set()
            await asyncio.gather(first, alone)
            return scorer.seen.index("alone")

    assert asyncio.run(scenario()) <= 2


def test_stopping_answers_everyone_who_waits() -> None:
    async def scenario() -> list[str | None]:
        scorer = SpokenScorer()
        engine = Engine(scorer, threads=1, max_queued_chars=1_000)
        await engine.start()
        rows = [Row("stuck"), Row("never begun")]
        waiting = asyncio.create_task(engine.score(rows, deadline_ms=9_000))
        await asyncio.to_thread(scorer.entered.wait)
        stopping = asyncio.create_task(engine.stop())
        answers = [row.unscored for row in await waiting]
        scorer.release.set()
        await stopping
        return answers

    assert asyncio.run(scenario()) == ["internal_fault", "internal_fault"]
