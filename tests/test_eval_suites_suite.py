"""Suites: found by name or path, unknown masked, the one-number verdict, complaints that name the place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from eval_samples import UNKNOWN, a_suite, write_mixed, write_suite
from prefilter.eval.suites.suite import SuiteError, find_suite, load_suite, verdict


def test_a_name_is_looked_up_in_english_first(tmp_path: Path) -> None:
    for folder in ("ml", "en"):
        write_mixed(tmp_path / folder, "both")
    write_mixed(tmp_path / "ml", "foreign")
    assert find_suite("both", data_dir=tmp_path) == ("both", tmp_path / "en" / "both.parquet")
    assert find_suite("foreign", data_dir=tmp_path)[1].parent.name == "ml"


def test_the_data_folder_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_mixed(tmp_path / "en", "known")
    monkeypatch.setenv("PREFILTER_DATA_DIR", str(tmp_path))
    assert load_suite("known").n == 40
    monkeypatch.delenv("PREFILTER_DATA_DIR")
    with pytest.raises(SuiteError, match="PREFILTER_DATA_DIR"):
        load_suite("known")


@pytest.mark.parametrize("name", ["absent", "../en/known", "..", ""])
def test_a_suite_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    write_mixed(tmp_path / "en", "known")
    with pytest.raises(SuiteError, match=r"no absent\.parquet|has no folders"):
        load_suite(name, data_dir=tmp_path)


def test_all_rows_count_unless_a_split_is_asked_for(tmp_path: Path) -> None:
    path = str(write_mixed(tmp_path))
    assert load_suite(path).n == 40
    assert load_suite(path, split="test").n == 30
    with pytest.raises(SuiteError, match="no row has split 'valid'; it has test, train"):
        load_suite(path, split="valid")


def test_a_limit_draws_the_same_rows_each_time(tmp_path: Path) -> None:
    path = str(write_mixed(tmp_path))
    first, second = load_suite(path, limit=7), load_suite(path, limit=7)
    assert first.texts == second.texts
    assert (first.n, first.available) == (7, 40)
    assert load_suite(path, limit=400).n == 40


def test_one_half_is_positive_and_unknown_is_neither(tmp_path: Path) -> None:
    path = write_suite(tmp_path, "edges", text=["a", "b", "c"], hate=[0.5, 0.49, UNKNOWN])
    suite = load_suite(str(path))
    assert suite.positive("hate").tolist() == [True, False, False]
    assert suite.known("hate").tolist() == [True, True, False]


def test_a_column_that_never_says_anything_is_no_column(tmp_path: Path) -> None:
    path = write_suite(tmp_path, "mute", text=["a", "b"], hate=[1.0, 0.0], unsafe=[UNKNOWN, UNKNOWN])
    suite = load_suite(str(path))
    assert set(suite.labels) == {"hate"}
    assert verdict(suite)[0].all()


def test_the_verdict_is_the_unsafe_column_where_there_is_one() -> None:
    known, harmful = verdict(a_suite(hate=[1, 1, 0], unsafe=[0, UNKNOWN, 1]))
    assert known.tolist() == [True, False, True]
    assert harmful[known].tolist() == [False, True]


def test_else_the_verdict_is_any_known_category() -> None:
    known, harmful = verdict(a_suite(hate=[0.5, 0, UNKNOWN, UNKNOWN], threat=[UNKNOWN, 0.4, 0.9, UNKNOWN]))
    assert known.tolist() == [True, True, True, False]
    assert harmful.tolist() == [True, False, True, False]


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"words": ["a"]}, "no column text"),
        ({"text": [1.0]}, "text does not hold strings"),
        ({"text": ["a", "b"], "hate": [0.0, 1.5]}, r"column hate, row 1"),
        ({"text": ["a"], "hate": ["high"]}, "hate does not hold numbers"),
    ],
)
def test_a_wrong_column_is_named_with_its_row(tmp_path: Path, columns: dict, complaint: str) -> None:
    with pytest.raises(SuiteError, match=complaint):
        load_suite(str(write_suite(tmp_path, "wrong", **columns)))


def test_a_truncated_file_is_a_complaint(tmp_path: Path) -> None:
    path = write_mixed(tmp_path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(SuiteError, match="mixed: cannot be read as Parquet"):
        load_suite(str(path))


def test_labels_may_be_integers_or_truth_values(tmp_path: Path) -> None:
    table = pa.table({"text": ["a", "b"], "hate": [1, 0], "threat": [True, None]})
    pq.write_table(table, tmp_path / "typed.parquet")
    suite = load_suite(str(tmp_path / "typed.parquet"))
    assert suite.positive("hate").tolist() == [True, False]
    assert np.isnan(suite.labels["threat"][1])


def test_broken_text_is_left_to_the_scorer(tmp_path: Path) -> None:
    column = pa.array([b"fine", b"\xff\xfe", None], pa.binary()).cast(pa.string(), safe=False)
    pq.write_table(pa.table({"text": column, "hate": [0.0, 0.0, 1.0]}), tmp_path / "broken.parquet")
    suite = load_suite(str(tmp_path / "broken.parquet"))
    assert suite.texts == ["fine", "\udcff\udcfe", None]
