"""Context: a suite of answers is scored as pairs by a model that reads what they answer, and alone beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eval_samples import write_suite
from fakes import CLEAN_TEXT, HARMFUL_TEXT, build_artefact
from prefilter.eval.document import plain
from prefilter.eval.evaluation import evaluate
from prefilter.eval.judge.suite_judge import judge
from prefilter.eval.scoring.suite_scores import open_cache, score_suite
from prefilter.eval.suites.suite import load_suite
from prefilter.eval.suites.suite_plan import Entry
from prefilter.models.scorer import Scorer


def write_pairs(folder: Path, column: str = "context") -> Path:
    """Write a suite of one answer, harmless by itself, half the time to something rude."""
    told = [HARMFUL_TEXT, CLEAN_TEXT] * 10
    columns = {"text": [f"Indeed so, said number {i}." for i in range(20)], column: told}
    return write_suite(folder, "pairs", **columns, unsafe=[float(t == HARMFUL_TEXT) for t in told])


@pytest.mark.parametrize("column", ["context", "prompt"])
def test_a_suite_of_pairs_is_scored_both_ways(tmp_path: Path, column: str) -> None:
    model = build_artefact(tmp_path / "model")
    document, _ = judge([Entry(str(write_pairs(tmp_path, column)))], model=model)
    suite = plain(document)["suites"]["pairs"]
    assert suite["context"] is True
    assert suite["any"]["auroc"] == 1.0
    assert suite["without_context"]["any"]["auroc"] < 0.9
    assert suite["without_context"]["operating"].keys() == suite["operating"].keys()


def test_a_model_that_reads_no_context_scores_the_text_alone(tmp_path: Path) -> None:
    model = build_artefact(tmp_path / "model", context=0)
    document, _ = judge([Entry(str(write_pairs(tmp_path)))], model=model)
    suite = plain(document)["suites"]["pairs"]
    assert (suite["context"], suite["n_errors"]) == (False, 0)
    assert "without_context" not in suite


def test_a_suite_without_context_says_nothing_of_it(tmp_path: Path) -> None:
    path = write_suite(tmp_path, "plain", text=[CLEAN_TEXT], unsafe=[0.0])
    document, _ = judge([Entry(str(path))], model=build_artefact(tmp_path / "model"))
    assert "context" not in plain(document)["suites"]["plain"]


def test_the_cache_tells_a_pair_from_its_text_alone(tmp_path: Path) -> None:
    model = build_artefact(tmp_path / "model")
    suite, scorer = load_suite(str(write_pairs(tmp_path))), Scorer.load(model)
    kinds = []
    for with_context in (False, True, False):
        cache = open_cache(tmp_path / "cache", model)
        kinds.append(score_suite(suite, scorer, cache=cache, workers=1, with_context=with_context).declared.scores)
    assert np.array_equal(kinds[0], kinds[2])
    assert not np.array_equal(kinds[0], kinds[1])


def test_no_context_is_ever_repeated(tmp_path: Path, capsys: Any) -> None:
    path = write_pairs(tmp_path)
    assert evaluate([str(path)], model=build_artefact(tmp_path / "m"), json_out=True, cache_dir=tmp_path / "c") == 0
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert "rude" not in json.dumps(answer)
    assert not any(b"rude" in p.read_bytes() for p in (tmp_path / "c").rglob("*") if p.is_file())
