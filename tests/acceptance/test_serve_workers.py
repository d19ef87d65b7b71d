"""Several worker processes on one port behave like one server when it is called, started, watched or stopped."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from fakes import CLEAN_TEXT, build_artefact
from served import Started, key_of, score, server

ITEMS = [{"id": "1", "text": CLEAN_TEXT}]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_artefact(tmp_path_factory.mktemp("model") / "fake-1")


def workers_of(started: Started) -> set[int]:
    pid = started.process.pid
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def eventually(holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + 60
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def metric(started: Started, name: str) -> float:
    text = httpx.get(f"{started.url}/metrics").text
    return sum(float(value) for value in re.findall(rf"^{re.escape(name)} (\S+)$", text, re.M))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_they_are_one_server_and_their_metrics_one_sum(tmp_path: Path, model: Path) -> None:
    with server(tmp_path / "home", model, "--workers", "2") as started:
        key = key_of(started)
        assert len(workers_of(started)) == 2
        for _ in range(24):  # each call its own connection, and so either worker
            assert score(started, key, items=ITEMS).status_code == 200
        assert {metric(started, 'prefilter_items_total{outcome="allow"}') for _ in range(8)} == {24.0}
        assert metric(started, "prefilter_ready_state") == 1.0
        first, second = (metric(started, f'prefilter_repeats_total{{result="{r}"}}') for r in ("hit", "miss"))
        assert (first, second) == (23.0, 1.0)
        started.process.send_signal(signal.SIGTERM)
        assert started.process.wait(30) == 0
    assert len([line for line in started.printed if line.startswith("ready http://127.0.0.1:")]) == 1
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "home").iterdir()}
    assert set(modes.values()) == {0o600}


def test_one_that_dies_is_started_again_while_the_others_serve(tmp_path: Path, model: Path) -> None:
    with server(tmp_path / "home", model, PREFILTER_WORKERS="2") as started:
        key = key_of(started)
        before = workers_of(started)
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        assert eventually(lambda: len(workers_of(started) - before) == 1)
        answers = [score(started, key, items=ITEMS).status_code for _ in range(12)]
        assert victim not in workers_of(started)
    assert answers == [200] * 12
    assert not any(map(alive, before))


def test_no_worker_outlives_a_supervisor_that_was_killed(tmp_path: Path, model: Path) -> None:
    with server(tmp_path / "home", model, "--workers", "2") as started:
        workers = workers_of(started)
        started.process.kill()
        assert eventually(lambda: not any(map(alive, workers)))


def test_what_keeps_them_from_starting_is_said_in_one_line(tmp_path: Path, model: Path) -> None:
    with (
        pytest.raises(AssertionError) as ended,
        server(tmp_path / "home", model, "--workers", "2", PREFILTER_DATABASE_URL="mysql://x"),
    ):
        pass
    assert str(ended.value).count("PREFILTER_DATABASE_URL") == 1
    assert "Traceback" not in str(ended.value)


def test_a_port_that_is_taken_is_not_shared(tmp_path: Path, model: Path) -> None:
    with server(tmp_path / "one", model, "--workers", "2") as first:
        port = first.url.rpartition(":")[2]
        with (
            pytest.raises(AssertionError, match="PREFILTER_PORT"),
            server(tmp_path / "two", model, "--workers", "2", PREFILTER_PORT=port),
        ):
            pass
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(port))) != 0
