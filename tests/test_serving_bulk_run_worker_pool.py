"""Workers: real processes, the same bits in the same order, and a death costs one row at most."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from bulk_fakes import artefact
from fakes import BORDERLINE_TEXT, CLEAN_TEXT, HARMFUL_TEXT
from prefilter.models.labels import HEADS
from prefilter.models.onnx_network import Network
from prefilter.models.scorer import Scorer
from prefilter.serving.bulk.bulk_errors import WorkersLost
from prefilter.serving.bulk.read.input_rows import Row
from prefilter.serving.bulk.run.chunks import InProcess, Pace, Screened
from prefilter.serving.bulk.run.screener import load_screener
from prefilter.serving.bulk.run.worker_pool import Workers
from prefilter.serving.bulk.run_terms import Terms
from prefilter.serving.policy.presets import load_preset

__all__ = ["artefact"]
KINDS = (CLEAN_TEXT, HARMFUL_TEXT * 40, BORDERLINE_TEXT, "", "a\ud800", "\0 nul")
TEXTS = [f"{text} {n}" if text.strip("\0 ") else text for n in range(30) for text in KINDS]


@pytest.fixture
def terms(artefact: Path) -> Terms:
    return Terms.of(artefact, load_preset("model-output"))


def rows(*texts: str) -> list[Row]:
    return [Row(n, str(n), 0, f"line {n + 1}", text) for n, text in enumerate(texts)]


def joined(screened: Iterable[Screened]) -> pa.Table:
    return pa.concat_tables(one.table for one in screened).combine_chunks()


def alone(terms: Terms, texts: list[str]) -> pa.Table:
    return joined(InProcess(load_screener(terms)).screen(rows(*texts)))


def test_many_workers_give_the_bits_of_one_in_the_same_order(terms: Terms) -> None:
    with Workers(terms, count=3, pace=Pace(rows=7, most=7)) as workers:
        assert joined(workers.screen(rows(*TEXTS))).equals(alone(terms, TEXTS))


def test_a_text_is_run_once_by_all_the_processes_of_a_run(
    terms: Terms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = replace(terms, repeats=(str(tmp_path / "repeats"), "5e" * 32))
    texts = [f"{text} {n}" for n in range(20) for text in (CLEAN_TEXT, BORDERLINE_TEXT)]
    with Workers(shared, count=2, pace=Pace(rows=7, most=7)) as workers:
        first = joined(workers.screen(rows(*texts)))
    assert first.equals(alone(terms, texts))
    screener = load_screener(shared)
    monkeypatch.setattr(Network, "run", lambda *_: pytest.fail("a text was run again"))
    assert screener.screen(rows(*texts)).equals(first)
    assert b"dubious" not in (tmp_path / "repeats").read_bytes()


def test_nothing_is_pickled_between_the_processes(terms: Terms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("multiprocessing.connection._ForkingPickler", None)
    row = replace(rows(HARMFUL_TEXT)[0], language="en", context=BORDERLINE_TEXT)
    with Workers(terms, count=1) as workers:
        (values,) = joined(workers.screen([row])).to_pylist()
    (scored,) = Scorer.load(terms.model).score([HARMFUL_TEXT], languages=["en"], contexts=[BORDERLINE_TEXT])
    assert {head: np.float32(values[f"score_{head}"]) for head in HEADS} == scored.scores
    assert values["context_seen"] == scored.context_seen > 0


def test_a_worker_that_dies_is_replaced_and_no_row_is_lost(terms: Terms) -> None:
    with Workers(terms, count=2, pace=Pace(rows=6, most=6)) as workers:
        results = []
        for number, one in enumerate(workers.screen(rows(*TEXTS))):
            results.append(one)
            if number == 3:
                os.kill(workers._workers[0]._process.pid, signal.SIGKILL)
    assert joined(results).equals(alone(terms, TEXTS))


def test_a_row_that_kills_every_worker_is_deferred_and_its_neighbours_are_scored(
    terms: Terms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = "import prefilter.models.scorer as s, os\nf = s.Scorer.score_one\n"
    hook += "s.Scorer.score_one = lambda self, t, **k: os._exit(9) if 'deadly' in t else f(self, t, **k)\n"
    (tmp_path / "sitecustomize.py").write_text(hook, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Workers(terms, count=1) as workers:
        table = joined(workers.screen(rows(CLEAN_TEXT, "deadly", HARMFUL_TEXT)))
    assert table.column("outcome").to_pylist() == ["allow", "review", "block"]
    assert table.column("because")[1].as_py() == '[{"reason":"internal_fault"}]'


def test_a_model_that_cannot_be_loaded_stops_the_run(terms: Terms, tmp_path: Path) -> None:
    broken = Path(shutil.copytree(terms.model, tmp_path / "broken"))
    (broken / "model.onnx").write_bytes(b"other")
    with (
        Workers(replace(terms, model=broken), count=1) as workers,
        pytest.raises(WorkersLost, match="sha256"),
    ):
        list(workers.screen(rows(*TEXTS)))


def test_a_model_put_in_the_place_of_the_one_meant_stops_the_run(terms: Terms) -> None:
    with (
        Workers(replace(terms, manifest_sha256="0" * 64), count=1) as workers,
        pytest.raises(WorkersLost, match="another model"),
    ):
        list(workers.screen(rows(*TEXTS)))


def test_workers_do_not_outlive_their_parent(artefact: Path) -> None:
    program = (
        "import sys, os, pathlib; from prefilter.serving.bulk.run.worker_pool import Workers\n"
        "from prefilter.serving.bulk.run_terms import Terms\n"
        "from prefilter.serving.bulk.read.input_rows import Row\n"
        "from prefilter.serving.policy.presets import load_preset\n"
        "terms = Terms.of(pathlib.Path(sys.argv[1]), load_preset('model-output'))\n"
        "w = Workers(terms, count=1); next(w.screen([Row(n, str(n), 0, '', 'x') for n in range(99)]))\n"
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
