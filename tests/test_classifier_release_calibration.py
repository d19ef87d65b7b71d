"""Calibration: probabilities are right in the mix, length alone is no harm, too little evidence is reported."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from prefilter.classifier.release.calibration import ENOUGH, calibration_error, fit_calibrator, per_text
from prefilter.models.labels import HEADS


def simulated(n=20_000, *, seed=0, windows=True):
    """Logits whose truth is sigmoid(0.5·z - 1), texts of 1 to 20 windows whose maximum is biased upwards."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(0, 3, n)
    y = (rng.random(n) < 1 / (1 + np.exp(-(0.5 * truth - 1)))).astype(np.float32)
    count = rng.integers(1, 21, n) if windows else np.ones(n, dtype=int)
    logits = np.repeat((truth + 0.8 * np.log(count))[:, None], len(HEADS), axis=1)
    return logits, np.log(count), np.repeat(y[:, None], len(HEADS), axis=1)


def fit(logits, spread, labels):
    weights = np.ones_like(labels)
    return fit_calibrator(logits, spread, labels, weights, np.ones_like(labels, dtype=bool))


@cache
def fitted():
    return fit(*simulated())


def scores(calibrator, logits, spread):
    curve = calibrator.curves[0]
    return curve.probabilities(logits[:, 0] + curve.c * spread)


def test_four_in_five_at_a_score_of_point_eight():
    calibrator, fits = fitted()
    logits, spread, labels = simulated(seed=1)
    p = scores(calibrator, logits, spread)
    near = (p > 0.75) & (p < 0.85)
    assert labels[near, 0].mean() == pytest.approx(0.8, abs=0.04)
    assert calibration_error(p, labels[:, 0].astype(float)) < 0.02
    assert fits["toxicity"].calibrated


def test_a_long_text_is_not_harmful_for_its_length():
    calibrator, _ = fitted()
    assert calibrator.curves[0].c == pytest.approx(-0.8, abs=0.15)


def test_scores_rise_with_the_logit_everywhere():
    calibrator, _ = fitted()
    p = [calibrator.curves[0].probability(x) for x in np.linspace(-20, 20, 400)]
    assert (np.diff(p) > 0).all()


def test_a_head_with_too_few_human_positives_is_uncalibrated():
    logits, spread, labels = simulated(n=3000)
    human = np.ones_like(labels, dtype=bool)
    positives = np.flatnonzero(labels[:, 0] == 1)
    human[positives[ENOUGH - 1 :], 0] = False
    _, fits = fit_calibrator(logits, spread, labels, np.ones_like(labels), human)
    assert fits["toxicity"].human_positives == ENOUGH - 1
    assert not fits["toxicity"].calibrated
    assert fits["profanity"].calibrated


def test_a_head_that_nothing_is_known_of_never_rises():
    logits, spread, labels = simulated(n=3000)
    weights = np.ones_like(labels)
    weights[:, 0] = 0
    calibrator, fits = fit_calibrator(logits, spread, labels, weights, weights > 0)
    assert calibrator.curves[0].probability(20.0) < 0.01
    assert not fits["toxicity"].calibrated


def test_the_highest_window_of_each_text_counts():
    logits = np.array([[1.0], [3.0], [2.0]], dtype=np.float32)
    highest, spread = per_text(logits, np.array([0, 0, 1]), 2)
    assert highest[:, 0].tolist() == [3.0, 2.0]
    assert spread.tolist() == [np.log(2), 0.0]
