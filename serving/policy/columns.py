"""The decisions of many rows at once: the rule of `decide` on columns, outcomes and grounds alike, in NumPy.

A what-if on stored decisions, a policy applied to a file of scores and an evaluation all decide here; a property
test holds these columns equal to `decide` row by row. Grounds are made only where somebody asks for them. Knows
no database, no file and no JSON text, and imports no sibling but the policy and `decide`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from prefilter.models.labels import ANY, HEADS
from prefilter.serving.policy.decide import NO_SCORE, NO_SCORES, UNCALIBRATED, Because
from prefilter.serving.policy.policy import Bands, Outcome, Policy

_ALLOWED, _REVIEWED, _BLOCKED, _UNCALIBRATED, _SCORELESS = range(5)
"""Where a category's score lies: in the band of an outcome, in the one to block without a right to, or nowhere."""
_OUTCOMES = (Outcome.ALLOW, Outcome.REVIEW, Outcome.BLOCK, Outcome.REVIEW, Outcome.REVIEW)
_SEVERITY = np.array([outcome.severity for outcome in _OUTCOMES], dtype=np.int8)
_PLACES = {head: place for place, head in enumerate(HEADS)}


@dataclass(frozen=True, slots=True)
class ScoreColumns:
    """What a policy needs of n rows. A head that is not named in `scores` has no score in any row."""

    scores: Mapping[str, NDArray[np.float32]]  # per head a column [n], NaN for no score
    sources: NDArray[np.object_]  # [n] str or None
    unscored: NDArray[np.object_]  # [n] the reason code of a text that could not be scored, or None

    def __len__(self) -> int:
        """Return n."""
        return len(self.sources)


@dataclass(frozen=True, slots=True)
class Grounds:
    """The m grounds of n rows end to end, ordered as `decide` orders them; each row has at least one.

    Few grounds differ in more than the score, so each is a place in `kinds` and a score.
    """

    rows: NDArray[np.intp]  # [m] whose ground it is, ascending
    kind: NDArray[np.intp]  # [m] place in `kinds`
    scores: NDArray[np.float64]  # [m] float32 values, NaN for none
    kinds: Sequence[Because]  # with any score where a ground of the kind has one

    def leading(self) -> list[Because]:
        """Return the kind of each row's first ground."""
        first = np.diff(self.rows, prepend=-1) != 0
        return [self.kinds[kind] for kind in self.kind[first].tolist()]

    def because(self) -> list[tuple[Because, ...]]:
        """Return the grounds row by row, as `decide` does."""
        kinds = [self.kinds[kind] for kind in self.kind.tolist()]
        grounds = [
            kind if kind.score is None else replace(kind, score=score)
            for kind, score in zip(kinds, self.scores.tolist(), strict=True)
        ]
        ends = (np.flatnonzero(np.diff(self.rows, append=-1) != 0) + 1).tolist()
        return [tuple(grounds[start:end]) for start, end in pairwise([0, *ends])]


@dataclass(frozen=True, slots=True)
class ColumnDecisions:
    """The decisions of n rows: the outcome of each as its severity [n], and its grounds."""

    codes: NDArray[np.int8]
    _placed: Sequence[_Placed]
    _unscored: Mapping[int, str]

    def grounds(self) -> Grounds:
        """Work out why."""
        parts = [_reasons(self._unscored), *(part for placed in self._placed for part in placed.grounds())]
        firsts = np.cumsum([0, *(len(part.kinds) for part in parts)])
        rows = np.concatenate([part.rows for part in parts])
        order = np.argsort(rows, kind="stable")
        return Grounds(
            rows[order],
            np.concatenate([part.kind + first for part, first in zip(parts, firsts[:-1], strict=True)])[order],
            np.concatenate([part.scores for part in parts])[order],
            [kind for part in parts for kind in part.kinds],
        )


def decide_columns(
    columns: ScoreColumns, policy: Policy, *, uncalibrated: Collection[str] = ()
) -> ColumnDecisions:
    """Apply `policy` to every row; equals `decide` on each."""
    codes = np.empty(len(columns), dtype=np.int8)
    unscored = {row: str(reason) for row, reason in enumerate(columns.unscored) if reason is not None}
    for row, reason in unscored.items():
        codes[row] = policy.outcome_of_unscored(reason).severity
    scored = np.ones(len(columns), dtype=np.bool_)
    scored[list(unscored)] = False
    groups = _rows_by_bands(columns.sources, np.flatnonzero(scored), policy)
    placed = [_place(columns, rows, bands, uncalibrated) for rows, bands in groups if len(rows)]
    for part in placed:
        codes[part.rows] = part.worst
    return ColumnDecisions(codes, placed, unscored)


