"""Decides whole columns of scores at once, and row for row as `policies.decide` does.

Rows with every score that the policy asks for are decided by comparing matrices; the few without go through
`decide` itself. A row that the fast stage cleared has estimates in place of scores, which say no more than
that it lies below the edges it was cleared under; under other edges it is deferred. Knows no file.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from prefilter.models.labels import ANY, HEADS
from prefilter.serving.bulk.run.run_terms import ANY_SOURCE
from prefilter.serving.policy.policy import Bands, Because, Decision, Outcome, Policy, decide

if TYPE_CHECKING:
    import pyarrow as pa

FAST_STAGE_ONLY = "fast_stage_only"
"""The reason of a row whose scores are estimates that the policy at hand cannot rely on."""
OUTCOMES = tuple(outcome.value for outcome in (Outcome.ALLOW, Outcome.REVIEW, Outcome.BLOCK))
Matrix = np.ndarray[Any, Any]


@dataclass(slots=True)
class Decided:
    """The decisions of n rows: a code into OUTCOMES (-1: none), the grounds as JSON, the first category."""

    codes: Matrix
    because: Matrix
    leading: Matrix
    enforced: bool

    @classmethod
    def nothing(cls, count: int, *, enforced: bool) -> Decided:
        """No row decided yet."""
        empty = np.full(count, None, object)
        return cls(np.full(count, -1, np.int8), empty, empty.copy(), enforced)

    def put(self, row: int, decision: Decision) -> None:
        """Take over a decision made for one row."""
        self.codes[row] = OUTCOMES.index(decision.outcome.value)
        self.because[row] = because_json(decision.because)
        self.leading[row] = decision.because[0].category if decision.because else None

    def columns(self) -> dict[str, pa.Array]:
        """The columns `outcome`, `because` and `enforced`; null for rows without a decision."""
        import pyarrow as pa

        none = self.codes < 0
        names = pa.DictionaryArray.from_arrays(pa.array(self.codes, mask=none), pa.array(OUTCOMES))
        enforced = np.full(len(none), self.enforced)
        return {
            "outcome": names.cast(pa.string()),
            "because": pa.array(self.because, pa.string()),
            "enforced": pa.array(enforced, pa.bool_(), mask=none),
        }


def decide_matrix(
    matrix: Matrix,
    policy: Policy,
    *,
    valid: Matrix,
    sources: pa.Array,
    reasons: Mapping[int, str],
    uncalibrated: Collection[str] = (),
) -> Decided:
    """Decide the `valid` rows of `matrix`, whose columns are HEADS; `reasons`: why a row has no scores."""
    decided = Decided.nothing(len(matrix), enforced=policy.enforced)
    unscored = np.zeros(len(matrix), bool)
    unscored[list(reasons)] = True
    for source, rows in _rows_by_source(sources, policy, valid):
        bands = policy.bands_for(source)
        known = np.isfinite(_chosen(matrix, rows, bands)).all(axis=1)
        known &= ~unscored[rows] & bool(bands)
        whole = rows[known]
        if len(whole):
            _decide_whole(decided, matrix, whole, bands, uncalibrated)
        for row in rows[~known]:
            scores = {head: matrix[row, n] for n, head in enumerate(HEADS) if np.isfinite(matrix[row, n])}
            decision = decide(
                scores, policy, source=source, unscored=reasons.get(int(row)), uncalibrated=uncalibrated
            )
            decided.put(row, decision)
    return decided


def held_back(
    sources: pa.Array,
    stages: pa.Array,
    policy: Policy,
    cleared_under: Mapping[str, Any] | None,
    *,
    foreign: Matrix,
) -> Matrix:
    """Which rows the fast stage cleared under other edges than the policy's, or under unknown ones.

    `foreign`: rows that another policy decided than the one the file names, which were joined to it from elsewhere.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    fast = pc.fill_null(pc.equal(stages, "fast"), False)
    known = pc.unique(sources.filter(fast)).to_pylist()
    then = cleared_under or {}
    differing = [
        source for source in known if then.get(source, then.get(ANY_SOURCE)) != policy.edges_for(source)
    ]
    stale = pc.is_in(sources, value_set=pa.array(differing, pa.string()))
    found: Matrix = np.asarray(pc.and_(fast, stale)) | (np.asarray(fast) & foreign)
    return found


def defer(decided: Decided, rows: Matrix) -> None:
    """Make `rows` (a mask) REVIEW because only the fast stage saw them."""
    decided.codes[rows] = OUTCOMES.index(Outcome.REVIEW.value)
    decided.because[rows] = because_json((Because(reason=FAST_STAGE_ONLY),))
    decided.leading[rows] = None


