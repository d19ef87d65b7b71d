"""Metrics agree with scikit-learn, are null where undefined, and their intervals cover the truth."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from prefilter.eval.document import RankedMeasures, plain
from prefilter.eval.metrics import METRICS, Measures, auroc, measure, reliability, wilson


def a_sample(seed: int, n: int = 800, *, share: float = 0.2, decimals: int = 9):
    """Scores of positives stand one standard deviation above those of negatives."""
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < share
    raw = rng.normal(size=n) + positive
    return np.round(norm.cdf(raw / 2), decimals).astype(np.float32), positive


@pytest.mark.parametrize("decimals", [9, 1])  # one decimal: many ties
@pytest.mark.parametrize("seed", range(5))
def test_ranking_metrics_equal_scikit_learns(seed: int, decimals: int) -> None:
    scores, positive = a_sample(seed, decimals=decimals)
    measured = measure(scores, positive, replicates=0)
    false_rate, recall, _ = roc_curve(positive, scores, drop_intermediate=False)
    assert measured.auroc == pytest.approx(roc_auc_score(positive, scores))
    assert measured.auprc == pytest.approx(average_precision_score(positive, scores))
    assert measured.recall_at_1pct_fpr == pytest.approx(recall[false_rate <= 0.01].max())
    assert auroc(scores[positive], scores[~positive]) == pytest.approx(measured.auroc)


def test_calibration_error_is_the_gap_averaged_over_equal_bins() -> None:
    rng = np.random.default_rng(1)
    scores, positive = rng.random(1_500), rng.random(1_500) < 0.4
    order = np.argsort(scores)
    gaps = [abs(scores[b].mean() - positive[b].mean()) for b in np.array_split(order, 15)]
    assert measure(scores, positive, replicates=0).ece == pytest.approx(np.mean(gaps))


def test_rows_of_one_score_share_a_calibration_bin() -> None:
    scores, positive = np.repeat([0.25, 0.75], [600, 400]), np.arange(1_000) % 4 == 0
    assert [count for _, _, count in reliability(scores, positive)] == [600, 400]
    shuffled = np.random.default_rng(0).permutation(1_000)
    again = measure(scores[shuffled], positive[shuffled], replicates=0)
    assert again.ece == pytest.approx(measure(scores, positive, replicates=0).ece)


def to_json(measures: Measures) -> dict[str, Any]:
    """Measures as a document holds them."""
    return plain(RankedMeasures.of(measures))


@pytest.mark.parametrize("label", [True, False])
def test_a_metric_that_one_class_cannot_define_is_null(label: bool) -> None:
    document = to_json(measure(np.linspace(0, 1, 50), np.full(50, label)))
    assert [document[name] for name in METRICS[:3]] == [None, None, None]
    assert [document["ci95"][name] for name in METRICS[:3]] == [None, None, None]
    assert document["ece"] == pytest.approx(0.5, abs=0.01)


def test_no_rows_give_nulls_and_json_without_nan() -> None:
    document = to_json(measure(np.empty(0), np.empty(0, dtype=bool)))
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document == to_json(Measures(0, 0))
    assert document["auroc"] is None


def test_a_missing_score_is_refused_not_ranked() -> None:
    with pytest.raises(ValueError, match="NaN"):
        measure(np.array([0.1, math.nan]), np.array([True, False]))


def test_intervals_repeat_with_the_seed_and_hold_the_value() -> None:
    scores, positive = a_sample(3)
    first, second = measure(scores, positive, seed=5), measure(scores, positive, seed=5)
    assert first == second
    assert first.ci95 != measure(scores, positive, seed=6).ci95
    for name in METRICS:
        low, high = first.ci95[name]
        assert 0 <= low <= getattr(first, name) <= high <= 1


def test_too_few_replicates_with_both_classes_give_no_interval() -> None:
    scores, positive = np.linspace(0, 1, 40), np.arange(40) == 39
    measured = measure(scores, positive)
    assert measured.auroc == 1.0
    assert "auroc" not in measured.ci95


def test_ranking_intervals_cover_the_truth_nineteen_times_in_twenty() -> None:
    big_scores, big_positive = a_sample(99, 400_000)
    truth = measure(big_scores, big_positive, replicates=0)
    hits = dict.fromkeys(("auroc", "auprc"), 0)
    for seed in range(200):
        measured = measure(*a_sample(seed, 600), seed=seed, replicates=200)
        for name in hits:
            low, high = measured.ci95[name]
            hits[name] += low <= getattr(truth, name) <= high
    assert all(180 <= count <= 198 for count in hits.values()), hits


@pytest.mark.parametrize("gap", [0.0, 0.05, 0.15])
def test_the_calibration_interval_covers_a_known_miscalibration(gap: float) -> None:
    rng = np.random.default_rng(7)
    hits = 0
    for seed in range(100):
        scores = rng.random(600)
        positive = rng.random(600) < np.clip(scores + gap, 0, 1)
        low, high = measure(scores, positive, seed=seed, replicates=100).ci95["ece"]
        truth = gap - gap**2 / 2  # the gap shrinks where the chance is clipped at 1
        hits += low <= truth <= high
    assert hits >= 92


def test_a_share_of_nothing_has_no_interval_and_ends_are_exact() -> None:
    assert wilson(0, 0) is None
    low, high = wilson(0, 100) or (1, 1)
    assert low == 0.0
    assert high == pytest.approx(0.0370, abs=1e-4)
    assert (wilson(100, 100) or (0, 0))[1] == 1.0


def test_a_thousand_replicates_of_ten_thousand_rows_take_seconds() -> None:
    import time

    scores, positive = a_sample(0, 10_000)
    started = time.process_time()
    measure(scores, positive)
    assert time.process_time() - started < 15
