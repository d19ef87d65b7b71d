"""Sources: unknown stays unknown, licences and test suites are respected, own columns are mapped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefilter.classifier.corpus.sources import SourceError, held_out_texts, training_sources, verdict
from prefilter.classifier.recipe import Recipe
from prefilter.models.labels import CATEGORIES, HEADS
from training_samples import recipe, write_rows

HEADER = "dataset,folder,rows,licence,labels\n"


def shared(folder, catalogue, **tables):
    (folder / "en").mkdir(exist_ok=True)
    (folder / "catalogue.csv").write_text(HEADER + catalogue, encoding="utf-8")
    for name, columns in tables.items():
        pq.write_table(pa.table(columns), folder / "en" / f"{name}.parquet")
    return folder


def rows(*texts, split="all", **labels):
    return {"text": list(texts), "split": [split] * len(texts), **labels}


def plain(**changes):
    return Recipe.from_mapping({"name": "a", "version": "1", **changes}, base=Path())


def test_unknown_is_not_zero(tmp_path):
    data = shared(tmp_path, "one,en,2,open,human\n", one=rows("a b", "c d", hate=[1.0, None]))
    (source,) = training_sources(plain(), data)
    hate = source.labels[:, HEADS.index("hate")]
    assert hate[0] == 1.0
    assert np.isnan(hate[1])
    assert np.isnan(source.labels[:, HEADS.index("toxicity")]).all()


def test_non_commercial_data_and_test_suites_are_never_read(tmp_path):
    catalogue = "one,en,1,open,human\ntwo,en,1,nc,human\nhatecheck,en,1,open,human\nde_mhc,en,1,open,human\n"
    tables = {n: rows("a b", hate=[1.0]) for n in ("one", "two", "hatecheck", "de_mhc")}
    found = training_sources(plain(), shared(tmp_path, catalogue, **tables))
    assert [s.name for s in found] == ["one"]


def test_held_out_texts_are_suites_and_test_rows_of_every_licence(tmp_path):
    catalogue = "one,en,1,open,human\ntwo,en,1,nc,human\nhatecheck,en,1,open,human\n"
    data = shared(
        tmp_path,
        catalogue,
        one=rows("train", split="train", hate=[0.0]),
        two=rows("tested", split="test", hate=[0.0]),
        hatecheck=rows("suite", split="all", hate=[0.0]),
    )
    assert set(held_out_texts(data, ("en",))) == {"tested", "suite"}


def test_own_columns_are_mapped_and_a_missing_one_is_named(tmp_path):
    (source,) = training_sources(recipe(tmp_path, count=20), None)
    assert len(source.texts) == 20
    assert np.isnan(source.labels[7, HEADS.index("insult")])
    write_rows(tmp_path / "rows.jsonl", 3)
    wrong = plain(own=[{"path": str(tmp_path / "rows.jsonl"), "columns": {"text": "speech"}}])
    with pytest.raises(SourceError, match="speech"):
        training_sources(wrong, None)


def test_labels_outside_the_unit_interval_are_refused(tmp_path):
    data = shared(tmp_path, "one,en,1,open,human\n", one=rows("a b", hate=[3.0]))
    with pytest.raises(SourceError, match="hate"):
        training_sources(plain(), data)


@pytest.mark.parametrize(
    ("known", "unsafe", "expected"),
    [
        ({"hate": 1.0}, np.nan, 1.0),
        ({"hate": 0.0}, np.nan, np.nan),
        ({"toxicity": 0.0, "hate": 0.0}, np.nan, 0.0),
        ({"toxicity": 0.0}, 1.0, 1.0),
        ({}, np.nan, np.nan),
    ],
)
def test_the_verdict_of_a_row(known, unsafe, expected):
    labels = np.full((1, len(CATEGORIES)), np.nan, dtype=np.float32)
    for name, value in known.items():
        labels[0, CATEGORIES.index(name)] = value
    assert np.array_equal(verdict(labels, np.array([unsafe], dtype=np.float32)), [expected], equal_nan=True)
