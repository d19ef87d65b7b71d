"""Calibration fitted: from logits on a split of its own to the curves that `models.calibrator` applies.

Per head: x = highest window logit + c·ln(windows); Platt's logistic p = sigmoid(a·x + b) by maximum likelihood with
c ≤ 0 (Platt 1999, with a length term); then an isotonic correction of the Platt logit (scikit-learn), smoothed to a
strictly rising piecewise-linear curve, kept only where it lowers the cross-validated calibration error. Only labels
that a person gave count. A head with fewer than `ENOUGH` human-judged positives here is fitted on all labels it has and
listed as uncalibrated. Knows arrays, not texts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.isotonic import IsotonicRegression
from sklearn.model_selection import KFold
from threadpoolctl import threadpool_limits

from prefilter.models.calibrator import Calibrator, Curve
from prefilter.models.labels import HEADS

ENOUGH = 200
"""Human-judged positives a head needs on the calibration split to count as calibrated (INTERFACES: scores)."""
BINS = 15
SILENT = Curve(a=1e-3, b=-6.0, c=0.0)
"""The curve of a head without labels: it never rises, and the card says so."""
REACH = 30.0
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HeadFit:
    """What was fitted for one head, and how well it held under cross-validation.

    `error` is the cross-validated expected calibration error (15 equal-mass bins); None for an uncalibrated head.
    """

    curve: Curve
    known: int
    human_positives: int
    prevalence: float
    error: float | None
    calibrated: bool


def per_text(logits: NDArray[np.float32], text: NDArray[np.int64], texts: int) -> tuple[Floats, Floats]:
    """Highest logit [texts, heads] and ln(windows) [texts] from window logits [windows, heads] and their texts."""
    highest = np.full((texts, logits.shape[1]), -np.inf)
    np.maximum.at(highest, text, logits)
    spread = np.log(np.maximum(np.bincount(text, minlength=texts), 1))
    return highest, spread


def fit_calibrator(
    logits: Floats,
    spread: Floats,
    labels: NDArray[np.float32],
    weights: NDArray[np.float32],
    human: NDArray[np.bool_],
    *,
    seed: int = 0,
) -> tuple[Calibrator, dict[str, HeadFit]]:
    """Fit every head on `n` texts.

    `logits` [n, heads] highest per text; `spread` [n] ln(windows); `labels`, `weights`, `human` [n, heads]. A head
    without both a positive and a negative learned nothing: its curve is `SILENT`, and it is uncalibrated.
    """
    fits: dict[str, HeadFit] = {}
    for column, head in enumerate(HEADS):
        judged = human[:, column]
        positives = int((judged & (labels[:, column] >= 0.5)).sum())
        calibrated = positives >= ENOUGH
        rows = np.flatnonzero(judged if calibrated else weights[:, column] > 0)
        y = (labels[rows, column] >= 0.5).astype(np.float64)
        if y.all() or not y.any():
            fits[head] = HeadFit(SILENT, len(rows), positives, float(y.mean()) if len(y) else 0.0, None, False)
            continue
        w = np.ones(len(rows)) if calibrated else weights[rows, column].astype(np.float64)
        z, s = logits[rows, column].astype(np.float64), spread[rows]
        with threadpool_limits(1, user_api="blas"):  # three parameters: threads would only wait for each other
            curve, error = _fit_head(z, s, y, w, correct=calibrated, seed=seed)
        fits[head] = HeadFit(
            curve=curve,
            known=len(rows),
            human_positives=positives,
            prevalence=float(np.average(y, weights=w)),
            error=error if calibrated else None,
            calibrated=calibrated,
        )
    return Calibrator(heads=HEADS, curves=tuple(f.curve for f in fits.values())), fits


def _fit_head(z: Floats, s: Floats, y: Floats, w: Floats, *, correct: bool, seed: int) -> tuple[Curve, float]:
    plain, corrected = np.empty(len(z)), np.empty(len(z))
    for fit, judge in KFold(5, shuffle=True, random_state=seed).split(z):
        curve = _platt(z[fit], s[fit], y[fit], w[fit])
        plain[judge] = _apply(curve, z[judge], s[judge])
        corrected[judge] = _apply(_correct(curve, z[fit], s[fit], y[fit], w[fit]), z[judge], s[judge])
    whole = _platt(z, s, y, w)
    errors = calibration_error(plain, y), calibration_error(corrected, y)
    if correct and errors[1] < errors[0]:
        return _correct(whole, z, s, y, w), errors[1]
    return whole, errors[0]


def _platt(z: Floats, s: Floats, y: Floats, w: Floats) -> Curve:
    """Maximum likelihood of sigmoid(a·(z + c·s) + b) with a > 0 and c ≤ 0, a little ridge on c and on a."""
    total = w.sum()

    def loss(theta: Floats) -> tuple[float, Floats]:
        a, b, d = theta
        u = a * z + b - d * s
        residual = w * (1 / (1 + np.exp(-np.clip(u, -500, 500))) - y)
        value = float((w * (np.logaddexp(0, u) - y * u)).sum() / total + 1e-4 * (d * d + (a - 1) ** 2))
        slope = np.array([(residual * z).sum(), residual.sum(), -(residual * s).sum()]) / total
        slope += np.array([2e-4 * (a - 1), 0.0, 2e-4 * d])
        return value, slope

    found = minimize(loss, np.array([1.0, 0.0, 0.1]), jac=True, bounds=[(1e-3, 50), (None, None), (0, None)])
    a, b, d = found.x
    return Curve(a=float(a), b=float(b), c=float(-d / a) if d else 0.0)


def _correct(curve: Curve, z: Floats, s: Floats, y: Floats, w: Floats) -> Curve:
    """`curve` with rising knots: isotonic means of equal-mass bins, drawn towards Platt's where data are few."""
    x = z + curve.c * s
    prior = _apply(curve, z, s)
    isotonic = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(prior, y, sample_weight=w)
    corrected = isotonic.predict(prior)
    order = np.argsort(x, kind="stable")
    centres, logits = [], []
    for bin_rows in np.array_split(order, min(25, max(5, len(x) // 200))):
        strength = 20.0
        p = prior[bin_rows].mean()
        mean = (corrected[bin_rows].mean() * len(bin_rows) + strength * p) / (len(bin_rows) + strength)
        centres.append(float(x[bin_rows].mean()))
        logits.append(_logit(float(np.clip(mean, 1e-6, 1 - 1e-6))))
    centres_, logits_ = np.array(centres), np.maximum.accumulate(np.array(logits))
    keep = np.concatenate([[True], np.diff(centres_) > 1e-6])
    centres_, logits_ = centres_[keep], logits_[keep]
    logits_ = logits_ + 1e-3 * (centres_ - centres_[0])
    low, high = centres_[0] - REACH, centres_[-1] + REACH
    grid = np.unique(np.concatenate([np.linspace(low, high, 61), np.linspace(centres_[0], centres_[-1], 81), centres_]))
    inside = np.interp(grid, centres_, logits_)
    below, above = np.minimum(grid - centres_[0], 0), np.maximum(grid - centres_[-1], 0)
    p = 1 / (1 + np.exp(-(inside + curve.a * (below + above))))
    knots = tuple((float(g), float(v)) for g, v in zip(grid, p, strict=True))
    return Curve(a=curve.a, b=curve.b, c=curve.c, knots=knots)


def _apply(curve: Curve, z: Floats, s: Floats) -> Floats:
    return curve.probabilities(z + curve.c * s)


def _logit(p: float) -> float:
    return float(np.log(p) - np.log1p(-p))


def calibration_error(p: Floats, y: Floats) -> float:
    """Expected calibration error over `BINS` equal-mass bins (Nixon et al. 2019, adaptive)."""
    parts = np.array_split(np.argsort(p, kind="stable"), BINS)
    return float(sum(len(rows) / len(p) * abs(p[rows].mean() - y[rows].mean()) for rows in parts if len(rows)))
