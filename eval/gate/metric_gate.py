"""A gate: a bound over one metric or a family of them, and the readings it is held against.

Pure values and arithmetic; no file, no clock, no model. A reading is a measured value with its 95 % interval. What
becomes of a candidate at a gate is told in `findings`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from prefilter.eval.document import ANY_KEY


@dataclass(frozen=True, slots=True)
class Reading:
    """One measured value: on `n` rows where that is known, with its 95 % interval where it has one."""

    value: float
    n: int | None = None
    ci95: tuple[float, float] | None = None

    def reach(self, *, up: bool) -> float:
        """Return how far the interval reaches up (or down) from the value, 0 without one."""
        if self.ci95 is None:
            return 0.0
        return max(0.0, self.ci95[1] - self.value if up else self.value - self.ci95[0])


Readings = Mapping[str, Reading]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One gate over one metric or a family of them.

    `metrics` are paths (`suites.hatecheck.any.auprc`), in which `*` stands for any one key: each path found
    is gated by itself, or all of them as one `mean`. `bound` is the worst value allowed, `bounds` the same for
    what stood in the place of `*`; each of `bounds` must be there. `regress` compares with the live model.
    """

    name: str
    metrics: tuple[str, ...]
    higher_is_better: bool
    bound: float | None = None
    bounds: Mapping[str, float] = field(default_factory=dict)
    regress: bool = False
    enough: float | None = None
    margin: float = 0.0
    mean: bool = False
    optional: bool = False


def match(pattern: str, path: str) -> str | None:
    """Return what the stars of `pattern` stand for in `path` (joined by dots), None where it does not fit."""
    wanted, parts = pattern.split("."), path.split(".")
    if len(wanted) != len(parts) or any(w not in (ANY_KEY, p) for w, p in zip(wanted, parts, strict=True)):
        return None
    return ".".join(p for w, p in zip(wanted, parts, strict=True) if w == ANY_KEY)


def mean_reading(readings: Mapping[str, Reading]) -> Reading:
    """Return the mean of readings by path, with its interval.

    Readings of one suite share their rows: their intervals are added up, as if they erred together. Suites
    are independent: what they add up to is combined by root of squares.
    """
    count = len(readings)
    value = sum(reading.value for reading in readings.values()) / count
    if all(reading.ci95 is None for reading in readings.values()):
        return Reading(value, count)
    ends = []
    for up in (False, True):
        by_suite: dict[str, float] = {}
        for path, reading in readings.items():
            suite = ".".join(path.split(".")[:2])
            by_suite[suite] = by_suite.get(suite, 0.0) + reading.reach(up=up)
        ends.append(math.sqrt(sum(reach * reach for reach in by_suite.values())) / count)
    return Reading(value, count, (value - ends[0], value + ends[1]))
