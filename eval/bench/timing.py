"""Timing on a noisy machine: what is compared runs in turn, in the same minutes, and medians are quoted."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Spread:
    """Seconds of one action over all rounds: the median, and the 10th and 90th percentile."""

    median: float
    low: float
    high: float
    p99: float

    @classmethod
    def of(cls, seconds: list[float]) -> Spread:
        """The spread of at least one duration."""
        low, median, high, p99 = (float(q) for q in np.quantile(seconds, (0.1, 0.5, 0.9, 0.99)))
        return cls(median, low, high, p99)


def interleaved(actions: Mapping[str, Callable[[], object]], *, rounds: int) -> dict[str, Spread]:
    """Run every action once to warm up, then all of them in turn, `rounds` times."""
    taken: dict[str, list[float]] = {name: [] for name in actions}
    for action in actions.values():
        action()
    for _ in range(rounds):
        for name, action in actions.items():
            started = time.perf_counter()
            action()
            taken[name].append(time.perf_counter() - started)
    return {name: Spread.of(seconds) for name, seconds in taken.items()}