def because_json(because: tuple[Because, ...]) -> str:
    """Return the grounds of a decision as the JSON string of the column."""
    return to_json([ground.to_json() for ground in because])


def to_json(value: object) -> str:
    """Return compact JSON; floats unrounded."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def policy_label(policy: Policy) -> str:
    """Return `NAME@VERSION`, what the column `policy_version` says."""
    return f"{policy.name}@{policy.version}"


def _rows_by_source(sources: pa.Array, policy: Policy, valid: Matrix) -> Iterator[tuple[str | None, Matrix]]:
    """Group the valid rows by the source that the policy knows; None for every other."""
    if not policy.sources:
        yield None, np.flatnonzero(valid)
        return
    import pyarrow as pa
    import pyarrow.compute as pc

    known = list(policy.sources)
    places = pc.fill_null(pc.index_in(sources, value_set=pa.array(known, pa.string())), -1).to_numpy(
        zero_copy_only=False
    )
    for place, source in enumerate([*known, None]):
        wanted = place if source is not None else -1
        yield source, np.flatnonzero(valid & (places == wanted))


def _decide_whole(
    decided: Decided, matrix: Matrix, rows: Matrix, bands: Mapping[str, Bands], uncalibrated: Collection[str]
) -> None:
    """Decide rows that have every score the policy asks for."""
    names = list(bands)
    scores = _chosen(matrix, rows, bands)
    reviews, blocks = (
        _limits([getattr(bands[name], edge) for name in names]) for edge in ("review", "block")
    )
    soft = np.asarray([name in uncalibrated for name in names])
    blocked = scores >= blocks
    codes = np.where(blocked & ~soft, 2, (blocked | (scores >= reviews)).astype(np.int8)).astype(np.int8)
    worst = codes.max(axis=1)
    decided.codes[rows] = worst
    allowed = worst == 0
    _ground_allowed(decided, rows[allowed], scores[allowed], bands)
    for number in np.flatnonzero(~allowed):
        texts = []
        for column in _grounds(codes[number], worst[number], scores[number], names):
            name, score = names[column], float(scores[number, column])
            texts.append(
                _ground(name, score, bands[name], block=bool(blocked[number, column]), soft=soft[column])
            )
            decided.leading[rows[number]] = decided.leading[rows[number]] or name
        decided.because[rows[number]] = f"[{','.join(texts)}]"


def _ground_allowed(decided: Decided, rows: Matrix, scores: Matrix, bands: Mapping[str, Bands]) -> None:
    """An allowed row names the category that came closest to not being allowed."""
    if not len(rows):
        return
    highs = np.asarray([own.first_edge for own in bands.values()], np.float64)
    kept = scores.astype(np.float64)
    closest = np.argmin(highs - kept, axis=1)
    nearest = kept[np.arange(len(kept)), closest].tolist()
    before = [f'[{{"category":"{name}","score":' for name in bands]
    after = [f',"band":[0.0,{high!r}]}}]' for high in highs.tolist()]
    texts = [f"{before[c]}{score!r}{after[c]}" for c, score in zip(closest.tolist(), nearest, strict=True)]
    decided.because[rows] = texts
    decided.leading[rows] = np.asarray(list(bands), object)[closest]


def _grounds(codes: Matrix, worst: int, scores: Matrix, names: list[str]) -> list[int]:
    """The columns that give the outcome, in the order in which `decide` names them."""
    columns = np.flatnonzero(codes == worst).tolist()
    return sorted(columns, key=lambda c: (names[c] == ANY, -scores[c], HEADS.index(names[c])))


def _ground(name: str, score: float, own: Bands, *, block: bool, soft: bool) -> str:
    """One ground as JSON: the band that the score fell into."""
    low = own.block if block else own.review
    high = 1.0 if block or own.block is None else own.block
    reason = ',"reason":"uncalibrated"' if block and soft else ""
    return f'{{"category":"{name}","score":{score!r},"band":[{low!r},{high!r}]{reason}}}'


def _chosen(matrix: Matrix, rows: Matrix, bands: Mapping[str, Bands]) -> Matrix:
    """The scores that a policy asks for, of some rows."""
    return matrix[rows][:, np.asarray([HEADS.index(name) for name in bands], np.intp)]


def _limits(edges: list[float | None]) -> Matrix:
    """Edges as float32, as scores are; what has no edge lies above every score."""
    return np.asarray([np.inf if edge is None else edge for edge in edges], np.float32)
