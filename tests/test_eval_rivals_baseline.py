"""The baseline: fitted on the training split's texts and weights, judged as a model is."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from eval_samples import write_mixed, write_suite
from fakes import CLEAN_TEXT, HARMFUL_TEXT
from prefilter.eval.document import plain
from prefilter.eval.rivals.baseline import Baseline, measure_baseline
from prefilter.eval.scoring.suite_scores import ERROR, SCORED
from prefilter.eval.suites.suite import load_suite
from prefilter.eval.suites.suite_plan import Entry, Role
from prefilter.models.labels import HEADS


def examples(rows: int = 40) -> SimpleNamespace:
    """Clean and rude texts in turn, of which toxicity and `any` are known, insult only of every fourth."""
    rude = np.arange(rows) % 2 == 1
    labels = np.zeros((rows, len(HEADS)), dtype=np.float32)
    weights = np.zeros_like(labels)
    for head in ("toxicity", "any", "insult"):
        labels[rude, HEADS.index(head)] = 1.0
        weights[:, HEADS.index(head)] = 1.0
    weights[np.arange(rows) % 4 == 0, HEADS.index("insult")] = 0.0
    texts = [f"{HARMFUL_TEXT if bad else CLEAN_TEXT} {i}" for i, bad in enumerate(rude)]
    return SimpleNamespace(texts=texts, labels=labels, weights=weights)


def test_it_learns_the_words_and_only_known_heads() -> None:
    baseline = Baseline.fit(examples())
    assert set(baseline.categories) == {"toxicity", "insult"}
    assert "40 training texts" in baseline.describe()


def test_every_text_has_scores_and_every_other_row_an_error(tmp_path: Path) -> None:
    path = write_suite(tmp_path, "odd", text=[HARMFUL_TEXT, CLEAN_TEXT, " "], unsafe=[1.0, 0.0, 0.0])
    scoring = Baseline.fit(examples()).score(load_suite(str(path)), with_context=False, progress=lambda n: None)
    assert scoring.declared.status.tolist() == [SCORED, SCORED, ERROR]
    rude, clean, _ = scoring.declared.of("toxicity")
    assert rude > 0.5 > clean
    assert np.isnan(scoring.declared.of("hate")[0])


def test_rows_are_drawn_by_weight_and_the_same_each_time() -> None:
    many = examples()
    many.weights[:20] = 0.0
    first, second = Baseline.fit(many, rows=10), Baseline.fit(many, rows=10)
    assert "10 training texts" in first.describe()
    assert all((first._lines[head].weights == second._lines[head].weights).all() for head in first._lines)


def test_its_summary_is_what_a_card_takes(tmp_path: Path) -> None:
    entries = [Entry(str(write_mixed(tmp_path)), Role.HARM)]
    summary = plain(measure_baseline(examples(), entries, command="prefilter baseline test.toml"))
    heads = summary["suites"]["mixed"]["heads"]
    assert set(heads) == {"any", "toxicity", "insult"}
    assert heads["toxicity"]["auprc"] == 1.0
    assert summary["command"] == "prefilter baseline test.toml"
