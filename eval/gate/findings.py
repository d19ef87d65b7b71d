"""Findings: a candidate held against the gates, and against the model that is live.

Pure: readings in, findings out; no file, no clock, no model. A candidate falls through a gate in one of three ways:

- *beyond its bound*: the value itself is worse than a fixed `least` or `most`. Bounds are promises; without
  them a model could get worse by just less than an interval at every promotion.
- *worse than live*: its loss against the live model is larger than the interval of their difference. For
  estimates `l` (live) in `[l₁, l₂]` and `c` (candidate) in `[c₁, c₂]`, where higher is better, the 95 %
  interval of `c - l` ends at `(c - l) + √((c₂ - c)² + (l - l₁)²)`; the loss counts when even that end lies
  below 0. It is the square-and-add interval (Newcombe 1998, Statistics in Medicine 17:873, method 10, for
  shares; Zou and Donner 2008, ibid. 27:1693, for any estimate). It takes the two for independent. They are
  measured on the same rows, so their true difference varies less: the rule lets pass rather than refuses
  for noise. Where no interval is known, a loss counts beyond the gate's `margin`.
- *not measured*: there is no value, though the gate asks for one or the live model has one.

A loss that ends at `enough` or better is no loss: at one threshold, hateful and benign accuracy trade.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from prefilter.eval.document import ANY_KEY
from prefilter.eval.gate.metric_gate import Gate, Reading, Readings, match, mean_reading


class Verdict(StrEnum):
    """What became of a gated metric; the first three are falls."""

    BEYOND = "beyond its bound"
    WORSE = "worse than live"
    MISSING = "not measured"
    HOLDS = "holds"
    ABSENT = "optional, not there"


FALLS = frozenset({Verdict.BEYOND, Verdict.WORSE, Verdict.MISSING})


@dataclass(frozen=True, slots=True)
class Finding:
    """What one gate found of one metric; `bound` is the worst value that would have passed, if any."""

    gate: Gate
    metric: str
    live: Reading | None
    candidate: Reading | None
    bound: float | None
    verdict: Verdict

    @property
    def fell(self) -> bool:
        """True where this alone refuses the candidate."""
        return self.verdict in FALLS

    @property
    def room(self) -> float:
        """Return how far the candidate is on the good side of the bound; infinite where nothing binds it."""
        if self.candidate is None or self.bound is None:
            return math.inf
        return _gain(self.candidate.value, self.bound, self.gate)


def compare(gates: Iterable[Gate], candidate: Readings, live: Readings | None) -> list[Finding]:
    """Hold a candidate against every gate, and against the live model where there is one; in gate order."""
    return [found for gate in gates for found in _compare(gate, candidate, live or {})]


def _compare(gate: Gate, candidate: Readings, live: Readings) -> Iterator[Finding]:
    ours, theirs = _found(gate, candidate), _found(gate, live)
    if gate.mean:
        yield _mean(gate, ours, theirs)
        return
    asked = [p for p in gate.metrics if ANY_KEY not in p]
    asked += [p.replace(ANY_KEY, key, 1) for p in gate.metrics if ANY_KEY in p for key in gate.bounds]
    paths = sorted({*ours, *theirs, *asked})
    for path in paths or gate.metrics:
        yield _judge(gate, path, ours.get(path), theirs.get(path), _bound(gate, path))


def _mean(gate: Gate, ours: Readings, theirs: Readings) -> Finding:
    """Judge the mean: against the live model on what both have, and the candidate must have all of that."""
    label = f"mean of {len(ours or theirs)}"
    lost = bool(theirs.keys() - ours.keys())
    if not ours or lost or (_exact(gate) - ours.keys() and not gate.optional):
        live = mean_reading(theirs) if theirs else None
        verdict = Verdict.ABSENT if gate.optional and not lost and not ours else Verdict.MISSING
        return Finding(gate, label, live, None, gate.bound, verdict)
    if not theirs or theirs.keys() == ours.keys():
        return _judge(gate, label, mean_reading(ours), mean_reading(theirs) if theirs else None, gate.bound)
    whole = _judge(gate, label, mean_reading(ours), None, gate.bound)
    shared = {path: ours[path] for path in theirs}
    return whole if whole.fell else _judge(gate, label, mean_reading(shared), mean_reading(theirs), None)


def _judge(gate: Gate, path: str, ours: Reading | None, live: Reading | None, bound: float | None) -> Finding:
    if ours is None:
        missing = not gate.optional or live is not None
        return Finding(gate, path, live, None, bound, Verdict.MISSING if missing else Verdict.ABSENT)
    least = _least_against(gate, ours, live)
    bounds = [b for b in (bound, least) if b is not None]
    worst = max(bounds, key=lambda b: _gain(b, 0.0, gate), default=None)
    if bound is not None and _gain(ours.value, bound, gate) < 0:
        verdict = Verdict.BEYOND
    elif least is not None and _gain(ours.value, least, gate) < 0:
        verdict = Verdict.WORSE
    else:
        verdict = Verdict.HOLDS
    return Finding(gate, path, live, ours, worst, verdict)


def _least_against(gate: Gate, ours: Reading, live: Reading | None) -> float | None:
    """Return the worst value that is no regression from the live model, None where none is asked for."""
    if live is None or not gate.regress:
        return None
    up = gate.higher_is_better
    allowed = max(gate.margin, math.hypot(ours.reach(up=up), live.reach(up=not up)))
    least = live.value - allowed if up else live.value + allowed
    if gate.enough is None:
        return least
    return min(least, gate.enough) if up else max(least, gate.enough)


def _gain(value: float, other: float, gate: Gate) -> float:
    """Return by how much `value` is better than `other`."""
    return value - other if gate.higher_is_better else other - value


def _found(gate: Gate, readings: Readings) -> dict[str, Reading]:
    return {p: r for p, r in readings.items() if any(match(pattern, p) is not None for pattern in gate.metrics)}


def _exact(gate: Gate) -> set[str]:
    return {path for path in gate.metrics if ANY_KEY not in path}


def _bound(gate: Gate, path: str) -> float | None:
    keys = (match(pattern, path) for pattern in gate.metrics)
    return next((gate.bounds[key] for key in keys if key is not None and key in gate.bounds), gate.bound)
