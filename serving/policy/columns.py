"""The decisions of many rows at once: the rule of `decide` on columns, outcomes and grounds alike, in NumPy.

A what-if on stored decisions, a policy applied to a file of scores and an evaluation all decide here; a property
test holds these columns equal to `decide` row by row. Grounds are made only where somebody asks for them. Knows
no database, no file and no JSON text, and imports no sibling but the policy and `decide`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prefilter.models.labels import ANY, HEADS
from prefilter.serving.policy.decide import NO_SCORE, NO_SCORES, UNCALIBRATED, Because, ground_body
from prefilter.serving.policy.policy import Bands, Outcome, Policy

_ALLOW, _REVIEW, _BLOCK = (outcome.severity for outcome in Outcome)
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
    """The m grounds of n rows end to end, ordered as `decide` orders them; each row has at least one."""

    rows: NDArray[np.intp]  # [m] whose ground it is, ascending
    categories: NDArray[np.object_]  # [m] str or None
    scores: NDArray[np.float64]  # [m] float32 values, NaN for none
    lows: NDArray[np.float64]  # [m] the band from low to high, which only a ground with a score has
    highs: NDArray[np.float64]
    reasons: NDArray[np.object_]  # [m] str or None

    @property
    def starts(self) -> NDArray[np.intp]:
        """The place of each row's first ground [n]."""
        return np.flatnonzero(np.diff(self.rows, prepend=-1))

    def ordered(self, order: NDArray[np.intp]) -> Grounds:
        """Return these grounds in another order."""
        return Grounds(*(getattr(self, name)[order] for name in Grounds.__slots__))

    def because(self) -> list[tuple[Because, ...]]:
        """Return the grounds row by row, as `decide` does."""
        found = [Because(*fields) for fields in self._fields()]
        return [tuple(found[start:end]) for start, end in self._spans()]

    def bodies(self) -> list[list[dict[str, object]]]:
        """Return the grounds row by row in their JSON shape."""
        found = [ground_body(*fields) for fields in self._fields()]
        return [found[start:end] for start, end in self._spans()]

    def _fields(self) -> Iterator[tuple[str | None, float | None, tuple[float, float] | None, str | None]]:
        columns = (self.categories, self.scores, self.lows, self.highs, self.reasons)
        for category, score, low, high, reason in zip(*(column.tolist() for column in columns), strict=True):
            scored = score == score  # NaN is not itself
            yield category, score if scored else None, (low, high) if scored else None, reason

    def _spans(self) -> Iterator[tuple[int, int]]:
        starts = self.starts.tolist()
        return zip(starts, [*starts, len(self.rows)][1:], strict=True)


@dataclass(frozen=True, slots=True)
class ColumnDecisions:
    """The decisions of n rows: the outcome of each as its severity [n], and its grounds."""

    codes: NDArray[np.int8]
    _placed: Sequence[_Placed]
    _unscored: Mapping[int, str]

    def grounds(self) -> Grounds:
        """Work out why."""
        parts = [_unscored_grounds(self._unscored)]
        for placed in self._placed:
            parts += placed.grounds()
        joined = Grounds(*(np.concatenate([getattr(part, name) for part in parts]) for name in Grounds.__slots__))
        return joined.ordered(np.argsort(joined.rows, kind="stable"))


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
    placed = [
        _place(columns, rows, bands, uncalibrated)
        for rows, bands in _rows_by_bands(columns.sources, np.flatnonzero(scored), policy)
        if len(rows)
    ]
    for part in placed:
        codes[part.rows] = part.worst
    return ColumnDecisions(codes, placed, unscored)


