"""Workers: real processes, the same bits in the same order, and a death costs one row at most."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from bulk_fakes import artefact
from fakes import BORDERLINE_TEXT, CLEAN_TEXT, HARMFUL_TEXT
from prefilter.models.scored import Scored
from prefilter.models.scorer import Scorer
from prefilter.serving.bulk.chunks import InProcess, Text
from prefilter.serving.bulk.errors import WorkersLost
from prefilter.serving.bulk.workers import Workers

__all__ = ["artefact"]
KINDS = (CLEAN_TEXT, HARMFUL_TEXT * 40, BORDERLINE_TEXT, "", "a\ud800", "\0 nul")
CHUNKS: list[list[Text]] = [
    [Text(f"{text} {n}" if text.strip("\0 ") else text) for text in KINDS] for n in range(30)
]


def flat(chunks: list[list[Scored]]) -> list[Scored]:
    return [scored for chunk in chunks for scored in chunk]


def test_many_workers_give_the_bits_of_one_in_the_same_order(artefact: Path) -> None:
    alone = list(InProcess(Scorer.load(artefact, max_chars=None)).score(CHUNKS))
    with Workers(artefact, count=3) as workers:
        assert flat(list(workers.score(CHUNKS))) == flat(alone)


def test_nothing_is_pickled_between_the_processes(artefact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("multiprocessing.connection._ForkingPickler", None)
    with Workers(artefact, count=1) as workers:
        (scored,) = workers.score([[Text(HARMFUL_TEXT, "en", BORDERLINE_TEXT)]])
    assert scored == Scorer.load(artefact).score([HARMFUL_TEXT], languages=["en"], contexts=[BORDERLINE_TEXT])
    assert {type(score) for score in scored[0].scores.values()} == {np.float32}


def test_a_worker_that_dies_is_replaced_and_no_row_is_lost(artefact: Path) -> None:
    alone = list(InProcess(Scorer.load(artefact, max_chars=None)).score(CHUNKS))
    with Workers(artefact, count=2) as workers:
        results = []
        for number, chunk in enumerate(workers.score(CHUNKS)):
            results.append(chunk)
            if number == 3:
                os.kill(workers._workers[0]._process.pid, signal.SIGKILL)
    assert flat(results) == flat(alone)


def test_a_row_that_kills_every_worker_is_deferred_and_its_neighbours_are_scored(
    artefact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = "import prefilter.models.scorer as s, os\nf = s.Scorer.score_one\n"
    hook += "s.Scorer.score_one = lambda self, t, **k: os._exit(9) if 'deadly' in t else f(self, t, **k)\n"
    (tmp_path / "sitecustomize.py").write_text(hook, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Workers(artefact, count=1) as workers:
        (scored,) = workers.score([[Text(CLEAN_TEXT), Text("deadly"), Text(HARMFUL_TEXT)]])
    assert [one.unscored for one in scored] == [None, "internal_fault", None]


def test_a_model_that_cannot_be_loaded_stops_the_run(tmp_path: Path, artefact: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in artefact.iterdir():
        (broken / path.name).write_bytes(path.read_bytes())
    (broken / "model.onnx").write_bytes(b"other")
    with Workers(broken, count=1) as workers, pytest.raises(WorkersLost, match="sha256 differs"):
        list(workers.score(CHUNKS))


def test_workers_do_not_outlive_their_parent(artefact: Path) -> None:
    program = (
        "import sys, os, pathlib; from prefilter.serving.bulk.workers import Workers\n"
        "w = Workers(pathlib.Path(sys.argv[1]), count=1); r = w.score([[('x', None)]] * 9); next(r)\n"
        "print(w._workers[0]._process.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(artefact)], capture_output=True, text=True, check=False
    )
    worker = int(done.stdout)
    for _ in range(100):
        if not _runs(worker):
            return
        time.sleep(0.1)
    pytest.fail("the worker still runs")


def _runs(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
