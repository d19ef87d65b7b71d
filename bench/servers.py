"""Two servers, one classifier: ours and infinity-emb serve our own graph over loopback, asked in turn.

Both run on all cores that this process may use, and share them with the callers; while one is asked, the other waits.
The texts fit one window, so both read the same word pieces; every text is another one. Ours also decides by a policy,
checks a key and commits an audit entry per request.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import infinity_model

from prefilter.eval.bench.bench_server import end, started
from prefilter.eval.bench.mild_texts import text_of
from prefilter.eval.machine import usable_cores

CHARS, BATCH, SINGLES = 450, 64, 40
PATIENCE_S = 180
_NUMBERS = count()

Ask = Callable[[Sequence[str]], None]
Connect = Callable[[], Ask]


def measure(python: Path, *, rounds: int, seconds: float) -> dict[str, Any]:
    """Texts a second of both in rounds of so many seconds each, and single texts; python: infinity-emb's."""
    with tempfile.TemporaryDirectory() as place, _infinity(python, Path(place)) as port, started() as server:

        def ours() -> Ask:
            caller = server.connect()

            def ask(texts: Sequence[str]) -> None:
                status, _, _ = caller.score(texts)
                if status != 200:
                    raise RuntimeError(f"our server answered {status}")

            return ask

        sides: dict[str, Connect] = {"ours": ours, "infinity": lambda: _caller(port)}
        for connect in sides.values():
            _rate(connect, 1.0)
        taken: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(rounds):
            for name, connect in sides.items():
                taken[name].append(_rate(connect, seconds))
        singles: dict[str, list[float]] = {name: [] for name in sides}
        asks = {name: connect() for name, connect in sides.items()}
        for _ in range(SINGLES):
            for name, ask in asks.items():
                begun = time.perf_counter()
                ask(_texts(1))
                singles[name].append(time.perf_counter() - begun)
    return {
        "docs_per_s": round(statistics.median(taken["infinity"]), 2),
        "docs_per_s_ours": round(statistics.median(taken["ours"]), 2),
        "ratio_exact": round(sum(taken["ours"]) / sum(taken["infinity"]), 3),
        "ratio_of_rounds": [round(a / b, 3) for a, b in zip(taken["ours"], taken["infinity"], strict=True)],
        "single_ms_p50": round(statistics.median(singles["infinity"]) * 1e3, 2),
        "single_ms_p50_ours": round(statistics.median(singles["ours"]) * 1e3, 2),
        "texts": f"made texts of {CHARS} characters, batches of {BATCH} over HTTP",
        "cores": usable_cores(),
    }


def _texts(number: int) -> list[str]:
    return [text_of(CHARS, next(_NUMBERS)) for _ in range(number)]


def _rate(connect: Connect, seconds: float) -> float:
    """Texts a second that callers in parallel get through; the time runs until the last has its answer."""
    done: list[int] = []
    faults: list[Exception] = []
    begun = time.perf_counter()

    def work() -> None:
        try:
            ask = connect()
            while time.perf_counter() - begun < seconds:
                ask(_texts(BATCH))
                done.append(BATCH)
        except Exception as fault:
            faults.append(fault)

    callers = [threading.Thread(target=work) for _ in range(2 * usable_cores() + 2)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    if faults:
        raise faults[0]
    return sum(done) / (time.perf_counter() - begun)


def _caller(port: int) -> Ask:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)

    def ask(texts: Sequence[str]) -> None:
        body = json.dumps({"model": "ours", "input": list(texts)})
        connection.request("POST", "/classify", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        found = json.loads(answer.read())
        if answer.status != 200 or len(found["data"]) != len(texts):
            raise RuntimeError(f"infinity-emb answered {answer.status}")

    return ask


@contextmanager
def _infinity(python: Path, folder: Path) -> Iterator[int]:
    """infinity-emb on a free port; it takes a folder's graph only by a relative path, so it runs inside it."""
    infinity_model.write(folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [str(python.with_name("infinity_emb")), "v2", "--model-id", ".", "--served-model-name", "ours"]
    settings = ["--engine", "optimum", "--device", "cpu", "--host", "127.0.0.1", "--port", str(port)]
    quiet = {"HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", "INFINITY_ANONYMOUS_USAGE_STATS": "0"}
    quiet["HF_HUB_CACHE"] = str(folder / "hub")  # it keeps graphs it optimises there, all under one name
    process = subprocess.Popen(
        [*command, *settings, "--no-model-warmup", "--log-level", "warning"],
        cwd=folder,
        env={**os.environ, **quiet},
        stdout=subprocess.DEVNULL,
        stderr=sys.stderr,
    )
    try:
        _until_there(process, port)
        yield port
    finally:
        end(process)


def _until_there(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait until it answers; raises `RuntimeError` where it ended or took too long."""
    begun = time.perf_counter()
    while time.perf_counter() - begun < PATIENCE_S:
        if process.poll() is not None:
            break
        try:
            _caller(port)(["The library opens at nine."])
            return
        except OSError:
            time.sleep(0.5)
    raise RuntimeError("infinity-emb did not start")