@dataclass(frozen=True, slots=True)
class _Placed:
    """Rows [n] that have the same bands [k], and the outcome of each category for each of them."""

    rows: NDArray[np.intp]
    bands: Mapping[str, Bands]
    scores: NDArray[np.float32]  # [k, n]
    known: NDArray[np.bool_]  # [k, n] the score is finite
    blocked: NDArray[np.bool_]  # [k, n] the score lies in the band to block
    own: NDArray[np.int8]  # [k, n] severity
    worst: NDArray[np.int8]  # [n] severity

    def grounds(self) -> list[Grounds]:
        """Return the grounds of the rows that are allowed, then of the others."""
        if not self.bands:
            return [_no_grounds(self.rows, reasons=_same(NO_SCORES, len(self.rows)))]
        return [self._of_allowed(), self._of_others()]

    def _of_allowed(self) -> Grounds:
        """The category that came closest to not being allowed."""
        allowed = np.flatnonzero(self.worst == _ALLOW)
        highs = np.array([bands.first_edge for bands in self.bands.values()])
        scores = self.scores[:, allowed].astype(np.float64)
        closest = np.argmin(highs[:, None] - scores, axis=0)
        return Grounds(
            rows=self.rows[allowed],
            categories=self._names()[closest],
            scores=scores[closest, np.arange(len(allowed))],
            lows=np.zeros(len(allowed)),
            highs=highs[closest],
            reasons=_same(None, len(allowed)),
        )

    def _of_others(self) -> Grounds:
        """Every category that has the outcome of the row, most harmful first and `any` last."""
        of_row, category = np.nonzero(((self.own == self.worst) & (self.worst != _ALLOW)).T)
        known, blocked = self.known[category, of_row], self.blocked[category, of_row]
        scores = np.where(known, self.scores[category, of_row].astype(np.float64), np.nan)
        reviews, blocks = (edges[category] for edges in _edges(self.bands, absent=np.nan))
        reasons = _same(None, len(category))
        reasons[~known] = NO_SCORE
        reasons[blocked & (self.own[category, of_row] == _REVIEW)] = UNCALIBRATED
        names = self._names()
        place = np.array([_PLACES.get(name, len(HEADS)) for name in names], dtype=np.intp)
        last = np.array([name == ANY for name in names], dtype=np.bool_)
        order = np.lexsort((place[category], -np.where(known, scores, 0.0), last[category], of_row))
        found = Grounds(
            rows=self.rows[of_row],
            categories=names[category],
            scores=scores,
            lows=np.where(blocked, blocks, reviews),
            highs=np.where(blocked | np.isnan(blocks), 1.0, blocks),
            reasons=reasons,
        )
        return found.ordered(order)

    def _names(self) -> NDArray[np.object_]:
        return np.array(list(self.bands), dtype=np.object_)


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
    """Compare the scores of some rows with their bands, in float32; what has no edge lies above every score."""
    scores = np.full((len(bands), len(rows)), np.nan, dtype=np.float32)
    for place, category in enumerate(bands):
        if (column := columns.scores.get(category)) is not None:
            scores[place] = column[rows]
    reviews, blocks = (edges.astype(np.float32)[:, None] for edges in _edges(bands, absent=np.inf))
    known = np.isfinite(scores)
    blocked = known & (scores >= blocks)
    own = np.where(~known | blocked | (scores >= reviews), np.int8(_REVIEW), np.int8(_ALLOW))
    own[blocked & np.array([[category not in uncalibrated] for category in bands], dtype=np.bool_)] = _BLOCK
    worst = own.max(axis=0) if bands else np.full(len(rows), _REVIEW, dtype=np.int8)
    return _Placed(rows, bands, scores, known, blocked, own, worst)


def _edges(bands: Mapping[str, Bands], *, absent: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the edges to review and to block of each category [k]."""
    pairs = [(own.review, own.block) for own in bands.values()]
    found = np.array([[absent if edge is None else edge for edge in pair] for pair in pairs], dtype=np.float64)
    reviews, blocks = found.reshape(-1, 2).T
    return reviews, blocks


def _unscored_grounds(unscored: Mapping[int, str]) -> Grounds:
    rows = np.fromiter(unscored, np.intp, len(unscored))
    return _no_grounds(rows, reasons=np.array(list(unscored.values()), dtype=np.object_))


def _no_grounds(rows: NDArray[np.intp], *, reasons: NDArray[np.object_]) -> Grounds:
    """Grounds that name a reason and no category."""
    nothing = np.full(len(rows), np.nan)
    return Grounds(rows, _same(None, len(rows)), nothing, nothing, nothing, reasons)


def _same(value: str | None, count: int) -> NDArray[np.object_]:
    return np.full(count, value, dtype=np.object_)
