"""The engine: order, bounds, deadlines, faults, callers who leave."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from prefilter.serving.engine.engine import LONG_CHARS, Engine
from prefilter.serving.engine.row import Row
from prefilter.serving.engine.waiting_caller import complete
from prefilter.serving.errors import NotReady, Overloaded
from serving_fakes import SpokenScorer


@asynccontextmanager
async def running(
    scorer: SpokenScorer, *, threads: int = 1, max_queued_tokens: int = 100_000
) -> AsyncIterator[Engine]:
    engine = Engine(scorer, threads=threads, max_queued_tokens=max_queued_tokens)
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
        engine = Engine(SpokenScorer(), threads=1, max_queued_tokens=10)
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


def test_a_row_is_never_concluded_from_some_of_its_windows() -> None:
    first, second = object(), object()
    assert complete([first, second]) == [first, second]
    with pytest.raises(ValueError, match="not been run"):
        complete([first, None])


def test_overload_is_refused_before_it_is_accepted_and_says_when_to_return() -> None:
    async def scenario() -> Overloaded:
        scorer = SpokenScorer()
        async with running(scorer, max_queued_tokens=20) as engine:
            first = asyncio.create_task(engine.score([Row("stuck and four words more")], deadline_ms=5_000))
            await asyncio.to_thread(scorer.entered.wait)
            with pytest.raises(Overloaded) as refused:
                await engine.score([Row("late")], deadline_ms=5_000)
            scorer.release.set()
            assert (await first)[0].unscored is None
            assert engine.queued_tokens == 0
            return refused.value

    assert (asyncio.run(scenario()).retry_after_s or 0) >= 1


def test_what_a_row_holds_of_the_queue_is_estimated_then_known_and_given_back_window_by_window() -> None:
    async def scenario() -> None:
        scorer = SpokenScorer()
        async with running(scorer) as engine:
            row = Row("one|stuck|six", None, "")
            first = asyncio.create_task(engine.score([row, Row("w" * 400)], deadline_ms=5_000))
            await asyncio.sleep(0)
            assert engine.queued_tokens > 0
            while scorer.ran[-1:] != ["stuck"]:
                await asyncio.sleep(0.001)
            assert engine.queued_tokens == 3 - 1 + 104
            scorer.release.set()
            assert [answer.unscored for answer in await first] == [None, None]
            assert engine.queued_tokens == 0

    asyncio.run(scenario())


def test_a_request_larger_than_the_queue_is_accepted_whole_while_the_queue_is_not_full() -> None:
    async def scenario() -> int:
        async with running(SpokenScorer(), max_queued_tokens=5) as engine:
            return len(await engine.score([Row("longer than five")] * 3, deadline_ms=5_000))

    assert asyncio.run(scenario()) == 3


def test_a_row_that_the_fast_stage_clears_never_reaches_the_network() -> None:
    async def scenario() -> tuple[list[str], list[str]]:
        scorer = SpokenScorer()
        async with running(scorer) as engine:
            rows = [Row("obvious", certificate="spoken"), Row("obvious", certificate=None)]
            stages = [row.stage for row in await engine.score(rows, deadline_ms=5_000)]
            return stages, scorer.ran

    assert asyncio.run(scenario()) == (["fast", "full"], ["obvious"])


def test_a_book_holds_no_thread_longer_than_a_window() -> None:
    async def scenario() -> list[str]:
        scorer = SpokenScorer()
        async with running(scorer) as engine:
            book = asyncio.create_task(engine.score([Row("stuck" + "|page" * 99)], deadline_ms=9_000))
            await asyncio.to_thread(scorer.entered.wait)
            line = asyncio.create_task(engine.score([Row("line")], deadline_ms=9_000))
            await asyncio.sleep(0)
            scorer.release.set()
            await asyncio.gather(book, line)
            return scorer.ran

    ran = asyncio.run(scenario())
    assert ran.index("line") == 1
    assert len(ran) == 101


def test_a_long_text_is_prepared_apart_while_the_only_worker_goes_on() -> None:
    class SlowToPrepare(SpokenScorer):
        def prepare(self, text: object, **more: Any) -> Any:
            if len(str(text)) >= LONG_CHARS:
                assert self.release.wait(30)
            return super().prepare(text, **more)

    async def scenario() -> list[str | None]:
        scorer = SlowToPrepare()
        async with running(scorer) as engine:
            slow = asyncio.create_task(engine.score([Row("x" * LONG_CHARS)] * 3, deadline_ms=9_000))
            await asyncio.sleep(0)
            quick = [row.unscored for row in await engine.score([Row("quick")] * 3, deadline_ms=9_000)]
            scorer.release.set()
            return quick + [row.unscored for row in await slow]

    assert asyncio.run(scenario()) == [None] * 6


def test_a_window_that_fails_ends_its_row_alone() -> None:
    async def scenario() -> list[str | None]:
        async with running(SpokenScorer(), threads=2) as engine:
            rows = [Row("fine|faulty|fine"), Row("fine|fine")]
            scored = await engine.score(rows, deadline_ms=5_000)
            assert engine.queued_tokens == 0
            return [row.unscored for row in scored]

    assert asyncio.run(scenario()) == ["internal_fault", None]


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
            return scorer.seen, engine.queued_tokens

    assert asyncio.run(scenario()) == (["stuck"], 0)


def test_one_text_does_not_wait_for_a_thousand() -> None:
    async def scenario() -> int:
        scorer = SpokenScorer()
        async with running(scorer, max_queued_tokens=100_000) as engine:
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
        engine = Engine(scorer, threads=1, max_queued_tokens=1_000)
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


def test_windows_that_fail_cost_their_rows_and_no_worker() -> None:
    class FailsSlowly(SpokenScorer):
        def run(self, window: str) -> str:
            time.sleep(0.001)  # another worker must find its caller while this window fails
            return super().run(window)

    async def scenario() -> list[str | None]:
        async with running(FailsSlowly(), threads=2) as engine:
            callers = [engine.score([Row("faulty|two|three")], deadline_ms=20_000) for _ in range(40)]
            answers = await asyncio.gather(*callers)
            assert engine.ready
            fine = await engine.score([Row("fine")], deadline_ms=20_000)
            return [row.unscored for (row,) in [*answers, fine]]

    assert asyncio.run(scenario()) == ["internal_fault"] * 40 + [None]
