"""Calibration applied: from a text's window logits to one probability per head, in NumPy.

Each head takes its highest window, less a little for every further window (with many windows a high one is likely by
chance alone), and maps it to a probability through a curve fitted on a split of its own. The curve is part of the
artefact (`calibration.json`): it is fitted elsewhere and only applied here. Knows neither texts nor how the curve was
fitted.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prefilter.models.known_error import KnownError

FORMAT = 1


class CalibrationError(KnownError, ValueError):
    """`calibration.json` is not a calibration this version can apply."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One head: x = highest logit + c * ln(windows), then the knots, else sigmoid(a * x + b)."""

    a: float
    b: float
    c: float
    knots: tuple[tuple[float, float], ...] | None = None

    def probability(self, x: float) -> float:
        """The probability in [0, 1] at the debiased logit `x`."""
        if self.knots is not None:
            xs, ps = zip(*self.knots, strict=True)
            return float(np.interp(x, xs, ps))
        return _sigmoid(self.a * x + self.b)

    def probabilities(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The probability at each of many debiased logits [n], each the same to the bit as `probability`."""
        if self.knots is None:
            return np.array([_sigmoid(self.a * value + self.b) for value in x.tolist()], dtype=np.float64)
        xs, ps = zip(*self.knots, strict=True)
        found: NDArray[np.float64] = np.interp(x, xs, ps)
        return found


@dataclass(frozen=True, slots=True)
class Calibrator:
    """The curves of all heads, in the order of the model's outputs."""

    heads: tuple[str, ...]
    curves: tuple[Curve, ...]

    @classmethod
    def load(cls, path: Path) -> Calibrator:
        """The calibration in the file `path`; raises `CalibrationError`."""
        return cls.from_json(path.read_bytes())

    @classmethod
    def from_json(cls, data: str | bytes) -> Calibrator:
        """The calibration in `data`; raises `CalibrationError`."""
        try:
            document = json.loads(data)
            if document["format"] != FORMAT:
                raise CalibrationError(f"calibration format {document['format']!r}, not {FORMAT}")
            heads = {name: _curve(name, body) for name, body in document["heads"].items()}
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            if isinstance(error, CalibrationError):
                raise
            raise CalibrationError(f"not a calibration: {type(error).__name__}") from error
        return cls(tuple(heads), tuple(heads.values()))

    def to_json(self) -> str:
        """What `from_json` reads."""
        heads = {
            name: {
                "a": c.a,
                "b": c.b,
                "c": c.c,
                "knots": None if c.knots is None else [list(k) for k in c.knots],
            }
            for name, c in zip(self.heads, self.curves, strict=True)
        }
        return json.dumps({"format": FORMAT, "heads": heads}, indent=1) + "\n"

    def apply(self, logits: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """From logits [windows, heads] to float32 probabilities [heads] and the deciding window [heads]."""
        if logits.ndim != 2 or logits.shape[0] == 0 or logits.shape[1] != len(self.heads):
            raise ValueError(f"logits have shape {logits.shape}, not [windows, {len(self.heads)}]")
        deciding = logits.argmax(axis=0)
        spread = math.log(logits.shape[0])
        highest = logits.max(axis=0).tolist()
        found = [c.probability(z + c.c * spread) for c, z in zip(self.curves, highest, strict=True)]
        return np.array(found, dtype=np.float32), deciding


def _curve(name: str, body: dict[str, object]) -> Curve:
    numbers = {}
    for key in ("a", "b", "c"):
        value = body[key]
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise CalibrationError(f"head {name}: {key} is not a finite number")
        numbers[key] = float(value)
    if numbers["a"] <= 0 or numbers["c"] > 0:
        raise CalibrationError(f"head {name}: a must be positive and c not above 0")
    return Curve(**numbers, knots=_knots(name, body.get("knots")))


def _knots(name: str, value: object) -> tuple[tuple[float, float], ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not value:
        raise CalibrationError(f"head {name}: knots are not a list of [x, p]")
    knots = tuple((float(x), float(p)) for x, p in value)
    xs = np.array([x for x, _ in knots])
    ps = np.array([p for _, p in knots])
    if not (np.isfinite(xs).all() and (np.diff(xs) > 0).all()):
        raise CalibrationError(f"head {name}: the knots' x must be finite and rise")
    if not ((ps >= 0).all() and (ps <= 1).all() and (np.diff(ps) >= 0).all()):
        raise CalibrationError(f"head {name}: the knots' p must lie in [0, 1] and never fall")
    return knots


def _sigmoid(x: float) -> float:
    if x >= 0:
        return 1.0 / (1.0 + math.exp(-x))
    grown = math.exp(max(x, -700.0))
    return grown / (1.0 + grown)
