"""Sub-categories without a head: measured by the scores that stand in, where anything labels them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from eval_samples import UNKNOWN, a_suite
from prefilter.eval.document import plain
from prefilter.eval.judge.subcategories import Evidence, labelled, measure_subcategories, subcategories
from prefilter.eval.suites.suite import FINER, Suite
from prefilter.models.labels import CATEGORIES, HEADS


def test_all_labels_must_be_there_and_one_that_is_absent_settles_it() -> None:
    suite = a_suite(hate=[1, 1, 0, UNKNOWN], threat=[1, UNKNOWN, UNKNOWN, 0])
    known, positive = labelled(suite, ["hate", "threat"])
    assert known.tolist() == [True, False, True, True]
    assert positive.tolist() == [True, False, False, False]


def test_heads_stand_in_and_the_labels_are_columns_of_the_schema() -> None:
    for sub in subcategories():
        assert set(sub.heads) <= set(CATEGORIES)
        assert set(sub.labels) <= {*CATEGORIES, *FINER}
        assert sub.labels or not sub.suites


def severe(evidence: Evidence) -> Suite:
    """A suite that labels whatever is asked: positives only where the labels are weak."""
    columns = (*CATEGORIES, *FINER)
    return a_suite(**{c: [1, 1] if evidence.weak else [1, 0] for c in columns})


def by_length(suite: Suite) -> Mapping[str, NDArray[np.float32]]:
    return {head: np.linspace(0.9, 0.2, suite.n, dtype=np.float32) for head in HEADS}


def test_positives_alone_are_measured_against_benign_text() -> None:
    benign = {head: np.full(5, 0.1, dtype=np.float32) for head in HEADS}
    found = {sub.name: plain(sub) for sub in measure_subcategories(severe, by_length, benign=benign)}
    minors = found["sexual/minors"]["evidence"][0]
    assert (minors["against"], minors["n"], minors["positives"], minors["auroc"]) == ("benign suites", 7, 2, 1.0)
    hatecheck = found["hate/threatening"]["evidence"][0]
    assert (hatecheck["against"], hatecheck["auroc"]) == ("its own negatives", 1.0)
    assert found["self-harm/instructions"]["evidence"] == []


def test_of_several_heads_the_least_counts() -> None:
    def score(suite: Suite) -> Mapping[str, NDArray[np.float32]]:
        backwards = np.linspace(0.2, 0.9, suite.n, dtype=np.float32)
        return {**by_length(suite), "threat": backwards}

    benign = {head: np.full(5, 0.1, dtype=np.float32) for head in HEADS}
    found = {sub.name: plain(sub) for sub in measure_subcategories(severe, score, benign=benign)}
    assert found["hate/threatening"]["heads"] == ["hate", "threat"]
    assert found["hate/threatening"]["evidence"][0]["auroc"] == 0.5  # the two cancel out
