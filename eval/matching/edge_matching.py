"""Matching: two scores of the same texts compared, and for an edge of theirs the edge of ours that does the same.

A score is flagged where it is not below the edge. Ours are matched three ways: by volume (flags as many), by recall
(finds as many of the harmful) and by precision (the lowest edge that is right as often). The last two need labels.
Where the data cannot say, the answer is a note with a code, never a number that looks like one: too few rows, nothing
flagged, none that reaches it. It knows arrays only: no names of attributes, no files, no model.

Shares have Wilson intervals. Edges and the rank correlation have percentile intervals over rows drawn with replacement:
what another sample of this size from the same stream would have said. Pure NumPy, so that no extra is needed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prefilter.eval.metrics import defined, wilson

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
REPLICATES = 1_000
LEAST_ROWS = 30
"""Fewer rows with both scores are compared by nobody."""
LEAST_FLAGGED = 10
"""An edge that rests on fewer flagged rows is noise; by precision none is matched."""
LEAST_LABELS = 10
"""Fewer harmful or fewer benign labels match nothing by recall or precision."""
WAYS = ("volume", "recall", "precision")
_LEAST_VALID = 0.9

Floats = NDArray[np.float64]
Rows = NDArray[np.bool_]


def compare(
    theirs: NDArray[np.floating[Any]],
    ours: NDArray[np.floating[Any]],
    labels: NDArray[np.floating[Any]] | None = None,
    *,
    edges: Sequence[float] = (),
    replicates: int = REPLICATES,
    seed: int = 0,
) -> dict[str, Any]:
    """Compare theirs [n] with ours [n], both in [0,1], NaN unknown; labels [n]: 1 harmful, 0 benign, NaN unknown.

    `edges` are theirs. Only rows with both scores count. The same input and seed give the same document. Raises
    ValueError for unequal lengths.
    """
    if theirs.shape != ours.shape or theirs.ndim != 1 or (labels is not None and labels.shape != theirs.shape):
        raise ValueError("scores and labels must be one-dimensional and of one length")
    both = np.isfinite(theirs) & np.isfinite(ours)
    pair = _Pair.of(theirs[both], ours[both], None if labels is None else labels[both])
    found: dict[str, Any] = {"n": pair.n, "notes": [], "spearman": None, "quantiles": [], "edges": []}
    if labels is not None:
        found["labels"] = {"harmful": int(pair.harmful.sum()), "benign": int(pair.benign.sum())}
    if pair.n < LEAST_ROWS:
        found["notes"].append(
            _note("too_few_rows", f"{pair.n} rows have both scores, {LEAST_ROWS} are needed: nothing is compared")
        )
        return found
    if labels is None:
        found["notes"].append(_note("no_labels", "no labels: nothing says which of the two is right"))
    elif not pair.labelled_enough:
        found["notes"].append(
            _note(
                "too_few_labels",
                f"{pair.harmful.sum():.0f} harmful and {pair.benign.sum():.0f} benign labels, {LEAST_LABELS} of each "
                "are needed: matched by volume alone",
            )
        )
    drawn = _Replicates(pair, edges, replicates, seed)
    rho = pair.spearman(np.ones(pair.n))
    found["spearman"] = {"value": defined(rho), "ci95": _percentiles(rho, drawn.spearman)}
    if not math.isfinite(rho):
        found["notes"].append(_note("constant", "one of the two scores is the same everywhere: no rank correlation"))
    at = zip(QUANTILES, np.quantile(pair.theirs, QUANTILES), np.quantile(pair.ours, QUANTILES), strict=True)
    found["quantiles"] = [{"q": q, "theirs": float(their), "ours": float(our)} for q, their, our in at]
    found["edges"] = [_edge(pair, edge, drawn.edges[number]) for number, edge in enumerate(edges)]
    return found


def agreement(theirs: Rows, ours: Rows, labels: NDArray[np.floating[Any]] | None = None) -> dict[str, Any]:
    """Return how many rows [n] both flag, only one, or neither; of each how many are labelled harmful and benign."""
    cells = {
        "both": theirs & ours,
        "only_theirs": theirs & ~ours,
        "only_ours": ours & ~theirs,
        "neither": ~theirs & ~ours,
    }
    table: dict[str, Any] = {}
    for name, rows in cells.items():
        table[name] = {"n": int(rows.sum())}
        if labels is not None:
            table[name] |= {"harmful": int((labels[rows] == 1).sum()), "benign": int((labels[rows] == 0).sum())}
    return table


@dataclass(frozen=True, slots=True)
class _Order:
    """A score's distinct values from the highest down [m], and which of them each row has [n]."""

    values: Floats
    cell: NDArray[np.int64]

    @classmethod
    def of(cls, scores: NDArray[np.floating[Any]]) -> _Order:
        ascending, inverse = np.unique(scores.astype(np.float64), return_inverse=True)
        return cls(ascending[::-1], (ascending.size - 1 - inverse).astype(np.int64))

    def tally(self, weights: Floats) -> Floats:
        """The weight [m] that an edge at each value flags."""
        return np.cumsum(np.bincount(self.cell, weights, minlength=self.values.size))

    def ranks(self, weights: Floats) -> Floats:
        """The middle rank [n] of each row, ties sharing one."""
        flagged = self.tally(weights)
        middle: Floats = (flagged - np.diff(flagged, prepend=0.0) / 2)[self.cell]
        return middle


