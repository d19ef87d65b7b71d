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
from collections.abc import Mapping, Sequence

import numpy as np

from prefilter.eval.matching.move_measures import (
    Agreement,
    Cell,
    Comparison,
    Correlation,
    EdgeCost,
    EdgeLine,
    LabelCounts,
    MatchedEdge,
    Note,
    Quantile,
)
from prefilter.eval.matching.score_pair import LEAST_FLAGGED, LEAST_LABELS, Floats, Rows, ScorePair, Scores
from prefilter.eval.metrics import defined

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
REPLICATES = 1_000
LEAST_ROWS = 30
"""Fewer rows with both scores are compared by nobody."""
WAYS = ("volume", "recall", "precision")
_LEAST_VALID = 0.9


def compare(
    theirs: Scores,
    ours: Scores,
    labels: Scores | None = None,
    *,
    edges: Sequence[float] = (),
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Comparison:
    """Compare theirs [n] with ours [n], both in [0,1], NaN unknown; labels [n]: 1 harmful, 0 benign, NaN unknown.

    `edges` are theirs. Only rows with both scores count. The same input and seed give the same document. Raises
    ValueError for unequal lengths.
    """
    if theirs.shape != ours.shape or theirs.ndim != 1 or (labels is not None and labels.shape != theirs.shape):
        raise ValueError("scores and labels must be one-dimensional and of one length")
    both = np.isfinite(theirs) & np.isfinite(ours)
    pair = ScorePair.of(theirs[both], ours[both], None if labels is None else labels[both])
    judged = None
    if labels is not None:
        judged = LabelCounts(harmful=int(pair.harmful.sum()), benign=int(pair.benign.sum()))
    if pair.n < LEAST_ROWS:
        few = f"{pair.n} rows have both scores, {LEAST_ROWS} are needed: nothing is compared"
        notes = (Note(code="too_few_rows", message=few),)
        return Comparison(n=pair.n, notes=notes, spearman=None, quantiles=(), edges=(), labels=judged)
    drawn = _Replicates(pair, edges, replicates, seed)
    rho = pair.spearman(np.ones(pair.n))
    at = zip(QUANTILES, np.quantile(pair.theirs, QUANTILES), np.quantile(pair.ours, QUANTILES), strict=True)
    return Comparison(
        n=pair.n,
        notes=_notes(pair, judged, rho),
        spearman=Correlation(value=defined(rho), ci95=_percentiles(rho, drawn.spearman)),
        quantiles=tuple(Quantile(q=q, theirs=float(their), ours=float(our)) for q, their, our in at),
        edges=tuple(_edge(pair, edge, drawn.edges[number]) for number, edge in enumerate(edges)),
        labels=judged,
    )


def agreement(theirs: Rows, ours: Rows, labels: Scores | None = None) -> Agreement:
    """Return how many rows [n] both flag, only one, or neither; of each how many are labelled harmful and benign."""

    def cell(rows: Rows) -> Cell:
        n = int(rows.sum())
        if labels is None:
            return Cell(n=n)
        return Cell(n=n, harmful=int((labels[rows] == 1).sum()), benign=int((labels[rows] == 0).sum()))

    return Agreement(
        both=cell(theirs & ours),
        only_theirs=cell(theirs & ~ours),
        only_ours=cell(ours & ~theirs),
        neither=cell(~theirs & ~ours),
    )


def _notes(pair: ScorePair, judged: LabelCounts | None, rho: float) -> tuple[Note, ...]:
    """What the data could not say of the two scores."""
    notes = []
    if judged is None:
        notes.append(Note(code="no_labels", message="no labels: nothing says which of the two is right"))
    elif not pair.labelled_enough:
        said = f"{judged.harmful} harmful and {judged.benign} benign labels, {LEAST_LABELS} of each are needed"
        notes.append(Note(code="too_few_labels", message=f"{said}: matched by volume alone"))
    if not math.isfinite(rho):
        said = "one of the two scores is the same everywhere: no rank correlation"
        notes.append(Note(code="constant", message=said))
    return tuple(notes)


class _Replicates:
    """The rank correlation and every matched edge on rows drawn with replacement."""

    def __init__(self, pair: ScorePair, edges: Sequence[float], replicates: int, seed: int) -> None:
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


def _edge(pair: ScorePair, edge: float, drawn: Mapping[str, Floats]) -> EdgeLine:
    """One edge of theirs: what it costs, our edges matched to it, what they cost, and where the two differ."""
    flagged = pair.theirs >= edge
    theirs = pair.cost(float(edge), flagged)
    matches = pair.match(flagged, np.ones(pair.n))
    matched = {way: _matched(pair, matches[way], flagged, drawn[way]) if way in matches else None for way in WAYS}
    return EdgeLine(theirs=theirs, matched=matched, notes=_edge_notes(pair, theirs, matched))


def _matched(pair: ScorePair, edge: float, flagged: Rows, drawn: Floats) -> MatchedEdge:
    rows = pair.ours >= edge
    cost = pair.cost(edge, rows)
    return MatchedEdge(
        edge=edge,
        edge_ci95=_percentiles(edge, drawn),
        volume=cost.volume,
        precision=cost.precision,
        recall=cost.recall,
        agreement=agreement(flagged, rows, pair.labels),
    )


def _edge_notes(pair: ScorePair, theirs: EdgeCost, matched: Mapping[str, MatchedEdge | None]) -> tuple[Note, ...]:
    """What the data could not say of this edge."""
    count = theirs.volume.hits
    if count == 0:
        said = f"they flag none of {pair.n} rows at this edge: there is nothing to match"
        return (Note(code="none_flagged", message=said),)
    notes = []
    if count < LEAST_FLAGGED:
        said = f"they flag {count} of {pair.n} rows: take an edge that flags more"
        notes.append(Note(code="too_few_flagged", message=said))
    by_volume = matched["volume"]
    if by_volume is not None and abs(by_volume.volume.hits - count) > max(1, 0.05 * count):
        said = f"our scores tie: the nearest edge flags {by_volume.volume.hits} rows, theirs {count}"
        notes.append(Note(code="tied", message=said))
    if pair.labelled_enough and theirs.precision is not None:
        notes += _labelled_notes(theirs.precision.of, matched)
    return tuple(notes)


def _labelled_notes(judged: int, matched: Mapping[str, MatchedEdge | None]) -> list[Note]:
    """Why nothing is matched by recall or precision; `judged`: how many labelled rows they flag."""
    notes = []
    if matched["recall"] is None:
        said = "they find none of the harmful rows at this edge: no recall to match"
        notes.append(Note(code="no_recall", message=said))
    if judged < LEAST_FLAGGED:
        said = f"they flag {judged} labelled rows, {LEAST_FLAGGED} are needed: no precision to match"
        notes.append(Note(code="too_few_judged", message=said))
    elif matched["precision"] is None:
        said = f"none of our edges that flag {LEAST_FLAGGED} labelled rows or more is right as often as theirs"
        notes.append(Note(code="none_reaches_precision", message=said))
    return notes


def _percentiles(value: float, drawn: Floats) -> tuple[float, float] | None:
    valid = drawn[np.isfinite(drawn)]
    if not math.isfinite(value) or not drawn.size or valid.size < _LEAST_VALID * drawn.size:
        return None
    low, high = np.percentile(valid, [2.5, 97.5])
    return float(low), float(high)
