"""`prefilter bench http`: a real server over loopback, asked by threads of this process.

The caller shares the machine's cores with the server, so what it costs counts against the server; every text is
another one, and all are scored exactly. Rates of the server and of the same work in process are taken in turn.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from prefilter.eval.bench.bench_document import say
from prefilter.eval.bench.bench_server import Caller, Server, started
from prefilter.eval.bench.mild_texts import text_of
from prefilter.eval.machine import usable_cores
from prefilter.models.scorer import Scorer

SINGLE_CHARS, BATCH_CHARS = 97, 450
BATCH, LARGE_BATCH = 64, 1_000
ROUNDS, STARTS = 3, 3
OVERLOAD = 3
_NUMBERS = count()


def bench(*, seconds: float, overload: float, workers: Sequence[int]) -> dict[str, Any]:
    """Measure one server, then one of each number of workers; `overload` seconds at three times the capacity."""
    scorer = Scorer.load(threads=usable_cores(), max_chars=None)
    with started() as server:
        say("http: single texts")
        singles = _singles(server, seconds)
        inside = _in_process_single(scorer, seconds)
        say("http: batches beside the same work in process")
        rates = _rates(server, scorer, seconds)
        say("http: single texts beside batches of 1,000")
        beside = _beside_batches(server, seconds)
        memory = server.resident_mb()
        loaded = _overload(server, overload, capacity=rates["batch_texts_per_s"]) if overload else {}
    return {
        "single_ms_p50": _ms(singles, 0.5),
        "single_ms_p99": _ms(singles, 0.99),
        "in_process_single_ms_p50": _ms(inside, 0.5),
        **rates,
        "single_beside_batches_ms_p50": _ms(beside, 0.5),
        "single_beside_batches_ms_p99": _ms(beside, 0.99),
        "resident_mb": memory,
        "overload": loaded,
        "workers": {str(number): _with_workers(number, seconds) for number in workers},
        "ready_s": _ready(),
    }


def _texts(number: int, chars: int) -> list[str]:
    return [text_of(chars, next(_NUMBERS)) for _ in range(number)]


def _singles(server: Server, seconds: float) -> list[float]:
    caller = server.connect()
    texts = _texts(max(50, int(seconds * 60)), SINGLE_CHARS)
    for text in texts[:20]:
        caller.score([text])
    taken = [_timed(lambda text=text: _whole(caller, [text])) for text in texts[20:]]  # type: ignore[misc]
    caller.close()
    return taken


def _in_process_single(scorer: Scorer, seconds: float) -> list[float]:
    texts = _texts(max(50, int(seconds * 60)), SINGLE_CHARS)
    return [_timed(lambda text=text: scorer.score_one(text)) for text in texts]  # type: ignore[misc]


def _rates(server: Server, scorer: Scorer, seconds: float) -> dict[str, Any]:
    """Texts a second by batches of 64 over HTTP, and in process, in turn."""
    over, within = [], []
    _saturate(server, 1.0)
    for _ in range(ROUNDS):
        over.append(_saturate(server, seconds / 2))
        within.append(_in_process(scorer, seconds / 2))
    served, own = float(np.median(over)), float(np.median(within))
    ratios = [a / b for a, b in zip(over, within, strict=True)]
    return {
        "batch_texts_per_s": round(served, 1),
        "in_process_texts_per_s": round(own, 1),
        "ratio": round(served / own, 3),
        "ratio_of_rounds": [round(r, 3) for r in ratios],
    }


def _saturate(server: Server, seconds: float) -> float:
    """Texts a second that callers in parallel get through with batches of 64."""
    callers = 2 * usable_cores() + 2
    return _in_parallel(callers, seconds, lambda: _batches(server))


def _batches(server: Server) -> Callable[[], int]:
    caller = server.connect()

    def one() -> int:
        _whole(caller, _texts(BATCH, BATCH_CHARS))
        return BATCH

    return one


def _in_process(scorer: Scorer, seconds: float) -> float:
    def make() -> Callable[[], int]:
        def one() -> int:
            for text in _texts(8, BATCH_CHARS):
                scorer.score_one(text)
            return 8

        return one

    return _in_parallel(usable_cores(), seconds, make)


def _in_parallel(threads: int, seconds: float, make: Callable[[], Callable[[], int]]) -> float:
    """Units a second that so many threads finish; the time runs until the last of them has."""
    actions = [make() for _ in range(threads)]
    begun = time.perf_counter()

    def work(action: Callable[[], int]) -> int:
        done = 0
        while time.perf_counter() - begun < seconds:
            done += action()
        return done

    with ThreadPoolExecutor(threads) as pool:
        total = sum(pool.map(work, actions))
    return total / (time.perf_counter() - begun)


def _beside_batches(server: Server, seconds: float) -> list[float]:
    """Seconds of single requests while two callers keep batches of 1,000 under way."""
    stopping = threading.Event()

    def load() -> None:
        caller = server.connect()
        while not stopping.is_set():
            caller.score(_texts(LARGE_BATCH, BATCH_CHARS))

    loaders = [threading.Thread(target=load) for _ in range(2)]
    for loader in loaders:
        loader.start()
    time.sleep(1.0)
    caller = server.connect()
    taken: list[float] = []
    begun = time.perf_counter()
    while time.perf_counter() - begun < seconds:
        taken.append(_timed(lambda: _whole(caller, _texts(1, SINGLE_CHARS))))
    stopping.set()
    for loader in loaders:
        loader.join()
    return taken


def _overload(server: Server, seconds: float, *, capacity: float) -> dict[str, Any]:
    """Offer three times the capacity on a fixed schedule; say what was served, refused and lost."""
    say(f"http: {OVERLOAD} times the capacity for {seconds:.0f} s")
    before = server.resident_mb()
    interval = BATCH / (OVERLOAD * capacity)
    bodies = [_texts(BATCH, BATCH_CHARS) for _ in range(200)]
    statuses: Counter[int] = Counter()
    refused: list[float] = []
    lost = unsaid = 0
    lock = threading.Lock()
    begun = time.perf_counter()
    local = threading.local()

    def one(number: int) -> None:
        nonlocal lost, unsaid
        if not hasattr(local, "caller"):
            local.caller = server.connect()
        started_at = time.perf_counter()
        status, body, retry_after = local.caller.score(bodies[number % len(bodies)])
        took = time.perf_counter() - started_at
        with lock:
            statuses[status] += 1
            if status == 429:
                refused.append(took)
                unsaid += retry_after is None
            elif status == 200:
                lost += sum(not result.get("scores") for result in body["results"])

    with ThreadPoolExecutor(128) as pool:
        for number in range(int(seconds / interval)):
            wait = begun + number * interval - time.perf_counter()
            if wait > 0:
                time.sleep(wait)
            pool.submit(one, number)
        offered_s = time.perf_counter() - begun
    whole_s = time.perf_counter() - begun
    after = server.resident_mb()
    return {
        "seconds": round(whole_s, 1),
        "offered_texts_per_s": round(BATCH * sum(statuses.values()) / offered_s, 1),
        "goodput_texts_per_s": round(BATCH * statuses[200] / whole_s, 1),
        "goodput_share_of_capacity": round(BATCH * statuses[200] / whole_s / capacity, 3),
        "statuses": {str(status): number for status, number in sorted(statuses.items())},
        "refused_ms_p50": _ms(refused, 0.5) if refused else None,
        "refused_ms_p99": _ms(refused, 0.99) if refused else None,
        "refused_without_retry_after": unsaid,
        "accepted_without_scores": lost,
        "resident_mb_before": before,
        "resident_mb_after": after,
    }


def _with_workers(number: int, seconds: float) -> dict[str, Any]:
    """The rate of so many worker processes of one thread each, and their memory."""
    say(f"http: {number} worker processes")
    with started(workers=number, threads=1) as server:
        _saturate(server, 1.0)
        rate = float(np.median([_saturate(server, seconds / 2) for _ in range(ROUNDS)]))
        return {"texts_per_s": round(rate, 1), "resident_mb": server.resident_mb()}


def _ready() -> dict[str, float]:
    """Seconds from starting the process to `ready`: the first start, which makes the database, and later ones."""
    say("http: starts")
    with tempfile.TemporaryDirectory() as place:
        taken = []
        for _ in range(STARTS + 1):
            with started(home=Path(place)) as server:
                taken.append(server.ready_s)
    return {"first": round(taken[0], 2), "later_p50": round(float(np.median(taken[1:])), 2)}


def _whole(caller: Caller, texts: Sequence[str]) -> None:
    """Score these texts; while the server asks to wait, wait: a caller that saturates it is told to."""
    while True:
        status, body, retry_after = caller.score(texts)
        if status == 200:
            return
        if status != 429:
            raise RuntimeError(f"the server answered {status}: {body.get('error', {}).get('code')}")
        time.sleep(min(1.0, float(retry_after or 1)) / 4)


def _timed(action: Callable[[], object]) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def _ms(seconds: Sequence[float], quantile: float) -> float:
    return round(float(np.quantile(seconds, quantile)) * 1e3, 3)