@dataclass(frozen=True, slots=True)
class _Pair:
    """Rows with both scores; weights [n] count each row once, or as often as it was drawn."""

    theirs: Floats
    ours: Floats
    harmful: Floats
    benign: Floats
    their_order: _Order
    our_order: _Order

    @classmethod
    def of(
        cls,
        theirs: NDArray[np.floating[Any]],
        ours: NDArray[np.floating[Any]],
        labels: NDArray[np.floating[Any]] | None,
    ) -> _Pair:
        known = np.full(theirs.size, np.nan) if labels is None else labels
        return cls(
            theirs.astype(np.float64),
            ours.astype(np.float64),
            (known == 1).astype(np.float64),
            (known == 0).astype(np.float64),
            _Order.of(theirs),
            _Order.of(ours),
        )

    @property
    def n(self) -> int:
        return self.theirs.size

    @property
    def labelled_enough(self) -> bool:
        return bool(min(self.harmful.sum(), self.benign.sum()) >= LEAST_LABELS)

    def spearman(self, weights: Floats) -> float:
        """Rank correlation, ties at their middle rank; NaN where a score is the same everywhere."""
        a, b = self.their_order.ranks(weights), self.our_order.ranks(weights)
        total = weights.sum()
        a, b = a - a @ weights / total, b - b @ weights / total
        scale = math.sqrt(float((a * a) @ weights) * float((b * b) @ weights))
        return float((a * b) @ weights) / scale if scale > 0 else math.nan

    def match(self, flagged: Rows, weights: Floats) -> dict[str, float]:
        """Our edge by each way for the rows that they flag; a way that no edge goes is absent."""
        values, found = self.our_order.values, {}
        wanted = float(weights[flagged].sum())
        if wanted == 0:
            return {}
        volume = self.our_order.tally(weights)
        # Between the last edge that flags too few and the first that flags enough, the nearer; enough, where they tie.
        enough = int(np.searchsorted(volume, wanted))
        fewer = enough > 0 and wanted - volume[enough - 1] < volume[enough] - wanted
        found["volume"] = float(values[enough - 1 if fewer else enough])
        if not self.labelled_enough:
            return found
        hits = self.our_order.tally(weights * self.harmful)
        their_hits = float((weights * self.harmful)[flagged].sum())
        if their_hits > 0:
            found["recall"] = float(values[int(np.searchsorted(hits, their_hits))])
        labelled = hits + self.our_order.tally(weights * self.benign)
        their_labelled = their_hits + float((weights * self.benign)[flagged].sum())
        if their_labelled >= LEAST_FLAGGED:
            right = (hits * their_labelled >= their_hits * labelled) & (labelled >= LEAST_FLAGGED)
            if right.any():
                found["precision"] = float(values[int(np.flatnonzero(right)[-1])])
        return found

    def cost(self, flagged: Rows) -> dict[str, Any]:
        """What an edge that flags these rows costs: volume, and precision and recall where labels are."""
        hits, wrong = int(self.harmful[flagged].sum()), int(self.benign[flagged].sum())
        cost = {"volume": _share(int(flagged.sum()), self.n), "precision": None, "recall": None}
        if self.harmful.any() or self.benign.any():
            cost |= {"precision": _share(hits, hits + wrong), "recall": _share(hits, int(self.harmful.sum()))}
        return cost

    @property
    def labels(self) -> Floats | None:
        if not (self.harmful.any() or self.benign.any()):
            return None
        return np.where(self.harmful > 0, 1.0, np.where(self.benign > 0, 0.0, np.nan))


