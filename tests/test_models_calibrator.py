"""Calibration: windows become one probability per head, and a broken file is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from prefilter.models.calibrator import CalibrationError, Calibrator, Curve

LOGITS = np.array([[0.0, 2.0], [1.0, -1.0]], dtype=np.float32)


def test_the_highest_window_decides_each_head() -> None:
    calibrator = Calibrator(("a", "b"), (Curve(1, 0, 0), Curve(2, 1, 0)))
    probabilities, deciding = calibrator.apply(LOGITS)
    assert probabilities.dtype == np.float32
    assert probabilities.tolist() == pytest.approx([1 / (1 + math.exp(-1)), 1 / (1 + math.exp(-5))])
    assert deciding.tolist() == [1, 0]


def test_many_windows_count_against_a_high_one() -> None:
    calibrator = Calibrator(("a", "b"), (Curve(1, 0, -0.5), Curve(1, 0, 0)))
    alone, _ = calibrator.apply(LOGITS[1:])
    among, _ = calibrator.apply(np.repeat(LOGITS[1:], 8, axis=0))
    assert among[0] < alone[0]
    assert among[1] == alone[1]


@pytest.mark.parametrize("knots", [None, ((-2.0, 0.01), (-0.3, 0.2), (0.7, 0.21), (3.0, 0.97))])
def test_many_at_once_are_the_same_to_the_bit(knots: tuple[tuple[float, float], ...] | None) -> None:
    curve = Curve(1.7, -0.3, -0.1, knots)
    x = np.random.default_rng(3).normal(0, 4, 2_000)
    assert curve.probabilities(x).tolist() == [curve.probability(value) for value in x.tolist()]


def test_knots_are_interpolated_and_flat_outside() -> None:
    curve = Curve(1, 0, 0, ((-1.0, 0.1), (1.0, 0.5)))
    assert [curve.probability(x) for x in (-9, 0, 9)] == pytest.approx([0.1, 0.3, 0.5])


@pytest.mark.parametrize("logit", [-1e30, -800.0, 0.0, 800.0, 1e30])
def test_extreme_logits_stay_probabilities(logit: float) -> None:
    assert 0 <= Curve(1.5, -0.2, -0.1).probability(logit) <= 1


def test_a_calibration_survives_its_file(tmp_path: Path) -> None:
    calibrator = Calibrator(("a", "b"), (Curve(1, 0, -0.1), Curve(1, 0, 0, ((0.0, 0.2), (1.0, 0.9)))))
    (tmp_path / "calibration.json").write_text(calibrator.to_json(), encoding="utf-8")
    assert Calibrator.load(tmp_path / "calibration.json") == calibrator


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"a": float("nan")}, "finite"),
        ({"a": -1}, "positive"),
        ({"c": 0.5}, "not above 0"),
        ({"knots": [[1, 0.1], [0, 0.2]]}, "rise"),
        ({"knots": [[0, 0.3], [1, 0.2]]}, "never fall"),
        ({"knots": [[0, 1.5]]}, "never fall"),
        ({"b": "0"}, "finite"),
    ],
)
def test_a_broken_curve_is_refused(change: dict[str, object], word: str) -> None:
    body = {"a": 1, "b": 0, "c": 0, "knots": None, **change}
    with pytest.raises(CalibrationError, match=word):
        Calibrator.from_json(json.dumps({"format": 1, "heads": {"x": body}}))


@pytest.mark.parametrize(
    "data", ["", "[]", "{}", '{"format": 2, "heads": {}}', '{"format": 1, "heads": {"a": {}}}']
)
def test_another_file_is_refused(data: str) -> None:
    with pytest.raises(CalibrationError):
        Calibrator.from_json(data)


def test_logits_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        Calibrator(("a",), (Curve(1, 0, 0),)).apply(LOGITS)
