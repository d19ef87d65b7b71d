"""Deciding many stored scores at once: `policies.decide` on columns, outcomes only.

A safety team tries a draft on tens of thousands of decisions while it waits. This is the same rule as
`decide`, in NumPy, without the reasons; a test holds the two together. Pure: knows no database, no model.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from prefilter.serving.policy.policy import UNREADABLE, Bands, Outcome, Policy

ORDER: tuple[Outcome, ...] = (Outcome.ALLOW, Outcome.REVIEW, Outcome.BLOCK)  # an outcome's code is its place
_ALLOW, _REVIEW, _BLOCK = range(3)


@dataclass(frozen=True, slots=True)
class ScoreColumns:
    """What a policy needs of n stored decisions: a float32 column [n] per head, NaN for no score."""

    outcomes: Sequence[str]  # as recorded
    sources: Sequence[str | None]
    unscored: Sequence[str | None]  # reason code of a text that could not be scored
    scores: Mapping[str, npt.NDArray[np.float32]]
    estimated: int = 0  # how many the fast stage cleared: their scores are its estimates

    def __len__(self) -> int:
        """Return n."""
        return len(self.outcomes)


def outcome_codes(
    columns: ScoreColumns, policy: Policy, *, uncalibrated: Collection[str] = ()
) -> npt.NDArray[np.int8]:
    """Return the outcome of each decision under `policy`, as its place in ORDER [n]; equals `decide`."""
    codes = _by_bands(columns, policy.categories, uncalibrated)
    sources = np.array(columns.sources, dtype=object)
    for source in policy.sources:
        of_source = sources == source
        if of_source.any():
            codes[of_source] = _by_bands(columns, policy.bands_for(source), uncalibrated)[of_source]
    unreadable = ORDER.index(policy.unreadable)
    for place, reason in enumerate(columns.unscored):
        if reason is not None:
            codes[place] = unreadable if reason in UNREADABLE else _REVIEW
    return codes


def recorded_codes(columns: ScoreColumns) -> npt.NDArray[np.int8]:
    """Return the recorded outcomes as places in ORDER [n]."""
    places = {outcome.value: place for place, outcome in enumerate(ORDER)}
    return np.array([places[outcome] for outcome in columns.outcomes], dtype=np.int8)


def compare(before: npt.NDArray[np.int8], after: npt.NDArray[np.int8]) -> dict[str, Any]:
    """Return `{"before": {outcome: n}, "after": {outcome: n}, "flips": {"allow>review": n}, "n"}`."""
    pairs = np.bincount(before.astype(np.intp) * 3 + after, minlength=9).reshape(3, 3)
    flips = {
        f"{ORDER[old].value}>{ORDER[new].value}": int(pairs[old, new])
        for old in range(3)
        for new in range(3)
        if old != new and pairs[old, new]
    }
    return {
        "before": {outcome.value: int(n) for outcome, n in zip(ORDER, pairs.sum(axis=1), strict=True)},
        "after": {outcome.value: int(n) for outcome, n in zip(ORDER, pairs.sum(axis=0), strict=True)},
        "flips": flips,
        "n": len(before),
    }


def _by_bands(
    columns: ScoreColumns, categories: Mapping[str, Bands], uncalibrated: Collection[str]
) -> npt.NDArray[np.int8]:
    codes = np.full(len(columns), _ALLOW if categories else _REVIEW, dtype=np.int8)
    for category, bands in categories.items():
        score = columns.scores.get(category)
        if score is None:
            np.maximum(codes, _REVIEW, out=codes)
            continue
        own = np.where(np.isfinite(score), np.int8(_ALLOW), np.int8(_REVIEW))
        if bands.review is not None:
            own[score >= np.float32(bands.review)] = _REVIEW
        if bands.block is not None:
            own[score >= np.float32(bands.block)] = _REVIEW if category in uncalibrated else _BLOCK
        np.maximum(codes, own, out=codes)
    return codes
