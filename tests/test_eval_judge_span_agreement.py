"""Spans against those of people: the task's own F1, on sets of characters."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from eval_samples import a_suite
from fakes import CLEAN_TEXT, HARMFUL_TEXT, build_artefact
from prefilter.eval.document import plain
from prefilter.eval.judge.span_agreement import character_f1, judge_spans
from prefilter.eval.judge.span_agreement import measure_spans as measured
from prefilter.eval.scoring.span_marks import mark
from prefilter.eval.suites.suite import Spans, Suite, SuiteError, load_suite
from prefilter.models.scorer import Scorer


def marked_by_people(*spans: Spans | None) -> Suite:
    """A suite of texts of six characters ("text 0" …) with the spans that people marked."""
    return dataclasses.replace(a_suite(toxicity=[1.0] * len(spans)), spans=list(spans))


def measure_spans(suite: Suite, spans: list[Spans]) -> dict[str, Any] | None:
    found = measured(suite, spans)
    return None if found is None else plain(found)


def test_f1_of_one_text_is_the_tasks() -> None:
    assert character_f1(0, 0, 0) == 1.0  # both mark nothing
    assert character_f1(0, 3, 0) == character_f1(0, 0, 3) == 0.0  # one marks nothing
    assert character_f1(2, 4, 2) == pytest.approx(2 * 2 / (4 + 2))


def test_the_mean_is_over_texts_and_the_rest_over_characters() -> None:
    suite = marked_by_people(((0, 4),), (), ((0, 2),))
    found = measure_spans(suite, [((0, 4),), (), ((0, 6),)])
    assert found is not None
    assert found["f1"] == pytest.approx((1 + 1 + 2 * 2 / 8) / 3)
    assert (found["precision"], found["recall"]) == (6 / 10, 1.0)
    assert (found["masked_share"], found["gold_share"]) == (10 / 18, 6 / 18)
    low, high = found["ci95"]["f1"]
    assert low < found["f1"] <= high


def test_overlapping_spans_count_a_character_once_and_none_beyond_the_text() -> None:
    found = measure_spans(marked_by_people(((0, 6),)), [((0, 4), (2, 60))])
    assert found is not None
    assert (found["f1"], found["precision"]) == (1.0, 1.0)


def test_a_row_that_nobody_read_for_spans_does_not_count() -> None:
    found = measure_spans(marked_by_people(None, ()), [((0, 4),), ()])
    assert found is not None
    assert (found["n"], found["f1"]) == (1, 1.0)
    assert measure_spans(marked_by_people(None), [()]) is None


def test_what_is_shown_is_apart_from_what_reached_the_edge(tmp_path: Path) -> None:
    scorer = Scorer.load(build_artefact(tmp_path / "model"))
    suite = dataclasses.replace(a_suite(toxicity=[1, 0]), texts=[HARMFUL_TEXT, CLEAN_TEXT])
    start = HARMFUL_TEXT.index("rude")
    rude = ((start, start + 4),)
    suite = dataclasses.replace(suite, spans=[rude, ()])
    marked = mark(suite, scorer, edges={"toxicity": 0.0}, workers=1)
    assert marked.shown[0] == marked.reached[0] == rude
    assert marked.reached[1] == ()
    found = judge_spans(suite, marked)
    assert found is not None
    found = plain(found)
    assert found["at_edge"]["f1"] == 1.0


def test_heads_that_do_not_count_are_left_out(tmp_path: Path) -> None:
    scorer = Scorer.load(build_artefact(tmp_path / "model"))
    suite = dataclasses.replace(a_suite(sexual=[1]), texts=[HARMFUL_TEXT])
    assert mark(suite, scorer, edges={"sexual": 0.0}, workers=1).shown == [()]


def test_spans_are_read_from_the_file_and_a_wrong_one_is_named(tmp_path: Path) -> None:
    for name, spans in (("good", [[[0, 3]], [], None]), ("bad", [[[3, 1]], [], None])):
        table = pa.table({"text": ["abc", "d", "e"], "toxicity": [1.0, 1.0, 0.0], "spans": spans})
        pq.write_table(table, tmp_path / f"{name}.parquet")
    assert load_suite(str(tmp_path / "good.parquet")).spans == [((0, 3),), (), None]
    with pytest.raises(SuiteError, match="column spans, row 0"):
        load_suite(str(tmp_path / "bad.parquet"))
