"""Two scores of the same texts: the edge of ours that does what theirs did, and when the data cannot say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from prefilter.eval.document import plain
from prefilter.eval.matching import edge_matching

STEPS = np.arange(100) / 100
QUICK: dict[str, Any] = {"replicates": 50}


def compare(*scores: Any, **options: Any) -> dict[str, Any]:
    """The comparison in its plain form."""
    return plain(edge_matching.compare(*scores, **options))


def agreement(*rows: Any) -> dict[str, Any]:
    """The agreement in its plain form."""
    return plain(edge_matching.agreement(*rows))


def noisy(rows: int, seed: int) -> tuple[Any, Any, Any]:
    """Labels, and two scores that see them through noise of their own."""
    rng = np.random.default_rng(seed)
    harmful = rng.random(rows) < 0.3
    theirs, ours = (1 / (1 + np.exp(-(3.0 * harmful - 2 + rng.normal(size=rows)))) for _ in range(2))
    return theirs, ours.astype(np.float32), harmful.astype(float)


def codes(notes: list[dict[str, str]]) -> list[str]:
    """The codes of notes."""
    return [note["code"] for note in notes]


def test_the_matched_edge_flags_as_many() -> None:
    (line,) = compare(STEPS, STEPS**2, edges=[0.8], **QUICK)["edges"]
    matched = line["matched"]["volume"]
    assert (line["theirs"]["volume"]["hits"], matched["volume"]["hits"]) == (20, 20)
    assert matched["edge"] == pytest.approx(0.64)
    assert matched["agreement"]["only_ours"] == matched["agreement"]["only_theirs"] == {"n": 0}


def test_rank_correlation_counts_ties_as_scipy_does() -> None:
    theirs, ours, _ = noisy(300, 1)
    theirs = theirs.round(1)
    found = compare(theirs, ours, **QUICK)["spearman"]
    assert found["value"] == pytest.approx(spearmanr(theirs, ours).statistic, abs=1e-12)
    assert found["ci95"][0] < found["value"] < found["ci95"][1]


def test_intervals_of_an_edge_cover_the_edge_of_the_stream() -> None:
    theirs, ours, _ = noisy(200_000, 2)
    truth = np.sort(ours)[-int((theirs >= 0.7).sum())]
    covered = 0
    for seed in range(60):
        rows = np.random.default_rng(seed).integers(0, theirs.size, 400)
        (line,) = compare(theirs[rows], ours[rows], edges=[0.7], replicates=200, seed=seed)["edges"]
        low, high = line["matched"]["volume"]["edge_ci95"]
        covered += low <= truth <= high
    assert covered >= 52  # of 60; 57 are expected


def test_same_recall_finds_as_many_and_same_precision_is_as_often_right() -> None:
    theirs, ours, labels = noisy(2_000, 3)
    (line,) = compare(theirs, ours, labels, edges=[0.6], **QUICK)["edges"]
    their, recall, precision = line["theirs"], line["matched"]["recall"], line["matched"]["precision"]
    assert recall["recall"]["hits"] == their["recall"]["hits"]
    assert precision["precision"]["value"] >= their["precision"]["value"]
    lower = ours >= np.sort(ours[ours < precision["edge"]])[-1]
    assert labels[lower].mean() < their["precision"]["value"]  # the very next edge is no longer right as often
    low, high = their["precision"]["ci95"]
    assert low < their["precision"]["value"] < high


def test_that_no_edge_is_right_as_often_is_a_result() -> None:
    labels = (STEPS >= 0.8).astype(float)
    lucky = np.where(STEPS >= 0.95, 1.0, np.random.default_rng(0).permutation(STEPS) / 2)  # right, but only five times
    (line,) = compare(STEPS, lucky, labels, edges=[0.8], **QUICK)["edges"]
    assert line["matched"]["precision"] is None
    assert codes(line["notes"]) == ["none_reaches_precision"]
    assert line["matched"]["recall"]["volume"]["hits"] > 20


def test_too_few_rows_compare_nothing() -> None:
    found = compare(STEPS[:29], STEPS[:29], edges=[0.1])
    assert (codes(found["notes"]), found["spearman"], found["edges"]) == (["too_few_rows"], None, [])


def test_an_edge_that_flags_nothing_or_little_says_so() -> None:
    none, few = compare(STEPS, STEPS, edges=[1.0, 0.95], **QUICK)["edges"]
    assert (codes(none["notes"]), none["matched"]["volume"]) == (["none_flagged"], None)
    assert (codes(few["notes"]), few["matched"]["volume"]["volume"]["hits"]) == (["too_few_flagged"], 5)


def test_few_labels_match_by_volume_alone_and_still_show_their_intervals() -> None:
    labels = np.full(100, np.nan)
    labels[-9:], labels[:30] = 1.0, 0.0
    found = compare(STEPS, STEPS, labels, edges=[0.5], **QUICK)
    (line,) = found["edges"]
    assert codes(found["notes"]) == ["too_few_labels"]
    assert [way for way, matched in line["matched"].items() if matched] == ["volume"]
    assert line["theirs"]["recall"] == {"value": 1.0, "hits": 9, "of": 9, "ci95": [pytest.approx(0.701, abs=1e-3), 1.0]}


def test_tied_scores_flag_the_nearer_number_and_say_so() -> None:
    for many in (60, 18):  # of 100, where theirs flag 20
        ours = np.repeat([0.1, 0.9], [100 - many, many])
        (line,) = compare(STEPS, ours, edges=[0.8], **QUICK)["edges"]
        assert (line["matched"]["volume"]["volume"]["hits"], codes(line["notes"])) == (many, ["tied"])


def test_rows_without_one_of_the_scores_do_not_count() -> None:
    theirs, ours = STEPS.copy(), STEPS.copy()
    theirs[:10], ours[-10:] = np.nan, np.nan
    found = compare(theirs, ours, edges=[0.5], **QUICK)
    assert (found["n"], found["edges"][0]["theirs"]["volume"]["hits"]) == (80, 40)


def test_a_score_that_never_changes_has_no_correlation() -> None:
    found = compare(STEPS, np.full(100, 0.5), **QUICK)
    assert (found["spearman"]["value"], codes(found["notes"])) == (None, ["no_labels", "constant"])


def test_the_same_rows_give_the_same_document() -> None:
    theirs, ours, labels = noisy(200, 4)
    assert compare(theirs, ours, labels, edges=[0.5], **QUICK) == compare(theirs, ours, labels, edges=[0.5], **QUICK)


def test_where_the_two_differ_labels_say_who_was_right() -> None:
    theirs, ours = np.array([True, True, False, False]), np.array([True, False, True, False])
    found = agreement(theirs, ours, np.array([1.0, 0.0, 1.0, np.nan]))
    assert found == {
        "both": {"n": 1, "harmful": 1, "benign": 0},
        "only_theirs": {"n": 1, "harmful": 0, "benign": 1},
        "only_ours": {"n": 1, "harmful": 1, "benign": 0},
        "neither": {"n": 1, "harmful": 0, "benign": 0},
    }