@dataclass(frozen=True, slots=True)
class _Placed:
    """Rows [n] that have the same bands [k]: their scores, and where each lies."""

    rows: NDArray[np.intp]
    bands: Mapping[str, Bands]
    scores: NDArray[np.float32]  # [k, n]
    places: NDArray[np.int8]  # [k, n] _ALLOWED to _SCORELESS
    own: NDArray[np.int8]  # [k, n] severity
    worst: NDArray[np.int8]  # [n] severity

    def grounds(self) -> list[Grounds]:
        """Return the grounds of the rows that are allowed, then of the others."""
        if not self.bands:
            return [_reasons(dict.fromkeys(self.rows.tolist(), NO_SCORES))]
        kinds = [kind for category, bands in self.bands.items() for kind in _kinds(category, bands)]
        return [self._of_allowed(kinds), self._of_others(kinds)]

    def _of_allowed(self, kinds: Sequence[Because]) -> Grounds:
        """The category that came closest to not being allowed."""
        allowed = np.flatnonzero(self.worst == Outcome.ALLOW.severity)
        highs = np.array([bands.first_edge for bands in self.bands.values()])
        scores = self.scores[:, allowed].astype(np.float64)
        closest = np.argmin(highs[:, None] - scores, axis=0)
        nearest = scores[closest, np.arange(len(allowed))]
        return Grounds(self.rows[allowed], closest * len(_OUTCOMES) + _ALLOWED, nearest, kinds)

    def _of_others(self, kinds: Sequence[Because]) -> Grounds:
        """Every category that has the outcome of the row, most harmful first and `any` last."""
        others = np.flatnonzero(self.worst != Outcome.ALLOW.severity)
        of_row, category = np.nonzero((self.own[:, others] == self.worst[others]).T)
        of_row = others[of_row]
        places, scores = self.places[category, of_row], self.scores[category, of_row].astype(np.float64)
        scores[places == _SCORELESS] = np.nan
        head = np.array([_PLACES.get(name, len(HEADS)) for name in self.bands], dtype=np.intp)
        last = np.array([name == ANY for name in self.bands], dtype=np.bool_)
        order = np.lexsort((head[category], -np.nan_to_num(scores), last[category], of_row))
        return Grounds(
            self.rows[of_row][order], (category * len(_OUTCOMES) + places)[order], scores[order], kinds
        )


def _rows_by_bands(
    sources: NDArray[np.object_], rows: NDArray[np.intp], policy: Policy
) -> Iterator[tuple[NDArray[np.intp], Mapping[str, Bands]]]:
    """Group rows by the source that the policy has bands for; all other sources are one group."""
    if not policy.sources:
        yield rows, policy.categories
        return
    places = {source: place for place, source in enumerate(policy.sources)}
    of_row = np.fromiter((places.get(source, -1) for source in sources[rows]), np.intp, len(rows))
    yield rows[of_row == -1], policy.categories
    for source, place in places.items():
        yield rows[of_row == place], policy.bands_for(source)


def _place(
    columns: ScoreColumns, rows: NDArray[np.intp], bands: Mapping[str, Bands], uncalibrated: Collection[str]
) -> _Placed:
    """Compare the scores of some rows with their bands."""
    scores = np.full((len(bands), len(rows)), np.nan, dtype=np.float32)
    places = np.full(scores.shape, _ALLOWED, dtype=np.int8)
    for number, (category, own) in enumerate(bands.items()):
        if (column := columns.scores.get(category)) is not None:
            scores[number] = column[rows]
        if own.review is not None:
            places[number, scores[number] >= np.float32(own.review)] = _REVIEWED
        if own.block is not None:
            blocked = _UNCALIBRATED if category in uncalibrated else _BLOCKED
            places[number, scores[number] >= np.float32(own.block)] = blocked
    places[~np.isfinite(scores)] = _SCORELESS
    severity = _SEVERITY[places]
    worst = severity.max(axis=0) if bands else np.full(len(rows), Outcome.REVIEW.severity, dtype=np.int8)
    return _Placed(rows, bands, scores, places, severity, worst)


def _kinds(category: str, bands: Bands) -> tuple[Because, ...]:
    """Return the grounds that one category can give, by where its score lies."""
    return (
        *(Because(category, 0.0, bands.band(outcome)) for outcome in Outcome),
        Because(category, 0.0, bands.band(Outcome.BLOCK), UNCALIBRATED),
        Because(category, reason=NO_SCORE),
    )


def _reasons(reasons: Mapping[int, str]) -> Grounds:
    """Return grounds that name a reason and no category, by row."""
    kinds = {reason: place for place, reason in enumerate(dict.fromkeys(reasons.values()))}
    return Grounds(
        np.fromiter(reasons, np.intp, len(reasons)),
        np.fromiter((kinds[reason] for reason in reasons.values()), np.intp, len(reasons)),
        np.full(len(reasons), np.nan),
        [Because(reason=reason) for reason in kinds],
    )
