"""Answers written again, character by character: what a stream lets out of them, whatever the machine.

Every answer grows by a few characters at a time and is judged as `serving.stream.streaming` judges it: the same
boundary, the same windows, the same policy, the same hold-back, without a clock. So one pass over the model serves
every bound that is asked about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from prefilter.models.recall import of_text
from prefilter.models.scored import Scored
from prefilter.models.scorer import Scorer
from prefilter.models.text.normalisation import settled
from prefilter.serving.policy.decide import decide
from prefilter.serving.policy.policy import Outcome, Policy
from prefilter.serving.stream.holdback import Holdback, boundary
from prefilter.serving.stream.streaming import LOOK_CHARS

STEP_CHARS = 4
"""A word piece of a chat model, roughly."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at an answer so far: its length, whether it is allowed, and the open window."""

    chars: int
    allowed: bool
    window: int
    start: int


def looks_of(text: str, scorer: Scorer, policy: Policy) -> list[Look]:
    """Look at an answer as it grows, last at the whole. Raises RuntimeError where the bound would not hold."""
    recall, found, seen = of_text(), [], 0
    for length in [*range(STEP_CHARS, len(text), STEP_CHARS), len(text)]:
        whole = length == len(text)
        upto = length if whole else boundary(text[:length], length, after=seen)
        if upto - seen < LOOK_CHARS and not whole:
            continue
        prepared = scorer.prepare(text[:upto], keep=False)
        if isinstance(prepared, Scored):
            scored = prepared
        else:
            runs: list[Any] = recall.known(prepared.windows)
            for place, window in enumerate(prepared.windows):
                if runs[place] is None:
                    runs[place] = scorer.run(window)
                    recall.learn(window, runs[place])
            scored = scorer.conclude(prepared, runs)
        decision = decide(scored.scores, policy, unscored=scored.unscored, uncalibrated=scorer.uncalibrated)
        if recall.reopened() is not None:
            raise RuntimeError("a window that was taken for closed is another one now")
        number, start = recall.open_window(settled(text[:upto]))
        recall.close(number)
        found.append(Look(upto, decision.outcome is Outcome.ALLOW, number, start))
        seen = upto
    return found


def replay(texts: Sequence[str], looks: Sequence[Sequence[Look]], bound: int) -> dict[str, Any]:
    """Say what a stream with this bound would have let out of the answers, in characters."""
    unsafe, first, held = [], [], []
    cut_though_allowed = 0
    for text, judged in zip(texts, looks, strict=True):
        hold, cut, begun = Holdback(bound), False, None
        for look in judged:
            whole, before = look.chars == len(text), hold.released
            if look.allowed:
                hold.allowed(text, look.chars, open_start=look.start, whole=whole)
            elif hold.refused(("window", look.window), whole=whole):
                cut = True
                unsafe.append(hold.unsafe_chars())
                break
            if hold.released > before:
                begun = look.chars if begun is None else begun
                held += [look.chars - place for place in range(before, hold.released)]
        cut_though_allowed += cut and judged[-1].allowed
        if not cut and begun is not None:
            first.append(begun)
    return {
        "max_unsafe_chars": bound,
        "cut": len(unsafe),
        "cut_though_allowed_whole": cut_though_allowed,
        "unsafe_chars": _spread(unsafe),
        "cut_before_any_of_it": round(float(np.mean([u == 0 for u in unsafe])), 3) if unsafe else None,
        "first_release_after_chars": _spread(first),
        "held_chars": _spread(held),
    }


def refused_meanwhile(looks: Sequence[Sequence[Look]]) -> dict[str, int]:
    """Of the answers that are allowed whole: how many were refused at some moment while they were written."""
    allowed = [judged for judged in looks if judged[-1].allowed]
    return {
        "answers": len(looks),
        "allowed_whole": len(allowed),
        "refused_at_some_moment": sum(not all(look.allowed for look in judged) for judged in allowed),
    }


def _spread(values: Sequence[int]) -> dict[str, float] | None:
    if not values:
        return None
    p50, p90, p99 = np.quantile(values, (0.5, 0.9, 0.99))
    return {"p50": round(float(p50)), "p90": round(float(p90)), "p99": round(float(p99)), "max": max(values)}