class _Replicates:
    """The rank correlation and every matched edge on rows drawn with replacement."""

    def __init__(self, pair: _Pair, edges: Sequence[float], replicates: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        flagged = [pair.theirs >= edge for edge in edges]
        self.spearman = np.full(replicates, np.nan)
        self.edges = [{way: np.full(replicates, np.nan) for way in WAYS} for _ in edges]
        for number in range(replicates):
            weights = np.bincount(rng.integers(0, pair.n, size=pair.n), minlength=pair.n).astype(np.float64)
            self.spearman[number] = pair.spearman(weights)
            for rows, drawn in zip(flagged, self.edges, strict=True):
                for way, value in pair.match(rows, weights).items():
                    drawn[way][number] = value


def _edge(pair: _Pair, edge: float, drawn: dict[str, Floats]) -> dict[str, Any]:
    """One edge of theirs: what it costs, our edges matched to it, what they cost, and where the two differ."""
    flagged = pair.theirs >= edge
    found: dict[str, Any] = {"theirs": {"edge": float(edge), **pair.cost(flagged)}, "matched": {}, "notes": []}
    matches = pair.match(flagged, np.ones(pair.n))
    for way in WAYS:
        if way in matches:
            rows = pair.ours >= matches[way]
            found["matched"][way] = {
                "edge": matches[way],
                "edge_ci95": _percentiles(matches[way], drawn[way]),
                **pair.cost(rows),
                "agreement": agreement(flagged, rows, pair.labels),
            }
        else:
            found["matched"][way] = None
    found["notes"] = _edge_notes(pair, found)
    return found


def _edge_notes(pair: _Pair, found: dict[str, Any]) -> list[dict[str, str]]:
    """What the data could not say of this edge."""
    theirs, matched = found["theirs"], found["matched"]
    count = theirs["volume"]["hits"]
    if count == 0:
        return [_note("none_flagged", f"they flag none of {pair.n} rows at this edge: there is nothing to match")]
    notes = []
    if count < LEAST_FLAGGED:
        notes.append(_note("too_few_flagged", f"they flag {count} of {pair.n} rows: take an edge that flags more"))
    reached = matched["volume"]["volume"]["hits"]
    if abs(reached - count) > max(1, 0.05 * count):
        notes.append(_note("tied", f"our scores tie: the nearest edge flags {reached} rows, theirs {count}"))
    if not pair.labelled_enough:
        return notes
    if matched["recall"] is None:
        notes.append(_note("no_recall", "they find none of the harmful rows at this edge: no recall to match"))
    judged = theirs["precision"]["of"]
    if judged < LEAST_FLAGGED:
        why = f"they flag {judged} labelled rows, {LEAST_FLAGGED} are needed: no precision to match"
        notes.append(_note("too_few_judged", why))
    elif matched["precision"] is None:
        why = f"none of our edges that flag {LEAST_FLAGGED} labelled rows or more is right as often as theirs"
        notes.append(_note("none_reaches_precision", why))
    return notes


def _share(hits: int, of: int) -> dict[str, Any]:
    bounds = wilson(hits, of)
    return {"value": hits / of if of else None, "hits": hits, "of": of, "ci95": list(bounds) if bounds else None}


def _percentiles(value: float, drawn: Floats) -> list[float] | None:
    valid = drawn[np.isfinite(drawn)]
    if not math.isfinite(value) or not drawn.size or valid.size < _LEAST_VALID * drawn.size:
        return None
    low, high = np.percentile(valid, [2.5, 97.5])
    return [float(low), float(high)]


def _note(code: str, message: str) -> dict[str, str]:
    return {"code": code, "message": message}
