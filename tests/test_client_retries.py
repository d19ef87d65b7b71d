"""Retries: a refused or broken request is sent again when the service asked for it, and only for a bounded time."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest
from prefilter_client import (
    ApiError,
    BadRequest,
    Client,
    ConnectionFailed,
    Item,
    NotReady,
    Overloaded,
    Retries,
    ServerFault,
    TimedOut,
    UnexpectedAnswer,
)
from prefilter_client.exchange import Answer, Lost, Request, Send, Sleep, exchange

from client_samples import CLEAN, FAST, FOREIGN, NEVER, Caller, Hurdle, Served, call, hurdles, served

__all__ = ["call"]
BUSY = json.dumps({"error": {"code": "overloaded", "message": "come back", "request_id": "req_1"}})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served") / "home"


@pytest.fixture(scope="module")
def shipped(home: Path) -> Iterator[Served]:
    with served(home, Path("prefilter-en-2")) as found:
        yield found


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_passes_is_tried_again(call: Caller, shipped: Served, status: int) -> None:
    with hurdles(shipped.url, Hurdle(status), Hurdle(status, body="<html>")) as course:
        assert call(shipped, "score", CLEAN, url=course.url)[0].allowed
    assert len(course.seen) == 3


def test_a_connection_that_breaks_is_tried_again(call: Caller, shipped: Served) -> None:
    with hurdles(shipped.url, Hurdle(), Hurdle(late=True)) as course:
        assert call(shipped, "score", CLEAN, url=course.url)[0].allowed
    assert len(course.seen) == 3


def test_an_answer_that_was_lost_opens_no_second_case(call: Caller, shipped: Served, home: Path) -> None:
    with hurdles(shipped.url, Hurdle(late=True)) as course:
        (row,) = call(shipped, "score", Item(FOREIGN, id=f"once-{call.kind}"), url=course.url)
    with sqlite3.connect(home / "prefilter.db") as database:
        found = database.execute("SELECT id FROM cases WHERE item_id = ?", [f"once-{call.kind}"]).fetchall()
    database.close()
    assert found == [(row.case_id,)]


def test_retry_after_is_obeyed_in_seconds(call: Caller, shipped: Served) -> None:
    with hurdles(shipped.url, Hurdle(429, {"Retry-After": "1"}, BUSY)) as course:
        call(shipped, "score", CLEAN, url=course.url)
    assert 1.0 <= course.gaps[0] < 2.0


def test_retry_after_is_obeyed_as_a_date_beside_the_servers_own_clock(call: Caller, shipped: Served) -> None:
    an_hour_ago = time.time() - 3600
    headers = {"Date": formatdate(an_hour_ago, usegmt=True), "Retry-After": formatdate(an_hour_ago + 1, usegmt=True)}
    with hurdles(shipped.url, Hurdle(503, headers)) as course:
        call(shipped, "score", CLEAN, url=course.url)
    assert 1.0 <= course.gaps[0] < 2.0


def test_who_is_asked_to_wait_longer_than_there_is_time_gives_up_at_once(shipped: Served) -> None:
    caller = Caller("sync", Retries(total_s=1.0))
    busy = hurdles(shipped.url, *[Hurdle(429, {"Retry-After": "3600"}, BUSY)] * 50)
    with busy as course, pytest.raises(Overloaded) as refusal:
        caller(shipped, "score", CLEAN, url=course.url)
    assert len(course.seen) == 1
    assert refusal.value.retry_after_s == 3600
    assert (refusal.value.code, refusal.value.request_id) == ("overloaded", "req_1")


def test_the_whole_is_bounded(shipped: Served) -> None:
    patient = Retries(total_s=1.0, first_s=0.02, longest_s=0.3)
    caller = Caller("sync", patient)
    with hurdles(shipped.url, *[Hurdle(503)] * 50) as course:
        began = time.monotonic()
        with pytest.raises(ServerFault):
            caller(shipped, "score", CLEAN, url=course.url)
    assert time.monotonic() - began < 1.5
    assert len(course.seen) > 3


def test_what_does_not_pass_is_said_at_once(call: Caller, shipped: Served) -> None:
    for status, kind in ((400, BadRequest), (418, ApiError), (501, ServerFault), (302, UnexpectedAnswer)):
        headers = {"Location": shipped.url, "Retry-After": "1"}
        with hurdles(shipped.url, Hurdle(status, headers)) as course, pytest.raises(kind):
            call(shipped, "score", CLEAN, url=course.url)
        assert len(course.seen) == 1


def test_without_retries_the_first_refusal_is_the_answer(shipped: Served) -> None:
    with hurdles(shipped.url, Hurdle(503)) as course, pytest.raises(NotReady):
        Caller("sync", NEVER)(shipped, "score", CLEAN, url=course.url)
    with pytest.raises(ConnectionFailed, match="ConnectError"):
        Caller("async", NEVER)(shipped, "score", CLEAN, url="http://127.0.0.1:1")


def test_a_slow_answer_times_out(shipped: Served) -> None:
    with hurdles(shipped.url, delay_s=0.5) as course, Client(course.url, "k", timeout=0.1, retries=NEVER) as client:
        with pytest.raises(TimedOut):
            client.score(CLEAN)
        assert client.ready() is False


@pytest.mark.parametrize(
    "body", ["", "<html>", "[]", "{}", '{"results":[]}', '{"results":[{"id":"1","outcome":"maybe"}]}', "[" * 100_000]
)
def test_an_answer_that_is_not_understood_is_never_taken_for_allowed(shipped: Served, body: str) -> None:
    with hurdles(shipped.url, Hurdle(200, body=body)) as course, pytest.raises(UnexpectedAnswer):
        Caller("sync")(shipped, "score", CLEAN, url=course.url)


def test_fewer_rows_than_items_are_never_taken_for_an_answer(shipped: Served) -> None:
    one = '{"results":[{"id":"1","error":{"code":"c","message":"m"}}],"model_version":"m",'
    one += '"policy":{"name":"p","version":1},"uncalibrated":[]}'
    with hurdles(shipped.url, Hurdle(200, body=one), Hurdle(200, body=one)) as course:
        assert Caller("sync")(shipped, "score", ["a"], url=course.url)[0].code == "c"
        with pytest.raises(UnexpectedAnswer):
            Caller("sync")(shipped, "score", ["a", "b"], url=course.url)


def test_no_error_holds_what_was_sent_nor_a_library_exception_that_does(call: Caller, shipped: Served) -> None:
    canary, found = "kanarienvogel im bergwerk", []
    hurdle = Hurdle(400, body=json.dumps({"error": {"code": "bad_request", "message": "no"}}))
    nobody = "http://127.0.0.1:1"
    for script, url in (([hurdle], None), ([Hurdle(500)], None), ([Hurdle(200, body=canary)], None), ([], nobody)):
        with hurdles(shipped.url, *script) as course, pytest.raises(Exception) as refusal:  # noqa: PT011
            Caller(call.kind, NEVER)(shipped, "score", canary, url=url or course.url)
        found.append(refusal.value)
    for error in found:
        assert canary not in str(error) + repr(error) + repr(vars(error))
        assert error.__context__ is None
        assert error.__cause__ is None


def test_waits_grow_by_chance_up_to_the_longest() -> None:
    flow, waits = exchange(Request("GET", "/"), Retries(total_s=1e9, first_s=1.0, longest_s=8.0)), []
    step = next(flow)
    while len(waits) < 7:
        assert isinstance(step, Send)
        wait = flow.send(Lost("ReadError"))
        assert isinstance(wait, Sleep)
        waits.append(wait.seconds)
        step = flow.send(None)
    for wait, most in zip(waits, [1, 2, 4, 8, 8, 8, 8], strict=True):
        assert most / 2 <= wait <= most
    with pytest.raises(StopIteration) as end:
        flow.send(Answer(200, {}, b"{}"))
    assert end.value.value.status == 200
    assert FAST.wait_s(10_000, None) <= FAST.longest_s
