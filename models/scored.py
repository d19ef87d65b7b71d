"""Scored: one row's answer, with an error, a reason or its scores.

Plain values, so that whatever passes answers on (the engine, files, other processes) needs no model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prefilter.models.text.normalisation import RowError

FULL, FAST = "full", "fast"
"""The stage that answered: the transformer, or the fast stage, which only ever clears."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Code points [start, end) of the text as sent that are evidence for a category.

    As a deciding window, `score` is the category's; as a span, the sigmoid of its highest log-odds: how
    strong the evidence is, not a calibrated probability.
    """

    category: str
    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class Scored:
    """One row's answer: `error` (contract broken), else `unscored` (the reason code), else `scores`.

    `scores`: every head of the model as float32, empty without a score; where `stage` is `fast` they are the
    fast stage's estimates, and no word piece was read. `tokens_seen` of `tokens_total` word pieces of the
    text were read, overlap counted once; `context_seen` of `context_total` of its context.
    `evidence`: the deciding windows. `spans`: the words marked for every head that has evidence, in order and
    apart from each other; the deciding windows where the model gives no spans. `language`: declared
    or identified, None where unknown.
    """

    scores: dict[str, np.float32]
    error: RowError | None = None
    unscored: str | None = None
    tokens_seen: int = 0
    tokens_total: int = 0
    windows: int = 0
    stage: str = FULL
    evidence: tuple[Evidence, ...] = ()
    language: str | None = None
    spans: tuple[Evidence, ...] = ()
    context_seen: int = 0
    context_total: int = 0
